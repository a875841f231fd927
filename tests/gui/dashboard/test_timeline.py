"""The timeline, by mouse and by keys."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from cnnstudio.gui.dashboard.timeline import Timeline
from cnnstudio.gui.runs.history import RunHistory
from tests.gui.canned import progress, run_events


@pytest.fixture
def timeline(qtbot: QtBot) -> Timeline:
    """In the middle of epoch 4 of 8."""
    widget = Timeline()
    qtbot.addWidget(widget)
    widget.resize(900, 40)
    widget.show()
    history = RunHistory()
    history.feed([*run_events(epochs=3, planned=8), progress(31, 5)])
    widget.show_history(history, live=True)
    return widget


def point_at(timeline: Timeline, epoch: float) -> QPoint:
    slider = timeline.slider
    return QPoint(round(10 + (slider.width() - 20) * epoch / 8), slider.height() // 2)


def test_it_starts_at_the_end_and_follows(timeline: Timeline) -> None:
    assert timeline.slider.epoch is None
    assert timeline.slider.value() == 3500
    assert timeline.text == "● Live"

    history = RunHistory()
    history.feed(run_events(epochs=4, planned=8))
    timeline.show_history(history, live=True)

    assert timeline.slider.value() == 4000


def test_a_click_goes_to_the_nearest_completed_epoch(timeline: Timeline, qtbot: QtBot) -> None:
    with qtbot.waitSignal(timeline.slider.chosen) as chosen:
        qtbot.mouseClick(timeline.slider, Qt.MouseButton.LeftButton, pos=point_at(timeline, 1.9))

    assert chosen.args == [2]
    assert timeline.slider.value() == 2000
    assert timeline.text == "Back to live"


def test_dragging_beyond_the_end_follows_again(timeline: Timeline, qtbot: QtBot) -> None:
    slider = timeline.slider
    qtbot.mousePress(slider, Qt.MouseButton.LeftButton, pos=point_at(timeline, 1))
    assert slider.epoch == 1

    qtbot.mouseMove(slider, point_at(timeline, 7))
    qtbot.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=point_at(timeline, 7))

    assert slider.epoch is None
    assert slider.value() == 3500


def test_keys_move_epoch_by_epoch(timeline: Timeline, qtbot: QtBot) -> None:
    seen = []
    timeline.slider.chosen.connect(seen.append)

    for name in ("Left", "Left", "Right", "Home", "Left", "End"):
        qtbot.keyClick(timeline.slider, Qt.Key[f"Key_{name}"])

    assert seen == [3, 2, 3, 0, None]


def test_the_chosen_epoch_stays_while_the_training_continues(timeline: Timeline) -> None:
    timeline.slider.choose(2)
    history = RunHistory()
    history.feed(run_events(epochs=6, planned=8))

    timeline.show_history(history, live=True)

    assert timeline.slider.epoch == 2
    assert timeline.slider.value() == 2000


def test_the_button_returns_to_the_end(timeline: Timeline, qtbot: QtBot) -> None:
    timeline.slider.choose(1)

    qtbot.mouseClick(timeline.back, Qt.MouseButton.LeftButton)

    assert timeline.slider.epoch is None
    assert timeline.text == "● Live"


def test_values_set_by_program_snap_to_an_epoch(timeline: Timeline) -> None:
    timeline.slider.setValue(1200)

    assert timeline.slider.epoch == 1
    assert timeline.slider.value() == 1000
    assert timeline.slider.accessibleDescription() == "After epoch 1"


def test_without_a_run_keys_do_nothing(qtbot: QtBot) -> None:
    timeline = Timeline()
    qtbot.addWidget(timeline)
    timeline.show()

    qtbot.keyClick(timeline.slider, Qt.Key.Key_Left)

    assert timeline.slider.epoch is None
    assert timeline.text == ""
