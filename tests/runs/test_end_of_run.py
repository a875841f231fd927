"""A run ends with exactly one Finished, whatever fails, and its figures belong to the weights on the disk."""

from __future__ import annotations

import builtins
import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch

from cnnstudio.core import files
from cnnstudio.runs.run import Run
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training import evaluation, step_hooks, trainer
from cnnstudio.training.checkpoints.store import CheckpointStore
from cnnstudio.training.control import Control
from cnnstudio.training.events import EpochEnded, Event, Finished, Paused, Resumed, Scores, Warned
from cnnstudio.training.recipe.recipe import Recipe
from tests.training.images import colors
from tests.training.listeners import Listener
from tests.training.networks import tiny

RECIPE = Recipe("mine", epochs=2, batch_size=16, learning_rate=0.01, validation_share=0.2)
DATA = colors()

Failure = Callable[[], Exception]


def no_space() -> Exception:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def not_finite() -> Exception:
    return ValueError("Out of range float values are not JSON compliant")


def broken_tensors() -> Exception:
    return safetensors.SafetensorError("I/O error")


class Faults:
    """Lets the n-th call of a function fail, counted from the end of the last epoch; 0 fails none."""

    def __init__(self, failure: Failure, number: int, *, forever: bool = False) -> None:
        self.calls = 0
        self._failure, self._number, self._forever = failure, number, forever
        self._is_at_end = False

    def on_event(self, event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == RECIPE.epochs:
            self._is_at_end = True
        if isinstance(event, Finished):
            self._is_at_end = False

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if self._is_at_end:
                self.calls += 1
                if self.calls == self._number or (self._forever and self.calls >= self._number > 0):
                    raise self._failure()
            return function(*arguments, **options)

        return call


PLACES: dict[str, tuple[Any, str, Failure]] = {
    "os.replace": (os, "replace", no_space),
    "os.fsync": (os, "fsync", no_space),
    "os.open": (os, "open", no_space),
    "os.stat": (os, "stat", no_space),
    "open": (builtins, "open", no_space),
    "Path.mkdir": (Path, "mkdir", no_space),
    "Path.unlink": (Path, "unlink", no_space),
    "Path.iterdir": (Path, "iterdir", no_space),
    "json.dumps": (json, "dumps", not_finite),
    "json.loads": (json, "loads", not_finite),
    "safetensors.save": (safetensors.torch, "save", broken_tensors),
    "safetensors.load": (safetensors.torch, "load", broken_tensors),
    "write_atomically": (files, "write_atomically", no_space),
    "read_regular": (files, "read_regular", no_space),
}


def finish(folder: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch, place: str) -> Listener:
    owner, name, _ = PLACES[place]
    listener = Listener(faults.on_event)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, faults.wrap(getattr(owner, name)))
        start_run(tiny(), DATA, RECIPE, RunOptions(folder=folder, threads=1), emit=listener)
    return listener


def require_consistent(folder: Path, listener: Listener) -> None:
    """One Finished, last, and nothing in it or in run.json about weights that the disk does not have."""
    (finished,) = listener.of(Finished)
    assert listener.events[-1] == finished
    assert finished.reason
    assert "unexpected" not in finished.reason
    on_disk = CheckpointStore(folder / "checkpoints").load("best").info["epoch"]
    assert finished.best_epoch == on_disk or finished.outcome == "failed"
    run = Run.open(folder)
    if finished.test is not None:
        assert finished.best_epoch == on_disk
    if run.status != "interrupted":
        assert (run.test, run.best_epoch) == (finished.test, finished.best_epoch)
        assert run.status == finished.outcome
    else:
        assert finished.outcome == "failed"


@pytest.mark.parametrize("place", PLACES)
def test_any_single_failure_at_the_end_leaves_one_true_finished(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = Faults(no_space, 0)
    finish(tmp_path / "whole", counting, monkeypatch, place)
    for number in range(1, counting.calls + 1):
        folder = tmp_path / str(number)
        faults = Faults(PLACES[place][2], number)
        require_consistent(folder, finish(folder, faults, monkeypatch, place))


@pytest.mark.parametrize("place", ["os.replace", "os.fsync", "json.dumps", "safetensors.save"])
def test_a_lasting_failure_at_the_end_leaves_one_true_finished(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = Faults(PLACES[place][2], 1, forever=True)
    listener = finish(tmp_path / "run", faults, monkeypatch, place)
    assert listener.of(Finished)[0].outcome == "failed"
    require_consistent(tmp_path / "run", listener)


# Best weights that cannot be saved


class FullDisk:
    """Refuses to replace checkpoints, so that the disk keeps those of the first epoch, until it has room."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        self.refused = 0
        self.error: OSError = no_space()
        self._replace = os.replace
        monkeypatch.setattr(os, "replace", self.replace)

    def replace(self, source: Any, target: Any) -> None:
        if self.is_full and "checkpoints" in str(target):
            self.refused += 1
            raise self.error
        self._replace(source, target)

    def fill_after_first_epoch(self, event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == 2:
            self.is_full = True


LONGER = RECIPE.replace(epochs=4)
"""Its best epoch is one after the first."""


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> FullDisk:
    improving = iter(range(1, 100))
    monkeypatch.setattr(trainer, "mean_scores", lambda *arguments: Scores(1 / next(improving), 0.5))
    return FullDisk(monkeypatch)


def test_a_run_retries_for_a_while_and_then_fails_with_what_is_on_the_disk(
    disk: FullDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_hooks, "_RETRY_SECONDS", 0.3)
    listener = Listener(disk.fill_after_first_epoch)
    options = RunOptions(folder=tmp_path / "run", threads=1, on_save_failure="retry")
    finished = start_run(tiny(), DATA, LONGER, options, emit=listener)
    assert finished.outcome == "failed"
    assert "The best weights, those of epoch 2, could not be saved: Cannot write" in finished.reason
    assert finished.reason.endswith("The weights on the disk are those of epoch 1.")
    assert (finished.test, finished.best_epoch) == (None, 1)
    assert [event.epoch for event in listener.of(EpochEnded)] == [1, 2]
    few, paused = listener.of(Warned)[:2]
    assert few.message.startswith("Only ")
    assert "training is paused" in paused.message
    run = Run.open(tmp_path / "run")
    assert (run.status, run.test, run.best_epoch, run.reason) == ("failed", None, 1, finished.reason)
    disk.is_full = False
    assert start_run(tiny(), DATA, LONGER, RunOptions(folder=run.folder, resume=True)).outcome == "completed"


@pytest.mark.parametrize("policy", ["retry", "pause"])
def test_a_run_goes_on_when_there_is_room_again(policy: Any, disk: FullDisk, tmp_path: Path) -> None:
    control = Control()

    def act(event: Event) -> None:
        disk.fill_after_first_epoch(event)
        if isinstance(event, Paused):
            # A user who resumes too early has it paused once more.
            disk.is_full = policy == "pause" and len(listener.of(Paused)) < 2
            control.request_resume()

    listener = Listener(act)
    options = RunOptions(folder=tmp_path / "run", threads=1, on_save_failure=policy)
    finished = start_run(tiny(), DATA, LONGER, options, control=control, emit=listener)
    assert (finished.outcome, finished.best_epoch) == ("completed", 4)
    assert listener.of(Resumed)
    assert finished.test is not None
    require_consistent(tmp_path / "run", listener)


def test_each_pause_says_why_weights_cannot_be_saved_now_and_what_helps(
    disk: FullDisk, tmp_path: Path
) -> None:
    control = Control()

    def act(event: Event) -> None:
        disk.fill_after_first_epoch(event)
        if isinstance(event, Paused):
            disk.is_full = len(listener.of(Paused)) < 2
            disk.error = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            control.request_resume()

    listener = Listener(act)
    options = RunOptions(folder=tmp_path / "run", threads=1, on_save_failure="pause")
    assert start_run(tiny(), DATA, LONGER, options, control=control, emit=listener).outcome == "completed"
    said = [
        each.message for each in listener.of(Warned) if "training is paused: Cannot write" in each.message
    ]
    assert [each.rpartition(": ")[2] for each in said] == [
        "No space left on device. Free some space, then resume.",
        "Permission denied. Fix this, then resume.",
    ]


def test_a_stop_ends_the_pause_for_a_full_disk(disk: FullDisk, tmp_path: Path) -> None:
    control = Control()

    def act(event: Event) -> None:
        disk.fill_after_first_epoch(event)
        if isinstance(event, Paused):
            control.request_stop()

    options = RunOptions(folder=tmp_path / "run", threads=1, on_save_failure="pause")
    finished = start_run(tiny(), DATA, LONGER, options, control=control, emit=act)
    assert finished.outcome == "failed"
    assert finished.reason.endswith("The weights on the disk are those of epoch 1.")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_test_scores_that_are_not_finite_fail_the_run(
    value: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scores(*arguments: Any) -> Scores | None:
        found = evaluation.mean_scores(*arguments)
        return Scores(value, 0.5) if ended else found

    ended: list[Event] = []
    listener = Listener(
        lambda event: ended.append(event) if isinstance(event, EpochEnded) and event.epoch == 2 else None
    )
    monkeypatch.setattr(trainer, "mean_scores", scores)
    start_run(tiny(), DATA, RECIPE, RunOptions(folder=tmp_path / "run"), emit=listener)
    (finished,) = listener.of(Finished)
    assert (finished.outcome, finished.test, finished.cause) == ("failed", None, "not_finite")
    assert "The loss on the test images is NaN or infinite" in finished.reason
    require_consistent(tmp_path / "run", listener)
