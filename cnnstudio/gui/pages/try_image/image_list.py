"""The list of the images that were tried, with the answer to each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QKeySequence, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from cnnstudio.core.formatting import format_percent
from cnnstudio.gui.dashboard.views.parts.image_grid import paint_image
from cnnstudio.gui.pages.try_image.sources import TriedImage
from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip
from cnnstudio.gui.widgets.qimage import to_qimage

ROW = 48
_SIDE, _GAP, _MAX_NAME = 40, 8, 60
_Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class Answered:
    """The answer to one image."""

    predicted: str
    score: float

    def text(self) -> str:
        """`cat 97.0%`."""
        return f"{plain_line(self.predicted, _MAX_NAME)} {format_percent(self.score)}"


class _Model(QAbstractListModel):
    """One row per image. Only the answers change often."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        self.images: tuple[TriedImage, ...] = ()
        self.answers: tuple[Answered | None, ...] = ()

    def rowCount(self, parent: _Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.images)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self.images):
            return None
        name, answer = self.images[index.row()].source.name, self.answers[index.row()]
        text = f"{plain_line(name, _MAX_NAME)}: {'…' if answer is None else answer.text()}"
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return text
        return plain_tooltip(text) if role == Qt.ItemDataRole.ToolTipRole else None

    def show(self, images: tuple[TriedImage, ...], answers: tuple[Answered | None, ...]) -> None:
        before = self.images
        if images == before:
            if answers != self.answers and images:
                self.answers = answers
                self.dataChanged.emit(self.index(0), self.index(len(images) - 1))
            return
        if before and images[: len(before)] == before:
            self.beginInsertRows(QModelIndex(), len(before), len(images) - 1)
            self.images, self.answers = images, answers
            self.endInsertRows()
            self.dataChanged.emit(self.index(0), self.index(len(before) - 1))
            return
        self.beginResetModel()
        self.images, self.answers = images, answers
        self.endResetModel()


class _Delegate(QStyledItemDelegate):
    """Thumbnail, prediction with its score, and below it the name of the file."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        self._pixmaps: dict[int, QPixmap] = {}
        """By the identity of an image that the model keeps."""

    def forget(self) -> None:
        self._pixmaps.clear()

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(160, ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        model = index.model()
        assert isinstance(model, _Model)
        image, answer = model.images[index.row()], model.answers[index.row()]
        area = QRectF(option.rect)
        painter.save()
        self._paint_ground(painter, option, area)
        if id(image) not in self._pixmaps:
            self._pixmaps[id(image)] = QPixmap.fromImage(to_qimage(image.pixels))
        left = area.left() + 4
        paint_image(painter, QRectF(left, area.top() + 4, _SIDE, _SIDE), self._pixmaps[id(image)])
        left += _SIDE + _GAP
        self._paint_answer(painter, answer, QRectF(left, area.top() + 5, area.right() - left - 4, 20))
        small = text_metrics(theme().font("help"))
        painter.setFont(small.font)
        painter.setPen(theme().color("secondary"))
        name = small.elided(plain_line(image.source.name), int(area.right() - left - 4))
        painter.drawText(int(left), small.baseline(area.top() + 34), name)
        painter.restore()

    def _paint_ground(self, painter: QPainter, option: QStyleOptionViewItem, area: QRectF) -> None:
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(area, theme().color("selection"))
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(theme().color("accent"), 2))
            painter.drawRect(area.adjusted(1, 1, -1, -1))

    def _paint_answer(self, painter: QPainter, answer: Answered | None, area: QRectF) -> None:
        strong, digits = text_metrics(theme().font("strong")), text_metrics(theme().monospace())
        score = "" if answer is None else format_percent(answer.score)
        width = digits.width("100.0%")
        middle = area.center().y()
        painter.setPen(theme().color("text"))
        painter.setFont(strong.font)
        text = "…" if answer is None else plain_line(answer.predicted, _MAX_NAME)
        painter.drawText(
            int(area.left()), strong.baseline(middle), strong.elided(text, int(area.width()) - width - 8)
        )
        painter.setFont(digits.font)
        painter.drawText(int(area.right()) - digits.width(score), digits.baseline(middle), score)


class ImageList(QListView):
    """↑, ↓, Page up and Page down choose; Delete removes the chosen image."""

    chosen = Signal(object)
    """The index of the image that the user chose."""
    removed = Signal(object)
    """The index of the image that the user removes."""

    def __init__(self) -> None:
        super().__init__()
        self._is_showing = False
        self.setObjectName("triedImages")
        self.setAccessibleName("Images, with the prediction for each")
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self._model, self._delegate = _Model(self), _Delegate(self)
        self.setModel(self._model)
        self.setItemDelegate(self._delegate)
        theme().changed.connect(self._on_theme_changed)

    def show_images(
        self, images: tuple[TriedImage, ...], answers: Sequence[Answered | None], index: int
    ) -> None:
        """Shows the images with their answers, None for those that are awaited."""
        self._is_showing = True
        if images[: len(self._model.images)] != self._model.images:
            self._delegate.forget()
        self._model.show(images, tuple(answers))
        if images and self.currentIndex().row() != index:
            self.selectionModel().setCurrentIndex(
                self._model.index(index), QItemSelectionModel.SelectionFlag.ClearAndSelect
            )
        self._is_showing = False

    def currentChanged(self, current: _Index, previous: _Index) -> None:
        super().currentChanged(current, previous)
        if not self._is_showing and current.isValid():
            self.chosen.emit(current.row())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Delete) and self.currentIndex().isValid():
            self.removed.emit(self.currentIndex().row())
        else:
            super().keyPressEvent(event)

    def _on_theme_changed(self, _: object) -> None:
        self.viewport().update()
