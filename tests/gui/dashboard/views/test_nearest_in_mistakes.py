"""The three nearest training images beside each misclassified image."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QRectF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cnnstudio.gui.compute.questions import Answer, Question
from cnnstudio.gui.dashboard.views.base import ImagesToReview
from cnnstudio.gui.dashboard.views.mistakes import MistakesView
from cnnstudio.gui.dashboard.views.parts.mistake_list import nearest_area
from cnnstudio.gui.theme.theme import theme
from tests.gui.canned import CLASSES
from tests.gui.dashboard.views.canned_readings import Harness, nearest, record


@pytest.fixture
def harness(qtbot: QtBot) -> Iterator[Harness]:
    theme().apply(QApplication.instance())  # type: ignore[arg-type]  # the QApplication of pytest-qt
    harness = Harness(qtbot)
    harness.show_run()
    yield harness
    harness.close()


def shown(harness: Harness, width: int = 584) -> MistakesView:
    view = harness.panel("viewMistakes", width).view
    harness.settle()
    assert isinstance(view, MistakesView)
    return view


def test_each_row_has_the_three_most_similar_with_their_classes(harness: Harness) -> None:
    view = shown(harness)
    first = view.list.rows[0]
    assert len(first.nearest) == 3
    assert first.similar == f"all three: {CLASSES[0]}"
    assert first.text().endswith(f"; nearest training images: all three: {CLASSES[0]}")
    names = [nearest().classes[label] for label in nearest().labels[1][:3]]
    assert view.list.rows[1].similar in (", ".join(names), f"all three: {names[0]}")
    assert {question.instrument for question in harness.answers.wanted} == {"mistakes", "nearest"}


def test_a_click_on_one_and_the_key_n_open_them(harness: Harness) -> None:
    view = shown(harness)
    wanted: list[ImagesToReview] = []
    harness.source.training_images_wanted.connect(wanted.append)
    rect = QRectF(view.list.visualRect(view.list.model().index(1, 0)))
    point = nearest_area(rect, 2).center().toPoint()
    QTest.mouseClick(view.list.viewport(), Qt.MouseButton.LeftButton, pos=point)
    assert [each.number for each in wanted[0].images] == [102, 100, 101, 103, 104]
    assert wanted[0].are_training
    QTest.keyClick(view.list, Qt.Key.Key_N)
    assert wanted[1].images[0].number == 100
    # Elsewhere in the row nothing is opened.
    QTest.mouseClick(view.list.viewport(), Qt.MouseButton.LeftButton, pos=view.list.center_of(0))
    assert len(wanted) == 2


def test_a_narrow_list_has_no_room_for_them(harness: Harness) -> None:
    view = shown(harness, width=440)
    rect = QRectF(view.list.visualRect(view.list.model().index(1, 0)))
    assert view.list.nearest_at(nearest_area(rect, 0).center().toPoint()) is None
    assert not view.to_pixmap().isNull()


def test_the_list_is_there_before_they_are_known_and_keeps_its_choice(harness: Harness) -> None:
    known = harness.answers.respond

    def respond(question: Question) -> Answer:
        return Answer(progress=0.5) if question.instrument == "nearest" else known(question)

    harness.answers.respond = respond
    view = shown(harness)
    assert view.list.rows[0].nearest == ()
    assert view.list.awaited == "Comparing… 50%"
    awaiting = view.list.grab().toImage()
    view.list.show_awaited("")
    assert view.list.grab().toImage() != awaiting
    view.list.choose((view.list.rows[3].index,))
    harness.answers.respond = known
    harness.answers.changed.emit()
    harness.settle()
    assert len(view.list.rows[0].nearest) == 3
    assert view.list.awaited == ""
    assert view.list.current is view.list.rows[3]


def test_beside_a_training_they_are_not_asked_for(harness: Harness) -> None:
    harness.cursor.show(record(3), is_live=True)
    view = shown(harness)
    assert view.list.rows
    assert {question.instrument for question in harness.answers.wanted} == {"mistakes"}
