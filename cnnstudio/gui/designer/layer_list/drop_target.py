"""Where a drop lands, and the line that marks it."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPoint, QRect, QRectF, Qt
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QTreeView

from cnnstudio.design.network import Network, Place
from cnnstudio.gui.designer.layer_list.layer_model import LayerModel
from cnnstudio.gui.designer.layer_list.row_painter import INDENT, STRIPE_LEFT
from cnnstudio.gui.theme.text_metrics import TextMetrics
from cnnstudio.gui.theme.theme import theme

_DOT_RADIUS = 3.5


@dataclass(frozen=True)
class DropTarget:
    """A place in the network, marked by a line at `y` or by a frame around the group that takes the drop.

    `depth` is the number of enclosing groups; `y` and `frame` are in viewport pixels.
    """

    place: Place
    depth: int
    y: int
    frame: QRect | None = None


def drop_target(view: QTreeView, model: LayerModel, network: Network, position: QPoint) -> DropTarget:
    """The target of a drop at a position of the viewport.

    The upper half of a row means the gap above it, the lower half the gap below it. Below the last row of a
    group one gap stands for several places: at the end of that group, or after any of the groups that end
    there. The horizontal position decides: left of a group's contents means after the group.
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
    fraction = (position.y() - rect.top()) / max(rect.height(), 1)
    above = DropTarget(place, depth, rect.top())
    if node.is_group and node.children and view.isExpanded(index):
        return above if fraction < 0.4 else DropTarget(Place(node_id, 0), depth + 1, below)
    if node.is_group and 0.28 <= fraction <= 0.72:
        frame = QRect(depth * INDENT, rect.top(), view.viewport().width() - depth * INDENT, rect.height())
        return DropTarget(Place(node_id, len(node.children)), depth + 1, below, frame)
    if fraction < 0.5:
        return above
    return _after(network, node_id, position.x(), below)


def _after(network: Network, node_id: str, x: int, y: int) -> DropTarget:
    """The gap below a row: after every group that ends there and whose contents start to the right of `x`."""
    place, depth = network.place(node_id), network.depth(node_id)
    while (
        place.parent is not None
        and place.index + 1 == len(network.children(place.parent))
        and x < depth * INDENT
    ):
        place, depth = network.place(place.parent), depth - 1
    return DropTarget(Place(place.parent, place.index + 1), depth, y)


def target_at_place(view: QTreeView, model: LayerModel, network: Network, place: Place) -> DropTarget:
    """The target that a drop at this place of the network would show."""
    siblings = network.children(place.parent)
    if place.index > 0:
        index = _last_visible(view, model, model.index_of(siblings[place.index - 1].id))
    else:
        index = model.input_index() if place.parent is None else model.index_of(place.parent)
    while index.isValid() and view.visualRect(index).isEmpty():
        # Inside a collapsed group: draw the line below the row of the group.
        index = index.parent()
    depth = 0 if place.parent is None else network.depth(place.parent) + 1
    return DropTarget(place, depth, view.visualRect(index).bottom() + 1)


def _end_of_list(view: QTreeView, model: LayerModel) -> int:
    return view.visualRect(_last_visible(view, model, model.index(model.rowCount() - 1, 0))).bottom() + 1


def _last_visible(view: QTreeView, model: LayerModel, index: QModelIndex) -> QModelIndex:
    """The last visible row inside an expanded row; the row itself if it is collapsed or empty."""
    while view.isExpanded(index) and model.rowCount(index):
        index = model.index(model.rowCount(index) - 1, 0, index)
    return index


def group_label(network: Network, place: Place) -> str:
    """The group that contains a place: `in Residual`, `branch 2 of Parallel`; empty at the top level."""
    if place.parent is None:
        return ""
    group = network.node(place.parent)
    return f"branch {place.index + 1} of {group.title}" if group.has_branches else f"in {group.title}"


def paint_drop_target(painter: QPainter, target: DropTarget, width: int, label: str) -> None:
    """Paints the line with a dot at the level where the drop lands, or the frame around a group.

    `label`, which names the enclosing group if any, is painted at the end of the line.
    """
    accent = theme().color("accent")
    painter.setPen(QPen(accent, 2))
    if target.frame is not None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(QRectF(target.frame).adjusted(5, 2, -6, -2), 6, 6)
        return
    left, y = target.depth * INDENT + STRIPE_LEFT + 1.5, max(target.y, _DOT_RADIUS + 1)
    painter.drawLine(round(left), round(y), width - 9, round(y))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(accent)
    painter.drawEllipse(QRectF(left - _DOT_RADIUS, round(y) - _DOT_RADIUS, 2 * _DOT_RADIUS, 2 * _DOT_RADIUS))
    if label:
        _paint_label(painter, label, width - 9, round(y))


def _paint_label(painter: QPainter, text: str, right: int, y: int) -> None:
    metrics = TextMetrics(theme().font("help"))
    text = metrics.elided(text, 160)
    # At the top of the viewport there is no space above the line.
    y = max(y, 10)
    pill = QRectF(right - metrics.width(text) - 14, y - 9, metrics.width(text) + 14, 18)
    painter.drawRoundedRect(pill, 9, 9)
    painter.setFont(metrics.font)
    painter.setPen(theme().color("on_accent"))
    painter.drawText(round(pill.left()) + 7, metrics.baseline(y), text)


def paint_drop_error(painter: QPainter, message: str, position: QPoint, viewport: QRect) -> None:
    """Paints, beside the mouse, why the layers cannot be dropped here."""
    metrics = TextMetrics(theme().font("help"))
    text = metrics.elided(message[:1].upper() + message[1:], viewport.width() - 48)
    card = QRect(0, 0, metrics.width(text) + 24, 28)
    card.moveTopLeft(position + QPoint(16, 18))
    card.moveRight(min(card.right(), viewport.right() - 8))
    card.moveBottom(min(card.bottom(), viewport.bottom() - 4))
    painter.setPen(QPen(theme().color("wrong"), 1))
    painter.setBrush(theme().color("wrong_ground"))
    painter.drawRoundedRect(QRectF(card).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
    painter.setFont(metrics.font)
    painter.drawText(card.left() + 12, metrics.baseline(card.center().y() + 0.5), text)
