"""The window. The only room that knows Qt; it shows values of the floors below, never computes with torch."""

import sys

from cnnstudio.gui.shell.pyside_refcount_workaround import make_immortal

make_immortal()

if sys.platform == "win32":
    # WORKAROUND: on Windows torch does not find its libraries once Qt's are loaded (WinError 1114,
    # https://github.com/pytorch/pytorch/issues/166628), so there it comes first and the window later.
    import torch  # noqa: F401  # for its effect alone
