"""What the window remembers from one day to the next: one INI file beside the runs and the data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from PySide6.QtCore import QByteArray, QSettings

from cnnstudio.core.paths import home

MAXIMUM_RECENT = 10
SchemeChoice = Literal["light", "dark", "system"]


class Settings:
    """Typed access to the remembered settings. A file that was damaged or edited by hand counts as empty."""

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
        """Light, dark, or what the system shows."""
        stored = self.text("scheme")
        return "light" if stored == "light" else "dark" if stored == "dark" else "system"

    @scheme.setter
    def scheme(self, value: SchemeChoice) -> None:
        self.set_text("scheme", value)

    @property
    def recent_files(self) -> list[Path]:
        """The designs opened or saved last, newest first."""
        # One path a line: a list of one string comes back from an INI file as a plain string.
        return [Path(line) for line in self.text("recent_files").split("\n") if line]

    def add_recent_file(self, path: Path) -> None:
        kept = [path, *(other for other in self.recent_files if other != path)]
        self.set_text("recent_files", "\n".join(map(str, kept[:MAXIMUM_RECENT])))

    def forget_recent_file(self, path: Path) -> None:
        self.set_text("recent_files", "\n".join(str(other) for other in self.recent_files if other != path))

    def clear_recent_files(self) -> None:
        self.remove("recent_files")

    def save(self) -> None:
        """Writes the file now."""
        self._store.sync()
