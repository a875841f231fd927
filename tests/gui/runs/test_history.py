"""What events add up to."""

from __future__ import annotations

import pytest

from cnnstudio.gui.runs.history import History
from cnnstudio.training.events import Adjusted, CarriedOver, EpochEnded, Finished, Paused, Resumed
from tests.gui.canned import epoch_ended, progress, run_events, started


def test_steps_stand_at_the_epochs_that_they_end() -> None:
    history = History()

    history.feed([started(steps_per_epoch=10), progress(1, 5, steps_per_epoch=10)])

    assert history.loss.steps.x.tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert history.position == pytest.approx(0.5)


def test_validation_stands_at_whole_epochs() -> None:
    history = History()

    events = run_events(epochs=3, planned=8)

    history.feed(events)

    ends = [event for event in events if isinstance(event, EpochEnded)]
    assert history.loss.validation.x.tolist() == [1, 2, 3]
    assert history.accuracy.validation.y.tolist() == [end.validation.accuracy for end in ends]
    assert history.total_epochs == 8


def test_a_run_taken_up_again_replaces_what_did_not_count() -> None:
    history = History()
    history.feed([started(), progress(1, 10), epoch_ended(1), progress(11, 6)])

    history.feed([started(), progress(11, 10), epoch_ended(2)])

    assert len(history.loss.steps) == 20
    assert [epoch.epoch for epoch in history.epochs] == [1, 2]
    assert history.position == 2


def test_events_without_their_beginning_still_find_their_place() -> None:
    history = History()

    history.feed([progress(11, 5, steps_per_epoch=10)])

    assert history.loss.steps.x[-1] == pytest.approx(1.5)


def test_a_pause_and_the_end_are_known() -> None:
    history = History()
    history.feed([started(), Paused(3)])
    assert history.paused
    history.feed([Resumed(3)])
    assert not history.paused

    history.feed([Finished("stopped", "Stopped in epoch 1.", None, 1.0, None, None)])

    assert history.finished is not None


def test_changes_are_marked_where_they_came() -> None:
    history = History()
    history.feed([started(), progress(1, 10), Adjusted(5, 0.5, "learning_rate", "0.01", "0.001")])
    history.feed([CarriedOver(10, "first", (), (), ())])

    marks = [(0.5, "learning rate 0.001"), (1.0, "changed design")]
    assert history.loss.marks == history.accuracy.marks == marks


def test_marks_of_what_did_not_count_are_taken_away() -> None:
    history = History()
    history.feed([started(), progress(1, 10), Adjusted(8, 0.8, "shift", "0", "2")])

    history.feed([started(), progress(7, 4)])

    assert history.loss.marks == []


def test_a_run_that_was_made_longer_has_more_epochs() -> None:
    history = History()
    history.feed([started(epochs=8), progress(1, 10, epochs=8)])
    assert history.total_epochs == 8

    history.feed([progress(11, 5, epochs=12)])

    assert history.total_epochs == 12


def test_a_run_that_comes_at_once_is_the_same_as_one_that_came_bit_by_bit() -> None:
    events = [
        *(started(), progress(1, 3), progress(4, 7), epoch_ended(1), progress(11, 2), progress(13, 1)),
        *(started(), progress(12, 4), Adjusted(15, 1.5, "shift", "0", "2"), progress(16, 5), epoch_ended(2)),
    ]
    at_once, bit_by_bit = History(), History()
    at_once.feed(events)
    for event in events:
        bit_by_bit.feed([event])
    assert len(at_once.loss.steps) == 20
    for one, other in ((at_once.loss, bit_by_bit.loss), (at_once.accuracy, bit_by_bit.accuracy)):
        assert one.steps.x.tolist() == other.steps.x.tolist()
        assert one.steps.y.tolist() == other.steps.y.tolist()
        assert one.marks == other.marks
    assert (at_once.position, at_once.total_epochs) == (bit_by_bit.position, bit_by_bit.total_epochs)
