"""Failures around training: each prints one line, and leaves a valid run as far as it came."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from PIL import Image

from cnnstudio.cli.main import main
from cnnstudio.cli.training_output import TextPrinter
from cnnstudio.data.sources import find_source
from cnnstudio.runs.run import Run
from cnnstudio.training import step_hooks
from cnnstudio.training.checkpoints.store import Checkpoint, CheckpointStore
from cnnstudio.training.events import EpochEnded, Scores
from cnnstudio.training.train_step import TrainingStep

Output = pytest.CaptureFixture[str]


@pytest.fixture
def train(design: Path, images: Path, tmp_path: Path) -> list[str]:
    """The arguments of a command that trains into `tmp_path / "run"`."""
    recipe = ["--recipe", "lesson", "--epochs", "2", "--batch-size", "8"]
    hardware = ["--device", "cpu", "--threads", "1", "--run", str(tmp_path / "run")]
    return ["train", str(design), "--data", str(images), *recipe, *hardware]


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--learning-rate", "1e9"], "--learning-rate: must be between 1e-08 and 100, got 1000000000"),
        (["--learning-rate", "nan"], "--learning-rate: must be a number from 1e-08 to 100, got “nan”"),
        (["--learning-rate", "1,500"], "--learning-rate: 1,500 could be 1.500 or 1500: type one of these"),
        (["--epochs", "1,5"], "--epochs: must be an integer from 1 to 10,000, got 1.5"),
        (["--learning-rate", "0"], "--learning-rate: must be between 1e-08 and 100, got 0"),
        (["--epochs", "1000000000"], "--epochs: must be between 1 and 10,000, got 1,000,000,000"),
        (
            ["--epochs", "9" * 40],
            "--epochs: must be between 1 and 10,000, got a number with more than 18 digits",
        ),
        (["--batch-size", "0"], "--batch-size: must be between 1 and 65,536, got 0"),
    ],
)
def test_absurd_numbers_are_refused_with_the_valid_range(
    options: list[str], part: str, train: list[str], capsys: Output, tmp_path: Path
) -> None:
    assert main([*train, *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert part in err
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("counts", "side", "part"),
    [
        ({"dark": 6}, 8, "has only one class (dark): add a folder with images of another class"),
        ({"dark": 1, "bright": 1}, 8, None),
        ({"dark": 6, "bright": 6, "empty": 0}, 8, None),
        ({"dark": 6, "bright": 6}, 1, None),
    ],
    ids=["one class", "one image per class", "an empty class", "one pixel per image"],
)
def test_the_smallest_data_sets_train_or_are_refused_with_the_reason(
    counts: dict[str, int], side: int, part: str | None, train: list[str], capsys: Output, tmp_path: Path
) -> None:
    for blue, split in enumerate(("train", "test")):
        for level, (name, count) in enumerate(counts.items()):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for number in range(count):
                image = Image.new("RGB", (side, side), (200 * level, number, blue))
                image.save(tmp_path / "data" / split / name / f"{number}.png")
    status = main([*train, "--data", str(tmp_path / "data")])
    err = capsys.readouterr().err
    assert (status, err.count("\n")) == ((0, 0) if part is None else (2, 1))
    assert part is None or part in err


def test_a_failing_device_ends_the_run_as_failed(
    train: list[str], capsys: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise torch.AcceleratorError("CUDA error: device-side assert triggered\nmore for programmers")

    monkeypatch.setattr(TrainingStep, "backward", fail)
    assert main(train) == 1
    out, err = capsys.readouterr()
    assert "The device cpu failed (CUDA error: device-side assert triggered): restart the program" in out
    assert "Traceback" not in out + err
    assert "programmers" not in out + err
    assert Run.open(tmp_path / "run").status == "failed"


def test_a_huge_loss_does_not_break_the_table(capsys: Output) -> None:
    huge = Scores(2.1e14, 0.788), Scores(37_344_946_858.7, 0.167)
    TextPrinter()(EpochEnded(1, *huge, 2757.0, 100.0, 0.3, True))
    assert capsys.readouterr().out.split()[:4] == ["1", "2e+14", "78.8%", "4e+10"]


@pytest.mark.parametrize("command", [["evaluate"], ["predict"], ["export", "--format", "safetensors"]])
def test_weights_that_are_nan_are_refused(
    command: list[str], trained: Path, images: Path, capsys: Output, tmp_path: Path
) -> None:
    shutil.copytree(trained, tmp_path / "run")
    checkpoints = CheckpointStore(tmp_path / "run" / "checkpoints")
    found = checkpoints.load("best")
    damaged = {key: torch.full_like(value, torch.nan) for key, value in found.weights.items() if value.ndim}
    checkpoints.save_best("damaged", Checkpoint({**found.weights, **damaged}, found.info))
    more = {"predict": [str(next(images.rglob("*.png")))], "export": ["--out", str(tmp_path / "out")]}
    assert main([*command, str(tmp_path / "run"), *more.get(command[0], [])]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "The checkpoint “best” is damaged" in err
    assert "contains NaN or infinite values" in err


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Limits the size of the files that this process writes: too small for weights, enough for the rest."""
    import resource

    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.skipif(os.name == "nt", reason="Windows sets no such limits")
def test_a_full_disk_fails_the_run_with_the_reason(
    train: list[str], images: Path, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_hooks, "_RETRY_SECONDS", 0.1)
    # Decodes the images before the disk is full.
    find_source(str(images)).load()
    with full_disk(1500):
        assert main(train) == 1
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    assert "The best weights could not be saved, so training is paused: Cannot write" in out
    assert "The best weights, those of epoch 1, could not be saved: Cannot write" in out
    assert "File too large" in out
    assert "The disk has no weights of a completed epoch." in out
    assert "Test:" not in out
    assert main(["runs", "show", str(tmp_path / "run")]) == 0
    assert main(["evaluate", str(tmp_path / "run")]) == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such terminals")
def test_a_closed_terminal_stops_the_run_with_a_checkpoint(train: list[str], tmp_path: Path) -> None:
    terminal, own = os.openpty()
    # The first process of a session becomes the controlling process of the terminal, and gets its SIGHUP.
    code = (
        "import fcntl, signal, sys, termios; signal.signal(signal.SIGHUP, signal.SIG_DFL);"
        "fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
        "from cnnstudio.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, *train, "--epochs", "10000"]
    process = subprocess.Popen(command, stdin=own, stdout=own, stderr=own, start_new_session=True)
    os.close(own)
    output = b""
    while b"best so far" not in output:
        output += os.read(terminal, 4096)
    os.close(terminal)
    assert process.wait(240) == 130
    assert Run.open(tmp_path / "run").status == "stopped"
    assert not Run.open(tmp_path / "run").model("last").training


def test_a_program_whose_parent_was_killed_continues_and_can_be_stopped(
    train: list[str], tmp_path: Path
) -> None:
    code = (
        "import os, subprocess, sys;"
        "command = [sys.executable, '-m', 'cnnstudio', *sys.argv[1:]];"
        "child = subprocess.Popen(command, stdout=subprocess.DEVNULL);"
        "print(child.pid, flush=True); child.wait()"
    )
    command = [sys.executable, "-c", code, *train, "--epochs", "10000"]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    try:
        wait_for(tmp_path / "run", epochs=1)
        parent.kill()
        parent.wait()
        wait_for(tmp_path / "run", epochs=len(Run.open(tmp_path / "run").history) + 1)
    finally:
        os.kill(child, signal.SIGTERM)
    while Run.open(tmp_path / "run").status == "running":
        time.sleep(0.05)
    assert Run.open(tmp_path / "run").status == "stopped"
    parent.stdout.close()


def wait_for(folder: Path, epochs: int) -> None:
    """Waits until the run in that folder has finished that many epochs."""
    while not (folder / "run.json").exists() or len(Run.open(folder).history) < epochs:
        time.sleep(0.05)


def test_every_command_says_that_the_best_weights_were_not_saved(
    train: list[str], images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(train) == 0
    run = tmp_path / "run"
    last = Run.open(run).history[-1]
    better = EpochEnded(last.epoch + 1, Scores(0.1, 1.0), Scores(0.1, 1.0), 10.0, 0.1, 1.0, best=True)
    with open(run / "events.jsonl", "a") as file:
        file.write(f"{json.dumps(better.to_json())}\n")
    wanted = (
        f"Note: The weights of the best epoch, {better.epoch}, are not in the run's folder: the best that "
        "were saved are those of epoch "
    )
    image = str(next(images.rglob("*.png")))
    export = ["export", str(run), "--format", "safetensors", "--out", str(tmp_path / "out")]
    for command in (
        ["evaluate", str(run), "--json"],
        ["predict", str(run), image],
        [*export, "--no-verify"],
        ["inspect", str(run), "--instrument", "confusion"],
        ["runs", "show", str(run), "--json"],
    ):
        capsys.readouterr()
        assert main(command) == 0
        assert wanted in capsys.readouterr().err, command
    assert main(["runs", "show", str(run)]) == 0
    assert wanted in capsys.readouterr().out
