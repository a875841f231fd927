"""What a range test of learning rates shows. Needs no torch.

Each step of the test is made with a higher rate than the one before it, from far too low to far too high.
While the rate is too low the loss hardly falls; then it falls; then the steps go too far and it rises
(Smith, Cyclical Learning Rates for Training Neural Networks, 2017, section 3.3). The rates rise by the same
factor from step to step and the loss is a running mean, as in fast.ai (Gugger, How Do You Find A Good
Learning Rate, 2018).
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
"""Share of the running mean that each step keeps."""

_DIVERGED = 2.0
"""The test ends where the running mean is more than so many times what it was at its best."""

_LEARNS = 0.1
"""Share of its whole fall after which the loss is seen to fall."""

_DONE = 0.95
"""Share of its whole fall after which the loss has fallen."""

_CLEAR = 0.01
"""Share of the loss at the beginning that it has to fall by; less is noise."""

_SAFETY = 10.0
"""A rate is suggested that is so many times lower than the highest that lets the loss fall (Gugger 2018).

There the loss is about to rise, and a training has to bear the rate for longer than one step.
"""

_FEWEST = 5
"""Steps that a test needs at the least to tell something."""


class RateTestError(UserError):
    """A test that tells nothing."""


@dataclass(frozen=True)
class RateTest:
    """What each step gave. `suggestion` and its range are None where no rate lets the loss fall."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    """The running means of the loss."""
    steps: int
    """Of a test that goes on to the end."""
    suggestion: float | None = None
    lowest: float | None = None
    """The lowest rate at which the loss is seen to fall."""
    highest: float | None = None
    """The rate at which the loss has fallen: above it there is nothing to gain."""

    def to_json(self) -> dict[str, Any]:
        return {
            "suggestion": self.suggestion,
            "lowest": self.lowest,
            "highest": self.highest,
            "rates": list(self.rates),
            "losses": list(self.losses),
        }


def rate_at(step: int, steps: int) -> float:
    """The rate of a step, counted from 0: from the lowest to the highest by one factor."""
    return float(LOWEST * (HIGHEST / LOWEST) ** (step / max(steps - 1, 1)))


def range_test(
    losses: Iterable[tuple[float, float]], steps: int, tell: Callable[[RateTest], None]
) -> RateTest:
    """The test over (rate, loss) of each step; it asks for no more once the loss has run away.

    The loss of a step was worked out before it was made, so it shows what the rates before it have done.
    """
    rates: list[float] = []
    smooth: list[float] = []
    mean = 0.0
    for number, (rate, loss) in enumerate(losses, start=1):
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
        # Without the correction the mean would begin at 0 (Kingma and Ba 2015, section 3).
        value = mean / (1 - _SMOOTHING**number)
        if not math.isfinite(value) or (smooth and value > _DIVERGED * min(smooth)):
            break
        rates.append(rate)
        smooth.append(value)
        tell(RateTest(tuple(rates), tuple(smooth), steps))
    if len(rates) < _FEWEST:
        raise RateTestError(
            "The loss ran away at the lowest learning rates already: look at the images and at the layers' "
            "first weights."
        )
    return RateTest(tuple(rates), tuple(smooth), steps, *suggested(rates, smooth))


def suggested(rates: list[float], losses: list[float]) -> tuple[float | None, float | None, float | None]:
    """A rate, and the range that it lies in; three times None where the loss does not fall."""
    best = min(range(len(losses)), key=losses.__getitem__)
    start = max(losses[: best + 1])
    fall = start - losses[best]
    if fall < _CLEAR * start:
        return None, None, None
    # Counted from the end of the fall: the noise before it also goes down, and up again.
    high = [index for index in range(best + 1) if start - losses[index] < _LEARNS * fall]
    # Once nearly all is learned the loss stays low at any rate, so that the very lowest says nothing.
    done = next(index for index in range(best + 1) if start - losses[index] >= _DONE * fall)
    lowest, highest = rates[min(high[-1], done)], rates[done]
    return _readable(max(highest / _SAFETY, lowest)), lowest, highest


def _readable(rate: float) -> float:
    """Two digits are all that the test can tell."""
    return float(f"{rate:.1e}")
