"""Takes readings on the computing thread, slice by slice, of what is wanted at the moment."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from cnnstudio.core.errors import UserError
from cnnstudio.core.logs import describe_internal_error
from cnnstudio.core.progress import CancelFunction
from cnnstudio.insight.instrument import Taking, long_slices
from cnnstudio.insight.reading import Reading
from cnnstudio.runs.epochs.inspection import Inspector, ReadingRequest

_log = logging.getLogger(__name__)


class ReadingService:
    """The background work of a training (`training.control.BackgroundWork`), and of a thread without one.

    `want` and `current` may be used from any thread. The other methods belong to the computing thread, and
    so do the calls of `on_result`, with a reading or a sentence that says why there is none, and of
    `on_progress`.
    """

    def __init__(
        self,
        inspector: Inspector,
        on_result: Callable[[ReadingRequest, Reading | str], object],
        on_progress: Callable[[ReadingRequest, float], object] = lambda request, done: None,
    ) -> None:
        self._inspector = inspector
        self._on_result = on_result
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._wanted: tuple[ReadingRequest, ...] = ()
        self._current: tuple[ReadingRequest, Taking] | None = None

    def want(self, requests: Iterable[ReadingRequest]) -> None:
        """Wants these readings, in this order, and no others: one that is being computed may be dropped."""
        with self._lock:
            self._wanted = tuple(dict.fromkeys(requests))

    @property
    def is_pending(self) -> bool:
        return bool(self._wanted)

    @property
    def current(self) -> ReadingRequest | None:
        """What is being computed. May be asked from any thread."""
        current = self._current
        return None if current is None else current[0]

    def advance(self) -> None:
        """Works on a reading for one slice."""
        wanted = self._wanted
        if self._current is not None and self._current[0] not in wanted:
            self._close()
        if self._current is None:
            if not wanted:
                return
            self._current = (wanted[0], self._inspector.take(wanted[0]))
        request, taking = self._current
        result: Reading | str
        try:
            self._on_progress(request, next(taking))
            return
        except StopIteration as ended:
            result = ended.value
        except UserError as error:
            result = str(error)
        except Exception as error:
            _log.exception("An instrument failed")
            result = describe_internal_error(error)
        self._current = None
        with self._lock:
            self._wanted = tuple(each for each in self._wanted if each != request)
        self._on_result(request, result)

    def run(self, cancelled: CancelFunction) -> None:
        """Serves everything that is wanted, until `cancelled`; the next call continues what was begun."""
        # No training waits between two slices, so that they may be long.
        with long_slices():
            while self.is_pending and not cancelled():
                self.advance()

    def forget(self) -> None:
        """Frees the memory of what was computed, if nothing is wanted."""
        if not self.is_pending:
            self._close()
            self._inspector.forget()

    def _close(self) -> None:
        if self._current is not None:
            self._current[1].close()
            self._current = None
