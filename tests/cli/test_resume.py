"""`cnnstudio train --resume` goes on as the run began, unless the options say otherwise."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from cnnstudio.cli.main import main
from cnnstudio.core.files import read_json, write_json
from cnnstudio.runs.run import Run
from cnnstudio.training.checkpoints.store import CheckpointStore
from cnnstudio.training.preflight import prepare

Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def both(design: Path, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of two of four epochs with two threads, and the same run to its end."""
    folder = tmp_path_factory.mktemp("runs")
    arguments = ["train", str(design), "--data", str(images), "--recipe", "lesson", "--batch-size", "8"]
    hardware = ["--threads", "2", "--device", "cpu", "--checkpoint-every", "3"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNSTUDIO_HOME", str(folder / "home"))
        for name, epochs in (("parts", "2"), ("whole", "4")):
            assert main([*arguments, "--epochs", epochs, *hardware, "--run", str(folder / name)]) == 0
    return folder


@pytest.fixture
def stopped(both: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A copy of the first of them, and the whole run, which tests must not change."""
    shutil.copytree(both / "parts", tmp_path / "parts")
    return tmp_path / "parts", both / "whole"


def test_a_run_resumes_without_its_design_and_with_its_own_threads(stopped: tuple[Path, Path]) -> None:
    parts, whole = stopped
    assert main(["train", "--resume", "--run", str(parts), "--epochs", "4"]) == 0
    assert Run.open(parts).metadata["threads"] == 2
    assert Run.open(parts).test == Run.open(whole).test
    resumed, expected = (CheckpointStore(folder / "checkpoints").load("last").weights for folder in stopped)
    assert all(bool((resumed[name] == expected[name]).all()) for name in expected)


def test_what_is_said_counts_more_than_the_runs_own(stopped: tuple[Path, Path]) -> None:
    parts, _ = stopped
    assert main(["train", "--resume", "--run", str(parts), "--epochs", "4", "--threads", "1"]) == 0
    assert Run.open(parts).metadata["threads"] == 1


def test_a_device_that_is_gone_is_named(stopped: tuple[Path, Path], capsys: Output) -> None:
    parts, _ = stopped
    write_json(parts / "run.json", read_json(parts / "run.json") | {"device": "cuda:7"})
    assert main(["train", "--resume", "--run", str(parts), "--epochs", "4"]) == 2
    assert "cuda" in capsys.readouterr().err
    assert main(["train", "--resume", "--run", str(parts), "--epochs", "4", "--device", "cpu"]) == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_a_log_that_is_no_file_is_refused_before_training(
    kind: str, trained: Path, tmp_path: Path, capsys: Output
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    before = (run / "run.json").read_bytes()
    log = run / "events.jsonl"
    log.unlink()
    {"pipe": os.mkfifo, "device": lambda path: path.symlink_to("/dev/zero"), "folder": os.mkdir}[kind](log)
    assert main(["train", "--resume", "--run", str(run), "--epochs", "4"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert f"{log} cannot be opened: it is a " in err
    assert (run / "run.json").read_bytes() == before


def test_a_new_run_needs_a_design(capsys: Output) -> None:
    assert main(["train", "--data", "shapes"]) == 2
    assert "the following arguments are required: DESIGN" in capsys.readouterr().err


def test_auto_replaces_a_fixed_precision(
    design: Path, images: Path, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "fastest_precision", lambda device: "float32")
    recipe = tmp_path / "fixed.recipe.json"
    write_json(recipe, {"format": "cnnstudio.recipe", "version": 1, "name": "fixed", "precision": "bfloat16"})
    options = ["--recipe", str(recipe), "--epochs", "1", "--batch-size", "8", "--device", "cpu"]
    run = ["--run", str(tmp_path / "run"), "--precision", "auto", "--json"]
    assert main(["train", str(design), "--data", str(images), *options, *run]) == 0
    assert Run.open(tmp_path / "run").recipe.precision == "float32"
    shutil.rmtree(tmp_path / "run")
    assert main(["train", str(design), "--data", str(images), *options, "--run", str(tmp_path / "run")]) == 0
    assert Run.open(tmp_path / "run").recipe.precision == "bfloat16"
    capsys.readouterr()
    # Not dropped when resuming either: the run would have to change its precision.
    assert main(["train", "--resume", *run[:-1], "--epochs", "2"]) == 2
    assert "precision" in capsys.readouterr().err


@pytest.mark.parametrize("gone", [("last",), ("last", "previous")])
def test_an_older_checkpoint_is_named_on_standard_error(
    gone: tuple[str, ...], stopped: tuple[Path, Path], capsys: Output
) -> None:
    parts, _ = stopped
    for name in gone:
        (parts / "checkpoints" / f"{name}.json").unlink()
    capsys.readouterr()
    assert main(["train", "--resume", "--run", str(parts), "--epochs", "4", "--json"]) == 0
    out, err = capsys.readouterr()
    used = ("previous", "best")[len(gone) - 1]
    assert f"Note: There is no checkpoint “last” in {parts / 'checkpoints'}." in err
    assert f"Resuming from the {used} checkpoint" in err
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["event"] for event in events[:2]] == ["Started", "Warned"]
