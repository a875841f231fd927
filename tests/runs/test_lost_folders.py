"""What happens to a run's folder while it trains, and what becomes of the run."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest

from cnnstudio.core import files
from cnnstudio.runs import recorder
from cnnstudio.runs.heartbeat import RunLock, is_held
from cnnstudio.runs.recorder import start_run
from cnnstudio.runs.run import Run, RunError
from cnnstudio.training import metrics
from cnnstudio.training.checkpoints.save_schedule import Interval
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
    heard = Listener(act)
    start_run(
        tiny(), DATA, RECIPE, folder=folder, emit=heard, threads=1, resume=resume, interval=Interval(steps=4)
    )
    return heard


def once(step: int, act: Callable[[], None]) -> Callable[[Event], None]:
    done: list[int] = []

    def look(event: Event) -> None:
        if isinstance(event, Progress) and event.step >= step and not done:
            done.append(event.step)
            act()

    return look


@pytest.mark.skipif(os.name == "nt", reason="Windows deletes no file that is open")
@pytest.mark.parametrize("step", [2, 9, 17])
def test_a_folder_that_is_deleted_is_made_anew_with_all_that_was_said(step: int, tmp_path: Path) -> None:
    heard = run(tmp_path / "run", once(step, lambda: shutil.rmtree(tmp_path / "run")))
    assert heard.of(Finished)[0].outcome == "completed"
    assert ["folder was gone; it was made anew" in event.message for event in heard.of(Warned)] == [True]
    found = Run.open(tmp_path / "run")
    assert found.events() == heard.events
    assert (found.status, found.test) == ("completed", heard.of(Finished)[0].test)
    assert not found.model().training
    assert len(run(tmp_path / "run", resume=True).of(EpochEnded)) == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows deletes no file that is open")
def test_a_place_that_another_run_has_taken_is_left_to_it(tmp_path: Path) -> None:
    other: list[dict[str, bytes]] = []

    def take() -> None:
        shutil.rmtree(tmp_path / "run")
        run(tmp_path / "run")
        other.append(content(tmp_path / "run"))

    heard = run(tmp_path / "run", once(2, take))
    assert heard.of(Finished)[0].outcome == "completed"
    assert "There is another run in" in heard.of(Warned)[0].message
    assert [content(tmp_path / "run")] == other


def content(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.skipif(os.name == "nt", reason="Windows deletes no file that is open")
def test_a_lock_that_is_deleted_is_taken_anew(tmp_path: Path) -> None:
    held: list[bool] = []

    def look(event: Event) -> None:
        once_gone(event)
        if isinstance(event, EpochEnded) and event.epoch == 3:
            held.append(is_held(tmp_path / "run"))

    once_gone = once(2, (tmp_path / "run" / "lock").unlink)
    heard = run(tmp_path / "run", look)
    assert held == [True]
    assert not heard.of(Warned)


def test_a_disk_that_is_full_for_a_while_is_one_note_and_the_run_is_saved_later(
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

    heard = run(tmp_path / "run", act)
    assert heard.of(Finished)[0].outcome == "completed"
    (note,) = heard.of(Warned)
    assert "The weights could not be saved; the run goes on. Cannot write" in note.message
    assert "No space left on device" in note.message
    found = Run.open(tmp_path / "run")
    assert not found.model("last").training
    assert not list((tmp_path / "run" / "checkpoints").glob(".*.tmp"))
    assert not run(tmp_path / "run", resume=True).of(EpochEnded)


def test_a_run_that_another_program_writes_can_be_read_but_not_gone_on_with(tmp_path: Path) -> None:
    control = Control()
    act = stop_at(control, step=9)
    start_run(tiny(), DATA, RECIPE, folder=tmp_path / "run", control=control, emit=act)
    with RunLock(tmp_path / "run"):
        before = content(tmp_path / "run")
        with pytest.raises(RunError, match="is being written by another program"):
            run(tmp_path / "run", resume=True)
        assert len(Run.open(tmp_path / "run").history) == 1
        assert content(tmp_path / "run") == before
    assert len(run(tmp_path / "run", resume=True).of(EpochEnded)) == 2


def test_a_clock_that_is_set_back_while_it_trains_changes_nothing(
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
    heard = run(tmp_path / "run")
    assert heard.losses() == whole.losses()
    seconds = [event.seconds for event in heard.events if isinstance(event, Progress | EpochEnded | Finished)]
    assert seconds == sorted(seconds)
    about = Run.open(tmp_path / "run").about
    assert about["finished"] < about["created"]
    assert Run.open(tmp_path / "run").status == "completed"
    assert not run(tmp_path / "run", resume=True).of(Warned)


def test_the_record_goes_on_within_an_epoch(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    control = Control()
    start_run(tiny(), DATA, RECIPE, folder=tmp_path / "parts", control=control, emit=stop_at(control, step=9))
    run(tmp_path / "parts", resume=True)
    events = Run.open(tmp_path / "parts").events()
    losses = [loss for event in events if isinstance(event, Progress) for loss in event.losses]
    assert losses == whole.losses()
    assert [event.epoch for event in events if isinstance(event, EpochEnded)] == [1, 2, 3]
    assert len([event for event in events if isinstance(event, Finished)]) == 1
