"""What the panel shows before there is an image: what can be done, and example images of the run to try."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QEnterEvent, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QVBoxLayout, QWidget

from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.marks import paint_image
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip
from cnnstudio.gui.widgets.qimage import to_qimage

SAMPLES = 3
_SIDE = 88


class SampleButton(QAbstractButton):
    """One example image that can be tried."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.setObjectName(f"sample_{number + 1}")
        self._number = number
        self._pixmap = QPixmap()
        self.setFixedSize(_SIDE + 8, _SIDE + 8)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        return QSize(_SIDE + 8, _SIDE + 8)

    def show_image(self, image: np.ndarray, name: str) -> None:
        """Shows uint8 (C, H, W) of that class."""
        self._pixmap = QPixmap.fromImage(to_qimage(image))
        title = f"Try example {self._number + 1}" + (f": {plain_line(name, 40)}" if name else "")
        self.setAccessibleName(title)
        self.setToolTip(plain_tooltip(title))
        self.update()

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        area = QRectF(4, 4, _SIDE, _SIDE)
        paint_image(painter, area, self._pixmap)
        if self.hasFocus() or self.underMouse():
            painter.setPen(QPen(theme().color("accent"), 2))
            painter.drawRect(area.adjusted(-2, -2, 2, 2))
        painter.end()


class EmptyState(QWidget):
    """A sentence in the middle, and below it three images of the data set."""

    sample_chosen = Signal(object)
    """The index of an example image to try."""

    def __init__(self) -> None:
        super().__init__()
        self._text = Label(role="title", wrap=True)
        self._details = Label(role="help", tone="secondary", wrap=True)
        self._note = Label(role="help", tone="wrong", wrap=True)
        self._note.setObjectName("tryNote")
        for label in (self._text, self._details, self._note):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.samples = tuple(SampleButton(number) for number in range(SAMPLES))
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addStretch(1)
        for number, button in enumerate(self.samples):
            row.addWidget(button)
            button.clicked.connect(lambda _=False, number=number: self.sample_chosen.emit(number))
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(32, 0, 32, 0)
        column.setSpacing(8)
        column.addStretch(2)
        column.addWidget(self._text)
        column.addWidget(self._details)
        column.addSpacing(8)
        column.addLayout(row)
        column.addWidget(self._note)
        column.addStretch(3)

    def show_texts(self, text: str, details: str, note: str = "") -> None:
        """Shows what can be done; `note` says what could not be."""
        self._text.setText(text)
        self._details.setText(details)
        self._note.setText(note)
        self._note.setVisible(bool(note))

    @property
    def text(self) -> str:
        return " ".join(filter(None, (each.text() for each in (self._text, self._details, self._note))))

    def show_samples(self, images: np.ndarray, names: tuple[str, ...]) -> None:
        """Shows the first of the run's example images, uint8 (N, C, H, W), and the class of each."""
        for number, button in enumerate(self.samples):
            button.setVisible(number < len(images))
            if number < len(images):
                button.show_image(images[number], names[number] if number < len(names) else "")
