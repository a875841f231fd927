"""The flow layout."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.gui.widgets.flow import FlowLayout


def boxes(count: int, qtbot: QtBot) -> tuple[QWidget, FlowLayout, list[QLabel]]:
    """Boxes of 100 × 20 pixels in a flow layout with a spacing of 8."""
    parent = QWidget()
    qtbot.addWidget(parent)
    flow = FlowLayout(parent)
    labels = []
    for _ in range(count):
        label = QLabel()
        label.setFixedSize(100, 20)
        flow.addWidget(label)
        labels.append(label)
    return parent, flow, labels


def test_items_that_do_not_fit_wrap_to_the_next_line(qtbot: QtBot) -> None:
    parent, flow, labels = boxes(3, qtbot)
    parent.resize(220, 100)
    parent.show()
    assert [(label.x(), label.y()) for label in labels] == [(0, 0), (108, 0), (0, 28)]
    assert flow.heightForWidth(220) == 48
    assert flow.heightForWidth(400) == 20


def test_hidden_items_take_no_space(qtbot: QtBot) -> None:
    parent, flow, labels = boxes(3, qtbot)
    labels[1].hide()
    parent.resize(220, 100)
    parent.show()
    assert [(label.x(), label.y()) for label in (labels[0], labels[2])] == [(0, 0), (108, 0)]
    assert flow.heightForWidth(220) == 20


def test_the_minimum_width_is_that_of_the_widest_item(qtbot: QtBot) -> None:
    _, flow, labels = boxes(2, qtbot)
    labels[1].setFixedSize(160, 20)
    assert flow.minimumSize().width() == 160


def test_lines_end_at_the_right_if_that_is_wanted(qtbot: QtBot) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    flow = FlowLayout(parent, to_right=True)
    labels = [QLabel() for _ in range(3)]
    for label in labels:
        label.setFixedSize(100, 20)
        flow.addWidget(label)
    parent.resize(220, 100)
    parent.show()
    assert [(label.x(), label.y()) for label in labels] == [(12, 0), (120, 0), (120, 28)]
    assert flow.heightForWidth(220) == 48
