"""The run folder is deleted, replaced, locked or on a full disk during training."""

from __future__ import annotations

import errno
import io
import os
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest

from cnnstudio.core import files
from cnnstudio.core.locking import FileLock
from cnnstudio.runs import event_log, recorder
from cnnstudio.runs.errors import describe_full_disk
from cnnstudio.runs.heartbeat import LOCK_FILE, is_held
from cnnstudio.runs.run import Run, RunError
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training import metrics
from cnnstudio.training.checkpoints.save_schedule import SaveInterval
from cnnstudio.training.control import Control
from cnnstudio.training.events import EpochEnded, Event, Finished, Progress, Warned
from cnnstudio.training.recipe.recipe import Recipe
from tests.training.images import colors
from tests.training.listeners import Listener, stop_at
from tests.training.networks import tiny

RECIPE = Recipe("mine", epochs=3, batch_size=16, learning_rate=0.01)
DATA = colors()


@pytest.fixture(autouse=True)
def _progress_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "INTERVAL", 0.0)


def run(folder: Path, act: Callable[[Event], None] = lambda event: None, *, resume: bool = False) -> Listener:
    listener = Listener(act)
    start_run(
        tiny(),
        DATA,
        RECIPE,
        RunOptions(folder=folder, threads=1, resume=resume, interval=SaveInterval(steps=4)),
        emit=listener,
    )
    return listener


def once(step: int, act: Callable[[], None]) -> Callable[[Event], None]:
    done: list[int] = []

    def act_once(event: Event) -> None:
        if isinstance(event, Progress) and event.step >= step and not done:
            done.append(event.step)
            act()

    return act_once


def delete(folder: Path) -> None:
    """Deletes a folder at once: the thread that keeps weights may be writing into it."""
    gone = folder.with_name("gone")
    folder.rename(gone)
    shutil.rmtree(gone)


@pytest.mark.skipif(os.name == "nt", reason="Windows does not delete open files")
@pytest.mark.parametrize("step", [2, 9, 17])
def test_a_deleted_folder_is_recreated_with_all_events(step: int, tmp_path: Path) -> None:
    listener = run(tmp_path / "run", once(step, lambda: delete(tmp_path / "run")))
    assert listener.of(Finished)[0].outcome == "completed"
    assert [
        "run folder was deleted during training and has been recreated" in event.message
        for event in listener.of(Warned)
    ] == [True]
    found = Run.open(tmp_path / "run")
    assert found.events() == listener.events
    assert (found.status, found.test) == ("completed", listener.of(Finished)[0].test)
    assert not found.model().training
    assert len(run(tmp_path / "run", resume=True).of(EpochEnded)) == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows does not delete open files")
def test_a_folder_taken_over_by_another_run_is_left_alone(tmp_path: Path) -> None:
    other: list[dict[str, bytes]] = []

    def take_over() -> None:
        delete(tmp_path / "run")
        run(tmp_path / "run")
        other.append(content(tmp_path / "run"))

    listener = run(tmp_path / "run", once(2, take_over))
    finished = listener.of(Finished)[0]
    assert finished.outcome == "failed"
    assert "now contains another run" in finished.reason
    assert "now contains another run" in listener.of(Warned)[0].message
    assert [content(tmp_path / "run")] == other


def content(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.skipif(os.name == "nt", reason="Windows does not delete open files")
def test_a_deleted_lock_is_reacquired(tmp_path: Path) -> None:
    held: list[bool] = []

    def check_lock(event: Event) -> None:
        delete_lock(event)
        if isinstance(event, EpochEnded) and event.epoch == 3:
            held.append(is_held(tmp_path / "run"))

    delete_lock = once(2, (tmp_path / "run" / "lock").unlink)
    listener = run(tmp_path / "run", check_lock)
    assert held == [True]
    assert not listener.of(Warned)


def test_a_temporarily_full_disk_is_one_warning_and_the_run_is_saved_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.replace
    full: list[bool] = [False]

    def replace(source: Any, target: Any) -> None:
        if full[0] and "checkpoints" in str(target):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, target)

    monkeypatch.setattr(files.os, "replace", replace)

    def act(event: Event) -> None:
        if isinstance(event, Progress):
            full[0] = 2 <= event.step < 12

    listener = run(tmp_path / "run", act)
    assert listener.of(Finished)[0].outcome == "completed"
    (warning,) = listener.of(Warned)
    assert "The weights could not be saved; training continues. Cannot write" in warning.message
    assert "No space left on device" in warning.message
    found = Run.open(tmp_path / "run")
    assert not found.model("last").training
    assert not list((tmp_path / "run" / "checkpoints").glob(".*.tmp"))
    assert not run(tmp_path / "run", resume=True).of(EpochEnded)


class SmallFile(io.FileIO):
    """A log on a disk that fills up in the middle of a line, and is empty again later."""

    full = False
    _is_cut = False

    def write(self, data: Any) -> int:
        if not self.full:
            return super().write(data)
        if not self._is_cut:
            self._is_cut = True
            return super().write(data[:3])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_nothing_is_missing_in_the_log_of_a_disk_that_was_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "open", lambda path, *_, **__: SmallFile(path, "a+"), raising=False)
    monkeypatch.setattr(SmallFile, "full", False)

    def act(event: Event) -> None:
        if isinstance(event, Progress):
            monkeypatch.setattr(SmallFile, "full", 2 <= event.step < 12)

    listener = run(tmp_path / "run", act)
    assert listener.of(Finished)[0].outcome == "completed"
    (warning,) = listener.of(Warned)
    assert warning.message == describe_full_disk(tmp_path / "run")
    logged = Run.open(tmp_path / "run").events()
    assert [event for event in logged if event != warning] == [
        event for event in listener.events if event != warning
    ]
    assert warning in logged


def test_a_full_disk_is_said_in_one_sentence_whatever_finds_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.replace

    def replace(source: Any, target: Any) -> None:
        if {"snapshots", "weights"} & set(Path(target).parts):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, target)

    monkeypatch.setattr(files.os, "replace", replace)
    listener = run(tmp_path / "run")
    assert listener.of(Finished)[0].outcome == "completed"
    (warning,) = listener.of(Warned)
    assert warning.message == describe_full_disk(tmp_path / "run")


def test_a_run_in_progress_in_another_program_can_be_read_but_not_resumed(tmp_path: Path) -> None:
    control = Control()
    act = stop_at(control, step=9)
    start_run(tiny(), DATA, RECIPE, RunOptions(folder=tmp_path / "run"), control=control, emit=act)
    with FileLock(tmp_path / "run" / LOCK_FILE):
        before = content(tmp_path / "run")
        with pytest.raises(RunError, match="is being written by another program"):
            run(tmp_path / "run", resume=True)
        assert len(Run.open(tmp_path / "run").history) == 1
        assert content(tmp_path / "run") == before
    assert len(run(tmp_path / "run", resume=True).of(EpochEnded)) == 2


def test_a_clock_set_back_during_training_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(tmp_path / "whole")
    now = [datetime(2030, 1, 1, 12)]

    class Backwards(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Backwards:
            now[0] -= timedelta(days=1)
            return cls(now[0].year, now[0].month, now[0].day, 12)

    monkeypatch.setattr(recorder, "datetime", Backwards)
    monkeypatch.setattr("time.time", lambda: -now[0].timestamp())
    listener = run(tmp_path / "run")
    assert listener.losses() == whole.losses()
    seconds = [
        event.seconds for event in listener.events if isinstance(event, Progress | EpochEnded | Finished)
    ]
    assert seconds == sorted(seconds)
    metadata = Run.open(tmp_path / "run").metadata
    assert metadata["finished"] < metadata["created"]
    assert Run.open(tmp_path / "run").status == "completed"
    assert not run(tmp_path / "run", resume=True).of(Warned)


def test_the_event_log_continues_within_an_epoch(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    control = Control()
    start_run(
        tiny(),
        DATA,
        RECIPE,
        RunOptions(folder=tmp_path / "parts"),
        control=control,
        emit=stop_at(control, step=9),
    )
    run(tmp_path / "parts", resume=True)
    events = Run.open(tmp_path / "parts").events()
    losses = [loss for event in events if isinstance(event, Progress) for loss in event.losses]
    assert losses == whole.losses()
    assert [event.epoch for event in events if isinstance(event, EpochEnded)] == [1, 2, 3]
    assert len([event for event in events if isinstance(event, Finished)]) == 1
