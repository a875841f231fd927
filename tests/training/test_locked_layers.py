"""Training a network of which some layers are locked."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from cnnstudio.design import edits
from cnnstudio.design.network import Network
from cnnstudio.training.checkpoints.store import CheckpointStore
from cnnstudio.training.model import build_model
from cnnstudio.training.preflight.checks import TrainingError
from cnnstudio.training.preflight.prepare import prepare
from cnnstudio.training.recipe.built_in import LESSON
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.train_step import TrainingStep
from cnnstudio.training.trainer import train
from tests.training.images import colors
from tests.training.listeners import Listener
from tests.training.networks import small_resnet, tiny

RECIPE = LESSON.replace(epochs=2, batch_size=24)


def locked_beginning() -> Network:
    return edits.set_trainable(tiny(), ["conv2d_1", "batch_normalization_1"], False)


@pytest.mark.parametrize(
    "recipe",
    [
        RECIPE,
        RECIPE.replace(optimizer="muon", average_decay=0.9),
        RECIPE.replace(optimizer="sgd", lookahead=True),
    ],
    ids=["adam", "muon with EMA", "lookahead"],
)
def test_locked_weights_and_statistics_stay_and_others_move(recipe: Recipe) -> None:
    network = locked_beginning()
    prepared = prepare(network, colors(), recipe, "cpu")
    model = prepared.fresh_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    step = TrainingStep(model, recipe)
    step.start_ema(8)
    model.train()
    for images, labels in prepared.batches().epoch(1):
        step.backward(images, labels)
        step.update()
    changed = {
        name.partition(".")[0]
        for name, value in step.evaluation_weights().items()
        if not torch.equal(value, before[name])
    }
    assert changed == {"conv2d_2", "dense_1"}


def test_no_gradient_is_computed_where_nothing_learns() -> None:
    model = build_model(locked_beginning())
    seen = []
    for name in ("conv2d_1", "batch_normalization_1", "conv2d_2"):
        model.get_submodule(name).register_forward_hook(
            lambda module, inputs, output: seen.append(output.requires_grad)
        )
    model(torch.rand(2, 3, 8, 8)).sum().backward()
    assert seen == [False, False, True]
    assert model.get_parameter("conv2d_1.weight").grad is None


def test_the_optimizer_has_only_what_learns() -> None:
    step = TrainingStep(build_model(locked_beginning()), RECIPE.replace(weight_decay=0.1))
    tensors = [each for group in step.optimizer.param_groups for each in group["params"]]
    assert len(tensors) == 4
    assert all(each.requires_grad for each in tensors)


def test_a_locked_group_locks_what_is_inside_it_and_its_projection() -> None:
    network = small_resnet()
    groups = [node.id for node in network.nodes if node.is_group]
    model = build_model(edits.set_trainable(network, groups, False))
    inside = [each for group in groups for each in model.get_submodule(group).parameters()]
    assert inside
    assert not any(each.requires_grad for each in inside)
    model.train()
    norms = [each for each in model.modules() if isinstance(each, nn.BatchNorm2d)]
    assert {each.training for each in norms if not next(each.parameters()).requires_grad} == {False}


def test_a_run_with_locked_layers_resumes_to_the_same_weights(tmp_path: Path) -> None:
    recipe = RECIPE.replace(average_decay=0.9, epochs=3)
    network, images = locked_beginning(), colors()
    finished = train(network, images, recipe, device="cpu", emit=Listener(), folder=tmp_path / "whole")
    train(network, images, recipe.replace(epochs=2), device="cpu", emit=Listener(), folder=tmp_path / "parts")
    resumed = train(
        network, images, recipe, device="cpu", emit=Listener(), folder=tmp_path / "parts", resume=True
    )
    assert finished.outcome == resumed.outcome == "completed"
    whole, parts = (
        CheckpointStore(tmp_path / name / "checkpoints").load("last").weights for name in ("whole", "parts")
    )
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_a_training_in_which_nothing_can_learn_is_refused_before_it_starts() -> None:
    network = tiny()
    locked = edits.set_trainable(network, [node.id for node in network.nodes], False)
    with pytest.raises(TrainingError, match=r"all of them are locked.*unlock it\."):
        prepare(locked, colors(), RECIPE, "cpu")
