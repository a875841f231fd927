"""The window's persistent settings: one INI file beside the runs and the data sets."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QByteArray, QSettings

from cnnstudio.core.paths import home

MAXIMUM_RECENT = 10
_MAX_BYTES = 2**20
"""A larger file was not written by this program, whose settings have a few kilobytes."""
_CHECKSUM = "_checksum"
_PREFERENCES = frozenset(
    {
        "scheme",
        "recent_files",
        "folder",
        "device",
        "cifar10_offered",
        "keep_awake",
        "notify_at_end",
        "comparison_align",
        "training/classWeightsDismissed",
        "data/pretrainedOfferDismissed",
    }
)
_PREFERENCE_GROUP = "dismissed_advice/"
"""With `_PREFERENCES`, what a start without the last session keeps: nothing of it is opened or drawn then.

What the user has dismissed would otherwise have to be dismissed again.
"""
SchemeChoice = Literal["light", "dark", "system"]


class Settings:
    """Typed access to the settings. Values of the wrong type, as in an edited file, count as missing."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or home() / "window.ini"
        if os.path.lexists(self._path) and not _is_readable(self._path):
            # Reading a pipe or a device might never end.
            with contextlib.suppress(OSError):
                os.replace(self._path, self.damaged_path)
        self._store = QSettings(str(self._path), QSettings.Format.IniFormat)

    @property
    def path(self) -> Path:
        """The file of the settings."""
        return self._path

    @property
    def damaged_path(self) -> Path:
        """Where settings that could not be used are kept."""
        return self._path.with_name(f"{self._path.name}.damaged")

    def text(self, key: str, default: str = "") -> str:
        value = self._store.value(key, default)
        return value if isinstance(value, str) else default

    def set_text(self, key: str, value: str) -> None:
        self._store.setValue(key, value)

    def bytes(self, key: str) -> QByteArray | None:
        value = self._store.value(key)
        return value if isinstance(value, QByteArray) and not value.isEmpty() else None

    def has_right_checksum(self, key: str) -> bool | None:
        """Whether the bytes are those that were written; None if they were written without a checksum."""
        stored = self.text(key + _CHECKSUM)
        value = self.bytes(key)
        return None if not stored else value is not None and stored == _checksum(value)

    def set_bytes(self, key: str, value: QByteArray) -> None:
        self._store.setValue(key, value)
        self._store.setValue(key + _CHECKSUM, _checksum(value))

    def set_aside(self, *keys: str) -> None:
        """Keeps a copy of the whole file, then removes these entries and writes the rest."""
        with contextlib.suppress(OSError):
            shutil.copyfile(self._path, self.damaged_path)
        for key in keys:
            self._store.remove(key)
            self._store.remove(key + _CHECKSUM)
        self.save()

    def set_session_aside(self) -> None:
        """The same for everything that a start restores."""
        kept = {key for key in self._store.allKeys() if key.startswith(_PREFERENCE_GROUP)} | _PREFERENCES
        self.set_aside(*(key for key in self._store.allKeys() if key not in kept))

    def remove(self, key: str) -> None:
        self._store.remove(key)

    @property
    def scheme(self) -> SchemeChoice:
        """Light, dark, or the system's choice."""
        stored = self.text("scheme")
        return "light" if stored == "light" else "dark" if stored == "dark" else "system"

    @scheme.setter
    def scheme(self, value: SchemeChoice) -> None:
        self.set_text("scheme", value)

    @property
    def recent_files(self) -> list[Path]:
        """The recently opened or saved designs, newest first."""
        # One path per line, because QSettings reads a list with one string back as a plain string.
        return [Path(line) for line in self.text("recent_files").split("\n") if line]

    def add_recent_file(self, path: Path) -> None:
        # Another window may have added others.
        self._store.sync()
        kept = [path, *(other for other in self.recent_files if other != path)]
        # A name may contain a line feed.
        kept = [each for each in kept if "\n" not in str(each)]
        self.set_text("recent_files", "\n".join(map(str, kept[:MAXIMUM_RECENT])))

    def remove_recent_file(self, path: Path) -> None:
        self.set_text("recent_files", "\n".join(str(other) for other in self.recent_files if other != path))

    def clear_recent_files(self) -> None:
        self.remove("recent_files")

    def save(self) -> None:
        """Writes the file immediately."""
        self._store.sync()


def _is_readable(path: Path) -> bool:
    return path.is_file() and path.stat().st_size <= _MAX_BYTES


def _checksum(value: QByteArray) -> str:
    return hashlib.sha256(value.data()).hexdigest()[:16]
