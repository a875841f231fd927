"""Unexpected errors: logged and shown in one sentence, while the window and the design stay alive."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from types import TracebackType

from cnnstudio.core.logs import log_path

_log = logging.getLogger(__name__)


def install_excepthook(show_error: Callable[[str], None]) -> None:
    """Logs every uncaught exception and calls `show_error` with a message for the user."""

    def on_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        _log.error("Uncaught exception", exc_info=(kind, error, trace))
        show_error(f"Unexpected error ({kind.__name__}). Your design is safe; see {log_path()} for details.")

    sys.excepthook = on_uncaught
