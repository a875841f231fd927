"""The autosave of the open design, and the unsaved designs of sessions that ended in a crash.

Each window has a file of its own, `unsaved-<number>.cnn.json`, reserved by a lock. The lock of a process that
has ended is stale: what it left is then an unsaved design, which the next window locks and offers. So no
window offers a design that another one is editing or offers already.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from PySide6.QtCore import QLockFile, QObject, QTimer

from cnnstudio.core.files import FileError, exists
from cnnstudio.core.paths import home
from cnnstudio.design.file import SUFFIX, DesignError, read_design, write_design
from cnnstudio.design.network import Network
from cnnstudio.gui.document.project import Project

AUTOSAVE_INTERVAL_MS = 4_000
"""So that after a crash no edit older than five seconds is lost; an unchanged design is not written again."""

_NAME = "unsaved-{}" + SUFFIX
_PATTERN = re.compile(rf"unsaved-[0-9]{{1,9}}{re.escape(SUFFIX)}")


@dataclass(frozen=True, eq=False)
class UnsavedDesign:
    """A design with unsaved changes, of a session that ended in a crash."""

    path: Path
    network: Network
    saved_at: float
    """When it was written, in seconds since 1970."""
    lock: QLockFile
    """Held, so that no other window offers the design."""

    def discard(self) -> None:
        """Deletes the file."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        self.lock.unlock()


class Autosave(QObject):
    """Keeps the unsaved changes of a project in a file, at regular intervals."""

    def __init__(self, project: Project, parent: QObject) -> None:
        super().__init__(parent)
        self._project = project
        self._written: Network | None = None
        self.found = _find_unsaved()
        """The unsaved designs of earlier sessions that nobody has opened or discarded yet, newest first."""
        self._path, self._lock = _free_file()
        project.file_changed.connect(self._on_file_changed)
        # Regular and not some time after an edit, which another edit would postpone.
        self._timer = QTimer(self)
        self._timer.setInterval(AUTOSAVE_INTERVAL_MS)
        self._timer.timeout.connect(self.save)
        self._timer.start()

    @property
    def is_possible(self) -> bool:
        """Whether unsaved work survives a crash; False if the data folder is not writable."""
        return self._path is not None

    def save(self) -> None:
        """Writes the design if it has unsaved changes that are not written yet."""
        network = self._project.network
        if self._path is None or not self._project.is_modified or network is self._written:
            return
        # Saving explicitly reports what is wrong with the disk; an autosave must not interrupt the user.
        with contextlib.suppress(FileError):
            write_design(self._path, network)
            self._written = network

    def forget(self, design: UnsavedDesign) -> None:
        """Deletes one of the found designs: it was discarded, or is the open design now and written again."""
        self.found.remove(design)
        design.discard()

    @property
    def is_written(self) -> bool:
        """Whether the file has all changes."""
        return self._written is self._project.network

    def close(self) -> None:
        """Deletes the file: the window is closing normally. What was found stays for the next start."""
        self._timer.stop()
        self._delete()
        for design in self.found:
            design.lock.unlock()
        if self._lock is not None:
            self._lock.unlock()

    def _on_file_changed(self, _: object) -> None:
        if not self._project.is_modified:
            # Saved, undone, or discarded for another design.
            self._delete()

    def _delete(self) -> None:
        if self._path is not None and self._written is not None:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
        self._written = None


def _find_unsaved() -> list[UnsavedDesign]:
    """Locks and reads what crashed sessions left, newest first."""
    found: list[UnsavedDesign] = []
    for path in _files():
        lock = _lock_of(path)
        if not lock.tryLock(0):
            continue
        try:
            # A file that cannot be read is left alone: a newer version of the program may have written it.
            found.append(UnsavedDesign(path, read_design(path), path.stat().st_mtime, lock))
        except (DesignError, OSError):
            lock.unlock()
    found.sort(key=lambda design: design.saved_at, reverse=True)
    for number, design in reversed(list(enumerate(found))):
        # A program that ended while it opened an unsaved design has left it twice.
        if any(design.network == newer.network for newer in found[:number]):
            found.pop(number).discard()
    return found


def _files() -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from sorted(path for path in home().iterdir() if _PATTERN.fullmatch(path.name))


def _free_file() -> tuple[Path | None, QLockFile | None]:
    """The file of this window, and its lock. (None, None) if the folder is not writable."""
    folder = home()
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        path = folder / _NAME.format(number)
        lock = _lock_of(path)
        if exists(path) or not lock.tryLock(0):
            if lock.error() in (QLockFile.LockError.NoError, QLockFile.LockError.LockFailedError):
                continue
            return None, None
        # Another window may have left a design there just before.
        if not exists(path):
            return path, lock
        lock.unlock()
    raise AssertionError("there are infinitely many numbers")


def _lock_of(path: Path) -> QLockFile:
    lock = QLockFile(str(path.with_name(path.name + ".lock")))
    # Locks do not become stale with time, only when their process ends.
    lock.setStaleLockTime(0)
    return lock
