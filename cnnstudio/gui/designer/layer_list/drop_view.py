"""A tree view with drag and drop of layers, and a line that marks where a drop lands."""

from __future__ import annotations

import sys

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractItemView, QTreeView

from cnnstudio.design import edits
from cnnstudio.design.network import Place
from cnnstudio.gui.designer import commands
from cnnstudio.gui.designer.drag_pixmap import start_drag
from cnnstudio.gui.designer.layer_list.drop_target import (
    DropTarget,
    drop_target,
    group_label,
    paint_drop_error,
    paint_drop_target,
)
from cnnstudio.gui.designer.layer_list.layer_model import LayerModel
from cnnstudio.gui.document.project import Project

_COPY, _MOVE = Qt.DropAction.CopyAction, Qt.DropAction.MoveAction
_MODIFIERS = Qt.KeyboardModifier
_COPY_MODIFIER = _MODIFIERS.AltModifier if sys.platform == "darwin" else _MODIFIERS.ControlModifier


class DropView(QTreeView):
    """Decides where a drop lands; the model carries it out. Qt's drop indicator and row removal are off."""

    def __init__(self, project: Project, model: LayerModel) -> None:
        super().__init__()
        self._project = project
        self._model = model
        self._target: DropTarget | None = None
        self._drop_error: str | None = None
        self._checked: tuple[Place, Qt.DropAction] | None = None
        """The place and action for which `drop_error` was last computed."""
        self._mouse = QPoint()
        self.setModel(model)
        self.setDragEnabled(True)
        self.setAcceptDrops(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragDrop)
        self.setDefaultDropAction(_MOVE)
        self.setDropIndicatorShown(False)
        self.setAutoExpandDelay(700)

    @property
    def drop_target(self) -> DropTarget | None:
        """Where the layers being dragged over the list would land; None if no drag is over it."""
        return self._target

    @property
    def drop_error(self) -> str | None:
        """Why they cannot be dropped there; None if they can."""
        return self._drop_error

    def startDrag(self, supported_actions: Qt.DropAction) -> None:
        nodes = edits.outermost(self._project.network, self._project.selection)
        if nodes:
            data = self._model.mimeData([self._model.index_of(node.id) for node in nodes])
            # QTreeView.startDrag would remove the rows after a move; here the drop itself moves them.
            start_drag(self, data, nodes, supported_actions)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasFormat(commands.MIME):
            self.setState(QAbstractItemView.State.DraggingState)
            self._checked = None
            self._update_drop(event)
            # Qt sends dragLeaveEvent only to widgets that accepted dragEnterEvent.
            event.accept()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        # Scrolls near the edges and expands a collapsed group on which the mouse rests.
        super().dragMoveEvent(event)
        self._update_drop(event)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        super().dragLeaveEvent(event)
        self._show_target(None, None)

    def dropEvent(self, event: QDropEvent) -> None:
        action = self._action(event)
        target = drop_target(self, self._model, self._project.network, event.position().toPoint())
        # Ends the scrolling near the edges.
        super().dragLeaveEvent(QDragLeaveEvent())
        self._show_target(None, None)
        if self._model.drop(event.mimeData(), action, target.place):
            event.setDropAction(action)
            event.accept()
        else:
            event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._target is not None:
            painter = QPainter(self.viewport())
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            if self._drop_error is None:
                label = group_label(self._project.network, self._target.place)
                paint_drop_target(painter, self._target, self.viewport().width(), label)
            else:
                paint_drop_error(painter, self._drop_error, self._mouse, self.viewport().rect())
            painter.end()

    def _update_drop(self, event: QDragMoveEvent) -> None:
        """Shows what a drop here would do, and accepts or rejects it."""
        if not event.mimeData().hasFormat(commands.MIME):
            event.ignore()
            return
        action = self._action(event)
        self._mouse = event.position().toPoint()
        target = drop_target(self, self._model, self._project.network, self._mouse)
        drop_error = self._drop_error
        # The check edits a copy of the network, and moves within one row come many times a second.
        if (target.place, action) != self._checked:
            self._checked = (target.place, action)
            drop_error = self._model.drop_error(event.mimeData(), action, target.place)
        self._show_target(target, drop_error)
        if drop_error is None:
            event.setDropAction(action)
            event.accept()
        else:
            event.ignore()

    def _action(self, event: QDropEvent) -> Qt.DropAction:
        """Layers of this list move, unless the copy modifier is held; all others are copied."""
        may_move = bool(event.possibleActions() & _MOVE) and not event.modifiers() & _COPY_MODIFIER
        return _MOVE if may_move and self._model.moving_ids(event.mimeData(), _MOVE) else _COPY

    def _show_target(self, target: DropTarget | None, drop_error: str | None) -> None:
        self._target, self._drop_error = target, drop_error
        self.viewport().update()
