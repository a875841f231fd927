"""Repeat: the same layers several times in a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnnstudio.core.parameters import integer
from cnnstudio.layers.base import Group


@dataclass(frozen=True)
class Repeat(Group):
    """The body `times` times in a row; each copy has weights of its own."""

    description: ClassVar[str] = "Repeats the layers inside it, each time with weights of its own."
    advice: ClassVar[str] = "Use it to draw deep networks without copying rows."
    order: ClassVar[int] = 1
    repeats: ClassVar[bool] = True

    times: int = integer(2, maximum=1000, help="copies in a row")

    def summary(self) -> str:
        return f"× {self.times}"

    def copies(self) -> int:
        return self.times

    @classmethod
    def of_copies(cls, times: int) -> Repeat:
        return cls(times=times)
