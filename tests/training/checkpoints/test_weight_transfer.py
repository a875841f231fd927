"""A changed design keeps what its layers have learned, where it still fits."""

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
from cnnstudio.runs.recorder import start_run
from cnnstudio.runs.run import Run
from cnnstudio.training import metrics
from cnnstudio.training.checkpoints.save_schedule import Interval
from cnnstudio.training.checkpoints.store import CheckpointError, Checkpoints
from cnnstudio.training.checkpoints.weight_transfer import CarryOver, carry_over
from cnnstudio.training.control import Control
from cnnstudio.training.events import Adjusted, CarriedOver, EpochEnded, Finished, Progress, Started
from cnnstudio.training.model import build_model
from cnnstudio.training.preflight.prepare import TrainingError
from cnnstudio.training.recipe.recipe import Recipe
from tests.training.images import colors
from tests.training.listeners import Listener, stop_at
from tests.training.networks import small_resnet, tiny

DATA = colors(noise=120)
RECIPE = Recipe("test", epochs=3, batch_size=16, learning_rate=0.01, average_decay=0.9)


def added(network: Network, index: int, layer: Layer, parent: str | None = None) -> Network:
    return insert(network, Place(parent, index), [network.fresh_ids().node(layer)])


def kept(found: CarryOver) -> list[str]:
    return [node.id for node in found.kept]


def fresh(found: CarryOver) -> dict[str, str]:
    return {node.id: reason for node, reason in found.fresh}


# What is kept


@pytest.mark.parametrize("network", [tiny(), small_resnet()], ids=["tiny", "resnet"])
def test_a_design_that_did_not_change_keeps_all(network: Network) -> None:
    found = carry_over(network, network)
    assert not found.fresh
    names = build_model(network).state_dict().keys()
    assert dict(found.names) == {name: name for name in names}


def test_a_layer_without_weights_costs_nothing() -> None:
    found = carry_over(tiny(), added(tiny(), 3, Dropout(0.2)))
    assert kept(found) == ["conv2d_1", "batch_normalization_1", "conv2d_2", "dense_1"]
    assert not found.fresh


def test_another_activation_keeps_the_weights() -> None:
    found = carry_over(tiny(), replace(tiny(), "conv2d_2", layer=Conv2D(8, activation="tanh")))
    assert not found.fresh


def test_more_filters_begin_anew_with_what_takes_from_them() -> None:
    found = carry_over(tiny(), replace(tiny(), "conv2d_1", layer=Conv2D(12, padding="same")))
    assert kept(found) == ["dense_1"]
    assert fresh(found) == {
        "conv2d_1": "whose weight is 12 × 3 × 3 × 3, before 8 × 3 × 3 × 3",
        "batch_normalization_1": "whose weight is 12, before 8",
        "conv2d_2": "whose weight is 8 × 12 × 3 × 3, before 8 × 8 × 3 × 3",
    }


def test_a_bias_that_is_new_is_said() -> None:
    before = replace(tiny(), "conv2d_1", layer=Conv2D(8, padding="same", use_bias=False))
    assert fresh(carry_over(before, tiny())) == {"conv2d_1": "which had no bias before"}
    assert not carry_over(tiny(), before).fresh


def test_a_layer_of_another_type_is_new_though_its_weights_would_fit() -> None:
    place = tiny().place("batch_normalization_1")
    other = remove(tiny(), ["batch_normalization_1"])
    node = dataclasses.replace(other.fresh_ids().node(GroupNormalization(2)), id="batch_normalization_1")
    found = carry_over(tiny(), insert(other, place, [node]))
    assert fresh(found) == {"batch_normalization_1": "which is new"}


def test_layers_keep_their_weights_in_a_group() -> None:
    wrapped, _ = wrap(tiny(), ["conv2d_1", "batch_normalization_1"], Block())
    found = carry_over(tiny(), wrapped)
    assert not found.fresh
    assert found.names.keys() == build_model(wrapped).state_dict().keys()
    assert set(found.names.values()) == build_model(tiny()).state_dict().keys()


def test_copies_that_a_repeat_did_not_have_begin_with_the_first() -> None:
    before = small_resnet()
    (repeat,) = (node for node in before.walk() if isinstance(node.layer, Repeat))
    found = carry_over(before, replace(before, repeat.id, layer=Repeat(3)))
    assert not found.fresh
    name = f"{repeat.id}.2.residual_2.body.conv2d_3.weight"
    assert found.names[name] == f"{repeat.id}.0.residual_2.body.conv2d_3.weight"
    assert found.names[name.replace(".2.", ".1.", 1)] == f"{repeat.id}.1.residual_2.body.conv2d_3.weight"


def test_a_design_that_was_written_anew_is_matched_by_its_order() -> None:
    nodes = [dataclasses.replace(node, id=f"mine_{number}") for number, node in enumerate(tiny().nodes)]
    found = carry_over(tiny(), dataclasses.replace(tiny(), nodes=tuple(nodes)))
    assert not found.fresh
    assert found.names["mine_0.weight"] == "conv2d_1.weight"


def test_it_is_told_in_lines() -> None:
    found = carry_over(tiny(), added(tiny(), 1, BatchNormalization()))
    assert found.lines == (
        "Keeps what it has learned: 1 Conv2D, 3 BatchNormalization, 4 Conv2D, 7 Dense",
        "Starts afresh: 2 BatchNormalization, which is new",
    )


def test_tensors_are_renamed_with_what_stands_before_their_names() -> None:
    wrapped, group = wrap(tiny(), ["conv2d_1"], Block())
    old = {
        "conv2d_1.weight": torch.zeros(1),
        "optimizer.exp_avg.conv2d_1.weight": torch.ones(1),
        "average.dense_1.bias": torch.ones(2),
        "own.dense_1.bias": torch.ones(3),
        "rng.cpu": torch.ones(4),
        "average-steps": torch.tensor(7),
    }
    found = carry_over(tiny(), wrapped).tensors(old)
    new = f"{group}.conv2d_1.weight"
    assert found.keys() == {
        new,
        f"optimizer.exp_avg.{new}",
        "average.dense_1.bias",
        "own.dense_1.bias",
        "average-steps",
    }


# Going on with it


@pytest.fixture
def paused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run that stopped within its second epoch."""
    monkeypatch.setattr(metrics, "INTERVAL", 0.0)
    control = Control()
    act = stop_at(control, step=9)
    start_run(tiny(), DATA, RECIPE, folder=tmp_path / "first", control=control, emit=act, threads=1)
    return tmp_path / "first"


def go_on(
    paused: Path, network: Network, recipe: Recipe = RECIPE, *, name: str = "second", resume: bool = False
) -> Listener:
    heard = Listener()
    source = None if resume else paused
    start_run(
        network,
        DATA,
        recipe,
        folder=paused.parent / name,
        emit=heard,
        threads=1,
        continue_from=source,
        resume=resume,
        interval=Interval(steps=2),
    )
    return heard


def test_the_same_design_goes_on_as_if_it_were_the_same_run(paused: Path) -> None:
    second = go_on(paused, tiny())
    whole = go_on(paused, tiny(), name="first", resume=True)
    assert second.losses() == whole.losses()
    assert [event.epoch for event in second.of(EpochEnded)] == [2, 3]
    last, other = (
        Checkpoints(paused.parent / name / "checkpoints").load("last").weights for name in ("first", "second")
    )
    assert all(torch.equal(last[key], other[key]) for key in last)


def test_what_is_kept_and_what_starts_afresh_is_told_first(paused: Path) -> None:
    network = added(tiny(), 1, BatchNormalization())
    heard = go_on(paused, network)
    assert [type(event) for event in heard.events[:2]] == [Started, CarriedOver]
    told = heard.of(CarriedOver)[0]
    assert (told.run, told.fresh) == (str(paused), ("batch_normalization_2",))
    assert told.kept == ("conv2d_1", "batch_normalization_1", "conv2d_2", "dense_1")
    assert told.lines == carry_over(tiny(), network).lines
    run = Run.open(paused.parent / "second")
    assert run.about["continues"] == "first"
    assert run.events() == heard.events
    assert heard.of(Finished)[0].outcome == "completed"


@pytest.mark.parametrize("optimizer", ["sgd", "muon"])
def test_new_layers_learn_beside_kept_ones_with_every_optimizer(optimizer: str, tmp_path: Path) -> None:
    control = Control()
    recipe = RECIPE.replace(optimizer=optimizer, weight_decay=0.01, epochs=2)
    act = stop_at(control, epoch=1)
    start_run(tiny(), DATA, recipe, folder=tmp_path / "first", control=control, emit=act, threads=1)
    network = added(tiny(), 1, Conv2D(8, padding="same"))
    heard = go_on(tmp_path / "first", network, recipe)
    assert heard.of(CarriedOver)[0].fresh == ("conv2d_3",)
    assert heard.of(Finished)[0].outcome == "completed"


def test_a_changed_design_goes_on_again_after_a_kill(paused: Path) -> None:
    network = added(tiny(), 1, BatchNormalization())
    whole = go_on(paused, network, name="whole")

    class Killed(BaseException):
        pass

    def die(event: object) -> None:
        if isinstance(event, Progress) and event.step == 14:
            raise Killed

    with pytest.raises(Killed):
        start_run(
            network,
            DATA,
            RECIPE,
            folder=paused.parent / "parts",
            emit=die,
            threads=1,
            continue_from=paused,
            interval=Interval(steps=2),
        )
    again = go_on(paused, network, name="parts", resume=True)
    done = again.of(Started)[0].steps_done
    assert done >= 11
    assert again.losses() == whole.losses()[-len(again.losses()) :]


def test_changes_to_the_recipe_go_along(paused: Path) -> None:
    heard = go_on(paused, tiny(), RECIPE.replace(learning_rate=0.001, epochs=2))
    assert {event.name: event.after for event in heard.of(Adjusted)} == {}
    assert heard.of(Progress)[-1].learning_rate == 0.001
    assert [event.epoch for event in heard.of(EpochEnded)] == [2]


def test_other_batches_go_on_from_the_last_whole_epoch(paused: Path) -> None:
    heard = go_on(paused, tiny(), RECIPE.replace(batch_size=32))
    assert (heard.of(Started)[0].first_epoch, heard.of(Started)[0].steps_done) == (2, 3)
    assert [event.epoch for event in heard.of(EpochEnded)] == [2, 3]


def test_a_run_that_is_complete_needs_more_epochs_to_go_on(paused: Path) -> None:
    go_on(paused, tiny(), name="first", resume=True)
    with pytest.raises(TrainingError, match="epochs: that run has done 3 epochs already, so more are needed"):
        go_on(paused, tiny())
    assert not (paused.parent / "second").exists()


def test_a_run_that_never_learned_has_nothing_to_go_on_from(tmp_path: Path) -> None:
    control = Control()
    control.request_stop()
    start_run(tiny(), DATA, RECIPE, folder=tmp_path / "first", control=control)
    with pytest.raises(CheckpointError, match="has no weights yet to go on from"):
        go_on(tmp_path / "first", added(tiny(), 1, BatchNormalization()))
