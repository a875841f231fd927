"""What the computing thread has to say, in its order, until the main thread reads it."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cnnstudio.training.events import Event, SnapshotTaken


@dataclass(frozen=True, eq=False)
class _News:
    """Something that the main thread is to do; later news with the same `about` replace it."""

    act: Callable[[], object]
    about: object = None


class Mailbox:
    """A run's events, and news of everything else. Anybody may put something in; the main thread reads."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Event | _News] = queue.SimpleQueue()
        self._unread: deque[Event | _News] = deque()

    def put(self, event: Event) -> None:
        self._queue.put(event)

    def tell(self, act: Callable[[], object], about: object = None) -> None:
        """Has the main thread call `act`, unless it was told something newer `about` the same before that."""
        self._queue.put(_News(act, about))

    def read(self, follow: Callable[[tuple[Event, ...]], object]) -> None:
        """Does what came since the last time, in its order; `follow` gets events that came in a row.

        Of example images it gets only the newest.
        """
        while not self._queue.empty():
            self._unread.append(self._queue.get_nowait())
        replaced = _replaced(self._unread)
        while self._unread:
            # Taken off one by one: what one listener fails at does not keep the rest from the others.
            item = self._unread.popleft()
            if isinstance(item, _News):
                if item not in replaced:
                    item.act()
                continue
            events = [item]
            while self._unread and not isinstance(self._unread[0], _News):
                events.append(self._unread.popleft())  # type: ignore[arg-type]  # the loop says that it is an Event
            follow(_with_newest_images(events))


def _replaced(items: Iterable[Event | _News]) -> set[_News]:
    """The news that later news about the same thing make old."""
    newest: dict[object, _News] = {}
    old = set()
    for item in items:
        if isinstance(item, _News) and item.about is not None:
            if item.about in newest:
                old.add(newest[item.about])
            newest[item.about] = item
    return old


def _with_newest_images(events: list[Event]) -> tuple[Event, ...]:
    images = [event for event in events if isinstance(event, SnapshotTaken)]
    return tuple(event for event in events if event not in images[:-1])
