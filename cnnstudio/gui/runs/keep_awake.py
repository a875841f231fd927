"""Keeps the computer from going to sleep; the screen may turn off."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

_log = logging.getLogger(__name__)


def _keep_running() -> AbstractContextManager[object]:
    from wakepy import keep

    # Where the system offers no way, as on a server, training goes on all the same.
    return keep.running(on_fail="pass")


class KeepAwake:
    """Asks the system in a thread of its own, because the services that it asks may not answer."""

    def __init__(self, keep_running: Callable[[], AbstractContextManager[object]] = _keep_running) -> None:
        self._keep_running = keep_running
        self._ended: threading.Event | None = None

    @property
    def is_on(self) -> bool:
        """Whether the system has been asked, if not yet answered."""
        return self._ended is not None

    def start(self) -> None:
        """Keeps the computer awake until `stop`."""
        if self._ended is None:
            self._ended = threading.Event()
            # A daemon: the system lets the computer sleep again when the program exits.
            threading.Thread(target=self._hold, args=(self._ended,), name="keep awake", daemon=True).start()

    def stop(self) -> None:
        """Lets the computer sleep again."""
        if self._ended is not None:
            self._ended.set()
            self._ended = None

    def _hold(self, ended: threading.Event) -> None:
        try:
            with self._keep_running():
                ended.wait()
        except Exception:
            # The library talks to services of many systems. None of them is needed for training.
            with contextlib.suppress(Exception):
                _log.warning("The computer cannot be kept awake", exc_info=True)
