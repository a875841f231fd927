"""Names and texts from files, as Qt may show them."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QSize
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.plain_text import (
    breakable,
    plain_entry,
    plain_line,
    plain_text,
    plain_title,
    plain_tooltip,
    without_breaks,
)


def test_control_characters_are_replaced_and_other_text_stays() -> None:
    assert plain_text("a\x1b[0m\nb\tc\u202ed") == "a�[0m\nb c�d"
    assert plain_line("a\nb\tc") == "a b c"
    assert plain_line("Zürich · 東京 👩\u200d🔬 שלום & <b>") == "Zürich · 東京 👩\u200d🔬 שלום & <b>"


@pytest.mark.parametrize("shorten", [plain_text, plain_line, plain_entry, plain_tooltip, plain_title])
def test_long_texts_are_cut(shorten: object) -> None:
    assert callable(shorten)
    assert len(shorten("W" * 10_000).replace("\N{ZERO WIDTH SPACE}", "")) <= 2_100
    assert shorten("short") == "short"


def test_an_entry_has_no_mnemonic(qtbot: QtBot) -> None:
    button = QPushButton(plain_entry("R&D &amp; a&b"))
    qtbot.addWidget(button)
    assert button.shortcut().isEmpty()
    assert button.text().replace("&&", "&") == "R&D &amp; a&b"


def test_a_title_has_no_placeholder() -> None:
    assert plain_title("mine[*]") == "mine[*][*]"


def test_only_long_words_may_break_and_paths_stay_copyable() -> None:
    for text in ("an ordinary sentence of words", "/home/me/" + "folder/" * 20, "a-" * 50):
        assert breakable(text) == text
    assert breakable("W" * 100).count("\N{ZERO WIDTH SPACE}") == 2


def test_long_tooltips_are_wrapped_and_still_plain() -> None:
    assert plain_tooltip("a <b>\nc") == "<span>a &lt;b&gt;<br>c</span>"
    assert plain_tooltip("word " * 40).startswith("<span>word ")


def test_a_label_returns_the_text_that_was_set(qtbot: QtBot) -> None:
    label = Label("W" * 100, wrap=True)
    qtbot.addWidget(label)
    label.resize(QSize(300, 100))
    assert label.text() == "W" * 100
    assert label.heightForWidth(300) > 2 * label.fontMetrics().height()


def test_shapes_are_not_broken_and_read_as_before() -> None:
    text = "Dense takes a flat vector, but gets 64 × 6 × 6 from MaxPooling2D"
    assert "64\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}6\N{NO-BREAK SPACE}×" in breakable(text)
    assert without_breaks(breakable(text)) == text
