"""Keys and wheels, as widgets that paint themselves take them."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QWheelEvent

_ZOOM_STEP = 1.25
_ZOOM_KEYS = {"+": _ZOOM_STEP, "=": _ZOOM_STEP, "-": 1 / _ZOOM_STEP, "\N{MINUS SIGN}": 1 / _ZOOM_STEP}
_PLAIN = (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)


def is_plain(event: QKeyEvent) -> bool:
    """Whether no modifier is held. On macOS, arrow keys count as keys of the keypad."""
    return event.modifiers() in _PLAIN


def zoom_factor(event: QKeyEvent | QWheelEvent) -> float | None:
    """How many times larger everything becomes by the wheel or by + and −; None for any other key."""
    if isinstance(event, QWheelEvent):
        return float(_ZOOM_STEP ** (event.angleDelta().y() / 120))
    return _ZOOM_KEYS.get(event.text())
