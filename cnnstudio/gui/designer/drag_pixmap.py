"""The small card that hangs on the mouse while layers are dragged."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QMimeData, QPoint, QRectF, Qt
from PySide6.QtGui import QDrag, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QWidget

from cnnstudio.design.network import Node
from cnnstudio.gui.designer.commands import described
from cnnstudio.gui.theme.text_metrics import Face
from cnnstudio.gui.theme.theme import family_token, theme
from cnnstudio.layers.catalog import snake_case

_HEIGHT = 34
_WIDEST_TEXT = 260


def drag(source: QWidget, data: QMimeData, nodes: Sequence[Node], actions: Qt.DropAction) -> None:
    """Lets the user drag the layers; returns when they are dropped or the drag is given up."""
    moving = QDrag(source)
    moving.setMimeData(data)
    moving.setPixmap(chip(nodes, source.devicePixelRatioF()))
    moving.setHotSpot(QPoint(-12, -6))
    wanted = Qt.DropAction.MoveAction if actions & Qt.DropAction.MoveAction else Qt.DropAction.CopyAction
    moving.exec(actions, wanted)


def chip(nodes: Sequence[Node], ratio: float) -> QPixmap:
    """An image of the layers: icon, name and telling parameters of one, the number of several."""
    face = Face(theme().font("content"))
    first = nodes[0].layer
    text = described(nodes) if len(nodes) > 1 else f"{nodes[0].title}  {first.summary()}".strip()
    text = face.fitting(text, _WIDEST_TEXT)
    width = 12 + 17 + 10 + face.width(text) + 14
    pixmap = QPixmap(round(width * ratio), round(_HEIGHT * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(theme().color("accent"), 1.5))
    painter.setBrush(theme().color("panel"))
    painter.drawRoundedRect(QRectF(1, 1, width - 2, _HEIGHT - 2), 6, 6)
    icon = theme().pixmap(snake_case(first.type_name()), family_token(first.family), 17, ratio)
    painter.drawPixmap(12, (_HEIGHT - 17) // 2, icon)
    painter.setPen(theme().color("text"))
    painter.setFont(face.font)
    painter.drawText(12 + 17 + 10, face.baseline(_HEIGHT / 2), text)
    painter.end()
    return pixmap
