"""The queue from the compute thread to the main thread: training events and calls, in order.

Not queued Qt signals: each of those would wake the main thread, which takes a core from torch, and all
feature maps would be kept that nobody has had time to draw. Here the main thread collects what has
gathered, and drops what is superseded.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cnnstudio.training.events import Event, SnapshotTaken


@dataclass(frozen=True, eq=False)
class _Call:
    """A function for the main thread to call. A later call with the same `coalesce_key` replaces it."""

    function: Callable[[], object]
    coalesce_key: object = None


class EventQueue:
    """A run's events and other calls. Any thread may put something in; only the main thread drains it."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Event | _Call] = queue.SimpleQueue()
        # Taken from the queue, but not delivered yet. Only the main thread uses it.
        self._undelivered: deque[Event | _Call] = deque()

    def put(self, event: Event) -> None:
        self._queue.put(event)

    def call(self, function: Callable[[], object], coalesce_key: object = None) -> None:
        """Has the main thread call `function`, unless a later call with the same key is queued by then."""
        self._queue.put(_Call(function, coalesce_key))

    def drain(self, deliver: Callable[[tuple[Event, ...]], object]) -> None:
        """Delivers everything queued since the last time, in order.

        `deliver` gets consecutive events as one tuple, without all but the newest SnapshotTaken in it.
        """
        # Only this thread takes items, so that a queue that is not empty stays so until `get_nowait`.
        while not self._queue.empty():
            self._undelivered.append(self._queue.get_nowait())
        # Re-entrant: a listener may open a dialog, whose event loop lets the timer drain again. The inner
        # call then delivers the rest, in order, and the outer one finds nothing left.
        superseded = _superseded(self._undelivered)
        while self._undelivered:
            # Items are removed one by one, so that the rest is still delivered after a listener that raises.
            item = self._undelivered.popleft()
            if isinstance(item, _Call):
                if item not in superseded:
                    item.function()
                continue
            events = [item]
            while self._undelivered and not isinstance(self._undelivered[0], _Call):
                events.append(self._undelivered.popleft())  # type: ignore[arg-type]  # it is an Event, see the loop's condition
            deliver(_with_newest_snapshot(events))


def _superseded(items: Iterable[Event | _Call]) -> set[_Call]:
    """The calls that a later call with the same key replaces."""
    # The newest call stays at its own place, not at that of the first: it must come after what it is about.
    newest: dict[object, _Call] = {}
    superseded = set()
    for item in items:
        if isinstance(item, _Call) and item.coalesce_key is not None:
            if item.coalesce_key in newest:
                superseded.add(newest[item.coalesce_key])
            newest[item.coalesce_key] = item
    return superseded


def _with_newest_snapshot(events: list[Event]) -> tuple[Event, ...]:
    # By position, not by comparison: two snapshots of the same step are equal, see SnapshotTaken.payload.
    newest = max((at for at, event in enumerate(events) if isinstance(event, SnapshotTaken)), default=None)
    return tuple(
        event for at, event in enumerate(events) if at == newest or not isinstance(event, SnapshotTaken)
    )
