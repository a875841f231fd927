"""Whether a window can open here. Qt itself answers by ending the process, so it has to be asked before."""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
import os
import sys
from pathlib import Path

from cnnstudio.layers.errors import UserError


class NoDisplay(UserError):
    """There is no screen to show the window on, or Qt lacks a library of the system."""


def require_display() -> None:
    """Raises NoDisplay where Qt could not open a window. Only Linux and its like can lack a display."""
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM"):
        return
    if os.environ.get("WAYLAND_DISPLAY"):
        return
    if not os.environ.get("DISPLAY"):
        raise NoDisplay(
            "there is no display to open the window on: start it in a desktop session, "
            "or use the commands, which need none (cnnstudio --help)"
        )
    _require_xcb()


def _require_xcb() -> None:
    """Loads what Qt will load, and knocks at the X server."""
    package = importlib.util.find_spec("PySide6")
    for folder in (package.submodule_search_locations or []) if package else []:
        plugin = Path(folder, "Qt/plugins/platforms/libqxcb.so")
        if plugin.exists():
            _load(str(plugin))
    name = ctypes.util.find_library("xcb")
    if name is None:
        return
    xcb = _load(name)
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    refused = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    if refused:
        raise NoDisplay(
            f"the display {os.environ['DISPLAY']} does not answer: start the window in a desktop session, "
            "or use the commands, which need none (cnnstudio --help)"
        )


def _load(library: str) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(library)
    except OSError as error:
        raise NoDisplay(missing_library(error)) from None


def missing_library(error: Exception) -> str:
    """The sentence for a library of the system that Qt cannot do without."""
    return (
        f"the window cannot open because the system lacks a library ({error}); on Debian and Ubuntu: "
        "apt install libegl1 libgl1 libxkbcommon-x11-0 libxcb-cursor0 libdbus-1-3"
    )
