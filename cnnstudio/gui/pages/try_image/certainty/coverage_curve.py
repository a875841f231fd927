"""How many images are answered and how many of those correctly, at each threshold: a line to drag."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy

from cnnstudio.core.formatting import format_percent
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.canvas import Canvas
from cnnstudio.gui.widgets.canvas.keys import is_plain
from cnnstudio.gui.widgets.canvas.marks import paint_focus
from cnnstudio.insight.confidence.judging import format_threshold
from cnnstudio.insight.instruments.not_sure import STEPS, NotSureReading

HEIGHT = 68
_MARGIN = 6
_MIN_ANSWERED = 5
"""Images; the accuracy of fewer is chance, and not drawn."""
_STEP, _LARGE_STEP = 0.01, 0.1
_KEYS: dict[int, float] = {
    Qt.Key.Key_Left: -_STEP,
    Qt.Key.Key_Down: -_STEP,
    Qt.Key.Key_Right: _STEP,
    Qt.Key.Key_Up: _STEP,
    Qt.Key.Key_PageDown: -_LARGE_STEP,
    Qt.Key.Key_PageUp: _LARGE_STEP,
    Qt.Key.Key_Home: -1.0,
    Qt.Key.Key_End: 1.0,
}


class CoverageCurve(Canvas):
    """Accuracy in green, the share that is answered in gray. Arrows, Page up and down, Home and End move."""

    moved = Signal(object)
    """The threshold to which the user moves the line, 0 to 1; None for the proposed one."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("coverageCurve")
        self.setAccessibleName("Threshold of “not sure”")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self._reading: NotSureReading | None = None
        self._threshold = 0.0
        theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(224, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, HEIGHT)

    def show_threshold(self, reading: NotSureReading, threshold: float) -> None:
        """Shows the curves, and where the threshold cuts them."""
        if (reading, threshold) == (self._reading, self._threshold):
            return
        self._reading, self._threshold = reading, threshold
        self.setAccessibleDescription(describe_figures(reading, threshold))
        self.update()

    @property
    def area(self) -> QRectF:
        """Where thresholds from 0 to 1 and shares from 0 to 1 are."""
        return QRectF(self.rect()).adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self._move_to(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._move_to(event.position().x())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.moved.emit(None)

    def _move_to(self, x: float) -> None:
        self.moved.emit(min(max((x - self.area.left()) / self.area.width(), 0.0), 1.0))

    def event(self, event: QEvent) -> bool:
        if _is_own_key(event):
            # Otherwise the window would take the arrows for its timeline.
            event.accept()
            return True
        return bool(super().event(event))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = _KEYS.get(event.key()) if is_plain(event) else None
        if event.key() == Qt.Key.Key_Backspace:
            self.moved.emit(None)
        elif step is None:
            super().keyPressEvent(event)
        else:
            self.moved.emit(min(max(self._threshold + step, 0.0), 1.0))

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        style, area = theme(), self.area
        painter.setPen(QPen(style.color("grid"), 1))
        for share in (0.0, 0.5, 1.0):
            y = area.bottom() - share * area.height()
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        if self._reading is not None:
            self._paint_curves(painter, self._reading, area)
        if self.hasFocus():
            paint_focus(painter, QRectF(self.rect()).adjusted(1, 1, -1, -1))
        painter.end()

    def _paint_curves(self, painter: QPainter, reading: NotSureReading, area: QRectF) -> None:
        style = theme()

        def at(threshold: float, share: float) -> QPointF:
            return QPointF(area.left() + threshold * area.width(), area.bottom() - share * area.height())

        coverage = [at(step / STEPS, reading.coverage(step / STEPS)) for step in range(STEPS + 1)]
        accuracy = [
            at(step / STEPS, reading.accuracy(step / STEPS) or 0.0)
            for step in range(STEPS + 1)
            if reading.answered[step] >= _MIN_ANSWERED
        ]
        for points, token in ((coverage, "secondary"), (accuracy, "good")):
            painter.setPen(QPen(style.color(token), 2))
            painter.drawPolyline(QPolygonF(points))
        x = at(self._threshold, 0).x()
        paint_threshold(painter, x, area.top() - 4, area.bottom() + 4)
        painter.setPen(QPen(style.color("panel"), 1.5))
        found = reading.accuracy(self._threshold)
        for share, token in ((reading.coverage(self._threshold), "secondary"), (found, "good")):
            if share is not None:
                painter.setBrush(style.color(token))
                painter.drawEllipse(at(self._threshold, share), 4.5, 4.5)
        painter.setBrush(Qt.BrushStyle.NoBrush)


def _is_own_key(event: QEvent) -> bool:
    """Whether a key is about to be pressed that moves the line."""
    if event.type() != QEvent.Type.ShortcutOverride or not isinstance(event, QKeyEvent):
        return False
    return is_plain(event) and event.key() in _KEYS


def paint_threshold(painter: QPainter, x: float, top: float, bottom: float) -> None:
    """The dashed line at which “not sure” ends."""
    pen = QPen(theme().color("accent"), 1.5)
    pen.setDashPattern([3, 2])
    painter.setPen(pen)
    painter.drawLine(QPointF(x, top), QPointF(x, bottom))


def describe_figures(reading: NotSureReading, threshold: float) -> str:
    """For screen readers: `58%: 85.4% of those answered are right, 65.8% of 500 images are answered`."""
    accuracy = reading.accuracy(threshold)
    right = (
        "nothing is answered" if accuracy is None else f"{format_percent(accuracy)} of the answers are right"
    )
    return f"{format_threshold(threshold)}: {right}, {format_percent(reading.coverage(threshold))} answered"
