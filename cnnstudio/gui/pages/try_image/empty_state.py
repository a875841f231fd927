"""What the panel shows before there is an image: what can be done, and example images of the run to try."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QEnterEvent, QPainter, QPaintEvent, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.marks import paint_image
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip
from cnnstudio.gui.widgets.qimage import to_qimage

SAMPLES = 5
_SIDES = 64, 168
"""Of an example image, at least and at most."""
_RING, _GAP, _MARGIN = 4, 8, 40
_TEXTS = 200
"""The height that the texts need."""


class SampleButton(QAbstractButton):
    """One example image that can be tried."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.setObjectName(f"sample_{number + 1}")
        self._number = number
        self._pixmap = QPixmap()
        self.set_side(_SIDES[0])
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        return self.size()

    def set_side(self, side: int) -> None:
        """Shows the image at this size."""
        self.setFixedSize(side + 2 * _RING, side + 2 * _RING)

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
        area = QRectF(self.rect()).adjusted(_RING, _RING, -_RING, -_RING)
        paint_image(painter, area, self._pixmap)
        if self.hasFocus() or self.underMouse():
            painter.setPen(QPen(theme().color("accent"), 2))
            painter.drawRect(area.adjusted(-2, -2, 2, 2))
        painter.end()


class EmptyState(QWidget):
    """A frame to drop images on: sentences in the middle, and below them images of the data set.

    Without a run, there is a button that leads to the runs in place of the images.
    """

    sample_chosen = Signal(object)
    """The index of an example image to try."""
    run_wanted = Signal()
    """There is no run to try images on, and the user wants to choose one."""

    def __init__(self) -> None:
        super().__init__()
        self._text = Label(role="title", wrap=True)
        self._details = Label(role="help", tone="secondary", wrap=True)
        self._note = Label(role="help", tone="wrong", wrap=True)
        self._note.setObjectName("tryNote")
        self._offer = Label("Or click a test image", role="help", tone="secondary")
        for label in (self._text, self._details, self._offer, self._note):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._open = QPushButton("Open a run…")
        self._open.setObjectName("openRunToTry")
        self._open.setProperty("role", "outlined")
        self._open.setToolTip("Choose a run to try images on")
        self._open.clicked.connect(self.run_wanted)
        self.samples = tuple(SampleButton(number) for number in range(SAMPLES))
        row = QHBoxLayout()
        row.setSpacing(_GAP)
        row.addStretch(1)
        for number, button in enumerate(self.samples):
            row.addWidget(button)
            button.clicked.connect(lambda _=False, number=number: self.sample_chosen.emit(number))
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(_MARGIN, 0, _MARGIN, 0)
        column.setSpacing(8)
        column.addStretch(2)
        column.addWidget(self._text)
        column.addWidget(self._details)
        column.addSpacing(4)
        column.addWidget(self._open, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self._offer)
        column.addLayout(row)
        column.addWidget(self._note)
        column.addStretch(3)

    def show_texts(self, text: str, details: str, note: str = "", *, has_run: bool = True) -> None:
        """Shows what can be done; `note` says what could not be."""
        self._open.setVisible(not has_run)
        self._text.setText(text)
        self._details.setText(details)
        self._details.setVisible(bool(details))
        self._note.setText(note)
        self._note.setVisible(bool(note))

    @property
    def text(self) -> str:
        return " ".join(filter(None, (each.text() for each in (self._text, self._details, self._note))))

    def show_samples(self, images: np.ndarray, names: tuple[str, ...]) -> None:
        """Shows the first of the run's example images, uint8 (N, C, H, W), and the class of each."""
        self._offer.setVisible(len(images) > 0)
        for number, button in enumerate(self.samples):
            button.setVisible(number < len(images))
            if number < len(images):
                button.show_image(images[number], names[number] if number < len(names) else "")

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        least, most = _SIDES
        across = (self.width() - 2 * _MARGIN + _GAP) // SAMPLES - _GAP - 2 * _RING
        side = max(min(across, self.height() - _TEXTS, most), least)
        for button in self.samples:
            button.set_side(side)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme().color("border"), 1.5, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(16.5, 0.5, -16.5, -16.5), 8, 8)
        painter.end()
