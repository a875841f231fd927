"""What goes wrong around a training: one plain line, and a run that is whole as far as it came."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from cnnstudio.cli.main import main
from cnnstudio.cli.training_output import TextPrinter
from cnnstudio.data.sources import find_source
from cnnstudio.runs.run import Run
from cnnstudio.training.checkpoints.store import Checkpoint, Checkpoints
from cnnstudio.training.events import EpochEnded, Scores
from cnnstudio.training.train_step import Learner

Output = pytest.CaptureFixture[str]


@pytest.fixture
def train(design: Path, images: Path, tmp_path: Path) -> list[str]:
    """The beginning of a command that trains into `tmp_path / "run"`."""
    recipe = ["--recipe", "lesson", "--epochs", "2", "--batch-size", "8"]
    place = ["--device", "cpu", "--threads", "1", "--run", str(tmp_path / "run")]
    return ["train", str(design), "--data", str(images), *recipe, *place]


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--learning-rate", "1e9"], "--learning-rate: 1000000000 is out of range: 1e-08 to 100 is possible"),
        (["--learning-rate", "nan"], "--learning-rate: a number that is not finite is out of range"),
        (["--learning-rate", "0"], "--learning-rate: 0 is out of range"),
        (["--epochs", "1000000000"], "--epochs: 1,000,000,000 is out of range: 1 to 10,000 is possible"),
        (["--epochs", "9" * 40], "--epochs: a number of more than 18 digits is out of range"),
        (["--batch-size", "0"], "--batch-size: 0 is out of range"),
    ],
)
def test_numbers_beyond_all_sense_are_refused_with_the_range(
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
        ({"dark": 6}, 8, "holds only one class (dark): there is nothing to tell apart"),
        ({"dark": 1, "bright": 1}, 8, None),
        ({"dark": 6, "bright": 6, "empty": 0}, 8, None),
        ({"dark": 6, "bright": 6}, 1, None),
    ],
    ids=["one class", "one image a class", "an empty class", "one pixel an image"],
)
def test_the_smallest_data_sets_train_or_say_what_they_lack(
    counts: dict[str, int], side: int, part: str | None, train: list[str], capsys: Output, tmp_path: Path
) -> None:
    for split in ("train", "test"):
        for level, (name, count) in enumerate(counts.items()):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for number in range(count):
                image = Image.new("RGB", (side, side), (200 * level, number, number))
                image.save(tmp_path / "data" / split / name / f"{number}.png")
    status = main([*train, "--data", str(tmp_path / "data")])
    err = capsys.readouterr().err
    assert (status, err.count("\n")) == ((0, 0) if part is None else (2, 1))
    assert part is None or part in err


def test_a_device_that_fails_ends_the_run_as_failed_in_words(
    train: list[str], capsys: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise torch.AcceleratorError("CUDA error: device-side assert triggered\nmore for programmers")

    monkeypatch.setattr(Learner, "backward", fail)
    assert main(train) == 1
    out, err = capsys.readouterr()
    assert "The device cpu failed (CUDA error: device-side assert triggered): start the program anew" in out
    assert "Traceback" not in out + err
    assert "programmers" not in out + err
    assert Run.open(tmp_path / "run").status == "failed"


def test_a_loss_as_large_as_numbers_are_keeps_the_table_whole(capsys: Output) -> None:
    huge = Scores(2.1e14, 0.788), Scores(37_344_946_858.7, 0.167)
    TextPrinter()(EpochEnded(1, *huge, 2757.0, 100.0, 0.3, True))
    assert capsys.readouterr().out.split()[:4] == ["1", "2e+14", "78.8", "%"]


@pytest.mark.parametrize("command", [["evaluate"], ["predict"], ["export", "--format", "safetensors"]])
def test_weights_that_are_no_numbers_give_no_answers(
    command: list[str], trained: Path, images: Path, capsys: Output, tmp_path: Path
) -> None:
    shutil.copytree(trained, tmp_path / "run")
    checkpoints = Checkpoints(tmp_path / "run" / "checkpoints")
    found = checkpoints.load("best")
    spoilt = {key: torch.full_like(value, torch.nan) for key, value in found.weights.items() if value.ndim}
    checkpoints.save_best("spoilt", Checkpoint({**found.weights, **spoilt}, found.info))
    more = {"predict": [str(next(images.rglob("*.png")))], "export": ["--out", str(tmp_path / "out")]}
    assert main([*command, str(tmp_path / "run"), *more.get(command[0], [])]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "The checkpoint “best” is damaged" in err
    assert "holds values that are no numbers" in err


@pytest.mark.skipif(os.name == "nt", reason="Windows sets no such limits")
def test_a_disk_that_is_full_is_a_note_and_the_run_is_there_as_far_as_there_was_room(
    train: list[str], images: Path, tmp_path: Path
) -> None:
    # Decoded before the disk is full.
    find_source(str(images)).load()
    # No file may grow beyond that: the small ones can be written, the weights cannot.
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500));"
        "from cnnstudio.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", limited, *train], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Note: The weights could not be saved; the run goes on. Cannot write" in ended.stdout
    assert "File too large" in ended.stdout
    assert main(["runs", "show", str(tmp_path / "run")]) == 0
    assert main(["evaluate", str(tmp_path / "run")]) == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such terminals")
def test_a_terminal_that_is_closed_stops_the_run_in_good_order(train: list[str], tmp_path: Path) -> None:
    terminal, own = os.openpty()
    # The session's first process gets the terminal as its own, and with it the signal of its end.
    code = (
        "import fcntl, signal, sys, termios; signal.signal(signal.SIGHUP, signal.SIG_DFL);"
        "fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
        "from cnnstudio.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, *train, "--epochs", "10000"]
    process = subprocess.Popen(command, stdin=own, stdout=own, stderr=own, start_new_session=True)
    os.close(own)
    said = b""
    while b"best so far" not in said:
        said += os.read(terminal, 4096)
    os.close(terminal)
    assert process.wait(60) == 130
    assert Run.open(tmp_path / "run").status == "stopped"
    assert not Run.open(tmp_path / "run").model("last").training


def test_a_program_whose_parent_was_killed_goes_on_and_can_be_stopped(
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
    """Until the run in that folder has done so many."""
    while not (folder / "run.json").exists() or len(Run.open(folder).history) < epochs:
        time.sleep(0.05)
