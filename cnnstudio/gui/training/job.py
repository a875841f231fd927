"""Work for the computing thread besides training, such as an export."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

ProgressFunction = Callable[[object], None]
CancelFunction = Callable[[], bool]
JobFunction = Callable[[ProgressFunction, CancelFunction], Any]
"""Gets whom to tell its progress, and whom to ask whether to end early; its result goes to `on_done`."""


class Job:
    """A function with what follows from it. Once cancelled, nothing of it is heard any more."""

    def __init__(
        self,
        function: JobFunction,
        on_done: Callable[[Any], object],
        on_error: Callable[[str], object],
        on_progress: Callable[[Any], object],
    ) -> None:
        self.function = function
        self._on_done = on_done
        self._on_error = on_error
        self._on_progress = on_progress
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Calls the job off; its function ends when it asks the next time."""
        self._cancelled.set()

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    # Called in the main thread

    def done(self, result: object) -> None:
        if not self.is_cancelled:
            self._on_done(result)

    def failed(self, sentence: str) -> None:
        if not self.is_cancelled:
            self._on_error(sentence)

    def progressed(self, value: object) -> None:
        if not self.is_cancelled:
            self._on_progress(value)
