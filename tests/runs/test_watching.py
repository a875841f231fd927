"""A run folder is followed while another program writes it, whatever stands in it at any moment."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from cnnstudio.core.files import write_json
from cnnstudio.runs import heartbeat as lock
from cnnstudio.runs.event_log import forget_after
from cnnstudio.runs.heartbeat import Pulse, RunLock, last_pulse, this_host
from cnnstudio.runs.recorder import start_run
from cnnstudio.runs.run import Run, RunError
from cnnstudio.runs.watching import Following
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


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


# What is new


def test_each_look_gives_what_is_new(run: WrittenRun) -> None:
    following = Following(run.folder)
    assert (following.look().events, following.look().afresh) == ([], True)
    run.say(started(), progress(1, 10))
    look = following.look()
    assert (look.events, look.afresh) == ([started(), progress(1, 10)], True)
    assert following.look().events == []
    run.say(epoch_ended(1))
    look = following.look()
    assert (look.events, look.afresh) == ([epoch_ended(1)], False)


def test_half_a_line_waits_for_its_other_half(run: WrittenRun) -> None:
    run.say(started())
    following = Following(run.folder)
    following.look()
    line = lines([progress(1, 10)])
    run.say_bytes(line[:40])
    assert following.look().events == []
    run.say_bytes(line[40:])
    look = following.look()
    assert (look.events, look.afresh) == ([progress(1, 10)], False)


def test_a_run_that_goes_on_from_a_checkpoint_is_told_anew(run: WrittenRun) -> None:
    run.say(*run_events(epochs=3), finished("stopped", "Stopped."))
    following = Following(run.folder)
    assert len(following.look().events) == 8
    forget_after(run.events, step=10, epoch=1)
    after = [started(), progress(11, 5), progress(16, 5), epoch_ended(2), progress(21, 5), progress(26, 5)]
    # By now the file is longer than it was.
    run.say(*after, epoch_ended(3), progress(31, 10))
    look = following.look()
    assert look.afresh
    assert look.events == [*run_events(epochs=1), *after, epoch_ended(3), progress(31, 10)]


def test_a_log_that_was_replaced_by_the_same_goes_on(run: WrittenRun) -> None:
    run.say(*run_events(epochs=1))
    following = Following(run.folder)
    following.look()
    forget_after(run.events, step=10, epoch=1)
    run.say(progress(11, 10))
    look = following.look()
    assert (look.events, look.afresh) == ([progress(11, 10)], False)


def test_a_log_that_is_shorter_or_empty_is_told_anew(run: WrittenRun) -> None:
    run.say(*run_events(epochs=2))
    following = Following(run.folder)
    following.look()
    run.events.write_bytes(lines(run_events(epochs=1)))
    look = following.look()
    assert (look.events, look.afresh) == (run_events(epochs=1), True)
    run.events.write_bytes(b"")
    assert (following.look().events, following.look().afresh) == ([], True)


def test_another_run_in_the_folder_is_told_anew(run: WrittenRun) -> None:
    run.say(*run_events(epochs=1))
    following = Following(run.folder)
    following.look()
    run.describe(created="2026-11-24T08:00:00+00:00")
    assert following.look().afresh


def test_a_folder_that_comes_back_goes_on_where_it_was(run: WrittenRun, tmp_path: Path) -> None:
    run.say(*run_events(epochs=1))
    following = Following(run.folder)
    following.look()
    run.folder.rename(tmp_path / "away")
    with pytest.raises(RunError, match="Its folder is gone, or the drive that it is on"):
        following.look()
    (tmp_path / "away").rename(run.folder)
    run.say(progress(11, 10))
    look = following.look()
    assert (look.events, look.afresh) == ([progress(11, 10)], False)


def test_a_log_that_was_deleted_is_a_sentence(run: WrittenRun) -> None:
    run.say(*run_events(epochs=1))
    following = Following(run.folder)
    following.look()
    run.events.unlink()
    with pytest.raises(RunError, match=r"has no events\.jsonl any more"):
        following.look()


def test_a_description_that_is_half_written_is_a_sentence(run: WrittenRun) -> None:
    following = Following(run.folder)
    path = run.folder / "run.json"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(RunError, match="cannot be read"):
        following.look()


# Whether it is being trained


def test_a_run_elsewhere_runs_while_its_pulse_moves(run: WrittenRun) -> None:
    clock = Clock()
    # The clock of the drive is an hour behind: only that it moves tells something.
    run.beat(seconds_ago=3600)
    following = Following(run.folder, clock)
    assert following.look().status == "interrupted"
    run.beat(seconds_ago=3595)
    assert following.look().status == "running"
    clock.now += 20
    assert following.look().status == "running"
    clock.now += 20
    assert following.look().status == "interrupted"
    run.beat(seconds_ago=3500)
    assert following.look().status == "running"


def test_the_end_waits_a_moment_for_what_the_log_says_of_it(run: WrittenRun) -> None:
    run.say(*run_events(epochs=1))
    following = Following(run.folder)
    assert following.look().status == "running"
    run.describe(status="completed")
    assert following.look().status == "running"
    run.say(finished())
    look = following.look()
    assert (look.status, look.events) == ("completed", [finished()])


def test_a_log_that_never_tells_of_the_end_does_not_keep_the_run_alive(run: WrittenRun) -> None:
    following = Following(run.folder)
    following.look()
    run.describe(status="failed")
    assert [following.look().status for _ in range(2)] == ["running", "failed"]


def test_a_clock_that_is_ahead_does_not_keep_a_run_alive(run: WrittenRun) -> None:
    clock = Clock()
    run.beat(seconds_ago=-3600)
    following = Following(run.folder, clock)
    assert following.look().status == "running"
    clock.now += 40
    assert following.look().status == "interrupted"


def test_of_a_run_on_this_machine_the_lock_tells(run: WrittenRun) -> None:
    run.describe(host=this_host())
    following = Following(run.folder)
    following.look()
    run.beat()
    assert following.look().status == "interrupted"
    with RunLock(run.folder):
        assert following.look().status == "running"


def test_a_run_that_is_written_notes_its_machine_and_has_a_pulse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "PULSE_SECONDS", 0.01)
    pulses: list[float | None] = []

    def look(event: object) -> None:
        time.sleep(0.05)
        pulses.append(last_pulse(tmp_path / "run"))

    start_run(tiny(), colors(), RECIPE, folder=tmp_path / "run", emit=Listener(look))
    assert Run.open(tmp_path / "run").host == this_host()
    assert len(set(pulses)) > 2


# Two programs, one run


def stopped_run(folder: Path) -> None:
    """A run that says that it is being trained on another machine."""
    start_run(tiny(), colors(), RECIPE, folder=folder)
    about = json.loads((folder / "run.json").read_text())
    write_json(folder / "run.json", {**about, "status": "running", "host": ELSEWHERE})


def test_a_run_that_another_machine_writes_is_not_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "PULSE_SECONDS", 0.05)
    stopped_run(tmp_path / "run")
    before = (tmp_path / "run" / "events.jsonl").read_bytes()
    with Pulse(tmp_path / "run"), pytest.raises(RunError, match="written by another program, on gpu-3"):
        start_run(tiny(), colors(), RECIPE, folder=tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "events.jsonl").read_bytes() == before


def test_a_run_that_died_on_another_machine_a_moment_ago_goes_on_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "PULSE_SECONDS", 0.05)
    stopped_run(tmp_path / "run")
    assert Run.open(tmp_path / "run").status == "running"
    start_run(tiny(), colors(), RECIPE.replace(epochs=2), folder=tmp_path / "run", resume=True)
    run = Run.open(tmp_path / "run")
    assert (run.status, run.host, len(run.history)) == ("completed", this_host(), 2)
