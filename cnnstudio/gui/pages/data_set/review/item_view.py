"""The image that is reviewed: large, with its label, the reason why it is shown, and similar images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from cnnstudio.data.dataset import Pixels
from cnnstudio.data.versions.review import ReviewItem
from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.marks import paint_image
from cnnstudio.gui.widgets.labels import ElidedLabel, Label
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.gui.widgets.qimage import to_qimage

IMAGE_SIDE = 144
"""32 pixels × 4.5."""
_NEIGHBOR_SIDE, _CAPTION = 64, 16
_MAX_NEIGHBORS = 4


def enlarged(image: QImage, side: int = IMAGE_SIDE) -> QPixmap:
    """The whole image with at most `side` pixels a side; small ones with sharp pixels."""
    smooth = max(image.width(), image.height()) > side
    return QPixmap.fromImage(
        image.scaled(
            *(side, side),
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation
            if smooth
            else Qt.TransformationMode.FastTransformation,
        )
    )


class ItemView(QWidget):
    """Of one item at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._image = QLabel()
        self._image.setFixedSize(IMAGE_SIDE, IMAGE_SIDE)
        self._image.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self._file = ElidedLabel(role="help", tone="secondary")
        self._label = Label("", "content", wrap=True)
        self._suggested = Label("", "content", wrap=True)
        self._note = Label("", "help", "secondary", wrap=True)
        facts = QVBoxLayout()
        facts.setSpacing(4)
        for each in (self._file, self._label, self._suggested, self._note):
            facts.addWidget(each)
        facts.addStretch(1)
        top = QHBoxLayout()
        top.setSpacing(12)
        top.addWidget(self._image)
        top.addLayout(facts, 1)
        self.reason = Label("", "help", "secondary", wrap=True)
        self.reason.setObjectName("reviewReason")
        self._title = Label("Similar images", "strong")
        self.neighbors = NeighborRow()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(top)
        column.addWidget(self.reason)
        column.addWidget(self._title)
        column.addWidget(self.neighbors)

    def show_item(
        self, item: ReviewItem, image: Pixels, label: str | None, neighbors: Sequence[tuple[Pixels, str]]
    ) -> None:
        """Shows an image, uint8 (C, H, W), with its present label, None where it is excluded."""
        self._image.setPixmap(enlarged(to_qimage(np.asarray(image))))
        self._image.setAccessibleName(plain_line(item.reason or item.file))
        self._file.set_full_text(item.file.rpartition("/")[2])
        self._file.setToolTip(plain_line(item.file))
        self._label.setText("Excluded" if label is None else f"Labeled {plain_line(label, 60)}")
        suggested = item.suggested if item.suggested not in (None, label) else None
        self._suggested.setText(f"Perhaps {plain_line(suggested, 60)}" if suggested else "")
        self._suggested.setVisible(bool(suggested))
        self._note.setText("" if item.score is None else f"Score {item.score:.2f}")
        self._note.setVisible(item.score is not None)
        self.reason.setText(plain_line(item.reason, 300))
        self.reason.setVisible(bool(item.reason))
        self._title.setVisible(bool(neighbors))
        self.neighbors.setVisible(bool(neighbors))
        self.neighbors.show_images(neighbors)


class NeighborRow(QWidget):
    """Small images side by side, each with its class below it."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._images: list[tuple[QPixmap, str]] = []
        theme().changed.connect(self._on_theme_changed)

    def sizeHint(self) -> QSize:
        return QSize(_MAX_NEIGHBORS * (_NEIGHBOR_SIDE + 8), _NEIGHBOR_SIDE + _CAPTION)

    def minimumSizeHint(self) -> QSize:
        return QSize(_NEIGHBOR_SIDE, _NEIGHBOR_SIDE + _CAPTION)

    def show_images(self, images: Sequence[tuple[Pixels, str]]) -> None:
        """Shows images, uint8 (C, H, W), with a caption each."""
        self._images = [
            (QPixmap.fromImage(to_qimage(np.asarray(pixels))), plain_line(caption, 40))
            for pixels, caption in images[:_MAX_NEIGHBORS]
        ]
        captions = ", ".join(caption for _, caption in self._images)
        self.setAccessibleName(f"Similar images: {captions}" if captions else "No similar images")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        metrics = text_metrics(theme().font("axis"))
        pitch = min(_NEIGHBOR_SIDE + 8, (self.width() + 8) // _MAX_NEIGHBORS)
        side = pitch - 8
        for number, (pixmap, caption) in enumerate(self._images):
            left = number * pitch
            paint_image(painter, QRectF(left, 0, side, side), pixmap)
            painter.setFont(metrics.font)
            painter.setPen(theme().color("secondary"))
            shown = metrics.elided(caption, side)
            x = left + (side - metrics.width(shown)) // 2
            painter.drawText(x, metrics.baseline(side + _CAPTION // 2), shown)
        painter.end()

    def _on_theme_changed(self, _: object) -> None:
        self.update()
