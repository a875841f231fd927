"""Locks on open files, by which processes see that another one is at work. They end with the process."""

from __future__ import annotations

import sys
from typing import BinaryIO

if sys.platform == "win32":
    import msvcrt

    def try_lock(file: BinaryIO, *, shared: bool) -> None:
        """Locks the open file until it is closed. Raises BlockingIOError while another one has it locked."""
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            raise BlockingIOError from None
else:
    import errno
    import fcntl

    def try_lock(file: BinaryIO, *, shared: bool) -> None:
        """Locks the open file until it is closed. Raises BlockingIOError while another one has it locked."""
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            # Some network drives have no locks at all; what is written there is written without one.
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise
