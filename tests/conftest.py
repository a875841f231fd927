"""Fixtures for all tests: a home folder of their own, and a check that no thread is left running."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from cnnstudio.training.checkpoints import save_schedule
from cnnstudio.training.hardware import thread_policy
from tests.threads import KeepThreads

# A busy machine must not fail a test, neither by slow examples nor by slow generation. The examples are the
# same in every run, so that what fails does so at once and for everybody. `make fuzz` tries many more.
settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that replaces the user's own; no test reads or writes the real one."""
    folder = tmp_path / "home"
    monkeypatch.setenv("CNNSTUDIO_HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def trash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that replaces the system's trash; what is deleted is moved there."""
    folder = tmp_path / "trash"

    def move(path: str) -> None:
        folder.mkdir(exist_ok=True)
        shutil.move(path, folder / Path(path).name)

    # The library's function, because the lowest packages are tested where `runs` cannot be imported.
    monkeypatch.setattr("send2trash.send2trash", move)
    return folder


@pytest.fixture(autouse=True)
def _save_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Saves at every epoch's end; the epochs of tests are shorter than the time limit for saving allows."""
    monkeypatch.setattr(save_schedule, "_COST_FACTOR", 0)
    # By name, because the lowest packages are tested where `runs` has nothing to import.
    monkeypatch.setattr("cnnstudio.runs.epochs.snapshot_budget.GRACE_SECONDS", 1e9)


@pytest.fixture(autouse=True)
def _keep_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other programs on the machine of the tests must not change the number of threads, and so the bits."""
    monkeypatch.setattr(thread_policy, "make_policy", KeepThreads)


@pytest.fixture(autouse=True)
def _same_random_numbers() -> None:
    """Seeds torch, so that a test draws the same numbers alone, among all others and in any order.

    torch takes a random seed in every process, and the tests of a process share its generator: without this,
    weights and images that a test does not seed would differ from run to run.
    """
    torch = sys.modules.get("torch")
    # The window may still be importing it in its thread.
    if torch is not None and hasattr(torch, "manual_seed"):
        torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _no_leaked_thread() -> Iterator[None]:
    """A thread that outlives its test would disturb the next test, or keep a closed window from exiting."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 30
    leaked = _started_since(before)
    while leaked and time.monotonic() < deadline:
        time.sleep(0.01)
        leaked = _started_since(before)
    assert not leaked, f"threads that the test left running: {leaked}"


def _started_since(before: set[threading.Thread]) -> list[threading.Thread]:
    # A QThread leaves a dummy thread object behind; tests/gui/conftest.py checks QThreads. If tqdm is
    # installed, torch uses it even without showing progress bars, and the first one in a process starts a
    # daemon for all.
    return [
        thread
        for thread in threading.enumerate()
        if thread not in before
        and thread.is_alive()
        and not isinstance(thread, threading._DummyThread)
        and type(thread).__module__ != "tqdm._monitor"
    ]
