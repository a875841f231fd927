"""Labels that show texts from files."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.gui.widgets.labels import ElidedLabel, NameLabel, PartsLabel, WrappedParts
from cnnstudio.gui.widgets.plain_text import plain_tooltip


class LayoutRequests(QObject):
    """Counts how often a widget was asked to lay out its children again."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self.count = 0
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.count += event.type() is QEvent.Type.LayoutRequest
        return False


HOSTILE = "<img src='probe.png'><b>a long name that does not fit</b>"


def test_an_elided_label_shows_markup_as_text_in_its_tooltip_too(qtbot: QtBot) -> None:
    label = ElidedLabel()
    qtbot.addWidget(label)
    label.resize(40, 20)

    label.set_full_text(HOSTILE)

    assert label.textFormat() is Qt.TextFormat.PlainText
    assert "<img" not in label.toolTip()
    assert "&lt;img" in label.toolTip()


def test_a_new_text_of_an_elided_label_does_not_lay_out_the_window_again(qtbot: QtBot) -> None:
    """The status of a training changes several times a second."""
    label, window = ElidedLabel("before"), QWidget()
    QVBoxLayout(window).addWidget(label)
    qtbot.addWidget(window)
    window.resize(400, 60)
    window.show()
    qtbot.waitExposed(window)
    requests = LayoutRequests(window)
    qtbot.wait(20)
    requests.count = 0

    label.set_full_text("after, and much longer than before")
    qtbot.wait(20)

    assert label.text().startswith("after")
    assert requests.count == 0


def test_an_elided_label_paints_its_text_in_the_color_of_its_tone(qtbot: QtBot) -> None:
    label = ElidedLabel("████", tone="wrong")
    qtbot.addWidget(label)
    label.resize(200, 20)
    label.setStyleSheet("QLabel { color: #ff0000; }")

    image = label.grab().toImage()

    colors = {image.pixelColor(x, 10).name() for x in range(image.width())}
    assert "#ff0000" in colors


@pytest.mark.parametrize("text", ["dog", "R&D", "two\nlines"])
def test_a_tooltip_without_markup_stays_as_it_is(text: str) -> None:
    assert plain_tooltip(text) == text


def test_parts_that_do_not_fit_are_left_out_as_a_whole(qtbot: QtBot) -> None:
    label = PartsLabel("Epoch 1 of 2 · 26 s left · 2,410 images/s")
    qtbot.addWidget(label)
    label.show()
    width = label.fontMetrics().horizontalAdvance("Epoch 1 of 2 · 26 s left · ")
    label.resize(width, 20)
    assert label.text() == "Epoch 1 of 2 · 26 s left"
    assert "2,410 images/s" in label.toolTip()
    label.resize(width * 3, 20)
    assert label.text() == label.full_text
    assert label.toolTip() == ""
    label.resize(20, 20)
    assert label.text().endswith("…")


def test_a_shorter_text_stands_for_one_that_does_not_fit(qtbot: QtBot) -> None:
    label = PartsLabel()
    qtbot.addWidget(label)
    label.show()
    full, short = (
        "Stopped in epoch 17 after batch 3 of 36 · best epoch: 11",
        "Stopped in epoch 17 · best epoch: 11",
    )
    label.set_texts(full, short)
    label.resize(label.fontMetrics().horizontalAdvance(full) + 4, 20)
    assert (label.text(), label.toolTip()) == (full, "")
    label.resize(label.fontMetrics().horizontalAdvance(short) + 4, 20)
    assert label.text() == short
    assert "after batch 3" in label.toolTip()
    label.resize(label.fontMetrics().horizontalAdvance("Stopped in epoch 17 · "), 20)
    assert label.text() == "Stopped in epoch 17"


def test_parts_are_wrapped_between_them_and_no_separator_ends_a_line(qtbot: QtBot) -> None:
    label = WrappedParts("help")
    qtbot.addWidget(label)
    label.show()
    label.setText("Output 10 · 7 layers · 315,722 parameters (1.3 MB) · 4.2 M multiply-adds")
    label.resize(label.fontMetrics().horizontalAdvance("315,722 parameters (1.3 MB) · 4.2 M"), 80)
    assert QLabel.text(label).split("\n") == [
        "Output 10 · 7 layers",
        "315,722 parameters (1.3 MB)",
        "4.2 M multiply-adds",
    ]
    assert label.text() == "Output 10 · 7 layers · 315,722 parameters (1.3 MB) · 4.2 M multiply-adds"
    label.resize(2_000, 80)
    assert "\n" not in QLabel.text(label)


def test_a_name_takes_the_width_that_it_needs_and_no_more(qtbot: QtBot) -> None:
    row = QWidget()
    qtbot.addWidget(row)
    name, rest = NameLabel("Lesson CNN", "title"), ElidedLabel("7 layers")
    layout = QHBoxLayout(row)
    layout.addWidget(name)
    layout.addWidget(rest, 1)
    row.resize(400, 40)
    row.show()
    assert name.text() == "Lesson CNN"
    assert name.width() < 200
    name.setText("A name that is far too long for its place " * 3)
    layout.activate()
    assert name.text().endswith("…")
    assert row.width() == 400
