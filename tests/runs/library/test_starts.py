"""When runs were started, in words that tell namesakes apart."""

from __future__ import annotations

from datetime import datetime

import pytest

from cnnstudio.runs.library import starts
from cnnstudio.runs.library.columns import started_column
from cnnstudio.runs.library.starts import describe_start, distinct_starts
from tests.runs.library.listed import summary


class Afternoon(datetime):
    """A clock that stands, so that no test runs past midnight."""

    @classmethod
    def now(cls, tz: object = None) -> Afternoon:
        return cls(2026, 5, 12, 14, 2, 9)


@pytest.fixture(autouse=True)
def _standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starts, "datetime", Afternoon)


def stamp(*moment: int) -> float:
    return datetime(*moment).timestamp()


def test_the_time_is_shown_today_and_the_date_otherwise() -> None:
    assert describe_start(stamp(2026, 5, 12, 14, 2, 9)) == "14:02"
    assert describe_start(stamp(2026, 5, 12, 0, 0, 0), exactly=True) == "00:00:00"
    assert describe_start(stamp(2026, 5, 11, 23, 59, 59)) == f"{datetime(2026, 5, 11):%b} 11, 23:59"
    assert describe_start(stamp(2020, 5, 12, 9, 5, 7)) == "2020-05-12"
    assert describe_start(stamp(2020, 5, 12, 9, 5, 7), exactly=True) == "2020-05-12, 09:05:07"


def test_a_start_that_no_clock_shows_is_left_out() -> None:
    assert describe_start(None) == ""
    assert describe_start(-1e14) == ""
    assert describe_start(float("nan")) == ""


def test_namesakes_of_one_minute_are_told_apart_by_the_second_or_a_number() -> None:
    noon = stamp(2026, 5, 12, 12)
    found = distinct_starts(
        [
            ("d", "Lesson CNN", noon + 7.2),
            ("a", "Lesson CNN", noon + 5),
            ("b", "Lesson CNN", noon + 7.1),
            ("other minute", "Lesson CNN", noon + 60),
            ("other title", "LeNet", noon + 5),
        ]
    )
    assert found == {"a": "12:00:05", "b": "12:00:07", "d": "12:00:07 (2)"}


def test_namesakes_of_one_day_in_another_year_are_told_apart_by_the_time() -> None:
    found = distinct_starts(
        [
            ("a", "Net", stamp(2020, 5, 12, 0, 1)),
            ("b", "Net", stamp(2020, 5, 12, 23, 58)),
            ("c", "Net", stamp(2020, 5, 13, 0, 1)),
        ]
    )
    assert found == {"a": "2020-05-12, 00:01:00", "b": "2020-05-12, 23:58:00"}


def test_the_column_of_the_start_never_has_two_runs_of_a_title_that_look_the_same() -> None:
    runs = [summary(f"run-{number}", created=1_790_000_000.0 + number // 3) for number in range(200)]
    column = started_column(runs)
    assert len({column.text(run) for run in runs}) == 200
