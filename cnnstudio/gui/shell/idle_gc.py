"""Python's large garbage collections, in moments in which nobody works with the window.

Beside torch and a design of 500 layers one of them takes 50 to 200 ms, all of which the window stands still:
ten frames, in the middle of an edit. The small ones, of what is new, go on as ever.
"""

from __future__ import annotations

import gc
import sys

from PySide6.QtCore import QObject, QTimer

from cnnstudio.gui.document.project import Project

QUIET_MS = 2_000
"""So long after the last edit nobody is in the middle of something."""

_SELDOM = 1_000
"""Collections of the second generation until a large one comes by itself; Python has 10. Training without an
edit for hours needs it, too."""
_ENOUGH = 20
"""As many of them make a large one worth its time."""


def collect_seldom() -> None:
    """Leaves the large collections of this process to `Tidying`."""
    first, second, _ = gc.get_threshold()
    gc.set_threshold(first, second, _SELDOM)


class Tidying(QObject):
    """Collects some time after each edit, if none follows."""

    def __init__(self, project: Project, parent: QObject) -> None:
        super().__init__(parent)
        self._is_settled = False
        self._quiet = QTimer(self)
        self._quiet.setSingleShot(True)
        self._quiet.setInterval(QUIET_MS)
        self._quiet.timeout.connect(self._on_quiet)
        project.network_changed.connect(self._on_network_changed)

    def end(self) -> None:
        """Nothing more is to be tidied up: the window closes."""
        self._quiet.stop()

    def _on_network_changed(self, _: object) -> None:
        self._quiet.start()

    def _on_quiet(self) -> None:
        if gc.get_count()[2] >= _ENOUGH:
            gc.collect()
            if not self._is_settled and "torch" in sys.modules:
                # What is here now stays as long as the program; the next collections need not look at it.
                gc.freeze()
                self._is_settled = True
