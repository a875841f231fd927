"""The layers as a Qt item model: it presents the project's network; drops and renames become commands."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractItemModel,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
)

from cnnstudio.core.errors import UserError
from cnnstudio.design import edits
from cnnstudio.design.analysis.analysis import LayerReport
from cnnstudio.design.network import Network, Place
from cnnstudio.gui.designer import commands
from cnnstudio.gui.designer.inspector.receptive_field_text import receptive_field_text
from cnnstudio.gui.designer.layer_list.row_content import accessible_row_text
from cnnstudio.gui.designer.layer_list.rows import (
    INPUT,
    ROOT,
    Insert,
    Move,
    RowChange,
    Rows,
    changed_nodes,
    row_changes,
)
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.plain_text import plain_tooltip

Index = QModelIndex | QPersistentModelIndex

ORIGIN_MIME = "application/x-cnnstudio-origin+json"
"""Sent with the layers of a drag: the model they come from, and their ids there. A drop in it moves them."""

_ROOT_INDEX = QModelIndex()

_INPUT_FLAGS = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren
_GROUP_FLAGS = (
    Qt.ItemFlag.ItemIsEnabled
    | Qt.ItemFlag.ItemIsSelectable
    | Qt.ItemFlag.ItemIsDragEnabled
    | Qt.ItemFlag.ItemIsEditable
    | Qt.ItemFlag.ItemIsDropEnabled
)
_LAYER_FLAGS = (_GROUP_FLAGS & ~Qt.ItemFlag.ItemIsDropEnabled) | Qt.ItemFlag.ItemNeverHasChildren
"""Constants, as Qt asks for the flags of each row of a long list several times per frame."""

_MAX_ANNOUNCED = 100
"""Changed rows that are announced to screen readers one by one; more than that is a different design."""


class LayerModel(QAbstractItemModel):
    """A row for the input, then one per layer; the layers of a group are its child rows.

    Without `removeRows`: Qt would call it after a drag that moves rows, and remove what the drop has moved.
    """

    changing = Signal()
    """Rows are about to be inserted, removed and moved; all are still where they were."""

    def __init__(self, project: Project, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._project = project
        # Tells layers of this model from those of another window, or another process, with the same ids.
        self._token = uuid.uuid4().hex
        self._rows = Rows()
        # The dictionaries themselves, which `Rows` changes but never replaces: one attribute lookup less in
        # methods that Qt calls thousands of times per frame.
        self._children, self._parents, self._places = (
            self._rows.children,
            self._rows.parents,
            self._rows.places,
        )
        self._flags = {ROOT: Qt.ItemFlag.ItemIsDropEnabled, INPUT: _INPUT_FLAGS}
        self.is_changing = False
        """While rows change, Qt adjusts the selection by itself, which is not a choice of the user."""
        self._network: Network | None = None
        self._sync_rows()
        project.network_changed.connect(self._sync_rows)
        project.dataset_changed.connect(self._on_dataset_changed)

    # Structure. Qt calls these for each row several times per frame, so they only look up tables.
    # The invalid index, which for Qt is the root of the tree, has the internal id 0, and that is ROOT.

    def index(self, row: int, column: int, parent: Index = _ROOT_INDEX) -> QModelIndex:
        siblings = self._children.get(parent.internalId(), ())
        if 0 <= row < len(siblings) and column == 0:
            return self.createIndex(row, 0, siblings[row])
        return QModelIndex()

    def parent(self, index: Index) -> QModelIndex:  # type: ignore[override]  # QObject.parent() has another signature
        # ROOT has no entry: its parent is the invalid index, like the root itself.
        number = self._parents.get(index.internalId(), ROOT)
        return QModelIndex() if number == ROOT else self.createIndex(self._places[number], 0, number)

    def rowCount(self, parent: Index = _ROOT_INDEX) -> int:
        return len(self._children.get(parent.internalId(), ()))

    def columnCount(self, parent: Index = _ROOT_INDEX) -> int:
        return 1

    def hasChildren(self, parent: Index = _ROOT_INDEX) -> bool:
        return bool(self._children.get(parent.internalId()))

    def flags(self, index: Index) -> Qt.ItemFlag:
        return self._flags[index.internalId()]

    def node_id(self, index: Index) -> str | None:
        """The id of the layer in a row; None for the input row and the invalid index."""
        return (self._rows.ids[index.internalId()] or None) if index.isValid() else None

    def index_of(self, node_id: str) -> QModelIndex:
        """The index of a layer's row; the invalid index if it has none."""
        return self._index(self._rows.numbers[node_id]) if node_id in self._rows else QModelIndex()

    def input_index(self) -> QModelIndex:
        """The index of the input row."""
        return self._index(INPUT)

    def report(self, index: Index) -> LayerReport | None:
        """The analysis of the layer in a row; None for the input row."""
        node_id = self.node_id(index)
        return None if node_id is None else self._project.analysis.by_id.get(node_id)

    # Content. The view paints the rows itself; these serve tool tips, renaming and screen readers.

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        report = self.report(index)
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.EditRole:
                return "Input" if report is None else report.node.title
            case Qt.ItemDataRole.ToolTipRole:
                return plain_tooltip(self._tooltip(report))
            case Qt.ItemDataRole.AccessibleTextRole:
                return accessible_row_text(self._project, report)
            case Qt.ItemDataRole.AccessibleDescriptionRole:
                return "" if report is None else self._description(report)
            case Qt.ItemDataRole.UserRole:
                return self.node_id(index)
        return None

    def _tooltip(self, report: LayerReport | None) -> str:
        if report is None:
            return "The input of the network: one image"
        error = self._project.error_of(report)
        if error is not None:
            return f"{error.full_message}."
        analysis = self._project.analysis
        share = ""
        if report.parameters and analysis.has_known_costs:
            share = f"\n{report.parameters / analysis.parameters:.1%} of all parameters"
        return f"{self._description(report)}{share}"

    def _description(self, report: LayerReport) -> str:
        field = receptive_field_text(report, self._project.network.input)
        return f"{report.node.layer.description} {field}".strip()

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        node_id = self.node_id(index)
        if node_id is None or role != Qt.ItemDataRole.EditRole:
            return False
        commands.rename(self._project, node_id, str(value))
        return True

    # Drag and drop

    def supportedDropActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction | Qt.DropAction.CopyAction

    def supportedDragActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction | Qt.DropAction.CopyAction

    def mimeTypes(self) -> list[str]:
        return [commands.MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        ids = [node_id for node_id in map(self.node_id, indexes) if node_id is not None]
        nodes = edits.outermost(self._project.network, ids)
        data = commands.to_mime(nodes)
        origin = {"model": self._token, "ids": [node.id for node in nodes]}
        data.setData(ORIGIN_MIME, json.dumps(origin).encode())
        return data

    def canDropMimeData(
        self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: Index
    ) -> bool:
        return self.drop_error(data, action, self.place(row, parent)) is None

    def dropMimeData(
        self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: Index
    ) -> bool:
        return self.drop(data, action, self.place(row, parent))

    def place(self, row: int, parent: Index) -> Place:
        """The place that Qt denotes by a row of a parent; a negative row means on the parent itself."""
        node_id = self.node_id(parent)
        network = self._project.network
        if node_id is None:
            # On the input row: the first layer. Between top-level rows, `row` counts the input row, too.
            if parent.isValid():
                return Place(None, 0)
            return Place(None, len(network.nodes) if row < 0 else max(row - 1, 0))
        node = network.node(node_id)
        if node.is_group:
            return Place(node_id, len(node.children) if row < 0 else row)
        # A layer cannot contain layers, so a drop on it goes behind it.
        place = network.place(node_id)
        return Place(place.parent, place.index + 1)

    def drop(self, data: QMimeData, action: Qt.DropAction, place: Place) -> bool:
        """Moves layers dragged from this model, unless `action` is a copy; inserts those of other sources."""
        return self._project.run_command(lambda: self._drop(data, action, place))

    def _drop(self, data: QMimeData, action: Qt.DropAction, place: Place) -> None:
        moving = self.moving_ids(data, action)
        if moving:
            commands.move(self._project, moving, place)
        else:
            commands.insert_from_mime(self._project, data, place)

    def drop_error(self, data: QMimeData, action: Qt.DropAction, place: Place) -> str | None:
        """Why `drop` would fail, as a message for the user; None if it would not."""
        if not data.hasFormat(commands.MIME):
            return "only layers can be dropped here"
        # Tries the edit itself and drops the result: networks are values, so that costs nothing but time, and
        # the answer cannot differ from what `drop` does.
        try:
            moving = self.moving_ids(data, action)
            if moving:
                edits.move(self._project.network, moving, place)
            else:
                nodes = commands.nodes_from_mime(data, self._project.network)
                edits.insert(self._project.network, place, nodes)
        except UserError as error:
            return str(error)
        return None

    def moving_ids(self, data: QMimeData, action: Qt.DropAction) -> list[str]:
        """The ids of this model's layers that a drop would move; empty if it would insert copies."""
        if action == Qt.DropAction.CopyAction or not data.hasFormat(ORIGIN_MIME):
            return []
        origin = json.loads(bytes(data.data(ORIGIN_MIME).data()))
        if origin["model"] != self._token:
            return []
        # The network may have changed since the drag began, for example by a shortcut during it.
        return [node_id for node_id in origin["ids"] if node_id in self._project.network]

    # Synchronizing with the project

    def _sync_rows(self, *_: object) -> None:
        before, self._network = self._network, self._project.network
        changed = list(changed_nodes(self._network, before))
        # Every row shows a share of the total, so the view repaints all of them anyway.
        # Determined before the rows change: a row that is about to be inserted needs no dataChanged.
        kept = [node.id for node in changed if node.id in self._rows]
        # Before the rows as well: Qt asks for the flags of a new row as soon as the insertion ends.
        for node in changed:
            self._flags[self._rows.number(node.id)] = _GROUP_FLAGS if node.is_group else _LAYER_FLAGS
        self.changing.emit()
        self.is_changing = True
        for change in row_changes(self._rows, self._network, changed):
            self._apply(change)
        # Afterwards, because an index is valid only until the next structural change.
        for node_id in kept[:_MAX_ANNOUNCED]:
            index = self.index_of(node_id)
            self.dataChanged.emit(index, index)
        self.is_changing = False

    def _on_dataset_changed(self, _: object) -> None:
        self.dataChanged.emit(self.input_index(), self.input_index())

    # Qt reads the model on both sides of a change: in begin… the old rows, to find the persistent indexes
    # that move, and in end… the new ones. The tables must therefore change exactly in between, and one change
    # at a time.
    def _apply(self, change: RowChange) -> None:
        if isinstance(change, Insert):
            last = change.row + len(change.nodes) - 1
            self.beginInsertRows(self._index(change.parent), change.row, last)
            self._rows.apply(change)
            self.endInsertRows()
        elif isinstance(change, Move):
            source, row = self._parents[change.number], self._places[change.number]
            # Its result is not checked: `row_changes` yields no move that Qt refuses, onto or into the row
            # itself.
            self.beginMoveRows(self._index(source), row, row, self._index(change.parent), change.row)
            self._rows.apply(change)
            self.endMoveRows()
        else:
            self.beginRemoveRows(self._index(change.parent), change.first, change.last)
            self._rows.apply(change)
            self.endRemoveRows()

    def _index(self, number: int) -> QModelIndex:
        return QModelIndex() if number == ROOT else self.createIndex(self._places[number], 0, number)
