"""Work for the computing thread besides training, such as an export."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from cnnstudio.core.errors import UserError
from cnnstudio.core.logs import own_error
from cnnstudio.core.progress import Cancelled
from cnnstudio.gui.compute.event_queue import Mailbox

_log = logging.getLogger(__name__)

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
        self._function = function
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

    def run(self, mailbox: Mailbox, is_closing: CancelFunction) -> None:
        """Does it, in the computing thread; what comes of it goes to the main thread."""
        if self.is_cancelled:
            return
        try:
            result = self._function(
                lambda value: mailbox.tell(lambda: self._hand(self._on_progress, value), about=self),
                lambda: self.is_cancelled or is_closing(),
            )
        except Cancelled:
            return
        except UserError as error:
            self._fail(mailbox, str(error))
        except Exception as error:
            _log.exception("A job failed")
            self._fail(mailbox, own_error(error))
        else:
            mailbox.tell(lambda: self._hand(self._on_done, result))

    def _fail(self, mailbox: Mailbox, sentence: str) -> None:
        mailbox.tell(lambda: self._hand(self._on_error, sentence))

    def _hand(self, to: Callable[[Any], object], what: object) -> None:
        if not self.is_cancelled:
            to(what)
