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
