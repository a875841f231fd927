"""File locks, through which processes see that another one is at work.

The system releases a lock when the process that holds it ends, however it ends. A lock file is therefore
never deleted: whether it is locked counts, not whether it exists, and a crash leaves nothing stale behind.

A file that several programs change is read, changed and written inside of `changing`, or one of them would
write over what another one has just added.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from cnnstudio.core.files import FileError, cannot_write, open_regular
from cnnstudio.core.system_lock import lock_file

_ATTEMPTS = 5
_RETRY_SECONDS = 0.02
_PATIENT_ATTEMPTS = 250


class FileLock:
    """An exclusive lock on a file, held as a context. The file is created if it is missing.

    Entering raises BlockingIOError if another process holds the lock, OSError if the file cannot be opened.
    """

    def __init__(self, path: Path, *, attempts: int = _ATTEMPTS) -> None:
        """With more `attempts`, one every 20 ms, it waits for others that hold the lock for longer."""
        self._path = path
        self._attempts = attempts
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        file = open(self._path, "a+b")  # a pipe or a device is refused: it has no position
        try:
            _lock_with_retries(file, self._attempts)
        except BaseException:
            file.close()
            raise
        self._file = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    @property
    def is_in_place(self) -> bool:
        """Whether the locked file is still the one at the path, rather than deleted or replaced."""
        if self._file is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), os.stat(self._path))
        except OSError:
            return False

    def reacquire(self) -> None:
        """Locks the file that is at the path now. Raises BlockingIOError if another process holds it."""
        self._release()
        self.__enter__()

    def _release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


@contextlib.contextmanager
def changing(path: Path, what: str = "") -> Iterator[None]:
    """Keeps others from changing the file at `path`, which may be missing, until the block ends.

    They are kept by the same function, in this process or another one. It waits for up to five seconds, and
    not for itself: a block in a block for the same file fails. Raises FileError, with `what` as the name of
    the file's content.
    """
    with contextlib.ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(path.with_suffix(".lock"), attempts=_PATIENT_ATTEMPTS))
        except BlockingIOError:
            raise FileError(f"Another program is changing {what or path}: try again.") from None
        except OSError as error:
            raise cannot_write(path, error) from error
        yield


def is_locked(path: Path) -> bool:
    """Whether a process, this one included, holds the lock on that file."""
    try:
        # Shared, so that processes that ask at the same time do not see each other.
        with open_regular(path, None) as file:
            lock_file(file, shared=True)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _lock_with_retries(file: BinaryIO, attempts: int = _ATTEMPTS) -> None:
    """By default tries for a tenth of a second: `is_locked` in another process may hold it for an instant."""
    for _ in range(attempts - 1):
        with contextlib.suppress(BlockingIOError):
            lock_file(file)
            return
        time.sleep(_RETRY_SECONDS)
    lock_file(file)
