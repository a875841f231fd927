"""The slim list of the layers of the run on show, on the pages that look at a run."""

from __future__ import annotations

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFocusEvent, QHideEvent, QPainter, QPaintEvent, QPen, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from cnnstudio.core.formatting import format_count, pluralize, screen_reader_text
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.network import Network, Node
from cnnstudio.gui.pages.panel_parts import PanelFoot, PanelHead, fill
from cnnstudio.gui.runs.activity import Activities, ActivityLoader, LayerActivity
from cnnstudio.gui.runs.shown_run import ShownRun
from cnnstudio.gui.theme.text_metrics import TextMetrics
from cnnstudio.gui.theme.theme import family_token, theme
from cnnstudio.gui.widgets.canvas.marks import paint_focus
from cnnstudio.gui.widgets.icon_button import IconButton
from cnnstudio.gui.widgets.labels import Label, Panel
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip
from cnnstudio.layers.catalog import snake_case

WIDTH, RAIL_WIDTH = 240, 48
ROW_HEIGHT, RAIL_ROW_HEIGHT = 48, 36
_STRIPE_LEFT, _ICON_LEFT, _TEXT_LEFT, _RIGHT = 12, 23, 48, 12
_INDENT, _MAX_INDENT = 10, 40
_RAIL_SHIFT = 3
_BAR_WIDTH, _SHORT_BAR_WIDTH = 72, 40
"""The short one leaves room for the number of dead units."""
_NODE = Qt.ItemDataRole.UserRole
_BARS = "Bars: share of values above 0, over the example images"
_NOT_TRAINED = "Not trained yet: bars will show how active each layer is"

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
        self.beginResetModel()
        self._rows = _rows_of(network)
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


class _Delegate(QStyledItemDelegate):
    def __init__(self, view: StripView) -> None:
        super().__init__(view)
        self._view = view
        self._strong = TextMetrics(theme().font("strong"))
        self._small = TextMetrics(theme().font("axis"))
        self._digits = TextMetrics(theme().monospace("axis"))

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, RAIL_ROW_HEIGHT if self._view.is_rail else ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row = index.data(_NODE)
        assert isinstance(row, _Row)
        rect, state, states = option.rect, option.state, QStyle.StateFlag
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = QRectF(rect).adjusted(5, 1, -5, -1)
        if state & states.State_Selected:
            painter.setPen(QPen(theme().color("accent"), 2 if state & states.State_HasFocus else 1))
            painter.setBrush(theme().color("selection"))
            painter.drawRoundedRect(ground, 6, 6)
        elif state & states.State_MouseOver and row.node is not None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().color("grid"))
            painter.drawRoundedRect(ground, 6, 6)
        indent = 0 if self._view.is_rail else min(row.depth * _INDENT, _MAX_INDENT)
        left = rect.left() + indent - (_RAIL_SHIFT if self._view.is_rail else 0)
        painter.fillRect(left + _STRIPE_LEFT, rect.top() + 8, 3, rect.height() - 16, theme().color(row.token))
        ratio = self._view.devicePixelRatioF()
        icon = theme().pixmap(row.icon, row.token, 17, ratio)
        painter.drawPixmap(left + _ICON_LEFT, round(rect.top() + rect.height() / 2 - 8.5), icon)
        if not self._view.is_rail:
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
        title = self._strong.elided(plain_line(row.title), right - width - 8 - left)
        painter.drawText(left, self._strong.baseline(first), title)
        if row.activity is not None and not row.is_last:
            left = self._paint_bar(painter, left, second, row)
        painter.setPen(theme().color("secondary"))
        painter.setFont(self._small.font)
        painter.drawText(left, self._small.baseline(second), self._small.elided(row.details, right - left))

    def _paint_bar(self, painter: QPainter, left: int, middle: float, row: _Row) -> int:
        """The share of active values; returns where the text begins."""
        assert row.activity is not None
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color("grid"))
        whole = _SHORT_BAR_WIDTH if row.activity.dead else _BAR_WIDTH
        painter.drawRoundedRect(QRectF(left, middle - 2, whole, 4), 2, 2)
        filled = whole * row.activity.share
        if filled > 0:
            painter.setBrush(theme().color(row.token))
            painter.drawRoundedRect(QRectF(left, middle - 2, max(filled, 4), 4), 2, 2)
        return left + whole + 8


class StripView(QListView):
    """The rows; choosing one chooses the layer for all views."""

    def __init__(self, model: StripModel) -> None:
        super().__init__()
        self.is_rail = False
        self.setModel(model)
        self.setAccessibleName("Layers of the run on show")
        self.setMouseTracking(True)
        self.setUniformItemSizes(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._restyle()
        theme().changed.connect(self._restyle)

    def set_rail(self, is_rail: bool) -> None:
        self.is_rail = is_rail
        self._restyle()

    def focusInEvent(self, event: QFocusEvent) -> None:
        # Qt makes the first row the current one if there is none: that would choose a layer for all views.
        has_current = self.currentIndex().isValid()
        blocked = self.selectionModel().blockSignals(not has_current)
        super().focusInEvent(event)
        if not has_current:
            self.selectionModel().clearCurrentIndex()
        self.selectionModel().blockSignals(blocked)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        first = self.visualRect(self.model().index(0, 0))
        if self.hasFocus() and not self.currentIndex().isValid() and not first.isEmpty():
            # No layer is chosen: the arrow keys start here.
            painter = QPainter(self.viewport())
            paint_focus(painter, QRectF(first).adjusted(5, 1, -5, -1))
            painter.end()

    def _restyle(self, *_: object) -> None:
        # A new delegate: the view asks for the heights of the rows again.
        self.setItemDelegate(_Delegate(self))
        self.scheduleDelayedItemsLayout()


class LayerStrip(Panel):
    """The layers with how active they are, or only their icons where the panel is folded to a rail."""

    rail_changed = Signal(object)
    """Whether the user folded it."""

    def __init__(self, shown: ShownRun) -> None:
        super().__init__("layerStrip")
        self._shown = shown
        self._model = StripModel()
        self._network: Network | None = None
        self._is_rail = False
        self._loader = ActivityLoader(self)
        self.view = StripView(self._model)
        self._chevron = IconButton("stripFold", "previous", "Fold the list of layers")
        self._head = PanelHead("", self._chevron)
        self._note = Label(_BARS, "axis", "secondary", wrap=True)
        self._foot = PanelFoot(self._note)
        fill(self, self._head, self.view, self._foot, hero=self.view)
        self._chevron.clicked.connect(lambda: self._on_folded(not self._is_rail))
        self.view.selectionModel().currentChanged.connect(self._on_current_changed)
        self._loader.loaded.connect(self._on_loaded)
        cursor = shown.cursor
        shown.network_changed.connect(self._on_run_changed)
        cursor.epoch_changed.connect(self._load)
        shown.saved_changed.connect(self._load)
        shown.selection.layer_changed.connect(self._show_layer)
        self.focus_target = self.view
        self._apply_rail()

    @property
    def is_rail(self) -> bool:
        return self._is_rail

    def set_rail(self, is_rail: bool) -> None:
        """Folds it to a rail of icons, or unfolds it."""
        if is_rail != self._is_rail:
            self._is_rail = is_rail
            self._apply_rail()

    def _on_folded(self, is_rail: bool) -> None:
        self.set_rail(is_rail)
        self.rail_changed.emit(is_rail)

    def _apply_rail(self) -> None:
        rail = self._is_rail
        self._head.title.setVisible(not rail)
        self._head.secondary.setVisible(not rail)
        self._foot.setVisible(not rail)
        layout = self._head.layout()
        assert layout is not None
        layout.setContentsMargins(11 if rail else 16, 0, 11 if rail else 12, 0)
        self._chevron.show_icon(
            "next" if rail else "previous", "Unfold the list of layers" if rail else "Fold the list of layers"
        )
        self.view.set_rail(rail)
        if rail:
            self.setFixedWidth(RAIL_WIDTH)
        else:
            self.setMinimumWidth(180)
            self.setMaximumWidth(420)

    def sizeHint(self) -> QSize:
        return QSize(RAIL_WIDTH if self._is_rail else WIDTH, 400)

    # What it shows

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._on_run_changed()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._loader.cancel()

    def _on_run_changed(self) -> None:
        if not self.isVisible():
            return
        network = self._shown.network
        if network is not self._network:
            self._network = network
            self._model.show_network(network)
            self._head.title.setText(plain_line(network.name, 60) if network.nodes else "Layers")
        self._note.setText(_BARS if self._shown.record.network.nodes else _NOT_TRAINED)
        self._show_layer(self._shown.selection.layer)
        self._load()

    def _load(self, *_: object) -> None:
        moment = self._shown.cursor.moment
        if not self.isVisible():
            return
        if moment.folder is None:
            self._model.show_activities({})
        else:
            self._loader.load(moment.folder, moment.epoch, self._model.layers)

    def _on_loaded(self, epoch: object, activities: object) -> None:
        assert isinstance(activities, dict)
        self._model.show_activities(activities)

    def _show_layer(self, layer: object) -> None:
        row = self._model.row_of(layer if isinstance(layer, str) else None)
        if row is None:
            self.view.clearSelection()
        elif self.view.currentIndex().row() != row or not self.view.selectionModel().hasSelection():
            self.view.setCurrentIndex(self._model.index(row))

    def _on_current_changed(self, current: QModelIndex, _: QModelIndex) -> None:
        if current.isValid():
            node = self._model.at(current.row()).node
            if node is not None:
                self._shown.selection.choose_layer(node.id)
