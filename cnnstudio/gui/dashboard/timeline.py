"""The timeline: chooses the epoch that is looked at; its end follows the training."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSlider, QStackedWidget, QWidget

from cnnstudio.core.formatting import format_count
from cnnstudio.gui.runs.cursor import Cursor
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.icon_button import IconButton
from cnnstudio.gui.widgets.labels import Label

UNITS_PER_EPOCH = 1000
"""Slider units. While a run trains, its end lies between two epochs."""
END_WIDTH = 176
_MARGIN = 14
_MINIMUM_DOT_SPACING = 9
_LINE = 13.5
"""The y of the line; the numbers of the epochs stand below it."""
_HANDLE, _DOT = 6.5, 4.0

_BACKWARD = (Qt.Key.Key_Left, Qt.Key.Key_Down, Qt.Key.Key_PageDown)
_FORWARD = (Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_PageUp)
_PLAY, _STOP = "Play the epochs (Space)", "Stop playing (Space)"
_EMPTY = "No run yet"


class TimeSlider(QSlider):
    """Ranges from 0 to the planned epochs. The handle is on a completed epoch or at the current end."""

    def __init__(self, cursor: Cursor) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setObjectName("timeline")
        self.setAccessibleName("Run timeline")
        self.setToolTip("Drag to view an earlier epoch. ← and → move one epoch, End returns to the latest.")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFixedHeight(38)
        self.setMinimumWidth(60)
        self._cursor = cursor
        self._stops: tuple[int, ...] = ()
        self._end = 0
        self._setting_value = False
        self.valueChanged.connect(self._on_value_changed)
        cursor.epoch_changed.connect(self._on_epoch_changed)
        theme().changed.connect(self._on_theme_changed)

    def sizeHint(self) -> QSize:
        return QSize(300, 38)

    @property
    def epoch(self) -> int | None:
        """The epoch to view; None for the end."""
        return self._cursor.epoch

    def choose(self, epoch: int | None) -> None:
        """Moves to a completed epoch, or to the end for None."""
        self._cursor.move_to(epoch)

    def refresh(self) -> None:
        """Shows the completed epochs, the position and the planned epochs of the run on show."""
        history = self._cursor.record.history
        stops, end = self._cursor.stops, round(history.position * UNITS_PER_EPOCH)
        total = 0 if history.is_empty else history.total_epochs * UNITS_PER_EPOCH
        if (stops, end, total) != (self._stops, self._end, self.maximum()):
            self._stops, self._end = stops, end
            self._set(total)
            self.update()

    def _on_epoch_changed(self, _: object) -> None:
        self._set(self.maximum())
        self.update()

    def _set(self, maximum: int) -> None:
        epoch = self._cursor.epoch
        self._setting_value = True
        try:
            self.setRange(0, maximum)
            self.setValue(self._end if epoch is None else epoch * UNITS_PER_EPOCH)
        finally:
            self._setting_value = False
        self.setAccessibleDescription("At the end of the run" if epoch is None else f"After epoch {epoch}")

    def _on_value_changed(self, value: int) -> None:
        if not self._setting_value:
            self._cursor.move_near(value / UNITS_PER_EPOCH)
            self._set(self.maximum())

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._cursor.move_near(self._epoch_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._cursor.move_near(self._epoch_at(event.position().x()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        # The wheel scrolls the surrounding view; it must not change the epoch by accident.
        event.ignore()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in _BACKWARD:
            self._cursor.step(-1)
        elif event.key() in _FORWARD:
            self._cursor.step(1)
        elif event.key() == Qt.Key.Key_Home:
            self._cursor.go_to_start()
        elif event.key() == Qt.Key.Key_End:
            self._cursor.follow_end()
        else:
            super().keyPressEvent(event)

    # Drawing

    def _x(self, value: float) -> float:
        return _MARGIN + (self.width() - 2 * _MARGIN) * value / max(self.maximum(), 1)

    def _epoch_at(self, x: float) -> float:
        fraction = (x - _MARGIN) / max(self.width() - 2 * _MARGIN, 1)
        return fraction * self.maximum() / UNITS_PER_EPOCH

    def paintEvent(self, event: QPaintEvent) -> None:
        style = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(style.color("border"))
        painter.drawRoundedRect(QRectF(_MARGIN, _LINE - 2, self.width() - 2 * _MARGIN, 4), 2, 2)
        if self._end:
            painter.setBrush(style.color("secondary"))
            painter.drawRoundedRect(QRectF(_MARGIN, _LINE - 2, self._x(self._end) - _MARGIN, 4), 2, 2)
        self._paint_dots(painter)
        self._paint_numbers(painter)
        if self._end:
            painter.setBrush(style.color("accent"))
            painter.setPen(QPen(style.color("text"), 2) if self.hasFocus() else Qt.PenStyle.NoPen)
            painter.drawEllipse(QPointF(self._x(self.value()), _LINE), _HANDLE, _HANDLE)
        painter.end()

    def _paint_dots(self, painter: QPainter) -> None:
        """A filled dot for every epoch that has happened, a hollow one for each that is to come."""
        style, epochs = theme(), self.maximum() // UNITS_PER_EPOCH
        if epochs and self._x(UNITS_PER_EPOCH) - self._x(0) >= _MINIMUM_DOT_SPACING:
            painter.setPen(QPen(style.color("secondary"), 1.4))
            for epoch in range(epochs + 1):
                has_happened = epoch * UNITS_PER_EPOCH <= self._end
                painter.setBrush(style.color("secondary" if has_happened else "panel"))
                painter.drawEllipse(QPointF(self._x(epoch * UNITS_PER_EPOCH), _LINE), _DOT, _DOT)
        if self._cursor.epoch is not None:
            # Where the end is, while the handle is elsewhere.
            painter.setBrush(style.color("panel"))
            painter.setPen(QPen(style.color("good"), 2))
            painter.drawEllipse(QPointF(self._x(self._end), _LINE), 5, 5)
        painter.setPen(Qt.PenStyle.NoPen)

    def _paint_numbers(self, painter: QPainter) -> None:
        """The numbers of the epochs below the line, as many as fit, and that of the handle in bold."""
        epochs = self.maximum() // UNITS_PER_EPOCH
        if not epochs:
            return
        style, position = theme(), self.value() / UNITS_PER_EPOCH
        here = f"{position:.1f}" if self.value() % UNITS_PER_EPOCH else format_count(round(position))
        small, strong = style.font("axis"), style.font("axis_strong")
        bold, normal = QFontMetricsF(strong), QFontMetricsF(small)
        taken = self._number_span(bold, here, self.value())
        spacing = self._x(UNITS_PER_EPOCH) - self._x(0)
        step = _round_step((normal.horizontalAdvance(format_count(epochs)) + 10) / max(spacing, 1e-9))
        painter.setFont(small)
        painter.setPen(style.color("secondary"))
        for epoch in range(0, epochs + 1, step):
            span = self._number_span(normal, format_count(epoch), epoch * UNITS_PER_EPOCH)
            if not self._end or span[1] < taken[0] - 4 or span[0] > taken[1] + 4:
                self._paint_number(painter, span, format_count(epoch))
        if self._end:
            painter.setFont(strong)
            painter.setPen(style.color("text"))
            self._paint_number(painter, taken, here)

    def _number_span(self, metrics: QFontMetricsF, text: str, value: float) -> tuple[float, float]:
        """From where to where a number is painted, within the widget."""
        width = metrics.horizontalAdvance(text)
        left = min(max(self._x(value) - width / 2, 0), self.width() - width)
        return left, left + width

    def _paint_number(self, painter: QPainter, span: tuple[float, float], text: str) -> None:
        area = QRectF(span[0], _LINE + _HANDLE, span[1] - span[0] + 1, self.height() - _LINE - _HANDLE)
        painter.drawText(area, Qt.AlignmentFlag.AlignCenter, text)

    def _on_theme_changed(self, _: object) -> None:
        self.update()


def _round_step(least: float) -> int:
    """The smallest of 1, 2, 5, 10, 20, … that is not below `least`."""
    steps = (digit * 10**power for power in range(9) for digit in (1, 2, 5))
    return next((step for step in steps if step >= least), 10**9)


class Timeline(QWidget):
    """Buttons for one epoch back and forward and for playing, the slider, and what its end is."""

    def __init__(self, cursor: Cursor) -> None:
        super().__init__()
        self._cursor = cursor
        self.slider = TimeSlider(cursor)
        self._label = Label("Epoch", "help", tone="secondary")
        self.previous = IconButton("timelinePrevious", "previous", "Previous epoch (←)")
        self.play = IconButton("timelinePlay", "train", _PLAY)
        self.next = IconButton("timelineNext", "next", "Next epoch (→)")
        self._status = Label(role="help")
        self._status.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.back = QPushButton()
        self.back.setObjectName("timelineLive")
        self.back.setProperty("role", "small")
        self._end = QStackedWidget()
        self._end.addWidget(self._status)
        self._end.addWidget(self.back)
        self._end.setFixedSize(END_WIDTH, 28)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self._label)
        row.addSpacing(8)
        for button in (self.previous, self.play, self.next):
            row.addWidget(button)
        row.addWidget(self.slider, 1)
        row.addSpacing(8)
        row.addWidget(self._end)
        self.previous.clicked.connect(lambda: cursor.step(-1))
        self.next.clicked.connect(lambda: cursor.step(1))
        self.play.clicked.connect(cursor.toggle_play)
        self.back.clicked.connect(cursor.follow_end)
        for signal in (cursor.run_changed, cursor.epoch_changed, cursor.live_changed, cursor.playing_changed):
            signal.connect(self.refresh)
        self.refresh()

    @property
    def text(self) -> str:
        """The text at the right end."""
        return self.back.text() if self._end.currentWidget() is self.back else self._status.text()

    def set_narrow(self, narrow: bool) -> None:
        """Leaves out the word before the buttons."""
        self._label.setVisible(not narrow)

    def refresh(self, *_: object) -> None:
        """Shows the run on show as it is now."""
        cursor = self._cursor
        self.slider.refresh()
        has_stops = bool(cursor.stops)
        for button in (self.previous, self.play, self.next):
            button.setEnabled(has_stops)
        self.play.show_icon("pause", _STOP) if cursor.is_playing else self.play.show_icon("train", _PLAY)
        self._end.setCurrentWidget(self._status if cursor.epoch is None else self.back)
        self.back.setText("Follow live" if cursor.is_live else "Back to the end")
        text = self._end_text()
        if text != self._status.text():
            self._status.setText(text)
            self._status.set_tone("good" if cursor.is_live else "secondary")

    def _end_text(self) -> str:
        history = self._cursor.record.history
        if self._cursor.is_live:
            return "● Following live"
        if history.is_empty:
            return _EMPTY if self._cursor.record.folder is None else ""
        best = history.finished.best_epoch if history.finished is not None else None
        return "End of run" if best is None else f"Best epoch: {format_count(best)}"
