"""A tree view that layers are dragged out of and dropped into, with a line where they land."""

from __future__ import annotations

import sys

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractItemView, QTreeView

from cnnstudio.design import edits
from cnnstudio.design.network import Place
from cnnstudio.gui.designer import commands
from cnnstudio.gui.designer.drag_pixmap import drag
from cnnstudio.gui.designer.layer_list.drop_target import (
    DropTarget,
    drop_target,
    paint_refusal,
    paint_target,
    words_for,
)
from cnnstudio.gui.designer.layer_list.layer_model import LayerModel
from cnnstudio.gui.document.project import Project

_COPY, _MOVE = Qt.DropAction.CopyAction, Qt.DropAction.MoveAction
_KEYS = Qt.KeyboardModifier
_COPY_KEY = _KEYS.AltModifier if sys.platform == "darwin" else _KEYS.ControlModifier


class DropView(QTreeView):
    """Drops are decided here and carried out by the model; Qt's own indicator and removal of rows are off."""

    def __init__(self, project: Project, model: LayerModel) -> None:
        super().__init__()
        self._project = project
        self._model = model
        self._target: DropTarget | None = None
        self._refusal: str | None = None
        self._asked: tuple[Place, Qt.DropAction] | None = None
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
        """Where the layers would land that are being dragged over the list."""
        return self._target

    @property
    def drop_refusal(self) -> str | None:
        """Why they cannot land there."""
        return self._refusal

    def startDrag(self, supported_actions: Qt.DropAction) -> None:
        nodes = edits.outermost(self._project.network, self._project.selection)
        if nodes:
            data = self._model.mimeData([self._model.index_of(node.id) for node in nodes])
            # Qt's own version would remove the rows after a move; here the drop itself is the move.
            drag(self, data, nodes, supported_actions)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasFormat(commands.MIME):
            self.setState(QAbstractItemView.State.DraggingState)
            self._asked = None
            self._consider(event)
            # Leaving is only reported to those who accepted to be entered.
            event.accept()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        # Scrolls at the edges, and opens a closed group over which the mouse waits.
        super().dragMoveEvent(event)
        self._consider(event)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        super().dragLeaveEvent(event)
        self._show_target(None, None)

    def dropEvent(self, event: QDropEvent) -> None:
        action = self._action(event)
        target = drop_target(self, self._model, self._project.network, event.position().toPoint())
        # Ends Qt's scrolling at the edges.
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
            if self._refusal is None:
                words = words_for(self._project.network, self._target.place)
                paint_target(painter, self._target, self.viewport().width(), words)
            else:
                paint_refusal(painter, self._refusal, self._mouse, self.viewport().rect())
            painter.end()

    def _consider(self, event: QDragMoveEvent) -> None:
        """Shows what a drop here would do, and tells the drag whether it may."""
        if not event.mimeData().hasFormat(commands.MIME):
            event.ignore()
            return
        action = self._action(event)
        self._mouse = event.position().toPoint()
        target = drop_target(self, self._model, self._project.network, self._mouse)
        refusal = self._refusal
        if (target.place, action) != self._asked:
            self._asked = (target.place, action)
            refusal = self._model.refusal(event.mimeData(), action, target.place)
        self._show_target(target, refusal)
        if refusal is None:
            event.setDropAction(action)
            event.accept()
        else:
            event.ignore()

    def _action(self, event: QDropEvent) -> Qt.DropAction:
        """Own layers move, unless the user holds the key for a copy; all others are copies."""
        may_move = bool(event.possibleActions() & _MOVE) and not event.modifiers() & _COPY_KEY
        return _MOVE if may_move and self._model.moving_ids(event.mimeData(), _MOVE) else _COPY

    def _show_target(self, target: DropTarget | None, refusal: str | None) -> None:
        self._target, self._refusal = target, refusal
        self.viewport().update()
