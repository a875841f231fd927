"""Decides when the window draws what a training has changed."""

from __future__ import annotations

import time

from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget

_SHORTEST_FRAME, _LONGEST_FRAME = 0.15, 1.0
"""Seconds between two frames."""
_MAXIMUM_LOAD = 0.02
"""About the fraction of time that the main thread works during a training: torch needs all cores."""


class FrameClock(QObject):
    """Events only update the record of a run; on `frame`, whoever is visible draws its newest state.

    The pause between two frames grows with the CPU time that the main thread used since the last one, so that
    the window takes about the same small fraction of the time from torch, whatever a frame costs.
    """

    frame = Signal()

    def __init__(self, window: QWidget) -> None:
        """Nothing is drawn while `window` is hidden or minimized."""
        super().__init__(window)
        self._window = window
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.draw)
        self._drawn_at = 0.0
        self._cpu_per_frame = 0.0
        self._cpu_time = time.thread_time()
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # Both also come when the window is minimized, and when it is restored.
        if event.type() == QEvent.Type.Show:
            self.refresh()
        elif event.type() == QEvent.Type.Hide:
            self._timer.stop()
        return False

    @property
    def is_seen(self) -> bool:
        return self._window.isVisible() and not self._window.window().isMinimized()

    def refresh(self, *_: object) -> None:
        """Draws as soon as possible: the user did something."""
        if self.is_seen:
            self._timer.start(0)

    def schedule(self, *_: object) -> None:
        """Draws when the pause since the last frame is long enough to keep the load low."""
        if self.is_seen and not self._timer.isActive():
            pause = min(max(self._cpu_per_frame / _MAXIMUM_LOAD, _SHORTEST_FRAME), _LONGEST_FRAME)
            wait = round(1000 * (self._drawn_at + pause - time.monotonic()))
            if wait > 0:
                self._timer.start(wait)
            else:
                # Now: waking the thread again for a timer would cost more.
                self.draw()

    def again_in(self, seconds: float) -> None:
        """Draws once more after a time, unless something is drawn before."""
        if self.is_seen and not self._timer.isActive():
            self._timer.start(round(1000 * seconds) + 1)

    def draw(self) -> None:
        """Draws now."""
        self._timer.stop()
        self._drawn_at = time.monotonic()
        # Everything that the thread did since the last frame; drawing was most of it.
        cpu_time = time.thread_time()
        self._cpu_per_frame, self._cpu_time = cpu_time - self._cpu_time, cpu_time
        if self.is_seen:
            self.frame.emit()
