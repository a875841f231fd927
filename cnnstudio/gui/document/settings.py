"""The window's persistent settings: one INI file beside the runs and the data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from PySide6.QtCore import QByteArray, QSettings

from cnnstudio.core.paths import home

MAXIMUM_RECENT = 10
SchemeChoice = Literal["light", "dark", "system"]


class Settings:
    """Typed access to the settings. Values of the wrong type, as in an edited file, count as missing."""

    def __init__(self, path: Path | None = None) -> None:
        self._store = QSettings(str(path or home() / "window.ini"), QSettings.Format.IniFormat)

    def text(self, key: str, default: str = "") -> str:
        value = self._store.value(key, default)
        return value if isinstance(value, str) else default

    def set_text(self, key: str, value: str) -> None:
        self._store.setValue(key, value)

    def bytes(self, key: str) -> QByteArray | None:
        value = self._store.value(key)
        return value if isinstance(value, QByteArray) and not value.isEmpty() else None

    def set_bytes(self, key: str, value: QByteArray) -> None:
        self._store.setValue(key, value)

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
        kept = [path, *(other for other in self.recent_files if other != path)]
        self.set_text("recent_files", "\n".join(map(str, kept[:MAXIMUM_RECENT])))

    def remove_recent_file(self, path: Path) -> None:
        self.set_text("recent_files", "\n".join(str(other) for other in self.recent_files if other != path))

    def clear_recent_files(self) -> None:
        self.remove("recent_files")

    def save(self) -> None:
        """Writes the file immediately."""
        self._store.sync()
