"""The rows of the slim list of layers: what they say, and how they are painted."""

from __future__ import annotations

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from cnnstudio.core.formatting import format_count, pluralize, screen_reader_text
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.network import Network, Node
from cnnstudio.gui.runs.activity import Activities, LayerActivity
from cnnstudio.gui.theme.text_metrics import TextMetrics
from cnnstudio.gui.theme.theme import family_token, theme
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip
from cnnstudio.layers.catalog import snake_case

ROW_HEIGHT, RAIL_ROW_HEIGHT = 48, 36
_STRIPE_LEFT, _ICON_LEFT, _TEXT_LEFT, _RIGHT = 12, 23, 48, 12
_INDENT, _MAX_INDENT = 10, 40
_RAIL_CONTENT = 28
"""From the stripe to the right edge of the icon."""
_MARGIN = 5
_BAR_WIDTH, _SHORT_BAR_WIDTH = 72, 40
"""The short one leaves room for the number of dead units."""
_LEAST_BAR = 16
"""Where there is less room beside the text, there is no bar."""
_LEAST_HEAD = 3
"""Letters of a name that are worth showing before its number."""
_NODE = Qt.ItemDataRole.UserRole

Index = QModelIndex | QPersistentModelIndex


class _Row:
    """One layer, with what its row says."""

    def __init__(self, node: Node | None, depth: int, output: str, summary: str) -> None:
        self.node = node
        self.depth = depth
        self.output = output
        self.summary = summary
        self.activity: LayerActivity | None = None
        self.is_last = False
        """Whether its output is the network's: scores, of which it means nothing that they are above 0."""

    @property
    def title(self) -> str:
        return "Input" if self.node is None else self.node.title

    @property
    def icon(self) -> str:
        return "input" if self.node is None else snake_case(self.node.layer.type_name())

    @property
    def token(self) -> str:
        return "group" if self.node is None else family_token(self.node.layer.family)

    @property
    def details(self) -> str:
        """`34% active · 1 dead`, or what the layer does before anything is known."""
        if self.activity is None or self.is_last:
            return self.summary
        text = f"{100 * self.activity.share:.0f}% active"
        if self.activity.dead:
            text += f" · {format_count(self.activity.dead)} dead"
        return text


class StripModel(QAbstractListModel):
    """The enabled layers of a network, from top to bottom."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[_Row] = []

    def show_network(self, network: Network) -> None:
        rows = _rows_of(network)
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def show_activities(self, activities: Activities) -> None:
        """Shows how active the layers are; those that are unknown are as before any training."""
        for row in self._rows:
            row.activity = activities.get(row.node.id) if row.node is not None else None
        if self._rows:
            self.dataChanged.emit(self.index(0), self.index(len(self._rows) - 1))

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(row.node.id for row in self._rows if row.node is not None)

    def row_of(self, layer: str | None) -> int | None:
        """The row of a layer."""
        return next(
            (n for n, row in enumerate(self._rows) if row.node is not None and row.node.id == layer), None
        )

    def at(self, row: int) -> _Row:
        return self._rows[row]

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # Qt's signature
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        row = self._rows[index.row()]
        if role == _NODE:
            return row
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tooltip(f"{row.title}, {row.output}. {row.details}")
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return screen_reader_text(f"{row.title}, {row.output}, {row.details}")
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        if index.isValid() and self._rows[index.row()].node is None:
            return Qt.ItemFlag.ItemNeverHasChildren
        return super().flags(index)


def _rows_of(network: Network) -> list[_Row]:
    analysis = analyze(network)
    if not network.nodes:
        return []
    image = network.input
    rows = [_Row(None, 0, _compact(str(image)), f"image, {pluralize(image.channels, 'channel')}")]

    def add(nodes: tuple[Node, ...], depth: int) -> None:
        for node in nodes:
            if node.enabled:
                output = analysis[node.id].output
                shape = _compact(str(output)) if output is not None else ""
                rows.append(_Row(node, depth, shape, node.layer.summary()))
                add(node.children, depth + 1)

    add(network.nodes, 0)
    rows[-1].is_last = rows[-1].node is not None and not rows[-1].depth
    return rows


def _compact(shape: str) -> str:
    """`64×13×13`: without blanks, for a slim list."""
    return shape.replace(" ", "")


class StripDelegate(QStyledItemDelegate):
    """Paints a row, or only its icon where the list is folded to a rail."""

    def __init__(self, view: QWidget, *, is_rail: bool) -> None:
        super().__init__(view)
        self._view = view
        self._is_rail = is_rail
        self._strong = TextMetrics(theme().font("strong"))
        self._small = TextMetrics(theme().font("axis"))
        self._digits = TextMetrics(theme().monospace("axis"))

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, RAIL_ROW_HEIGHT if self._is_rail else ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row = index.data(_NODE)
        assert isinstance(row, _Row)
        rect, state, states = option.rect, option.state, QStyle.StateFlag
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        # A scroll bar takes a third of a rail: stripe and icon stay in the middle of what it leaves.
        space = (rect.width() - _RAIL_CONTENT) // 2
        margin = max(1, min(_MARGIN, space - 4)) if self._is_rail else _MARGIN
        ground = QRectF(rect).adjusted(margin, 1, -margin, -1)
        if state & states.State_Selected:
            painter.setPen(QPen(theme().color("accent"), 2 if state & states.State_HasFocus else 1))
            painter.setBrush(theme().color("selection"))
            painter.drawRoundedRect(ground, 6, 6)
        elif state & states.State_MouseOver and row.node is not None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().color("grid"))
            painter.drawRoundedRect(ground, 6, 6)
        indent = 0 if self._is_rail else min(row.depth * _INDENT, _MAX_INDENT)
        left = rect.left() + (space - _STRIPE_LEFT if self._is_rail else indent)
        painter.fillRect(left + _STRIPE_LEFT, rect.top() + 8, 3, rect.height() - 16, theme().color(row.token))
        ratio = self._view.devicePixelRatioF()
        icon = theme().pixmap(row.icon, row.token, 17, ratio)
        painter.drawPixmap(left + _ICON_LEFT, round(rect.top() + rect.height() / 2 - 8.5), icon)
        if not self._is_rail:
            self._paint_texts(painter, rect.adjusted(indent, 0, 0, 0), row)
        painter.restore()

    def _paint_texts(self, painter: QPainter, rect: QRect, row: _Row) -> None:
        left, right = rect.left() + _TEXT_LEFT, rect.right() - _RIGHT
        first, second = rect.top() + 16.0, rect.top() + 34.0
        painter.setPen(theme().color("text"))
        painter.setFont(self._digits.font)
        width = self._digits.width(row.output)
        painter.drawText(right - width, self._digits.baseline(first), row.output)
        painter.setFont(self._strong.font)
        title = self._elided_title(plain_line(row.title), right - width - 8 - left)
        painter.drawText(left, self._strong.baseline(first), title)
        if row.activity is not None and not row.is_last:
            left = self._paint_bar(painter, left, right, second, row)
        painter.setPen(theme().color("secondary"))
        painter.setFont(self._small.font)
        painter.drawText(left, self._small.baseline(second), self._small.elided(row.details, right - left))

    def _elided_title(self, title: str, width: int) -> str:
        """`Inverte… 12` of `Inverted bottleneck 12`: the number tells it from its neighbors."""
        name, _, number = title.rpartition(" ")
        room = width - self._strong.width(f" {number}")
        has_room = room >= self._strong.width(f"{name[:_LEAST_HEAD]}…")
        if self._strong.width(title) <= width or not (name and number.isdecimal() and has_room):
            return self._strong.elided(title, width)
        return f"{self._strong.elided(name, room)} {number}"

    def _paint_bar(self, painter: QPainter, left: int, right: int, middle: float, row: _Row) -> int:
        """The share of active values; returns where the text begins, which has all the room that it needs."""
        assert row.activity is not None
        usual = _SHORT_BAR_WIDTH if row.activity.dead else _BAR_WIDTH
        whole = min(usual, right - left - 8 - self._small.width(row.details))
        if whole < _LEAST_BAR:
            return left
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color("grid"))
        painter.drawRoundedRect(QRectF(left, middle - 2, whole, 4), 2, 2)
        filled = whole * row.activity.share
        if filled > 0:
            painter.setBrush(theme().color(row.token))
            painter.drawRoundedRect(QRectF(left, middle - 2, max(filled, 4), 4), 2, 2)
        return left + whole + 8
