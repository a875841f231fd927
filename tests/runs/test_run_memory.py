"""The memory of a run is free when the run has ended, without a garbage collection.

The window collects only when its user is idle, and another training may begin before that.
"""

from __future__ import annotations

import gc
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cnnstudio.core.errors import UserError
from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.control import Control
from cnnstudio.training.events import Event, Finished, Progress
from cnnstudio.training.preflight.learning_rate_finder import find_learning_rate
from cnnstudio.training.preflight.prepare import PreparedTraining, prepare
from cnnstudio.training.preflight.profiling import estimate_training
from cnnstudio.training.recipe.recipe import Recipe
from tests.runs.cycle_campaign import MOMENTS, cycle
from tests.training.images import colors
from tests.training.networks import tiny

ROOT = Path(__file__).resolve().parents[2]
RECIPE = Recipe(
    "memory", epochs=2, batch_size=16, learning_rate=0.01, average_decay=0.9, validation_share=0.2
)

LARGE = (Tensor, nn.Module, torch.optim.Optimizer, Dataset, Split, PreparedTraining)


def in_memory() -> Counter[str]:
    """The number of large objects of each class, garbage included."""
    classes = (type(each) for each in gc.get_objects())
    return Counter(each.__name__ for each in classes if issubclass(each, LARGE))


@pytest.fixture(autouse=True)
def _no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    # What was there before is neither counted nor looked through: with all tests loaded, that is most of it.
    gc.freeze()
    yield
    gc.unfreeze()
    gc.enable()


def train(options: RunOptions, recipe: Recipe = RECIPE) -> Finished:
    # Larger than the network's input: the run has resized images of its own.
    return start_run(tiny(dropout=True), colors(size=12), recipe, options)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_leaves_nothing_in_memory_however_it_ends(moment: str, tmp_path: Path) -> None:
    chance = random.Random(0)
    before = in_memory()
    for _ in range(3):
        cycle(tmp_path / "run", moment, chance)
    assert in_memory() - before == Counter()


def test_the_first_run_of_a_process_leaves_nothing_in_memory_either(tmp_path: Path) -> None:
    """Libraries that are loaded by its first step may keep what they see then."""
    script = f"""
from pathlib import Path
from tests.runs.test_run_memory import *
gc.disable()
before = in_memory()
outcome = train(RunOptions(folder=Path({str(tmp_path / "run")!r}), threads=1)).outcome
print(outcome, dict(in_memory() - before))
"""
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ended.stdout == "completed {}\n", ended.stdout + ended.stderr


def test_a_run_on_resized_images_leaves_none_of_them_in_memory(tmp_path: Path) -> None:
    before = in_memory()
    assert train(RunOptions(folder=tmp_path / "run", threads=1)).outcome == "completed"
    assert in_memory() - before == Counter()


def test_resumed_and_continued_runs_leave_nothing_in_memory(tmp_path: Path) -> None:
    first = tmp_path / "first"
    train(RunOptions(folder=first, threads=1))
    before = in_memory()
    longer = RECIPE.replace(epochs=3)
    assert train(RunOptions(folder=first, threads=1, resume=True), longer).outcome == "completed"
    continued = RunOptions(folder=tmp_path / "second", threads=1, continue_from=first)
    assert train(continued, RECIPE.replace(epochs=4)).outcome == "completed"
    assert in_memory() - before == Counter()


def test_a_run_that_is_changed_while_it_trains_leaves_nothing_in_memory(tmp_path: Path) -> None:
    def run(folder: Path) -> None:
        control = Control()

        def change(event: Event) -> None:
            if isinstance(event, Progress):
                control.request_change(learning_rate=0.02, flip=True)

        options = RunOptions(folder=folder, threads=1)
        start_run(tiny(), colors(), RECIPE, options, control=control, emit=change)

    before = in_memory()
    run(tmp_path / "run")
    assert in_memory() - before == Counter()


def out_of_memory(*arguments: object, **options: object) -> None:
    raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")


def test_a_run_that_ran_out_of_memory_leaves_nothing_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = in_memory()
    monkeypatch.setattr("cnnstudio.training.train_step.TrainingStep.update", out_of_memory)
    finished = train(RunOptions(folder=tmp_path / "run", threads=1))
    assert finished.cause == "memory"
    assert in_memory() - before == Counter()


@pytest.mark.parametrize("fails", [False, True])
def test_measurements_before_a_training_leave_nothing_in_memory(
    fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepare(tiny(), colors(), RECIPE, "cpu")
    before = in_memory()
    if fails:
        monkeypatch.setattr("cnnstudio.training.train_step.TrainingStep.update", out_of_memory)
    for measure in (estimate_training, find_learning_rate):
        with suppress(UserError):
            measure(prepared, threads=1)
    assert in_memory() - before == Counter()
