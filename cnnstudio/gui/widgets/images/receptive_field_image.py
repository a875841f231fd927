"""An image of the data set with the receptive field of one output value of a layer marked on it."""

from __future__ import annotations

from fractions import Fraction

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.keys import arrow_step
from cnnstudio.gui.widgets.canvas.marks import paint_focus
from cnnstudio.layers.receptive_field import WHOLE_IMAGE, Pixels, ReceptiveField

_MAX_MARGIN = 0.12
"""Fraction of the image side: how much of the padding around the image is shown at most."""
_MIN_DOT_SPACING = 6.0
"""Screen pixels between the dots of the grid; closer dots would merge into a gray area."""
_IMAGE_KEYS = {Qt.Key.Key_PageUp: -1, Qt.Key.Key_PageDown: 1}


class ReceptiveFieldImage(QWidget):
    """Dims the image outside the field, and marks the centers of the fields of all the layer's values."""

    position_changed = Signal(object)
    """(row, column) of the output value whose field is shown."""
    image_step_requested = Signal(object)
    """1 for the next image, −1 for the previous one."""

    def __init__(self) -> None:
        super().__init__()
        self._image = QImage()
        self._size = (1, 1)
        self._field: ReceptiveField | None = None
        self._values = (1, 1)
        self._position = (0, 0)
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
    def position(self) -> tuple[int, int]:
        """Row and column of the value whose field is shown."""
        return self._position

    @property
    def field_rect(self) -> QRectF:
        """The field of that value in image pixels; it may extend into the padding."""
        height, width = self._size
        seen = self._field.at(*self._position) if self._field is not None else None
        if seen is None:
            return QRectF(0, 0, width, height)
        rows, columns = seen
        return QRectF(columns.start, rows.start, len(columns), len(rows))

    def show_image(self, image: QImage) -> None:
        """Shows an image, already resized to the network's input; a null image shows none."""
        self._image = image
        self.update()

    def show_field(
        self, field: ReceptiveField | None, values: tuple[int, int], size: tuple[int, int]
    ) -> None:
        """Shows the field of a layer, or none.

        `values` is (rows, columns) of the layer's output, `size` is (height, width) of the images.
        """
        if (field, values, size) != (self._field, self._values, self._size):
            self._field, self._values, self._size = field, values, size
            self._position = values[0] // 2, values[1] // 2
            self.update()
            self.position_changed.emit(self._position)

    # Geometry

    def _area(self) -> tuple[QRectF, float]:
        """Where the image is in the widget, and the size of one image pixel on screen."""
        height, width = self._size
        vertical, horizontal = self._margin(0), self._margin(1)
        available = self.rect().adjusted(6, 6, -6, -6)
        scale = min(
            available.width() / (width + 2 * horizontal), available.height() / (height + 2 * vertical)
        )
        # A whole factor is sharper; from 4 on rounding down costs little size.
        scale = float(int(scale)) if scale >= 4 else scale
        area = QRectF(0, 0, width * scale, height * scale)
        area.moveCenter(QRectF(self.rect()).center())
        return area, scale

    def _margin(self, axis: int) -> float:
        """How many pixels beyond the image are shown: as many as the fields reach into, up to _MAX_MARGIN."""
        field = self._field
        if field is None or field.size is None:
            return 0.0
        last = field.start[axis] + (self._values[axis] - 1) * field.stride[axis] + field.size[axis]
        beyond = max(-field.start[axis], last - self._size[axis], 0)
        return min(float(beyond), _MAX_MARGIN * self._size[axis])

    def _center(self, axis: int, number: int) -> Pixels:
        """The center of a value's field, in image pixels; exact, as strides may be fractions of a pixel."""
        field = self._field or WHOLE_IMAGE
        kernel = field.size or (self._size[0], self._size[1])
        return field.start[axis] + number * field.stride[axis] + Fraction(kernel[axis]) / 2

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        area, scale = self._area()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(area, theme().color("grid"))
        if not self._image.isNull():
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scale < 2)
            painter.drawImage(area, self._image)
        if self._field is not None:
            self._paint_field(painter, area, scale)
        if self.hasFocus():
            paint_focus(painter, area.adjusted(-3, -3, 3, 3))
        painter.end()

    def _paint_field(self, painter: QPainter, area: QRectF, scale: float) -> None:
        colors, field = theme(), self.field_rect
        seen = QRectF(area.topLeft() + field.topLeft() * scale, field.size() * scale)
        outside = QPainterPath()
        outside.addRect(area)
        hole = QPainterPath()
        hole.addRect(seen)
        veil = QColor(colors.color("panel"))
        veil.setAlpha(150)
        painter.fillPath(outside.subtracted(hole), veil)
        painter.save()
        painter.setClipRect(QRectF(self.rect()))
        self._paint_dots(painter, area, scale)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        # The part in the padding is drawn dashed: there the value sees only zeros.
        painter.setPen(QPen(colors.color("accent"), 1.5, Qt.PenStyle.DashLine))
        painter.drawRect(seen)
        painter.setPen(QPen(colors.color("panel"), 5))
        painter.drawRect(seen.intersected(area))
        painter.setPen(QPen(colors.color("accent"), 2.5))
        painter.drawRect(seen.intersected(area))
        painter.restore()

    def _paint_dots(self, painter: QPainter, area: QRectF, scale: float) -> None:
        """Paints the centers of all values' fields, which shows the stride; the current one is larger."""
        field = self._field
        if field is None or field.size is None:
            return
        steps = float(field.stride[0]) * scale, float(field.stride[1]) * scale
        painter.setPen(QPen(theme().color("panel"), 0.7))
        painter.setBrush(theme().color("text"))
        # With a stride of 1 every pixel is the center of a field.
        if min(steps) >= _MIN_DOT_SPACING and max(field.stride) > 1:
            radius = min(1.8, min(steps) / 5)
            for row in range(self._values[0]):
                for column in range(self._values[1]):
                    painter.drawEllipse(self._dot(area, scale, row, column), radius, radius)
        painter.setPen(QPen(theme().color("panel"), 1.5))
        painter.setBrush(theme().color("accent"))
        radius = min(4.5, min(self.field_rect.width(), self.field_rect.height()) * scale / 6)
        painter.drawEllipse(self._dot(area, scale, *self._position), radius, radius)

    def _dot(self, area: QRectF, scale: float, row: int, column: int) -> QPointF:
        center = QPointF(float(self._center(1, column)), float(self._center(0, row)))
        return area.topLeft() + center * scale

    # Mouse and keys

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        field = self._field
        if field is None or field.size is None:
            return
        area, scale = self._area()
        pixel = (event.position() - area.topLeft()) / scale
        target = (pixel.y(), pixel.x())
        nearest = (
            round((target[axis] - float(self._center(axis, 0))) / float(field.stride[axis]))
            for axis in (0, 1)
        )
        self.move_to(*nearest)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, step = event.key(), arrow_step(event)
        if step is not None:
            self.move_to(self._position[0] + step[0], self._position[1] + step[1])
        elif key in _IMAGE_KEYS:
            self.image_step_requested.emit(_IMAGE_KEYS[Qt.Key(key)])
        else:
            super().keyPressEvent(event)

    def move_to(self, row: int, column: int) -> None:
        """Shows the field of the value at this position, or of the nearest one there is."""
        position = min(max(row, 0), self._values[0] - 1), min(max(column, 0), self._values[1] - 1)
        if position != self._position:
            self._position = position
            self.update()
            self.position_changed.emit(position)

    def _on_theme_changed(self, _: object) -> None:
        self.update()
