"""Progress is told often enough to move and seldom enough not to cost."""

from __future__ import annotations

import pytest

from cnnstudio.core import progress as module
from cnnstudio.core.progress import Progress


def test_news_are_held_back_but_the_first_and_last_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    heard: list[int] = []
    tell = module.throttled(lambda news: heard.append(news.done), per_second=20)
    for done in range(101):
        now += 0.01
        tell(Progress(done, 100, ""))
    assert heard[0] == 0
    assert heard[-1] == 100
    assert len(heard) <= 22
