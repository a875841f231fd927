"""Images as files, and the dialog that asks where to save them."""

from __future__ import annotations

import re
from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QFileDialog, QWidget

from cnnstudio.core.files import FileError, write_atomically
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.gui.widgets.message_box import confirm_replace

_SUFFIX = re.compile(r"\.[A-Za-z]{2,5}")
"""What follows a point in `run 1.5` is none."""


def save_file(parent: QWidget, title: str, kinds: str, suffix: str, data: bytes) -> Message | None:
    """Asks for a file and writes `data`; the message says where, or why not. None if the user cancels."""
    path = choose_file(parent, title, kinds, suffix)
    return None if path is None else write_file(path, data)


def choose_file(parent: QWidget, title: str, kinds: str, suffix: str) -> Path | None:
    """Asks where to save; None if the user cancels."""
    start = f"{title.lower().replace(' ', '-')}{suffix}"
    chosen, _ = QFileDialog.getSaveFileName(parent, f"Save {title.lower()}", start, kinds)
    if not chosen:
        return None
    path = Path(chosen)
    if _SUFFIX.fullmatch(path.suffix):
        return path
    # The file dialog has asked about replacing the file with the typed name, not the one with the suffix.
    path = path.with_name(path.name + suffix)
    return path if confirm_replace(parent, path) else None


def write_file(path: Path, data: bytes) -> Message:
    """Writes a file in any thread, and says where it is, or why not."""
    try:
        write_atomically(path, data)
    except FileError as error:
        return Message(str(error), is_error=True)
    return Message(f"Saved {path}")


def png_bytes(pixmap: QPixmap) -> bytes:
    """The image as a PNG file."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    pixmap.save(buffer, "PNG")
    return bytes(buffer.data().data())
