"""Labels that keep what tells namesakes apart, such as the time at their end."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from cnnstudio.gui.widgets.labels import ElidedLabel


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("Lesson CNN · 14:02", 500, "Lesson CNN · 14:02"),
        ("Lesson CNN with a long name · 14:02", 100, "… · 14:02"),
        ("Lesson CNN · 14:02", 50, "14:02"),
    ],
)
def test_what_tells_namesakes_apart_is_left_out_last(
    text: str, width: int, expected: str, qtbot: QtBot
) -> None:
    label = ElidedLabel()
    qtbot.addWidget(label)
    label.set_full_text(text, " · 14:02")
    label.show()
    label.resize(width, 20)
    assert label.text().endswith(expected)
    assert label.full_text == text
    assert label.fontMetrics().horizontalAdvance(label.text()) <= width
