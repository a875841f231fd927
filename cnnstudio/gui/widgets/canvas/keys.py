"""Keys and wheels, as widgets that paint themselves take them."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QWheelEvent

_ZOOM_STEP = 1.25
_ZOOM_KEYS = {"+": _ZOOM_STEP, "=": _ZOOM_STEP, "-": 1 / _ZOOM_STEP, "\N{MINUS SIGN}": 1 / _ZOOM_STEP}
_PLAIN = (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)


_ARROWS = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
}


def is_plain(event: QKeyEvent) -> bool:
    """Whether no modifier is held. On macOS, arrow keys count as keys of the keypad."""
    return event.modifiers() in _PLAIN


def is_enter(event: QKeyEvent) -> bool:
    """Whether it is Enter, on the keypad or not, whatever modifier is held."""
    return event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)


def arrow_step(event: QKeyEvent) -> tuple[int, int] | None:
    """How far down and how far across an arrow key goes, whatever modifier is held; None for other keys."""
    return _ARROWS.get(Qt.Key(event.key()))


def grid_step(event: QKeyEvent, columns: int) -> int | None:
    """How far an arrow key goes in a list that is laid out in rows of so many columns."""
    step = arrow_step(event)
    return None if step is None else step[0] * columns + step[1]


def zoom_factor(event: QKeyEvent | QWheelEvent) -> float | None:
    """How many times larger everything becomes by the wheel or by + and −; None for any other key."""
    if isinstance(event, QWheelEvent):
        return float(_ZOOM_STEP ** (event.angleDelta().y() / 120))
    return _ZOOM_KEYS.get(event.text())
