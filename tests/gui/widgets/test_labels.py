"""Labels that show texts from files."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from cnnstudio.gui.widgets.labels import ElidedLabel, plain_tooltip

HOSTILE = "<img src='probe.png'><b>a long name that does not fit</b>"


def test_an_elided_label_shows_markup_as_text_in_its_tooltip_too(qtbot: QtBot) -> None:
    label = ElidedLabel()
    qtbot.addWidget(label)
    label.resize(40, 20)

    label.set_full_text(HOSTILE)

    assert label.textFormat() is Qt.TextFormat.PlainText
    assert "<img" not in label.toolTip()
    assert "&lt;img" in label.toolTip()


@pytest.mark.parametrize("text", ["dog", "R&D", "two\nlines"])
def test_a_tooltip_without_markup_stays_as_it_is(text: str) -> None:
    assert plain_tooltip(text) == text
