"""A run says what goes wrong in it, and its folder keeps that."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.runs.recorder import start_run
from cnnstudio.runs.run import Run
from cnnstudio.training.checkpoints import save_schedule as interval
from cnnstudio.training.control import Control
from cnnstudio.training.events import Diagnosed, EpochEnded, Finished, UnitsChecked
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.train_step import Learner
from tests.training.images import colors
from tests.training.listeners import Listener, stop_at
from tests.training.networks import network

RECIPE = Recipe(batch_size=2, epochs=2, learning_rate=0.001)
PLAIN = network(Conv2D(8, activation="relu"), Flatten(), Dense(3), input=Shape.of(3, 8, 8))


def test_the_units_of_each_layer_are_counted_after_each_epoch(tmp_path: Path) -> None:
    heard = Listener()
    start_run(PLAIN, colors(), RECIPE, folder=tmp_path / "run", emit=heard, device="cpu")
    checked = heard.of(UnitsChecked)
    assert [event.epoch for event in checked] == [0, 1, 2]
    assert checked[0].layers == tuple(node.id for node in PLAIN.nodes)
    assert checked[0].total[0] == 8
    assert checked[0].dead[-1] == 0


def test_epochs_that_are_too_short_for_it_are_left_out_but_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interval, "_SHARE", 10**9)
    heard = Listener()
    recipe = RECIPE.replace(epochs=4)
    start_run(PLAIN, colors(), recipe, folder=tmp_path / "run", emit=heard, device="cpu")
    assert [event.epoch for event in heard.of(UnitsChecked)] == [0, 4]
    assert Run.open(tmp_path / "run").snapshot_epochs == [0, 4]


def test_a_far_too_high_rate_is_said_before_the_end_and_kept(tmp_path: Path) -> None:
    heard = Listener()
    recipe = RECIPE.replace(optimizer="sgd", learning_rate=50.0)
    start_run(PLAIN, colors(), recipe, folder=tmp_path / "run", emit=heard, device="cpu")
    (found, *_) = heard.of(Diagnosed)
    assert found.kind in ("diverged", "rate_too_high")
    assert isinstance(heard.events[-1], Finished)
    assert found in Run.open(tmp_path / "run").events()


def test_memory_that_runs_out_gets_an_offer_and_the_run_can_go_on_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backward = Learner._backward

    def limited(self: Learner, images: torch.Tensor, labels: torch.Tensor, share: float) -> object:
        if len(images) > 4:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        return backward(self, images, labels, share)

    monkeypatch.setattr(Learner, "_backward", limited)
    recipe, folder = RECIPE.replace(batch_size=8), tmp_path / "run"
    heard = Listener()
    assert start_run(PLAIN, colors(), recipe, folder=folder, emit=heard, device="cpu").outcome == "failed"
    (found,) = heard.of(Diagnosed)
    assert (found.kind, "in 2 parts" in found.advice) == ("memory", True)
    parts = recipe.replace(accumulate=2)
    finished = start_run(PLAIN, colors(), parts, folder=folder, device="cpu", resume=True)
    assert finished.outcome == "completed"


def test_what_was_said_before_an_interruption_is_not_said_again(tmp_path: Path) -> None:
    control, heard = Control(), Listener()
    recipe = RECIPE.replace(learning_rate=1e-7, epochs=3, seed=2)
    stopping = Listener(stop_at(control, epoch=2))
    options = {"folder": tmp_path / "run", "device": "cpu"}
    start_run(PLAIN, colors(), recipe, emit=stopping, control=control, **options)  # type: ignore[arg-type]  # the tests' own
    assert [event.kind for event in stopping.of(Diagnosed)] == ["rate_too_low"]
    start_run(PLAIN, colors(), recipe, emit=heard, resume=True, **options)  # type: ignore[arg-type]
    assert [event.epoch for event in heard.of(EpochEnded)] == [3]
    assert not heard.of(Diagnosed)
