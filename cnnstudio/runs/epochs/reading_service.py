"""Takes readings on the computing thread, slice by slice, of whatever is asked for last."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from cnnstudio.core.errors import UserError
from cnnstudio.core.logs import describe_internal_error
from cnnstudio.core.progress import CancelFunction
from cnnstudio.insight.instrument import Taking
from cnnstudio.insight.reading import Reading
from cnnstudio.runs.epochs.inspection import Inspector, ReadingRequest

_log = logging.getLogger(__name__)


class ReadingService:
    """The background work of a training (`training.control.BackgroundWork`), and of a thread without one.

    Each slot, such as a view, has one request: a new one replaces it, also while it is being computed. `ask`
    and `withdraw` may be called from any thread. The other methods belong to the computing thread, and so do
    the calls of `on_result`, with a reading or a sentence that says why there is none, and `on_progress`.
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
        self._wanted: dict[str, ReadingRequest] = {}
        """By slot, in the order in which they are served."""
        self._current: tuple[ReadingRequest, Taking] | None = None

    def ask(self, slot: str, request: ReadingRequest) -> None:
        """Wants this reading, and no longer what the slot wanted before."""
        with self._lock:
            if self._wanted.get(slot) != request:
                self._wanted.pop(slot, None)
                self._wanted[slot] = request

    def withdraw(self, slot: str) -> None:
        """Wants nothing any more, for example because the view was hidden."""
        with self._lock:
            self._wanted.pop(slot, None)

    def wants(self, request: ReadingRequest) -> bool:
        """Whether a slot still wants it."""
        with self._lock:
            return request in self._wanted.values()

    @property
    def is_pending(self) -> bool:
        # Without the lock, because it is asked at every step; reading the length of a dict is atomic.
        return len(self._wanted) > 0

    def advance(self) -> None:
        """Works on a reading for one slice. A request that nobody wants any more is dropped."""
        if self._current is not None and not self.wants(self._current[0]):
            self._close()
        if self._current is None:
            with self._lock:
                request = next(iter(self._wanted.values()), None)
            if request is None:
                return
            self._current = (request, self._inspector.take(request))
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
            for slot in [slot for slot, wanted in self._wanted.items() if wanted == request]:
                del self._wanted[slot]
        self._on_result(request, result)

    def run(self, cancelled: CancelFunction) -> None:
        """Serves everything that is wanted, until `cancelled`; the next call continues what was begun."""
        while self.is_pending and not cancelled():
            self.advance()

    def forget(self) -> None:
        """Drops everything and frees the memory."""
        with self._lock:
            self._wanted.clear()
        self._close()
        self._inspector.forget()

    def _close(self) -> None:
        if self._current is not None:
            self._current[1].close()
            self._current = None
