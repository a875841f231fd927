"""Work on images shared by a few threads, with few results in memory at a time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from cnnstudio.core.progress import CancelFunction, check

Task = TypeVar("Task")
Result = TypeVar("Result")

_WAITING = 4
"""Results a thread that may wait for their turn."""


def in_order(
    work: Callable[[Task], Result], tasks: Iterable[Task], cancelled: CancelFunction
) -> Generator[Result, None, None]:
    """What `work` makes of each task, in the order of the tasks. Raises Cancelled, and what `work` raises.

    Threads help because Pillow lets others run while it decodes and resizes. Whoever may leave before the end
    closes this, so that no thread goes on.
    """
    threads = min(4, os.cpu_count() or 1)
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="images") as pool:
        try:
            for task in tasks:
                waiting.append(pool.submit(work, task))
                if len(waiting) == threads * _WAITING:
                    yield _next(waiting, cancelled)
            while waiting:
                yield _next(waiting, cancelled)
        finally:
            for future in waiting:
                future.cancel()


def _next(waiting: deque[Future[Result]], cancelled: CancelFunction) -> Result:
    while not wait((waiting[0],), timeout=0.1).done:
        check(cancelled)
    check(cancelled)
    return waiting.popleft().result()
