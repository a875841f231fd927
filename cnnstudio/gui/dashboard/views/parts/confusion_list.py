"""Confusions in words, one line each: `dog → cat: 34 of 200 (17.0%)`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSize, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from cnnstudio.core.formatting import format_percent
from cnnstudio.gui.dashboard.views.parts.matrix.content import Cell
from cnnstudio.gui.theme.text_metrics import TextMetrics, text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip

_ARROW = " → "
_MAX_NAME = 40
_PADDING = 4
_LINE_ROLE = Qt.ItemDataRole.UserRole + 1
_Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class ConfusionLine:
    """The images of one class that were taken for another."""

    cell: Cell
    """The numbers of the actual and of the predicted class."""
    actual: str
    predicted: str
    count: int
    total: int
    """The images of the actual class."""

    @property
    def numbers(self) -> str:
        return f"{self.count:,} of {self.total:,} ({format_percent(self.count / self.total)})"

    def __str__(self) -> str:
        return f"{self._names(_MAX_NAME)}: {self.numbers}"

    def _names(self, limit: int) -> str:
        return _ARROW.join(plain_line(name, limit) for name in (self.actual, self.predicted))

    def fitting(self, metrics: TextMetrics, width: int) -> str:
        """As much of it as fits: the share is left out before the names, and these are cut alike."""
        whole = str(self)
        if metrics.width(whole) <= width:
            return whole
        numbers = f": {self.count:,} of {self.total:,}"
        room = width - metrics.width(_ARROW) - metrics.width(numbers)
        names = [plain_line(name, _MAX_NAME) for name in (self.actual, self.predicted)]
        first, second = map(metrics.width, names)
        if first + second > room:
            names[0] = metrics.elided(names[0], max(room // 2, room - second))
            names[1] = metrics.elided(names[1], room - metrics.width(names[0]))
        return f"{_ARROW.join(names)}{numbers}"


class ConfusionList(QListWidget):
    """A click or Enter chooses the cell."""

    def __init__(self, object_name: str) -> None:
        super().__init__()
        self.setObjectName(object_name)
        self.setAccessibleName("Top confusions")
        self.setProperty("role", "lines")
        self.setFont(theme().font("help"))
        self.setUniformItemSizes(True)
        self.setItemDelegate(_Delegate(self))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def sizeHint(self) -> QSize:
        # It has what is left.
        return QSize(256, 0)

    def show_lines(self, lines: Sequence[ConfusionLine]) -> None:
        """Shows these lines."""
        self.clear()
        for line in lines:
            item = QListWidgetItem(str(line))
            item.setData(Qt.ItemDataRole.UserRole, line.cell)
            item.setData(_LINE_ROLE, line)
            item.setToolTip(plain_tooltip(f"{line.actual}{_ARROW}{line.predicted}: {line.numbers}"))
            self.addItem(item)


class _Delegate(QStyledItemDelegate):
    """Leaves the ground to the style sheet."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        line = index.data(_LINE_ROLE)
        self.initStyleOption(option, index)
        option.text = ""
        view = self.parent()
        assert isinstance(view, QListWidget)
        view.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, view)
        metrics = text_metrics(view.font())
        area = option.rect.adjusted(_PADDING, 0, -_PADDING, 0)
        painter.save()
        painter.setFont(metrics.font)
        painter.setPen(theme().color("text"))
        painter.drawText(
            area.left(), metrics.baseline(area.center().y() + 0.5), line.fitting(metrics, area.width())
        )
        painter.restore()
