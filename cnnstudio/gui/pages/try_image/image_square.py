"""One image, as large as its square, and sharp where it is enlarged."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QWidget

from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.marks import paint_image
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.gui.widgets.qimage import to_qimage


class ImageSquare(QWidget):
    """Shows an empty square before there is an image."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self._pixmap = QPixmap()
        self.setFixedSize(side, side)

    def show_image(self, image: np.ndarray | None, description: str = "") -> None:
        """Shows uint8 (C, H, W)."""
        self._pixmap = QPixmap() if image is None else QPixmap.fromImage(to_qimage(image))
        self.setAccessibleName(plain_line(description))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme().color("grid"))
        if not self._pixmap.isNull():
            paint_image(painter, QRectF(self.rect()), self._pixmap)
        painter.end()
