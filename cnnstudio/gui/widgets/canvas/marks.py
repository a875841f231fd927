"""Images, frames around what is chosen and what has the focus; titles and round numbers of axes."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen, QPixmap

from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import theme


def paint_choice(painter: QPainter, rect: QRectF) -> None:
    """Frames what is chosen in the accent color, with a line in the color of the panel around it."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(theme().color("panel"), 1))
    painter.drawRoundedRect(rect.adjusted(-1.5, -1.5, 1.5, 1.5), 4, 4)
    painter.setPen(QPen(theme().color("accent"), 2))
    painter.drawRoundedRect(rect, 3, 3)


def paint_focus(painter: QPainter, rect: QRectF) -> None:
    """Frames what has the focus while nothing in it is chosen."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(theme().color("accent"), 2))
    painter.drawRoundedRect(rect, 4, 4)


def paint_image(painter: QPainter, area: QRectF, pixmap: QPixmap) -> None:
    """Draws an image as large as it fits into the area, whole and centered, with sharp pixels if it grows."""
    if pixmap.isNull():
        painter.fillRect(area, theme().color("grid"))
        return
    scale = min(area.width() / pixmap.width(), area.height() / pixmap.height())
    width, height = pixmap.width() * scale, pixmap.height() * scale
    target = QRectF(area.center().x() - width / 2, area.center().y() - height / 2, width, height)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scale < 2)
    painter.drawPixmap(target, pixmap, QRectF(pixmap.rect()))


def paint_axis_titles(
    painter: QPainter, area: QRectF, below: str, down: float, beside: str, across: float
) -> None:
    """Titles in the middle of an area's axes: so many pixels below it, and upright so many to its left."""
    small = text_metrics(theme().font("help"))
    painter.setFont(small.font)
    painter.setPen(theme().color("secondary"))
    x = area.center().x() - small.width(below) / 2
    painter.drawText(QPointF(x, small.baseline(area.bottom() + down)), below)
    painter.save()
    painter.translate(area.left() - across, area.center().y())
    painter.rotate(-90)
    painter.drawText(QPointF(-small.width(beside) / 2, 4), beside)
    painter.restore()


def round_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """About `count` round numbers from `low` to `high`; none if there is nothing between them."""
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return []
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next(power * factor for factor in (1.0, 2.0, 5.0, 10.0) if span / (power * factor) <= count + 0.5)
    first = math.ceil(low / step)
    # Adding 0.0 turns −0 into 0.
    return [step * (first + number) + 0.0 for number in range(int((high - first * step) / step + 1e-6) + 1)]
