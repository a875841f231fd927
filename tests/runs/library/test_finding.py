"""Runs are found by their names, and listed newest first, whatever else is in the folder."""

from __future__ import annotations

import time

import pytest

from cnnstudio.runs.errors import RunError
from cnnstudio.runs.library.finding import find_run, list_runs, runs_folder
from tests.runs.written import WrittenRun


def written(**created: str) -> None:
    """A run of each name, with the time at which it was started."""
    for name, moment in created.items():
        WrittenRun(runs_folder() / name).update_metadata(created=moment)


def test_runs_are_listed_newest_first() -> None:
    written(b="2026-01-02T10:00:00+00:00", a="2026-01-03T10:00:00+00:00", c="2026-01-01T10:00:00+00:00")
    (runs_folder() / "no run").mkdir()
    (runs_folder() / "damaged").mkdir()
    (runs_folder() / "damaged" / "run.json").write_text("{")
    assert [run.id for run in list_runs()] == ["a", "b", "c"]


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the system cannot change the time zone")
@pytest.mark.parametrize("moment", ["0001-01-01", "0001-01-01T00:00:00", "9999-12-31T23:59:59.999999"])
def test_an_impossible_time_in_one_run_does_not_hide_the_others(
    moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(whole="2026-01-01T10:00:00+00:00", strange=moment)
    for zone in ("UTC-14", "UTC+12"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert "whole" in [run.id for run in list_runs()]
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "2026-01-01T10:00:00"])
def test_times_with_and_without_an_offset_are_compared(moment: str) -> None:
    written(new="2026-11-23T10:00:00+00:00", other=moment)
    assert [run.id for run in list_runs()] == ["new", "other"]
    assert max(list_runs(), key=lambda run: run.created).id == "new"


def test_without_runs_the_list_is_empty() -> None:
    assert list_runs() == []
    with pytest.raises(RunError, match=r"There is no run “a”: .* none yet"):
        find_run("a")


def test_a_damaged_run_does_not_hide_the_others() -> None:
    for name in ("whole", "damaged"):
        WrittenRun(runs_folder() / name)
    WrittenRun(runs_folder() / "half").update_metadata(test={"loss": 1})
    (runs_folder() / "damaged" / "run.json").write_text('{"format": "cnnstudio.run"}')
    assert [run.id for run in list_runs()] == ["whole"]
