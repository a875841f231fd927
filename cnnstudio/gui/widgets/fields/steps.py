"""The numbers through which the arrows of a field step."""

from __future__ import annotations

import math

from cnnstudio.core.parameters import Number

DECIMALS = 12
"""Of the numbers in a field, at most."""
_WIDE_RANGE = 1000.0
"""A number whose range spans more than this factor is stepped through 1, 2, 5, 10, 20 …"""


def stepped(value: float, steps: int, parameter: Number) -> float:
    """The value some steps up or down: 1, 2, 5, 10 … in wide ranges, else multiples of a round step."""
    low, high = parameter.minimum, parameter.maximum
    if low > 0 and high / low > _WIDE_RANGE:
        return _one_two_five(value, steps)
    step = _one_two_five((high - low) / 19, 0)
    if 0 < value < step:
        step = 10.0 ** math.floor(math.log10(value))
    position = value / step
    multiple = math.floor(position + 1e-9) if steps > 0 else math.ceil(position - 1e-9)
    return round((multiple + steps) * step, DECIMALS)


def _one_two_five(value: float, steps: int) -> float:
    """Moves by `steps` in the sequence 1, 2, 5, 10, 20 …, from its number at or below `value`."""
    exponent = math.floor(math.log10(value) + 1e-9)
    digit = value / 10.0**exponent * (1 + 1e-9)
    index = 3 * exponent + (0 if digit < 2 else 1 if digit < 5 else 2)
    target = index + steps
    # A step down from between two numbers goes to the lower one.
    if steps < 0 and digit > (1, 2, 5)[index % 3] * (1 + 1e-6):
        target += 1
    return float(f"{(1, 2, 5)[target % 3] * 10.0 ** (target // 3):.6g}")
