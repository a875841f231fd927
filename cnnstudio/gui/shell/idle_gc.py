"""Full garbage collections, deferred to moments when the user is idle.

With torch loaded and a design of 500 layers, a full collection takes 50 to 200 ms, during which the window
freezes for up to ten frames, in the middle of an edit. Collections of the young generations go on as usual.
"""

from __future__ import annotations

import gc
import sys

from PySide6.QtCore import QObject, QTimer

from cnnstudio.gui.document.project import Project

IDLE_MS = 2_000
"""The time after the last edit from which on the user counts as idle."""

_FULL_THRESHOLD = 1_000
"""Collections of generation 1 before Python runs a full one by itself; its default is 10. Not infinite, as
hours of training without an edit need full collections too."""
_WORTHWHILE = 20
"""Collections of generation 1 after which a full collection is worth its time."""


def defer_full_collections() -> None:
    """Leaves the full collections of this process to `IdleCollector`."""
    first, second, _ = gc.get_threshold()
    gc.set_threshold(first, second, _FULL_THRESHOLD)


class IdleCollector(QObject):
    """Runs a full collection once the user has stopped editing for a moment."""

    def __init__(self, project: Project, parent: QObject) -> None:
        super().__init__(parent)
        self._is_frozen = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(IDLE_MS)
        self._timer.timeout.connect(self._on_idle)
        project.network_changed.connect(self._on_network_changed)

    def stop(self) -> None:
        """Cancels the pending collection; the window is closing."""
        self._timer.stop()

    def _on_network_changed(self, _: object) -> None:
        self._timer.start()

    def _on_idle(self) -> None:
        if gc.get_count()[2] >= _WORTHWHILE:
            gc.collect()
            if not self._is_frozen and "torch" in sys.modules:
                # The modules loaded by now, torch above all, live as long as the process. Exempting them
                # makes every later collection shorter.
                gc.freeze()
                self._is_frozen = True
