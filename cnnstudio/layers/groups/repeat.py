"""Repeat: the same layers several times in sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnnstudio.core.parameters import integer
from cnnstudio.layers.base import Group


@dataclass(frozen=True)
class Repeat(Group):
    """The body `times` times in sequence; each copy has its own weights."""

    description: ClassVar[str] = "Repeats the layers inside it, each copy with its own weights."
    usage_hint: ClassVar[str] = "Use it to design deep networks without copying layers."
    order: ClassVar[int] = 1
    repeats_body: ClassVar[bool] = True

    times: int = integer(2, maximum=1000, help="number of copies")

    def summary(self) -> str:
        return f"× {self.times}"

    def copies(self) -> int:
        return self.times

    @classmethod
    def from_copies(cls, times: int) -> Repeat:
        return cls(times=times)
