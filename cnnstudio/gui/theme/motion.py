"""Whether things may slide to their new places, and how long that takes."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

MOVE_MS = 120


def animations_enabled() -> bool:
    """Whether animations may run: not if the user has asked the system for reduced motion."""
    hints = QGuiApplication.styleHints()
    # From Qt 6.12 on. Variables keep both objects alive during the call.
    accessibility = getattr(hints, "accessibility", lambda: None)()
    preference = getattr(accessibility, "motionPreference", None)
    return preference is None or preference() != Qt.MotionPreference.ReducedMotion
