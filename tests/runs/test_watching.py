"""A run folder is watched while another program writes it, whatever state it is in."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cnnstudio.core.files import write_json
from cnnstudio.core.locking import FileLock
from cnnstudio.runs import event_log, heartbeat
from cnnstudio.runs.event_log import truncate_after
from cnnstudio.runs.heartbeat import LOCK_FILE, last_heartbeat, this_host
from cnnstudio.runs.run import Run, RunError
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.runs.watching import RunWatcher
from cnnstudio.training.events import Progress, Warned
from cnnstudio.training.recipe.recipe import Recipe
from tests.gui.canned import epoch_ended, finished, progress, run_events, started
from tests.runs.written import ELSEWHERE, WrittenRun, lines
from tests.training.images import colors
from tests.training.listeners import Listener
from tests.training.networks import tiny

RECIPE = Recipe("mine", epochs=1, batch_size=16)


@pytest.fixture
def run(tmp_path: Path) -> WrittenRun:
    run = WrittenRun(tmp_path / "run")
    run.beat()
    return run


class FakeClock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


# What is new


def test_each_poll_returns_what_is_new(run: WrittenRun) -> None:
    watcher = RunWatcher(run.folder)
    assert (watcher.poll().events, watcher.poll().restarted) == ([], True)
    run.append(started(), progress(1, 10))
    snapshot = watcher.poll()
    assert (snapshot.events, snapshot.restarted) == ([started(), progress(1, 10)], True)
    assert watcher.poll().events == []
    run.append(epoch_ended(1))
    snapshot = watcher.poll()
    assert (snapshot.events, snapshot.restarted) == ([epoch_ended(1)], False)


def test_a_long_log_is_read_in_bounded_memory(run: WrittenRun, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [progress(number, 1) for number in range(1, 201)]
    run.append(started(), *steps[:150], epoch_ended(1), *steps[150:], finished())
    line_bytes = max(len(line) for line in (run.folder / "events.jsonl").read_bytes().splitlines())
    monkeypatch.setattr(event_log, "_MAX_PROGRESS_BYTES", 20 * line_bytes)
    events = RunWatcher(run.folder).poll().events
    kept = [event.step for event in events if isinstance(event, Progress)]
    assert 10 <= len(kept) <= 30
    assert kept == sorted(kept)
    assert kept[-1] == 200
    assert [event for event in events if not isinstance(event, Progress)] == [
        started(),
        epoch_ended(1),
        finished(),
    ]
    assert Run.open(run.folder).events() == events


def test_of_too_many_other_events_the_first_are_read_and_all_epochs(
    run: WrittenRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs = [epoch_ended(number) for number in range(1, 9)]
    run.append(started(), *[Warned("x" * 1000)] * 50, *epochs, finished())
    monkeypatch.setattr(event_log, "_MAX_OTHER_BYTES", 10_000)
    events = RunWatcher(run.folder).poll().events
    assert Run.open(run.folder).events() == events
    warnings = [event for event in events if isinstance(event, Warned)]
    assert 8 <= len(warnings) <= 12
    assert [event for event in events if not isinstance(event, Warned)] == [started(), *epochs, finished()]


def test_more_epochs_than_any_run_has_are_damage(run: WrittenRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "_MAX_EPOCHS", 5)
    run.append(*(epoch_ended(number) for number in range(1, 6)))
    assert len(Run.open(run.folder).history) == 5
    run.append(epoch_ended(6))
    damage = r"is damaged: events.jsonl has more than 5 epochs\.$"
    with pytest.raises(RunError, match=damage):
        _ = Run.open(run.folder).history
    with pytest.raises(RunError, match=damage):
        RunWatcher(run.folder).poll()


def test_an_impossible_number_is_damage_for_every_reader_of_the_log(run: WrittenRun) -> None:
    watcher = RunWatcher(run.folder)
    run.append(started())
    assert watcher.poll().events == [started()]
    run.append(dataclasses.replace(epoch_ended(1), epoch=10**12))
    damage = "is damaged: in its EpochEnded event, “epoch” is 1000000000000 "
    for _ in range(2):
        with pytest.raises(RunError, match=damage):
            watcher.poll()
    with pytest.raises(RunError, match=damage):
        _ = Run.open(run.folder).history


def test_a_line_without_end_is_skipped_without_being_held(
    run: WrittenRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "_MAX_LINE_BYTES", 4096)
    watcher = RunWatcher(run.folder)
    run.append(started())
    with (run.folder / "events.jsonl").open("ab") as file:
        file.write(b"x" * 100_000 + b"\n" + b"y" * 100_000)
    assert watcher.poll().events == [started()]
    with (run.folder / "events.jsonl").open("ab") as file:
        file.write(b"\n")
    run.append(epoch_ended(1))
    assert (watcher.poll().events, watcher.poll().events) == ([epoch_ended(1)], [])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_regular_file_is_refused_at_once(run: WrittenRun, kind: str) -> None:
    log = run.folder / "events.jsonl"
    log.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(log)
    elif kind == "device":
        log.symlink_to("/dev/zero")
    else:
        log.mkdir()
    with pytest.raises(RunError, match=r"Cannot read the run's events: it is a .*, not a"):
        RunWatcher(run.folder).poll()
    with pytest.raises(RunError, match=r"Cannot read the run's events: it is a .*, not a"):
        Run.open(run.folder).events()


def test_half_a_line_waits_for_its_other_half(run: WrittenRun) -> None:
    run.append(started())
    watcher = RunWatcher(run.folder)
    watcher.poll()
    line = lines([progress(1, 10)])
    run.append_bytes(line[:40])
    assert watcher.poll().events == []
    run.append_bytes(line[40:])
    snapshot = watcher.poll()
    assert (snapshot.events, snapshot.restarted) == ([progress(1, 10)], False)


def test_a_run_resumed_from_a_checkpoint_is_read_from_the_start(run: WrittenRun) -> None:
    run.append(*run_events(epochs=3), finished("stopped", "Stopped."))
    watcher = RunWatcher(run.folder)
    assert len(watcher.poll().events) == 8
    truncate_after(run.events, step=10, epoch=1)
    after = [started(), progress(11, 5), progress(16, 5), epoch_ended(2), progress(21, 5), progress(26, 5)]
    # The file is now longer than before.
    run.append(*after, epoch_ended(3), progress(31, 10))
    snapshot = watcher.poll()
    assert snapshot.restarted
    assert snapshot.events == [*run_events(epochs=1), *after, epoch_ended(3), progress(31, 10)]


def test_a_log_replaced_by_the_same_contents_continues(run: WrittenRun) -> None:
    run.append(*run_events(epochs=1))
    watcher = RunWatcher(run.folder)
    watcher.poll()
    truncate_after(run.events, step=10, epoch=1)
    run.append(progress(11, 10))
    snapshot = watcher.poll()
    assert (snapshot.events, snapshot.restarted) == ([progress(11, 10)], False)


def test_a_shorter_or_empty_log_is_read_from_the_start(run: WrittenRun) -> None:
    run.append(*run_events(epochs=2))
    watcher = RunWatcher(run.folder)
    watcher.poll()
    run.events.write_bytes(lines(run_events(epochs=1)))
    snapshot = watcher.poll()
    assert (snapshot.events, snapshot.restarted) == (run_events(epochs=1), True)
    run.events.write_bytes(b"")
    assert (watcher.poll().events, watcher.poll().restarted) == ([], True)


def test_another_run_in_the_folder_is_read_from_the_start(run: WrittenRun) -> None:
    run.append(*run_events(epochs=1))
    watcher = RunWatcher(run.folder)
    watcher.poll()
    run.update_metadata(created="2026-11-24T08:00:00+00:00")
    assert watcher.poll().restarted


def test_a_folder_that_reappears_continues_where_it_was(run: WrittenRun, tmp_path: Path) -> None:
    run.append(*run_events(epochs=1))
    watcher = RunWatcher(run.folder)
    watcher.poll()
    run.folder.rename(tmp_path / "away")
    with pytest.raises(RunError, match="The run folder or its drive is not available"):
        watcher.poll()
    (tmp_path / "away").rename(run.folder)
    run.append(progress(11, 10))
    snapshot = watcher.poll()
    assert (snapshot.events, snapshot.restarted) == ([progress(11, 10)], False)


def test_a_deleted_log_is_an_error(run: WrittenRun) -> None:
    run.append(*run_events(epochs=1))
    watcher = RunWatcher(run.folder)
    watcher.poll()
    run.events.unlink()
    with pytest.raises(RunError, match=r"events\.jsonl is missing"):
        watcher.poll()


def test_half_written_metadata_is_an_error(run: WrittenRun) -> None:
    watcher = RunWatcher(run.folder)
    path = run.folder / "run.json"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(RunError, match="cannot be read"):
        watcher.poll()


# Whether it is running


def test_a_run_elsewhere_is_running_while_its_heartbeat_changes(run: WrittenRun) -> None:
    clock = FakeClock()
    # The clock of the drive is an hour behind: only changes count.
    run.beat(seconds_ago=3600)
    watcher = RunWatcher(run.folder, clock)
    assert watcher.poll().status == "interrupted"
    run.beat(seconds_ago=3595)
    assert watcher.poll().status == "running"
    clock.now += 20
    assert watcher.poll().status == "running"
    clock.now += 20
    assert watcher.poll().status == "interrupted"
    run.beat(seconds_ago=3500)
    assert watcher.poll().status == "running"


def test_the_end_waits_one_poll_for_the_last_event(run: WrittenRun) -> None:
    run.append(*run_events(epochs=1))
    watcher = RunWatcher(run.folder)
    assert watcher.poll().status == "running"
    run.update_metadata(status="completed")
    assert watcher.poll().status == "running"
    run.append(finished())
    snapshot = watcher.poll()
    assert (snapshot.status, snapshot.events) == ("completed", [finished()])


def test_a_log_without_a_last_event_does_not_keep_the_run_running(run: WrittenRun) -> None:
    watcher = RunWatcher(run.folder)
    watcher.poll()
    run.update_metadata(status="failed")
    assert [watcher.poll().status for _ in range(2)] == ["running", "failed"]


def test_a_clock_that_is_ahead_does_not_keep_a_run_running(run: WrittenRun) -> None:
    clock = FakeClock()
    run.beat(seconds_ago=-3600)
    watcher = RunWatcher(run.folder, clock)
    assert watcher.poll().status == "running"
    clock.now += 40
    assert watcher.poll().status == "interrupted"


def test_the_lock_decides_for_a_run_on_this_machine(run: WrittenRun) -> None:
    run.update_metadata(host=this_host())
    watcher = RunWatcher(run.folder)
    watcher.poll()
    run.beat()
    assert watcher.poll().status == "interrupted"
    with FileLock(run.folder / LOCK_FILE):
        assert watcher.poll().status == "running"


def test_a_run_in_progress_stores_its_host_and_has_a_heartbeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", 0.01)
    folder = tmp_path / "run"
    beats: list[float | None] = []

    def wait_for_another(event: object) -> None:
        deadline = time.monotonic() + 60
        while len(beats) < 3 and last_heartbeat(folder) in beats and time.monotonic() < deadline:
            time.sleep(0.005)
        beats.append(last_heartbeat(folder))

    start_run(tiny(), colors(), RECIPE, RunOptions(folder=folder), emit=Listener(wait_for_another))
    assert Run.open(folder).host == this_host()
    assert len(set(beats)) > 2


# Two programs, one run


def run_marked_as_running_elsewhere(folder: Path) -> None:
    start_run(tiny(), colors(), RECIPE, RunOptions(folder=folder))
    metadata = json.loads((folder / "run.json").read_text())
    write_json(folder / "run.json", {**metadata, "status": "running", "host": ELSEWHERE})


@contextmanager
def beating(folder: Path) -> Iterator[None]:
    """Another program that touches the lock file again and again."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(0.01):
            os.utime(folder / LOCK_FILE)

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_run_in_progress_on_another_machine_is_not_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough for a busy machine; the other program's beats come much more often than they have to.
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", 1.0)
    run_marked_as_running_elsewhere(tmp_path / "run")
    before = (tmp_path / "run" / "events.jsonl").read_bytes()
    with beating(tmp_path / "run"), pytest.raises(RunError, match="written by another program, on gpu-3"):
        start_run(tiny(), colors(), RECIPE, RunOptions(folder=tmp_path / "run", resume=True))
    assert (tmp_path / "run" / "events.jsonl").read_bytes() == before


def test_a_run_that_just_crashed_on_another_machine_is_resumed_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", 0.05)
    run_marked_as_running_elsewhere(tmp_path / "run")
    assert Run.open(tmp_path / "run").status == "running"
    start_run(tiny(), colors(), RECIPE.replace(epochs=2), RunOptions(folder=tmp_path / "run", resume=True))
    run = Run.open(tmp_path / "run")
    assert (run.status, run.host, len(run.history)) == ("completed", this_host(), 2)
