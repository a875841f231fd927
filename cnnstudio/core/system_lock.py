"""Locks of open files, as the operating system offers them."""

from __future__ import annotations

import sys
from typing import BinaryIO

if sys.platform == "win32":
    import msvcrt

    def lock_file(file: BinaryIO, *, shared: bool = False) -> bool:
        """Locks the open file until it is closed. Raises BlockingIOError if another process has locked it."""
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            raise BlockingIOError from None
        return True
else:
    import errno
    import fcntl

    def lock_file(file: BinaryIO, *, shared: bool = False) -> bool:
        """Locks the open file until it is closed. Raises BlockingIOError if another process has locked it.

        Some network drives do not support locks at all. Returns False there: the file is not protected.
        """
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise
            return False
        return True
