"""What a run can be asked to do while it trains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cnnstudio.training import metrics
from cnnstudio.training.checkpoints.manager import Keeper
from cnnstudio.training.checkpoints.store import Checkpoints
from cnnstudio.training.control import Control
from cnnstudio.training.events import (
    Adjusted,
    EpochEnded,
    Event,
    Finished,
    Paused,
    Progress,
    Resumed,
    Scores,
    Warned,
)
from cnnstudio.training.recipe.live_changes import ADJUSTABLE, adjusted, continued, differences
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
    heard = Listener(lambda event: act(control, event))
    train(tiny(dropout=True), DATA, recipe, control=control, emit=heard, folder=folder, resume=resume)
    return heard


def at_step(step: int, ask: Callable[[Control], None]) -> Callable[[Control, Event], None]:
    """Asks once, when that step is reported."""

    def act(control: Control, event: Event) -> None:
        if isinstance(event, Progress) and event.step == step:
            ask(control)

    return act


def nothing(control: Control, event: Event) -> None:
    """Lets it run."""


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return Checkpoints(folder / "checkpoints").load("last").weights


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


# Pauses and stops


def test_single_steps_are_made_one_by_one() -> None:
    asked = []

    def act(control: Control, event: Event) -> None:
        if isinstance(event, Progress) and event.step == 2:
            control.request_pause()
        if isinstance(event, Paused):
            asked.append(event.step)
            if len(asked) < 4:
                control.request_step()
            else:
                control.request_resume()

    heard = run(act)
    first = asked[0]
    assert asked == [first, first + 1, first + 2, first + 3]
    assert [event.step for event in heard.of(Resumed)] == [first + 3]
    assert len(heard.losses()) == 3 * STEPS


def test_a_pause_is_saved_at_its_very_step(tmp_path: Path) -> None:
    steps = []

    def act(control: Control, event: Event) -> None:
        if isinstance(event, Progress) and event.step == 8:
            control.request_pause()
        if isinstance(event, Paused):
            steps.append(event.step)
            control.request_step()
            if len(steps) == 2:
                info = Checkpoints(tmp_path / "checkpoints").load("last").info
                steps.append(info["epoch"] * STEPS + info["batch"])
                control.request_stop()

    run(act, folder=tmp_path)
    assert steps[2] == steps[0]


def test_stop_after_the_epoch_ends_it_first_and_the_run_can_go_on(tmp_path: Path) -> None:
    whole = run(nothing, folder=tmp_path / "whole")
    first = run(at_step(8, Control.request_stop_after_epoch), folder=tmp_path / "parts")
    finished = first.of(Finished)[0]
    assert (finished.outcome, finished.reason) == ("stopped", "Stopped after epoch 2 of 3.")
    assert [event.epoch for event in first.of(EpochEnded)] == [1, 2]
    second = run(nothing, folder=tmp_path / "parts", resume=True)
    assert first.losses() + second.losses() == whole.losses()


def test_stop_after_the_last_epoch_is_a_completed_run() -> None:
    heard = run(at_step(14, Control.request_stop_after_epoch))
    assert heard.of(Finished)[0].outcome == "completed"


# Changes


def test_more_epochs_make_the_run_longer() -> None:
    heard = run(at_step(17, lambda control: control.request_change(epochs=5)))
    assert [event.epoch for event in heard.of(EpochEnded)] == [1, 2, 3, 4, 5]
    (change,) = heard.of(Adjusted)
    assert (change.name, change.before, change.after) == ("epochs", "3", "5")
    assert heard.of(Progress)[-1].steps == 5 * STEPS


def test_fewer_epochs_end_it_with_the_one_that_it_is_in() -> None:
    heard = run(at_step(8, lambda control: control.request_change(epochs=1)))
    assert [event.epoch for event in heard.of(EpochEnded)] == [1, 2]
    assert heard.of(Finished)[0].outcome == "completed"


def test_another_learning_rate_holds_from_the_next_step_on_and_is_told() -> None:
    plain = run(nothing)
    heard = run(at_step(8, lambda control: control.request_change(learning_rate=0.001)))
    (change,) = heard.of(Adjusted)
    assert (change.name, change.before, change.after) == ("learning_rate", "0.01", "0.001")
    assert heard.losses()[: change.step + 1] == plain.losses()[: change.step + 1]
    assert heard.losses()[change.step + 1 :] != plain.losses()[change.step + 1 :]
    assert heard.of(Progress)[-1].learning_rate == 0.001


def test_what_the_optimizer_remembers_stays_where_the_decay_comes_in() -> None:
    """A decay of almost nothing makes other groups of weights, and changes almost nothing."""
    plain = run(nothing)
    heard = run(at_step(8, lambda control: control.request_change(weight_decay=1e-12)))
    assert len(heard.of(Adjusted)) == 1
    assert heard.losses() == pytest.approx(plain.losses(), rel=1e-3)


def test_another_augmentation_holds_from_the_next_batch_on() -> None:
    heard = run(at_step(8, lambda control: control.request_change(shift=2, flip="random")))
    plain = run(nothing)
    names = [event.name for event in heard.of(Adjusted)]
    assert sorted(names) == ["flip", "shift"]
    step = heard.of(Adjusted)[0].step
    assert heard.losses()[:step] == plain.losses()[:step]
    assert heard.losses()[step] != plain.losses()[step]
    assert len(heard.losses()) == len(plain.losses())


def test_what_cannot_change_is_a_note_and_the_run_goes_on() -> None:
    plain = run(nothing)
    for asked in ({"batch_size": 4}, {"learning_rate": -1.0}, {"learning_rate": float("nan")}):
        heard = run(at_step(8, lambda control, asked=asked: control.request_change(**asked)))  # type: ignore[misc]  # a default binds it
        (note,) = heard.of(Warned)
        assert note.message.startswith(f"The run goes on as it was. {next(iter(asked))}")
        assert heard.losses() == plain.losses()
        assert not heard.of(Adjusted)


def test_a_changed_run_goes_on_with_its_changes(tmp_path: Path) -> None:
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
    assert not second.of(Adjusted)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


def test_what_is_asked_for_anew_stands_above_what_it_had_become(tmp_path: Path) -> None:
    run(at_step(8, lambda control: control.request_change(learning_rate=0.003)), folder=tmp_path)
    again = run(nothing, RECIPE.replace(epochs=4, learning_rate=0.5), tmp_path, resume=True)
    told = {event.name: (event.before, event.after) for event in again.of(Adjusted)}
    assert told == {"learning_rate": ("0.003", "0.5"), "epochs": ("3", "4")}
    assert [event.epoch for event in again.of(EpochEnded)] == [4]


def test_only_what_means_the_same_for_a_run_that_has_begun_may_change() -> None:
    assert {"epochs", "learning_rate", "weight_decay", "patience", "flip", "mixup"} <= ADJUSTABLE
    assert not {"batch_size", "seed", "optimizer", "validation_share", "schedule"} & ADJUSTABLE
    with pytest.raises(RecipeError, match="seed: this cannot change"):
        adjusted(RECIPE, {"seed": 3})
    assert adjusted(RECIPE, {"shift": 1, "epochs": 5}) == RECIPE.replace(shift=1, epochs=5)


def test_a_recipe_that_goes_on_keeps_its_changes_but_for_what_is_asked() -> None:
    then = RECIPE.replace(learning_rate=0.5, epochs=9)
    assert continued(RECIPE, then, RECIPE) == then
    assert continued(RECIPE, then, RECIPE.replace(epochs=4)) == then.replace(epochs=4)
    assert differences(RECIPE, then) == [("epochs", "3", "9"), ("learning_rate", "0.01", "0.5")]


# Patience


def never_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first epoch counts as better."""

    def is_best(keeper: Keeper, epoch: int, scores: Scores) -> bool:
        return epoch == 1

    monkeypatch.setattr(Keeper, "is_best", is_best)


def test_patience_ends_a_run_that_gets_no_better(monkeypatch: pytest.MonkeyPatch) -> None:
    never_better(monkeypatch)
    finished = run(nothing, RECIPE.replace(epochs=9, patience=2)).of(Finished)[0]
    assert (finished.outcome, finished.best_epoch) == ("completed", 1)
    assert finished.reason == "Ended early: 2 epochs no better than epoch 1."


def test_patience_counts_on_after_an_interruption(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    never_better(monkeypatch)
    recipe = RECIPE.replace(epochs=9, patience=3)
    run(at_step(3 * STEPS - 3, Control.request_stop), recipe, tmp_path)
    heard = run(nothing, recipe, tmp_path, resume=True)
    assert [event.epoch for event in heard.of(EpochEnded)] == [3, 4]
    again: list[Any] = run(nothing, recipe, tmp_path, resume=True).of(EpochEnded)
    assert again == []
