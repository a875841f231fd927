"""The status of a run as text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cnnstudio.gui.runs.status_text import RunStatusText
from cnnstudio.training.events import Finished, Paused, Resumed, ThreadsChanged
from tests.gui.canned import finished, progress, run_events, started


def status_of(*events: object) -> RunStatusText:
    result = RunStatusText()
    result.feed(events)  # type: ignore[arg-type]  # all are events
    return result


def test_before_a_run_the_text_is_empty() -> None:
    assert RunStatusText().text == ""
    assert RunStatusText().fraction == 0


def test_a_running_training_shows_epoch_time_left_speed_and_accuracy() -> None:
    running = status_of(*run_events(epochs=4, planned=8), progress(41, 5))

    assert running.text == "Epoch 5 of 8 · 1 m 12 s left · 2,410 images/s · validation accuracy 75.7%"
    assert running.fraction == pytest.approx(45 / 80)


def test_the_first_epoch_has_no_validation_yet() -> None:
    assert status_of(started()).text == "Epoch 1 of 8"
    assert status_of(started(), progress(1, 3)).text == "Epoch 1 of 8 · 1 m 12 s left · 2,410 images/s"


def test_the_end_of_the_last_epoch_still_counts_as_the_last_epoch() -> None:
    assert status_of(*run_events(epochs=8, planned=8)).text.startswith("Epoch 8 of 8")


def test_a_paused_run_is_described_as_paused() -> None:
    paused = status_of(*run_events(epochs=1), progress(11, 2), Paused(12))

    assert paused.text.startswith("Paused in epoch 2 of 8 · 1 m 12 s left · validation")
    paused.feed([Resumed(12)])
    assert paused.text.startswith("Epoch 2 of 8")


def test_fewer_threads_beside_other_programs_are_explained() -> None:
    running = status_of(*run_events(epochs=4, planned=8), progress(41, 5))
    usual = running.text

    running.feed([ThreadsChanged(44, 4.4, 1, 2, trial=True)])
    assert running.text == usual
    running.feed([ThreadsChanged(45, 4.5, 1, 2)])
    assert "2,410 images/s · another program is busy: training with 1 thread · validation" in running.text
    running.feed([ThreadsChanged(46, 4.6, 2, 2, trial=True), ThreadsChanged(47, 4.7, 1, 2)])
    assert "training with 1 thread" in running.text
    running.feed([ThreadsChanged(48, 4.8, 2, 2, trial=True), ThreadsChanged(49, 4.9, 2, 2)])
    assert running.text == usual


def test_an_accuracy_that_chose_its_epoch_says_so() -> None:
    events = [replace(started(), validation="test"), *run_events(epochs=8)[1:], finished()]
    done = status_of(*events)
    assert done.text == (
        "Done: test accuracy 71.2% (best) · 8 epochs in 2 m 40 s · best epoch: 4, chosen on the test images"
    )
    assert done.short_text == "Done · test 71.2% (best) · best epoch: 4"


def test_an_ended_run_shows_its_outcome_and_results() -> None:
    done = status_of(*run_events(epochs=8), finished())
    stopped = status_of(*run_events(epochs=2), finished("stopped", "Stopped in epoch 3 after batch 4 of 10."))
    failed = status_of(*run_events(epochs=2), finished("failed", "The loss became NaN."))

    assert done.text == "Done: test accuracy 71.2% · 8 epochs in 2 m 40 s · best epoch: 4"
    assert done.fraction == 1
    assert stopped.text == ("Stopped in epoch 3 after batch 4 of 10 · test accuracy 71.2% · best epoch: 4")
    assert failed.text == "The loss became NaN."
    assert failed.is_failed
    assert not stopped.is_failed


def test_a_completed_run_of_version_0_1_is_described_like_a_new_one() -> None:
    old = status_of(*run_events(epochs=8), finished(reason="All 8 epochs are done."))

    assert old.text == status_of(*run_events(epochs=8), finished()).text


def test_a_stop_before_the_first_step_is_described_as_such() -> None:
    early = status_of(started(), Finished("stopped", "Stopped before the first step.", None, 0.0, None, None))

    assert early.text == "Stopped before the first step"


def test_where_there_is_little_room_the_numbers_stay() -> None:
    running = status_of(*run_events(epochs=4, planned=8), progress(41, 5))
    assert running.short_text == "Epoch 5 of 8 · 1 m 12 s left · 75.7%"
    running.feed([finished("stopped", "Stopped in epoch 5 after batch 4 of 10.")])
    assert running.short_text == "Stopped in epoch 5 · test 71.2% · best epoch: 4"
    assert status_of(*run_events(epochs=8), finished()).short_text == "Done · test 71.2% · best epoch: 4"
    assert RunStatusText().short_text == ""
