"""A mark that a start leaves until the window is there, so that one that died is not repeated."""

from __future__ import annotations

import contextlib
from pathlib import Path

from PySide6.QtCore import QLockFile, QObject, QTimer

from cnnstudio.core.files import exists, read_regular
from cnnstudio.core.paths import home

_NAME = "starting.lock"
_MAX_BYTES = 4_096
_SETTLED_MS = 4_000
"""What was open last has been drawn by then, the run on show included."""


class StartMarker(QObject):
    """A lock file that is there while the window restores what was open last.

    A process that dies leaves it behind. Without it, a file that ends the program would do so at each start.
    """

    def __init__(self) -> None:
        super().__init__()
        path = home() / _NAME
        self._lock = QLockFile(str(path))
        # It does not become stale with time, only when its process ends.
        self._lock.setStaleLockTime(0)
        was_there = exists(path)
        self.last_start_died = self._lock.tryLock(0) and was_there
        """Whether the last start did not come to its end; False while another window is starting."""

    def remove_soon(self) -> None:
        """Call this when the window is shown."""
        QTimer.singleShot(_SETTLED_MS, self, self.remove)

    def leave(self) -> None:
        """The start fails with an exception: the mark stays, as if the process had died."""
        if not self._lock.isLocked():
            return
        path = Path(self._lock.fileName())
        # The lock goes with its object; the file looks like that of a process that died.
        with contextlib.suppress(OSError):
            content = read_regular(path, _MAX_BYTES)
            self._lock.unlock()
            path.write_bytes(content)

    def remove(self) -> None:
        """The start has come to its end, or the program ends as it should."""
        self._lock.unlock()
