"""Has the system write a growing file to the disk meanwhile, so that nobody waits for it at the end."""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import BinaryIO, Self

_SYNC_BYTES = 32 * 2**20


class BackgroundSync:
    """Syncs a file now and then, in a thread. Does nothing on systems without fdatasync.

    As a context it ends when the thread has ended, which has to be before the file is closed.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="sync") if hasattr(os, "fdatasync") else None
        self._running: Future[None] | None = None
        self._unsynced = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def written(self, size: int) -> None:
        """So many more bytes were written. Raises OSError if those before could not be synced."""
        self._unsynced += size
        if self._pool is None or self._unsynced < _SYNC_BYTES:
            return
        if self._running is None or self._running.done():
            self.wait()
            self._unsynced = 0
            self._running = self._pool.submit(os.fdatasync, self._file.fileno())

    def wait(self) -> None:
        """Until the thread has nothing to do. Raises OSError if bytes could not be synced.

        The system reports that only once, and not to a later fsync.
        """
        if self._running is not None:
            self._running.result()
