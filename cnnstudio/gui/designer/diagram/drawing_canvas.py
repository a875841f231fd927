"""The drawing of the network on the screen: zoomed and moved by mouse and keys; a click selects the layer."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QEvent, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication, QScrollArea, QToolTip, QWidget

from cnnstudio.core.colors import palette
from cnnstudio.design.diagram.shapes import Box
from cnnstudio.design.diagram.svg import Drawing, svg
from cnnstudio.gui.theme.theme import theme

_STEP = 1.25
_SMALLEST, _LARGEST = 0.1, 6.0
_STRIP, _MOST_STRIPS = 400, 24
"""Pixels across, and how many of them are kept."""
_READABLE = 0.85
"""Below this scale the words are too small: then a long network is moved along instead of seen as a whole."""
_NEIGHBORS = {
    Qt.Key.Key_Left: -1,
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_Right: 1,
    Qt.Key.Key_Down: 1,
}
_ZOOMS = {"+": 1, "=": 1, "-": -1, "−": -1}
_COMMANDS = (
    Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.MetaModifier
)


class DrawingCanvas(QScrollArea):
    """Shows a Drawing through its SVG, the same that is exported; lights what is selected."""

    chosen = Signal(object)
    """The id of the layer that was clicked or stepped to; None for the input and for none."""

    def __init__(self) -> None:
        super().__init__()
        self._drawing: Drawing | None = None
        self._lit: frozenset[str] = frozenset()
        self._scale = 1.0
        self._fits = True
        self._paper = _Paper(self)
        self.setWidget(self._paper)
        # The scroll area has just told it to fill its ground; the panel's shows through.
        self._paper.setAutoFillBackground(False)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setObjectName("networkDrawing")
        self.setAccessibleName("Drawing of the network")
        self.viewport().setAutoFillBackground(False)
        theme().changed.connect(self._on_theme_changed)

    @property
    def scale(self) -> float:
        """Pixels on the screen for one of the drawing."""
        return self._scale

    @property
    def drawing(self) -> Drawing | None:
        return self._drawing

    @property
    def lit(self) -> frozenset[str]:
        """The layers that are lit."""
        return self._lit

    def show_drawing(self, drawing: Drawing) -> None:
        """Shows it at the scale of the one before, or fitted to the room as long as nobody zoomed."""
        self._drawing = drawing
        self._paper.forget()
        self._fit_or_resize()

    def light(self, node_ids: frozenset[str], words: str) -> None:
        """Lights these layers and moves the first of them into sight; `words` are for a screen reader."""
        if node_ids == self._lit:
            return
        self._lit = node_ids
        self.setAccessibleDescription(words)
        self._paper.update()
        self._reveal()

    def fit(self) -> None:
        """As large as there is room for, yet readable; from now on also when the room changes."""
        self._fits = True
        self._fit_or_resize()

    def zoom(self, steps: int) -> None:
        """Larger by so many steps, smaller for a negative number, around the middle."""
        self._zoom_to(self._scale * _STEP**steps, QPointF(self.viewport().rect().center()))

    def point(self, position: QPointF) -> QPointF:
        """A position on the paper in the drawing's own measure."""
        return position / self._scale

    # Size and place

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._fits:
            self._fit_or_resize()

    def _fit_or_resize(self) -> None:
        drawing = self._drawing
        if drawing is None:
            return
        if self._fits:
            # Before it is laid out there is none.
            room = self.maximumViewportSize().expandedTo(QSize(1, 1))
            down = room.height() / drawing.height
            whole = min(room.width() / drawing.width, down)
            # Where all of it would be too small it fills the height, if that is not too small as well.
            self._scale = min(max(whole, min(down * 0.95, _READABLE)), 1.6)
        self._paper.setFixedSize(round(drawing.width * self._scale), round(drawing.height * self._scale))
        self._paper.update()

    def _zoom_to(self, scale: float, middle: QPointF) -> None:
        """Zooms so that what is at `middle` of the viewport stays there."""
        scale = min(max(scale, _SMALLEST), _LARGEST)
        place = self.point(middle - QPointF(self._paper.pos()))
        self._fits, self._scale = False, scale
        self._fit_or_resize()
        target = place * scale - middle
        self.horizontalScrollBar().setValue(round(target.x()))
        self.verticalScrollBar().setValue(round(target.y()))

    def _reveal(self) -> None:
        if self._drawing is None:
            return
        box = next((box for box in self._drawing.boxes if box.node_id in self._lit), None)
        if box is not None:
            x = (box.x + box.right) / 2 * self._scale
            y = (box.y + box.height / 2) * self._scale
            margin = round(min(80 * self._scale, self.viewport().width() / 3))
            self.ensureVisible(round(x), round(y), margin, round(min(60.0, self.viewport().height() / 3)))

    # Mouse and keys

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._zoom_to(self._scale * _STEP ** (event.angleDelta().y() / 120), event.position())
            event.accept()
        elif not self.verticalScrollBar().maximum() and not event.angleDelta().x():
            # The network is long, seldom high: the wheel goes along it.
            bar = self.horizontalScrollBar()
            bar.setValue(bar.value() - event.angleDelta().y())
        else:
            super().wheelEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, sign = event.key(), event.text()
        if event.modifiers() & _COMMANDS:
            super().keyPressEvent(event)
        elif key in _NEIGHBORS:
            self._step(_NEIGHBORS[Qt.Key(key)])
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self._choose(0 if key == Qt.Key.Key_Home else -1)
        elif sign in _ZOOMS:
            self.zoom(_ZOOMS[sign])
        elif sign == "0":
            self.fit()
        else:
            super().keyPressEvent(event)

    def _step(self, step: int) -> None:
        order = self._drawing.order if self._drawing is not None else ()
        lit = [place for place, node_id in enumerate(order) if node_id in self._lit]
        if not lit:
            self._choose(0 if step > 0 else -1)
        else:
            self._choose(min(max((lit[-1] if step > 0 else lit[0]) + step, 0), len(order) - 1))

    def _choose(self, place: int) -> None:
        if self._drawing is not None and self._drawing.order:
            self.chosen.emit(self._drawing.order[place])

    def _on_theme_changed(self, _: object) -> None:
        if self._drawing is not None:
            self.show_drawing(self._drawing)


class _Paper(QWidget):
    """What scrolls: the drawing, painted in strips that are kept once seen, with the light on it."""

    def __init__(self, canvas: DrawingCanvas) -> None:
        super().__init__()
        self._canvas = canvas
        self._strips: dict[int, QPixmap] = {}
        self._strips_for: tuple[float, float] = (0.0, 0.0)
        self._pressed: QPoint | None = None
        self._is_dragged = False

    def sizeHint(self) -> QSize:
        return self.size()

    def forget(self) -> None:
        """The drawing is another one."""
        self._strips.clear()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._canvas.drawing is not None:
            area = event.rect()
            for number in range(area.left() // _STRIP, area.right() // _STRIP + 1):
                painter.drawPixmap(QPoint(number * _STRIP, 0), self._strip(self._canvas.drawing, number))
        self._paint_light(painter)
        painter.end()

    def _strip(self, drawing: Drawing, number: int) -> QPixmap:
        ratio, scale = self.devicePixelRatioF(), self._canvas.scale
        if self._strips_for != (scale, ratio) or len(self._strips) >= _MOST_STRIPS:
            self._strips.clear()
            self._strips_for = scale, ratio
        if number not in self._strips:
            part = drawing.part(number * _STRIP / scale, (number + 1) * _STRIP / scale)
            text = svg(part, palette(theme().scheme), ground=False)
            pixmap = QPixmap(QSize(round(_STRIP * ratio), round(self.height() * ratio)))
            pixmap.setDevicePixelRatio(ratio)
            pixmap.fill(Qt.GlobalColor.transparent)
            painter = QPainter(pixmap)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.translate(-number * _STRIP, 0)
            QSvgRenderer(QByteArray(text.encode())).render(painter, QRectF(self.rect()))
            painter.end()
            self._strips[number] = pixmap
        return self._strips[number]

    def _paint_light(self, painter: QPainter) -> None:
        drawing = self._canvas.drawing
        if drawing is None or not self._canvas.lit:
            return
        painter.save()
        painter.scale(self._canvas.scale, self._canvas.scale)
        accent = theme().color("accent")
        ground = QColor(accent)
        ground.setAlpha(70)
        painter.setBrush(ground)
        painter.setPen(QPen(accent, 2 / self._canvas.scale))
        path = QPainterPath()
        path.setFillRule(Qt.FillRule.WindingFill)
        for box in drawing.boxes:
            if box.node_id in self._canvas.lit:
                path.addPolygon(QPolygonF([QPointF(*corner) for corner in box.outline]))
                path.closeSubpath()
        painter.drawPath(path)
        painter.restore()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed, self._is_dragged = event.globalPosition().toPoint(), False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed is None:
            return
        way = event.globalPosition().toPoint() - self._pressed
        if not self._is_dragged and way.manhattanLength() < QApplication.startDragDistance():
            return
        if not self._is_dragged:
            self._is_dragged = True
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        for bar, step in (
            (self._canvas.horizontalScrollBar(), way.x()),
            (self._canvas.verticalScrollBar(), way.y()),
        ):
            bar.setValue(bar.value() - step)
        self._pressed = event.globalPosition().toPoint()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        drawing = self._canvas.drawing
        if self._pressed is not None and not self._is_dragged and drawing is not None:
            place = self._canvas.point(event.position())
            part = drawing.at(place.x(), place.y())
            self._canvas.chosen.emit(part.node_id if part is not None else None)
        self._pressed, self._is_dragged = None, False
        self.unsetCursor()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self._words_at(QPointF(event.pos())), self)
            return True
        return super().event(event)

    def _words_at(self, position: QPointF) -> str:
        drawing = self._canvas.drawing
        place = self._canvas.point(position)
        part = drawing.at(place.x(), place.y()) if drawing is not None else None
        return part.words if isinstance(part, Box) else ""
