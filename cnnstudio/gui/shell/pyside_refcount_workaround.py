"""None, True and False that Qt cannot use up.

WORKAROUND: PySide6 6.12.0 gives None back from every function without a result, and True from every `emit`,
without counting the reference. That is right from Python 3.12 on, where they are immortal (PEP 683), but not
on 3.11: there the count of None, some 16,000 at the start, reaches 0 after as many calls, within minutes, and
Python aborts with "none_dealloc: deallocating None".
"""

from __future__ import annotations

import ctypes
import sys

_ENOUGH = 2**40


def make_immortal() -> None:
    """Raises the counts so far that no session comes to their end. Nothing to do from Python 3.12 on."""
    # A build that traces references has two pointers before the count.
    if sys.version_info >= (3, 12) or hasattr(sys, "getobjects"):
        return
    for value in (None, True, False):
        if sys.getrefcount(value) < _ENOUGH:
            ctypes.c_ssize_t.from_address(id(value)).value += _ENOUGH
