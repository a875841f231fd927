"""The learning curves."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QPainter, QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cnnstudio.gui.plots.companions import companions_of
from cnnstudio.gui.plots.drawing.axes import log_ticks, round_up, short_number
from cnnstudio.gui.plots.drawing.items import clip_line, gap_areas
from cnnstudio.gui.plots.learning import LearningView
from cnnstudio.gui.plots.metrics import METRIC
from cnnstudio.gui.plots.options import CurveOptions, Smoothing
from cnnstudio.gui.runs.curves.overlays import Overlay
from cnnstudio.gui.runs.history import RunHistory
from cnnstudio.gui.runs.record import RunRecord
from cnnstudio.gui.theme.theme import theme
from cnnstudio.training.events import EpochEnded, Event, RecipeChanged, Scores
from tests.gui.canned import accuracy_at, epoch_ended, loss_at, progress, run_events, started


@pytest.fixture
def view(qtbot: QtBot) -> LearningView:
    widget = LearningView()
    qtbot.addWidget(widget)
    widget.resize(900, 420)
    widget.show()
    return widget


@pytest.fixture
def history() -> RunHistory:
    history = RunHistory()
    history.feed(run_events(epochs=5, planned=8))
    return history


def ranges(view: LearningView, name: str) -> list[list[float]]:
    plot = view.loss if name == "loss" else view.accuracy
    return [list(limits) for limits in plot.plot.getViewBox().viewRange()]


def has_color(view: LearningView, token: str) -> bool:
    """Whether a pixel of the loss plot has that color."""
    image = view.loss.plot.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    pixels = np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), image.width())
    return bool((pixels == np.uint32(theme().color(token).rgb())).any())


def point(view: LearningView, epoch: float) -> QPointF:
    """A place in the middle of the loss plot."""
    plot = view.loss.plot
    return QPointF(plot.x_of(epoch), plot.plot_area().center().y())


def test_an_empty_plot_hints_at_what_will_appear(view: LearningView) -> None:
    view.show_history(RunHistory(), 8, live=False)

    assert view.loss.plot.hint == "Press Train (F5) to see the loss fall"
    assert view.accuracy.plot.hint == "Press Train (F5) to see the accuracy rise"
    assert not has_color(view, "training")


def test_curves_have_their_colors_and_the_axis_shows_the_planned_epochs(
    view: LearningView, history: RunHistory
) -> None:
    view.show_history(history, 8, live=True)

    assert view.loss.plot.hint == ""
    assert ranges(view, "loss")[0] == [0, 8]
    assert ranges(view, "accuracy") == [[0, 8], [0, 1]]
    assert has_color(view, "training")
    assert has_color(view, "validation")


def test_the_dot_of_the_last_epoch_is_whole_at_the_end_of_the_axis(view: LearningView) -> None:
    history = RunHistory()
    history.feed(run_events(epochs=5, planned=5))
    view.show_history(history, 5, live=False)

    plot = view.loss.plot
    image, color = plot.viewport().grab().toImage(), theme().color("validation").rgb()
    x, y = round(plot.x_of(5)), round(plot.y_of(float(history.loss.validation.y[-1])))
    # A line marks the best epoch, which is the last one.
    around = [x - 2, x + 1], range(y - 2, y + 3)
    seen = [[image.pixel(across, down) == color for down in around[1]] for across in around[0]]
    assert all(map(any, seen))


def test_dots_outside_of_the_zoomed_range_are_not_drawn_over_the_axes(
    view: LearningView, history: RunHistory
) -> None:
    view.show_history(history, 8, live=True)
    view.loss.zoom_to((2.5, 3.5))

    plot = view.loss.plot
    image, area = plot.viewport().grab().toImage(), plot.plot_area()
    color = theme().color("validation").rgb()
    left = range(int(area.left()) - 8, int(area.left()) - 1)
    assert not any(image.pixel(x, y) == color for x in left for y in range(image.height()))


def test_the_axis_ends_at_a_round_number_above_the_curve(view: LearningView, history: RunHistory) -> None:
    view.show_history(history, 8, live=True)

    low, high = ranges(view, "loss")[1]
    assert (low, high) == (0, 2.5)


def test_the_legend_shows_the_newest_values(view: LearningView, history: RunHistory) -> None:
    view.show_history(history, 8, live=True)

    assert view.accuracy.legend.text == "training 79.5%, validation 76.5%"
    assert "training 0.5" in view.loss.plot.accessibleDescription()


def test_hovering_shows_the_values_of_both_plots(
    view: LearningView, history: RunHistory, qtbot: QtBot
) -> None:
    view.show_history(history, 8, live=True)

    qtbot.mouseMove(view.loss.plot.viewport(), point(view, 2.0).toPoint())

    assert "at epoch 2.0" in view.loss.legend.text
    assert "validation 0.7" in view.loss.legend.text
    assert "at epoch 2.0" in view.accuracy.legend.text


def test_before_the_end_of_the_first_epoch_there_is_no_validation_value(
    view: LearningView, history: RunHistory
) -> None:
    view.show_history(history, 8, live=True)

    view.set_cursor(0.5)

    assert "validation" not in view.loss.legend.text


def test_the_legend_follows_the_cursor_until_it_is_removed(view: LearningView, history: RunHistory) -> None:
    view.show_history(history, 8, live=True)

    view.set_cursor(3)
    assert view.loss.legend.text == "training 0.591, validation 0.640, at epoch 3.00"

    view.set_cursor(None)
    assert "epoch" not in view.loss.legend.text


def drag(view: LearningView, qtbot: QtBot, first: QPointF, last: QPointF) -> None:
    """Drags with the left button inside the loss plot."""
    viewport, left = view.loss.plot.viewport(), Qt.MouseButton.LeftButton
    qtbot.mousePress(viewport, left, pos=first.toPoint())
    for position in ((first + last) / 2, last):
        qtbot.mouseMove(viewport, position.toPoint())
    qtbot.mouseRelease(viewport, left, pos=last.toPoint())


def test_a_flat_drag_zooms_into_epochs_of_all_plots_until_the_button_is_pressed(
    view: LearningView, history: RunHistory, qtbot: QtBot
) -> None:
    view.show_history(history, 8, live=True)
    assert view.loss.plot.reset_button.isHidden()

    drag(view, qtbot, point(view, 1.0), point(view, 3.0) + QPointF(0, 4))

    for name in ("loss", "accuracy"):
        assert ranges(view, name)[0] == pytest.approx([1, 3], abs=0.05)
    low, high = ranges(view, "loss")[1]
    shown = history.loss.validation.y[1:3]
    assert 0 < low < shown.min() < shown.max() < high < 2

    history.feed([progress(51, 10)])
    view.show_history(history, 8, live=True)
    assert ranges(view, "loss")[0] == pytest.approx([1, 3], abs=0.05)

    qtbot.mouseClick(view.loss.plot.reset_button, Qt.MouseButton.LeftButton)
    assert ranges(view, "loss") == [[0, 8], [0, 2.5]]
    assert view.loss.plot.reset_button.isHidden()


def test_a_drag_with_some_height_also_zooms_into_values(
    view: LearningView, history: RunHistory, qtbot: QtBot
) -> None:
    view.show_history(history, 8, live=True)
    area = view.loss.plot.plot_area()

    drag(view, qtbot, area.topLeft() + QPointF(60, 20), area.center() + QPointF(0, 10))

    low, high = ranges(view, "loss")[1]
    assert high == pytest.approx(2.5 * (1 - 20 / area.height()), abs=0.05)
    assert low == pytest.approx(1.25 * (1 - 20 / area.height()), abs=0.05)
    assert ranges(view, "accuracy")[1] != [0, 1]
    qtbot.mouseDClick(view.accuracy.plot.viewport(), Qt.MouseButton.LeftButton)
    assert ranges(view, "loss")[0] == [0, 8]


def turn_wheel(view: LearningView, at: QPointF, notches: int, modifier: Qt.KeyboardModifier) -> None:
    viewport = view.loss.plot.viewport()
    event = QWheelEvent(
        at,
        QPointF(viewport.mapToGlobal(at.toPoint())),
        QPoint(),
        QPoint(0, 120 * notches),
        *(Qt.MouseButton.NoButton, modifier, Qt.ScrollPhase.NoScrollPhase, False),
    )
    QApplication.sendEvent(viewport, event)


def test_the_wheel_zooms_around_the_mouse_and_back(view: LearningView, history: RunHistory) -> None:
    none, shift = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
    view.show_history(history, 8, live=True)

    turn_wheel(view, point(view, 4.0), 3, none)
    low, high = ranges(view, "accuracy")[0]
    assert (low + high) / 2 == pytest.approx(4, abs=0.05)
    assert high - low == pytest.approx(8 * 0.8**3, abs=0.05)

    turn_wheel(view, point(view, 4.0), -2, shift)
    assert ranges(view, "loss")[0][0] > low + 0.5

    turn_wheel(view, point(view, 4.0), -9, none)
    assert ranges(view, "loss")[0] == [0, 8]
    assert not view.is_zoomed


def test_the_keyboard_zooms_pans_and_shows_the_whole_run_again(
    view: LearningView, history: RunHistory, qtbot: QtBot
) -> None:
    view.show_history(history, 8, live=True)
    plot = view.loss.plot
    plot.setFocus()

    qtbot.keyClicks(plot, "+")
    low, high = ranges(view, "loss")[0]
    assert high - low == pytest.approx(8 * 0.8)
    qtbot.keyClick(plot, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert ranges(view, "loss")[0][0] == pytest.approx(low + 0.64)
    qtbot.keyClick(plot, Qt.Key.Key_0)
    assert ranges(view, "loss")[0] == [0, 8]


def test_arrows_are_left_to_the_window(view: LearningView, history: RunHistory, qtbot: QtBot) -> None:
    pressed: list[int] = []
    view.keyPressEvent = lambda event: pressed.append(event.key())  # type: ignore[method-assign]
    view.show_history(history, 8, live=True)

    qtbot.keyClick(view.loss.plot, Qt.Key.Key_Left)
    qtbot.keyClick(view.loss.legend.entries["training"], Qt.Key.Key_Right)

    assert pressed == [Qt.Key.Key_Left, Qt.Key.Key_Right]


def test_a_hidden_plot_is_not_drawn(view: LearningView, history: RunHistory) -> None:
    view.hide()
    view.show_history(history, 8, live=True)
    assert len(view.loss.trend.points[0]) == 0

    view.show()

    assert len(view.loss.trend.points[0]) == 50


def test_steps_that_share_a_pixel_are_drawn_together_a_moment_later(
    view: LearningView, history: RunHistory, qtbot: QtBot
) -> None:
    """In a long run, most steps move the curve by less than a pixel."""
    view.show_history(history, 10_000, live=True)

    history.feed([progress(51, 10)])
    view.show_history(history, 10_000, live=True)
    assert len(view.loss.steps.points[0]) == 50

    qtbot.waitUntil(lambda: len(view.loss.steps.points[0]) == 60)


@pytest.mark.parametrize("change", ["a pixel", "an epoch", "the end"])
def test_a_visible_change_is_drawn_at_once(view: LearningView, history: RunHistory, change: str) -> None:
    epochs = 10_000 if change == "an epoch" else 8
    view.show_history(history, epochs, live=True)

    events = {"an epoch": [epoch_ended(6)], "a pixel": [progress(51, 10)], "the end": [progress(51, 1)]}
    history.feed(events[change])
    view.show_history(history, epochs, live=change != "the end")

    assert len(view.loss.steps.points[0]) == len(history.loss.steps)
    assert len(view.loss.validation.points[0]) == len(history.loss.validation)


def test_the_plot_follows_the_theme(view: LearningView, history: RunHistory) -> None:
    view.show_history(history, 8, live=True)
    try:
        theme().set_scheme("dark")
        assert has_color(view, "panel")
        assert has_color(view, "validation")
        assert theme().color("panel").lightness() < 60
    finally:
        theme().set_scheme("light")


@pytest.mark.parametrize(
    ("value", "expected"), [(2.3, 2.5), (0.012, 0.012), (9.1, 10), (1000, 1000), (0, 1), (float("inf"), 1)]
)
def test_round_numbers(value: float, expected: float) -> None:
    assert round_up(value, (1.0, 1.2, 2.5, 5.0, 10.0)) == pytest.approx(expected)


def test_a_flag_opens_under_the_mouse_and_shows_its_text_as_it_is(
    view: LearningView, history: RunHistory, qtbot: QtBot
) -> None:
    """Also braces and markup, which could stand for any number of spaces."""
    text = "{} {0} {x.y} <b>"
    history.feed([RecipeChanged(25, 2.5, "shift", "1", text)])
    view.show_history(history, 8, live=False)
    flag = next(flag for flag in view.loss.plot.flags if flag.mark.kind == "change")
    assert flag.mark.label == f"shift {text}"
    before = view.loss.plot.grab().toImage()

    qtbot.mouseMove(view.loss.plot.viewport(), flag.box.center().toPoint())

    assert view.loss.plot._opened == flag
    assert view.loss.plot.grab().toImage() != before
    assert not view.accuracy.plot.has_flags


def test_a_flag_that_meets_the_cursor_steps_aside(view: LearningView, history: RunHistory) -> None:
    view.show_history(history, 8, live=False)
    (best,) = view.loss.plot.flags
    assert best.box.center().x() == pytest.approx(best.x, abs=1)

    view.set_cursor(5)

    (best,) = view.loss.plot.flags
    assert not best.is_folded
    assert best.box.right() < best.x or best.box.left() > best.x


@pytest.mark.parametrize("cursor", [None, 1.0, 5.0])
def test_a_flag_near_the_start_leaves_the_numbers_of_the_axis_visible(
    view: LearningView, history: RunHistory, cursor: float | None
) -> None:
    for epochs in (5, 60, 600, 6_000):
        view.show_history(history, epochs, live=False)
        view.set_cursor(cursor)
        (best,) = view.loss.plot.flags
        assert not best.is_folded
        assert best.box.left() >= view.loss.plot.plot_area().left() - 6


def test_a_click_in_the_legend_hides_a_line_in_its_plot(
    view: LearningView, history: RunHistory, qtbot: QtBot
) -> None:
    view.show_history(history, 8, live=True)
    assert has_color(view, "validation")

    qtbot.mouseClick(view.loss.legend.entries["validation"], Qt.MouseButton.LeftButton)
    assert not has_color(view, "validation")
    assert len(view.accuracy.validation.points[0]) == 5

    view.loss.legend.entries["validation"].setFocus()
    qtbot.keyClick(view.loss.legend.entries["validation"], Qt.Key.Key_Space)
    assert has_color(view, "validation")


def test_beyond_the_curves_hover_shows_nothing(view: LearningView, history: RunHistory, qtbot: QtBot) -> None:
    view.show_history(history, 8, live=True)

    qtbot.mouseMove(view.loss.plot.viewport(), point(view, 7.0).toPoint())
    assert view.loss.plot.crosshair is None
    assert "at epoch" not in view.loss.legend.text

    qtbot.mouseMove(view.loss.plot.viewport(), point(view, 3.52).toPoint())
    assert view.loss.plot.crosshair is not None
    assert view.loss.plot.crosshair.place == "epoch 3.50 · step 35"
    assert view.loss.plot.crosshair.here == f"this step {loss_at(3.5):.3f}"


@pytest.mark.parametrize("smoothing", ["off", "light", "medium", "strong"])
def test_smoothing_is_chosen_and_said_in_the_legend(view: LearningView, smoothing: Smoothing) -> None:
    history = RunHistory()
    noise = np.random.default_rng(0).normal(0, 0.3, 2400)
    losses = tuple(np.abs(2 + noise).tolist())
    history.feed([started(8, 480), dataclasses.replace(progress(1, 2400, 480), losses=losses)])
    view.set_options(CurveOptions(smoothing=smoothing))
    view.show_history(history, 8, live=True)

    shown = view.loss.trend.points[1]
    wiggle = float(np.abs(np.diff(shown)).mean()) if len(shown) else None
    limits = {"off": None, "light": (0.02, 0.06), "medium": (0.005, 0.02), "strong": (0.0, 0.005)}[smoothing]
    if limits is None:
        assert wiggle is None
    else:
        assert wiggle is not None
        assert limits[0] < wiggle < limits[1]
    name = view.loss.legend.entries["training"].accessibleName()
    assert ("smoothed" in name) == (smoothing != "off")


def test_per_epoch_shows_the_means_that_were_recorded(
    view: LearningView, history: RunHistory, qtbot: QtBot
) -> None:
    view.set_options(CurveOptions(per_epoch=True))
    view.show_history(history, 8, live=True)

    assert view.loss.means.points[0].tolist() == [1, 2, 3, 4, 5]
    assert view.loss.means.points[1].tolist() == [end.train.loss for end in history.epochs]
    assert not len(view.loss.steps.points[0])
    qtbot.mouseMove(view.loss.plot.viewport(), point(view, 2.3).toPoint())
    assert view.loss.plot.crosshair is not None
    assert view.loss.plot.crosshair.place == "epoch 2"
    assert f"training {history.epochs[1].train.loss:.3f}" in view.loss.legend.text


def test_before_the_end_of_the_first_epoch_per_epoch_says_so(view: LearningView) -> None:
    history = RunHistory()
    history.feed([started(), progress(1, 5)])
    view.set_options(CurveOptions(per_epoch=True))
    view.show_history(history, 8, live=True)

    assert view.loss.plot.hint == "The first epoch is not complete yet"


def test_on_a_log_scale_the_axis_has_decades_and_values_of_0_are_left_out(view: LearningView) -> None:
    history = RunHistory()
    losses = (*(10.0 ** (-np.arange(9) / 2)).tolist(), 0.0)
    history.feed([started(), dataclasses.replace(progress(1, 10), losses=losses)])
    view.set_options(CurveOptions(log=True, smoothing="off"))
    view.show_history(history, 8, live=True)

    assert view.loss.steps.points[1].tolist() == pytest.approx([-number / 2 for number in range(9)])
    low, high = ranges(view, "loss")[1]
    assert low <= -4
    assert 0 < high < 1
    assert view.loss.plot.value_axis.tickStrings([-2.0, -1.0, 0.0], 1, 1) == ["0.01", "0.1", "1"]
    # Percentages stay as they are.
    assert ranges(view, "accuracy")[1] == [0, 1]


def test_the_axis_grows_in_steps_and_does_not_shrink_during_a_run(view: LearningView) -> None:
    history = RunHistory()
    history.feed([started(), dataclasses.replace(progress(1, 5), losses=(9.0,) * 5)])
    view.show_history(history, 8, live=True)
    assert ranges(view, "loss")[1] == [0, 10]

    history.feed([dataclasses.replace(progress(1, 5), losses=(1.0,) * 5)])
    view.show_history(history, 8, live=True)
    assert history.loss.steps.y.max() == 1.0
    assert ranges(view, "loss")[1] == [0, 10]

    other = RunHistory()
    other.feed([started(), dataclasses.replace(progress(1, 5), losses=(1.0,) * 5)])
    view.show_history(other, 8, live=True)
    assert ranges(view, "loss")[1] == [0, 1.2]


def test_the_overfitting_gap_is_shaded_where_validation_is_worse(view: LearningView) -> None:
    history = RunHistory()
    events = run_events(epochs=4)
    worse = dataclasses.replace(epoch_ended(5), validation=Scores(1.5, 0.4))
    history.feed([*events, progress(41, 10), worse])
    view.show_history(history, 8, live=True)
    assert view.loss.gap.count == 1

    entry = view.loss.legend.entries["gap"]
    assert "Overfitting gap" in entry.toolTip()
    entry.click()
    assert view.loss.gap.count == 0
    view.set_options(CurveOptions(gap=False))
    assert view.accuracy.gap.count == 0
    assert "gap" not in view.accuracy.legend.entries


def test_areas_end_where_the_lines_cross() -> None:
    x = np.array([0.0, 1.0, 2.0, 3.0])
    training, validation = (x, np.array([1.0, 1, 1, 1])), (x, np.array([0.0, 2, 0.0, 2.0]))

    found = gap_areas(training, validation, is_better_low=True)

    assert [area[0].tolist() for area in found] == [[0.5, 1.0, 1.5], [2.5, 3.0]]
    assert [area[1].tolist() for area in found] == [[1.0, 2.0, 1.0], [1.0, 2.0]]
    assert gap_areas(training, (x, np.array([2.0, 2, 2, 2])), is_better_low=False) == []


@pytest.mark.parametrize("count", [1, 9])
def test_a_run_of_one_epoch_shows_dots(view: LearningView, count: int) -> None:
    history = RunHistory()
    history.feed([started(1), progress(1, count), epoch_ended(1)])
    view.show_history(history, 1, live=False)

    assert has_color(view, "validation")
    assert has_color(view, "training")


def test_other_runs_are_drawn_beside_this_one_and_aligned_by_epochs_or_images(
    view: LearningView, history: RunHistory
) -> None:
    other = RunHistory()
    other.feed([dataclasses.replace(started(), train_images=640), *run_events(epochs=8)[1:]])
    overlay = Overlay(Path("other"), "Other, 14:02", RunRecord(), is_previous=True)
    object.__setattr__(overlay.record, "_history", other)

    for align, end in (("epochs", 8.0), ("images", 16.0)):
        view.set_companions(companions_of([overlay], history, align))  # type: ignore[arg-type]  # both are right
        view.show_history(history, 20, live=False)
        assert view.loss.others[0].points[0][-1] == end
    (companion,) = view.companions
    assert companion.describe(6.0) == f"{100 * accuracy_at(3) - 3:.1f}% at epoch 3"
    assert companion.describe(1.0) == "before its first epoch"
    # The mouse may go as far as the longest of the runs, where this one has no values.
    view._on_hovered(12.0)
    assert view.hover == 12.0
    assert view.loss.legend.text == ""


@pytest.mark.parametrize(("is_previous", "end"), [(True, 8), (False, 20)])
def test_a_chosen_run_that_is_longer_is_in_sight_to_its_end(
    view: LearningView, history: RunHistory, is_previous: bool, end: int
) -> None:
    """The axis of a training does not depend on what was trained before."""
    other = RunHistory()
    other.feed(run_events(epochs=20, planned=20))
    overlay = Overlay(Path("other"), "Other", RunRecord(), is_previous)
    object.__setattr__(overlay.record, "_history", other)

    view.set_companions(companions_of([overlay], history, "epochs"))
    view.show_history(history, 8, live=True)

    assert ranges(view, "loss")[0] == [0, end]


def test_values_that_are_not_finite_leave_the_curves_usable(view: LearningView) -> None:
    history = RunHistory()
    losses = (2.0, math.nan, math.inf, 1.0, 3e38)
    events: list[Event] = [dataclasses.replace(progress(1, 5), losses=losses)]
    bad = dataclasses.replace(epoch_ended(1), validation=Scores(math.nan, math.nan))
    history.feed([started(), *events, bad])
    view.show_history(history, 8, live=True)

    assert view.loss.validation.points[0].tolist() == []
    assert ranges(view, "loss")[1][1] <= 2.5
    assert view.loss.legend.text.startswith("training")
    assert [flag.mark.kind for flag in view.loss.plot.flags if flag.mark.kind == "trouble"] == ["trouble"]


def test_ten_thousand_epochs_are_labeled_without_overlap(view: LearningView) -> None:
    view.show_history(RunHistory(), 10_000, live=False)
    plot = view.loss.plot

    ((spacing, values),) = view.accuracy.plot.epoch_axis.tickValues(0, 10_000, plot.plot_area().width())

    labels = view.accuracy.plot.epoch_axis.tickStrings(list(values), 1, spacing)
    assert "10,000" in labels
    assert plot.plot_area().width() / len(labels) > 8 * len("10,000")


def test_more_plots_are_shown_below_each_other_and_only_the_last_has_numbers(
    view: LearningView, history: RunHistory
) -> None:
    view.set_options(CurveOptions().with_plot("learning_rate", True).with_plot("accuracy", False))
    view.show_history(history, 8, live=True)

    assert [plot.plot.objectName() for plot in view.shown_plots] == ["lossPlot", "learningRatePlot"]
    assert view.accuracy.isHidden()
    rate = view.shown_plots[1]
    assert rate.legend.text == "training 0.05"
    assert rate.plot.epoch_axis.height() > view.loss.plot.epoch_axis.height()
    assert len(rate.steps.points[0]) == 5


def test_what_a_run_did_not_record_is_said(view: LearningView, history: RunHistory) -> None:
    view.set_options(CurveOptions().with_plot("gradient_norm", True))
    view.show_history(history, 8, live=False)

    assert view.shown_plots[-1].plot.hint == "This run did not record it."


def test_the_curves_are_described_in_a_sentence(view: LearningView, history: RunHistory) -> None:
    view.show_history(history, 8, live=False)

    description = view.loss.plot.accessibleDescription()
    assert description.startswith("Loss: training went from 1.981 to 0.513")
    assert "validation is best at epoch 5 with 0.562" in description
    assert description.endswith("Marks: best at epoch 5.")
    assert "Marks" not in view.accuracy.plot.accessibleDescription()


def test_a_line_is_cut_where_it_enters_and_leaves_a_range() -> None:
    line = (np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 10.0, 20.0, 0.0]))

    x, y = clip_line(line, (0.5, 2.5))
    assert x.tolist() == [0.5, 1, 2, 2.5]
    assert y.tolist() == [5, 10, 20, 10]
    assert [each.tolist() for each in clip_line(line, (-1, 9))] == [each.tolist() for each in line]
    assert clip_line(line, (4, 5))[0].tolist() == []
    assert clip_line(line, (1.2, 1.4))[1].tolist() == [12, 14]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0"),
        (0.00005, "5e-5"),
        (0.0015, "0.0015"),
        (2000, "2,000"),
        (12_000, "12k"),
        (3e6, "3M"),
        (1e12, "1e12"),
    ],
)
def test_numbers_on_an_axis_are_short(value: float, expected: str) -> None:
    assert short_number(value) == expected


@pytest.mark.parametrize(
    ("low", "high", "count", "expected"),
    [(-0.7, 0.7, 8, [0.2, 0.5, 1, 2, 5]), (-0.7, 0.7, 3, [0.3, 1, 3]), (-6, 0, 3, [1e-6, 1e-4, 1e-2, 1])],
)
def test_logarithmic_axes_have_round_numbers(
    low: float, high: float, count: float, expected: list[float]
) -> None:
    assert [10**tick for tick in log_ticks(low, high, count)] == pytest.approx(expected)


@pytest.mark.parametrize("width", [300, 360, 900])
def test_legends_of_all_plots_have_the_same_columns_and_cut_no_value(
    view: LearningView, qtbot: QtBot, width: int
) -> None:
    history = RunHistory()
    exact = Scores(0.00812, 1.0)
    history.feed([started(), progress(1, 10), EpochEnded(1, exact, exact, 2410.0, 0.05, 10.0, True)])
    view.set_options(CurveOptions(per_epoch=True))
    view.resize(width, 420)
    view.show_history(history, 8, live=False)

    def places() -> set[tuple[int, ...]]:
        legends = (plot.legend for plot in view.shown_plots)
        return {tuple(entry.mapTo(view, QPoint()).x() for entry in each.entries.values()) for each in legends}

    qtbot.waitUntil(lambda: len(places()) == 1)
    for plot in view.shown_plots:
        for entry in plot.legend.entries.values():
            assert entry.width() >= entry.width_for(entry.name, entry.value)
            assert entry.name
    assert view.accuracy.legend.text == "training 100.0%, validation 100.0%"


@pytest.mark.parametrize("loss", [0.00812, 1_234_567.0])
def test_lines_have_names_in_every_width(view: LearningView, qtbot: QtBot, loss: float) -> None:
    """The plot with the longer title may not be the one with the wider values."""
    history = RunHistory()
    scores = Scores(loss, 1.0)
    history.feed([started(), progress(1, 10), EpochEnded(1, scores, scores, 2410.0, 0.05, 10.0, True)])
    view.set_options(CurveOptions(per_epoch=True))
    view.resize(420, 420)
    view.show_history(history, 8, live=False)
    qtbot.wait(1)
    for width in range(400, 300, -5 if loss > 1 else -3):
        view.resize(width, 420)
        for _ in range(3):
            QApplication.processEvents()
        for plot in view.shown_plots:
            assert all(entry.name for entry in plot.legend.entries.values()), width


def test_large_values_in_the_legend_have_separated_thousands() -> None:
    assert [METRIC["loss"].format(value) for value in (0.5912, 999.9, 1234.4)] == ["0.591", "1,000", "1,234"]
    assert METRIC["gradient_norm"].format(54_321.0) == "54,321"


def test_a_long_number_at_the_end_of_the_epochs_is_not_cut(view: LearningView) -> None:
    history = RunHistory()
    history.feed(run_events(epochs=5, planned=4_000))
    view.show_history(history, 4_000, live=True)
    view.grab()
    plots = [each.plot for each in (view.loss, view.accuracy) if each.plot.epoch_axis.style["showValues"]]
    for plot in plots:
        image = QImage(900, 420, QImage.Format.Format_RGB32)
        painter = QPainter(image)
        specs = plot.epoch_axis.generateDrawSpecs(painter)
        painter.end()
        assert specs is not None
        rect, _, text = specs[2][-1]
        place = plot.mapFromScene(plot.epoch_axis.mapRectToScene(rect)).boundingRect()
        assert text == "4,000"
        assert place.right() <= plot.viewport().width()
    assert plots
