"""The timeline below the dashboard, which selects the epoch to view; its end follows the training."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSlider, QStackedWidget, QWidget

from cnnstudio.gui.runs.history import RunHistory
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import Label

UNITS_PER_EPOCH = 1000
"""Slider units. While a run trains, its end lies between two epochs."""
_MARGIN = 10
_MINIMUM_DOT_SPACING = 7

_BACKWARD = (Qt.Key.Key_Left, Qt.Key.Key_Down, Qt.Key.Key_PageDown)
_FORWARD = (Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_PageUp)


class TimeSlider(QSlider):
    """Ranges from 0 to the planned epochs. The handle is on a completed epoch or at the current end."""

    chosen = Signal(object)
    """The epoch to view, 0 for the state before the first one, or None for the end."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setObjectName("timeline")
        self.setAccessibleName("Run timeline")
        self.setToolTip("Drag to view an earlier epoch. ← and → move one epoch, End returns to the latest.")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFixedHeight(24)
        self._stops: tuple[int, ...] = ()
        self._end = 0
        self._epoch: int | None = None
        self._setting_value = False
        self.valueChanged.connect(self._on_value_changed)
        theme().changed.connect(self._on_theme_changed)

    def sizeHint(self) -> QSize:
        return QSize(300, 24)

    @property
    def epoch(self) -> int | None:
        """The epoch to view; None for the end."""
        return self._epoch

    def show_run(self, epochs: Sequence[int], position: float, total: int) -> None:
        """Shows the completed `epochs`, the `position` of the run in epochs, and `total` planned epochs."""
        end = round(position * UNITS_PER_EPOCH)
        stops = tuple(epoch for epoch in epochs if epoch * UNITS_PER_EPOCH < end)
        if (stops, end, total * UNITS_PER_EPOCH) == (self._stops, self._end, self.maximum()):
            return
        self._stops, self._end = stops, end
        self._setting_value = True
        try:
            self.setRange(0, total * UNITS_PER_EPOCH)
        finally:
            self._setting_value = False
        self.choose(self._epoch if self._epoch in stops else None)
        self.update()

    def choose(self, epoch: int | None) -> None:
        """Moves to a completed epoch, or to the end for None."""
        changed = epoch != self._epoch
        self._epoch = epoch
        self._setting_value = True
        try:
            self.setValue(self._end if epoch is None else epoch * UNITS_PER_EPOCH)
        finally:
            self._setting_value = False
        self.setAccessibleDescription("At the end of the run" if epoch is None else f"After epoch {epoch}")
        if changed:
            self.chosen.emit(epoch)
            self.update()

    def _on_value_changed(self, value: int) -> None:
        if not self._setting_value:
            self._go_to_nearest(value)

    def _go_to_nearest(self, value: float) -> None:
        """Moves to the nearest completed epoch, or to the end."""
        nearest = min(self._stops, key=lambda epoch: abs(epoch * UNITS_PER_EPOCH - value), default=None)
        if nearest is not None and abs(nearest * UNITS_PER_EPOCH - value) >= abs(self._end - value):
            nearest = None
        self.choose(nearest)

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._go_to_nearest(self._value_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._go_to_nearest(self._value_at(event.position().x()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        # The wheel scrolls the surrounding view; it must not change the epoch by accident.
        event.ignore()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        stops: list[int | None] = [*self._stops, None]
        current = stops.index(self._epoch)
        if event.key() in _BACKWARD:
            self.choose(stops[max(current - 1, 0)])
        elif event.key() in _FORWARD:
            self.choose(stops[min(current + 1, len(stops) - 1)])
        elif event.key() == Qt.Key.Key_Home:
            self.choose(stops[0])
        elif event.key() == Qt.Key.Key_End:
            self.choose(None)
        else:
            super().keyPressEvent(event)

    # Drawing

    def _x(self, value: float) -> float:
        return _MARGIN + (self.width() - 2 * _MARGIN) * value / max(self.maximum(), 1)

    def _value_at(self, x: float) -> float:
        return (x - _MARGIN) / max(self.width() - 2 * _MARGIN, 1) * self.maximum()

    def paintEvent(self, event: QPaintEvent) -> None:
        style, middle = theme(), self.height() / 2
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(style.color("border"))
        painter.drawRoundedRect(QRectF(_MARGIN, middle - 1.5, self.width() - 2 * _MARGIN, 3), 1.5, 1.5)
        self._paint_done(painter, middle, style.color("secondary"))
        if self._end:
            radius = 8.0
            painter.setBrush(style.color("accent"))
            painter.setPen(QPen(style.color("text"), 2) if self.hasFocus() else Qt.PenStyle.NoPen)
            painter.drawEllipse(QPointF(self._x(self.value()), middle), radius, radius)
        painter.end()

    def _paint_done(self, painter: QPainter, middle: float, color: QColor) -> None:
        """A dot at every completed epoch, and a ring at the end of the run if the handle is elsewhere."""
        painter.setBrush(color)
        if self._x(UNITS_PER_EPOCH) - self._x(0) >= _MINIMUM_DOT_SPACING:
            for epoch in self._stops:
                painter.drawEllipse(QPointF(self._x(epoch * UNITS_PER_EPOCH), middle), 3.5, 3.5)
        if self._epoch is not None:
            painter.setBrush(theme().color("panel"))
            painter.setPen(QPen(theme().color("good"), 2))
            painter.drawEllipse(QPointF(self._x(self._end), middle), 5, 5)
            painter.setPen(Qt.PenStyle.NoPen)

    def _on_theme_changed(self, _: object) -> None:
        self.update()


class Timeline(QWidget):
    """The slider, a label with its epoch, and a button that returns to the end."""

    def __init__(self) -> None:
        super().__init__()
        self.slider = TimeSlider()
        self._label = Label("Epoch", tone="secondary")
        self._status = Label()
        self._status.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.back = QPushButton()
        self.back.setObjectName("timelineLive")
        self.back.setProperty("role", "quiet")
        self.back.clicked.connect(lambda: self.slider.choose(None))
        self._end = QStackedWidget()
        self._end.addWidget(self._status)
        self._end.addWidget(self.back)
        # Fixed widths, so that the slider keeps its length when the texts change.
        self._label.setFixedWidth(96)
        self._end.setFixedWidth(150)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self._label)
        row.addWidget(self.slider, 1)
        row.addWidget(self._end)
        self._history = RunHistory()
        self._live = False
        self.slider.chosen.connect(self._refresh)
        self._refresh()

    @property
    def text(self) -> str:
        """The text at the right end."""
        return self.back.text() if self._end.currentWidget() is self.back else self._status.text()

    def show_history(self, history: RunHistory, live: bool) -> None:
        """Shows the epochs of a run; `live` while it trains."""
        self._history, self._live = history, live
        epochs = [] if history.is_empty else [0, *(epoch.epoch for epoch in history.epochs)]
        self.slider.show_run(epochs, history.position, history.total_epochs)
        self._refresh()

    def _refresh(self, _: object = None) -> None:
        epoch = self.slider.epoch
        self._label.setText("Epoch" if epoch is None else f"Epoch {epoch} of {self._history.total_epochs}")
        self._end.setCurrentWidget(self._status if epoch is None else self.back)
        self.back.setText("Back to live" if self._live else "Back to end")
        text = "" if self._history.is_empty else "● Live" if self._live else "End of run"
        if text != self._status.text():
            self._status.setText(text)
            self._status.setProperty("role", "good" if self._live else "secondary")
            self._status.style().polish(self._status)
