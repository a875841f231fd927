"""Where a drop lands, and the line that shows it."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPoint, QRect, QRectF, Qt
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QTreeView

from cnnstudio.design.network import Network, Place
from cnnstudio.gui.designer.layer_list.layer_model import LayerModel
from cnnstudio.gui.designer.layer_list.row_painter import INDENT, STRIPE_LEFT
from cnnstudio.gui.theme.text_metrics import Face
from cnnstudio.gui.theme.theme import theme

_DOT = 3.5


@dataclass(frozen=True)
class DropTarget:
    """A place in the network, shown by a line at `y` or by a frame around the group that takes the drop."""

    place: Place
    depth: int
    y: int
    frame: QRect | None = None


def drop_target(view: QTreeView, model: LayerModel, network: Network, position: QPoint) -> DropTarget:
    """What a drop at a position of the viewport means.

    The upper half of a row stands for the gap above it, the lower half for the gap below it. At the end of
    a group these two are different places: inside the group, and after it. Left of the group's contents the
    lower half means after the group, too, so that every level can be reached.
    """
    index = view.indexAt(position)
    if not index.isValid():
        return DropTarget(Place(None, len(network.nodes)), 0, _end_of_list(view, model))
    rect = view.visualRect(index)
    below = rect.bottom() + 1
    node_id = model.node_id(index)
    if node_id is None:
        return DropTarget(Place(None, 0), 0, below)
    node, place, depth = network.node(node_id), network.place(node_id), network.depth(node_id)
    part = (position.y() - rect.top()) / max(rect.height(), 1)
    above = DropTarget(place, depth, rect.top())
    if node.is_group and node.children and view.isExpanded(index):
        return above if part < 0.4 else DropTarget(Place(node_id, 0), depth + 1, below)
    if node.is_group and 0.28 <= part <= 0.72:
        frame = QRect(depth * INDENT, rect.top(), view.viewport().width() - depth * INDENT, rect.height())
        return DropTarget(Place(node_id, len(node.children)), depth + 1, below, frame)
    if part < 0.5:
        return above
    return _after(network, node_id, position.x(), below)


def _after(network: Network, node_id: str, x: int, y: int) -> DropTarget:
    """Below a row: out of each group that ends there and whose contents stand further right than `x`."""
    place, depth = network.place(node_id), network.depth(node_id)
    while (
        place.parent is not None
        and place.index + 1 == len(network.children(place.parent))
        and x < depth * INDENT
    ):
        place, depth = network.place(place.parent), depth - 1
    return DropTarget(Place(place.parent, place.index + 1), depth, y)


def target_of(view: QTreeView, model: LayerModel, network: Network, place: Place) -> DropTarget:
    """A place in the network as a drop there would show it."""
    siblings = network.children(place.parent)
    if place.index > 0:
        index = _last_shown(view, model, model.index_of(siblings[place.index - 1].id))
    else:
        index = model.input_index() if place.parent is None else model.index_of(place.parent)
    while index.isValid() and view.visualRect(index).isEmpty():
        # In a closed group; the line is drawn below its row.
        index = index.parent()
    depth = 0 if place.parent is None else network.depth(place.parent) + 1
    return DropTarget(place, depth, view.visualRect(index).bottom() + 1)


def _end_of_list(view: QTreeView, model: LayerModel) -> int:
    return view.visualRect(_last_shown(view, model, model.index(model.rowCount() - 1, 0))).bottom() + 1


def _last_shown(view: QTreeView, model: LayerModel, index: QModelIndex) -> QModelIndex:
    """The last row of what is open below a row; the row itself where nothing is."""
    while view.isExpanded(index) and model.rowCount(index):
        index = model.index(model.rowCount(index) - 1, 0, index)
    return index


def words_for(network: Network, place: Place) -> str:
    """The group in which a place is, for the end of its line: `in Residual`, `branch 2 of Parallel`."""
    if place.parent is None:
        return ""
    group = network.node(place.parent)
    return f"branch {place.index + 1} of {group.title}" if group.has_branches else f"in {group.title}"


def paint_target(painter: QPainter, target: DropTarget, width: int, words: str) -> None:
    """The line with its dot at the level where the drop lands, or a frame around the group that takes it.

    `words` stand at the line's end: the group in which the place is, if any.
    """
    accent = theme().color("accent")
    painter.setPen(QPen(accent, 2))
    if target.frame is not None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(QRectF(target.frame).adjusted(5, 2, -6, -2), 6, 6)
        return
    left, y = target.depth * INDENT + STRIPE_LEFT + 1.5, max(target.y, _DOT + 1)
    painter.drawLine(round(left), round(y), width - 9, round(y))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(accent)
    painter.drawEllipse(QRectF(left - _DOT, round(y) - _DOT, 2 * _DOT, 2 * _DOT))
    if words:
        _paint_words(painter, words, width - 9, round(y))


def _paint_words(painter: QPainter, text: str, right: int, y: int) -> None:
    face = Face(theme().font("help"))
    text = face.fitting(text, 160)
    pill = QRectF(right - face.width(text) - 14, y - 9, face.width(text) + 14, 18)
    painter.drawRoundedRect(pill, 9, 9)
    painter.setFont(face.font)
    painter.setPen(theme().color("on_accent"))
    painter.drawText(round(pill.left()) + 7, face.baseline(y), text)


def paint_refusal(painter: QPainter, sentence: str, position: QPoint, viewport: QRect) -> None:
    """Why nothing can be dropped here, beside the mouse."""
    face = Face(theme().font("help"))
    text = face.fitting(sentence[:1].upper() + sentence[1:], viewport.width() - 48)
    card = QRect(0, 0, face.width(text) + 24, 28)
    card.moveTopLeft(position + QPoint(16, 18))
    card.moveRight(min(card.right(), viewport.right() - 8))
    card.moveBottom(min(card.bottom(), viewport.bottom() - 4))
    painter.setPen(QPen(theme().color("wrong"), 1))
    painter.setBrush(theme().color("wrong_ground"))
    painter.drawRoundedRect(QRectF(card).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
    painter.setFont(face.font)
    painter.drawText(card.left() + 12, face.baseline(card.center().y() + 0.5), text)
