"""A small plot of a recipe's learning rate schedule."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from cnnstudio.core.formatting import format_value
from cnnstudio.gui.theme.theme import theme
from cnnstudio.training.optimization.schedule import learning_rates
from cnnstudio.training.recipe.recipe import Recipe

_POINTS = 240
_HEIGHT = 184
_TOP = 14
_TEXT_HEIGHT = 18
_LINE = 2.0


class RateCurve(QWidget):
    """The learning rate over the epochs, with a summary above the curve."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("rateCurve")
        self.setAccessibleName("Learning rate over the run")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(_HEIGHT)
        self._epochs = 1
        self._rates: list[float] = []
        self.summary = ""

    def show_recipe(self, recipe: Recipe) -> None:
        """Shows the recipe's schedule; the true number of steps per epoch makes no visible difference."""
        steps = recipe.epochs * max(_POINTS // recipe.epochs, 1)
        rate = learning_rates(recipe, steps)
        self._rates = [rate(number * (steps - 1) // (_POINTS - 1)) for number in range(_POINTS)]
        self._epochs = recipe.epochs
        first, last, highest = self._rates[0], self._rates[-1], max(self._rates)
        self.summary = f"constant {format_value(highest)}"
        if recipe.has_varying_rate:
            epoch = self._rates.index(highest) * recipe.epochs // _POINTS + 1
            peak = f"peaks at {format_value(highest)} in epoch {epoch:,}"
            self.summary = f"starts at {first:.2g}, {peak}, ends at {last:.2g}"
        self.setAccessibleDescription(self.summary)
        self.setToolTip(self.summary)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(colors.font("help"))
        painter.setPen(colors.color("secondary"))
        width = float(self.width())
        line = QRectF(0, _TOP, width, _TEXT_HEIGHT)
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self.summary)
        line.moveBottom(self.height())
        painter.drawText(line, Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignLeft, "0")
        end = f"{self._epochs:,} {'epoch' if self._epochs == 1 else 'epochs'}"
        painter.drawText(line, Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignRight, end)
        top = _TOP + _TEXT_HEIGHT + 6
        self._paint_rates(painter, QRectF(0, top, width, _HEIGHT - top - _TEXT_HEIGHT - 4))
        painter.end()

    def _paint_rates(self, painter: QPainter, area: QRectF) -> None:
        colors = theme()
        painter.setPen(QPen(colors.color("border"), 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        highest = max(self._rates, default=0.0) or 1.0
        points = [
            QPointF(
                area.left() + area.width() * number / (_POINTS - 1),
                area.bottom() - area.height() * rate / highest,
            )
            for number, rate in enumerate(self._rates)
        ]
        painter.setPen(QPen(colors.color("training"), _LINE))
        painter.drawPolyline(QPolygonF(points))
