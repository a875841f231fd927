"""Block: layers that belong together, under one name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnnstudio.layers.base import Group


@dataclass(frozen=True)
class Block(Group):
    """The layers inside it, as if it were not there; it has the name that its user gives it."""

    description: ClassVar[str] = "Holds layers together in a row, under a name, and changes nothing."
    advice: ClassVar[str] = "Use it for parts with a name, and as a branch; empty, it passes its input on."
    order: ClassVar[int] = 3

    transparent: ClassVar[bool] = True

    def summary(self) -> str:
        return "in a row"
