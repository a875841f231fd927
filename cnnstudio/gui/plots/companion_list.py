"""The other runs that are drawn, below the curves: which line is whose, and how it did."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QPointF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from cnnstudio.gui.plots.companions import Companion
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import ElidedLabel, Label
from cnnstudio.gui.widgets.scroll_area import scroll_area

_ROW, _SPACING, _MAX_ROWS = 24, 2, 3
_HINT = "Ctrl+T: choose other runs to see their curves here."


class _Swatch(QWidget):
    """A piece of the line of a run."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(QSize(18, _ROW))
        self._token, self._style = "secondary", Qt.PenStyle.SolidLine

    def show_line(self, token: str, style: Qt.PenStyle) -> None:
        self._token, self._style = token, style
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(QPen(theme().color(self._token), 2, self._style))
        middle = self.height() / 2
        painter.drawLine(QPointF(0, middle), QPointF(self.width() - 2, middle))
        painter.end()


class _Name(ElidedLabel):
    """The name of a run, or a shorter one where there is no room for it."""

    short = ""

    def _fitting(self, width: int) -> str:
        needed = self.fontMetrics().horizontalAdvance
        if self.short and needed(self.full_text) > width >= needed(self.short):
            return self.short
        return super()._fitting(width)


class _Row(QWidget):
    """One run: its line, its name, its value, and a button that takes it away."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(_ROW)
        self.swatch = _Swatch()
        self.name = _Name("", "help", "secondary")
        self.value = Label("", "help")
        font = theme().font("help")
        font.setBold(True)
        self.value.setFont(font)
        self.button = QPushButton("Hide")
        self.button.setProperty("role", "small")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.swatch)
        row.addWidget(self.name, 1)
        row.addWidget(self.value)
        row.addWidget(self.button)

    def show_run(self, companion: Companion, epoch: float | None) -> None:
        self.swatch.show_line(companion.token or "text", companion.style)
        is_previous = companion.overlay is not None and companion.overlay.is_previous
        start = companion.overlay.start if companion.overlay is not None else ""
        name = f"previous run: {companion.name}" if is_previous else companion.name
        self.name.short = f"previous, {start}" if is_previous and start else ""
        self.name.set_full_text(name, f", {start}" if start else "")
        self.value.setText(companion.describe(epoch))
        self.button.setAccessibleName(f"Hide {companion.name}")


class CompanionList(QWidget):
    """One row for each run, of which a few are in sight; or a sentence where there is none."""

    hidden = Signal(object)
    """The Companion that is not to be drawn any more."""
    previous_wanted = Signal()
    """The previous run is to be drawn again."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("overlaidRuns")
        self.companions: tuple[Companion, ...] = ()
        self.rows: list[_Row] = []
        self._hint = ElidedLabel(_HINT, "help", "secondary")
        self.show_previous = QPushButton("Show")
        self.show_previous.setProperty("role", "small")
        self.show_previous.setAccessibleName("Show the previous run")
        self.show_previous.clicked.connect(self.previous_wanted)
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(_SPACING)
        self._area = scroll_area(inside)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self._hint, 1)
        row.addWidget(self.show_previous)
        row.addWidget(self._area, 1)
        self.show_runs((), None, previous_hidden=False)

    def show_runs(
        self, companions: Sequence[Companion], epoch: float | None, *, previous_hidden: bool
    ) -> None:
        """Shows the runs with their values at an epoch of the run on show; None for their ends."""
        before, self.companions = len(self.companions), tuple(companions)
        count = len(companions)
        while len(self.rows) < count:
            row = _Row()
            row.button.clicked.connect(partial(self._on_hide, len(self.rows)))
            self.rows.append(row)
            self._column.addWidget(row)
        for row in self.rows[count:]:
            row.hide()
        for row, companion in zip(self.rows, companions, strict=False):
            row.show_run(companion, epoch)
            row.show()
        self._hint.set_full_text("The previous run is hidden." if previous_hidden else _HINT)
        self._hint.setVisible(not count)
        self.show_previous.setVisible(not count and previous_hidden)
        self._area.setVisible(bool(count))
        if count != before or not self.minimumHeight():
            shown = min(max(count, 1), _MAX_ROWS)
            self.setFixedHeight(shown * _ROW + (shown - 1) * _SPACING)

    def show_epoch(self, epoch: float | None) -> None:
        """Shows the values at another epoch."""
        for row, companion in zip(self.rows, self.companions, strict=False):
            row.show_run(companion, epoch)

    def _on_hide(self, number: int) -> None:
        if number < len(self.companions):
            self.hidden.emit(self.companions[number])
