"""A run that was interrupted goes on as if it had not been."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cnnstudio.design.network import Network
from cnnstudio.layers.base import Shape
from cnnstudio.layers.conv2d import Conv2D
from cnnstudio.layers.dense import Dense
from cnnstudio.layers.flatten import Flatten
from cnnstudio.training import meter
from cnnstudio.training.checkpoint import CheckpointError, Checkpoints
from cnnstudio.training.control import Control
from cnnstudio.training.events import EpochEnded, Finished, Started, Warned
from cnnstudio.training.recipe import Recipe
from cnnstudio.training.trainer import train
from tests.training.listening import Listener, stop_at
from tests.training.networks import network, tiny
from tests.training.pictures import colours

RECIPE = Recipe(
    "test", epochs=5, batch_size=16, learning_rate=0.02, flip="random", shift=1, label_smoothing=0.1
)
DATA = colours(noise=120)


@pytest.fixture(autouse=True)
def _progress_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "INTERVAL", 0.0)


def run(folder: Path, recipe: Recipe, *, resume: bool = False, stop_step: int | None = None) -> Listener:
    control = Control()
    heard = Listener(stop_at(control, step=stop_step))
    train(tiny(dropout=True), DATA, recipe, control=control, emit=heard, folder=folder, resume=resume)
    return heard


def scores(heard: Listener) -> list[object]:
    return [(event.epoch, event.train, event.validation, event.best) for event in heard.of(EpochEnded)]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("schedule", ["constant", "one_cycle"])
def test_a_resumed_run_gives_the_very_same_bits(optimizer: str, schedule: str, tmp_path: Path) -> None:
    recipe = RECIPE.replace(optimizer=optimizer, schedule=schedule, weight_decay=0.01)
    whole = run(tmp_path / "whole", recipe)
    first = run(tmp_path / "parts", recipe, stop_step=15)
    second = run(tmp_path / "parts", recipe, resume=True)
    assert len(scores(first)) == 2
    assert scores(first) + scores(second) == scores(whole)
    assert first.losses() + second.losses() == whole.losses()
    assert second.of(Finished)[0].test == whole.of(Finished)[0].test
    assert second.of(Finished)[0].best_epoch == whole.of(Finished)[0].best_epoch
    for name in ("last", "best"):
        left = Checkpoints(tmp_path / "whole/checkpoints").load(name, with_state=name == "last")
        right = Checkpoints(tmp_path / "parts/checkpoints").load(name, with_state=name == "last")
        assert left.weights.keys() == right.weights.keys()
        assert all(torch.equal(value, right.weights[key]) for key, value in left.weights.items())
        assert all(torch.equal(value, right.state[key]) for key, value in left.state.items())


def test_the_clock_goes_on_too(tmp_path: Path) -> None:
    first = run(tmp_path, RECIPE, stop_step=15)
    second = run(tmp_path, RECIPE, resume=True)
    assert second.of(EpochEnded)[0].seconds > first.of(EpochEnded)[-1].seconds


def test_a_run_goes_on_before_its_first_epoch_ended(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", RECIPE)
    first = run(tmp_path / "parts", RECIPE, stop_step=3)
    second = run(tmp_path / "parts", RECIPE, resume=True)
    assert first.losses() + second.losses() == whole.losses()
    assert scores(second) == scores(whole)
    started = second.of(Started)[0]
    assert (started.first_epoch, started.steps_done) == (1, len(first.losses()))


def test_resuming_what_is_complete_only_tells_the_result(tmp_path: Path) -> None:
    whole = run(tmp_path, RECIPE)
    again = run(tmp_path, RECIPE, resume=True)
    assert [type(event) for event in again.events] == [Started, Finished]
    assert again.of(Finished)[0].test == whole.of(Finished)[0].test


def test_a_damaged_last_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", RECIPE)
    first = run(tmp_path / "parts", RECIPE, stop_step=21)
    assert len(scores(first)) == 3
    (spoilt,) = (tmp_path / "parts/checkpoints").glob("step-*.state.safetensors")
    spoilt.write_bytes(b"spoilt")
    second = run(tmp_path / "parts", RECIPE, resume=True)
    assert f"{spoilt.name} is not what was written" in second.of(Warned)[0].message
    assert scores(second) == scores(whole)[3:]
    assert second.losses() == whole.losses()[18:]


@pytest.mark.parametrize(
    ("other", "recipe", "reason"),
    [
        (
            network(Conv2D(4), Flatten(), Dense(3), input=Shape.of(3, 8, 8)),
            RECIPE,
            "belongs to another design",
        ),
        (
            tiny(dropout=True),
            RECIPE.replace(optimizer="sgd"),
            "optimizer: the checkpoint was written with adam, so the run cannot go on with sgd",
        ),
    ],
    ids=["design", "optimizer"],
)
def test_a_checkpoint_of_another_run_is_refused_before_any_event(
    other: Network, recipe: Recipe, reason: str, tmp_path: Path
) -> None:
    run(tmp_path, RECIPE, stop_step=15)
    heard = Listener()
    with pytest.raises(CheckpointError, match=reason):
        train(other, DATA, recipe, emit=heard, folder=tmp_path, resume=True)
    assert not heard.events
