"""What keeps the process alive with PySide6 6.12 on Python 3.11; nothing of it is needed from Python 3.12 on.

WORKAROUND: PySide6 returns None from every function without a result, and True from every `emit`, without
incrementing the reference count. That is correct from Python 3.12 on, where these objects are immortal
(PEP 683). On 3.11, each such call lowers the count of None, about 16,000 at startup; it reaches 0 within
minutes, and Python aborts with "none_dealloc: deallocating None". No report of it was found in
https://bugreports.qt.io/projects/PYSIDE.
"""

from __future__ import annotations

import ctypes
import sys

_HIGH_COUNT = 2**40


def pin_singleton_refcounts() -> None:
    """Raises the counts so high that no session can exhaust them."""
    # Builds with reference tracing store two pointers before the count, so its address would be wrong.
    if sys.version_info >= (3, 12) or hasattr(sys, "getobjects"):
        return
    for value in (None, True, False):
        if sys.getrefcount(value) < _HIGH_COUNT:
            ctypes.c_ssize_t.from_address(id(value)).value += _HIGH_COUNT
