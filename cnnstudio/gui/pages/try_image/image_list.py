"""The list of the images that were tried, with the answer to each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import (
    QItemSelectionModel,
    QRectF,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QKeySequence, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
)

from cnnstudio.core.formatting import format_percent
from cnnstudio.gui.dashboard.views.parts.rows_list import RowsDelegate, RowsView
from cnnstudio.gui.dashboard.views.parts.rows_model import Index
from cnnstudio.gui.pages.try_image.sources import TriedImage
from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.marks import paint_image
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.insight.confidence.judging import NOT_SURE

ROW = 48
_SIDE, _GAP, _MAX_NAME = 40, 8, 60


@dataclass(frozen=True)
class Answered:
    """The answer to one image."""

    predicted: str
    score: float
    """The network's own, or the calibrated confidence where that is known."""
    is_sure: bool = True

    @property
    def answer(self) -> str:
        return self.predicted if self.is_sure else NOT_SURE

    def text(self) -> str:
        """`cat 97.0%`, `Not sure (cat 41.0%)`."""
        guess = f"{plain_line(self.predicted, _MAX_NAME)} {format_percent(self.score)}"
        return guess if self.is_sure else f"{NOT_SURE} ({guess})"


@dataclass(frozen=True, eq=False)
class TriedRow:
    """One image, with the answer to it as soon as there is one."""

    image: TriedImage
    answer: Answered | None

    @property
    def key(self) -> TriedImage:
        return self.image

    def text(self) -> str:
        """`chelsea.png: cat 97.0%`."""
        name = plain_line(self.image.source.name, _MAX_NAME)
        return f"{name}: {'…' if self.answer is None else self.answer.text()}"


class _Delegate(RowsDelegate[TriedRow]):
    """Thumbnail, prediction with its score, and below it the name of the file."""

    height = ROW

    def paint_row(self, painter: QPainter, row: TriedRow, area: QRectF) -> None:
        image, answer = row.image, row.answer
        left = area.left() + 4
        thumbnail = self.pixmap(image, image.pixels)
        paint_image(painter, QRectF(left, area.top() + 4, _SIDE, _SIDE), thumbnail)
        left += _SIDE + _GAP
        self._paint_answer(painter, answer, QRectF(left, area.top() + 5, area.right() - left - _GAP, 20))
        small = text_metrics(theme().font("help"))
        painter.setFont(small.font)
        painter.setPen(theme().color("secondary"))
        name = small.elided(plain_line(image.source.name), int(area.right() - left - _GAP))
        painter.drawText(int(left), small.baseline(area.top() + 34), name)

    def _paint_answer(self, painter: QPainter, answer: Answered | None, area: QRectF) -> None:
        strong, digits = text_metrics(theme().font("strong")), text_metrics(theme().monospace())
        score = "" if answer is None else format_percent(answer.score)
        width = digits.width("100.0%")
        middle = area.center().y()
        painter.setPen(theme().color("text"))
        painter.setFont(strong.font)
        text = "…" if answer is None else plain_line(answer.answer, _MAX_NAME)
        painter.drawText(
            int(area.left()), strong.baseline(middle), strong.elided(text, int(area.width()) - width - 8)
        )
        painter.setFont(digits.font)
        painter.drawText(int(area.right()) - digits.width(score), digits.baseline(middle), score)


class ImageList(RowsView[TriedRow]):
    """↑, ↓, Page up and Page down choose; Delete removes the chosen image."""

    chosen = Signal(object)
    """The index of the image that the user chose."""
    removed = Signal(object)
    """The index of the image that the user removes."""
    _is_showing = False
    """Whether the program chooses, not the user."""

    def __init__(self) -> None:
        super().__init__("triedImages", "Images, with the prediction for each")
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._delegate = _Delegate(self, self._model)
        self.setItemDelegate(self._delegate)

    def show_images(
        self, images: tuple[TriedImage, ...], answers: Sequence[Answered | None], index: int
    ) -> None:
        """Shows the images with their answers, None for those that are awaited."""
        self._is_showing = True
        if not self._model.show_rows([TriedRow(*each) for each in zip(images, answers, strict=True)]):
            self._delegate.forget_images()
        if images and self.currentIndex().row() != index:
            self.selectionModel().setCurrentIndex(
                self._model.index(index), QItemSelectionModel.SelectionFlag.ClearAndSelect
            )
        self._is_showing = False

    def currentChanged(self, current: Index, previous: Index) -> None:
        super().currentChanged(current, previous)
        if not self._is_showing and current.isValid():
            self.chosen.emit(current.row())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Delete) and self.currentIndex().isValid():
            self.removed.emit(self.currentIndex().row())
        else:
            super().keyPressEvent(event)
