"""The lock by which a run's process says that it is alive. The system releases it when the process ends.

Not every network drive carries a lock to other machines, so the lock's file also has a pulse: its time moves
on every few seconds for as long as the process lives, also while it is paused.
"""

from __future__ import annotations

import contextlib
import os
import platform
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from cnnstudio.core.locking import try_lock

LOCK_FILE = "lock"

PULSE_SECONDS = 5.0
SILENT_SECONDS = 30.0
"""Without a sign of life for so long, a run on another machine counts as broken off."""

_TRIES = 5
_BETWEEN = 0.02


class RunLock:
    """Held, as a context, by the process that writes the run. Raises BlockingIOError if another one does."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK_FILE
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        file = open(self._path, "a+b")
        try:
            _lock_soon(file)
        except BlockingIOError:
            file.close()
            raise
        self._file = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def is_in_place(self) -> bool:
        """Whether the file that is held is still the one in the folder."""
        if self._file is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), os.stat(self._path))
        except OSError:
            return False

    def take_anew(self) -> None:
        """Holds the file that is in the folder now. Raises BlockingIOError if another process does."""
        before, self._file = self._file, None
        if before is not None:
            before.close()
        self.__enter__()


class Pulse:
    """Moves the time of the lock's file on, as a context, from a thread that does nothing else."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK_FILE
        self._end = threading.Event()
        # A daemon: a network drive that hangs must not keep the program from ending.
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join(1.0)

    def _beat(self) -> None:
        while not self._end.is_set():
            # The folder may be gone; whoever writes into it next makes it anew.
            with contextlib.suppress(OSError):
                os.utime(self._path)
            self._end.wait(PULSE_SECONDS)


def this_host() -> str:
    """The name of this machine."""
    return platform.node()


def last_pulse(folder: Path) -> float | None:
    """When the run's process last gave a sign of life, by the clock of the drive; None where it never did."""
    try:
        # Opened, because a network drive answers for a file that is not from its memory.
        with open(folder / LOCK_FILE, "rb") as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return None


def beats(folder: Path) -> bool:
    """Waits until the pulse moves; False where it misses two. Needs no clock to be right."""
    before, deadline = last_pulse(folder), time.monotonic() + 2.5 * PULSE_SECONDS
    while time.monotonic() < deadline:
        time.sleep(PULSE_SECONDS / 50)
        if last_pulse(folder) != before:
            return True
    return False


def is_held(folder: Path) -> bool:
    """Whether a process, this one included, is writing the run."""
    try:
        with open(folder / LOCK_FILE, "rb") as file:
            try_lock(file, shared=True)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _lock_soon(file: BinaryIO) -> None:
    """Tries a few times: someone may be looking at the lock just now."""
    for _ in range(_TRIES - 1):
        with contextlib.suppress(BlockingIOError):
            try_lock(file, shared=False)
            return
        time.sleep(_BETWEEN)
    try_lock(file, shared=False)
