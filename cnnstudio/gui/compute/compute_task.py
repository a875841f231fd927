"""Work for the compute thread besides training, such as an export."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from cnnstudio.core.errors import UserError
from cnnstudio.core.logs import describe_internal_error
from cnnstudio.core.progress import Cancelled
from cnnstudio.gui.compute.event_queue import EventQueue

_log = logging.getLogger(__name__)

ProgressFunction = Callable[[object], None]
CancelFunction = Callable[[], bool]
ComputeFunction = Callable[[ProgressFunction, CancelFunction], Any]
"""Called with functions that report progress and say whether to stop; its result goes to `on_done`."""


class ComputeTask:
    """A function to run on the compute thread, and the callbacks for the main thread.

    After `cancel` no callback is called.
    """

    def __init__(
        self,
        function: ComputeFunction,
        on_done: Callable[[Any], object],
        on_error: Callable[[str], object],
        on_progress: Callable[[Any], object],
    ) -> None:
        self._function = function
        self._on_done = on_done
        self._on_error = on_error
        self._on_progress = on_progress
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Cancels the task; its function ends when it next checks whether to stop."""
        self._cancelled.set()

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    def run(self, queue: EventQueue, is_closing: CancelFunction) -> None:
        """Runs the function in the current thread; the callbacks go through `queue`."""
        if self.is_cancelled:
            return
        try:
            result = self._function(
                lambda value: queue.call(lambda: self._notify(self._on_progress, value), coalesce_key=self),
                lambda: self.is_cancelled or is_closing(),
            )
        except Cancelled:
            return
        except UserError as error:
            self._fail(queue, str(error))
        except Exception as error:
            _log.exception("A task on the compute thread failed")
            self._fail(queue, describe_internal_error(error))
        else:
            queue.call(lambda: self._notify(self._on_done, result))

    def _fail(self, queue: EventQueue, message: str) -> None:
        queue.call(lambda: self._notify(self._on_error, message))

    def _notify(self, callback: Callable[[Any], object], value: object) -> None:
        # Checked here, in the main thread: the task may be cancelled while the call waits in the queue.
        if not self.is_cancelled:
            callback(value)
