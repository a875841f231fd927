"""The flags of marks above a plot: where each stands, and which one the mouse is on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen

from cnnstudio.gui.runs.curves.marks import Kind, Mark
from cnnstudio.gui.theme.text_metrics import TextMetrics
from cnnstudio.gui.theme.theme import theme

HEIGHT = 17
_PADDING = 6
_GAP = 4
_AXIS_GAP = 4
"""Pixels to the left of the area before the numbers of the axis begin, which end 6 before it."""
_PENNANT = 7
"""The width of a flag that has no room for its word."""
_CARD_WIDTH = 250
_PRIORITY: tuple[Kind, ...] = ("trouble", "best", "change", "pause", "rate", "resume")
"""Which flags keep their words if there is not room for all."""
_TOKENS = {"best": "good", "trouble": "wrong"}


@dataclass(frozen=True)
class Flag:
    """A mark with its place, in the pixels of the plot."""

    mark: Mark
    x: float
    """Where the dashed line is."""
    box: QRectF
    is_folded: bool
    """Whether there is no room for its word."""

    @property
    def token(self) -> str:
        """The color."""
        return _TOKENS.get(self.mark.kind, "secondary")


def lay_out(
    marks: Sequence[Mark],
    x_of: Callable[[float], float],
    area: QRectF,
    cursor: float | None,
    metrics: TextMetrics,
) -> list[Flag]:
    """The flags of the marks inside the area, above its top edge; `cursor` is the x of a line to avoid.

    Each stands in the middle of its line, or beside it where it would meet the cursor or another flag, or
    leave the area: to the left of that are the numbers of the axis.
    """
    placed: list[Flag] = []
    taken = [QRectF(cursor - 2, area.top() - HEIGHT, 4, HEIGHT)] if cursor is not None else []
    for mark in sorted(marks, key=lambda each: (_PRIORITY.index(each.kind), each.epoch)):
        x = x_of(mark.epoch)
        if not area.left() - 0.5 <= x <= area.right() + 0.5:
            continue
        width = metrics.width(mark.label) + 2 * _PADDING
        box = _free_box(x, width, area, taken)
        is_folded = box is None
        if box is None:
            box = QRectF(x, area.top() - HEIGHT, _PENNANT, HEIGHT)
        else:
            taken.append(box.adjusted(-_GAP, 0, _GAP, 0))
        placed.append(Flag(mark, x, box, is_folded))
    return placed


def _free_box(x: float, width: float, area: QRectF, taken: Sequence[QRectF]) -> QRectF | None:
    # Beside its line, and a little apart from it where that is the line of the cursor.
    for left in (x - width / 2, x - width, x, x - width - _GAP, x + _GAP):
        box = QRectF(left, area.top() - HEIGHT, width, HEIGHT)
        is_inside = box.left() >= area.left() - _AXIS_GAP and box.right() <= area.right() + 8
        if is_inside and not any(box.intersects(other) for other in taken):
            return box
    return None


def flag_at(flags: Sequence[Flag], position: QPointF) -> Flag | None:
    """The flag under the mouse; those with their words lie above folded ones."""
    near = [flag for flag in flags if flag.box.adjusted(-2, -2, 2, 2).contains(position)]
    return min(near, key=lambda flag: flag.is_folded, default=None)


def paint_flags(
    painter: QPainter, flags: Sequence[Flag], area: QRectF, metrics: TextMetrics, *, with_boxes: bool
) -> None:
    """Paints the dashed lines and, `with_boxes`, the flags on top of them."""
    painter.setFont(metrics.font)
    for flag in flags:
        color = theme().color(flag.token)
        painter.setPen(QPen(color, 1, Qt.PenStyle.DotLine))
        top = area.top() if flag.is_folded or not with_boxes else flag.box.bottom()
        painter.drawLine(QPointF(flag.x, top), QPointF(flag.x, area.bottom()))
    if not with_boxes:
        return
    for flag in sorted(flags, key=lambda each: not each.is_folded):
        if flag.is_folded:
            _paint_pennant(painter, flag, area)
        else:
            _paint_box(painter, flag.box, flag.token)
            painter.setPen(theme().color("text"))
            left = round(flag.box.left() + _PADDING)
            painter.drawText(left, metrics.baseline(flag.box.center().y()), flag.mark.label)


def _paint_box(painter: QPainter, box: QRectF, token: str) -> None:
    painter.setPen(QPen(theme().color("border" if token == "secondary" else token), 1))
    painter.setBrush(theme().color("background"))
    painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)


def _paint_pennant(painter: QPainter, flag: Flag, area: QRectF) -> None:
    top = area.top() - 9
    painter.setPen(QPen(theme().color(flag.token), 1))
    painter.setBrush(theme().color(flag.token))
    painter.drawLine(QPointF(flag.x, top), QPointF(flag.x, area.top()))
    tip = QPointF(flag.x + _PENNANT, top + 3)
    painter.drawPolygon([QPointF(flag.x, top), tip, QPointF(flag.x, top + 6)])


def paint_card(painter: QPainter, flag: Flag, area: QRectF, metrics: TextMetrics) -> None:
    """Opens a flag: paints its whole text below it, inside the area."""
    lines = metrics.wrapped(flag.mark.text, _CARD_WIDTH - 2 * _PADDING, 5)
    line_height = 16
    width = max(map(metrics.width, lines)) + 2 * _PADDING
    left = max(min(flag.x - width / 2, area.right() + 6 - width), area.left() - _AXIS_GAP)
    card = QRectF(left, area.top() + 3, width, len(lines) * line_height + 8)
    painter.setFont(metrics.font)
    _paint_box(painter, card, flag.token)
    painter.setPen(theme().color("text"))
    for number, line in enumerate(lines):
        middle = card.top() + 4 + (number + 0.5) * line_height
        painter.drawText(round(card.left() + _PADDING), metrics.baseline(middle), line)
