"""The built-in shapes, drawn once per process: each test has an empty home, and would draw them again."""

from __future__ import annotations

from functools import cache

import pytest

from cnnstudio.core.progress import CancelFunction, ProgressFunction, ignore_progress, never_cancelled
from cnnstudio.data.dataset import Dataset
from cnnstudio.data.sources.shapes import NORMAL, Shapes

_draw = Shapes._draw


@cache
def _drawn() -> Dataset:
    return _draw(Shapes(), ignore_progress, never_cancelled)


def draw_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of something else."""

    def draw(self: Shapes, progress: ProgressFunction, cancelled: CancelFunction) -> Dataset:
        return _drawn() if self.difficulty is NORMAL else _draw(self, progress, cancelled)

    monkeypatch.setattr(Shapes, "_draw", draw)
