"""Restores the size and place of the window, if they are sound and fit on the screen."""

from __future__ import annotations

import struct

from PySide6.QtCore import QRect, QSize
from PySide6.QtWidgets import QMainWindow

from cnnstudio.gui.document.settings import Settings

_GEOMETRY, _OLD_LAYOUT = "geometry", "layout"
_NOTE = "The saved size of the window is damaged, so it has its usual one. The old settings are in {}."
_MAX_SCREEN = 0x7FFF
_FRAME = QSize(16, 40)
"""Room for the title bar and the borders, which the system adds."""


class SavedGeometry:
    """The size and place of one window, in the settings."""

    def __init__(self, window: QMainWindow, settings: Settings) -> None:
        self._window = window
        self._settings = settings
        self.note = ""
        """Why nothing was restored, in plain words; empty if nothing is wrong."""

    def restore(self) -> None:
        """Gives the window its former size and place, within the free area of the screen."""
        window, state = self._window, self._settings.bytes(_GEOMETRY)
        window.resize(window.sizeHint())
        if state is not None:
            checksum = self._settings.has_right_checksum(_GEOMETRY)
            is_sound = is_sound_geometry(bytes(state.data())) if checksum is None else checksum
            if is_sound:
                window.restoreGeometry(state)
            else:
                self.note = _NOTE.format(self._settings.damaged_path)
                self._settings.set_aside(_GEOMETRY)
        if not window.isMaximized() and not window.isFullScreen():
            self._fit()

    def _fit(self) -> None:
        """Makes the window no larger than the free area of its screen, and moves it inside."""
        free = self._window.screen().availableGeometry()
        size = self._window.size().boundedTo(free.size() - _FRAME)
        if size != self._window.size():
            self._window.resize(size)
        place = QRect(self._window.pos(), size)
        if not free.contains(place):
            self._window.move(
                min(max(place.left(), free.left()), max(free.right() - size.width(), free.left())),
                min(max(place.top(), free.top()), max(free.bottom() - size.height(), free.top())),
            )

    def save(self) -> None:
        """Remembers the window as it is now; it is closing."""
        # Written by versions that had movable panels.
        for key in (_OLD_LAYOUT, f"{_OLD_LAYOUT}_checksum"):
            self._settings.remove(key)
        self._settings.set_bytes(_GEOMETRY, self._window.saveGeometry())
        self._settings.save()


def is_sound_geometry(state: bytes) -> bool:
    """Whether `state` is what `QWidget.saveGeometry` writes, on a screen of a possible size."""
    if len(state) not in (46, 50, 66) or state[:4] != b"\x01\xd9\xd0\xcb":
        return False
    lengths = struct.unpack(">8i", state[8:40])
    return all(-_MAX_SCREEN <= length <= _MAX_SCREEN for length in lengths)
