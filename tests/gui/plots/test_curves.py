"""The learning curves."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from cnnstudio.gui.plots.curves import round_up
from cnnstudio.gui.plots.learning import LearningView
from cnnstudio.gui.runs.history import RunHistory
from cnnstudio.gui.theme.theme import theme
from cnnstudio.training.events import RecipeChanged
from tests.gui.canned import epoch_ended, progress, run_events


@pytest.fixture
def view(qtbot: QtBot) -> LearningView:
    widget = LearningView()
    qtbot.addWidget(widget)
    widget.resize(900, 240)
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
    plot = view.loss.plot
    scene = plot.getViewBox().mapViewToScene(QPointF(epoch, 1.0))
    return QPointF(plot.mapFromScene(scene))


def test_an_empty_plot_hints_at_what_will_appear(view: LearningView) -> None:
    view.show_history(RunHistory(), 8, live=False)

    assert view.loss.plot.hint == "Press Train to see the loss fall"
    assert view.accuracy.plot.hint == "Press Train to see the accuracy rise"
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


def test_zoom_lasts_until_a_double_click(view: LearningView, history: RunHistory, qtbot: QtBot) -> None:
    view.show_history(history, 8, live=True)
    box = view.loss.plot.getViewBox()
    box.setRange(QRectF(1, 0.5, 2, 0.5), padding=0)
    box.sigRangeChangedManually.emit([True, True])

    history.feed([progress(51, 10)])
    view.show_history(history, 8, live=True)
    assert ranges(view, "loss")[0] == pytest.approx([1, 3])

    qtbot.mouseDClick(view.loss.plot.viewport(), Qt.MouseButton.LeftButton)
    assert ranges(view, "loss")[0] == pytest.approx([0, 8])


def test_a_hidden_plot_is_not_drawn(view: LearningView, history: RunHistory) -> None:
    view.hide()
    view.show_history(history, 8, live=True)
    assert len(view.loss._trend.getData()[0]) == 0

    view.show()

    assert len(view.loss._trend.getData()[0]) == 50


def test_steps_that_share_a_pixel_are_drawn_together_a_moment_later(
    view: LearningView, history: RunHistory, qtbot: QtBot
) -> None:
    """In a long run, most steps move the curve by less than a pixel."""
    view.show_history(history, 10_000, live=True)

    history.feed([progress(51, 10)])
    view.show_history(history, 10_000, live=True)
    assert len(view.loss._steps.getData()[0]) == 50

    qtbot.waitUntil(lambda: len(view.loss._steps.getData()[0]) == 60)


@pytest.mark.parametrize("change", ["a pixel", "an epoch", "the end"])
def test_a_visible_change_is_drawn_at_once(view: LearningView, history: RunHistory, change: str) -> None:
    epochs = 10_000 if change == "an epoch" else 8
    view.show_history(history, epochs, live=True)

    events = {"an epoch": [epoch_ended(6)], "a pixel": [progress(51, 10)], "the end": [progress(51, 1)]}
    history.feed(events[change])
    view.show_history(history, epochs, live=change != "the end")

    assert len(view.loss._steps.getData()[0]) == len(history.loss.steps)
    assert len(view.loss._validation.getData()[0]) == len(history.loss.validation)


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


def test_a_mark_shows_its_text_as_it_is(view: LearningView, history: RunHistory) -> None:
    """Also braces, which pyqtgraph would replace, and which could stand for any number of spaces."""
    text = "{} {0} {x.y} <b>"
    history.feed([RecipeChanged(25, 2.5, "learning_rate", "1", text)])
    view.show_history(history, 8, live=False)
    (mark,) = view.loss._marks
    assert next(iter(history.marks)).label == mark.label.textItem.toPlainText()
    assert text in mark.label.textItem.toPlainText()
    view.show_history(history, 8, live=False)
    assert view.loss._marks == [mark]
