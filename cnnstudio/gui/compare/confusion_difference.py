"""How the mistakes of two runs differ: the change of each cell of their confusion matrices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QHelpEvent, QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QVBoxLayout, QWidget

from cnnstudio.core.formatting import format_change
from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.theme.tints import STRONGEST, ramp
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip
from cnnstudio.gui.widgets.qimage import color_image
from cnnstudio.insight.instruments.confusion import MIN_CHANGE, ConfusionReading, describe_changes

_LEFT, _TOP = 84, 18
_MOST_NAMED, _LEAST_ROW = 16, 14
"""Up to so many classes, each row is at least so high that its name and numbers fit into it."""
_MIN_CELL_TEXT = 26
"""Pixels of a cell's width from which on numbers fit into it."""


class ConfusionDifference(QWidget):
    """The matrix of changes in points, and the largest of them in words."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("confusionDifference")
        self._matrix = _Matrix()
        self._text = Label("", "help", "secondary", wrap=True)
        self._text.setObjectName("confusionChanges")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self._matrix, 1)
        column.addWidget(self._text)

    def show_pair(
        self, pair: tuple[ConfusionReading, ConfusionReading] | str, notes: Sequence[str] = ()
    ) -> None:
        """Shows the second matrix minus the first, or why they cannot be compared; `notes` stand below."""
        self._matrix.setVisible(not isinstance(pair, str))
        if isinstance(pair, str):
            self._text.setText(pair)
            return
        classes, change = pair[0].classes, pair[1].row_fractions - pair[0].row_fractions
        self._matrix.show_change(classes, change)
        self._text.setText(" ".join((*describe_changes(classes, change), *notes)))


def _colored(change: npt.NDArray[np.float64]) -> QImage:
    """Each cell as a pixel: green for better, orange for worse, the stronger the larger the change."""
    strongest = max(float(np.abs(change).max(initial=0.0)), MIN_CHANGE)
    levels = np.rint(255 * np.minimum(np.abs(change) / strongest, 1.0)).astype(np.uint8)
    # Good is more of the diagonal and less of the rest.
    is_good = (change > 0) == np.eye(len(change), dtype=bool)
    colors = (ramp(token, "panel", STRONGEST)[levels] for token in ("good", "validation"))
    return color_image(np.where(is_good, *colors))


class _Matrix(QWidget):
    """Rows are the true classes, columns the predictions, cells the change in points of the row."""

    def __init__(self) -> None:
        super().__init__()
        self._classes: tuple[str, ...] = ()
        self._change = np.zeros((0, 0))
        self._image = QImage()
        """One pixel for each cell."""
        self.setMinimumSize(QSize(220, 140))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMouseTracking(True)
        theme().changed.connect(self._on_theme_changed)

    def _on_theme_changed(self, _: object) -> None:
        self._image = QImage()
        self.update()

    def show_change(self, classes: tuple[str, ...], change: npt.NDArray[np.float64]) -> None:
        self._classes, self._change, self._image = classes, change, QImage()
        self.setAccessibleName("Change of the confusion matrix")
        self.setAccessibleDescription(" ".join(describe_changes(classes, change)))
        rows = len(classes) * _LEAST_ROW if len(classes) <= _MOST_NAMED else 0
        self.setMinimumHeight(max(140, self._upright_height + rows + 1))
        self.update()

    def _cell(self) -> tuple[float, float]:
        count = max(len(self._classes), 1)
        return (self.width() - _LEFT - 1) / count, (self.height() - self._top - 1) / count

    @property
    def _longest(self) -> int:
        """The width of the longest name, as it is shown."""
        metrics = text_metrics(theme().font("help"))
        return min(
            max((metrics.width(plain_line(name, 40)) for name in self._classes), default=0), _LEFT - 10
        )

    @property
    def _upright_height(self) -> int:
        """What names above the columns need that are turned by 90°."""
        return self._longest + 8

    @property
    def _is_upright(self) -> bool:
        """Whether the names above are turned: side by side they would be cut."""
        width = (self.width() - _LEFT - 1) / max(len(self._classes), 1)
        return width >= _LEAST_ROW and self._longest > width - 2

    @property
    def _top(self) -> int:
        """Where the cells begin."""
        return self._upright_height if self._is_upright else _TOP

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        width, height = self._cell()
        area = QRectF(_LEFT, self._top, width * len(self._classes), height * len(self._classes))
        if self._image.isNull() and self._change.size:
            self._image = _colored(self._change)
        painter.drawImage(area, self._image)
        if width >= _MIN_CELL_TEXT and height >= 14:
            self._paint_numbers(painter, width, height)
        painter.setPen(QPen(theme().color("border"), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(area)
        self._paint_names(painter, width, height)
        painter.end()

    def _paint_numbers(self, painter: QPainter, width: float, height: float) -> None:
        text = text_metrics(theme().monospace("head"))
        painter.setFont(text.font)
        for (actual, predicted), value in np.ndenumerate(self._change):
            points = round(100 * float(value))
            label = format_change(points, "") if points else "·"
            painter.setPen(theme().color("text" if points else "secondary"))
            left = _LEFT + (predicted + 0.5) * width - text.width(label) / 2
            painter.drawText(QPointF(left, text.baseline(self._top + (actual + 0.5) * height)), label)

    def _paint_names(self, painter: QPainter, width: float, height: float) -> None:
        metrics, is_upright, top = text_metrics(theme().font("help")), self._is_upright, self._top
        painter.setFont(metrics.font)
        painter.setPen(theme().color("secondary"))
        for number, name in enumerate(self._classes):
            shown = metrics.elided(plain_line(name, 40), _LEFT - 10)
            middle = _LEFT + (number + 0.5) * width
            if height >= 13:
                y = metrics.baseline(top + (number + 0.5) * height)
                painter.drawText(round(_LEFT - 6 - metrics.width(shown)), y, shown)
            if is_upright:
                painter.save()
                painter.translate(middle, top - 4)
                painter.rotate(-90)
                painter.drawText(0, metrics.baseline(0), shown)
                painter.restore()
            elif width >= 20:
                painter.drawText(round(middle - metrics.width(shown) / 2), 13, shown)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() is QEvent.Type.ToolTip:
            width, height = self._cell()
            predicted, actual = int((event.x() - _LEFT) // width), int((event.y() - self._top) // height)
            if 0 <= actual < len(self._classes) and 0 <= predicted < len(self._classes):
                change = format_change(100 * float(self._change[actual, predicted]), ".1f")
                text = f"{self._classes[actual]} → {self._classes[predicted]}: {change} points"
                QToolTip.showText(event.globalPos(), plain_tooltip(text), self)
                return True
        return super().event(event)
