"""The example images beside the feature maps, of which one is chosen."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPainterPath, QPaintEvent, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QSizePolicy, QVBoxLayout, QWidget

from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.keys import is_plain
from cnnstudio.gui.widgets.canvas.marks import paint_image
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip
from cnnstudio.gui.widgets.qimage import to_qimage

EXAMPLES = 5
_SMALLEST, SMALL, LARGE = 28, 84, 148
"""The side of an image: together they are as high as the maps beside them. It gets no larger than
SMALL, or than LARGE where there is width."""
_FRAME = 3


class ImageButton(QAbstractButton):
    """One example image; the chosen one has a frame in the accent color."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number
        self._pixmap = QPixmap()
        self.setObjectName(f"image_{number + 1}")
        self.setCheckable(True)
        self.set_side(_SMALLEST)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.show_image(None, "")

    def sizeHint(self) -> QSize:
        return self.minimumSize()

    def set_side(self, side: int) -> None:
        """Makes the image as large as that, without its frame."""
        self.setFixedSize(side + 2 * _FRAME, side + 2 * _FRAME)

    def show_image(self, image: np.ndarray | None, name: str) -> None:
        """Shows an image, uint8 (C, H, W), gray or RGB; `name` is its class."""
        self._pixmap = QPixmap() if image is None else QPixmap.fromImage(to_qimage(image))
        title = f"Example {self._number + 1}" + (f": {name}" if name else "")
        self.setToolTip(plain_tooltip(title))
        self.setAccessibleName(plain_line(title))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        style = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect()).adjusted(_FRAME, _FRAME, -_FRAME, -_FRAME)
        shape = QPainterPath()
        shape.addRoundedRect(area, 4, 4)
        painter.save()
        painter.setClipPath(shape)
        painter.fillRect(area, style.color("grid"))
        if not self._pixmap.isNull():
            paint_image(painter, area, self._pixmap)
        painter.restore()
        if self.isChecked() or self.hasFocus():
            painter.setPen(QPen(style.color("text" if self.hasFocus() else "accent"), 2))
            painter.drawRoundedRect(area.adjusted(-1.5, -1.5, 1.5, 1.5), 5, 5)
        painter.end()


class ImageColumn(QWidget):
    """Five example images, one of them chosen; ↑ and ↓ choose the neighbor."""

    chosen = Signal(object)
    """The index of the chosen image."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Example images")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self._largest = SMALL
        self._group = QButtonGroup(self)
        self.buttons = tuple(ImageButton(number) for number in range(EXAMPLES))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for number, button in enumerate(self.buttons):
            self._group.addButton(button, number)
            column.addWidget(button)
        column.addStretch(1)
        self.buttons[0].setChecked(True)
        self._group.idToggled.connect(self._on_toggled)
        theme().changed.connect(self._on_theme_changed)

    @property
    def number(self) -> int:
        """The index of the chosen image."""
        return int(self._group.checkedId())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def set_largest(self, side: int) -> None:
        """How large an image gets at most, without its frame."""
        self._largest = side
        self._fit()

    def _fit(self) -> None:
        side = min(max(self.height() // EXAMPLES - 2 * _FRAME, _SMALLEST), self._largest)
        self.setFixedWidth(side + 2 * _FRAME)
        for button in self.buttons:
            button.set_side(side)

    def minimumSizeHint(self) -> QSize:
        # Not that of the images as they are now: the window may become smaller.
        side = _SMALLEST + 2 * _FRAME
        return QSize(side, EXAMPLES * side)

    def choose(self, number: int) -> None:
        """Chooses an image, if there is one with this index."""
        if 0 <= number < len(self.buttons) and not self.buttons[number].isHidden():
            self.buttons[number].setChecked(True)

    def show_images(self, images: np.ndarray, names: tuple[str, ...]) -> None:
        """Shows the first five images of uint8 (N, C, H, W), with the class of each."""
        for number, button in enumerate(self.buttons):
            exists = number < len(images)
            button.show_image(images[number] if exists else None, names[number] if exists else "")
            button.setVisible(exists)
        if self.number >= len(images):
            self.buttons[0].setChecked(True)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        if event.key() not in steps or not is_plain(event):
            super().keyPressEvent(event)
            return
        shown = [button for button in self.buttons if not button.isHidden()]
        number = min(max(self.number + steps[Qt.Key(event.key())], 0), len(shown) - 1)
        self.buttons[number].setChecked(True)
        self.buttons[number].setFocus()

    def _on_toggled(self, number: int, checked: bool) -> None:
        if checked:
            self.chosen.emit(number)

    def _on_theme_changed(self, _: object) -> None:
        for button in self.buttons:
            button.update()
