"""The timeline, by mouse and by keys."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from cnnstudio.gui.dashboard.timeline import Timeline
from cnnstudio.gui.runs.cursor import Cursor
from cnnstudio.gui.runs.record import RunRecord
from tests.gui.canned import finished, progress, run_events


def record_of(epochs: int, extra_steps: int = 0) -> RunRecord:
    record = RunRecord()
    record.feed(run_events(epochs=epochs, planned=8))
    if extra_steps:
        record.feed([progress(10 * epochs + 1, extra_steps)])
    return record


@pytest.fixture
def cursor() -> Cursor:
    """In the middle of epoch 4 of 8."""
    cursor = Cursor()
    cursor.show(record_of(3, 5), is_live=True)
    return cursor


@pytest.fixture
def timeline(qtbot: QtBot, cursor: Cursor) -> Timeline:
    widget = Timeline(cursor)
    qtbot.addWidget(widget)
    widget.resize(900, 40)
    widget.show()
    return widget


def point_at(timeline: Timeline, epoch: float) -> QPoint:
    slider = timeline.slider
    return QPoint(round(14 + (slider.width() - 28) * epoch / 8), slider.height() // 2)


def test_it_starts_at_the_end_and_follows(timeline: Timeline, cursor: Cursor) -> None:
    assert timeline.slider.epoch is None
    assert timeline.slider.value() == 3500
    assert timeline.text == "● Following live"

    cursor.record.feed(run_events(epochs=4, planned=8)[-2:])
    timeline.refresh()

    assert timeline.slider.value() == 4000


def test_a_click_goes_to_the_nearest_completed_epoch(timeline: Timeline, qtbot: QtBot) -> None:
    qtbot.mouseClick(timeline.slider, Qt.MouseButton.LeftButton, pos=point_at(timeline, 1.9))

    assert timeline.slider.epoch == 2
    assert timeline.slider.value() == 2000
    assert timeline.text == "Follow live"


def test_dragging_beyond_the_end_follows_again(timeline: Timeline, qtbot: QtBot) -> None:
    slider = timeline.slider
    qtbot.mousePress(slider, Qt.MouseButton.LeftButton, pos=point_at(timeline, 1))
    assert slider.epoch == 1

    qtbot.mouseMove(slider, point_at(timeline, 7))
    qtbot.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=point_at(timeline, 7))

    assert slider.epoch is None
    assert slider.value() == 3500


def test_keys_move_epoch_by_epoch(timeline: Timeline, cursor: Cursor, qtbot: QtBot) -> None:
    seen = []
    cursor.epoch_changed.connect(seen.append)

    for name in ("Left", "Left", "Right", "Home", "Left", "End"):
        qtbot.keyClick(timeline.slider, Qt.Key[f"Key_{name}"])

    assert seen == [3, 2, 3, 0, None]


def test_the_chosen_epoch_stays_while_the_training_continues(timeline: Timeline, cursor: Cursor) -> None:
    timeline.slider.choose(2)
    events = run_events(epochs=6, planned=8)[-4:]
    cursor.record.feed(events)
    cursor.advance(events)
    timeline.refresh()

    assert timeline.slider.epoch == 2
    assert timeline.slider.value() == 2000


def test_the_buttons_move_and_play(timeline: Timeline, cursor: Cursor, qtbot: QtBot) -> None:
    timeline.previous.click()
    timeline.previous.click()
    timeline.next.click()
    assert cursor.epoch == 3

    timeline.play.click()
    assert cursor.is_playing
    assert timeline.play.accessibleName() == "Stop playing"
    timeline.play.click()
    assert not cursor.is_playing


def test_a_finished_run_names_its_best_epoch(qtbot: QtBot) -> None:
    record = record_of(8)
    record.feed([finished()])
    cursor = Cursor()
    cursor.show(record, is_live=False)
    timeline = Timeline(cursor)
    qtbot.addWidget(timeline)

    assert timeline.text == "Best epoch: 4"
    cursor.move_to(4)
    assert timeline.text == "Back to the end"


@pytest.mark.parametrize("planned", [1, 8, 300, 10_000])
def test_runs_of_any_length_are_painted(qtbot: QtBot, planned: int) -> None:
    record = RunRecord()
    record.feed([*run_events(epochs=1, planned=planned), progress(11, 5)])
    cursor = Cursor()
    cursor.show(record, is_live=True)
    timeline = Timeline(cursor)
    qtbot.addWidget(timeline)
    for width in (300, 900):
        timeline.resize(width, 40)
        assert not timeline.grab().isNull()


def test_the_button_returns_to_the_end(timeline: Timeline, qtbot: QtBot) -> None:
    timeline.slider.choose(1)

    qtbot.mouseClick(timeline.back, Qt.MouseButton.LeftButton)

    assert timeline.slider.epoch is None
    assert timeline.text == "● Following live"


def test_values_set_by_program_snap_to_an_epoch(timeline: Timeline) -> None:
    timeline.slider.setValue(1200)

    assert timeline.slider.epoch == 1
    assert timeline.slider.value() == 1000
    assert timeline.slider.accessibleDescription() == "After epoch 1"


def test_without_a_run_keys_do_nothing(qtbot: QtBot) -> None:
    timeline = Timeline(Cursor())
    qtbot.addWidget(timeline)
    timeline.show()

    qtbot.keyClick(timeline.slider, Qt.Key.Key_Left)

    assert timeline.slider.epoch is None
    assert timeline.text == "No run yet"
