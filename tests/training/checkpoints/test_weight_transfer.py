"""A changed design keeps the weights of the layers that still fit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from cnnstudio.design.edits import insert, remove, replace, wrap
from cnnstudio.design.network import Network, Place
from cnnstudio.layers.base import Layer
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.groups.block import Block
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.layers.normalization.group_normalization import GroupNormalization
from cnnstudio.layers.regularization.dropout import Dropout
from cnnstudio.runs.run import Run
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training import metrics
from cnnstudio.training.checkpoints.save_schedule import SaveInterval
from cnnstudio.training.checkpoints.store import CheckpointError, CheckpointStore
from cnnstudio.training.checkpoints.weight_transfer import WeightTransfer, plan_transfer
from cnnstudio.training.control import Control
from cnnstudio.training.events import (
    EpochEnded,
    Finished,
    Progress,
    RecipeChanged,
    Started,
    WeightsTransferred,
)
from cnnstudio.training.model import Model, build_model
from cnnstudio.training.preflight.checks import TrainingError
from cnnstudio.training.recipe.recipe import Recipe
from tests.training.images import colors
from tests.training.listeners import Listener, stop_at
from tests.training.networks import small_resnet, tiny

DATA = colors(noise=120)
RECIPE = Recipe("test", epochs=3, batch_size=16, learning_rate=0.01, average_decay=0.9)


def added(network: Network, index: int, layer: Layer, parent: str | None = None) -> Network:
    return insert(network, Place(parent, index), [network.fresh_ids().node(layer)])


def kept(found: WeightTransfer) -> list[str]:
    return [node.id for node in found.kept]


def reinitialized(found: WeightTransfer) -> dict[str, str]:
    return {node.id: reason for node, reason in found.reinitialized}


# What is kept


@pytest.mark.parametrize("network", [tiny(), small_resnet()], ids=["tiny", "resnet"])
def test_an_unchanged_design_keeps_all_weights(network: Network) -> None:
    found = plan_transfer(network, network)
    assert not found.reinitialized
    names = build_model(network).state_dict().keys()
    assert dict(found.source_names) == {name: name for name in names}


def test_a_new_layer_without_weights_changes_nothing() -> None:
    found = plan_transfer(tiny(), added(tiny(), 3, Dropout(0.2)))
    assert kept(found) == ["conv2d_1", "batch_normalization_1", "conv2d_2", "dense_1"]
    assert not found.reinitialized


def test_a_changed_activation_keeps_the_weights() -> None:
    found = plan_transfer(tiny(), replace(tiny(), "conv2d_2", layer=Conv2D(8, activation="tanh")))
    assert not found.reinitialized


def test_a_changed_number_of_filters_reinitializes_the_layer_and_its_consumers() -> None:
    found = plan_transfer(tiny(), replace(tiny(), "conv2d_1", layer=Conv2D(12, padding="same")))
    assert kept(found) == ["dense_1"]
    assert reinitialized(found) == {
        "conv2d_1": "weight is 12 × 3 × 3 × 3, was 8 × 3 × 3 × 3",
        "batch_normalization_1": "weight is 12, was 8",
        "conv2d_2": "weight is 8 × 12 × 3 × 3, was 8 × 8 × 3 × 3",
    }


def test_a_new_bias_is_reported() -> None:
    before = replace(tiny(), "conv2d_1", layer=Conv2D(8, padding="same", use_bias=False))
    assert reinitialized(plan_transfer(before, tiny())) == {"conv2d_1": "had no bias before"}
    assert not plan_transfer(tiny(), before).reinitialized


def test_a_layer_of_another_type_is_new_even_if_its_weights_would_fit() -> None:
    place = tiny().place("batch_normalization_1")
    other = remove(tiny(), ["batch_normalization_1"])
    node = dataclasses.replace(other.fresh_ids().node(GroupNormalization(2)), id="batch_normalization_1")
    found = plan_transfer(tiny(), insert(other, place, [node]))
    assert reinitialized(found) == {"batch_normalization_1": "new layer"}


def test_layers_keep_their_weights_in_a_group() -> None:
    wrapped, _ = wrap(tiny(), ["conv2d_1", "batch_normalization_1"], Block())
    found = plan_transfer(tiny(), wrapped)
    assert not found.reinitialized
    assert found.source_names.keys() == build_model(wrapped).state_dict().keys()
    assert set(found.source_names.values()) == build_model(tiny()).state_dict().keys()


def test_new_copies_in_a_repeat_start_from_the_first_copy() -> None:
    before = small_resnet()
    (repeat,) = (node for node in before.walk() if isinstance(node.layer, Repeat))
    found = plan_transfer(before, replace(before, repeat.id, layer=Repeat(3)))
    assert not found.reinitialized
    name = f"{repeat.id}.2.residual_2.body.conv2d_3.weight"
    assert found.source_names[name] == f"{repeat.id}.0.residual_2.body.conv2d_3.weight"
    assert (
        found.source_names[name.replace(".2.", ".1.", 1)] == f"{repeat.id}.1.residual_2.body.conv2d_3.weight"
    )


def test_a_rewritten_design_is_matched_by_order() -> None:
    nodes = [dataclasses.replace(node, id=f"mine_{number}") for number, node in enumerate(tiny().nodes)]
    found = plan_transfer(tiny(), dataclasses.replace(tiny(), nodes=tuple(nodes)))
    assert not found.reinitialized
    assert found.source_names["mine_0.weight"] == "conv2d_1.weight"


def test_the_plan_is_described_in_lines() -> None:
    found = plan_transfer(tiny(), added(tiny(), 1, BatchNormalization()))
    assert found.lines == (
        "Weights kept: Conv2D (layer 1), BatchNormalization (layer 3), Conv2D (layer 4), Dense (layer 7)",
        "Reinitialized: BatchNormalization (layer 2): new layer",
    )


def test_each_network_is_made_only_once_for_a_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Network] = []

    def note(network: Network) -> Model:
        made.append(network)
        return build_model(network)

    monkeypatch.setattr("cnnstudio.training.checkpoints.weight_transfer.build_model", note)
    plan_transfer(tiny(), small_resnet())
    assert made == [tiny(), small_resnet()]


def test_renamed_tensors_keep_their_prefixes() -> None:
    wrapped, group = wrap(tiny(), ["conv2d_1"], Block())
    old = {
        "conv2d_1.weight": torch.zeros(1),
        "optimizer.exp_avg.conv2d_1.weight": torch.ones(1),
        "average.dense_1.bias": torch.ones(2),
        "own.dense_1.bias": torch.ones(3),
        "rng.cpu": torch.ones(4),
        "average-steps": torch.tensor(7),
    }
    found = plan_transfer(tiny(), wrapped).apply(old)
    new = f"{group}.conv2d_1.weight"
    assert found.keys() == {
        new,
        f"optimizer.exp_avg.{new}",
        "average.dense_1.bias",
        "own.dense_1.bias",
        "average-steps",
    }


# Starting from it


@pytest.fixture
def paused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run that stopped within its second epoch."""
    monkeypatch.setattr(metrics, "INTERVAL", 0.0)
    control = Control()
    act = stop_at(control, step=9)
    start_run(
        tiny(), DATA, RECIPE, RunOptions(folder=tmp_path / "first", threads=1), control=control, emit=act
    )
    return tmp_path / "first"


def continue_from(
    paused: Path, network: Network, recipe: Recipe = RECIPE, *, name: str = "second", resume: bool = False
) -> Listener:
    listener = Listener()
    source = None if resume else paused
    start_run(
        network,
        DATA,
        recipe,
        RunOptions(
            folder=paused.parent / name,
            threads=1,
            continue_from=source,
            resume=resume,
            interval=SaveInterval(steps=2),
        ),
        emit=listener,
    )
    return listener


def test_the_same_design_continues_exactly_like_a_resumed_run(paused: Path) -> None:
    second = continue_from(paused, tiny())
    whole = continue_from(paused, tiny(), name="first", resume=True)
    assert second.losses() == whole.losses()
    assert [event.epoch for event in second.of(EpochEnded)] == [2, 3]
    last, other = (
        CheckpointStore(paused.parent / name / "checkpoints").load("last").weights
        for name in ("first", "second")
    )
    assert all(torch.equal(last[key], other[key]) for key in last)


def test_the_transfer_is_reported_after_started(paused: Path) -> None:
    network = added(tiny(), 1, BatchNormalization())
    listener = continue_from(paused, network)
    assert [type(event) for event in listener.events[:2]] == [Started, WeightsTransferred]
    event = listener.of(WeightsTransferred)[0]
    assert (event.run, event.fresh) == (str(paused), ("batch_normalization_2",))
    assert event.kept == ("conv2d_1", "batch_normalization_1", "conv2d_2", "dense_1")
    assert event.lines == plan_transfer(tiny(), network).lines
    run = Run.open(paused.parent / "second")
    assert run.metadata["continues"] == "first"
    assert run.events() == listener.events
    assert listener.of(Finished)[0].outcome == "completed"


@pytest.mark.parametrize("optimizer", ["sgd", "muon"])
def test_new_layers_train_together_with_kept_ones_with_every_optimizer(
    optimizer: str, tmp_path: Path
) -> None:
    control = Control()
    recipe = RECIPE.replace(optimizer=optimizer, weight_decay=0.01, epochs=2)
    act = stop_at(control, epoch=1)
    start_run(
        tiny(), DATA, recipe, RunOptions(folder=tmp_path / "first", threads=1), control=control, emit=act
    )
    network = added(tiny(), 1, Conv2D(8, padding="same"))
    listener = continue_from(tmp_path / "first", network, recipe)
    assert listener.of(WeightsTransferred)[0].fresh == ("conv2d_3",)
    assert listener.of(Finished)[0].outcome == "completed"


def test_a_run_of_a_changed_design_resumes_after_a_kill(paused: Path) -> None:
    network = added(tiny(), 1, BatchNormalization())
    whole = continue_from(paused, network, name="whole")

    class Killed(BaseException):
        pass

    def kill(event: object) -> None:
        if isinstance(event, Progress) and event.step == 14:
            raise Killed

    with pytest.raises(Killed):
        start_run(
            network,
            DATA,
            RECIPE,
            RunOptions(
                folder=paused.parent / "parts",
                threads=1,
                continue_from=paused,
                interval=SaveInterval(steps=2),
            ),
            emit=kill,
        )
    again = continue_from(paused, network, name="parts", resume=True)
    done = again.of(Started)[0].steps_done
    assert done >= 11
    assert again.losses() == whole.losses()[-len(again.losses()) :]


def test_recipe_changes_apply_to_the_new_run(paused: Path) -> None:
    listener = continue_from(paused, tiny(), RECIPE.replace(learning_rate=0.001, epochs=2))
    assert {event.name: event.after for event in listener.of(RecipeChanged)} == {}
    assert listener.of(Progress)[-1].learning_rate == 0.001
    assert [event.epoch for event in listener.of(EpochEnded)] == [2]


def test_a_changed_batch_size_starts_from_the_last_complete_epoch(paused: Path) -> None:
    listener = continue_from(paused, tiny(), RECIPE.replace(batch_size=32))
    assert (listener.of(Started)[0].first_epoch, listener.of(Started)[0].steps_done) == (2, 3)
    assert [event.epoch for event in listener.of(EpochEnded)] == [2, 3]


def test_starting_from_a_complete_run_needs_more_epochs(paused: Path) -> None:
    continue_from(paused, tiny(), name="first", resume=True)
    with pytest.raises(
        TrainingError, match="epochs: that run has already completed 3 epochs, so more are needed"
    ):
        continue_from(paused, tiny())
    assert not (paused.parent / "second").exists()


def test_a_run_without_a_checkpoint_cannot_be_started_from(tmp_path: Path) -> None:
    control = Control()
    control.request_stop()
    start_run(tiny(), DATA, RECIPE, RunOptions(folder=tmp_path / "first"), control=control)
    with pytest.raises(CheckpointError, match="has no checkpoint to start from"):
        continue_from(tmp_path / "first", added(tiny(), 1, BatchNormalization()))
