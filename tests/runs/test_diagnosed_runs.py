"""A run reports problems during training, and its folder stores them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.runs.epochs import snapshot_budget
from cnnstudio.runs.run import Run
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.control import Control
from cnnstudio.training.events import Diagnosed, EpochEnded, Finished, UnitsChecked
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.train_step import TrainingStep
from tests.training.images import colors
from tests.training.listeners import Listener, stop_at
from tests.training.networks import network

RECIPE = Recipe(batch_size=2, epochs=2, learning_rate=0.001)
PLAIN = network(Conv2D(8, activation="relu"), Flatten(), Dense(3), input=Shape.of(3, 8, 8))


def test_dead_units_of_each_layer_are_counted_after_each_epoch(tmp_path: Path) -> None:
    listener = Listener()
    start_run(PLAIN, colors(), RECIPE, RunOptions(folder=tmp_path / "run", device="cpu"), emit=listener)
    checked = listener.of(UnitsChecked)
    assert [event.epoch for event in checked] == [0, 1, 2]
    assert checked[0].layers == tuple(node.id for node in PLAIN.nodes)
    assert checked[0].total[0] == 8
    assert checked[0].dead[-1] == 0


def test_very_short_epochs_are_skipped_except_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_budget, "GRACE_SECONDS", 0.0)
    listener = Listener()
    recipe = RECIPE.replace(epochs=4)
    start_run(PLAIN, colors(), recipe, RunOptions(folder=tmp_path / "run", device="cpu"), emit=listener)
    assert [event.epoch for event in listener.of(UnitsChecked)] == [0, 4]
    assert Run.open(tmp_path / "run").snapshot_epochs == [0, 4]


def test_a_far_too_high_learning_rate_is_reported_and_stored(tmp_path: Path) -> None:
    listener = Listener()
    recipe = RECIPE.replace(optimizer="sgd", learning_rate=50.0)
    start_run(PLAIN, colors(), recipe, RunOptions(folder=tmp_path / "run", device="cpu"), emit=listener)
    (found, *_) = listener.of(Diagnosed)
    assert found.kind in ("diverged", "rate_too_high")
    assert isinstance(listener.events[-1], Finished)
    assert found in Run.open(tmp_path / "run").events()


def test_a_run_that_runs_out_of_memory_can_be_resumed_with_gradient_accumulation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backward = TrainingStep._backward

    def limited(self: TrainingStep, images: torch.Tensor, labels: torch.Tensor, share: float) -> object:
        if len(images) > 4:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        return backward(self, images, labels, share)

    monkeypatch.setattr(TrainingStep, "_backward", limited)
    recipe, folder = RECIPE.replace(batch_size=8), tmp_path / "run"
    listener = Listener()
    assert (
        start_run(PLAIN, colors(), recipe, RunOptions(folder=folder, device="cpu"), emit=listener).outcome
        == "failed"
    )
    (found,) = listener.of(Diagnosed)
    assert (found.kind, "into 2" in found.advice) == ("memory", True)
    parts = recipe.replace(accumulate=2)
    finished = start_run(PLAIN, colors(), parts, RunOptions(folder=folder, device="cpu", resume=True))
    assert finished.outcome == "completed"


def test_a_resumed_run_does_not_repeat_earlier_diagnoses(tmp_path: Path) -> None:
    control, listener = Control(), Listener()
    recipe = RECIPE.replace(learning_rate=1e-7, epochs=3, seed=2)
    stopping = Listener(stop_at(control, epoch=2))
    options = RunOptions(folder=tmp_path / "run", device="cpu")
    start_run(PLAIN, colors(), recipe, options, emit=stopping, control=control)
    assert [event.kind for event in stopping.of(Diagnosed)] == ["rate_too_low"]
    start_run(PLAIN, colors(), recipe, replace(options, resume=True), emit=listener)
    assert [event.epoch for event in listener.of(EpochEnded)] == [3]
    assert not listener.of(Diagnosed)
