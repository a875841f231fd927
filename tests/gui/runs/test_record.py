"""What a run is called and when it was started, as the window says it."""

from __future__ import annotations

from datetime import datetime

import pytest

from cnnstudio.gui.runs.record import RunRecord, describe_date
from tests.gui.canned import started
from tests.gui.fakes import TINY


def test_the_time_is_shown_today_and_the_date_otherwise() -> None:
    now = datetime.now().astimezone()
    assert describe_date(now) == f"{now:%H:%M}"
    assert describe_date(datetime(2020, 5, 12, 12).astimezone()) == "12 May 2020"


def test_a_start_that_no_clock_shows_is_left_out() -> None:
    assert describe_date(datetime.fromisoformat("0001-01-01T00:00:00+23:59")) == ""
    assert describe_date(None) == ""


@pytest.mark.parametrize(("folder", "keeps"), [("run", True), ("other", False)])
def test_a_resumed_run_keeps_its_title_and_start_and_a_continued_one_is_new(folder: str, keeps: bool) -> None:
    before = RunRecord(TINY, created=datetime(2020, 5, 12, 12).astimezone())
    before.feed([started(run="run")])
    before.label = "My small net"
    after = RunRecord(TINY, created=datetime.now().astimezone())
    after.continue_from(before)
    after.feed([started(run=folder)])
    assert (after.title == "My small net · 12 May 2020") == keeps
    assert (after.title == f"{TINY.name} · {describe_date(after.created)}") != keeps
