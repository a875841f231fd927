"""The window: the only package that imports Qt. It shows what the other packages compute."""

import sys

if sys.platform == "win32":
    # WORKAROUND: on Windows torch cannot load its libraries after Qt's (WinError 1114,
    # https://github.com/pytorch/pytorch/issues/166628), so it is imported first, which delays the window.
    import torch  # noqa: F401  # for its side effect

from cnnstudio.gui.shell.errors.overrides import guard_overrides
from cnnstudio.gui.shell.pyside_workarounds import pin_singleton_refcounts

pin_singleton_refcounts()
guard_overrides()
