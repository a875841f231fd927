"""The shape of a layer's input or output, without the batch axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """Either an image, (channels, height, width), or a flat vector, (features,).

    Raises ValueError for any other number of axes and for sizes below 1.
    """

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
        """The channels of an image or the features of a flat vector: axis 1 of a batch either way."""
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
        """The number of values in one example."""
        return math.prod(self.dims)

    def __str__(self) -> str:
        return format_sizes(self.dims)


def format_sizes(sizes: Sequence[int]) -> str:
    """`(64, 6, 6)` as `64 × 6 × 6`, the way shapes are shown everywhere."""
    return " × ".join(str(size) for size in sizes)
