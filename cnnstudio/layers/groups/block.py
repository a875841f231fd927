"""Block: a named sequence of layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnnstudio.layers.base import Group


@dataclass(frozen=True)
class Block(Group):
    """Runs the layers inside in sequence, as if it were not there. It exists to be named by the user."""

    description: ClassVar[str] = "Groups a sequence of layers under a name, without changing what they do."
    usage_hint: ClassVar[str] = (
        "Use it to name a part, or as a branch; an empty Block passes its input through."
    )
    order: ClassVar[int] = 3

    is_transparent: ClassVar[bool] = True

    def summary(self) -> str:
        return "in sequence"
