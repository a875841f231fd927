"""How other programs see that a run's process is alive: a lock, and a heartbeat in the same file.

On one machine the lock is enough and exact: the system releases it when the process ends. But not every
network drive carries a lock to other machines, so the process also touches the lock file every few seconds
for as long as it lives, paused or not. Another machine then reads the modification time; it cannot tell a
process that died from one that is cut off from the drive, and need not: neither writes the run.
"""

from __future__ import annotations

import contextlib
import os
import platform
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from cnnstudio.core.files import open_regular
from cnnstudio.core.locking import is_locked

LOCK_FILE = "lock"

# Rare enough for a network drive, and often enough to notice within half a minute that a machine is gone.
HEARTBEAT_INTERVAL = 5.0
HEARTBEAT_TIMEOUT = 30.0
"""Seconds without a heartbeat after which a run on another machine counts as interrupted.

Six beats, so that a drive that stalls for a few seconds does not end a run in the eyes of other machines.
"""


class Heartbeat:
    """Touches the lock file, as a context, from a thread that does nothing else."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK_FILE
        self._stop = threading.Event()
        # A daemon thread: a network drive that hangs must not keep the program from exiting.
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Briefly: the thread may hang in a system call on a drive that is away, and will then end with the
        # process.
        self._stop.set()
        self._thread.join(1.0)

    def _beat(self) -> None:
        # In a thread and not between steps: a step, a validation or a pause may take longer than the timeout.
        while not self._stop.is_set():
            # The folder may have been deleted; the recorder recreates it with the next write.
            with contextlib.suppress(OSError):
                os.utime(self._path)
            self._stop.wait(HEARTBEAT_INTERVAL)


def this_host() -> str:
    """The name of this machine."""
    return platform.node()


def is_held(folder: Path) -> bool:
    """Whether a process on this machine, this one included, is writing the run in the folder."""
    return is_locked(folder / LOCK_FILE)


def last_heartbeat(folder: Path) -> float | None:
    """The time of the last heartbeat by the drive's clock, in Unix seconds; None if there is none."""
    try:
        # Opened before fstat, because a network drive may answer a plain stat from its cache.
        with open_regular(folder / LOCK_FILE, None) as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return None


def is_beating(folder: Path) -> bool:
    """Waits for the next heartbeat; False if two are missed.

    Compares the file's time only with itself, so the clocks of the two machines need not agree.
    """
    # Two beats, and half of one for delays.
    before, deadline = last_heartbeat(folder), time.monotonic() + 2.5 * HEARTBEAT_INTERVAL
    while time.monotonic() < deadline:
        time.sleep(HEARTBEAT_INTERVAL / 50)
        if last_heartbeat(folder) != before:
            return True
    return False
