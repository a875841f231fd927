"""The receptive field: which pixels of the input one output value sees."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

# No image is that large. Without an end, strides in nested Repeats would be numbers of a million digits.
_FAR = 2**31
_NEAR = Fraction(1, _FAR)

_ONE, _ZERO = (1, 1), (0, 0)

Pixels = int | Fraction
Pair = tuple[Pixels, Pixels]


@dataclass(frozen=True, slots=True)
class Window:
    """How much of its input one output value sees, how far neighbors stand apart, where the first one is.

    All in input pixels, height before width. `kernel` None means all of the input. `start` is the first pixel
    that the first value sees, negative where that is padding. Behind a layer that enlarges the image all
    may be fractions of a pixel, right to about a step of the layers before it. Windows compose along a chain
    of layers (Araujo, Norris and Sim, Computing Receptive Fields of Convolutional Neural Networks, Distill
    2019, equations 1, 2 and 3).
    """

    kernel: Pair | None = (1, 1)
    stride: Pair = (1, 1)
    start: Pair = (0, 0)

    @property
    def field(self) -> tuple[int, int] | None:
        """The kernel in whole pixels, all of which are seen at least in part."""
        return self.kernel and (math.ceil(self.kernel[0]), math.ceil(self.kernel[1]))

    def at(self, row: int, column: int) -> tuple[range, range] | None:
        """The rows and columns that the value at that place sees, padding included; None for all of them."""
        if self.kernel is None:
            return None
        rows, columns = (
            range(math.floor(first), math.floor(first + kernel - 1) + 1)
            for first, kernel in (
                (self.start[0] + row * self.stride[0], self.kernel[0]),
                (self.start[1] + column * self.stride[1], self.kernel[1]),
            )
        )
        return rows, columns

    def then(self, following: Window) -> Window:
        """This window with `following` applied to its output."""
        if self.kernel is None or following.kernel is None:
            return WHOLE
        # Most layers see just what the layer before them sees, and this is asked for every layer of a design.
        if following.kernel == _ONE and following.stride == _ONE and following.start == _ZERO:
            return self
        (height, width), (down, right) = self.kernel, self.stride
        (top, left), (below, beside) = self.start, following.start
        kernel = height + (following.kernel[0] - 1) * down, width + (following.kernel[1] - 1) * right
        stride = down * following.stride[0], right * following.stride[1]
        start = top + below * down, left + beside * right
        if max(*kernel, *stride, *start) > _FAR or min(*start) < -_FAR or min(*stride) < 1:
            kernel, start = (_short(kernel[0]), _short(kernel[1])), (_short(start[0]), _short(start[1]))
            stride = _step(stride[0]), _step(stride[1])
        return Window(kernel, stride, start)

    def beside(self, other: Window) -> Window:
        """What a value sees that is made of one value of each, at the same place."""
        if self.kernel is None or other.kernel is None:
            return WHOLE
        start = min(self.start[0], other.start[0]), min(self.start[1], other.start[1])
        bottom = max(self.start[0] + self.kernel[0], other.start[0] + other.kernel[0])
        right = max(self.start[1] + self.kernel[1], other.start[1] + other.kernel[1])
        stride = max(self.stride[0], other.stride[0]), max(self.stride[1], other.stride[1])
        return Window((bottom - start[0], right - start[1]), stride, start)


def _short(length: Pixels) -> Pixels:
    return min(max(length, -_FAR), _FAR)


def _step(stride: Pixels) -> Pixels:
    return min(stride, _FAR) if stride >= 1 else max(stride, _NEAR)


WHOLE = Window(None)
"""The window of a value that sees all of the input."""
