"""How often a run is saved.

At the interval that the user chooses, exactly, and at the end of each epoch. By default every 30 seconds
and at the end of each epoch, but never so often that saving takes more than 1% of the run's time. The work
that a killed process loses is then at most about 100 times what one save takes. A pause, a stop, a change of
the recipe and the end of the run are always saved.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cnnstudio.core.errors import UserError
from cnnstudio.core.parameters import shorten

_PATTERN = re.compile(r"(\d{1,9}) ?(s|m|steps?)?")
_COST_FACTOR = 100
"""By default, seconds between two saves for each second that a save takes, at least."""


class SaveIntervalError(UserError):
    """Text that is not a save interval; the message says how to write one."""


@dataclass(frozen=True)
class SaveInterval:
    """Save every `steps` steps or every `seconds`; if not `exact`, less often where saving is slow."""

    steps: int | None = None
    seconds: float | None = None
    exact: bool = True

    @classmethod
    def parse(cls, text: str) -> SaveInterval:
        """Reads `500` (steps), `30s` or `10m`. Raises SaveIntervalError."""
        found = _PATTERN.fullmatch(text.strip())
        count = int(found[1]) if found else 0
        if found is None or not count:
            raise SaveIntervalError(
                f"must be a number of steps such as 500 or a time such as 30s or 10m, got “{shorten(text)}”"
            )
        if found[2] in ("s", "m"):
            return cls(seconds=count * (60 if found[2] == "m" else 1))
        return cls(steps=count)


DEFAULT_INTERVAL = SaveInterval(seconds=30.0, exact=False)


class SaveSchedule:
    """Tells when to save. All times are seconds on the run's stopwatch."""

    def __init__(self, interval: SaveInterval, now: float) -> None:
        self.interval = interval
        self._saved_at = now
        self._cost = 0.0

    @property
    def is_step_based(self) -> bool:
        """Whether the step number alone decides, so that all ranks know it without asking each other."""
        return self.interval.steps is not None

    def is_due(self, step: int, now: float) -> bool:
        """Whether to save after this step."""
        steps, seconds = self.interval.steps, self.interval.seconds
        if steps is not None:
            return step % steps == 0
        if seconds is None:
            return False
        return now - self._saved_at >= seconds and self.is_within_budget(now)

    def is_within_budget(self, now: float) -> bool:
        """Whether a save now, such as at an epoch's end, keeps to the default's share of the time.

        The cost of the next save is taken to be that of the last one.
        """
        return self.interval.exact or now - self._saved_at >= _COST_FACTOR * self._cost

    def record_save(self, now: float, cost: float) -> None:
        """A checkpoint was written, for whatever reason, and took `cost` seconds."""
        self._saved_at, self._cost = now, cost
