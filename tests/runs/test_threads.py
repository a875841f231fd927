"""A run that changes its number of threads repeats the changes when it resumes, and gives the same bits."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cnnstudio.core.files import read_json, write_json
from cnnstudio.runs.run import Run
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.checkpoints.save_schedule import SaveInterval
from cnnstudio.training.checkpoints.store import CheckpointStore
from cnnstudio.training.control import Control
from cnnstudio.training.events import Event, Finished, Progress, Started, ThreadsChanged
from cnnstudio.training.hardware import thread_policy
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.train_step import TrainingStep
from tests.threads import ForcedThreads
from tests.training.images import colors
from tests.training.listeners import Listener, stop_at
from tests.training.networks import tiny

DATA = colors()
RECIPE = Recipe("mine", epochs=4, batch_size=16, learning_rate=0.01, validation_share=0.2)
"""Five steps in each epoch."""
CHANGES = {3: (1, True), 4: (1, False), 6: (2, True), 7: (1, False), 13: (2, True), 14: (2, False)}

Force = Callable[[Mapping[int, tuple[int, bool]]], None]


class Threads:
    """Takes the place of torch's number of threads, and lets it show in the bits of each step.

    How fast two real threads are depends on how busy the machine is, and so would the duration of the tests.
    """

    def __init__(self) -> None:
        self.number = 2
        self.steps: list[int] = []
        """The number in each step since this was cleared."""

    def get(self) -> int:
        return self.number

    def set(self, number: int) -> None:
        self.number = number

    def shown_in(self, update: Callable[..., float | None]) -> Callable[..., float | None]:
        def update_and_show(step: TrainingStep, **options: bool) -> float | None:
            norm = update(step, **options)
            self.steps.append(self.number)
            with torch.no_grad():
                next(step.model.parameters()).mul_(1 + 2.0 ** -(19 + self.number))
            return norm

        return update_and_show


@pytest.fixture(autouse=True)
def threads(monkeypatch: pytest.MonkeyPatch) -> Threads:
    threads = Threads()
    monkeypatch.setattr(torch, "get_num_threads", threads.get)
    monkeypatch.setattr(torch, "set_num_threads", threads.set)
    monkeypatch.setattr(TrainingStep, "update", threads.shown_in(TrainingStep.update))
    return threads


@pytest.fixture
def force(monkeypatch: pytest.MonkeyPatch) -> Force:
    """Sets the changes that the next run makes, by the steps in which it is free to."""

    def set_changes(changes: Mapping[int, tuple[int, bool]]) -> None:
        policy = type("Forced", (ForcedThreads,), {"schedule": changes})
        monkeypatch.setattr(thread_policy, "make_policy", policy)

    return set_changes


def options(folder: Path, **others: object) -> RunOptions:
    defaults = RunOptions(folder=folder, device="cpu", adapt_threads=True, interval=SaveInterval(steps=2))
    return replace(defaults, **others)  # type: ignore[arg-type]  # fields of any type


def weights(folder: Path, which: str = "last") -> dict[str, torch.Tensor]:
    return CheckpointStore(folder / "checkpoints").load(which).weights


def same_bits(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, second[name]) for name, value in first.items())


def told(events: list[ThreadsChanged]) -> list[tuple[int, int, bool]]:
    return [(event.step, event.threads, event.trial) for event in events]


def recorded(folder: Path) -> list[tuple[int, int, bool]]:
    return told(Run.open(folder).events_of(ThreadsChanged))


EXPECTED = [(step, *change) for step, change in sorted((step + 1, found) for step, found in CHANGES.items())]


def killed_at(folder: Path, step: int, copy: Path) -> Callable[[Event], None]:
    """Copies the folder when that step is reported, as a process that is killed then leaves it behind."""

    def act(event: Event) -> None:
        if isinstance(event, Progress) and event.step >= step and not copy.exists():
            # Not what a thread is still writing, which is gone the moment after.
            shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(".*.tmp"))

    return act


def test_each_change_is_made_at_its_step_and_written(force: Force, threads: Threads, tmp_path: Path) -> None:
    listener = Listener()
    force(CHANGES)
    start_run(tiny(), DATA, RECIPE, options(tmp_path / "run"), emit=listener)

    assert told(listener.of(ThreadsChanged)) == recorded(tmp_path / "run") == EXPECTED
    event = listener.of(ThreadsChanged)[0]
    assert (event.epoch, event.usual_threads) == (event.step / 5, 2)
    changed = {step: number for step, number, _ in EXPECTED}
    expected = [2]
    for step in range(1, 20):
        expected.append(changed.get(step, expected[-1]))
    assert threads.steps == expected
    assert listener.of(Started)[0].threads == 2
    assert Run.open(tmp_path / "run").metadata["threads"] == 2


def test_the_callers_number_is_restored(force: Force, threads: Threads, tmp_path: Path) -> None:
    force({3: (1, False)})
    start_run(tiny(), DATA, RECIPE, options(tmp_path / "run"))
    assert threads.steps[-1] == 1
    assert threads.number == 2


def test_the_number_of_threads_shows_in_the_bits(force: Force, tmp_path: Path) -> None:
    """Otherwise the comparisons below would compare nothing."""
    for name, changes in (("two", {}), ("mixed", CHANGES)):
        force(changes)
        start_run(tiny(), DATA, RECIPE, options(tmp_path / name))
    assert not same_bits(weights(tmp_path / "two"), weights(tmp_path / "mixed"))


@pytest.mark.parametrize("interval", [2, 3, 5, 100])
@pytest.mark.parametrize("lost", ["nothing", "last", "all"])
def test_a_killed_run_repeats_its_changes_to_the_same_bits(
    interval: int, lost: str, force: Force, threads: Threads, tmp_path: Path
) -> None:
    run, copy = tmp_path / "run", tmp_path / "copy"
    force(CHANGES)
    every = SaveInterval(steps=interval)
    killed = Listener(killed_at(run, 16, copy))
    start_run(tiny(), DATA, RECIPE, options(run, interval=every), emit=killed)
    if lost == "last":
        (copy / "checkpoints" / "last.json").unlink()
    elif lost == "all":
        shutil.rmtree(copy / "checkpoints")
    whole = list(threads.steps)
    threads.steps.clear()
    force({})
    start_run(tiny(), DATA, RECIPE, options(copy, interval=every, resume=True))

    assert threads.steps == whole[-len(threads.steps) :]
    assert same_bits(weights(run), weights(copy))
    assert same_bits(weights(run, "best"), weights(copy, "best"))
    assert Run.open(run).test == Run.open(copy).test
    assert [change for change in EXPECTED if change in recorded(copy)] == EXPECTED
    assert Run.open(copy).metadata["threads"] == 2


def test_a_run_that_is_killed_again_and_again_still_knows_all_its_changes(
    force: Force, tmp_path: Path
) -> None:
    """Resuming cuts the log back to the checkpoint, and with it the changes that are still to be repeated."""
    run, folder = tmp_path / "run", tmp_path / "0"
    force(CHANGES)
    start_run(tiny(), DATA, RECIPE, options(run), emit=Listener(killed_at(run, 17, folder)))
    force({})
    for number, step in enumerate((4, 3, 8, 6), 1):
        # The worst that can be: nothing to resume from but the log.
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        copy = tmp_path / str(number)
        killed = Listener(killed_at(folder, step, copy))
        start_run(tiny(), DATA, RECIPE, options(folder, resume=True), emit=killed)
        assert same_bits(weights(run), weights(folder))
        assert recorded(folder) == EXPECTED
        folder = copy


def test_a_stopped_run_resumes_with_the_number_that_it_had(
    force: Force, threads: Threads, tmp_path: Path
) -> None:
    control = Control()
    force({3: (1, False)})
    start_run(
        tiny(),
        DATA,
        RECIPE,
        options(tmp_path / "run"),
        control=control,
        emit=Listener(stop_at(control, step=7)),
    )
    listener = Listener()
    force({})
    threads.steps.clear()
    start_run(tiny(), DATA, RECIPE, options(tmp_path / "run", resume=True), emit=listener)
    assert set(threads.steps) == {1}
    # Told again, for those that listen only now.
    assert told(listener.of(ThreadsChanged))[0][1:] == (1, False)
    assert listener.of(Started)[0].threads == 2
    assert listener.of(Finished)[0].outcome == "completed"


def test_a_number_that_was_only_tried_when_the_run_was_killed_is_settled(
    force: Force, tmp_path: Path
) -> None:
    run, copy = tmp_path / "run", tmp_path / "copy"
    force({3: (1, True)})
    start_run(tiny(), DATA, RECIPE, options(run), emit=Listener(killed_at(run, 9, copy)))
    force({})
    start_run(tiny(), DATA, RECIPE, options(copy, resume=True))
    assert recorded(copy)[-1][1:] == (1, False)


def test_the_checkpoint_counts_more_than_a_damaged_log(force: Force, tmp_path: Path) -> None:
    run, copy = tmp_path / "run", tmp_path / "copy"
    force({3: (1, False)})
    start_run(tiny(), DATA, RECIPE, options(run), emit=Listener(killed_at(run, 9, copy)))
    (copy / "events.jsonl").write_text("")
    force({})
    start_run(tiny(), DATA, RECIPE, options(copy, resume=True))
    assert same_bits(weights(run), weights(copy))


@pytest.mark.parametrize("number", [0, -3, 7, 10**30])
def test_an_impossible_number_in_the_log_is_ignored(number: int, force: Force, tmp_path: Path) -> None:
    run, copy = tmp_path / "run", tmp_path / "copy"
    force({})
    start_run(tiny(), DATA, RECIPE, options(run), emit=Listener(killed_at(run, 9, copy)))
    line = ThreadsChanged(12, 2.4, 1, 2).to_json() | {"threads": number}
    with open(copy / "events.jsonl", "a") as file:
        file.write(json.dumps(line) + "\n")
    assert start_run(tiny(), DATA, RECIPE, options(copy, resume=True)).outcome == "completed"
    assert same_bits(weights(run), weights(copy))


@pytest.mark.parametrize(
    "record", [7, [], {"last_step": "x"}, {"last_step": 5, "changes": [{"event": "No"}]}]
)
def test_a_damaged_record_is_ignored(record: object, force: Force, tmp_path: Path) -> None:
    run, copy = tmp_path / "run", tmp_path / "copy"
    force({})
    start_run(tiny(), DATA, RECIPE, options(run), emit=Listener(killed_at(run, 9, copy)))
    write_json(copy / "run.json", read_json(copy / "run.json") | {"thread_record": record})
    assert start_run(tiny(), DATA, RECIPE, options(copy, resume=True)).outcome == "completed"
    assert same_bits(weights(run), weights(copy))


def test_a_number_that_is_asked_for_stays(force: Force, tmp_path: Path) -> None:
    force(CHANGES)
    start_run(tiny(), DATA, RECIPE, options(tmp_path / "run", threads=2))
    assert recorded(tmp_path / "run") == []
    assert "adapts_threads" not in Run.open(tmp_path / "run").metadata


def test_without_leave_the_number_stays(force: Force, tmp_path: Path) -> None:
    force(CHANGES)
    start_run(tiny(), DATA, RECIPE, RunOptions(folder=tmp_path / "run", device="cpu"))
    assert recorded(tmp_path / "run") == []


def test_a_run_with_a_fixed_number_resumes_with_it(force: Force, tmp_path: Path) -> None:
    control = Control()
    force(CHANGES)
    stop = Listener(stop_at(control, step=7))
    start_run(tiny(), DATA, RECIPE, options(tmp_path / "run", threads=1), control=control, emit=stop)
    start_run(tiny(), DATA, RECIPE, options(tmp_path / "whole", threads=1))
    start_run(tiny(), DATA, RECIPE, options(tmp_path / "run", resume=True))
    assert recorded(tmp_path / "run") == []
    assert Run.open(tmp_path / "run").metadata["threads"] == 1
    assert same_bits(weights(tmp_path / "run"), weights(tmp_path / "whole"))


def test_a_resumed_run_that_may_not_adapt_repeats_its_changes_only(force: Force, tmp_path: Path) -> None:
    run, copy = tmp_path / "run", tmp_path / "copy"
    force({3: (1, False)})
    start_run(tiny(), DATA, RECIPE, options(run), emit=Listener(killed_at(run, 9, copy)))
    force({1: (2, False)})
    start_run(tiny(), DATA, RECIPE, RunOptions(folder=copy, device="cpu", resume=True))
    assert {number for _, number, _ in recorded(copy)} == {1}
    assert same_bits(weights(run), weights(copy))
