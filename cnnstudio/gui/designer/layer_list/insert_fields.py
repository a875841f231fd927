"""The two fields in which layers are typed, and the line in the list that marks where they will go."""

from __future__ import annotations

from PySide6.QtCore import QObject, QPoint
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QLineEdit, QTreeView

from cnnstudio.gui.designer.layer_list.drop_target import (
    DropTarget,
    group_label,
    paint_drop_target,
    target_at_place,
)
from cnnstudio.gui.designer.layer_list.layer_model import LayerModel
from cnnstudio.gui.designer.layer_list.quick_insert import QuickInsert
from cnnstudio.gui.designer.layer_list.row_painter import INDENT, TITLE_LEFT
from cnnstudio.gui.document.project import Project


class InsertFields(QObject):
    """A field that stands at the foot of the list, and one that opens where its layers will go."""

    def __init__(self, view: QTreeView, model: LayerModel, project: Project) -> None:
        super().__init__(view)
        self._view = view
        self._model = model
        self._project = project
        self._at_foot = QuickInsert(project, view, is_inline=True)
        self._at_row = QuickInsert(project, view)
        for insert in (self._at_foot, self._at_row):
            insert.geometry_changed.connect(self.reposition)
            insert.closed.connect(view.viewport().update)
        view.verticalScrollBar().valueChanged.connect(self.reposition)

    @property
    def foot_field(self) -> QLineEdit:
        """The field to be shown at the foot."""
        return self._at_foot.field

    def open(self, text: str = "") -> None:
        """Opens the field below the selection, with `text` already entered."""
        self._at_row.open(self._view.window(), text)

    def reposition(self, *_: object) -> None:
        """Places an open field and its card; the line that marks where the layers will go stays in sight."""
        insert = self._open_one
        if insert is None:
            return
        target, scroll_bar = self._target(insert), self._view.verticalScrollBar()
        hidden = target.y + 12 - self._view.viewport().height()
        if hidden > 0 and scroll_bar.value() < scroll_bar.maximum():
            # Scrolling calls this method again, unless the list is scrolled to its end.
            scroll_bar.setValue(scroll_bar.value() + hidden)
            return
        if insert.is_inline:
            insert.move_to_field()
        else:
            viewport, left = self._view.viewport(), target.depth * INDENT + TITLE_LEFT - 27
            corner = viewport.mapTo(self._view.window(), QPoint(left, target.y + 8))
            insert.move_to(corner, viewport.width() - left - 12)
        self._view.viewport().update()

    def paint(self, painter: QPainter) -> None:
        """Paints the line while one of the fields is open."""
        insert = self._open_one
        if insert is not None:
            target = self._target(insert)
            label = group_label(self._project.network, target.place)
            paint_drop_target(painter, target, self._view.viewport().width(), label)

    @property
    def _open_one(self) -> QuickInsert | None:
        return next((insert for insert in (self._at_row, self._at_foot) if insert.is_open), None)

    def _target(self, insert: QuickInsert) -> DropTarget:
        return target_at_place(self._view, self._model, self._project.network, insert.place)
