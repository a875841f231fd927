"""The learning rate range test, and the rate that it suggests. Needs no torch.

Each step of the test uses a higher rate than the step before, from far too low to far too high. While the
rate is too low the loss hardly falls; then it falls; then the steps are too large and it rises (Smith,
Cyclical Learning Rates for Training Neural Networks, 2017, section 3.3). The rates rise by a constant factor,
and the loss is a running mean, as in fast.ai (Gugger, How Do You Find A Good Learning Rate, 2018).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from cnnstudio.core.errors import UserError

STEPS = 100
LOWEST, HIGHEST = 1e-5, 10.0

_SMOOTHING = 0.9
"""Decay of the running mean."""

_DIVERGED = 2.0
"""The test ends when the running mean exceeds this multiple of its minimum."""

_FALL_BEGINS = 0.1
_FALL_ENDS = 0.95
"""Fractions of the whole decrease of the loss between which it counts as falling."""

_MIN_FALL = 0.01
"""The loss must fall by this fraction of its initial value; less is noise."""

_SAFETY_FACTOR = 10.0
"""The suggested rate is this much lower than the highest at which the loss falls (Gugger 2018).

There the loss is about to rise, and a training uses the rate for longer than one step.
"""

_MIN_STEPS = 5
"""With fewer steps the test has no result."""


class LrRangeTestError(UserError):
    """A test without a result; the message says why."""


@dataclass(frozen=True)
class LrRangeTest:
    """The result so far. `suggestion`, `lowest` and `highest` are None if the loss falls at no rate."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    """The running means of the loss."""
    steps: int
    """Of the complete test."""
    suggestion: float | None = None
    lowest: float | None = None
    """The lowest rate at which the loss falls."""
    highest: float | None = None
    """The highest rate at which the loss still falls."""

    def to_json(self) -> dict[str, Any]:
        return {
            "suggestion": self.suggestion,
            "lowest": self.lowest,
            "highest": self.highest,
            "rates": list(self.rates),
            "losses": list(self.losses),
        }


def rate_at(step: int, steps: int) -> float:
    """The rate of a step, counted from 0: geometric from LOWEST to HIGHEST."""
    return float(LOWEST * (HIGHEST / LOWEST) ** (step / max(steps - 1, 1)))


def run_range_test(
    losses: Iterable[tuple[float, float]], steps: int, on_step: Callable[[LrRangeTest], None]
) -> LrRangeTest:
    """Runs the test over the (rate, loss) of each step, and stops requesting steps once the loss diverges.

    The loss of a step is computed before its update, so it shows the effect of the rates before. Raises
    LrRangeTestError if the loss diverges at once.
    """
    rates: list[float] = []
    smooth: list[float] = []
    mean = 0.0
    for number, (rate, loss) in enumerate(losses, start=1):
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
        # Bias correction: the mean starts at 0 (Kingma and Ba 2015, section 3).
        value = mean / (1 - _SMOOTHING**number)
        if not math.isfinite(value) or (smooth and value > _DIVERGED * min(smooth)):
            break
        rates.append(rate)
        smooth.append(value)
        on_step(LrRangeTest(tuple(rates), tuple(smooth), steps))
    if len(rates) < _MIN_STEPS:
        raise LrRangeTestError(
            "The loss diverges even at the lowest learning rates: check the images and the layers' initial "
            "weights."
        )
    return LrRangeTest(tuple(rates), tuple(smooth), steps, *suggest_rate(rates, smooth))


def suggest_rate(rates: list[float], losses: list[float]) -> tuple[float | None, float | None, float | None]:
    """(suggestion, lowest, highest); None three times if the loss does not fall."""
    best = min(range(len(losses)), key=losses.__getitem__)
    start = max(losses[: best + 1])
    fall = start - losses[best]
    if fall < _MIN_FALL * start:
        return None, None, None
    # The last step before the fall, not the first: noise before it also goes down, and up again.
    high = [index for index in range(best + 1) if start - losses[index] < _FALL_BEGINS * fall]
    # Not the minimum: once nearly everything is learned, the loss stays low over a wide range of rates.
    done = next(index for index in range(best + 1) if start - losses[index] >= _FALL_ENDS * fall)
    lowest, highest = rates[min(high[-1], done)], rates[done]
    return _readable(max(highest / _SAFETY_FACTOR, lowest)), lowest, highest


def _readable(rate: float) -> float:
    """Rounded to two digits, which is all that the test can tell."""
    return float(f"{rate:.1e}")
