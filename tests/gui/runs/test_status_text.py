"""Progress in words."""

from __future__ import annotations

import pytest

from cnnstudio.gui.runs.status_text import RunWords
from cnnstudio.training.events import Finished, Paused, Resumed
from tests.gui.canned import finished, progress, run_events, started


def words(*events: object) -> RunWords:
    result = RunWords()
    result.feed(events)  # type: ignore[arg-type]  # all are events
    return result


def test_before_a_run_there_is_nothing_to_say() -> None:
    assert RunWords().sentence == ""
    assert RunWords().share == 0


def test_a_running_training_says_what_one_would_ask_for_next() -> None:
    running = words(*run_events(epochs=4, planned=8), progress(41, 5))

    assert running.sentence == "Epoch 5 of 8 · 1 m 12 s left · 2,410 images/s · validation accuracy 75.7%"
    assert running.share == pytest.approx(45 / 80)


def test_the_first_epoch_has_no_validation_yet() -> None:
    assert words(started()).sentence == "Epoch 1 of 8"
    assert words(started(), progress(1, 3)).sentence == "Epoch 1 of 8 · 1 m 12 s left · 2,410 images/s"


def test_the_end_of_the_last_epoch_is_not_called_the_next_one() -> None:
    assert words(*run_events(epochs=8, planned=8)).sentence.startswith("Epoch 8 of 8")


def test_a_pause_says_so() -> None:
    paused = words(*run_events(epochs=1), progress(11, 2), Paused(12))

    assert paused.sentence.startswith("Paused in epoch 2 of 8 · 1 m 12 s left · validation")
    paused.feed([Resumed(12)])
    assert paused.sentence.startswith("Epoch 2 of 8")


def test_ends_say_how_it_came_and_what_came_out() -> None:
    done = words(*run_events(epochs=8), finished())
    stopped = words(*run_events(epochs=2), finished("stopped", "Stopped in epoch 3 after batch 4 of 10."))
    failed = words(*run_events(epochs=2), finished("failed", "The loss is no number any more."))

    assert done.sentence == "Done: 8 epochs in 2 m 40 s · test accuracy 71.2% · best was epoch 4"
    assert done.share == 1
    assert stopped.sentence == (
        "Stopped in epoch 3 after batch 4 of 10 · test accuracy 71.2% · best was epoch 4"
    )
    assert failed.sentence == "The loss is no number any more."
    assert failed.is_failed
    assert not stopped.is_failed


def test_a_stop_before_the_first_step_says_so() -> None:
    early = words(started(), Finished("stopped", "Stopped before the first step.", None, 0.0, None, None))

    assert early.sentence == "Stopped before the first step"
