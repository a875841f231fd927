"""Brings all ranks to the same decisions at the same step: stop, pause, changes, saving.

Each rank could be asked to stop at a different moment, and each has its own clock. But the next collective
needs all of them, so no rank may act on a request by itself: it would leave the others waiting. Every so
many steps the ranks therefore exchange what they were asked, and all act on the common answer.
"""

from __future__ import annotations

import threading
import time
from typing import NamedTuple

from cnnstudio.training.control import Control
from cnnstudio.training.distributed.ranks import Ranks

_SECONDS_BETWEEN_SYNCS = 0.1
"""About. Each sync is a message that every rank waits for."""

_MAX_STEPS_BETWEEN_SYNCS = 1000


class Due(NamedTuple):
    """What the first rank's clock says it is time for."""

    flush: bool
    """Reading losses from the device and reporting progress."""
    save: bool


_NOTHING_DUE = Due(False, False)


class RankSync:
    """The first rank's requests and clock hold for all ranks; a stop may be requested on any of them.

    The run obeys `control`, which changes only inside `synchronize`. A single process obeys `requested`
    itself, at once.
    """

    def __init__(self, ranks: Ranks, requested: Control) -> None:
        self.requested = requested
        self.control = requested if ranks.is_single_process else Control()
        self._ranks = ranks
        self._next_sync = 0
        self._last_sync: tuple[int, float] | None = None

    def synchronize(self, step: int, due: Due, at_once: bool = False) -> Due:
        """What is due on all ranks after this step; nothing if the ranks do not synchronize at this step.

        The step of the next sync is part of the message, so that all ranks agree on it without asking. With
        `at_once` they synchronize now, which requires that every rank passes it at the same step.
        """
        if self._ranks.is_single_process:
            return due
        # Safe without asking: `_next_sync` came with the last sync, so all ranks skip the same steps.
        if step < self._next_sync and not at_once:
            return _NOTHING_DUE
        requested, agreed = self.requested, self.control
        # The others contribute zeros, so the maximum over ranks is what the first one says; for the stop, to
        # which all contribute, it is whether any rank was asked. So one message does for everything.
        stop, changes, flush, save, pause, stop_after_epoch, single_step, self._next_sync = (
            self._ranks.all_reduce_max([int(requested.stop.is_set()), *self._first_ranks_message(step, due)])
        )
        _set(agreed.stop, stop)
        _set(agreed.pause, pause)
        _set(agreed.stop_after_epoch, stop_after_epoch)
        _set(agreed.single_step, single_step)
        # The request was passed on. If it stayed set, the next sync would request another step; a stop or a
        # pause, in contrast, is a state that holds until it is changed.
        requested.single_step.clear()
        if changes:
            # All ranks know by now that there are changes, so all take part in this second collective.
            for fields in self._ranks.broadcast_result(lambda: list(requested.take_changes())):
                agreed.request_change(**fields)
        return Due(bool(flush), bool(save))

    def _first_ranks_message(self, step: int, due: Due) -> list[int]:
        requested = self.requested
        flags = [
            *(requested.has_changes, due.flush, due.save),
            *(
                event.is_set()
                for event in (requested.pause, requested.stop_after_epoch, requested.single_step)
            ),
        ]
        if not self._ranks.is_first:
            # Zeros even if this rank's clock says otherwise: no two clocks agree, and with the maximum over
            # all of them the earliest would decide each time.
            return [0] * (len(flags) + 1)
        return [*map(int, flags), self._choose_next_sync(step)]

    def _choose_next_sync(self, step: int) -> int:
        """The step after which the ranks synchronize again, from the speed of the last steps."""
        now = time.perf_counter()
        last_step, last_time = self._last_sync or (step, now)
        self._last_sync = step, now
        # The first sync, or one at the same step as the last (at the start of an epoch, or in a pause): there
        # is no speed to measure.
        if step == last_step:
            return step + 1
        steps = int(_SECONDS_BETWEEN_SYNCS * (step - last_step) / (now - last_time))
        return step + min(max(steps, 1), _MAX_STEPS_BETWEEN_SYNCS)


def _set(event: threading.Event, value: int) -> None:
    if value:
        event.set()
    else:
        event.clear()
