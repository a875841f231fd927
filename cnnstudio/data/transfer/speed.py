"""How fast a download is."""

from __future__ import annotations

import time
from collections import deque

from cnnstudio.core.formatting import format_bytes, format_duration

_SPEED_SECONDS = 10
"""The speed that is said is that of so many seconds."""


class DownloadSpeed:
    """How fast the last seconds were, and how long the rest will take."""

    def __init__(self, done: int, total: int | None) -> None:
        self._total = total
        self._marks = deque([(time.monotonic(), done)])

    def text(self, done: int) -> str:
        """`, 3.2 MB/s, 40 s left`; empty in the first second."""
        now = time.monotonic()
        if now - self._marks[-1][0] >= 1:
            self._marks.append((now, done))
            while len(self._marks) > 2 and now - self._marks[1][0] > _SPEED_SECONDS:
                self._marks.popleft()
        since, before = self._marks[0]
        if now - since < 1 or done <= before:
            return ""
        rate = (done - before) / (now - since)
        left = "" if self._total is None else f", {format_duration((self._total - done) / rate)} left"
        return f", {format_bytes(round(rate))}/s{left}"
