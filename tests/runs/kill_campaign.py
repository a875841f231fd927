"""Kills runs and resumes them: each has to end with exactly the bits of an uninterrupted run.

    python -m tests.runs.kill_campaign --training 20 --saving 20

Each run is a fork of this process, so that torch is imported only once. A run is killed with SIGKILL at a
random moment after its start, or at a random call that puts a checkpoint onto the disk: before it, after
it, or after half of a write. Every second run saves no checkpoints at the ends of epochs, as if they were
too short for it, and has its best weights in memory until the next save.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import torch

from cnnstudio.core import files
from cnnstudio.core.files import read_json
from cnnstudio.runs.run import Run
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.checkpoints.save_schedule import SaveInterval, SaveSchedule
from cnnstudio.training.checkpoints.store import CheckpointStore
from cnnstudio.training.events import Event, Progress, Started
from cnnstudio.training.recipe.recipe import Recipe
from tests.training.images import colors
from tests.training.networks import tiny

RECIPE = Recipe(
    "campaign",
    epochs=4,
    batch_size=8,
    learning_rate=0.02,
    schedule="one_cycle",
    weight_decay=0.01,
    flip="random",
    shift=1,
    average_decay=0.9,
)
EVERY = SaveInterval(steps=5)
SECONDS = 120


def train(folder: Path, *, resume: bool = False, emit: Callable[[Event], None] = lambda event: None) -> None:
    torch.set_num_threads(1)
    if folder.name.endswith("1"):
        SaveSchedule.is_within_budget = lambda clock, now: False  # type: ignore[method-assign]  # in a process that ends soon
    network, data = tiny(dropout=True), colors(noise=120)
    start_run(
        network, data, RECIPE, RunOptions(folder=folder, threads=1, resume=resume, interval=EVERY), emit=emit
    )


def in_a_fork(work: Callable[[BinaryIO], None]) -> tuple[int, BinaryIO]:
    """Starts a process that does the work and exits; returns its id and a pipe with what it writes."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, os.fdopen(reading, "rb")
    os.close(reading)
    try:
        with os.fdopen(writing, "wb", buffering=0) as output:
            work(output)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def exit_status(child: int) -> int:
    """Waits for the process; its exit status, negative for a signal."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError("a run did not end")


def killed_while_training(folder: Path, wait: float) -> bool:
    """Starts a run and kills it that many seconds after its start; whether it was still running."""

    def work(output: BinaryIO) -> None:
        def emit(event: Event) -> None:
            if isinstance(event, Started):
                output.write(b".")

        train(folder, emit=emit)

    child, output = in_a_fork(work)
    with output:
        output.read(1)
        time.sleep(wait)
        os.kill(child, signal.SIGKILL)
        return exit_status(child) == -signal.SIGKILL


class Killer:
    """Counts the calls that put a checkpoint onto the disk, and kills this process at one of them."""

    def __init__(self, at: int | None = None, when: str = "before") -> None:
        self.calls = 0
        self._at = at
        self._when = when

    def install(self) -> None:
        os.fsync = self._around(os.fsync)
        os.replace = self._around(os.replace)
        Path.unlink = self._around(Path.unlink)  # type: ignore[method-assign]  # in a process that exits soon
        files.open = self._opened  # type: ignore[attr-defined]  # hides the built-in in that module

    def _is_now(self, when: str) -> bool:
        return self.calls == self._at and self._when == when

    def _around(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            if self._is_now("before"):
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(*arguments, **named)
            if self._is_now("after"):
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    def _opened(self, path: Any, mode: str) -> Any:
        file = open(path, mode)  # noqa: SIM115  # the caller closes it
        if "w" in mode or "x" in mode:
            return _InterruptibleFile(file, self)
        return file

    def write(self, file: BinaryIO, data: bytes) -> int:
        self.calls += 1
        if self.calls == self._at:
            file.write(data[: len(data) // 2])
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return file.write(data)


class _InterruptibleFile:
    """A file whose writes may be killed in the middle."""

    def __init__(self, file: BinaryIO, killer: Killer) -> None:
        self._file = file
        self._killer = killer

    def __enter__(self) -> _InterruptibleFile:
        return self

    def __exit__(self, *ending: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, data: bytes) -> int:
        return self._killer.write(self._file, data)


def run_with(killer: Killer, folder: Path) -> tuple[int, int]:
    """Trains with the killer installed from the first step; returns the exit status and the counted calls."""

    def work(output: BinaryIO) -> None:
        installed = False

        def emit(event: Event) -> None:
            nonlocal installed
            if isinstance(event, Progress) and not installed:
                installed = True
                killer.install()

        train(folder, emit=emit)
        output.write(str(killer.calls).encode())

    child, output = in_a_fork(work)
    with output:
        calls = int(output.read() or 0)
        return exit_status(child), calls


def resume(folder: Path) -> None:
    child, output = in_a_fork(lambda output: train(folder, resume=True))
    with output:
        assert exit_status(child) == 0, "the run could not be resumed"


def digest(folder: Path) -> dict[str, str]:
    """The SHA-256 of the weights in each checkpoint, and of the state to resume from."""
    found = {}
    for name in ("last", "best"):
        CheckpointStore(folder / "checkpoints").load(name, with_state=name == "last")
        manifest = read_json(folder / "checkpoints" / f"{name}.json")
        parts = [part for part in ("weights", "state") if part in manifest]
        found |= {f"{name}.{part}": manifest[part]["sha256"] for part in parts}
    return found


def losses(folder: Path) -> list[float]:
    """The loss of each step, from the event log."""
    events = Run.open(folder).events()
    return [loss for event in events if isinstance(event, Progress) for loss in event.losses]


def campaign(root: Path, training: int, saving: int, seed: int) -> int:
    """Kills that many runs; returns their number. Raises AssertionError at the first difference."""
    chance = random.Random(seed)
    started = time.monotonic()
    calls = []
    for parity in (0, 1):
        status, count = run_with(Killer(), root / f"whole-{parity}")
        assert status == 0
        calls.append(count)
    seconds = (time.monotonic() - started) / 2
    expected, expected_losses = digest(root / "whole-0"), losses(root / "whole-0")
    assert digest(root / "whole-1") == expected
    kills = 0
    while kills < training:
        folder = root / f"training-{kills}-{kills % 2}"
        if killed_while_training(folder, chance.uniform(0, 0.8 * seconds)):
            check(folder, expected, expected_losses)
            kills += 1
        else:
            seconds *= 0.7
            folder.rename(root / f"ended-{time.monotonic_ns()}")
    for number in range(saving):
        folder = root / f"saving-{number}-{number % 2}"
        killer = Killer(chance.randint(1, calls[number % 2]), chance.choice(["before", "after"]))
        assert run_with(killer, folder)[0] == -signal.SIGKILL
        check(folder, expected, expected_losses)
    return kills + saving


def check(folder: Path, expected: dict[str, str], expected_losses: list[float]) -> None:
    """Resumes a killed run and compares it."""
    resume(folder)
    found = digest(folder)
    assert found == expected, f"{folder.name}: {found} is not {expected}"
    assert losses(folder) == expected_losses, f"{folder.name}: its event log differs"
    print(f"{folder.name}: identical", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--training", type=int, default=20)
    parser.add_argument("--saving", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        print(campaign(Path(root), options.training, options.saving, options.seed), "killed runs resumed")
