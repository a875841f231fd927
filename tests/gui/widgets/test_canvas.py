"""What widgets that paint themselves share: keys, and round numbers for axes."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent

from cnnstudio.gui.widgets.canvas.keys import is_plain, zoom_factor
from cnnstudio.gui.widgets.canvas.marks import round_ticks

NONE, KEYPAD = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier
ALT = Qt.KeyboardModifier.AltModifier


def key(code: Qt.Key, modifiers: Qt.KeyboardModifier, text: str = "") -> QKeyEvent:
    return QKeyEvent(QEvent.Type.KeyPress, code, modifiers, text)


@pytest.mark.parametrize(("modifiers", "plain"), [(NONE, True), (KEYPAD, True), (ALT, False)])
def test_arrow_keys_of_the_keypad_are_plain(modifiers: Qt.KeyboardModifier, plain: bool) -> None:
    assert is_plain(key(Qt.Key.Key_Left, modifiers)) is plain


def test_keys_zoom_in_and_out_by_the_same_factor() -> None:
    larger, smaller = (zoom_factor(key(Qt.Key.Key_Plus, NONE, text)) for text in "+-")
    assert larger is not None
    assert smaller is not None
    assert larger > 1
    assert larger * smaller == pytest.approx(1)
    assert zoom_factor(key(Qt.Key.Key_A, NONE, "a")) is None


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 1.0, [0.0, 0.5, 1.0]),
        (-0.4, 0.38, [-0.4, -0.2, 0.0, 0.2]),
        (3.0, 3.0, []),
        (0.0, float("inf"), []),
    ],
)
def test_ticks_are_round_and_within_the_range(low: float, high: float, ticks: list[float]) -> None:
    assert round_ticks(low, high) == pytest.approx(ticks)
