"""A recipe that first trains what is not locked, and then the last locked layers as well."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor

from cnnstudio.design import edits
from cnnstudio.design.network import Network
from cnnstudio.training.control import Control
from cnnstudio.training.events import EpochEnded, Event, LayersUnlocked, event_from_json
from cnnstudio.training.frozen.features import FrozenFeatures
from cnnstudio.training.frozen.store import features_folder
from cnnstudio.training.model import Model, build_model
from cnnstudio.training.optimization.schedule import learning_rates
from cnnstudio.training.preflight.prepare import prepare
from cnnstudio.training.recipe.built_in import LESSON
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.trainer import train_prepared
from tests.training.images import colors
from tests.training.listeners import Listener
from tests.training.networks import small_resnet, tiny

RECIPE = LESSON.replace(
    epochs=4, batch_size=24, validation_share=0.2, unlock_after=2, unlock_rate=0.5, seed=1, average_decay=0.9
)
LOCKED = ("conv2d_1", "batch_normalization_1", "conv2d_2")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path / "home"))


def locked() -> Network:
    return edits.set_trainable(tiny(), LOCKED, False)


class Training:
    """A training, and its weights after each epoch."""

    def __init__(
        self, recipe: Recipe, folder: Path | None = None, stop_after: int = 0, *, at_once: bool = False
    ) -> None:
        self.weights: dict[int, dict[str, Tensor]] = {}
        control = Control()

        def stop(event: Event) -> None:
            if isinstance(event, EpochEnded) and event.epoch == stop_after:
                (control.request_stop if at_once else control.request_stop_after_epoch)()

        def keep(epoch: int, model: Model) -> None:
            self.weights[epoch] = {name: each.clone() for name, each in model.state_dict().items()}

        self.listener = Listener(stop)
        self.finished = train_prepared(
            prepare(locked(), colors(), recipe, "cpu"),
            threads=1,
            emit=self.listener,
            control=control,
            folder=folder,
            resume=folder is not None and folder.exists(),
            after_epoch=keep,
        )

    def changed(self, first: int, second: int) -> set[str]:
        """The layers whose weights or statistics differ between the ends of two epochs."""
        one, other = self.weights[first], self.weights[second]
        return {name.partition(".")[0] for name in one if not torch.equal(one[name], other[name])}


def test_the_last_locked_layers_train_only_in_the_second_stage() -> None:
    training = Training(RECIPE.replace(unlock_groups=2))
    assert training.changed(0, 2) == {"dense_1"}
    assert training.changed(2, 4) == {"batch_normalization_1", "conv2d_2", "dense_1"}
    (event,) = training.listener.of(LayersUnlocked)
    assert (event.epoch, event.layers) == (2.0, ("batch_normalization_1", "conv2d_2"))
    assert event.parameters == 2 * 8 + (8 * 8 * 9 + 8) + _dense_parameters()
    assert event.text.endswith(f"unlocked: {event.parameters:,} parameters train now")
    assert event_from_json(event.to_json()) == event


def test_all_locked_layers_train_with_zero_groups() -> None:
    training = Training(RECIPE.replace(unlock_groups=0))
    assert training.changed(0, 2) == {"dense_1"}
    assert training.changed(2, 4) == {"batch_normalization_1", "conv2d_1", "conv2d_2", "dense_1"}
    (event,) = training.listener.of(LayersUnlocked)
    assert event.layers == ("conv2d_1", "batch_normalization_1", "conv2d_2")


def _dense_parameters() -> int:
    return sum(each.numel() for each in build_model(tiny()).get_submodule("dense_1").parameters())


def test_each_stage_uses_the_features_of_what_is_still_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []
    create = FrozenFeatures.of.__func__  # type: ignore[attr-defined]  # of a class method

    def of(prepared: object, model: Model, *rest: object) -> object:
        found = create(FrozenFeatures, prepared, model, *rest)
        lengths.append(len(model.run_order) - len(found.rest))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(FrozenFeatures, "of", of)
        fast = Training(RECIPE)
    assert lengths[0] > lengths[1] > 0
    monkeypatch.setattr(FrozenFeatures, "of", lambda *arguments: None)
    slow = Training(RECIPE)
    assert fast.listener.losses() == pytest.approx(slow.listener.losses(), abs=1e-4)


@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_a_resumed_run_has_the_same_bits(tmp_path: Path, stop_after: int) -> None:
    whole = Training(RECIPE)
    begun = Training(RECIPE, tmp_path / "run", stop_after)
    assert max(begun.weights) == stop_after
    resumed = Training(RECIPE, tmp_path / "run")
    assert max(resumed.weights) == 4
    for name, value in whole.weights[4].items():
        assert torch.equal(resumed.weights[4][name], value), name
    events = [*begun.listener.of(LayersUnlocked), *resumed.listener.of(LayersUnlocked)]
    assert len(events) == 1


def test_a_stage_that_is_stopped_while_it_is_prepared_begins_once(tmp_path: Path) -> None:
    whole = Training(RECIPE)
    shutil.rmtree(features_folder())
    begun = Training(RECIPE, tmp_path / "run", 2, at_once=True)
    resumed = Training(RECIPE, tmp_path / "run")
    assert (len(begun.listener.of(LayersUnlocked)), len(resumed.listener.of(LayersUnlocked))) == (0, 1)
    for name, value in whole.weights[4].items():
        assert torch.equal(resumed.weights[4][name], value), name


def test_each_stage_has_a_schedule_for_its_own_steps() -> None:
    recipe = RECIPE.replace(schedule="cosine", learning_rate=0.1, epochs=10, unlock_after=4)
    rates = [learning_rates(recipe, 100)(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[39] < 0.001
    assert rates[40] == pytest.approx(0.05)
    assert rates[99] < 0.001
    assert rates[40:] == sorted(rates[40:], reverse=True)
    never = recipe.replace(unlock_after=10)
    assert not never.unlocks
    assert [learning_rates(never, 100)(step) for step in (0, 50)] == pytest.approx([0.1, 0.05])


def test_unlocking_leaves_alone_what_never_learns_and_draws_no_random_number() -> None:
    network = small_resnet()
    network = edits.set_trainable(network, [node.id for node in network.nodes], False)
    model = build_model(network)
    state = torch.get_rng_state()
    nodes = model.last_locked(2)
    assert [node.id for node in nodes] == [network.nodes[2].id, network.nodes[4].id]
    model.unlock([node.id for node in nodes])
    assert torch.equal(torch.get_rng_state(), state)
    learns = {name for name, each in model.named_parameters() if each.requires_grad}
    expected = edits.set_trainable(network, [node.id for node in nodes], True)
    assert learns == {name for name, each in build_model(expected).named_parameters() if each.requires_grad}
    assert 0 < len(learns) < len(dict(model.named_parameters()))
