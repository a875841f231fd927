"""Data-dependent initialization from the training images before the first step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from cnnstudio.design.network import IdGenerator, Network, Node
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.convolutional.whitening import Whitening
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.training.checkpoints.store import CheckpointStore
from cnnstudio.training.control import Control
from cnnstudio.training.events import EpochEnded, Finished, Started
from cnnstudio.training.model import Model, build_model
from cnnstudio.training.preflight import prepare as preflight
from cnnstudio.training.preflight.prepare import prepare
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.trainer import train, train_prepared
from tests.training.images import colors
from tests.training.listeners import Listener, stop_at
from tests.training.networks import network

RECIPE = Recipe("test", epochs=3, batch_size=16, learning_rate=0.01, flip="random", shift=1)
DATA = colors()
WHITENED = network(
    *(Whitening(), Conv2D(8, activation="relu"), BatchNormalization(center=False), Flatten(), Dense(3)),
    input=Shape.of(3, 8, 8),
)


def second_moments(values: torch.Tensor) -> torch.Tensor:
    """The second moments of the channels of (N, C, H, W)."""
    rows = values.movedim(1, 0).flatten(1)
    return rows @ rows.T / rows.shape[1]


def normalized(model: Model) -> torch.Tensor:
    return model.normalize(np.ascontiguousarray(DATA.train.images))


def test_the_model_whitens_the_training_images_before_the_first_epoch() -> None:
    seen: list[torch.Tensor] = []

    def record(epoch: int, model: Model) -> None:
        if epoch == 0:
            with torch.no_grad():
                seen.append(second_moments(model.get_submodule("whitening_1")(normalized(model))[:, :12]))

    prepared = prepare(WHITENED, DATA, RECIPE, "cpu")
    train_prepared(prepared, emit=Listener(), after_epoch=record)
    # epsilon damps the weakest directions a little.
    assert seen[0].diagonal().min() > 0.8
    torch.testing.assert_close(seen[0], torch.diag(seen[0].diagonal()), atol=1e-3, rtol=0)


def test_training_does_not_change_the_whitening_kernels(tmp_path: Path) -> None:
    listener = Listener()
    train(WHITENED, DATA, RECIPE.replace(epochs=6), emit=listener, folder=tmp_path)
    last = CheckpointStore(tmp_path / "checkpoints").load("last").weights
    model = build_model(WHITENED)
    model.load_state_dict(last)
    weight = model.get_parameter("whitening_1.weight").detach()
    torch.testing.assert_close(weight[12:], -weight[:12])
    assert last["whitening_1.bias"].any()
    assert listener.of(EpochEnded)[-1].validation.accuracy > 0.8
    (finished,) = listener.of(Finished)
    assert finished.outcome == "completed"


def test_only_trainable_weights_count_as_parameters() -> None:
    listener = Listener()
    train(WHITENED, DATA, RECIPE.replace(epochs=1), emit=listener)
    counted = 24 + (24 * 8 * 9 + 8) + 8 + (8 * 25 * 3 + 3)
    assert listener.of(Started)[0].parameters == counted


def test_a_resumed_run_gives_the_same_bits(tmp_path: Path) -> None:
    train(WHITENED, DATA, RECIPE, emit=Listener(), folder=tmp_path / "whole")
    control = Control()
    listener = Listener(stop_at(control, epoch=1))
    train(WHITENED, DATA, RECIPE, control=control, emit=listener, folder=tmp_path / "parts")
    train(WHITENED, DATA, RECIPE, emit=Listener(), folder=tmp_path / "parts", resume=True)
    whole, parts = (
        CheckpointStore(tmp_path / name / "checkpoints").load("last") for name in ("whole", "parts")
    )
    assert all(torch.equal(value, parts.weights[name]) for name, value in whole.weights.items())


def test_each_layer_sees_the_images_through_the_layers_above() -> None:
    ids = IdGenerator()
    copies = Node("repeat_1", Repeat(2), children=(ids.node(Whitening((1, 1), epsilon=1e-9)),))
    model = build_model(Network(Shape.of(3, 8, 8), (ids.node(Conv2D(2)), copies)))
    images = normalized(model)
    model.train()
    model.initialize_from_images(lambda: images.split(32))
    assert model.training
    first, second = (
        model.get_submodule(f"repeat_1.{copy}").get_submodule("whitening_1") for copy in range(2)
    )
    with torch.no_grad():
        once = first(model.get_submodule("conv2d_1")(images))
        torch.testing.assert_close(second_moments(once[:, :2]), torch.eye(2), atol=1e-3, rtol=0)
        # Two of the four channels that reach the second are the negatives of the others.
        found = second_moments(second(once)[:, :2])
        torch.testing.assert_close(found, torch.eye(2), atol=1e-3, rtol=0)


def test_a_forward_pass_works_after_initialization() -> None:
    model = build_model(WHITENED)
    model.initialize_from_images(lambda: normalized(model).split(32))
    assert model(normalized(model)).shape == (96, 3)


def test_the_first_images_are_spread_over_all_training_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "_MAX_FIRST_IMAGES", 24)
    taken: list[torch.Tensor] = []

    def keep(model: Model, batches: object) -> None:
        taken.extend(batches())  # type: ignore[operator]  # the trainer gives a function

    monkeypatch.setattr(Model, "initialize_from_images", keep)
    train(WHITENED, DATA, RECIPE.replace(epochs=1), emit=Listener())
    model = build_model(WHITENED)
    prepared = prepare(WHITENED, DATA, RECIPE, "cpu")
    model.set_normalization(prepared.mean, prepared.std)
    torch.testing.assert_close(torch.cat(taken), normalized(model)[::4])


def test_a_stop_before_initialization_ends_the_run(tmp_path: Path) -> None:
    control = Control()
    control.request_stop()
    listener = Listener()
    train(WHITENED, DATA, RECIPE, control=control, emit=listener, folder=tmp_path)
    assert listener.of(Finished)[0].reason == "Stopped before the first step."


def test_a_network_without_data_dependent_layers_loads_no_images() -> None:
    def none() -> list[torch.Tensor]:
        raise AssertionError("no images are needed")

    plain = network(Flatten(), Dense(3), input=Shape.of(3, 8, 8))
    build_model(plain).initialize_from_images(none)
