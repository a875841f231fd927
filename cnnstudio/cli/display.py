"""Whether a window can open here. Qt itself answers by ending the process, so it has to be asked before."""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
import os
import re
import socket
import sys
from pathlib import Path

from cnnstudio.core.errors import UserError


class NoDisplay(UserError):
    """There is no screen to show the window on, or Qt lacks a library of the system."""


_SERVERS = {"xcb", "wayland"}
"""The platforms of Qt that show windows on a server; the others, such as offscreen or vnc, need none."""

_INSTEAD = "start it in a desktop session, or use the commands, which need none (cnnstudio --help)"


def require_display() -> None:
    """Raises NoDisplay where Qt could not open a window. Only Linux and its like can lack a display."""
    if not sys.platform.startswith("linux"):
        return
    asked, there = os.environ.get("QT_QPA_PLATFORM", ""), _platforms()
    # What follows a colon are settings; "wayland-egl" is one of the ways to draw on Wayland.
    chosen = [re.split("[:-]", each)[0] for each in asked.split(";") if each]
    usable = [name for name in chosen if name in there or not there]
    if chosen and not usable:
        known = ", ".join(sorted(there))
        raise NoDisplay(f"QT_QPA_PLATFORM asks for “{asked}”, which Qt does not have here: it has {known}")
    if set(usable) - _SERVERS:
        return
    if usable != ["xcb"] and _wayland_answers():
        return
    if usable and "xcb" not in usable:
        raise NoDisplay(f"no Wayland display answers: {_INSTEAD}")
    if not os.environ.get("DISPLAY"):
        raise NoDisplay(f"there is no display to open the window on: {_INSTEAD}")
    _require_xcb()


def _platforms() -> set[str]:
    """The platforms that come with Qt; none where they cannot be known."""
    if os.environ.get("QT_QPA_PLATFORM_PLUGIN_PATH") or os.environ.get("QT_PLUGIN_PATH"):
        return set()
    plugins = (path for folder in _plugin_folders() for path in folder.glob("libq*.so"))
    return {path.stem.removeprefix("libq") for path in plugins}


def _plugin_folders() -> list[Path]:
    try:
        package = importlib.util.find_spec("PySide6")
    except ImportError:
        return []
    places = (package.submodule_search_locations or []) if package else []
    return [Path(place, "Qt/plugins/platforms") for place in places]


def _wayland_answers() -> bool:
    """Whether a compositor listens where the variables say; after a logout they may be left over."""
    if os.environ.get("WAYLAND_SOCKET"):
        return True
    name, folder = os.environ.get("WAYLAND_DISPLAY"), os.environ.get("XDG_RUNTIME_DIR", "")
    if not name:
        return False
    with socket.socket(socket.AF_UNIX) as knock:
        try:
            knock.connect(os.path.join(folder, name))
        except OSError:
            return False
    return True


def _require_xcb() -> None:
    """Loads what Qt will load, and knocks at the X server."""
    for folder in _plugin_folders():
        plugin = folder / "libqxcb.so"
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
        raise NoDisplay(f"the display {os.environ['DISPLAY']} does not answer: {_INSTEAD}")


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
