"""The view of robustness: measured when it is looked at, but not beside a training unasked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cnnstudio.gui.compute.questions import Answer
from cnnstudio.gui.dashboard.views.robustness import RobustnessView
from cnnstudio.gui.theme.theme import theme
from tests.gui.dashboard.views.canned_readings import Harness, record


@pytest.fixture
def harness(qtbot: QtBot) -> Iterator[Harness]:
    theme().apply(QApplication.instance())  # type: ignore[arg-type]  # the QApplication of pytest-qt
    harness = Harness(qtbot)
    yield harness
    harness.close()


def robustness(harness: Harness) -> RobustnessView:
    view = harness.panel("viewRobustness").view
    assert isinstance(view, RobustnessView)
    harness.settle()
    return view


def press(view: RobustnessView) -> None:
    QTest.mouseClick(view.button, Qt.MouseButton.LeftButton)


def test_the_view_shows_the_values_under_the_mouse_and_by_keys(harness: Harness) -> None:
    harness.show_run()
    view = robustness(harness)
    assert view.secondary == "1,000 of 5,000 images · 87.5% as they are"
    assert view.button.isHidden()

    place = view.curves.point(2, 3).toPoint()
    QTest.mouseMove(view.curves, QPoint(place.x() + 1, place.y()))
    QTest.mouseMove(view.curves, place)
    assert view.details.full_text == (
        "JPEG, strength 3 of 5 (quality 40): 72.5%, 15.0 points below the images as they are"
    )
    QTest.keyClick(view.curves, Qt.Key.Key_Down)
    QTest.keyClick(view.curves, Qt.Key.Key_Right)
    assert view.curves.index == (3, 4)
    assert view.curves.accessibleDescription().startswith(
        "Low light, strength 4 of 5 (35% of the light): 67.5%"
    )
    QTest.keyClick(view.curves, Qt.Key.Key_Escape)
    assert view.curves.index is None
    assert view.table()[:2] == [
        ["corruption", "strength", "amount", "accuracy"],
        ["blur", 0, "as they are", 0.875],
    ]


def test_measuring_is_cancelled_and_started_again_by_the_button(harness: Harness) -> None:
    harness.answers.respond = lambda question: Answer(progress=0.3)
    harness.show_run()
    view = robustness(harness)
    assert view.message == "Epoch 3… 30%"
    assert view.button.text() == "Cancel"

    press(view)
    assert harness.answers.wanted == frozenset()
    assert view.message == (
        "Measuring robustness evaluates up to 1,000 validation images 26 times. If the run validates on the "
        "test images, this counts as a look at the test set."
    )
    assert view.button.text() == "Measure robustness"

    press(view)
    assert len(harness.answers.wanted) == 1
    assert view.button.text() == "Cancel"


def test_it_says_beforehand_that_it_may_be_a_look_at_the_test_set(harness: Harness) -> None:
    view = robustness(harness)
    said = "if the run validates on the test images, this counts as a look at the test set."
    for text in (view.message, view.help):
        assert said.rstrip(".") in text.replace("If the run", "if the run")
    harness.cursor.show(record(), is_live=True)
    harness.settle()
    assert said in view.message.replace("If the run", "if the run")


def test_beside_a_training_nothing_is_measured_unasked(harness: Harness) -> None:
    harness.cursor.show(record(), is_live=True)
    view = robustness(harness)
    assert harness.answers.wanted == frozenset()
    assert view.button.isVisible()

    press(view)
    assert view.message == ""
    assert view.button.isHidden()
    # The next epoch is another question, which is not asked by itself.
    harness.cursor.move_to(1)
    harness.settle()
    assert harness.answers.wanted == frozenset()
