"""Errors of the program's own: written to a log, told in one sentence, and no reason to lose the design."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

from cnnstudio.home import home

_LARGEST_LOG = 1_000_000

_log = logging.getLogger(__name__)


def log_path() -> Path:
    """Where warnings and errors are written."""
    return home() / "cnnstudio.log"


def start_log() -> None:
    """Writes what the program logs to a file as well; where that cannot be, to standard error alone."""
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    try:
        log_path().parent.mkdir(parents=True, exist_ok=True)
        handlers.append(
            RotatingFileHandler(
                log_path(), maxBytes=_LARGEST_LOG, backupCount=1, encoding="utf-8", delay=True
            )
        )
    except OSError as error:
        _log.warning("There is no log file: %s", error)
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s", handlers=handlers
    )


def tell_mistakes(tell: Callable[[str], None]) -> None:
    """Logs every exception that nobody caught and gives `tell` a sentence about it; the window lives on."""

    def on_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        _log.error("An exception that nobody caught", exc_info=(kind, error, trace))
        tell(f"An error of the program’s own ({kind.__name__}). Your design is kept; {log_path()} says more.")

    sys.excepthook = on_uncaught
