"""What is on the clipboard, or dragged: files, or an image itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtCore import QEvent, QMimeData, Qt
from PySide6.QtGui import QImage, QKeyEvent, QKeySequence, QPainter

from cnnstudio.data.dataset import Pixels


def is_paste(event: QEvent) -> bool:
    """Whether a key pastes."""
    return isinstance(event, QKeyEvent) and event.matches(QKeySequence.StandardKey.Paste)


def paths_in(data: QMimeData | None) -> list[Path]:
    """The files and folders."""
    urls = data.urls() if data is not None else []
    return [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]


def pixels_in(data: QMimeData | None) -> Pixels | None:
    """The image, uint8 (3, h, w), as browsers and image editors hand it over; None if there is none."""
    image = data.imageData() if data is not None and data.hasImage() else None
    if not isinstance(image, QImage) or image.isNull():
        return None
    if image.hasAlphaChannel():
        # Transparent parts are white, as those of files are.
        opaque = QImage(image.size(), QImage.Format.Format_RGB32)
        opaque.fill(Qt.GlobalColor.white)
        with QPainter(opaque) as painter:
            painter.drawImage(0, 0, image)
        image = opaque
    rgb = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(rgb.constBits(), np.uint8).reshape(rgb.height(), rgb.bytesPerLine())
    pixels = rows[:, : 3 * rgb.width()].reshape(rgb.height(), rgb.width(), 3)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))
