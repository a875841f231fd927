"""The history of a run as accumulated from its events."""

from __future__ import annotations

import dataclasses
import math

import pytest

from cnnstudio.gui.runs.history import RunHistory
from cnnstudio.runs.event_check import MAX_EPOCHS
from cnnstudio.training.events import (
    EpochEnded,
    Finished,
    Paused,
    RecipeChanged,
    Resumed,
    ThreadsChanged,
    WeightsTransferred,
)
from tests.gui.canned import epoch_ended, progress, run_events, started


def test_steps_are_plotted_at_the_fraction_of_the_epoch_that_they_complete() -> None:
    history = RunHistory()

    history.feed([started(steps_per_epoch=10), progress(1, 5, steps_per_epoch=10)])

    assert history.loss.steps.x.tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert history.position == pytest.approx(0.5)


def test_validation_is_plotted_at_whole_epochs() -> None:
    history = RunHistory()

    events = run_events(epochs=3, planned=8)

    history.feed(events)

    ends = [event for event in events if isinstance(event, EpochEnded)]
    assert history.loss.validation.x.tolist() == [1, 2, 3]
    assert history.accuracy.validation.y.tolist() == [end.validation.accuracy for end in ends]
    assert history.total_epochs == 8


def test_a_resumed_run_replaces_the_steps_after_its_checkpoint() -> None:
    history = RunHistory()
    history.feed([started(), progress(1, 10), epoch_ended(1), progress(11, 6)])

    history.feed([started(), progress(11, 10), epoch_ended(2)])

    assert len(history.loss.steps) == 20
    assert [epoch.epoch for epoch in history.epochs] == [1, 2]
    assert history.position == 2


def test_progress_without_a_started_event_still_has_its_position() -> None:
    history = RunHistory()

    history.feed([progress(11, 5, steps_per_epoch=10)])

    assert history.loss.steps.x[-1] == pytest.approx(1.5)


def test_pause_and_end_are_recorded() -> None:
    history = RunHistory()
    history.feed([started(), Paused(3)])
    assert history.paused
    history.feed([Resumed(3)])
    assert not history.paused

    history.feed([Finished("stopped", "Stopped in epoch 1.", None, 1.0, None, None)])

    assert history.finished is not None


def test_changes_are_marked_at_their_epoch() -> None:
    history = RunHistory()
    history.feed([started(), progress(1, 10), RecipeChanged(5, 0.5, "learning_rate", "0.01", "0.001")])
    history.feed([WeightsTransferred(10, "first", (), (), ())])

    marks = [(0.5, "learning rate 0.001"), (1.0, "changed design")]
    assert [(mark.epoch, mark.label) for mark in history.marks] == marks


def test_a_mark_has_a_place_on_the_axis_in_a_log_that_has_lost_its_beginning() -> None:
    history = RunHistory()
    history.feed([WeightsTransferred(10**15, "first", (), (), ())])
    assert [(mark.epoch, mark.label) for mark in history.marks] == [(MAX_EPOCHS, "changed design")]


def test_resuming_removes_the_marks_after_the_checkpoint() -> None:
    history = RunHistory()
    history.feed([started(), progress(1, 10), RecipeChanged(8, 0.8, "shift", "0", "2")])

    history.feed([started(), progress(7, 4)])

    assert not len(history.marks)


def test_an_extended_run_has_more_epochs() -> None:
    history = RunHistory()
    history.feed([started(epochs=8), progress(1, 10, epochs=8)])
    assert history.total_epochs == 8

    history.feed([progress(11, 5, epochs=12)])

    assert history.total_epochs == 12


def test_a_run_added_all_at_once_equals_one_added_event_by_event() -> None:
    events = [
        *(started(), progress(1, 3), progress(4, 7), epoch_ended(1), progress(11, 2), progress(13, 1)),
        *(
            started(),
            progress(12, 4),
            RecipeChanged(15, 1.5, "shift", "0", "2"),
            progress(16, 5),
            epoch_ended(2),
        ),
    ]
    at_once, one_by_one = RunHistory(), RunHistory()
    at_once.feed(events)
    for event in events:
        one_by_one.feed([event])
    assert len(at_once.loss.steps) == 20
    assert list(at_once.marks) == list(one_by_one.marks)
    for one, other in zip(at_once.curves.values(), one_by_one.curves.values(), strict=True):
        assert one.steps.x.tolist() == other.steps.x.tolist()
        assert one.steps.y.tolist() == other.steps.y.tolist()
    assert (at_once.position, at_once.total_epochs) == (one_by_one.position, one_by_one.total_epochs)


def test_the_number_of_threads_that_is_kept_belongs_to_the_status() -> None:
    history = RunHistory()
    fewer = ThreadsChanged(5, 0.5, 1, 2)
    history.feed([started(), fewer, ThreadsChanged(8, 0.8, 2, 2, trial=True)])
    assert fewer in history.summary_events
    history.feed([started()])
    assert fewer not in history.summary_events


def test_a_pause_says_how_long_it_was_and_single_steps_move_its_mark() -> None:
    history = RunHistory()
    history.feed([started(), progress(1, 10), Paused(10), Paused(11), Resumed(11, seconds=40.2)])

    assert [(mark.epoch, mark.label, mark.text) for mark in history.marks] == [
        (1.1, "paused 40 s", "Paused for 40 s after step 11.")
    ]


def test_learning_rate_throughput_and_gradient_norm_have_curves() -> None:
    history = RunHistory()
    steps = [
        dataclasses.replace(progress(first, 5), learning_rate=rate, gradient_norm=norm)
        for first, rate, norm in ((1, 0.1, 2.0), (6, 0.1, None), (11, 0.01, 4.0))
    ]
    history.feed([started(), *steps, epoch_ended(1)])

    assert history.curves["learning_rate"].steps.y.tolist() == [0.1, 0.1, 0.01]
    assert history.curves["gradient_norm"].steps.x.tolist() == [0.5, 1.5]
    assert history.curves["images_per_second"].epochs.y.tolist() == [2410.0]
    assert [(mark.kind, mark.label) for mark in history.marks] == [("rate", "rate 0.01")]


def test_a_loss_that_is_not_finite_is_marked_once() -> None:
    history = RunHistory()
    bad = dataclasses.replace(progress(1, 3), losses=(1.0, math.nan, math.inf))
    history.feed([started(), bad, dataclasses.replace(bad, first_step=4, step=6)])

    assert [(mark.epoch, mark.kind) for mark in history.marks] == [(0.2, "trouble")]
    assert history.loss.steps.y.tolist() == [1.0, 1.0]


def test_the_best_epoch_is_the_last_mark() -> None:
    history = RunHistory()
    history.feed([started(), epoch_ended(1), dataclasses.replace(epoch_ended(2), best=False)])

    assert history.all_marks[-1].epoch == 1
    assert "Best epoch so far: 1, with a validation loss of 1.212" in history.all_marks[-1].text


def test_marks_at_one_place_share_a_flag_with_the_word_of_the_most_important_one() -> None:
    history = RunHistory()
    history.feed([started(), progress(1, 10), Paused(10), WeightsTransferred(10, "first", (), (), ())])
    history.feed([RecipeChanged(10, 1.0, "shift", "0", "2")])

    (mark,) = history.marks
    assert (mark.label, mark.kind) == ("changed design, shift 2", "change")
    assert mark.text.startswith("Paused after step 10. Training went on")


def test_where_a_run_was_resumed_is_marked() -> None:
    history = RunHistory()
    history.feed([started(), progress(1, 20), dataclasses.replace(started(), steps_done=15)])
    history.feed([progress(16, 10)])

    assert [(mark.epoch, mark.label) for mark in history.marks] == [(1.5, "resumed")]
