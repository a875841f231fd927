"""Checks whether a window can open. Qt aborts the process if it cannot, so this has to be known before."""

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
    """There is no display to open the window on, or a system library that Qt needs is missing."""


_SERVER_PLATFORMS = {"xcb", "wayland"}
"""Qt platforms that connect to a display server; the others, such as offscreen or vnc, need none."""

_ALTERNATIVES = "start it in a desktop session, or use the commands, which need no display (cnnstudio --help)"


def require_display() -> None:
    """Raises NoDisplay if Qt cannot open a window. Only Linux can lack a display."""
    if not sys.platform.startswith("linux"):
        return
    requested, available = os.environ.get("QT_QPA_PLATFORM", ""), _platforms()
    # Settings follow after a colon; "wayland-egl" is a variant of Wayland.
    chosen = [re.split("[:-]", each)[0] for each in requested.split(";") if each]
    usable = [name for name in chosen if name in available or not available]
    if chosen and not usable:
        known = ", ".join(sorted(available))
        raise NoDisplay(f"QT_QPA_PLATFORM is “{requested}”, which Qt does not have here; it has {known}")
    if set(usable) - _SERVER_PLATFORMS:
        return
    if usable != ["xcb"] and _wayland_answers():
        return
    if usable and "xcb" not in usable:
        raise NoDisplay(f"no Wayland display responds: {_ALTERNATIVES}")
    if not os.environ.get("DISPLAY"):
        raise NoDisplay(f"there is no display to open the window on: {_ALTERNATIVES}")
    _require_xcb()


def _platforms() -> set[str]:
    """The platforms that come with Qt; empty if they are unknown."""
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
    """Whether a compositor listens. The variables alone prove nothing: they may outlive a session."""
    if os.environ.get("WAYLAND_SOCKET"):
        return True
    name, folder = os.environ.get("WAYLAND_DISPLAY"), os.environ.get("XDG_RUNTIME_DIR", "")
    if not name:
        return False
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(os.path.join(folder, name))
        except OSError:
            return False
    return True


def _require_xcb() -> None:
    """Loads the libraries that Qt will load, and connects to the X server."""
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
        raise NoDisplay(f"the display {os.environ['DISPLAY']} does not respond: {_ALTERNATIVES}")


def _load(library: str) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(library)
    except OSError as error:
        raise NoDisplay(missing_library(error)) from None


def missing_library(error: Exception) -> str:
    """The message for a missing system library."""
    return (
        f"the window cannot open because a system library is missing ({error}); on Debian and Ubuntu: "
        "apt install libegl1 libgl1 libxkbcommon-x11-0 libxcb-cursor0 libdbus-1-3"
    )
