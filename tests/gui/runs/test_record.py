"""When a run was started, as the window says it."""

from __future__ import annotations

from datetime import datetime

from cnnstudio.gui.runs.record import describe_date


def test_the_time_is_shown_today_and_the_date_otherwise() -> None:
    now = datetime.now().astimezone()
    assert describe_date(now) == f"{now:%H:%M}"
    assert describe_date(datetime(2020, 5, 12, 12).astimezone()) == "12 May 2020"


def test_a_start_that_no_clock_shows_is_left_out() -> None:
    assert describe_date(datetime.fromisoformat("0001-01-01T00:00:00+23:59")) == ""
    assert describe_date(None) == ""
