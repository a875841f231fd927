"""`cnnstudio train` under torchrun: one of the processes is killed, and the run lives on or ends in words."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pytest

from cnnstudio.cli.main import main
from cnnstudio.cli.ranks import run_on_ranks
from cnnstudio.runs.library.finding import launched_run
from cnnstudio.runs.run import Run
from cnnstudio.training.distributed import process_group
from cnnstudio.training.distributed.ranks import Ranks, RanksError

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = Path("/proc")

pytestmark = pytest.mark.skipif(
    not (PROCESSES / "self" / "environ").exists(), reason="ranks are found by what Linux tells of processes"
)

PATIENCE = 120.0


@pytest.fixture
def command(design: Path, images: Path) -> list[str]:
    """A training of 40 images in batches of 16, saved after every other step."""
    # Weights are compared in float32 and without their average, which would hide a part of a difference.
    recipe = ["--recipe", "studio", "--batch-size", "16", "--learning-rate", "0.02", "--shift", "1"]
    recipe += ["--precision", "float32", "--average-decay", "0"]
    saving = ["--device", "cpu", "--checkpoint-every", "2", "--json"]
    return ["train", str(design), "--data", str(images), *recipe, *saving]


@contextmanager
def started(command: list[str], restarts: int, home: Path) -> Iterator[subprocess.Popen[str]]:
    """Runs the command as two ranks under torchrun, which are gone afterwards."""
    # The two dashes keep torchrun from taking our options for abbreviations of its own.
    launcher = ["--standalone", "--nproc-per-node", "2", "--max-restarts", str(restarts), "-m", "--"]
    process = subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", *launcher, "cnnstudio", *command],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CNNSTUDIO_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def rank_of(parent: int, rank: int) -> int:
    """The id of the process with this rank."""
    children = (PROCESSES / f"{parent}" / "task" / f"{parent}" / "children").read_text().split()
    (found,) = (
        int(child)
        for child in children
        if f"RANK={rank}".encode() in (PROCESSES / child / "environ").read_bytes().split(b"\0")
    )
    return found


def kill_in_the_middle(process: subprocess.Popen[str], rank: int) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if '"EpochEnded"' in line:
            break
    os.kill(rank_of(process.pid, rank), signal.SIGKILL)


def only_error(errors: str) -> str:
    """The only error message of the program."""
    found = [line for line in errors.splitlines() if line.startswith("cnnstudio: ")]
    assert len(found) == 1, errors
    return found[0]


def test_a_killed_rank_ends_all_ranks_with_one_error(command: list[str], tmp_path: Path) -> None:
    run_folder = ["--run", str(tmp_path / "run")]
    with started([*command, "--epochs", "10000", *run_folder], 0, tmp_path / "home") as process:
        kill_in_the_middle(process, 1)
        output, errors = process.communicate(timeout=240)
    assert process.returncode == 1
    assert "Another process of this training ended or became unreachable" in only_error(errors)
    assert "[rank" not in errors, "torch starts the lines of a traceback like this"
    # Only the first rank printed and wrote.
    assert output.count('"Finished"') == 1
    run = Run.open(tmp_path / "run")
    assert run.status == "failed"
    assert run.metadata["ranks"] == 2
    assert not (tmp_path / "home" / "runs").exists()


def test_a_run_with_a_killed_rank_is_restarted_and_gives_the_same_result(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command += ["--epochs", "12"]
    with started(command, 1, tmp_path / "home") as process:
        kill_in_the_middle(process, 0)
        output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert output.count('"Started"') == 1, "the other start was read before the kill"
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path / "home"))
    assert main([*command, "--run", str(tmp_path / "single")]) == 0
    # It was given no folder, and continued in the one that it had created.
    (folder,) = (tmp_path / "home" / "runs").iterdir()
    distributed, single = Run.open(folder), Run.open(tmp_path / "single")
    assert distributed.status == "completed"
    assert len(distributed.history) == len(single.history) == 12
    expected = single.model("last").state_dict()
    for key, value in distributed.model("last").state_dict().items():
        np.testing.assert_allclose(value, expected[key], rtol=1e-3, atol=1e-4, err_msg=key)


def test_invalid_input_is_reported_once(command: list[str], tmp_path: Path) -> None:
    with started([*command, "--epochs", "0"], 0, tmp_path / "home") as process:
        _, errors = process.communicate(timeout=PATIENCE)
    assert "--epochs" in only_error(errors)
    assert not (tmp_path / "home" / "runs").exists()


@pytest.mark.parametrize("trial", ["--preflight", "--find-learning-rate", "--batch-size=auto"])
@pytest.mark.parametrize("rank", [0, 1])
def test_preflight_checks_are_refused_and_only_the_first_rank_reports_it(
    design: Path, trial: str, rank: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", str(rank))
    monkeypatch.setattr("cnnstudio.cli.main.REPORT_SECONDS", 0.0)
    assert main(["train", str(design), trial]) == 2
    assert ("without torchrun" in capsys.readouterr().err) is (rank == 0)


@pytest.mark.parametrize("lost", [None, "Another one is gone."])
def test_sigterm_from_torchrun_does_not_end_a_rank_before_it_reports_the_failure(
    lost: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    received: list[int] = []
    ranks = Ranks()

    def train(ranks: Ranks) -> int:
        ranks.failure_reason = lost
        signal.raise_signal(signal.SIGTERM)
        raise RanksError

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setattr(process_group, "process_group", lambda device: nullcontext(ranks))
    before = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    try:
        options = Namespace(find_learning_rate=False, preflight=False, batch_size=None, device="cpu")
        assert run_on_ranks(options, train) == 1
    finally:
        signal.signal(signal.SIGTERM, before)
    assert capsys.readouterr().err == (f"cnnstudio: {lost}\n" if lost else "")
    assert received == ([] if lost else [signal.SIGTERM])


def test_a_restarted_launch_finds_its_own_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path))
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "mine")
    for name, launch, seed in (("first", "mine", 1), ("second", "other", 0), ("third", "mine", 0)):
        metadata = {"name": name, "status": "failed", "created": "2026-11-23T00:00:00+00:00", "seed": seed}
        data = {"data": {"source": "shapes", "title": "Shapes"}, "launch": launch}
        (tmp_path / "runs" / name).mkdir(parents=True)
        content = {"format": "cnnstudio.run", "version": 1, **metadata, **data}
        (tmp_path / "runs" / name / "run.json").write_text(json.dumps(content))
    assert launched_run(None, 0) == tmp_path / "runs" / "third"
    assert launched_run(None, 2) is None
    assert launched_run(tmp_path / "runs" / "second", 0) == tmp_path / "runs" / "second"
    assert launched_run(tmp_path / "runs" / "fourth", 0) is None
