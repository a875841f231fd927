"""What a layer says of an input that it cannot take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cnnstudio.core.errors import UserError

if TYPE_CHECKING:
    from cnnstudio.layers.fixes import Fix
    from cnnstudio.layers.shape import Shape


class ShapeError(UserError):
    """A layer cannot take what it gets.

    The message continues the layer's name and may hold `{source}`, the words for where the input came from:
    "takes a flat vector, but gets 64 × 6 × 6{source}". `fixes` are what would fix it, the best one first.
    `assumed` is the output that the layer would have once fixed, so that what follows can still be checked.
    `why` is one sentence on why it matters.
    """

    def __init__(
        self,
        message: str,
        fix: Fix | Sequence[Fix] | None = None,
        assumed: Shape | None = None,
        why: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.fixes: tuple[Fix, ...] = tuple(fix) if isinstance(fix, Sequence) else (fix,) if fix else ()
        self.assumed = assumed
        self.why = why

    @property
    def fix(self) -> Fix | None:
        """The best fix."""
        return self.fixes[0] if self.fixes else None
