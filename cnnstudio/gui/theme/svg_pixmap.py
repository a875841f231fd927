"""SVG text as a pixmap."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer


def svg_pixmap(text: str, size: QSize, ratio: float = 1.0) -> QPixmap:
    """The drawing as large as it fits into `size`, in the middle, on nothing. `ratio`: pixels to one."""
    pixmap = QPixmap(size * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    renderer = QSvgRenderer(QByteArray(text.encode()))
    own = renderer.defaultSize().scaled(size, Qt.AspectRatioMode.KeepAspectRatio)
    area = QRectF((size.width() - own.width()) / 2, (size.height() - own.height()) / 2, 0, 0)
    area.setSize(QSizeF(own))
    painter = QPainter(pixmap)
    renderer.render(painter, area)
    painter.end()
    return pixmap
