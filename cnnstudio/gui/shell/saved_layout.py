"""Restores the saved size of the window and the arrangement of its panels, if it is safe to do so.

`QMainWindow.restoreState` ends the process, by an assertion, for some states with a wrong byte, and
would do so at every start. So only a state with the right checksum is restored or, where an older version
wrote none, one whose format is right. Should Qt still end the process, the next start leaves the state out.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection

from PySide6.QtCore import QByteArray, QLockFile, QTimer
from PySide6.QtWidgets import QDockWidget, QMainWindow, QToolBar

from cnnstudio.gui.document.settings import Settings

_VERSION = 2
_GEOMETRY, _LAYOUT = "geometry", "layout"
_SETTLED_MS = 300
"""After this time, in which the window was painted, a restored state is known to be harmless."""
_NOTE = (
    "The saved arrangement of the panels is damaged, so the panels are where they are in a new window. "
    "The old settings are in {}."
)

_STATE, _DOCKS, _TAB, _SEQUENCE, _WIDGET, _TOOL_BARS = 0xFF, 0xFD, 0xFA, 0xFC, 0xFB, 0xFC
_MAX_DEPTH = 8
_MAX_LENGTH = 0xFFFFFF
"""QWIDGETSIZE_MAX: no panel is longer."""
_MAX_SCREEN = 0x7FFF


class SavedLayout:
    """The size of one window and the arrangement of its panels, in the settings."""

    def __init__(self, window: QMainWindow, settings: Settings) -> None:
        """The panels and toolbars must have been added to the window."""
        self._window = window
        self._settings = settings
        self.note = ""
        """Why nothing was restored, in plain words; empty if nothing is wrong."""
        self._marker_path = settings.path.with_name(f"{settings.path.name}.restoring")
        self._marker = QLockFile(str(self._marker_path))
        self._marker.setStaleLockTime(0)
        self._settled = QTimer(window)
        self._settled.setSingleShot(True)
        self._settled.setInterval(_SETTLED_MS)
        self._settled.timeout.connect(self._marker.unlock)
        self._check()

    def _check(self) -> None:
        # The marker of a process that has ended: it died while it restored.
        has_died = self._marker_path.exists() and self._marker.tryLock(0)
        if has_died:
            self._marker.unlock()
        damaged = [key for key in (_GEOMETRY, _LAYOUT) if has_died or not self._is_sound(key)]
        if any(self._settings.bytes(key) is not None for key in damaged):
            self.note = _NOTE.format(self._settings.damaged_path)
            self._settings.set_aside(*damaged)

    def _is_sound(self, key: str) -> bool:
        state = self._settings.bytes(key)
        if state is None:
            return True
        checksum = self._settings.has_right_checksum(key)
        if checksum is not None:
            return checksum
        if key == _GEOMETRY:
            return is_sound_geometry(bytes(state.data()))
        names = {dock.objectName() for dock in self._window.findChildren(QDockWidget)}
        tool_bars = {bar.objectName() for bar in self._window.findChildren(QToolBar)}
        return is_sound_layout(bytes(state.data()), names, tool_bars, _VERSION)

    def restore_geometry(self) -> None:
        """Gives the window its former size and place."""
        self._restore(_GEOMETRY, self._window.restoreGeometry)

    def restore_layout(self) -> None:
        """Arranges the panels as they were. Call it when the window is shown."""
        self._restore(_LAYOUT, lambda state: self._window.restoreState(state, _VERSION))
        if self._marker.isLocked():
            self._settled.start()

    def _restore(self, key: str, restore: Callable[[QByteArray], bool]) -> None:
        state = self._settings.bytes(key)
        if state is not None:
            if not self._marker.isLocked():
                # Fails if another window is being restored at this moment, or the folder is not writable.
                self._marker.tryLock(0)
            restore(state)

    def save(self) -> None:
        """Remembers the window as it is now; it is closing."""
        self._settled.stop()
        self._marker.unlock()
        self._settings.set_bytes(_GEOMETRY, self._window.saveGeometry())
        self._settings.set_bytes(_LAYOUT, self._window.saveState(_VERSION))
        self._settings.save()


class _Damaged(Exception):
    """The bytes are not what saveState writes."""


def is_sound_layout(state: bytes, docks: Collection[str], tool_bars: Collection[str], version: int) -> bool:
    """Whether `state` is an arrangement of these panels and toolbars, each of them at most once."""
    try:
        reader = _Reader(state, docks)
        reader.require(reader.integer() == _STATE and reader.integer() == version)
        reader.docks()
        reader.tool_bars(tool_bars)
        reader.require(reader.is_at_end)
    except (_Damaged, struct.error, UnicodeDecodeError):
        return False
    return True


def is_sound_geometry(state: bytes) -> bool:
    """Whether `state` is what `QWidget.saveGeometry` writes, on a screen of a possible size."""
    if len(state) not in (46, 50, 66) or state[:4] != b"\x01\xd9\xd0\xcb":
        return False
    lengths = struct.unpack(">8i", state[8:40])
    return all(-_MAX_SCREEN <= length <= _MAX_SCREEN for length in lengths)


class _Reader:
    def __init__(self, data: bytes, docks: Collection[str]) -> None:
        self._data = data
        self._offset = 0
        self._expected = set(docks)

    @property
    def is_at_end(self) -> bool:
        return self._offset == len(self._data)

    def require(self, is_sound: bool) -> None:
        if not is_sound:
            raise _Damaged

    def integer(self, lowest: int = -(2**31), highest: int = 2**31) -> int:
        (value,) = struct.unpack_from(">i", self._data, self._offset)
        self._offset += 4
        self.require(lowest <= value <= highest)
        return int(value)

    def byte(self, *allowed: int) -> int:
        (value,) = struct.unpack_from(">B", self._data, self._offset)
        self._offset += 1
        self.require(value in allowed)
        return int(value)

    def text(self) -> str:
        length = self.integer(0, 200)
        found = self._data[self._offset : self._offset + length]
        self.require(len(found) == length)
        self._offset += length
        return found.decode("utf-16-be")

    def docks(self) -> None:
        self.byte(_DOCKS)
        previous = -1
        for _ in range(self.integer(0, 4)):
            previous = self.integer(previous + 1, 3)
            self._size()
            self._group(0)
        self._size()
        for _ in range(4):
            self.require(self.integer() in (1, 2, 4, 8))

    def _size(self) -> None:
        self.integer(-1, _MAX_LENGTH)
        self.integer(-1, _MAX_LENGTH)

    def _group(self, depth: int) -> None:
        """Panels side by side or as tabs, some of which may be groups."""
        self.require(depth < _MAX_DEPTH)
        is_tabbed = self.byte(_TAB, _SEQUENCE) == _TAB
        front = self.integer(-1, 100) if is_tabbed else -1
        self.byte(1, 2)
        count = self.integer(1, 100)
        self.require(front < count)
        for _ in range(count):
            if self.byte(_WIDGET, _SEQUENCE) == _WIDGET:
                self._widget()
            else:
                self._lengths()
                self._group(depth + 1)

    def _widget(self) -> None:
        name = self.text()
        self.require(name in self._expected)
        self._expected.discard(name)
        if self.byte(*range(16)) & 2:
            self.integer(-_MAX_SCREEN, _MAX_SCREEN)
            self.integer(-_MAX_SCREEN, _MAX_SCREEN)
            self.integer(0, _MAX_SCREEN)
            self.integer(0, _MAX_SCREEN)
        else:
            self._lengths()

    def _lengths(self) -> None:
        """Position, size, smallest and largest size."""
        self.integer(-_MAX_SCREEN, _MAX_SCREEN)
        self.integer(-1, _MAX_LENGTH)
        self.require(self.integer(0, _MAX_LENGTH) <= _MAX_SCREEN)
        # With several tab bars, QWIDGETSIZE_MAX and the height of each.
        self.integer(0, _MAX_LENGTH + 8 * _MAX_SCREEN)

    def tool_bars(self, names: Collection[str]) -> None:
        expected = set(names)
        self.byte(_TOOL_BARS)
        for _ in range(self.integer(0, 8)):
            self.integer(0, 3)
            for _ in range(self.integer(0, 8)):
                name = self.text()
                self.require(name in expected)
                expected.discard(name)
                self.byte(0, 1)
                self.integer(-1, _MAX_LENGTH)
                self.integer(-1, _MAX_LENGTH)
                self._offset += 8  # the packed geometry of a floating toolbar
