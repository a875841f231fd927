"""One feature map enlarged beside the image, with what one of its values sees of the image."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from cnnstudio.core.formatting import format_value
from cnnstudio.design.analysis.analysis import LayerReport
from cnnstudio.gui.theme.colormaps import color_map
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.images.receptive_field_image import ReceptiveFieldImage
from cnnstudio.gui.widgets.labels import ElidedLabel
from cnnstudio.gui.widgets.qimage import color_image
from cnnstudio.insight.maps import FeatureMaps

_GAP = 16


class MapImage(QWidget):
    """A single map; the value under the mouse is framed."""

    position_changed = Signal(object)
    """(row, column) in the map of the value under the mouse."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Enlarged feature map")
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._levels = np.zeros((1, 1), np.uint8)
        self._colors = "gray"
        self._position = (0, 0)
        theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(320, 320)

    def minimumSizeHint(self) -> QSize:
        return QSize(80, 80)

    @property
    def position(self) -> tuple[int, int]:
        """Row and column of the framed value."""
        return self._position

    def show_map(self, levels: np.ndarray, colors: str, position: tuple[int, int]) -> None:
        """Shows a map, uint8 (h, w), in a color map, with one of its values framed."""
        self._levels, self._colors, self._position = levels, colors, position
        self.update()

    def _area(self) -> tuple[QRectF, float]:
        """Where the map is in the widget, and the size of one of its values on screen."""
        rows, columns = self._levels.shape
        available = self.rect().adjusted(6, 6, -6, -6)
        scale = min(available.width() / columns, available.height() / rows)
        scale = float(int(scale)) if scale >= 4 else scale
        area = QRectF(0, 0, columns * scale, rows * scale)
        area.moveCenter(QRectF(self.rect()).center())
        return area, max(scale, 1e-3)

    def point_of(self, position: tuple[int, int]) -> QPointF:
        """The middle of a value in the widget."""
        area, scale = self._area()
        return area.topLeft() + QPointF((position[1] + 0.5) * scale, (position[0] + 0.5) * scale)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        area, scale = self._area()
        inside = event.position() - area.topLeft()
        rows, columns = self._levels.shape
        row, column = int(inside.y() // scale), int(inside.x() // scale)
        if 0 <= row < rows and 0 <= column < columns and (row, column) != self._position:
            self.position_changed.emit((row, column))

    def paintEvent(self, event: QPaintEvent) -> None:
        area, scale = self._area()
        image = color_image(color_map(self._colors)[self._levels])
        painter = QPainter(self)
        painter.drawImage(area, image)
        painter.setPen(theme().color("border"))
        painter.drawRect(area.adjusted(-1, -1, 0, 0))
        row, column = self._position
        value = QRectF(area.left() + column * scale, area.top() + row * scale, scale, scale)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme().color("panel"), 4))
        painter.drawRect(value)
        painter.setPen(QPen(theme().color("accent"), 2))
        painter.drawRect(value)
        painter.end()


class EnlargedMap(QWidget):
    """The image at the left, one map at the right; mouse or arrow keys move over both together."""

    closed = Signal()
    """Escape or the button: all maps are to be shown again."""
    step_requested = Signal(object)
    """1 for the next map, −1 for the previous one."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("enlargedMap")
        self.image = ReceptiveFieldImage()
        self.image.setObjectName("enlargedImage")
        self.map = MapImage()
        self.back = QPushButton("All maps")
        self.back.setObjectName("allMaps")
        self.back.setProperty("role", "small")
        self.text = ElidedLabel("", "help", "secondary")
        images = QHBoxLayout()
        images.setSpacing(_GAP)
        images.addWidget(self.image, 1)
        images.addWidget(self.map, 1)
        foot = QHBoxLayout()
        foot.setSpacing(12)
        foot.addWidget(self.back)
        foot.addWidget(self.text, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(images, 1)
        column.addLayout(foot)
        self._maps: FeatureMaps | None = None
        self._index = 0
        self._report: LayerReport | None = None
        self._values = (1, 1)
        self.image.position_changed.connect(lambda _: self._show())
        self.image.image_step_requested.connect(self.step_requested)
        self.map.position_changed.connect(self._on_map_position)
        self.back.clicked.connect(self.closed)
        self._colors = "gray"
        self._levels = np.zeros((1, 1), np.uint8)

    @property
    def index(self) -> int:
        """The map that is shown."""
        return self._index

    def show_map(
        self,
        maps: FeatureMaps,
        index: int,
        levels: np.ndarray,
        image: QImage,
        report: LayerReport,
        image_size: tuple[int, int],
        colors: str,
    ) -> None:
        """Shows the map of that index; `levels` are its grays, uint8 (h, w), as they are to be drawn."""
        self._maps, self._index, self._report, self._levels = maps, index, report, levels
        self._colors = colors
        output = report.output
        known = output is not None and not output.is_flat
        self._values = (output.height, output.width) if output is not None and known else levels.shape
        self.image.show_image(image)
        field = report.receptive_field if report.receptive_field_size is not None else None
        self.image.show_field(field, self._values, image_size)
        self._show()

    def _on_map_position(self, position: object) -> None:
        """From a value of the map, which may be scaled down, to a value of the layer's output."""
        assert isinstance(position, tuple)
        rows, columns = self._levels.shape
        row = position[0] * self._values[0] // rows
        column = position[1] * self._values[1] // columns
        self.image.move_to(row, column)

    def _show(self) -> None:
        if self._maps is None or self._report is None:
            return
        row, column = self.image.position
        rows, columns = self._levels.shape
        at = row * rows // self._values[0], column * columns // self._values[1]
        self.map.show_map(self._levels, self._colors, at)
        level = float(self._maps.maps[self._index][at])
        value = self._maps.low + level / 255 * (self._maps.high - self._maps.low)
        place = f"row {row + 1}, column {column + 1}"
        text = f"Map {self._index + 1} of {self._maps.total} · {place}: {format_value(value)}"
        size = self._report.receptive_field_size
        if size is not None:
            text += f" · sees {size[0]} × {size[1]} pixels of the image"
        self.text.set_full_text(text)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Escape, Qt.Key.Key_Backspace):
            self.closed.emit()
        else:
            super().keyPressEvent(event)
