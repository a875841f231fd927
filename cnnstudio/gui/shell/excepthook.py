"""Errors of the program's own: written to the log, told in one sentence, and no reason to lose the design."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from types import TracebackType

from cnnstudio.core.logs import log_path

_log = logging.getLogger(__name__)


def tell_mistakes(tell: Callable[[str], None]) -> None:
    """Logs every exception that nobody caught and gives `tell` a sentence about it; the window lives on."""

    def on_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        _log.error("An exception that nobody caught", exc_info=(kind, error, trace))
        tell(f"An error of the program’s own ({kind.__name__}). Your design is kept; {log_path()} says more.")

    sys.excepthook = on_uncaught
