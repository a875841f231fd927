"""An interrupted run resumes as if it had not been interrupted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from cnnstudio.core.files import read_json, write_json
from cnnstudio.design.network import Network
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.training import metrics
from cnnstudio.training.checkpoints import save_schedule
from cnnstudio.training.checkpoints.save_schedule import SaveInterval, SaveIntervalError, SaveSchedule
from cnnstudio.training.checkpoints.store import Checkpoint, CheckpointError, CheckpointStore, with_checksum
from cnnstudio.training.control import Control
from cnnstudio.training.events import EpochEnded, Event, Finished, Progress, Started, Warned
from cnnstudio.training.preflight.prepare import prepare
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.trainer import train, train_prepared
from tests.training.images import colors
from tests.training.listeners import Listener, stop_at
from tests.training.networks import network, tiny

RECIPE = Recipe(
    "test", epochs=5, batch_size=16, learning_rate=0.02, flip="random", shift=1, label_smoothing=0.1
)
DATA = colors(noise=120)


@pytest.fixture(autouse=True)
def _progress_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "INTERVAL", 0.0)


def run(folder: Path, recipe: Recipe, *, resume: bool = False, stop_step: int | None = None) -> Listener:
    control = Control()
    listener = Listener(stop_at(control, step=stop_step))
    train(tiny(dropout=True), DATA, recipe, control=control, emit=listener, folder=folder, resume=resume)
    return listener


def scores(listener: Listener) -> list[object]:
    return [(event.epoch, event.train, event.validation, event.best) for event in listener.of(EpochEnded)]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("schedule", ["constant", "one_cycle"])
def test_a_resumed_run_gives_the_same_bits(optimizer: str, schedule: str, tmp_path: Path) -> None:
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
        left = CheckpointStore(tmp_path / "whole/checkpoints").load(name, with_state=name == "last")
        right = CheckpointStore(tmp_path / "parts/checkpoints").load(name, with_state=name == "last")
        assert left.weights.keys() == right.weights.keys()
        assert all(torch.equal(value, right.weights[key]) for key, value in left.weights.items())
        assert all(torch.equal(value, right.state[key]) for key, value in left.state.items())


def test_the_elapsed_time_continues(tmp_path: Path) -> None:
    first = run(tmp_path, RECIPE, stop_step=15)
    second = run(tmp_path, RECIPE, resume=True)
    assert second.of(EpochEnded)[0].seconds > first.of(EpochEnded)[-1].seconds


def test_a_run_resumes_before_the_end_of_its_first_epoch(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", RECIPE)
    first = run(tmp_path / "parts", RECIPE, stop_step=3)
    second = run(tmp_path / "parts", RECIPE, resume=True)
    assert first.losses() + second.losses() == whole.losses()
    assert scores(second) == scores(whole)
    started = second.of(Started)[0]
    assert (started.first_epoch, started.steps_done) == (1, len(first.losses()))


def test_resuming_a_complete_run_only_reports_its_result(tmp_path: Path) -> None:
    whole = run(tmp_path, RECIPE)
    again = run(tmp_path, RECIPE, resume=True)
    assert [type(event) for event in again.events] == [Started, Finished]
    assert again.of(Finished)[0].test == whole.of(Finished)[0].test


def test_a_damaged_last_checkpoint_is_replaced_by_the_previous_one(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", RECIPE)
    first = run(tmp_path / "parts", RECIPE, stop_step=21)
    assert len(scores(first)) == 3
    (damaged,) = (tmp_path / "parts/checkpoints").glob("step-*.state.safetensors")
    damaged.write_bytes(b"damaged")
    second = run(tmp_path / "parts", RECIPE, resume=True)
    assert f"{damaged.name} does not match its SHA-256" in second.of(Warned)[0].message
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
            "optimizer: the checkpoint was written with adam, so the run cannot resume with sgd",
        ),
    ],
    ids=["design", "optimizer"],
)
def test_a_checkpoint_of_another_run_is_refused_before_any_event(
    other: Network, recipe: Recipe, reason: str, tmp_path: Path
) -> None:
    run(tmp_path, RECIPE, stop_step=15)
    listener = Listener()
    with pytest.raises(CheckpointError, match=reason):
        train(other, DATA, recipe, emit=listener, folder=tmp_path, resume=True)
    assert not listener.events


# From any step


class Killed(BaseException):
    """Ends the process without any cleanup, like a kill."""


def kill_at(step: int) -> Listener:
    def act(event: Event) -> None:
        if isinstance(event, Progress) and event.step >= step:
            raise Killed

    return Listener(act)


VARIED = RECIPE.replace(epochs=3, schedule="one_cycle", weight_decay=0.01, average_decay=0.9)
RECIPES = {
    "adam, averaged": VARIED,
    "sgd, lookahead, alternating": VARIED.replace(
        optimizer="sgd", average_decay=0.0, lookahead=True, flip="alternating", clip_norm=1.0
    ),
    "muon, mixed": VARIED.replace(optimizer="muon", mixup=0.3, cutmix=1.0, cutout=2, accumulate=2),
    "rmsprop, colors": VARIED.replace(optimizer="rmsprop", brightness=0.3, saturation=0.3, crop=0.2),
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_killed_run_resumes_bit_for_bit_from_any_step(name: str, tmp_path: Path) -> None:
    recipe = RECIPES[name]
    whole = run(tmp_path / "whole", recipe)
    expected = manifest(tmp_path / "whole")
    for step in (1, 2, 5, 6, 7, 11, 17, 18):
        folder = tmp_path / str(step)
        with pytest.raises(Killed):
            train_prepared(
                prepare(tiny(dropout=True), DATA, recipe),
                emit=kill_at(step),
                folder=folder,
                interval=SaveInterval(steps=1),
            )
        again = run(folder, recipe, resume=True)
        done = again.of(Started)[0].steps_done
        assert step - 2 <= done < step
        assert again.losses() == whole.losses()[done:]
        assert scores(again) == scores(whole)[done // 6 :]
        assert manifest(folder) == expected


def manifest(folder: Path) -> dict[str, object]:
    """The SHA-256 of the last and the best weights, and of the state to resume from."""
    found = {name: read_json(folder / "checkpoints" / f"{name}.json") for name in ("last", "best")}
    return {
        f"{name}.{part}": content[part]["sha256"]
        for name, content in found.items()
        for part in ("weights", "state")
        if part in content
    }


def test_the_mean_of_an_epoch_does_not_depend_on_how_often_it_was_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    often = run(tmp_path / "often", RECIPE)
    monkeypatch.setattr(metrics, "INTERVAL", 1e9)
    assert scores(run(tmp_path / "seldom", RECIPE)) == scores(often)


def test_another_number_of_images_is_refused_within_an_epoch(tmp_path: Path) -> None:
    run(tmp_path, RECIPE, stop_step=9)
    with pytest.raises(
        CheckpointError, match="within an epoch of 6 batches, so the run cannot resume with 4"
    ):
        train(tiny(dropout=True), colors(64), RECIPE, emit=Listener(), folder=tmp_path, resume=True)


def test_a_checkpoint_without_a_position_is_damage(tmp_path: Path) -> None:
    run(tmp_path, RECIPE, stop_step=9)
    path = tmp_path / "checkpoints/last.json"
    content = read_json(path)
    del content["info"]["seconds"]
    write_json(path, with_checksum(content))
    (note,) = run(tmp_path, RECIPE, resume=True).of(Warned)
    assert "Cannot resume from this checkpoint" in note.message
    assert "Resuming from the previous checkpoint" in note.message


@pytest.mark.parametrize(
    "metadata",
    [
        {"batch": 10**9},
        {"batch": 7},
        {"epoch": -3},
        {"epoch": [2]},
        {"seconds": "long"},
        {"history": 7},
        {"history": [{"event": "Paused", "step": 3}]},
        {"recipe": {"format": "something"}},
        {"seconds": 1e400},
        {"sums": [1e400, 0, 0]},
    ],
    ids=str,
)
def test_invalid_positions_in_all_checkpoints_are_refused(
    metadata: dict[str, object], tmp_path: Path
) -> None:
    run(tmp_path, RECIPE, stop_step=9)
    for path in (tmp_path / "checkpoints").glob("*.json"):
        content = read_json(path) | {"version": 1, "sha256": ""}
        path.write_text(json.dumps(content | {"info": content["info"] | metadata}))
    listener = Listener()
    with pytest.raises(CheckpointError, match=r"Cannot resume from this checkpoint|Infinity") as caught:
        train(tiny(dropout=True), DATA, RECIPE, emit=listener, folder=tmp_path, resume=True)
    assert "\n" not in str(caught.value)
    assert not listener.events


@pytest.mark.parametrize("state", [{}, {"rng.cpu": torch.zeros(1, dtype=torch.uint8)}])
def test_random_state_of_another_torch_version_is_refused(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    run(tmp_path, RECIPE, stop_step=9)
    checkpoints = CheckpointStore(tmp_path / "checkpoints")
    found = checkpoints.load("last", with_state=True)
    kept = {key: value for key, value in found.state.items() if key != "rng.cpu"}
    checkpoints.save("step-000000009", Checkpoint(found.weights, found.info, kept | state))
    with pytest.raises(CheckpointError, match="its random number state does not fit this version of PyTorch"):
        run(tmp_path, RECIPE, resume=True)


# Damaged checkpoints


def test_a_newer_checkpoint_is_refused_even_if_there_is_a_previous_one(tmp_path: Path) -> None:
    run(tmp_path, RECIPE, stop_step=21)
    path = tmp_path / "checkpoints/last.json"
    write_json(path, with_checksum(read_json(path) | {"version": 99}))
    with pytest.raises(CheckpointError, match="written by a newer CNN Studio"):
        run(tmp_path, RECIPE, resume=True)


@pytest.mark.parametrize("stop_step", [21, None], ids=["within an epoch", "complete"])
def test_damaged_best_weights_are_reported_and_replaced(stop_step: int | None, tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", RECIPE)
    run(tmp_path / "parts", RECIPE, stop_step=stop_step)
    (tmp_path / "parts/checkpoints/best.json").write_text("{")
    again = run(tmp_path / "parts", RECIPE, resume=True)
    assert "The best weights so far are lost" in again.of(Warned)[0].message
    assert again.of(Finished)[0].outcome == "completed"
    assert again.of(Finished)[0].best_epoch is not None
    assert whole.losses()[-1:] == (again.losses() or whole.losses())[-1:]
    CheckpointStore(tmp_path / "parts/checkpoints").load("best")


def test_a_flipped_byte_anywhere_is_detected_or_harmless(tmp_path: Path) -> None:
    recipe = RECIPE.replace(epochs=3)
    run(tmp_path / "whole", recipe)
    expected = manifest(tmp_path / "whole")["last.weights"]
    run(tmp_path / "parts", recipe, stop_step=15)
    refused: list[str] = []
    for path in sorted((tmp_path / "parts/checkpoints").iterdir()):
        for place in (0.1, 0.7):
            folder = tmp_path / f"{path.name} {place}"
            shutil.copytree(tmp_path / "parts", folder)
            data = bytearray(path.read_bytes())
            data[int(place * len(data))] ^= 1
            (folder / "checkpoints" / path.name).write_bytes(data)
            try:
                run(folder, recipe, resume=True)
            except CheckpointError as error:
                refused.append(str(error))
            else:
                assert manifest(folder)["last.weights"] == expected
    assert all("\n" not in sentence for sentence in refused)


# How often


@pytest.fixture
def _no_saves_at_epoch_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SaveSchedule, "is_within_budget", lambda schedule, now: False)


def test_an_interval_is_a_number_of_steps_or_a_time() -> None:
    assert SaveInterval.parse("500") == SaveInterval(steps=500)
    assert SaveInterval.parse("30s") == SaveInterval(seconds=30)
    assert SaveInterval.parse(" 2 m ") == SaveInterval(seconds=120)
    for wrong in ("", "0", "-3", "1.5", "often", "3h", "9" * 50):
        with pytest.raises(
            SaveIntervalError, match="must be a number of steps such as 500 or a time such as 30s"
        ):
            SaveInterval.parse(wrong)


def test_saving_takes_at_most_one_percent_of_the_time_by_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(save_schedule, "_COST_FACTOR", 100)
    default, exact = (
        SaveSchedule(SaveInterval(seconds=10, exact=False), 0.0),
        SaveSchedule(SaveInterval(seconds=10), 0.0),
    )
    for schedule in (default, exact):
        assert not schedule.is_due(5, 9.9)
        assert schedule.is_due(5, 10.0)
        schedule.record_save(10.5, 0.5)
    assert exact.is_due(6, 20.6)
    assert not default.is_due(6, 60.0)
    assert default.is_due(6, 60.6)
    # The same at the ends of epochs.
    assert exact.is_within_budget(10.6)
    assert not default.is_within_budget(60.0)
    assert default.is_within_budget(60.6)


def epochs_on_disk(folder: Path) -> tuple[int, int]:
    """The epochs of the last and of the best weights."""
    checkpoints = CheckpointStore(folder / "checkpoints")
    return checkpoints.load("last").info["epoch"], checkpoints.load("best").info["epoch"]


@pytest.mark.usefixtures("_no_saves_at_epoch_ends")
@pytest.mark.parametrize("ending", ["the end", "a stop", "patience"])
def test_the_end_of_the_run_is_saved_even_if_epochs_are_too_short_to_be(ending: str, tmp_path: Path) -> None:
    recipe = RECIPE.replace(patience=1) if ending == "patience" else RECIPE
    listener = run(tmp_path, recipe, stop_step=21 if ending == "a stop" else None)
    ended = listener.of(EpochEnded)
    best = [event.epoch for event in ended if event.best][-1]
    assert epochs_on_disk(tmp_path) == (len(ended), best)
    assert listener.of(Finished)[0].best_epoch == best
    assert not list((tmp_path / "checkpoints").glob(f"epoch-{min(best, len(ended)) - 1:05d}*"))


@pytest.mark.usefixtures("_no_saves_at_epoch_ends")
def test_unsaved_epochs_are_repeated_exactly_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in (7, 13, 15, 20, 26, 29):
        folder = tmp_path / str(step)
        with pytest.raises(Killed):
            train_prepared(
                prepare(tiny(dropout=True), DATA, VARIED.replace(epochs=5)),
                emit=kill_at(step),
                folder=folder,
                interval=SaveInterval(steps=5),
            )
        before = epochs_on_disk(folder)
        assert before[0] == (step - 1) // 5 * 5 // 6
        run(folder, VARIED.replace(epochs=5), resume=True)
    monkeypatch.undo()
    whole = run(tmp_path / "whole", VARIED.replace(epochs=5))
    assert all(
        manifest(tmp_path / str(step)) == manifest(tmp_path / "whole") for step in (7, 13, 15, 20, 26, 29)
    )
    assert len(scores(whole)) == 5


@pytest.mark.usefixtures("_no_saves_at_epoch_ends")
def test_the_best_weights_are_written_before_a_position_that_refers_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[str] = []
    for name in ("save", "save_best"):
        original = getattr(CheckpointStore, name)

        def recorded(
            self: CheckpointStore, stem: str, *rest: Any, original: Any = original, **named: Any
        ) -> None:
            saved.append(stem)
            original(self, stem, *rest, **named)

        monkeypatch.setattr(CheckpointStore, name, recorded)
    run(tmp_path, RECIPE.replace(epochs=2), stop_step=9)
    assert saved == ["epoch-00001", "step-000000010"]


def test_an_interval_in_steps_counts_from_the_start_of_the_run(tmp_path: Path) -> None:
    schedule = SaveSchedule(SaveInterval(steps=4), 0.0)
    assert [step for step in range(1, 13) if schedule.is_due(step, 0.0)] == [4, 8, 12]
