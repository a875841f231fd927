"""What is painted over the curves of a plot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from cnnstudio.gui.theme.text_metrics import TextMetrics
from cnnstudio.gui.theme.theme import theme

BOTTOM = 18
"""The height of the numbers below a plot."""
_TAG_HEIGHT = 17
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
_CENTER = int(Qt.AlignmentFlag.AlignCenter)


@dataclass(frozen=True)
class Crosshair:
    """What the mouse points at."""

    x: float
    place: str
    """Which step or epoch that is."""
    here: str = ""
    """The value of just that step."""
    dots: tuple[tuple[float, str], ...] = ()
    """The y on the axis and the color token of the values there."""


@dataclass(frozen=True)
class Foreground:
    """Paints into the area of a plot, whose places `x_of` and `y_of` tell."""

    painter: QPainter
    area: QRectF
    x_of: Callable[[float], float]
    y_of: Callable[[float], float]
    metrics: TextMetrics

    def paint_line(self, epoch: float, token: str, width: float) -> None:
        """A vertical line."""
        x = self.x_of(epoch)
        if self.area.left() - 0.5 <= x <= self.area.right() + 0.5:
            self.painter.setPen(QPen(theme().color(token), width))
            self.painter.drawLine(QPointF(x, self.area.top()), QPointF(x, self.area.bottom()))

    def paint_axis_title(self) -> None:
        """What the numbers below the plot are."""
        # As high as the numbers, whose upper edge is 6 below the plot.
        box = QRectF(0, self.area.bottom() + 6, self.area.left() - 6, BOTTOM - 6)
        self._paint_text(box, "epoch", _RIGHT)

    def _paint_text(self, box: QRectF, text: str, alignment: int, token: str = "secondary") -> None:
        self.painter.setFont(self.metrics.font)
        self.painter.setPen(theme().color(token))
        self.painter.drawText(box, alignment, text)

    def paint_crosshair(self, crosshair: Crosshair, *, with_place: bool) -> None:
        """The line at the mouse with the values there; `with_place`, which epoch it is, below the plot."""
        area, x = self.area, self.x_of(crosshair.x)
        if not area.left() - 0.5 <= x <= area.right() + 0.5:
            return
        self.paint_line(crosshair.x, "secondary", 1)
        highest = area.bottom()
        for value, token in crosshair.dots:
            y = self.y_of(value)
            if area.top() - 1 <= y <= area.bottom() + 1:
                highest = min(highest, y)
                self.painter.setPen(QPen(theme().color("panel"), 1.5))
                self.painter.setBrush(theme().color(token))
                self.painter.drawEllipse(QPointF(x, y), 4, 4)
        if crosshair.here:
            # Away from the line, which is in one half of the plot.
            is_low = highest < area.center().y()
            top = area.bottom() - _TAG_HEIGHT - 4 if is_low else area.top() + 4
            width = self.metrics.width(crosshair.here) + 10
            left = x + 5 if x + 5 + width <= area.right() else x - 5 - width
            self._paint_tag(QRectF(left, top, width, _TAG_HEIGHT), crosshair.here, "secondary")
        if with_place:
            width = self.metrics.width(crosshair.place) + 10
            left = min(max(x - width / 2, 0), area.right() + 8 - width)
            self._paint_tag(QRectF(left, area.bottom() + 1, width, _TAG_HEIGHT), crosshair.place, "text")

    def _paint_tag(self, box: QRectF, text: str, token: str) -> None:
        self.painter.setPen(QPen(theme().color("border"), 1))
        self.painter.setBrush(theme().color("panel"))
        self.painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
        self._paint_text(box, text, _CENTER, token)

    def paint_hint(self, hint: str) -> None:
        """A sentence in the middle of the plot."""
        self.painter.setFont(theme().font("help"))
        self.painter.setPen(theme().color("secondary"))
        self.painter.drawText(self.area, int(_CENTER | Qt.TextFlag.TextWordWrap), hint)

    def paint_drag(self, box: QRectF) -> None:
        """What is being marked with the mouse."""
        ground = QColor(theme().color("accent"))
        self.painter.setPen(QPen(ground, 1))
        ground.setAlpha(40)
        self.painter.setBrush(ground)
        self.painter.drawRect(box)

    def paint_focus(self) -> None:
        """The frame of the plot with the focus."""
        self.painter.setPen(QPen(theme().color("accent"), 1.5))
        self.painter.setBrush(Qt.BrushStyle.NoBrush)
        self.painter.drawRoundedRect(self.area.adjusted(-1, -1, 1, 1), 3, 3)
