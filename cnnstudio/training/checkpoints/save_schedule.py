"""How often a run is saved.

At an interval that is chosen, exactly then and at each epoch's end. By default every 30 seconds and at each
epoch's end, but never so often that saving takes more than a hundredth of the time: what a kill can cost is
then up to a hundred times what a save takes. A pause, a stop, a change and the end are always saved.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cnnstudio.core.errors import UserError
from cnnstudio.core.parameters import shorten

_PATTERN = re.compile(r"(\d{1,9}) ?(s|m|steps?)?")
_SHARE = 100
"""By default saving takes no more than a hundredth of the time."""


class IntervalError(UserError):
    """An interval that makes no sense; the message says how one is written."""


@dataclass(frozen=True)
class Interval:
    """Save after so many steps, or so many seconds; without `exact`, later where saving takes long."""

    steps: int | None = None
    seconds: float | None = None
    exact: bool = True

    @classmethod
    def parse(cls, text: str) -> Interval:
        """`500` steps, `30s` or `10m`. Raises IntervalError."""
        found = _PATTERN.fullmatch(text.strip())
        count = int(found[1]) if found else 0
        if found is None or not count:
            raise IntervalError(
                f"a number of steps, or of seconds as in 30s, is needed, not “{shorten(text)}”"
            )
        if found[2] in ("s", "m"):
            return cls(seconds=count * (60 if found[2] == "m" else 1))
        return cls(steps=count)


DEFAULT = Interval(seconds=30.0, exact=False)


class Clock:
    """Tells when it is time to save. All times are in seconds of one clock."""

    def __init__(self, interval: Interval, now: float) -> None:
        self.interval = interval
        self._saved_at = now
        self._cost = 0.0

    @property
    def counts_steps(self) -> bool:
        """Whether the step alone decides, whatever the time."""
        return self.interval.steps is not None

    def is_due(self, step: int, now: float) -> bool:
        """Whether to save after this step."""
        steps, seconds = self.interval.steps, self.interval.seconds
        if steps is not None:
            return step % steps == 0
        if seconds is None:
            return False
        return now - self._saved_at >= seconds and self.has_time(now)

    def has_time(self, now: float) -> bool:
        """Whether a checkpoint that is not asked for, as at an epoch's end, keeps within its share."""
        return self.interval.exact or now - self._saved_at >= _SHARE * self._cost

    def saved(self, now: float, cost: float) -> None:
        """A checkpoint was written, be it for this clock or another reason; it took `cost` seconds."""
        self._saved_at, self._cost = now, cost
