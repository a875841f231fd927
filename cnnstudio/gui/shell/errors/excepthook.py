"""Unexpected errors: logged and shown in one sentence, while the window and the design stay alive."""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import TracebackType

from cnnstudio.core.logs import log_path

_log = logging.getLogger(__name__)
_QUIET_SECONDS = 1.0
"""An error is new if it did not occur for that long. One of painting occurs with each frame, and showing
it would cause the next frame."""


def install_excepthook(show_error: Callable[[str], None]) -> None:
    """Logs uncaught exceptions and calls `show_error` with a message for the user, once for each error."""
    sys.excepthook = _Reporter(show_error)


class _Reporter:
    def __init__(self, show_error: Callable[[str], None]) -> None:
        self._show_error = show_error
        self._is_showing = False
        self._times: dict[str, float] = {}
        """When each error occurred last, by its type and the line that raised it."""

    def __call__(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None, /
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        if not self._is_new(kind, trace):
            return
        _log.error("Uncaught exception", exc_info=(kind, error, trace))
        # An error while one is shown is most likely one of showing it. Widgets belong to the main thread.
        if self._is_showing or threading.current_thread() is not threading.main_thread():
            return
        self._is_showing = True
        try:
            self._show_error(
                f"Unexpected error ({kind.__name__}). Your design is safe; see {log_path()} for details."
            )
        finally:
            self._is_showing = False

    def _is_new(self, kind: type[BaseException], trace: TracebackType | None) -> bool:
        which = "".join((kind.__name__, *traceback.format_tb(trace, -1)))
        now, before = time.monotonic(), self._times.get(which, -_QUIET_SECONDS)
        self._times[which] = now
        return now - before >= _QUIET_SECONDS
