"""Progress reports are throttled: often enough for a smooth bar, seldom enough to cost nothing."""

from __future__ import annotations

import pytest

from cnnstudio.core import progress as module
from cnnstudio.core.progress import Progress


def test_reports_are_dropped_but_never_the_first_and_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    received: list[int] = []
    report = module.throttled(lambda update: received.append(update.done), per_second=20)
    for done in range(101):
        now += 0.01
        report(Progress(done, 100, ""))
    assert received[0] == 0
    assert received[-1] == 100
    assert len(received) <= 22


def test_the_time_left_is_said_after_a_while_and_for_each_step_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    texts: list[str] = []
    report = module.with_time_left(lambda update: texts.append(update.text))
    for seconds, done, total in (
        (0, 0, 100),
        (1, 10, 100),
        (9, 25, 100),
        (80, 100, 100),
        (0, 0, 50),
        (4, 40, 50),
    ):
        now += seconds
        report(Progress(done, total, "Comparing"))
    assert texts == [
        *("Comparing", "Comparing", "Comparing, about 30 s left", "Comparing", "Comparing"),
        "Comparing, about 1 s left",
    ]
