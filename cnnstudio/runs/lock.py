"""The lock by which a run's process says that it is alive. The system releases it when the process ends."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from cnnstudio.locking import try_lock

LOCK_FILE = "lock"

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
