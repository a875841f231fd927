"""Listing reads each run once, notices every change, and survives whatever stands in its way."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from cnnstudio.core.locking import FileLock
from cnnstudio.core.progress import Cancelled
from cnnstudio.data.versions.evaluations import count_evaluation
from cnnstudio.runs.library import listing
from cnnstudio.runs.library.cache import cache_path, stamp_of, write_cache
from cnnstudio.runs.library.columns import FIXED, describe_test
from cnnstudio.runs.library.finding import runs_folder
from cnnstudio.runs.library.label import change_label
from cnnstudio.runs.library.listing import list_summaries
from cnnstudio.runs.library.summary import RunSummary, SummaryReader
from tests.runs.library.listed import ended, progress
from tests.runs.written import WrittenRun, trained
from tests.training.networks import tiny


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the runs that were read from their folders, not from the cache."""
    found: list[str] = []

    class Reader(SummaryReader):
        def read(self, folder: Path) -> RunSummary:
            found.append(folder.name)
            return super().read(folder)

    monkeypatch.setattr(listing, "SummaryReader", Reader)
    return found


@pytest.fixture
def three() -> None:
    """Three completed runs, mine-0 to mine-2, each started a minute after the one before."""
    trained(runs_folder(), tiny(), (0.5, 0.6, 0.7))
    for number in range(3):
        path = runs_folder() / f"mine-{number}" / "run.json"
        content = json.loads(path.read_text()) | {"created": f"2026-11-23T08:0{number}:00+00:00"}
        path.write_text(json.dumps(content))


@pytest.mark.usefixtures("three")
def test_runs_are_read_once_and_come_newest_first(reads: list[str]) -> None:
    first = list_summaries()
    assert [run.id for run in first.runs] == ["mine-2", "mine-1", "mine-0"]
    assert [run.test_accuracy for run in first.runs] == [0.7, 0.6, 0.5]
    assert sorted(reads) == ["mine-0", "mine-1", "mine-2"]
    reads.clear()
    assert list_summaries() == first
    assert reads == []


@pytest.mark.usefixtures("three")
def test_an_accuracy_that_chose_its_epoch_says_so_also_when_the_run_is_not_read_again() -> None:
    path = runs_folder() / "mine-1" / "recipe.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"validation_share": 0.0}))
    path = runs_folder() / "mine-2" / "recipe.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"validation_share": 0.1}))
    for _ in range(2):
        share, test, _ = list_summaries().runs
        assert (FIXED["test"].text(share), describe_test(share)) == ("70.0%", "test accuracy 70.0%")
        assert FIXED["test"].text(test) == "60.0% (best)"
        assert describe_test(test) == "test accuracy 60.0%, of the best epoch on the test images"


@pytest.mark.usefixtures("three")
def test_a_look_at_the_same_test_images_is_counted_for_all_runs_on_them(reads: list[str]) -> None:
    version = "0123456789abcdef"
    for number in (0, 2):
        path = runs_folder() / f"mine-{number}" / "run.json"
        content = json.loads(path.read_text())
        path.write_text(json.dumps(content | {"data": content["data"] | {"version": version}}))
    count_evaluation(version, "mine-0", 1)
    list_summaries()
    for _ in range(2):
        count_evaluation(version, "mine-2", 1)
    reads.clear()
    newest, other, oldest = list_summaries().runs
    assert reads == []
    chosen = ", of the best epoch on the test images"
    assert [describe_test(run) for run in (newest, other, oldest)] == [
        f"test accuracy 70.0%{chosen}, evaluated 3 times",
        f"test accuracy 60.0%{chosen}",
        f"test accuracy 50.0%{chosen}, evaluated 3 times",
    ]
    assert [FIXED["test"].text(run) for run in (newest, other)] == ["70.0% (best) · 3×", "60.0% (best)"]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("name", ["run.json", "events.jsonl", "recipe.json", "design.cnn.json", "label.json"])
def test_a_change_to_any_of_its_files_is_noticed(name: str, reads: list[str]) -> None:
    list_summaries()
    reads.clear()
    path = runs_folder() / "mine-1" / name
    if name == "events.jsonl":
        WrittenRun.append_bytes(_existing("mine-1"), b"{}\n")
    elif name == "label.json":
        change_label(path.parent, title="Mine")
    else:
        os.utime(path, (1, 1))
    found = list_summaries()
    assert reads == ["mine-1"]
    assert len(found.runs) == 3
    assert (found.runs[1].title == "Mine") == (name == "label.json")


def _existing(name: str) -> WrittenRun:
    run = object.__new__(WrittenRun)
    run.folder = runs_folder() / name
    run.events = run.folder / "events.jsonl"
    return run


@pytest.mark.usefixtures("three")
def test_a_deleted_run_is_gone_and_a_new_one_there() -> None:
    list_summaries()
    (runs_folder() / "mine-0").rename(runs_folder() / "renamed")
    assert {run.id for run in list_summaries().runs} == {"mine-1", "mine-2", "renamed"}
    assert {run.folder for run in list_summaries().runs} == set(runs_folder().iterdir())


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"format": "other"}',
        '{"format": "cnnstudio.run-summaries", "version": 99}',
        "row",
        "values",
        "status",
        "date",
        "seconds",
    ],
)
def test_a_damaged_cache_is_made_anew(content: str, reads: list[str]) -> None:
    first = list_summaries()
    if content in ("row", "values", "status", "date", "seconds"):
        cache = json.loads(cache_path().read_text())
        if content == "values":
            cache["recipes"] = [{"epochs": [1, 2]}]
        for _, row in cache["runs"].values():
            if content == "row":
                row[2] = "yesterday"
            elif content == "status":
                row[1] = "asleep"
            elif content == "date":
                row[2] = 1e300
            elif content == "seconds":
                row[17] = math.nan
        content = json.dumps(cache)
    cache_path().write_text(content)
    reads.clear()
    assert list_summaries() == first
    assert len(reads) == 3
    reads.clear()
    list_summaries()
    assert reads == []


@pytest.mark.usefixtures("three")
def test_the_cache_of_another_home_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    list_summaries()
    copied = tmp_path / "other"
    copied.mkdir()
    (copied / cache_path().name).write_bytes(cache_path().read_bytes())
    monkeypatch.setenv("CNNSTUDIO_HOME", str(copied))
    assert list_summaries().runs == ()


@pytest.mark.usefixtures("three")
def test_a_home_that_cannot_be_written_lists_all_the_same() -> None:
    cache_path().mkdir()
    assert len(list_summaries().runs) == 3


@pytest.mark.usefixtures("three")
def test_what_cannot_be_read_is_named_and_hides_nothing_else(reads: list[str]) -> None:
    (runs_folder() / "damaged").mkdir()
    (runs_folder() / "damaged" / "run.json").write_text("{")
    (runs_folder() / "study").mkdir()
    (runs_folder() / "a file").write_text("")
    found = list_summaries()
    assert len(found.runs) == 3
    (problem,) = found.problems
    assert str(runs_folder() / "damaged") in problem
    reads.clear()
    assert list_summaries() == found
    assert sorted(reads) == ["damaged", "study"]


def test_a_run_that_ends_without_writing_is_no_longer_running() -> None:
    run = WrittenRun(runs_folder() / "run")
    run.append(progress(10, 1.0), ended(1, 1.0, 0.5, best=True))
    run.beat(seconds_ago=1000)
    with FileLock(run.folder / "lock"):
        running = list_summaries().runs[0]
        assert (running.status, running.best_epoch) == ("running", 1)
        # As if another run had changed the file of summaries meanwhile.
        write_cache(runs_folder(), {running.id: (stamp_of(str(run.folder)), running)})
    for _ in range(2):
        # It had not saved its best weights.
        interrupted = list_summaries().runs[0]
        assert (interrupted.status, interrupted.best_epoch) == ("interrupted", None)


@pytest.mark.usefixtures("three")
def test_listing_can_be_cancelled() -> None:
    with pytest.raises(Cancelled):
        list_summaries(cancelled=lambda: True)


def test_there_is_nothing_to_list_without_a_runs_folder() -> None:
    assert list_summaries().runs == ()
    assert not cache_path().exists()


def test_a_name_that_is_not_utf_8_is_kept() -> None:
    name = os.fsdecode(b"run-\xff")
    trained(runs_folder(), tiny(), (0.5,))
    try:
        (runs_folder() / "mine-0").rename(runs_folder() / name)
    except OSError:
        pytest.skip("the file system takes UTF-8 names only")
    first = list_summaries()
    assert [run.id for run in first.runs] == [name]
    assert list_summaries() == first
