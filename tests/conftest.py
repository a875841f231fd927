"""What every test gets: its own place for data and runs, and a check that it leaves nothing running."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cnnstudio.training.checkpoints import save_schedule as interval


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in the place of the user's own data; no test reads or writes the real one."""
    folder = tmp_path / "home"
    monkeypatch.setenv("CNNSTUDIO_HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _every_epoch_is_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where epochs take long; those of tests are over before a hundredth of their time is a save."""
    monkeypatch.setattr(interval, "_SHARE", 0)


@pytest.fixture(autouse=True)
def _no_leaked_thread() -> Iterator[None]:
    """A thread that outlives its test would disturb the next one, and a user's closing window."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 5
    leaked = _started_since(before)
    while leaked and time.monotonic() < deadline:
        time.sleep(0.01)
        leaked = _started_since(before)
    assert not leaked, f"threads that the test left running: {leaked}"


def _started_since(before: set[threading.Thread]) -> list[threading.Thread]:
    # A QThread leaves a dummy behind for ever, however it ended; tests/gui/conftest.py looks at QThreads.
    # torch follows a program with bars of tqdm, where it is installed, even if it does not show them; the
    # first bar of a process, in whichever test that is, starts a daemon for all of them.
    return [
        thread
        for thread in threading.enumerate()
        if thread not in before
        and thread.is_alive()
        and not isinstance(thread, threading._DummyThread)
        and type(thread).__module__ != "tqdm._monitor"
    ]
