"""What the user asks for and what is due, agreed on by all ranks, so that each does it at the same step."""

from __future__ import annotations

import time
from typing import NamedTuple

from cnnstudio.training.control import Control
from cnnstudio.training.distributed.ranks import Ranks

_BETWEEN = 0.1
"""Seconds between two meetings, about; each is a message that everyone waits for."""

_FARTHEST = 1000
"""Steps from one meeting to the next, at most."""


class Due(NamedTuple):
    """What the first rank's clock says it is time for."""

    reading: bool
    saving: bool


class Agreement:
    """The first rank's requests and clock hold for all; a stop may be asked for on any of them.

    `control` is what the run obeys. One process alone obeys what it is asked, at once.
    """

    def __init__(self, ranks: Ranks, requested: Control) -> None:
        self.requested = requested
        self.control = requested if ranks.alone else Control()
        self._ranks = ranks
        self._next = 0
        self._met: tuple[int, float] | None = None

    def meet(self, step: int, due: Due, at_once: bool = False) -> Due:
        """What is due for all after this step; nothing, where they do not meet now.

        `at_once` is for what all of them know to be due.
        """
        if self._ranks.alone:
            return due
        if step < self._next and not at_once:
            return Due(False, False)
        asked, agreed = self.requested, self.control
        mine = [asked.pause, asked.stop_after_epoch, asked.single_step]
        said = [asked.has_changes, due.reading, due.saving, *(event.is_set() for event in mine)]
        heard = [*map(int, said), self._next_meeting(step)] if self._ranks.is_first else [0] * (len(said) + 1)
        stop, changes, reading, saving, pause, last_epoch, single, self._next = self._ranks.highest(
            [int(asked.stop.is_set()), *heard]
        )
        for event, wanted in (
            (agreed.stop, stop),
            (agreed.pause, pause),
            (agreed.stop_after_epoch, last_epoch),
            (agreed.single_step, single),
        ):
            if wanted:
                event.set()
            else:
                event.clear()
        asked.single_step.clear()
        if changes:
            for fields in self._ranks.from_first(lambda: list(asked.changes())):
                agreed.request_change(**fields)
        return Due(bool(reading), bool(saving))

    def _next_meeting(self, step: int) -> int:
        """The step after which the ranks meet again, by how fast the steps were."""
        now = time.perf_counter()
        met_step, met_at = self._met or (step, now)
        self._met = step, now
        if step == met_step:
            return step + 1
        return step + min(max(int(_BETWEEN * (step - met_step) / (now - met_at)), 1), _FARTHEST)
