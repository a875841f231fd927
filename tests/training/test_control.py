"""Requests to a run while it trains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cnnstudio.training import metrics
from cnnstudio.training.checkpoints.manager import CheckpointManager
from cnnstudio.training.checkpoints.store import CheckpointStore
from cnnstudio.training.control import Control
from cnnstudio.training.events import (
    EpochEnded,
    Event,
    Finished,
    Paused,
    Progress,
    RecipeChanged,
    Resumed,
    Scores,
    Warned,
)
from cnnstudio.training.recipe.live_changes import (
    CHANGEABLE_WHILE_TRAINING,
    apply_changes,
    differences,
    resumed_recipe,
)
from cnnstudio.training.recipe.recipe import Recipe, RecipeError
from cnnstudio.training.trainer import train
from tests.training.images import colors
from tests.training.listeners import Listener
from tests.training.networks import tiny

RECIPE = Recipe("test", epochs=3, batch_size=16, learning_rate=0.01)
DATA = colors(noise=120)
STEPS = 6
"""In an epoch."""


@pytest.fixture(autouse=True)
def _progress_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "INTERVAL", 0.0)


def run(
    act: Callable[[Control, Event], None],
    recipe: Recipe = RECIPE,
    folder: Path | None = None,
    *,
    resume: bool = False,
) -> Listener:
    control = Control()
    listener = Listener(lambda event: act(control, event))
    train(tiny(dropout=True), DATA, recipe, control=control, emit=listener, folder=folder, resume=resume)
    return listener


def at_step(step: int, request: Callable[[Control], None]) -> Callable[[Control, Event], None]:
    """Makes the request once, when that step is reported."""

    def act(control: Control, event: Event) -> None:
        if isinstance(event, Progress) and event.step == step:
            request(control)

    return act


def nothing(control: Control, event: Event) -> None:
    """Requests nothing."""


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return CheckpointStore(folder / "checkpoints").load("last").weights


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


# Pauses and stops


def test_single_steps_run_one_at_a_time() -> None:
    steps = []

    def act(control: Control, event: Event) -> None:
        if isinstance(event, Progress) and event.step == 2:
            control.request_pause()
        if isinstance(event, Paused):
            steps.append(event.step)
            if len(steps) < 4:
                control.request_step()
            else:
                control.request_resume()

    listener = run(act)
    first = steps[0]
    assert steps == [first, first + 1, first + 2, first + 3]
    assert [event.step for event in listener.of(Resumed)] == [first + 3]
    assert len(listener.losses()) == 3 * STEPS


def test_a_pause_is_saved_at_its_step(tmp_path: Path) -> None:
    steps = []

    def act(control: Control, event: Event) -> None:
        if isinstance(event, Progress) and event.step == 8:
            control.request_pause()
        if isinstance(event, Paused):
            steps.append(event.step)
            control.request_step()
            if len(steps) == 2:
                info = CheckpointStore(tmp_path / "checkpoints").load("last").info
                steps.append(info["epoch"] * STEPS + info["batch"])
                control.request_stop()

    run(act, folder=tmp_path)
    assert steps[2] == steps[0]


def test_stop_after_the_epoch_completes_it_and_the_run_can_resume(tmp_path: Path) -> None:
    whole = run(nothing, folder=tmp_path / "whole")
    first = run(at_step(8, Control.request_stop_after_epoch), folder=tmp_path / "parts")
    finished = first.of(Finished)[0]
    assert (finished.outcome, finished.reason) == ("stopped", "Stopped after epoch 2 of 3.")
    assert [event.epoch for event in first.of(EpochEnded)] == [1, 2]
    second = run(nothing, folder=tmp_path / "parts", resume=True)
    assert first.losses() + second.losses() == whole.losses()


def test_stop_after_the_last_epoch_is_a_completed_run() -> None:
    listener = run(at_step(14, Control.request_stop_after_epoch))
    assert listener.of(Finished)[0].outcome == "completed"


# Changes


def test_more_epochs_make_the_run_longer() -> None:
    listener = run(at_step(17, lambda control: control.request_change(epochs=5)))
    assert [event.epoch for event in listener.of(EpochEnded)] == [1, 2, 3, 4, 5]
    (change,) = listener.of(RecipeChanged)
    assert (change.name, change.before, change.after) == ("epochs", "3", "5")
    assert listener.of(Progress)[-1].steps == 5 * STEPS


def test_fewer_epochs_end_the_run_after_the_current_one() -> None:
    listener = run(at_step(8, lambda control: control.request_change(epochs=1)))
    assert [event.epoch for event in listener.of(EpochEnded)] == [1, 2]
    assert listener.of(Finished)[0].outcome == "completed"


def test_a_changed_learning_rate_applies_from_the_next_step_and_is_reported() -> None:
    plain = run(nothing)
    listener = run(at_step(8, lambda control: control.request_change(learning_rate=0.001)))
    (change,) = listener.of(RecipeChanged)
    assert (change.name, change.before, change.after) == ("learning_rate", "0.01", "0.001")
    assert listener.losses()[: change.step + 1] == plain.losses()[: change.step + 1]
    assert listener.losses()[change.step + 1 :] != plain.losses()[change.step + 1 :]
    assert listener.of(Progress)[-1].learning_rate == 0.001


def test_the_optimizer_state_is_kept_when_weight_decay_is_turned_on() -> None:
    """A tiny decay makes different groups of weights, but changes almost nothing."""
    plain = run(nothing)
    listener = run(at_step(8, lambda control: control.request_change(weight_decay=1e-12)))
    assert len(listener.of(RecipeChanged)) == 1
    assert listener.losses() == pytest.approx(plain.losses(), rel=1e-3)


def test_a_changed_augmentation_applies_from_the_next_batch() -> None:
    listener = run(at_step(8, lambda control: control.request_change(shift=2, flip="random")))
    plain = run(nothing)
    names = [event.name for event in listener.of(RecipeChanged)]
    assert sorted(names) == ["flip", "shift"]
    step = listener.of(RecipeChanged)[0].step
    assert listener.losses()[:step] == plain.losses()[:step]
    assert listener.losses()[step] != plain.losses()[step]
    assert len(listener.losses()) == len(plain.losses())


def test_an_invalid_change_is_a_warning_and_the_run_continues() -> None:
    plain = run(nothing)
    for fields in ({"batch_size": 4}, {"learning_rate": -1.0}, {"learning_rate": float("nan")}):
        listener = run(at_step(8, lambda control, fields=fields: control.request_change(**fields)))  # type: ignore[misc]  # a default binds it
        (note,) = listener.of(Warned)
        assert note.message.startswith(f"The change was ignored. {next(iter(fields))}")
        assert listener.losses() == plain.losses()
        assert not listener.of(RecipeChanged)


def test_a_resumed_run_keeps_its_changes(tmp_path: Path) -> None:
    def change(control: Control) -> None:
        control.request_change(learning_rate=0.003, shift=1)
        control.request_change(epochs=4)

    whole = run(at_step(8, change), folder=tmp_path / "whole")

    def change_and_stop(control: Control, event: Event) -> None:
        at_step(8, change)(control, event)
        at_step(10, Control.request_stop)(control, event)

    first = run(change_and_stop, folder=tmp_path / "parts")
    second = run(nothing, folder=tmp_path / "parts", resume=True)
    assert first.losses() + second.losses() == whole.losses()
    assert not second.of(RecipeChanged)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


def test_new_requests_override_earlier_changes(tmp_path: Path) -> None:
    run(at_step(8, lambda control: control.request_change(learning_rate=0.003)), folder=tmp_path)
    again = run(nothing, RECIPE.replace(epochs=4, learning_rate=0.5), tmp_path, resume=True)
    changes = {event.name: (event.before, event.after) for event in again.of(RecipeChanged)}
    assert changes == {"learning_rate": ("0.003", "0.5"), "epochs": ("3", "4")}
    assert [event.epoch for event in again.of(EpochEnded)] == [4]


def test_only_fields_with_the_same_meaning_in_mid_run_may_change() -> None:
    assert {
        "epochs",
        "learning_rate",
        "weight_decay",
        "patience",
        "flip",
        "mixup",
    } <= CHANGEABLE_WHILE_TRAINING
    assert not {"batch_size", "seed", "optimizer", "validation_share", "schedule"} & CHANGEABLE_WHILE_TRAINING
    with pytest.raises(RecipeError, match="seed: cannot be changed while training"):
        apply_changes(RECIPE, {"seed": 3})
    assert apply_changes(RECIPE, {"shift": 1, "epochs": 5}) == RECIPE.replace(shift=1, epochs=5)


def test_a_resumed_recipe_keeps_changes_except_for_new_requests() -> None:
    saved = RECIPE.replace(learning_rate=0.5, epochs=9)
    assert resumed_recipe(RECIPE, saved, RECIPE) == saved
    assert resumed_recipe(RECIPE, saved, RECIPE.replace(epochs=4)) == saved.replace(epochs=4)
    assert differences(RECIPE, saved) == [("epochs", "3", "9"), ("learning_rate", "0.01", "0.5")]


# Patience


def never_improve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes only the first epoch count as better."""

    def is_best(manager: CheckpointManager, epoch: int, scores: Scores) -> bool:
        return epoch == 1

    monkeypatch.setattr(CheckpointManager, "is_best", is_best)


def test_patience_ends_a_run_without_improvement(monkeypatch: pytest.MonkeyPatch) -> None:
    never_improve(monkeypatch)
    finished = run(nothing, RECIPE.replace(epochs=9, patience=2)).of(Finished)[0]
    assert (finished.outcome, finished.best_epoch) == ("completed", 1)
    assert finished.reason == "Stopped early: no improvement on epoch 1 for 2 epochs."


def test_patience_keeps_counting_after_an_interruption(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    never_improve(monkeypatch)
    recipe = RECIPE.replace(epochs=9, patience=3)
    run(at_step(3 * STEPS - 3, Control.request_stop), recipe, tmp_path)
    listener = run(nothing, recipe, tmp_path, resume=True)
    assert [event.epoch for event in listener.of(EpochEnded)] == [3, 4]
    again: list[Any] = run(nothing, recipe, tmp_path, resume=True).of(EpochEnded)
    assert again == []
