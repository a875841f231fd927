"""Receptive fields: which pixels of the network's input one output value sees.

Along a chain of layers l = 1 … L, each with kernel k, stride s and left padding p, one value of the last
layer sees r pixels, neighboring values are S pixels apart, and the first value starts at pixel u:

    r = 1 + Σ_l (k_l - 1) · S_{l-1}        S_l = s_1 · … · s_l        u = - Σ_l p_l · S_{l-1}

with S_0 = 1 (Araujo, Norris and Sim, Computing Receptive Fields of Convolutional Neural Networks, Distill
2019, “Single-path networks”, https://distill.pub/2019/computing-receptive-fields). `ReceptiveField.then`
adds one term to these sums. Composition is associative, so the receptive field of a group is computed once,
relative to the group's input, and reused wherever the group stands.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

# No image is this large. Without a limit, strides in nested Repeats would grow to numbers of a million
# digits.
_LARGEST = 2**31
_SMALLEST_STRIDE = Fraction(1, _LARGEST)

_ONE, _ZERO = (1, 1), (0, 0)

Pixels = int | Fraction
Pair = tuple[Pixels, Pixels]


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """The size, stride and start of the input region that one output value sees, in input pixels, (H, W).

    After a layer that enlarges the image these may be fractions of a pixel, correct to about one stride of
    the layers before it.
    """

    size: Pair | None = (1, 1)
    """Height and width of the region; None for the whole input."""
    stride: Pair = (1, 1)
    """The distance between the regions of neighboring output values."""
    start: Pair = (0, 0)
    """The first row and column that the first output value sees; negative in the padding."""

    @property
    def pixel_size(self) -> tuple[int, int] | None:
        """The size in whole pixels, counting those that are only partly seen; None for the whole input."""
        return self.size and (math.ceil(self.size[0]), math.ceil(self.size[1]))

    def at(self, row: int, column: int) -> tuple[range, range] | None:
        """The rows and columns that the output value at this position sees, including padding.

        None if it sees the whole input.
        """
        if self.size is None:
            return None
        rows, columns = (
            range(math.floor(first), math.floor(first + size - 1) + 1)
            for first, size in (
                (self.start[0] + row * self.stride[0], self.size[0]),
                (self.start[1] + column * self.stride[1], self.size[1]),
            )
        )
        return rows, columns

    def then(self, following: ReceptiveField) -> ReceptiveField:
        """The composition: this receptive field followed by a layer with the receptive field `following`."""
        if self.size is None or following.size is None:
            return WHOLE_IMAGE
        # Fast path: most layers are pointwise, and this runs for every layer of a design after every edit.
        if following.size == _ONE and following.stride == _ONE and following.start == _ZERO:
            return self
        (height, width), (down, right) = self.size, self.stride
        (top, left), (rows, columns) = self.start, following.start
        size = height + (following.size[0] - 1) * down, width + (following.size[1] - 1) * right
        stride = down * following.stride[0], right * following.stride[1]
        start = top + rows * down, left + columns * right
        if max(*size, *stride, *start) > _LARGEST or min(*start) < -_LARGEST or min(*stride) < 1:
            size, start = (_clamp(size[0]), _clamp(size[1])), (_clamp(start[0]), _clamp(start[1]))
            stride = _clamp_stride(stride[0]), _clamp_stride(stride[1])
        return ReceptiveField(size, stride, start)

    def union(self, other: ReceptiveField) -> ReceptiveField:
        """What a value sees that combines one value of each branch at the same position."""
        if self.size is None or other.size is None:
            return WHOLE_IMAGE
        start = min(self.start[0], other.start[0]), min(self.start[1], other.start[1])
        bottom = max(self.start[0] + self.size[0], other.start[0] + other.size[0])
        right = max(self.start[1] + self.size[1], other.start[1] + other.size[1])
        stride = max(self.stride[0], other.stride[0]), max(self.stride[1], other.stride[1])
        return ReceptiveField((bottom - start[0], right - start[1]), stride, start)


def _clamp(length: Pixels) -> Pixels:
    return min(max(length, -_LARGEST), _LARGEST)


def _clamp_stride(stride: Pixels) -> Pixels:
    return min(stride, _LARGEST) if stride >= 1 else max(stride, _SMALLEST_STRIDE)


WHOLE_IMAGE = ReceptiveField(None)
"""The receptive field of a value that sees all of its input."""
