"""The time line under the dashboard: where in the run one looks. At its end the view follows the training."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSlider, QStackedWidget, QWidget

from cnnstudio.gui.runs.history import History
from cnnstudio.gui.theme.theme import theme

PER_EPOCH = 1000
"""Slider units: the end of a run lies between two epochs while it trains."""
_MARGIN = 10
_CLOSEST_DOTS = 7

_BACKWARD = (Qt.Key.Key_Left, Qt.Key.Key_Down, Qt.Key.Key_PageDown)
_FORWARD = (Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_PageUp)


class TimeSlider(QSlider):
    """Goes from 0 to the planned epochs; stands on an epoch that is done, or at the end of what is done."""

    chosen = Signal(object)
    """The epoch that is looked at, 0 for before the first one, or None for the end."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setObjectName("timeline")
        self.setAccessibleName("Time in the run")
        self.setToolTip("Drag back to see an earlier epoch; ← and → go one epoch, End follows the training")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFixedHeight(24)
        self._stops: tuple[int, ...] = ()
        self._end = 0
        self._epoch: int | None = None
        self._placing = False
        self.valueChanged.connect(self._on_value_changed)
        theme().changed.connect(self._on_theme_changed)

    def sizeHint(self) -> QSize:
        return QSize(300, 24)

    @property
    def epoch(self) -> int | None:
        """The epoch that is looked at; None at the end."""
        return self._epoch

    def show_run(self, epochs: Sequence[int], position: float, total: int) -> None:
        """The epochs that are done, how far the run is in epochs, and how many are planned."""
        end = round(position * PER_EPOCH)
        stops = tuple(epoch for epoch in epochs if epoch * PER_EPOCH < end)
        if (stops, end, total * PER_EPOCH) == (self._stops, self._end, self.maximum()):
            return
        self._stops, self._end = stops, end
        self._placing = True
        self.setRange(0, total * PER_EPOCH)
        self._placing = False
        self.choose(self._epoch if self._epoch in stops else None)
        self.update()

    def choose(self, epoch: int | None) -> None:
        """Looks at an epoch that is done, or at the end."""
        changed = epoch != self._epoch
        self._epoch = epoch
        self._placing = True
        self.setValue(self._end if epoch is None else epoch * PER_EPOCH)
        self._placing = False
        self.setAccessibleDescription("at the end of the run" if epoch is None else f"after epoch {epoch}")
        if changed:
            self.chosen.emit(epoch)
            self.update()

    def _on_value_changed(self, value: int) -> None:
        if not self._placing:
            self._go_near(value)

    def _go_near(self, value: float) -> None:
        """To the nearest place where one can stand."""
        nearest = min(self._stops, key=lambda epoch: abs(epoch * PER_EPOCH - value), default=None)
        if nearest is not None and abs(nearest * PER_EPOCH - value) >= abs(self._end - value):
            nearest = None
        self.choose(nearest)

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._go_near(self._value_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._go_near(self._value_at(event.position().x()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        # The wheel scrolls what is around; traveling in time is never an accident.
        event.ignore()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        places: list[int | None] = [*self._stops, None]
        here = places.index(self._epoch)
        if event.key() in _BACKWARD:
            self.choose(places[max(here - 1, 0)])
        elif event.key() in _FORWARD:
            self.choose(places[min(here + 1, len(places) - 1)])
        elif event.key() == Qt.Key.Key_Home:
            self.choose(places[0])
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
        look, middle = theme(), self.height() / 2
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(look.color("border"))
        painter.drawRoundedRect(QRectF(_MARGIN, middle - 1.5, self.width() - 2 * _MARGIN, 3), 1.5, 1.5)
        self._paint_done(painter, middle, look.color("secondary"))
        if self._end:
            radius = 8.0
            painter.setBrush(look.color("accent"))
            painter.setPen(QPen(look.color("text"), 2) if self.hasFocus() else Qt.PenStyle.NoPen)
            painter.drawEllipse(QPointF(self._x(self.value()), middle), radius, radius)
        painter.end()

    def _paint_done(self, painter: QPainter, middle: float, color: QColor) -> None:
        """A dot at every epoch that is done, and a ring where the training is."""
        painter.setBrush(color)
        if self._x(PER_EPOCH) - self._x(0) >= _CLOSEST_DOTS:
            for epoch in self._stops:
                painter.drawEllipse(QPointF(self._x(epoch * PER_EPOCH), middle), 3.5, 3.5)
        if self._epoch is not None:
            painter.setBrush(theme().color("panel"))
            painter.setPen(QPen(theme().color("good"), 2))
            painter.drawEllipse(QPointF(self._x(self._end), middle), 5, 5)
            painter.setPen(Qt.PenStyle.NoPen)

    def _on_theme_changed(self, _: object) -> None:
        self.update()


class Timeline(QWidget):
    """The slider, what it stands at in words, and the way back to the end."""

    def __init__(self) -> None:
        super().__init__()
        self.slider = TimeSlider()
        self._label = QLabel("Epoch")
        self._label.setProperty("role", "secondary")
        self._follows = QLabel()
        self._follows.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.back = QPushButton()
        self.back.setObjectName("timelineLive")
        self.back.setProperty("role", "quiet")
        self.back.clicked.connect(lambda: self.slider.choose(None))
        self._end = QStackedWidget()
        self._end.addWidget(self._follows)
        self._end.addWidget(self.back)
        # The slider keeps its length when the words change.
        self._label.setFixedWidth(96)
        self._end.setFixedWidth(150)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self._label)
        row.addWidget(self.slider, 1)
        row.addWidget(self._end)
        self._history = History()
        self._live = False
        self.slider.chosen.connect(self._refresh)
        self._refresh()

    @property
    def text(self) -> str:
        """What stands at its right end."""
        return self.back.text() if self._end.currentWidget() is self.back else self._follows.text()

    def show_history(self, history: History, live: bool) -> None:
        """Where the run is; `live` while it trains."""
        self._history, self._live = history, live
        epochs = [] if history.is_empty else [0, *(epoch.epoch for epoch in history.epochs)]
        self.slider.show_run(epochs, history.position, history.total_epochs)
        self._refresh()

    def _refresh(self, _: object = None) -> None:
        epoch = self.slider.epoch
        self._label.setText("Epoch" if epoch is None else f"Epoch {epoch} of {self._history.total_epochs}")
        self._end.setCurrentWidget(self._follows if epoch is None else self.back)
        self.back.setText("Back to live" if self._live else "Back to the end")
        words = "● follows the training" if self._live else "end of the run"
        words = "" if self._history.is_empty else words
        if words != self._follows.text():
            self._follows.setText(words)
            self._follows.setProperty("role", "good" if self._live else "secondary")
            self._follows.style().polish(self._follows)
