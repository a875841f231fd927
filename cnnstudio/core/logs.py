"""Where the program writes down what went wrong inside it, and the sentence that says so."""

from __future__ import annotations

import logging
from pathlib import Path

from cnnstudio.core.files import exists
from cnnstudio.core.parameters import shorten
from cnnstudio.core.paths import home

_LARGEST = 1_000_000
_LONGEST = 200

_log = logging.getLogger(__name__)


def log_path() -> Path:
    """Where warnings and errors are written."""
    return home() / "cnnstudio.log"


def start_log(*, on_screen: bool) -> None:
    """Writes what the program logs to a file, where there can be one, and on standard error where asked."""
    # Loads the network modules too, for its other handlers; most of the program's starts need none of them.
    from logging.handlers import RotatingFileHandler

    handlers: list[logging.Handler] = [logging.StreamHandler() if on_screen else logging.NullHandler()]
    problem = None
    try:
        log_path().parent.mkdir(parents=True, exist_ok=True)
        handlers.append(RotatingFileHandler(log_path(), maxBytes=_LARGEST, backupCount=1, encoding="utf-8"))
    except OSError as error:
        problem = error
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s", handlers=handlers
    )
    if problem is not None:
        _log.warning("There is no log file: %s", problem)


def own_error(error: Exception) -> str:
    """The sentence for a mistake of the program's own that stopped what the user wanted."""
    words = shorten(f"{type(error).__name__}: {error}".removesuffix(": "), _LONGEST)
    more = f" {log_path()} says more." if exists(log_path()) else ""
    return f"An error of the program’s own stopped this: {words}.{more}"
