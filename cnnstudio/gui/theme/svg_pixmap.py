"""Renders SVG text to a pixmap."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer


def svg_pixmap(text: str, size: QSize, ratio: float = 1.0) -> QPixmap:
    """The drawing, scaled to fit `size` and centered on transparency; `ratio` is the device pixel ratio."""
    pixmap = QPixmap(size * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    renderer = QSvgRenderer(QByteArray(text.encode()))
    scaled = renderer.defaultSize().scaled(size, Qt.AspectRatioMode.KeepAspectRatio)
    area = QRectF((size.width() - scaled.width()) / 2, (size.height() - scaled.height()) / 2, 0, 0)
    area.setSize(QSizeF(scaled))
    with QPainter(pixmap) as painter:
        renderer.render(painter, area)
    return pixmap
