"""The built-in shapes, drawn once per process: each test has an empty home, and would draw them again."""

from __future__ import annotations

import pytest

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.data.dataset import Dataset
from cnnstudio.data.sources.shapes import NORMAL, Shapes

_draw = Shapes._draw
_drawn: list[Dataset] = []


def draw_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of something else. The first drawing can be canceled as always, and is then done again."""

    def draw(self: Shapes, progress: ProgressFunction, cancelled: CancelFunction) -> Dataset:
        if self.difficulty is not NORMAL:
            return _draw(self, progress, cancelled)
        if not _drawn:
            _drawn.append(_draw(self, progress, cancelled))
        return _drawn[0]

    monkeypatch.setattr(Shapes, "_draw", draw)
