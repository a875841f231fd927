"""The error of a layer that cannot take its input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cnnstudio.core.errors import UserError

if TYPE_CHECKING:
    from cnnstudio.layers.fixes import Fix
    from cnnstudio.layers.shape import Shape


class ShapeError(UserError):
    """A layer cannot take its input.

    The message has no subject, because the caller puts the layer's name before it: "takes a flat vector, but
    gets 64 × 6 × 6{source}". The caller also replaces `{source}`, by " from MaxPooling2D" or the like.
    `fixes` are possible fixes, the best one first. `assumed` is the output shape that the layer would have
    once fixed, so that the layers after it can still be checked. `why` is one sentence that explains the
    problem.
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
