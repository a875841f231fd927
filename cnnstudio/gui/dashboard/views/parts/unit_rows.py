"""One row per layer: how many of its units are dead or saturated, as a bar and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import (
    QPointF,
    QRectF,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QPainter

from cnnstudio.core.formatting import format_count
from cnnstudio.gui.dashboard.views.parts.rows_list import RowsDelegate, RowsView
from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.plain_text import plain_line

_ROW_HEIGHT = 28


@dataclass(frozen=True)
class UnitRow:
    """One layer."""

    layer: str
    title: str
    units: int
    dead: int
    saturated: int

    @property
    def key(self) -> str:
        return self.layer

    def state(self) -> str:
        """`3 of 64 dead, 2 saturated`, or `64 units`."""
        parts = []
        if self.dead:
            parts.append(f"{format_count(self.dead)} of {format_count(self.units)} dead")
        if self.saturated:
            count = format_count(self.saturated)
            parts.append(
                f"{count} saturated" if parts else f"{count} of {format_count(self.units)} saturated"
            )
        return ", ".join(parts) or f"{format_count(self.units)} units, none dead"

    def text(self) -> str:
        return f"{plain_line(self.title)}: {self.state()}"


class _Delegate(RowsDelegate[UnitRow]):
    height = _ROW_HEIGHT

    def paint_row(self, painter: QPainter, row: UnitRow, rect: QRectF) -> None:
        style = theme()
        names, small = text_metrics(style.font("content")), text_metrics(style.font("help"))
        inner, middle = rect.adjusted(16, 0, -16, 0), rect.center().y()
        columns = inner.width()
        name_width, bar_width = columns * 0.4, columns * 0.2
        painter.setFont(names.font)
        painter.setPen(style.color("text"))
        name = names.elided(plain_line(row.title, 60), int(name_width) - 8)
        painter.drawText(QPointF(inner.left(), names.baseline(middle)), name)
        bar = QRectF(inner.left() + name_width, middle - 3, bar_width - 12, 6)
        painter.fillRect(bar, style.color("grid"))
        left = bar.left()
        for count, token in ((row.dead, "wrong"), (row.saturated, "validation")):
            width = bar.width() * count / max(row.units, 1)
            painter.fillRect(QRectF(left, bar.top(), width, 6), style.color(token))
            left += width
        painter.setFont(small.font)
        painter.setPen(style.color("wrong" if row.dead else "secondary"))
        text_left = inner.left() + name_width + bar_width
        text = small.elided(row.state(), int(inner.right() - text_left))
        painter.drawText(QPointF(text_left, small.baseline(middle)), text)


class UnitList(RowsView[UnitRow]):
    """Arrow keys and the mouse choose a layer."""

    chosen = Signal(object)
    """The id of the layer that the user chose."""

    def __init__(self) -> None:
        super().__init__("unitList", "Dead and saturated units per layer")
        self.setItemDelegate(_Delegate(self, self._model))
        self.clicked.connect(lambda _: self._on_current())

    @property
    def rows(self) -> Sequence[UnitRow]:
        return self._model.rows

    def show_rows(self, rows: list[UnitRow], chosen: str | None) -> None:
        """Shows the layers; `chosen` is the id of the chosen one."""
        self._model.show_rows(rows)
        for number, row in enumerate(rows):
            if row.layer == chosen:
                self.setCurrentIndex(self._model.index(number))
                return
        self.clearSelection()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        before = self.currentIndex().row()
        super().keyPressEvent(event)
        if self.currentIndex().row() != before:
            self._on_current()

    def _on_current(self) -> None:
        if self.current_row is not None:
            self.chosen.emit(self.current_row.layer)
