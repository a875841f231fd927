"""The training images that are most similar to the image that is tried, with their classes."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolTip, QVBoxLayout, QWidget

from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.canvas import Canvas
from cnnstudio.gui.widgets.canvas.keys import is_enter
from cnnstudio.gui.widgets.canvas.marks import paint_choice, paint_image
from cnnstudio.gui.widgets.labels import ElidedLabel, Label
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip
from cnnstudio.gui.widgets.qimage import to_qimage
from cnnstudio.insight.confidence.reference_images import NEIGHBORS
from cnnstudio.insight.instruments.nearest import NearestReading

SIDE = 48
_GAP, _CAPTION = 12, 16
_MAX_NAME = 40
_NAME_GAP = 6
"""Pixels between two names, at least."""
_MAX_PITCH = 84
"""From one thumbnail to the next, in pixels, at most."""


class SimilarImages(Canvas):
    """Thumbnails in a row. Arrow keys choose one, Enter opens it on the Data page, and so does a click."""

    opened = Signal(object)
    """The place of the image that the user opens, the most similar first."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("similarImages")
        self.setAccessibleName("Nearest training images")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFixedHeight(SIDE + _CAPTION + 4)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self._reading: NearestReading | None = None
        self._pixmaps: list[QPixmap] = []
        self._row = 0
        self.index = 0
        """The chosen one."""
        theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(NEIGHBORS * (SIDE + _GAP), SIDE + _CAPTION + 4)

    @property
    def reading(self) -> NearestReading | None:
        """What is shown."""
        return self._reading

    def show_images(self, reading: NearestReading | None, row: int) -> None:
        """Shows those of one image of a reading; empty squares while they are awaited."""
        if (reading, row) == (self._reading, self._row):
            return
        self._reading, self._row, self.index = reading, row, 0
        thumbnails = [] if reading is None else list(reading.thumbnails[row])
        self._pixmaps = [QPixmap.fromImage(to_qimage(each)) for each in thumbnails]
        texts = [self.describe(place) for place in range(len(self._pixmaps))]
        self.setAccessibleDescription(", ".join(texts))
        self.setCursor(Qt.CursorShape.PointingHandCursor if texts else Qt.CursorShape.ArrowCursor)
        self.update()

    def describe(self, place: int) -> str:
        """`dog, 93% similar`."""
        reading = self._reading
        if reading is None:
            return ""
        name = plain_line(reading.classes[reading.labels[self._row, place]], _MAX_NAME)
        return f"{name}, {100 * reading.similarities[self._row, place]:.0f}% similar"

    def area(self, place: int) -> QRectF:
        """Where a thumbnail is."""
        return QRectF(2 + place * self._pitch, 2, SIDE, SIDE)

    @property
    def _pitch(self) -> int:
        """From one image to the next: less in a narrow window, more where names have room below them."""
        return min(max(self.width() // NEIGHBORS, SIDE + 2), _MAX_PITCH)

    def _place_at(self, position: QPointF) -> int | None:
        places = range(len(self._pixmaps))
        return next((each for each in places if self.area(each).contains(position)), None)

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = self._place_at(event.position())
        if place is not None and event.button() is Qt.MouseButton.LeftButton:
            self.index = place
            self.update()
            self.opened.emit(place)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip:
            place = self._place_at(QPointF(event.pos()))  # type: ignore[attr-defined]  # it is a QHelpEvent
            text = "" if place is None else f"{self.describe(place)}. Click to see it on the Data page."
            QToolTip.showText(event.globalPos(), plain_tooltip(text), self)  # type: ignore[attr-defined]  # as above
            return True
        keys = (Qt.Key.Key_Left, Qt.Key.Key_Right)
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and event.key() in keys
        ):
            event.accept()
            return True
        return bool(super().event(event))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is not None and self._pixmaps:
            self.index = min(max(self.index + step, 0), len(self._pixmaps) - 1)
            self.update()
        elif is_enter(event) and self._pixmaps:
            self.opened.emit(self.index)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        reading, small = self._reading, text_metrics(theme().font("help"))
        for place in range(NEIGHBORS if reading is None else len(self._pixmaps)):
            area = self.area(place)
            paint_image(painter, area, QPixmap() if reading is None else self._pixmaps[place])
            if reading is None:
                continue
            if self.hasFocus() and place == self.index:
                paint_choice(painter, area)
            painter.setFont(small.font)
            painter.setPen(theme().color("secondary"))
            name = plain_line(reading.classes[reading.labels[self._row, place]], _MAX_NAME)
            # Below the left edge of its image: a long name in the middle would run into the next one.
            text = small.elided(name, self._pitch - _NAME_GAP)
            painter.drawText(QPointF(area.left(), small.baseline(area.bottom() + _CAPTION / 2 + 1)), text)
        painter.end()


class NearestStrip(QWidget):
    """A title, a sentence and the thumbnails; the same height whatever is known."""

    opened = Signal(object)
    """The place of the image that the user opens."""

    def __init__(self) -> None:
        super().__init__()
        self.images = SimilarImages()
        self.images.opened.connect(self.opened)
        self.details = ElidedLabel(role="help", tone="secondary")
        self.details.setObjectName("nearestDetails")
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(Label("Nearest training images", "strong"))
        head.addWidget(self.details, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.images)

    def show_nearest(self, reading: NearestReading | None, row: int, hint: str) -> None:
        """Shows those of one image; `hint` says what is awaited or missing."""
        self.images.show_images(reading, row)
        if reading is None:
            self.details.set_full_text(hint)
            return
        of = f"of {reading.searched:,}" if reading.searched < reading.total else ""
        self.details.set_full_text(" ".join(filter(None, (reading.describe(row), of))))
