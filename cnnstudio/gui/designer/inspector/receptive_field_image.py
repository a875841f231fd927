"""An image of the data set with what one output value of a layer sees of it."""

from __future__ import annotations

from fractions import Fraction

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from cnnstudio.gui.theme.theme import theme
from cnnstudio.layers.receptive_field import WHOLE, Pixels, Window

_MOST_MARGIN = 0.12
"""Of the image's side, for what a value sees of the padding around it."""
_CLOSEST = 6.0
"""Pixels of the screen between the dots of the grid; closer ones would be a gray area."""
_MOVES = {
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
}
_TURNS = {Qt.Key.Key_PageUp: -1, Qt.Key.Key_PageDown: 1}


class FieldImage(QWidget):
    """Lights the field, dims the rest, and marks where the layer's other values have the middle of theirs."""

    moved = Signal(object)
    """(row, column) of the output value whose field is shown."""
    turned = Signal(object)
    """1 for the next image, −1 for the one before."""

    def __init__(self) -> None:
        super().__init__()
        self._image = QImage()
        self._size = (1, 1)
        self._window: Window | None = None
        self._values = (1, 1)
        self._place = (0, 0)
        self.setObjectName("receptiveField")
        self.setAccessibleName("Receptive field on an image")
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        theme().changed.connect(self._on_theme_changed)

    def sizeHint(self) -> QSize:
        return QSize(320, 320)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, 160)

    @property
    def place(self) -> tuple[int, int]:
        """Row and column of the value whose field is shown."""
        return self._place

    @property
    def field(self) -> QRectF:
        """What that value sees, in pixels of the image; it may reach beyond."""
        height, width = self._size
        seen = self._window.at(*self._place) if self._window is not None else None
        if seen is None:
            return QRectF(0, 0, width, height)
        rows, columns = seen
        return QRectF(columns.start, rows.start, len(columns), len(rows))

    def show_image(self, image: QImage) -> None:
        """The image, as large as the network takes it; a null image for none."""
        self._image = image
        self.update()

    def show_window(self, window: Window | None, values: tuple[int, int], size: tuple[int, int]) -> None:
        """The window of a layer with `values` rows and columns, on images of `size`; None for no layer."""
        if (window, values, size) != (self._window, self._values, self._size):
            self._window, self._values, self._size = window, values, size
            self._place = values[0] // 2, values[1] // 2
            self.update()
            self.moved.emit(self._place)

    # Where things are

    def _area(self) -> tuple[QRectF, float]:
        """Where the image is on the widget, and how large one of its pixels."""
        height, width = self._size
        below, beside = self._margin(0), self._margin(1)
        room = self.rect().adjusted(6, 6, -6, -6)
        scale = min(room.width() / (width + 2 * beside), room.height() / (height + 2 * below))
        # Whole pixels of the screen are sharper, where that costs little.
        scale = float(int(scale)) if scale >= 4 else scale
        area = QRectF(0, 0, width * scale, height * scale)
        area.moveCenter(QRectF(self.rect()).center())
        return area, scale

    def _margin(self, axis: int) -> float:
        """The pixels beyond the image that are shown, as many as the fields need."""
        window = self._window
        if window is None or window.kernel is None:
            return 0.0
        last = window.start[axis] + (self._values[axis] - 1) * window.stride[axis] + window.kernel[axis]
        beyond = max(-window.start[axis], last - self._size[axis], 0)
        return min(float(beyond), _MOST_MARGIN * self._size[axis])

    def _middle(self, axis: int, number: int) -> Pixels:
        """The middle of a value's field, in pixels of the image."""
        window = self._window or WHOLE
        kernel = window.kernel or (self._size[0], self._size[1])
        return window.start[axis] + number * window.stride[axis] + Fraction(kernel[axis]) / 2

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        area, scale = self._area()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(area, theme().color("grid"))
        if not self._image.isNull():
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scale < 2)
            painter.drawImage(area, self._image)
        if self._window is not None:
            self._paint_field(painter, area, scale)
        if self.hasFocus():
            painter.setPen(QPen(theme().color("accent"), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 6, 6)
        painter.end()

    def _paint_field(self, painter: QPainter, area: QRectF, scale: float) -> None:
        look, field = theme(), self.field
        seen = QRectF(area.topLeft() + field.topLeft() * scale, field.size() * scale)
        rest = QPainterPath()
        rest.addRect(area)
        hole = QPainterPath()
        hole.addRect(seen)
        veil = QColor(look.color("panel"))
        veil.setAlpha(150)
        painter.fillPath(rest.subtracted(hole), veil)
        painter.save()
        painter.setClipRect(QRectF(self.rect()))
        self._paint_dots(painter, area, scale)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        # The part in the padding is drawn as well, broken: there the value sees nothing but zeros.
        painter.setPen(QPen(look.color("accent"), 1.5, Qt.PenStyle.DashLine))
        painter.drawRect(seen)
        painter.setPen(QPen(look.color("panel"), 5))
        painter.drawRect(seen.intersected(area))
        painter.setPen(QPen(look.color("accent"), 2.5))
        painter.drawRect(seen.intersected(area))
        painter.restore()

    def _paint_dots(self, painter: QPainter, area: QRectF, scale: float) -> None:
        """The middles of all values' fields, which shows the layer's stride; the chosen one is large."""
        window = self._window
        if window is None or window.kernel is None:
            return
        steps = float(window.stride[0]) * scale, float(window.stride[1]) * scale
        painter.setPen(QPen(theme().color("panel"), 0.7))
        painter.setBrush(theme().color("text"))
        # Of a stride of 1 every pixel is the middle of a field.
        if min(steps) >= _CLOSEST and max(window.stride) > 1:
            radius = min(1.8, min(steps) / 5)
            for row in range(self._values[0]):
                for column in range(self._values[1]):
                    painter.drawEllipse(self._dot(area, scale, row, column), radius, radius)
        painter.setPen(QPen(theme().color("panel"), 1.5))
        painter.setBrush(theme().color("accent"))
        radius = min(4.5, min(self.field.width(), self.field.height()) * scale / 6)
        painter.drawEllipse(self._dot(area, scale, *self._place), radius, radius)

    def _dot(self, area: QRectF, scale: float, row: int, column: int) -> QPointF:
        middle = QPointF(float(self._middle(1, column)), float(self._middle(0, row)))
        return area.topLeft() + middle * scale

    # Mouse and keys

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        window = self._window
        if window is None or window.kernel is None:
            return
        area, scale = self._area()
        pixel = (event.position() - area.topLeft()) / scale
        wanted = (pixel.y(), pixel.x())
        numbers = (
            round((wanted[axis] - float(self._middle(axis, 0))) / float(window.stride[axis]))
            for axis in (0, 1)
        )
        self._move_to(*numbers)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key in _MOVES:
            down, right = _MOVES[Qt.Key(key)]
            self._move_to(self._place[0] + down, self._place[1] + right)
        elif key in _TURNS:
            self.turned.emit(_TURNS[Qt.Key(key)])
        else:
            super().keyPressEvent(event)

    def _move_to(self, row: int, column: int) -> None:
        place = min(max(row, 0), self._values[0] - 1), min(max(column, 0), self._values[1] - 1)
        if place != self._place:
            self._place = place
            self.update()
            self.moved.emit(place)

    def _on_theme_changed(self, _: object) -> None:
        self.update()
