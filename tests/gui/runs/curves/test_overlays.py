"""Runs laid over the curves of the run on show."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from cnnstudio.gui.runs import follower
from cnnstudio.gui.runs.curves.overlays import RunOverlays
from cnnstudio.gui.runs.follower import read_run
from cnnstudio.gui.runs.record import RunRecord
from cnnstudio.runs.library.finding import runs_folder
from cnnstudio.runs.library.label import change_label
from tests.gui.canned import epoch_ended, progress, started
from tests.runs.written import WrittenRun
from tests.training.networks import tiny


@pytest.fixture
def overlays(qtbot: QtBot) -> Iterator[RunOverlays]:
    found = RunOverlays()
    yield found
    found.close()


def written(name: str, created: str = "2026-11-20T08:00:00+00:00") -> WrittenRun:
    run = WrittenRun(runs_folder() / name)
    run.update_metadata(status="completed", created=created)
    run.append(started(), progress(1, 10), epoch_ended(1))
    return run


def shown() -> RunRecord:
    return RunRecord(tiny(), "shapes", datetime(2026, 11, 23, tzinfo=UTC))


def test_chosen_runs_are_read_and_have_the_names_that_the_user_gave_them(
    overlays: RunOverlays, qtbot: QtBot
) -> None:
    folder = written("one").folder
    change_label(folder, title="Wider")

    overlays.add([folder])
    qtbot.waitUntil(lambda: len(overlays.runs) == 1)

    (overlay,) = overlays.runs
    assert overlay.name.startswith("Wider, ")
    assert overlay.history.loss.validation.x.tolist() == [1]
    overlays.remove(folder)
    assert (overlays.runs, overlays.folders) == ((), ())


def test_a_run_that_is_renamed_has_its_new_name_at_once(overlays: RunOverlays, qtbot: QtBot) -> None:
    folder, before = written("one").folder, written("before", "2026-11-21T08:00:00+00:00").folder
    overlays.add([folder])
    overlays.look_for_previous(shown())
    qtbot.waitUntil(lambda: len(overlays.runs) == 2)
    for each in (folder, before):
        with qtbot.waitSignal(overlays.changed):
            overlays.rename(each, "Wider")
    assert [overlay.name.split(",")[0] for overlay in overlays.runs] == ["Wider", "Wider"]
    overlays.rename(folder, "")
    assert overlays.runs[1].name.startswith("Tiny, ")


def test_a_run_that_is_about_to_be_deleted_is_not_drawn_until_that_is_undone(
    overlays: RunOverlays, qtbot: QtBot
) -> None:
    folder = written("one").folder
    overlays.add([folder])
    qtbot.waitUntil(lambda: len(overlays.runs) == 1)
    overlays.hide(frozenset({folder}))
    assert (overlays.runs, overlays.folders) == ((), (folder,))
    overlays.hide(frozenset())
    assert len(overlays.runs) == 1


def test_runs_of_the_same_title_and_minute_have_different_names(overlays: RunOverlays, qtbot: QtBot) -> None:
    runs = [written(name, f"2026-11-20T08:00:0{second}+00:00") for name, second in (("a", 1), ("b", 2))]
    overlays.add([run.folder for run in runs])
    qtbot.waitUntil(lambda: len(overlays.runs) == 2)
    assert [overlay.name[-3:] for overlay in overlays.runs] == [":01", ":02"]
    overlays.remove(runs[0].folder)
    assert overlays.runs[0].name[-3:] == ":00"


def test_a_run_that_another_program_trains_grows(
    overlays: RunOverlays, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "POLL_INTERVAL_MS", 10)
    run = WrittenRun(runs_folder() / "running")
    run.append(started(), progress(1, 10), epoch_ended(1))
    run.beat()
    overlays.add([run.folder])
    qtbot.waitUntil(lambda: len(overlays.runs) == 1)

    with qtbot.waitSignal(overlays.changed):
        run.append(progress(11, 10), epoch_ended(2))

    qtbot.waitUntil(lambda: overlays.runs[0].history.loss.validation.x.tolist() == [1, 2])


def test_of_too_many_runs_the_first_ones_make_room(overlays: RunOverlays, tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(RunOverlays.MAXIMUM + 2)]

    overlays.add(folders)

    assert overlays.folders == tuple(folders[2:])


def test_a_run_that_cannot_be_read_is_named_and_left_out(
    overlays: RunOverlays, tmp_path: Path, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(overlays.failed) as failed:
        overlays.add([tmp_path])

    assert str(tmp_path) in failed.args[0]
    assert overlays.folders == ()


def test_the_previous_run_is_the_newest_one_before_on_the_same_data(
    overlays: RunOverlays, qtbot: QtBot
) -> None:
    written("old", "2026-11-20T08:00:00+00:00")
    before = written("before", "2026-11-21T08:00:00+00:00")
    written("after", "2026-11-24T08:00:00+00:00")
    other = written("other", "2026-11-22T08:00:00+00:00")
    other.update_metadata(data={"source": "cifar10", "fingerprint": "abc", "test": 10})

    overlays.look_for_previous(shown())
    qtbot.waitUntil(lambda: len(overlays.runs) == 1)

    assert (overlays.runs[0].folder, overlays.runs[0].is_previous) == (before.folder, True)
    # Chosen as well, it is shown once.
    overlays.add([before.folder])
    qtbot.waitUntil(lambda: not overlays.runs[0].is_previous)
    assert len(overlays.runs) == 1


def test_a_run_that_goes_on_is_not_its_own_previous_run(overlays: RunOverlays, qtbot: QtBot) -> None:
    before = written("before", "2026-11-21T08:00:00+00:00")
    itself = written("itself", "2026-11-22T08:00:00+00:00")
    resumed = shown()
    resumed.continue_from(read_run(itself.folder).record)

    overlays.look_for_previous(resumed)
    qtbot.waitUntil(lambda: len(overlays.runs) == 1)

    assert overlays.runs[0].folder == before.folder


def test_without_a_run_there_is_no_previous_one(overlays: RunOverlays) -> None:
    written("old")

    overlays.look_for_previous(RunRecord())

    assert overlays.runs == ()
    assert overlays._search is None
