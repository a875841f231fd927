"""Rows slide to their new places where layers were moved, so that the eye can follow them."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QEasingCurve, QObject, Qt, QVariantAnimation, Signal
from PySide6.QtGui import QGuiApplication

MILLISECONDS = 120


def wants_motion() -> bool:
    """Whether things may move: not where the user has asked the system for reduced motion."""
    hints = QGuiApplication.styleHints()
    # Qt tells it from 6.12 on; the two objects have to be held while they are asked.
    accessibility = getattr(hints, "accessibility", lambda: None)()
    preference = getattr(accessibility, "motionPreference", None)
    return preference is None or preference() != Qt.MotionPreference.ReducedMotion


class RowMotion(QObject):
    """How far each row still is from its place while rows are on their way."""

    stepped = Signal()
    """The rows have to be painted anew."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._offsets: Mapping[int, int] = {}
        self._left = 0.0
        self._animation = QVariantAnimation(self)
        self._animation.setStartValue(1.0)
        self._animation.setEndValue(0.0)
        self._animation.setDuration(MILLISECONDS)
        self._animation.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._animation.valueChanged.connect(self._on_step)

    @property
    def is_running(self) -> bool:
        return self._left > 0.0

    def start(self, offsets: Mapping[int, int]) -> None:
        """Lets rows come from where they were: by their numbers, in pixels below their places."""
        self._animation.stop()
        self._offsets = offsets if wants_motion() else {}
        if any(self._offsets.values()):
            self._left = 1.0
            self._animation.start()

    def offset(self, number: int) -> int:
        """How far below its place a row is painted now."""
        return round(self._offsets.get(number, 0) * self._left) if self._left else 0

    def _on_step(self, left: float) -> None:
        self._left = left
        self.stepped.emit()
