"""What is special about single views, by mouse and keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QLabel, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.gui.compute.questions import Answer, Question
from cnnstudio.gui.dashboard.views.calibration import CalibrationView
from cnnstudio.gui.dashboard.views.filters import FiltersView
from cnnstudio.gui.dashboard.views.histograms import HistogramsView
from cnnstudio.gui.dashboard.views.mistakes import MistakesView
from cnnstudio.gui.dashboard.views.parts.distribution import Histogram
from cnnstudio.gui.dashboard.views.parts.kernel_grid import kernel_image
from cnnstudio.gui.dashboard.views.parts.mistake_list import ROW_HEIGHT
from cnnstudio.gui.dashboard.views.predictions import PredictionsView
from cnnstudio.gui.runs.record import RunRecord
from cnnstudio.gui.theme import text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import ElidedLabel
from cnnstudio.insight.instruments.filters import FiltersReading
from tests.gui.canned import CLASSES, started
from tests.gui.dashboard.views.canned_readings import NETWORK, Harness, mistakes, nearest, predictions, record


@pytest.fixture
def harness(qtbot: QtBot) -> Iterator[Harness]:
    theme().apply(QApplication.instance())  # type: ignore[arg-type]  # the QApplication of pytest-qt
    harness = Harness(qtbot)
    harness.show_run()
    harness.selection.choose_layer("conv2d_1")
    yield harness
    harness.close()


def show_mistakes(harness: Harness) -> MistakesView:
    view = harness.panel("viewMistakes").view
    harness.settle()
    assert isinstance(view, MistakesView)
    return view


# Misclassified images


def test_the_most_confident_mistakes_come_first_with_both_scores(harness: Harness) -> None:
    view = show_mistakes(harness)
    reading = mistakes()

    row = view.list.rows[0]
    truth, predicted = int(reading.mistake_truth[0]), int(reading.mistake_predicted[0])
    assert (row.actual, row.predicted) == (CLASSES[truth], CLASSES[predicted])
    assert [label for label, *_ in row.lines()] == ["predicted", "actual", "next"]
    assert row.predicted_score > 0.9 > row.actual_score
    assert view.secondary == "479 of 2,000 images, 12 shown"


def test_the_least_certain_images_are_a_list_of_their_own(harness: Harness) -> None:
    view = show_mistakes(harness)
    harness.qtbot.mouseClick(view.lists.buttons[1], Qt.MouseButton.LeftButton)
    harness.settle()

    assert [row.index for row in view.list.rows][:2] == [1_000, 1_001]


def test_a_cell_of_the_matrix_becomes_a_chip_with_its_images(harness: Harness) -> None:
    view = show_mistakes(harness)
    assert not view.lists.buttons[2].isVisible()

    harness.selection.choose_classes(1, 0)
    harness.settle()
    chip = view.lists.buttons[2]
    assert chip.isVisible()
    assert chip.text() == "dog → cat"

    harness.qtbot.mouseClick(chip, Qt.MouseButton.LeftButton)
    harness.settle()
    assert {(row.actual, row.predicted) for row in view.list.rows} == {("dog", "cat")}

    harness.selection.choose_classes(None)
    harness.settle()
    assert not chip.isVisible()
    assert view.lists.index == 0
    assert view.list.rows[0].index == 0


def test_keys_choose_an_image_for_all_views_and_escape_goes_back(harness: Harness) -> None:
    view = show_mistakes(harness)
    harness.window.activateWindow()
    harness.qtbot.mouseClick(
        view.list.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(40, ROW_HEIGHT + ROW_HEIGHT // 2)
    )
    assert harness.selection.images == (1,)

    harness.qtbot.keyClick(view.list, Qt.Key.Key_Down)
    assert harness.selection.images == (2,)
    harness.qtbot.keyClick(view.list, Qt.Key.Key_Escape)
    assert harness.selection.images == ()


def test_a_redraw_leaves_the_row_with_the_focus_where_it_is(harness: Harness) -> None:
    view = show_mistakes(harness)
    harness.selection.choose_images((2, 5))
    harness.settle()
    harness.qtbot.mouseClick(view.list.viewport(), Qt.MouseButton.LeftButton, pos=view.list.center_of(5))
    harness.selection.choose_images((2, 5))
    harness.settle()
    view.refresh()
    assert view.list.current is not None
    assert view.list.current.index == 5


def test_the_chosen_image_stays_chosen_in_the_next_epoch(harness: Harness) -> None:
    view = show_mistakes(harness)
    harness.selection.choose_images((3,))
    harness.settle()
    harness.cursor.move_to(1)
    harness.settle()

    assert view.list.current is not None
    assert view.list.current.index == 3


@pytest.mark.parametrize("name", ["viewMistakes", "viewPredictions"])
def test_usual_names_of_classes_are_whole_in_three_panels_side_by_side(
    name: str, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    classes = ("automobile", "airplane", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    respond = {
        "mistakes": lambda question: mistakes(classes),
        "nearest": lambda question: nearest(12, classes),
        "predictions": lambda question: predictions(question.epoch, classes=classes),
    }
    harness.answers.respond = lambda question: Answer(respond[question.instrument](question), question.epoch)
    harness.panel(name, 560, 900)
    harness.settle()
    texts: list[tuple[str, str]] = []
    elide = text_metrics.TextMetrics._elide

    def noted(metrics: text_metrics.TextMetrics, text: str, width: int) -> str:
        texts.append((text, elide(metrics, text, width)))
        return texts[-1][1]

    monkeypatch.setattr(text_metrics, "_shared", {})
    monkeypatch.setattr(text_metrics.TextMetrics, "_elide", noted)
    harness.window.grab()
    assert any("automobile" in text for text, _ in texts)
    assert [text for text, shown in texts if shown != text] == []


@pytest.mark.parametrize("name", ["viewImageMap", "viewPredictions", "viewCalibration", "viewFeatureMaps"])
def test_the_text_at_the_foot_keeps_its_margin_in_other_colors_and_in_another_panel(
    name: str, harness: Harness
) -> None:
    first, second = harness.panel(name), harness.panel("viewConfusion")
    harness.settle()
    view = first.view
    second.choose(name)
    try:
        for scheme in ("dark", "light"):
            theme().set_scheme(scheme)
            harness.settle()
            foot = view.findChild(QWidget, "viewFoot")
            (label,) = (each for each in foot.findChildren(ElidedLabel) if each.full_text)
            assert label.mapTo(view, label.contentsRect().topLeft()).x() == 16
    finally:
        theme().set_scheme("light")


def test_a_model_without_mistakes_is_no_error(harness: Harness) -> None:
    reading = mistakes(count=0)
    harness.answers.respond = lambda question: Answer(reading, question.epoch)
    view = show_mistakes(harness)

    assert view.message == "There are no misclassified images."


# Calibration


def test_the_error_and_the_verdict_are_in_words(harness: Harness) -> None:
    view = harness.panel("viewCalibration").view
    harness.settle()
    assert isinstance(view, CalibrationView)

    assert view.verdict.text.startswith("ECE ")
    assert ": overconfident: " in view.verdict.text


@pytest.mark.parametrize("width", [600, 240])
def test_the_verdict_is_whole_also_in_a_narrow_panel(harness: Harness, width: int) -> None:
    panel = harness.panel("viewCalibration")
    harness.settle()
    assert isinstance(panel.view, CalibrationView)
    panel.resize(width, 600)
    harness.settle()
    for label in panel.view.verdict.findChildren(QLabel):
        needed = label.fontMetrics().boundingRect(label.rect(), int(Qt.TextFlag.TextWordWrap), label.text())
        assert label.rect().contains(needed)


def test_mouse_and_keys_read_single_bins(harness: Harness) -> None:
    view = harness.panel("viewCalibration").view
    harness.settle()
    assert isinstance(view, CalibrationView)

    harness.qtbot.mouseMove(view.diagram, view.diagram.bar_center(8).toPoint())
    assert view.details.full_text.startswith("Confidence 80% to 90%: 150 images, 86.0% confident on average")
    harness.window.activateWindow()
    view.diagram.setFocus()
    harness.qtbot.keyClick(view.diagram, Qt.Key.Key_Right)
    assert view.details.full_text.startswith("Confidence 90% to 100%")
    harness.qtbot.keyClick(view.diagram, Qt.Key.Key_Escape)
    assert view.details.full_text.startswith("Blue: ")


# Filters


def show_filters(harness: Harness) -> FiltersView:
    view = harness.panel("viewFilters").view
    harness.settle()
    assert isinstance(view, FiltersView)
    return view


def test_a_click_on_a_kernel_chooses_the_channel_for_all_views(harness: Harness) -> None:
    view = show_filters(harness)
    viewport = view.grid.viewport()
    harness.qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=view.grid.center_of(2).toPoint())
    harness.settle()

    assert harness.selection.channel == 2
    assert view._foot_title.text().startswith("Filter 3 · norm ")
    harness.window.activateWindow()
    harness.qtbot.keyClick(view.grid, Qt.Key.Key_Right)
    assert harness.selection.channel == 3
    harness.qtbot.keyClick(view.grid, Qt.Key.Key_Escape)
    assert harness.selection.channel is None


def test_kernels_can_be_ordered_by_norm(harness: Harness) -> None:
    view = show_filters(harness)
    assert view.grid.order == tuple(range(8))
    view.sorting.choose("norm")
    harness.settle()

    reading = view._reading
    assert reading is not None
    norms = [float(reading.norms[index]) for index in view.grid.order]
    assert norms == sorted(norms, reverse=True)


def test_the_change_since_another_epoch_is_asked_only_if_it_is_wanted(harness: Harness) -> None:
    view = show_filters(harness)
    options = [dict(question.options) for question in harness.answers.wanted]
    assert options == [{"layer": "conv2d_1"}]

    view.since.choose("start")
    harness.settle()
    assert {"layer": "conv2d_1", "since": 0} in [dict(each.options) for each in harness.answers.wanted]
    assert "changed by" in view.grid._texts[0]


def test_kernels_stay_when_the_other_epoch_was_not_kept(harness: Harness) -> None:
    answers = harness.answers
    answers.respond = lambda question: (
        Answer(problem="The weights of epoch 0 were not kept.")
        if "since" in dict(question.options)
        else Answer(answers.cached(question), question.epoch)
    )
    view = show_filters(harness)
    view.since.choose("start")
    harness.settle()

    assert view.message == ""
    assert view._foot_details.full_text == "The weights of epoch 0 were not kept."


def test_a_layer_without_kernels_shows_those_of_the_convolution_before_it(harness: Harness) -> None:
    view = show_filters(harness)
    harness.selection.choose_layer("flatten_1")
    harness.settle()

    assert "Conv2D (layer 2)" in view.secondary

    # Its kernels are numbered within it, so a click chooses it as well.
    harness.qtbot.mouseClick(
        view.grid.viewport(), Qt.MouseButton.LeftButton, pos=view.grid.center_of(2).toPoint()
    )
    assert (harness.selection.layer, harness.selection.channel) == ("conv2d_2", 2)


def test_a_kernel_of_the_first_layer_has_the_colors_of_its_weights() -> None:
    kernel = np.zeros((1, 3, 1, 1), np.float32)
    kernel[0, 0] = 1.0
    reading = FiltersReading("conv2d_1", kernel, np.ones(1, np.float32), 3, 1)

    image = kernel_image(reading.images()[0])
    assert image.pixelColor(0, 0).getRgb()[:3] == (255, 128, 128)


def test_zoom_makes_kernels_larger_and_can_be_reset_from_the_menu(harness: Harness) -> None:
    panel = harness.panel("viewFilters")
    harness.settle()
    view = panel.view
    assert isinstance(view, FiltersView)
    harness.window.activateWindow()
    before = view.grid._cell_size()
    for _ in range(3):
        harness.qtbot.keyClick(view.grid, "+")
    assert view.grid._cell_size() > before

    reset = next(action for action in panel.view_actions(panel) if action.objectName() == "resetZoom")
    reset.trigger()
    assert view.grid._cell_size() == before


# Histograms


def test_histograms_of_all_epochs_stand_side_by_side_with_the_cursor_marked(harness: Harness) -> None:
    view = harness.panel("viewHistograms").view
    harness.settle()
    assert isinstance(view, HistogramsView)

    assert [each.epoch for each in view._histograms] == [0, 1, 2, 3]
    harness.cursor.move_to(1)
    harness.settle()
    assert view.plot.current is not None
    assert view.plot.current.epoch == 1


def test_dead_and_saturated_units_are_in_words_and_choose_their_layer(harness: Harness) -> None:
    view = harness.panel("viewHistograms").view
    harness.settle()
    assert isinstance(view, HistogramsView)
    assert [row.state() for row in view.units.rows] == [
        "8 units, none dead",
        "3 of 12 dead",
        "1 of 10 saturated",
    ]

    second = view.units.visualRect(view.units.model().index(1, 0)).center()
    harness.qtbot.mouseClick(view.units.viewport(), Qt.MouseButton.LeftButton, pos=second)
    assert harness.selection.layer == "conv2d_2"


def test_epochs_that_are_still_read_are_counted(harness: Harness) -> None:
    answers = harness.answers
    answers.respond = lambda question: (
        Answer() if question.epoch == 1 else Answer(answers.cached(question), question.epoch)
    )
    view = harness.panel("viewHistograms").view
    harness.settle()
    assert isinstance(view, HistogramsView)

    assert [each.epoch for each in view._histograms] == [0, 2, 3]
    assert view._details.full_text.endswith(" · 1 epoch to load…")


def test_a_histogram_keeps_its_shares_on_another_range() -> None:
    histogram = Histogram(0, np.array([10, 30]), -1.0, 1.0)

    assert histogram.resampled(-2.0, 2.0, 4).tolist() == [0.0, 0.25, 0.75, 0.0]
    assert Histogram(0, np.array([5, 0]), 0.5, 0.5).resampled(0.0, 1.0, 4).tolist() == [0, 0, 1, 0]


# Predictions


def show_predictions(harness: Harness) -> PredictionsView:
    view = harness.panel("viewPredictions").view
    harness.settle()
    assert isinstance(view, PredictionsView)
    return view


def test_scores_follow_the_cursor_and_say_what_is_right(harness: Harness) -> None:
    view = show_predictions(harness)
    assert view.secondary == "4 of 5 images correct"
    assert view.charts.rows[0].text() == "Predicted: cat (60.0%), correct"
    assert view.charts.rows[4].text() == "Predicted: cat (80.0%), actual: truck (60.0%)"

    harness.cursor.move_to(1)
    harness.settle()
    assert view.charts.rows[0].text() == "Predicted: cat (40.0%), correct"
    assert view.charts.rows[0].lines[0].scores.tolist() == pytest.approx([0.3, 0.4, 0.5, 0.6])


def test_the_actual_class_is_always_among_the_curves(harness: Harness) -> None:
    row = show_predictions(harness).charts.rows[4]

    assert {(line.name, line.token) for line in row.lines} >= {("cat", "validation"), ("truck", "good")}


def test_a_row_chooses_the_example_image_for_all_views(harness: Harness) -> None:
    view = show_predictions(harness)
    middle = view.charts.rect_of(2).center().toPoint()
    harness.qtbot.mouseClick(view.charts.viewport(), Qt.MouseButton.LeftButton, pos=middle)
    assert harness.selection.image == 2

    harness.window.activateWindow()
    harness.qtbot.keyClick(view.charts, Qt.Key.Key_Down)
    assert harness.selection.image == 3
    harness.selection.choose_image(0)
    harness.settle()
    assert view.charts.index == 0


# A run that begins


def test_a_view_asks_again_when_a_resumed_run_has_its_folder(harness: Harness) -> None:
    resumed = RunRecord(NETWORK)
    resumed.continue_from(record())
    harness.cursor.show(resumed, is_live=True)
    harness.panel("viewCalibration")
    harness.settle()
    assert {each.folder for each in harness.answers.wanted} == {None}

    begin = started(run="resumed")
    resumed.feed([begin])
    harness.cursor.advance([begin])
    harness.qtbot.waitUntil(
        lambda: {each.folder for each in harness.answers.wanted} == {Path("resumed")}, timeout=60_000
    )


# All views together


def test_a_move_of_the_timeline_asks_for_all_views_at_once(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("viewConfusion", "viewCalibration"):
        harness.panel(name)
    harness.settle()
    calls: list[set[tuple[str, int]]] = []
    original = harness.answers.want

    def want(questions: frozenset[Question]) -> None:
        calls.append({(each.instrument, each.epoch) for each in questions})
        original(questions)

    monkeypatch.setattr(harness.answers, "want", want)
    harness.cursor.move_to(1)
    harness.settle()
    assert calls == [{("confusion", 1), ("calibration", 1)}]
    harness.group.panels[0].hide()
    assert calls[-1] == {("calibration", 1)}
