"""A run whose checkpoints are damaged resumes from an older one, and says so."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cnnstudio.core.files import read_json, write_json
from cnnstudio.runs.run import Run
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training import metrics
from cnnstudio.training.checkpoints.save_schedule import SaveInterval
from cnnstudio.training.checkpoints.store import Checkpoint, CheckpointError, CheckpointStore, with_checksum
from cnnstudio.training.control import Control
from cnnstudio.training.events import EpochEnded, Finished, Started, Warned
from cnnstudio.training.recipe.recipe import Recipe
from tests.training.images import colors
from tests.training.listeners import Listener, stop_at
from tests.training.networks import tiny

RECIPE = Recipe("mine", epochs=3, batch_size=16, learning_rate=0.01)
DATA = colors()


@pytest.fixture(autouse=True)
def _progress_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "INTERVAL", 0.0)


def run(folder: Path, stop_step: int | None = None, *, resume: bool = False, seed: int = 0) -> Listener:
    control = Control()
    listener = Listener(stop_at(control, step=stop_step))
    options = RunOptions(folder=folder, threads=1, resume=resume, interval=SaveInterval(steps=2))
    start_run(tiny(), DATA, RECIPE.replace(seed=seed), options, control=control, emit=listener)
    return listener


def make_infinite(path: Path) -> None:
    """One digit becomes the letter e, as in 1e859."""
    text = path.read_text()
    found = re.search(r'"loss": (\d+\.\d{10,})', text)
    assert found is not None
    place = found.end(1) - 4
    path.write_text(f"{text[:place]}e{text[place + 1 :]}")


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_foreign(path: Path) -> None:
    content = read_json(path)
    content["info"]["history"][0]["train"]["loss"] += 0.01
    write_json(path, with_checksum(content))


def overwrite(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "one digit is an e": make_infinite,
    "missing": Path.unlink,
    "empty": overwrite(b""),
    "not a manifest": overwrite(b"[3]"),
    "a number that is not JSON": overwrite(b'{"format": "cnnstudio.checkpoint", "version": 2, "info": NaN}'),
    "nested too deeply": overwrite(b"[" * 100_000),
    "not UTF-8": overwrite(b"\xff\xfe"),
    "a folder": make_folder,
    "of another run": make_foreign,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_whatever_is_wrong_with_a_checkpoint_an_older_one_is_used_and_said(
    damage: str, tmp_path: Path
) -> None:
    whole = run(tmp_path / "whole")
    run(tmp_path / "parts", 9)
    for count in (1, 2, 3):
        folder = tmp_path / str(count)
        shutil.copytree(tmp_path / "parts", folder)
        for name in ("last", "previous", "best")[:count]:
            DAMAGES[damage](folder / "checkpoints" / f"{name}.json")
        if count == 3 and damage != "missing":
            with pytest.raises(CheckpointError, match=r"last|belongs to another run"):
                run(folder, resume=True)
            continue
        again = run(folder, resume=True)
        assert again.of(Finished)[0].outcome == "completed"
        note = again.of(Warned)[0].message
        if count == 3:
            assert "no checkpoint to resume from, so it starts again with its first epoch" in note
        else:
            assert f"Resuming from the {('previous', 'best')[count - 1]} checkpoint" in note
            assert again.of(Started)[0].steps_done == (8, 6)[count - 1]
        if count == 2:
            # The best weights are saved without the optimizer's state.
            assert "with a new state of the optimizer and random numbers" in note
            continue
        assert again.of(EpochEnded)[-1].train == whole.of(EpochEnded)[-1].train
        assert Run.open(folder).test == Run.open(tmp_path / "whole").test


def test_a_damaged_last_checkpoint_never_replaces_the_previous_one(tmp_path: Path) -> None:
    checkpoints = CheckpointStore(tmp_path)
    for epoch in (1, 2):
        checkpoints.save(f"epoch-{epoch:05d}", Checkpoint({}, {"epoch": epoch}))
    (tmp_path / "last.json").write_text("{}")
    checkpoints.save("epoch-00003", Checkpoint({}, {"epoch": 3}))
    assert [checkpoints.load(name).info["epoch"] for name in ("last", "previous")] == [3, 1]


def test_checkpoints_of_another_run_are_refused_by_every_reader(tmp_path: Path) -> None:
    run(tmp_path / "own", 9)
    run(tmp_path / "other", 9, seed=1)
    shutil.rmtree(tmp_path / "own/checkpoints")
    shutil.copytree(tmp_path / "other/checkpoints", tmp_path / "own/checkpoints")
    own = Run.open(tmp_path / "own")
    for name in ("last", "previous", "best"):
        with pytest.raises(CheckpointError, match="belongs to another run"):
            own.model(name)
    with pytest.raises(CheckpointError, match="belongs to another run"):
        run(tmp_path / "own", resume=True)
    options = RunOptions(folder=tmp_path / "new", continue_from=tmp_path / "own")
    with pytest.raises(CheckpointError, match="belongs to another run"):
        start_run(tiny(), DATA, RECIPE, options)
    assert not (tmp_path / "new").exists()


def test_checkpoints_of_other_images_are_refused_by_every_reader(tmp_path: Path) -> None:
    run(tmp_path / "own", 9)
    other = RunOptions(folder=tmp_path / "other", threads=1, interval=SaveInterval(steps=2))
    start_run(tiny(), colors(noise=20), RECIPE, other)
    shutil.rmtree(tmp_path / "own/checkpoints")
    shutil.copytree(tmp_path / "other/checkpoints", tmp_path / "own/checkpoints")
    for name in ("last", "previous", "best"):
        with pytest.raises(CheckpointError, match="belongs to another run: its epoch 1 has other scores"):
            Run.open(tmp_path / "own").model(name)
    with pytest.raises(CheckpointError, match="belongs to another run"):
        run(tmp_path / "own", resume=True)


def test_a_run_that_saved_nothing_yet_starts_again_and_says_so(tmp_path: Path) -> None:
    run(tmp_path / "run", 9)
    shutil.rmtree(tmp_path / "run/checkpoints")
    again = run(tmp_path / "run", resume=True)
    assert [event.message for event in again.of(Warned)] == [
        "The run has no checkpoint to resume from, so it starts again with its first epoch."
    ]
    assert replace(again.of(Started)[0], run=None).steps_done == 0
