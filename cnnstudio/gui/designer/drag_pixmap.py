"""Dragging layers, and the pixmap shown at the cursor meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QMimeData, QPoint, QRectF, Qt
from PySide6.QtGui import QDrag, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QWidget

from cnnstudio.design.network import Node
from cnnstudio.gui.designer.commands import describe_nodes
from cnnstudio.gui.theme.text_metrics import TextMetrics
from cnnstudio.gui.theme.theme import family_token, theme
from cnnstudio.layers.catalog import snake_case

_HEIGHT = 34
_MAX_TEXT_WIDTH = 260


def start_drag(source: QWidget, data: QMimeData, nodes: Sequence[Node], actions: Qt.DropAction) -> None:
    """Runs a drag of layers; returns once they are dropped or the drag is canceled."""
    drag = QDrag(source)
    drag.setMimeData(data)
    drag.setPixmap(drag_pixmap(nodes, source.devicePixelRatioF()))
    drag.setHotSpot(QPoint(-12, -6))
    default = Qt.DropAction.MoveAction if actions & Qt.DropAction.MoveAction else Qt.DropAction.CopyAction
    drag.exec(actions, default)


def drag_pixmap(nodes: Sequence[Node], ratio: float) -> QPixmap:
    """The pixmap of a drag: icon, name and main parameters of one layer, or the number of several.

    `ratio` is the device pixel ratio.
    """
    metrics = TextMetrics(theme().font("content"))
    first = nodes[0].layer
    text = describe_nodes(nodes) if len(nodes) > 1 else f"{nodes[0].title}  {first.summary()}".strip()
    text = metrics.elided(text, _MAX_TEXT_WIDTH)
    width = 12 + 17 + 10 + metrics.width(text) + 14
    pixmap = QPixmap(round(width * ratio), round(_HEIGHT * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    with QPainter(pixmap) as painter:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme().color("accent"), 1.5))
        painter.setBrush(theme().color("panel"))
        painter.drawRoundedRect(QRectF(1, 1, width - 2, _HEIGHT - 2), 6, 6)
        icon = theme().pixmap(snake_case(first.type_name()), family_token(first.family), 17, ratio)
        painter.drawPixmap(12, (_HEIGHT - 17) // 2, icon)
        painter.setPen(theme().color("text"))
        painter.setFont(metrics.font)
        painter.drawText(12 + 17 + 10, metrics.baseline(_HEIGHT / 2), text)
    return pixmap
