"""The network drawing on screen: zoomed and panned by mouse and keyboard; a click selects a layer."""

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

from cnnstudio.core.colors import scheme_colors
from cnnstudio.design.diagram.shapes import Box
from cnnstudio.design.diagram.svg import Drawing, svg
from cnnstudio.gui.theme.theme import theme

_ZOOM_STEP = 1.25
_MIN_SCALE, _MAX_SCALE = 0.1, 6.0
_TILE_WIDTH, _MAX_TILES = 400, 24
"""Screen pixels per tile, and how many rendered tiles are cached."""
_READABLE_SCALE = 0.85
"""Below this scale labels are too small to read: a long network is scrolled rather than fitted as a whole."""
_STEP_KEYS = {
    Qt.Key.Key_Left: -1,
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_Right: 1,
    Qt.Key.Key_Down: 1,
}
_ZOOM_KEYS = {"+": 1, "=": 1, "-": -1, "−": -1}
_COMMAND_MODIFIERS = (
    Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.MetaModifier
)


class DrawingCanvas(QScrollArea):
    """Shows a Drawing by rendering the SVG that is also exported; highlights the selected layers."""

    layer_chosen = Signal(object)
    """The id of the layer that was clicked or reached by key; None for the input or the background."""

    def __init__(self) -> None:
        super().__init__()
        self._drawing: Drawing | None = None
        self._highlighted: frozenset[str] = frozenset()
        self._scale = 1.0
        self._fits = True
        self._content = _CanvasContent(self)
        self.setWidget(self._content)
        # setWidget makes it fill its background; the panel behind it should show through.
        self._content.setAutoFillBackground(False)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setObjectName("networkDrawing")
        self.setAccessibleName("Drawing of the network")
        self.viewport().setAutoFillBackground(False)
        theme().changed.connect(self._on_theme_changed)

    @property
    def scale(self) -> float:
        """Screen pixels per unit of the drawing."""
        return self._scale

    @property
    def drawing(self) -> Drawing | None:
        return self._drawing

    @property
    def highlighted(self) -> frozenset[str]:
        """The ids of the highlighted layers."""
        return self._highlighted

    def show_drawing(self, drawing: Drawing) -> None:
        """Shows a drawing: fitted to the viewport until the user zooms, then at the current scale."""
        self._drawing = drawing
        self._content.clear_tiles()
        self._fit_or_resize()

    def highlight(self, node_ids: frozenset[str], description: str) -> None:
        """Highlights these layers and scrolls to the first; `description` is for screen readers."""
        if node_ids == self._highlighted:
            return
        self._highlighted = node_ids
        self.setAccessibleDescription(description)
        self._content.update()
        self._reveal()

    def fit(self) -> None:
        """Fits the drawing to the viewport if it stays readable, now and whenever the viewport changes."""
        self._fits = True
        self._fit_or_resize()

    def zoom(self, steps: int) -> None:
        """Zooms in by a number of steps, or out if it is negative, around the center of the viewport."""
        self._zoom_to(self._scale * _ZOOM_STEP**steps, QPointF(self.viewport().rect().center()))

    def to_drawing(self, position: QPointF) -> QPointF:
        """A position on the scrolled content in the coordinates of the drawing."""
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
            # Before the first layout pass the viewport is empty.
            available = self.maximumViewportSize().expandedTo(QSize(1, 1))
            by_height = available.height() / drawing.height
            whole = min(available.width() / drawing.width, by_height)
            # If the whole drawing would be unreadably small, fill the height and scroll sideways instead.
            self._scale = min(max(whole, min(by_height * 0.95, _READABLE_SCALE)), 1.6)
        self._content.setFixedSize(round(drawing.width * self._scale), round(drawing.height * self._scale))
        self._content.update()

    def _zoom_to(self, scale: float, center: QPointF) -> None:
        """Zooms so that what is at `center` of the viewport stays there."""
        scale = min(max(scale, _MIN_SCALE), _MAX_SCALE)
        fixed = self.to_drawing(center - QPointF(self._content.pos()))
        self._fits, self._scale = False, scale
        self._fit_or_resize()
        target = fixed * scale - center
        self.horizontalScrollBar().setValue(round(target.x()))
        self.verticalScrollBar().setValue(round(target.y()))

    def _reveal(self) -> None:
        if self._drawing is None:
            return
        box = next((box for box in self._drawing.boxes if box.node_id in self._highlighted), None)
        if box is not None:
            x = (box.x + box.right) / 2 * self._scale
            y = (box.y + box.height / 2) * self._scale
            margin = round(min(80 * self._scale, self.viewport().width() / 3))
            self.ensureVisible(round(x), round(y), margin, round(min(60.0, self.viewport().height() / 3)))

    # Mouse and keys

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._zoom_to(self._scale * _ZOOM_STEP ** (event.angleDelta().y() / 120), event.position())
            event.accept()
        elif not self.verticalScrollBar().maximum() and not event.angleDelta().x():
            # Drawings are wide and seldom tall: the wheel scrolls sideways.
            bar = self.horizontalScrollBar()
            bar.setValue(bar.value() - event.angleDelta().y())
        else:
            super().wheelEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, text = event.key(), event.text()
        if event.modifiers() & _COMMAND_MODIFIERS:
            super().keyPressEvent(event)
        elif key in _STEP_KEYS:
            self._step(_STEP_KEYS[Qt.Key(key)])
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self._choose(0 if key == Qt.Key.Key_Home else -1)
        elif text in _ZOOM_KEYS:
            self.zoom(_ZOOM_KEYS[text])
        elif text == "0":
            self.fit()
        else:
            super().keyPressEvent(event)

    def _step(self, step: int) -> None:
        order = self._drawing.order if self._drawing is not None else ()
        highlighted = [index for index, node_id in enumerate(order) if node_id in self._highlighted]
        if not highlighted:
            self._choose(0 if step > 0 else -1)
        else:
            self._choose(
                min(max((highlighted[-1] if step > 0 else highlighted[0]) + step, 0), len(order) - 1)
            )

    def _choose(self, index: int) -> None:
        if self._drawing is not None and self._drawing.order:
            self.layer_chosen.emit(self._drawing.order[index])

    def _on_theme_changed(self, _: object) -> None:
        if self._drawing is not None:
            self.show_drawing(self._drawing)


class _CanvasContent(QWidget):
    """What scrolls: the drawing, rendered in cached tiles, with the highlight painted over it.

    Rendering an SVG takes longer than a frame for a long network. So it is cut into vertical tiles, each of
    which is rendered when it first becomes visible; scrolling and highlighting only copy pixmaps.
    """

    def __init__(self, canvas: DrawingCanvas) -> None:
        super().__init__()
        self._canvas = canvas
        self._tiles: dict[int, QPixmap] = {}
        self._tiles_for: tuple[float, float] = (0.0, 0.0)
        """The scale and the device pixel ratio for which the tiles were rendered."""
        self._pressed: QPoint | None = None
        self._is_dragged = False

    def sizeHint(self) -> QSize:
        return self.size()

    def clear_tiles(self) -> None:
        """Drops the cached tiles, as the drawing has changed."""
        self._tiles.clear()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._canvas.drawing is not None:
            area = event.rect()
            for number in range(area.left() // _TILE_WIDTH, area.right() // _TILE_WIDTH + 1):
                painter.drawPixmap(QPoint(number * _TILE_WIDTH, 0), self._tile(self._canvas.drawing, number))
        self._paint_highlight(painter)
        painter.end()

    def _tile(self, drawing: Drawing, number: int) -> QPixmap:
        ratio, scale = self.devicePixelRatioF(), self._canvas.scale
        if self._tiles_for != (scale, ratio) or len(self._tiles) >= _MAX_TILES:
            self._tiles.clear()
            self._tiles_for = scale, ratio
        if number not in self._tiles:
            part = drawing.clipped(number * _TILE_WIDTH / scale, (number + 1) * _TILE_WIDTH / scale)
            text = svg(part, scheme_colors(theme().scheme), background=False)
            pixmap = QPixmap(QSize(round(_TILE_WIDTH * ratio), round(self.height() * ratio)))
            pixmap.setDevicePixelRatio(ratio)
            pixmap.fill(Qt.GlobalColor.transparent)
            with QPainter(pixmap) as painter:
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)
                painter.translate(-number * _TILE_WIDTH, 0)
                QSvgRenderer(QByteArray(text.encode())).render(painter, QRectF(self.rect()))
            self._tiles[number] = pixmap
        return self._tiles[number]

    def _paint_highlight(self, painter: QPainter) -> None:
        drawing = self._canvas.drawing
        if drawing is None or not self._canvas.highlighted:
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
            if box.node_id in self._canvas.highlighted:
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
        delta = event.globalPosition().toPoint() - self._pressed
        if not self._is_dragged and delta.manhattanLength() < QApplication.startDragDistance():
            return
        if not self._is_dragged:
            self._is_dragged = True
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        for bar, step in (
            (self._canvas.horizontalScrollBar(), delta.x()),
            (self._canvas.verticalScrollBar(), delta.y()),
        ):
            bar.setValue(bar.value() - step)
        self._pressed = event.globalPosition().toPoint()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        drawing = self._canvas.drawing
        if self._pressed is not None and not self._is_dragged and drawing is not None:
            position = self._canvas.to_drawing(event.position())
            part = drawing.at(position.x(), position.y())
            self._canvas.layer_chosen.emit(part.node_id if part is not None else None)
        self._pressed, self._is_dragged = None, False
        self.unsetCursor()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self._tooltip_at(QPointF(event.pos())), self)
            return True
        return super().event(event)

    def _tooltip_at(self, position: QPointF) -> str:
        drawing = self._canvas.drawing
        point = self._canvas.to_drawing(position)
        part = drawing.at(point.x(), point.y()) if drawing is not None else None
        return part.description if isinstance(part, Box) else ""
