"""The layers as Qt's item model: it shows what the project has; drops and new names become commands."""

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
from cnnstudio.gui.designer.inspector.receptive_field_text import field_sentence
from cnnstudio.gui.designer.layer_list.row_content import spoken_row
from cnnstudio.gui.designer.layer_list.rows import INPUT, ROOT, Insert, Move, Rows, Step, changed_nodes, steps
from cnnstudio.gui.document.project import Project

Index = QModelIndex | QPersistentModelIndex

ORIGIN_MIME = "application/x-cnnstudio-origin+json"
"""Beside the layers of a drag: from which model they come, and their ids there. A drop in it moves them."""

_NOWHERE = QModelIndex()

_INPUT_FLAGS = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren
_GROUP_FLAGS = (
    Qt.ItemFlag.ItemIsEnabled
    | Qt.ItemFlag.ItemIsSelectable
    | Qt.ItemFlag.ItemIsDragEnabled
    | Qt.ItemFlag.ItemIsEditable
    | Qt.ItemFlag.ItemIsDropEnabled
)
_LAYER_FLAGS = (_GROUP_FLAGS & ~Qt.ItemFlag.ItemIsDropEnabled) | Qt.ItemFlag.ItemNeverHasChildren
"""Qt asks for each row of a long list several times a frame, so these are not put together each time."""


_MOST_ANNOUNCED = 100
"""Rows of another content, of which Qt tells screen readers. More of them are another design."""


class LayerModel(QAbstractItemModel):
    """A row for the input, then the layers; what is in a group stands below it. There is no `removeRows`."""

    changing = Signal()
    """Rows are about to come, go and move, but all still stand where they stood."""

    def __init__(self, project: Project, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._project = project
        self._token = uuid.uuid4().hex
        self._rows = Rows()
        self._children, self._parents, self._places = (
            self._rows.children,
            self._rows.parents,
            self._rows.places,
        )
        self._flags = {ROOT: Qt.ItemFlag.ItemIsDropEnabled, INPUT: _INPUT_FLAGS}
        self.is_changing = False
        """While rows come and go Qt moves the selection by itself; that is not the user's doing."""
        self._network: Network | None = None
        self._follow()
        project.network_changed.connect(self._follow)
        project.dataset_changed.connect(self._on_dataset_changed)

    # What stands where. Qt asks these for each row several times a frame, so they read tables and do no more.
    # An index that is not valid, Qt's word for what is above all rows, has the number 0, which is ROOT.

    def index(self, row: int, column: int, parent: Index = _NOWHERE) -> QModelIndex:
        siblings = self._children.get(parent.internalId(), ())
        if 0 <= row < len(siblings) and column == 0:
            return self.createIndex(row, 0, siblings[row])
        return QModelIndex()

    def parent(self, index: Index) -> QModelIndex:  # type: ignore[override]  # QObject.parent() is another function
        number = self._parents.get(index.internalId(), ROOT)
        return QModelIndex() if number == ROOT else self.createIndex(self._places[number], 0, number)

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        return len(self._children.get(parent.internalId(), ()))

    def columnCount(self, parent: Index = _NOWHERE) -> int:
        return 1

    def hasChildren(self, parent: Index = _NOWHERE) -> bool:
        return bool(self._children.get(parent.internalId()))

    def flags(self, index: Index) -> Qt.ItemFlag:
        return self._flags[index.internalId()]

    def node_id(self, index: Index) -> str | None:
        """The id of the layer in a row; None for the input's and for no row."""
        return (self._rows.ids[index.internalId()] or None) if index.isValid() else None

    def index_of(self, node_id: str) -> QModelIndex:
        """The row of a layer; an invalid index where it has none."""
        return self._index(self._rows.numbers[node_id]) if node_id in self._rows else QModelIndex()

    def input_index(self) -> QModelIndex:
        """The row of the input."""
        return self._index(INPUT)

    def report(self, index: Index) -> LayerReport | None:
        """What is known of the layer in a row; None for the input's row."""
        node_id = self.node_id(index)
        return None if node_id is None else self._project.analysis.by_id.get(node_id)

    # What a row says; how it looks is the view's

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        report = self.report(index)
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.EditRole:
                return "Input" if report is None else report.node.title
            case Qt.ItemDataRole.ToolTipRole:
                return self._tool_tip(report)
            case Qt.ItemDataRole.AccessibleTextRole:
                return spoken_row(self._project, report)
            case Qt.ItemDataRole.AccessibleDescriptionRole:
                return "" if report is None else self._description(report)
            case Qt.ItemDataRole.UserRole:
                return self.node_id(index)
        return None

    def _tool_tip(self, report: LayerReport | None) -> str:
        if report is None:
            return "What goes into the network: one image"
        if report.problem is not None:
            return f"{report.problem.sentence}."
        total = self._project.analysis.parameters
        share = f"\n{report.parameters / total:.1%} of all parameters" if report.parameters and total else ""
        return f"{self._description(report)}{share}"

    def _description(self, report: LayerReport) -> str:
        field = field_sentence(report, self._project.network.input)
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
        return self.refusal(data, action, self.place(row, parent)) is None

    def dropMimeData(
        self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: Index
    ) -> bool:
        return self.drop(data, action, self.place(row, parent))

    def place(self, row: int, parent: Index) -> Place:
        """The place that Qt means by a row of a parent; a negative row is "on the parent itself"."""
        node_id = self.node_id(parent)
        network = self._project.network
        if node_id is None:
            if parent.isValid():
                return Place(None, 0)
            return Place(None, len(network.nodes) if row < 0 else max(row - 1, 0))
        node = network.node(node_id)
        if node.is_group:
            return Place(node_id, len(node.children) if row < 0 else row)
        place = network.place(node_id)
        return Place(place.parent, place.index + 1)

    def drop(self, data: QMimeData, action: Qt.DropAction, place: Place) -> bool:
        """Moves the layers of a drag of this model, unless `action` is a copy; adds those of any other."""
        return self._project.attempt(lambda: self._drop(data, action, place))

    def _drop(self, data: QMimeData, action: Qt.DropAction, place: Place) -> None:
        moving = self.moving_ids(data, action)
        if moving:
            commands.move(self._project, moving, place)
        else:
            commands.bring(self._project, data, place)

    def refusal(self, data: QMimeData, action: Qt.DropAction, place: Place) -> str | None:
        """Why `drop` would not be possible, in words; None where it is."""
        if not data.hasFormat(commands.MIME):
            return "only layers can be dropped here"
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
        """The layers of this very model that a drop would move; none where it adds copies."""
        if action == Qt.DropAction.CopyAction or not data.hasFormat(ORIGIN_MIME):
            return []
        origin = json.loads(bytes(data.data(ORIGIN_MIME).data()))
        if origin["model"] != self._token:
            return []
        return [node_id for node_id in origin["ids"] if node_id in self._project.network]

    # Following the project

    def _follow(self, *_: object) -> None:
        before, self._network = self._network, self._project.network
        changed = list(changed_nodes(self._network, before))
        # Every row shows a share of the total, so that the view paints all of them anew anyway.
        stay = [node.id for node in changed if node.id in self._rows]
        for node in changed:
            self._flags[self._rows.number(node.id)] = _GROUP_FLAGS if node.is_group else _LAYER_FLAGS
        self.changing.emit()
        self.is_changing = True
        for step in steps(self._rows, self._network, changed):
            self._apply(step)
        for node_id in stay[:_MOST_ANNOUNCED]:
            index = self.index_of(node_id)
            self.dataChanged.emit(index, index)
        self.is_changing = False

    def _on_dataset_changed(self, _: object) -> None:
        self.dataChanged.emit(self.input_index(), self.input_index())

    def _apply(self, step: Step) -> None:
        if isinstance(step, Insert):
            last = step.row + len(step.nodes) - 1
            self.beginInsertRows(self._index(step.parent), step.row, last)
            self._rows.apply(step)
            self.endInsertRows()
        elif isinstance(step, Move):
            source, row = self._parents[step.number], self._places[step.number]
            self.beginMoveRows(self._index(source), row, row, self._index(step.parent), step.row)
            self._rows.apply(step)
            self.endMoveRows()
        else:
            self.beginRemoveRows(self._index(step.parent), step.first, step.last)
            self._rows.apply(step)
            self.endRemoveRows()

    def _index(self, number: int) -> QModelIndex:
        return QModelIndex() if number == ROOT else self.createIndex(self._places[number], 0, number)
