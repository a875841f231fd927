"""Locked layers without weights to start from are said, because they never learn."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch

from cnnstudio.design import edits
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.layers.base import Shape
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.groups.block import Block
from cnnstudio.training.model import build_model
from cnnstudio.training.preflight.prepare import prepare
from cnnstudio.training.pretrained.random_locks import describe_random_locks, random_locks
from cnnstudio.training.pretrained.start_weights import from_file
from cnnstudio.training.recipe.recipe import Recipe
from tests.training.images import colors
from tests.training.networks import tiny

LOCKED = edits.set_trainable(tiny(), ["conv2d_1", "batch_normalization_1", "conv2d_2"], False)
RECIPE = Recipe("test", epochs=1, batch_size=16)


def test_locked_layers_of_a_network_without_start_weights_are_named() -> None:
    warnings = prepare(LOCKED, colors(), RECIPE, "cpu").warnings
    (found,) = [each for each in warnings if "locked" in each]
    assert found == (
        "3 locked layers start from random weights and never learn: Conv2D (layer 1), BatchNormalization "
        "(layer 2) and Conv2D (layer 3). Unlock them, or start from weights that fit."
    )


@pytest.mark.parametrize("resumed", [False, True])
def test_nothing_is_said_where_the_weights_are_known(tmp_path: Path, resumed: bool) -> None:
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file(build_model(tiny()).state_dict(), path)
    start = None if resumed else from_file(path, LOCKED)
    prepared = prepare(LOCKED, colors(), RECIPE, "cpu", start_weights=start, loads_weights=not resumed)
    assert not any("locked" in each for each in prepared.warnings)


def test_a_locked_layer_whose_weights_no_longer_fit_is_named(tmp_path: Path) -> None:
    """Gray images: the first convolution has another shape than when it was trained."""
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file(build_model(tiny()).state_dict(), path)
    gray = edits.set_input(LOCKED, Shape.of(1, *LOCKED.input.dims[1:]))
    start = from_file(path, gray)
    assert start.fresh == ("conv2d_1",)
    (found,) = [
        each
        for each in prepare(gray, colors(), RECIPE, "cpu", start_weights=start).warnings
        if "locked" in each
    ]
    assert found.startswith("1 locked layer starts from random weights and never learns: Conv2D (layer 1).")


def test_many_are_counted_and_groups_and_disabled_layers_are_not() -> None:
    network = tiny()
    for _ in range(4):
        network, _ = edits.duplicate(network, ["conv2d_1"])
    convolutions = [node.id for node in network.nodes if isinstance(node.layer, Conv2D)]
    network = edits.set_trainable(network, convolutions, False)
    network, group = edits.wrap(network, convolutions[-3:-1], Block())
    network = edits.replace(network, convolutions[-2], enabled=False)
    analysis = analyze(network)
    assert random_locks(analysis) == (*convolutions[:-2], convolutions[-1])
    assert describe_random_locks(analysis).endswith(
        "Conv2D (layer 1), Conv2D (layer 2), Conv2D (layer 3) and 2 more. Unlock them, or start from weights "
        "that fit."
    )
    assert random_locks(analysis, ("conv2d_2", group)) == ("conv2d_2",)
    assert not describe_random_locks(analyze(tiny()))
