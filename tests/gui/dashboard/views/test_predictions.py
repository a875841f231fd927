"""The predictions view with images of the user's own, which are pinned."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from cnnstudio.gui.compute.questions import Answer, Question
from cnnstudio.gui.dashboard.views.panel import ViewPanel
from cnnstudio.gui.dashboard.views.predictions import PredictionsView
from cnnstudio.insight.instruments.predictions import UNKNOWN, PredictionsReading
from tests.gui.canned import CLASSES
from tests.gui.dashboard.views.canned_readings import CannedAnswers, Harness


class OwnAnswers(CannedAnswers):
    """Epochs 1 and 3 were kept; in epoch 3 each image of the user's own is a ship, before that a frog."""

    def answer(self, question: Question) -> Answer:
        own = question.own_images
        if own is None:
            return super().answer(question)
        epoch = 3 if question.epoch >= 3 else 1
        scores = np.full((len(own.pixels), len(CLASSES)), 0.02, np.float32)
        scores[:, CLASSES.index("ship" if epoch == 3 else "frog")] = 0.8
        return Answer(PredictionsReading(CLASSES, scores, np.full(len(scores), UNKNOWN, np.int64)), epoch)


@pytest.fixture
def harness(qtbot: QtBot) -> Iterator[Harness]:
    harness = Harness(qtbot, OwnAnswers())
    harness.show_run()
    yield harness
    harness.close()


def pin(harness: Harness, *names: str) -> None:
    for number, name in enumerate(names):
        pixels = np.full((3, 32, 32), number, np.uint8)
        harness.source.pinned.pin(name, pixels, pixels)


def shown(panel: ViewPanel) -> PredictionsView:
    assert isinstance(panel.view, PredictionsView)
    return panel.view


def test_pinned_images_come_first_with_their_scores_over_the_kept_epochs(harness: Harness) -> None:
    pin(harness, "boat.png")
    view = shown(harness.panel("viewPredictions"))
    row = view.charts.rows[0]
    assert (row.name, row.epochs) == ("boat.png", (1, 3))
    assert row.lines[0].name == "ship"
    assert row.lines[0].scores == pytest.approx([0.02, 0.8])
    assert row.text() == "boat.png: Predicted: ship (80.0%)"
    assert view.charts.rows[1].actual != ""
    # The example image that is chosen stays chosen.
    assert view.charts.index == 1
    assert view.secondary.endswith("1 pinned")
    assert any(cells[0] == "boat.png" and cells[1] == 3 for cells in view.table()[1:])


def test_a_pinned_image_is_chosen_and_unpinned_by_keys(harness: Harness) -> None:
    pin(harness, "boat.png", "plane.png")
    view = shown(harness.panel("viewPredictions"))
    button = view.findChild(QPushButton, "unpinImage")
    assert isinstance(button, QPushButton)
    assert not button.isVisible()
    for _ in range(2):
        QTest.keyClick(view.charts, Qt.Key.Key_Up)
    harness.settle()
    assert view.charts.index == 0
    assert button.isVisible()
    QTest.keyClick(view.charts, Qt.Key.Key_Delete)
    harness.settle()
    assert [each.name for each in harness.source.pinned.images] == ["plane.png"]
    assert view.charts.rows[0].name == "plane.png"
    harness.selection.choose_image(2)
    harness.settle()
    assert view.charts.index == 3
    QTest.keyClick(view.charts, Qt.Key.Key_Delete)
    assert len(harness.source.pinned.images) == 1


def test_pinned_images_are_shown_where_the_run_has_no_example_images(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin(harness, "boat.png")
    answer = harness.answers.answer

    def without_examples(question: Question) -> Answer:
        return answer(question) if question.own_images is not None else Answer(problem="Data set not found.")

    monkeypatch.setattr(harness.answers, "answer", without_examples)
    view = shown(harness.panel("viewPredictions"))
    assert [row.name for row in view.charts.rows] == ["boat.png"]
    assert view.message == ""


def test_images_chosen_in_another_view_are_shown_with_their_class(harness: Harness) -> None:
    pin(harness, "boat.png")
    view = shown(harness.panel("viewPredictions"))
    harness.selection.choose_images((9, 12, 30))
    harness.settle()
    assert [row.name for row in view.charts.rows[:4]] == ["boat.png", "image 10", "image 13", "image 31"]
    assert all(row.actual for row in view.charts.rows[1:4])
    assert view.charts.rows[1].epochs == (1, 3)
    assert view.charts.index == 4, "the example image that is chosen does not stay chosen"
    assert view.secondary.endswith("1 pinned · 3 of 3 chosen")
    button = view.findChild(QPushButton, "unpinImage")
    assert isinstance(button, QPushButton)
    QTest.keyClick(view.charts, Qt.Key.Key_Up)
    harness.settle()
    assert (view.charts.index, button.isVisible()) == (3, False)
    QTest.keyClick(view.charts, Qt.Key.Key_Delete)
    assert len(harness.source.pinned.images) == 1
    assert harness.selection.images == (9, 12, 30)
    harness.cursor.move_to(1)
    harness.settle()
    asked = [each for each in harness.answers.wanted if each.instrument == "mistakes"]
    assert asked == [], "their pixels are asked for again and again"
    harness.selection.choose_images(())
    harness.settle()
    assert [row.name for row in view.charts.rows[:2]] == ["boat.png", ""]
    assert view.charts.index == 1
