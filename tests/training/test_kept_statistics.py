"""Batch normalizations that keep the statistics that came with the start weights, and yet learn."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from cnnstudio.design import edits
from cnnstudio.design.network import Network
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.training.checkpoints.store import CheckpointStore
from cnnstudio.training.checkpoints.warm_start import ParentRun
from cnnstudio.training.events import Finished
from cnnstudio.training.model import build_model
from cnnstudio.training.preflight.prepare import PreparedTraining, prepare
from cnnstudio.training.pretrained.start_weights import StartWeights, from_network
from cnnstudio.training.recipe.built_in import LESSON
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.trainer import train_prepared
from tests.training.images import colors
from tests.training.listeners import Listener
from tests.training.networks import network, small_resnet, tiny

RECIPE = LESSON.replace(epochs=3, batch_size=24, validation_share=0.2, batch_norm_statistics="kept")
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path / "home"))


def start_weights(network: Network, old: Network | None = None) -> StartWeights:
    """Weights of a network that has seen other images than those of the tests."""
    old = old or network
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        model = build_model(edits.set_trainable(old, [node.id for node in old.nodes], True))
        for _ in range(20):
            model(3 + 2 * torch.randn(16, *old.input.dims))
    return from_network("earlier", old, model.state_dict(), network)


def prepared(recipe: Recipe, network: Network | None = None, *, begins: bool = True) -> PreparedTraining:
    network = network or tiny()
    start = start_weights(network) if begins else None
    return prepare(network, colors(), recipe, "cpu", start_weights=start, loads_weights=begins)


def train(recipe: Recipe, folder: Path, network: Network | None = None, *, resume: bool = False) -> Finished:
    training = prepared(recipe, network, begins=not resume)
    return train_prepared(training, threads=1, emit=Listener(), folder=folder, resume=resume)


def last(folder: Path) -> dict[str, torch.Tensor]:
    return CheckpointStore(folder / "checkpoints").load("last").weights


@pytest.mark.parametrize("recipe", [RECIPE, RECIPE.replace(average_decay=0.9)], ids=["plain", "EMA"])
def test_statistics_stay_while_scale_and_shift_learn(tmp_path: Path, recipe: Recipe) -> None:
    training = prepared(recipe)
    assert training.start_weights is not None
    before = {name: value.clone() for name, value in training.start_weights.weights.items()}
    finished = train_prepared(training, threads=1, emit=Listener(), folder=tmp_path / "run")
    assert finished.outcome == "completed"
    after = last(tmp_path / "run")
    norm = "batch_normalization_1"
    assert all(torch.equal(after[f"{norm}.{name}"], before[f"{norm}.{name}"]) for name in STATISTICS)
    changed = {name for name in before if not torch.equal(after[name], before[name])}
    assert {f"{norm}.weight", f"{norm}.bias", "conv2d_1.weight"} <= changed


def test_batches_of_one_image_are_trained_and_resumed(tmp_path: Path) -> None:
    flat = network(Flatten(), Dense(8), BatchNormalization(), Dense(3), input=tiny().input)
    recipe = RECIPE.replace(epochs=1, batch_size=1)
    assert train(recipe, tmp_path / "run", flat).outcome == "completed"
    assert train(recipe.replace(epochs=2), tmp_path / "run", flat, resume=True).outcome == "completed"


def test_they_change_by_default(tmp_path: Path) -> None:
    assert LESSON.batch_norm_statistics == "batch"
    training = prepared(RECIPE.replace(batch_norm_statistics="batch"))
    assert training.start_weights is not None
    before = training.start_weights.weights["batch_normalization_1.running_mean"].clone()
    train_prepared(training, threads=1, emit=Listener(), folder=tmp_path / "run")
    assert not torch.equal(last(tmp_path / "run")["batch_normalization_1.running_mean"], before)


def test_a_layer_that_starts_afresh_has_nothing_to_keep(tmp_path: Path) -> None:
    network = tiny()
    # Of the same network with another first convolution, whose normalization has other shapes.
    old = edits.replace(network, "conv2d_1", layer=Conv2D(4, padding="same"))
    start = start_weights(network, old)
    assert "batch_normalization_1" in start.fresh
    training = prepare(network, colors(), RECIPE, "cpu", start_weights=start)
    train_prepared(training, threads=1, emit=Listener(), folder=tmp_path / "run")
    assert last(tmp_path / "run")["batch_normalization_1.num_batches_tracked"] > 0
    assert prepare(network, colors(), RECIPE, "cpu").fresh_model().kept_statistics == ()


def test_normalizations_in_groups_are_found() -> None:
    network = small_resnet()
    model = build_model(network)
    names = [name for name, each in model.named_modules() if isinstance(each, nn.BatchNorm2d)]
    assert len(names) >= 3
    model.keep_statistics([*names[1:], "conv2d_1", "unknown"])
    assert model.kept_statistics == tuple(names[1:])
    model.eval()
    model.train()
    assert [model.get_submodule(name).training for name in names] == [True, *[False] * (len(names) - 1)]
    model.keep_statistics(())
    assert all(model.get_submodule(name).training for name in names)


@pytest.mark.parametrize("stop_after", [1, 2])
@pytest.mark.parametrize("unlock_after", [0, 2], ids=["one stage", "two stages"])
def test_a_resumed_run_has_the_same_bits(tmp_path: Path, stop_after: int, unlock_after: int) -> None:
    network = tiny()
    if unlock_after:
        network = edits.set_trainable(network, ["conv2d_1", "batch_normalization_1", "conv2d_2"], False)
    recipe = RECIPE.replace(epochs=4, unlock_after=unlock_after, unlock_groups=3)
    train(recipe, tmp_path / "whole", network)
    # The number of epochs has no influence on what the first ones do: the learning rate is constant.
    train(recipe.replace(epochs=stop_after), tmp_path / "parts", network)
    train(recipe, tmp_path / "parts", network, resume=True)
    whole, parts = last(tmp_path / "whole"), last(tmp_path / "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    known = start_weights(network).weights
    name = "batch_normalization_1.running_mean"
    assert torch.equal(whole[name], known[name])


def test_a_run_that_continues_another_keeps_what_that_one_knew(tmp_path: Path) -> None:
    recipe = RECIPE.replace(epochs=2, batch_norm_statistics="batch")
    train(recipe, tmp_path / "parent")
    before = last(tmp_path / "parent")
    training = prepared(recipe.replace(epochs=3, batch_norm_statistics="kept"), begins=False)
    parent = ParentRun(tmp_path / "parent", tiny())
    train_prepared(training, threads=1, emit=Listener(), folder=tmp_path / "child", parent=parent)
    after = last(tmp_path / "child")
    name = "batch_normalization_1"
    assert torch.equal(after[f"{name}.running_mean"], before[f"{name}.running_mean"])
    assert not torch.equal(after[f"{name}.weight"], before[f"{name}.weight"])


def test_a_run_that_continues_another_has_the_same_bits_also_where_a_layer_started_afresh(
    tmp_path: Path,
) -> None:
    network = tiny()
    start = start_weights(network, edits.replace(network, "conv2d_1", layer=Conv2D(4, padding="same")))

    def go(name: str, epochs: int, parent: ParentRun | None = None) -> dict[str, torch.Tensor]:
        recipe = RECIPE.replace(epochs=epochs)
        given = start if parent is None else None
        training = prepare(
            network, colors(), recipe, "cpu", start_weights=given, loads_weights=given is not None
        )
        train_prepared(training, threads=1, emit=Listener(), folder=tmp_path / name, parent=parent)
        return last(tmp_path / name)

    whole, _ = go("whole", 3), go("parent", 2)
    child = go("child", 3, ParentRun(tmp_path / "parent", network))
    assert all(torch.equal(whole[name], child[name]) for name in whole)
