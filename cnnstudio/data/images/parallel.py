"""An ordered parallel map over images, with a bounded number of results in memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from cnnstudio.core.progress import CancelFunction, raise_if_cancelled

Task = TypeVar("Task")
Result = TypeVar("Result")

_QUEUED_PER_THREAD = 4
"""Tasks submitted ahead, per thread. Bounds the memory for results that wait for their turn."""


def ordered_map(
    work: Callable[[Task], Result], tasks: Iterable[Task], cancelled: CancelFunction
) -> Generator[Result, None, None]:
    """The results of `work` in the order of the tasks. Raises Cancelled, and whatever `work` raises.

    Threads are enough, because Pillow releases the GIL while it decodes and resizes. A caller that may stop
    early must close the generator (`contextlib.closing`), so that no thread keeps working.
    """
    threads = min(4, os.cpu_count() or 1)
    pending: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="images") as pool:
        try:
            for task in tasks:
                pending.append(pool.submit(work, task))
                if len(pending) == threads * _QUEUED_PER_THREAD:
                    yield _next(pending, cancelled)
            while pending:
                yield _next(pending, cancelled)
        finally:
            for future in pending:
                future.cancel()


def _next(pending: deque[Future[Result]], cancelled: CancelFunction) -> Result:
    while not wait((pending[0],), timeout=0.1).done:
        raise_if_cancelled(cancelled)
    raise_if_cancelled(cancelled)
    return pending.popleft().result()
