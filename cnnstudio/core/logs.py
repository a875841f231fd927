"""The log file, and the message shown to users for an unexpected error."""

from __future__ import annotations

import logging
from pathlib import Path

from cnnstudio.core.files import exists
from cnnstudio.core.formatting import clean_text
from cnnstudio.core.parameters import shorten
from cnnstudio.core.paths import home

_MAX_BYTES = 1_000_000
_MAX_MESSAGE_LENGTH = 200

_log = logging.getLogger(__name__)


class _CleanFormatter(logging.Formatter):
    """Leaves out what a terminal would act on: messages may contain names from outside."""

    def format(self, record: logging.LogRecord) -> str:
        return clean_text(super().format(record))


def log_path() -> Path:
    """The file that warnings and errors are written to."""
    return home() / "cnnstudio.log"


def configure_logging(*, on_screen: bool) -> None:
    """Logs warnings and errors to a file if it can be written, and to standard error if `on_screen`."""
    # Imported here because logging.handlers also loads socket and http modules for its other handlers, which
    # would slow down every start.
    from logging.handlers import RotatingFileHandler

    handlers: list[logging.Handler] = [logging.StreamHandler() if on_screen else logging.NullHandler()]
    problem = None
    try:
        log_path().parent.mkdir(parents=True, exist_ok=True)
        handlers.append(RotatingFileHandler(log_path(), maxBytes=_MAX_BYTES, backupCount=1, encoding="utf-8"))
    except OSError as error:
        problem = error
    for handler in handlers:
        handler.setFormatter(_CleanFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=handlers)
    if problem is not None:
        _log.warning("The log file cannot be written: %s", problem)


def describe_internal_error(error: Exception) -> str:
    """The message for a bug in the program that prevented what the user asked for."""
    reason = shorten(f"{type(error).__name__}: {error}".removesuffix(": "), _MAX_MESSAGE_LENGTH)
    details = f" See {log_path()} for details." if exists(log_path()) else ""
    return f"Stopped by an unexpected error: {reason}.{details}"
