"""The cursor: the run and epoch that is looked at, and what is chosen in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from cnnstudio.gui.runs.cursor import Cursor, Selection
from cnnstudio.gui.runs.record import RunRecord
from tests.gui.canned import progress, run_events


def record_of(epochs: int = 3, run: str | None = None, extra_steps: int = 5) -> RunRecord:
    """A run of 8 epochs, some steps after the end of epoch `epochs`."""
    record = RunRecord()
    steps = [progress(10 * epochs + 1, extra_steps)] if extra_steps else []
    record.feed([*run_events(epochs=epochs, planned=8, run=run), *steps])
    return record


@pytest.fixture
def cursor() -> Cursor:
    """In the middle of epoch 4 of 8."""
    cursor = Cursor()
    cursor.show(record_of(), is_live=True)
    return cursor


def test_it_starts_at_the_end_of_the_run(cursor: Cursor) -> None:
    assert cursor.epoch is None
    assert cursor.moment.is_at_end
    assert cursor.moment.epoch == 3
    assert cursor.stops == (0, 1, 2, 3)


def test_steps_go_through_the_completed_epochs_and_end_at_the_end(cursor: Cursor) -> None:
    seen: list[object] = []
    cursor.epoch_changed.connect(seen.append)

    for count in (-1, -1, 1, 1, 1):
        cursor.step(count)

    assert seen == [3, 2, 3, None]


def test_the_end_of_a_finished_run_is_one_stop_not_two() -> None:
    cursor = Cursor()
    cursor.show(record_of(extra_steps=0), is_live=False)

    assert cursor.stops == (0, 1, 2)


def test_a_place_between_epochs_goes_to_the_nearest(cursor: Cursor) -> None:
    cursor.move_near(1.9)
    assert cursor.epoch == 2

    cursor.move_near(7)
    assert cursor.epoch is None


def test_an_epoch_that_the_run_does_not_have_is_ignored(cursor: Cursor) -> None:
    cursor.move_to(7)

    assert cursor.epoch is None


def test_an_empty_run_has_nowhere_to_go() -> None:
    cursor = Cursor()

    cursor.step(-1)
    cursor.go_to_start()
    cursor.move_near(3)
    cursor.toggle_play()

    assert cursor.epoch is None
    assert not cursor.is_playing


def test_the_chosen_epoch_stays_while_the_training_continues(cursor: Cursor) -> None:
    cursor.move_to(2)
    events = [progress(36, 5)]
    cursor.record.feed(events)

    cursor.advance(events)

    assert cursor.epoch == 2
    assert cursor.moment.epoch == 2


def test_another_run_is_shown_at_its_end_and_the_same_one_read_anew_where_it_was(tmp_path: Path) -> None:
    cursor = Cursor()
    cursor.show(record_of(run=str(tmp_path)), is_live=False)
    cursor.move_to(1)

    cursor.show(record_of(run=str(tmp_path)), is_live=False)
    assert cursor.epoch == 1

    cursor.show(record_of(run=str(tmp_path / "other")), is_live=False)
    assert cursor.epoch is None


def test_an_epoch_that_is_trained_again_is_left(cursor: Cursor) -> None:
    cursor.move_to(3)
    events = [progress(21, 5)]  # resumed from the end of epoch 2
    cursor.record.feed(events)

    cursor.advance(events)

    assert cursor.epoch is None


def test_playing_goes_from_the_start_to_the_end_and_stops_there(cursor: Cursor, qtbot: QtBot) -> None:
    cursor._timer.setInterval(1)
    seen: list[object] = []
    cursor.epoch_changed.connect(seen.append)

    cursor.toggle_play()
    qtbot.waitUntil(lambda: not cursor.is_playing)

    assert seen == [0, 1, 2, 3, None]


def test_a_step_by_hand_ends_the_playing(cursor: Cursor) -> None:
    states: list[object] = []
    cursor.playing_changed.connect(states.append)
    cursor.toggle_play()

    cursor.step(1)

    assert states == [True, False]
    assert cursor.epoch == 1


def test_another_layer_has_no_chosen_channel_yet() -> None:
    selection = Selection()
    selection.choose_layer("conv2d_1")
    selection.choose_channel(5)
    seen: list[object] = []
    selection.channel_changed.connect(seen.append)

    selection.choose_layer("conv2d_2")

    assert (selection.layer, selection.channel) == ("conv2d_2", None)
    assert seen == [None]


def test_choosing_the_same_again_says_nothing() -> None:
    selection = Selection()
    selection.choose_classes(2, 3)
    seen: list[object] = []
    selection.classes_changed.connect(seen.append)

    selection.choose_classes(2, 3)
    selection.choose_classes(2)

    assert seen == [(2, None)]
