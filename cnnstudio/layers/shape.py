"""The shape of what flows from layer to layer, without the batch axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """Either an image, (channels, height, width), or a flat vector, (features,)."""

    dims: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.dims) not in (1, 3) or min(self.dims) < 1:
            raise ValueError(
                f"a shape is (channels, height, width) or (features,), all at least 1, not {self.dims}"
            )

    @classmethod
    def of(cls, *dims: int) -> Shape:
        """`Shape.of(3, 32, 32)` or `Shape.of(10)`."""
        return cls(tuple(dims))

    @property
    def is_image(self) -> bool:
        return len(self.dims) == 3

    @property
    def is_flat(self) -> bool:
        return len(self.dims) == 1

    @property
    def channels(self) -> int:
        """Feature maps of an image; features of a flat vector. Both are axis 1 of a batch."""
        return self.dims[0]

    @property
    def features(self) -> int:
        return self.dims[0]

    @property
    def height(self) -> int:
        return self.dims[1]

    @property
    def width(self) -> int:
        return self.dims[2]

    @property
    def size(self) -> int:
        """How many numbers one example has."""
        return math.prod(self.dims)

    def __str__(self) -> str:
        return times(self.dims)


def times(sizes: Sequence[int]) -> str:
    """`(64, 6, 6)` as `64 × 6 × 6`."""
    return " × ".join(str(size) for size in sizes)
