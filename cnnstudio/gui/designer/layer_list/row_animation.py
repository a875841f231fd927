"""Rows slide to their new places when layers are moved, so that the eye can follow them."""

from __future__ import annotations

from PySide6.QtCore import QEasingCurve, QObject, QPoint, QVariantAnimation, Signal
from PySide6.QtWidgets import QTreeView

from cnnstudio.gui.designer.layer_list.layer_model import LayerModel
from cnnstudio.gui.theme.motion import MOVE_MS, animations_enabled


class RowAnimation(QObject):
    """How far each row still is from its place while rows are sliding."""

    stepped = Signal()
    """The rows must be repainted."""

    def __init__(self, view: QTreeView, model: LayerModel) -> None:
        super().__init__(view)
        self._view = view
        self._before: dict[int, int] = {}
        self._has_moved = False
        self._offsets: dict[int, int] = {}
        self._remaining = 0.0
        self._animation = QVariantAnimation(self)
        self._animation.setStartValue(1.0)
        self._animation.setEndValue(0.0)
        self._animation.setDuration(MOVE_MS)
        self._animation.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._animation.valueChanged.connect(self._on_step)
        model.changing.connect(self._on_changing)
        model.rowsMoved.connect(self._on_rows_moved)

    @property
    def is_running(self) -> bool:
        return self._remaining > 0.0

    def start(self) -> None:
        """Lets the visible rows slide from where they were, if the last change moved any layers."""
        self._animation.stop()
        self._remaining, self._offsets = 0.0, {}
        if self._has_moved and animations_enabled():
            now = self._tops()
            self._offsets = {
                number: self._before[number] - top for number, top in now.items() if number in self._before
            }
        if any(self._offsets.values()):
            self._remaining = 1.0
            self._animation.start()

    def offset(self, number: int) -> int:
        """How many pixels below its place a row is currently painted."""
        return round(self._offsets.get(number, 0) * self._remaining) if self._remaining else 0

    def _on_changing(self) -> None:
        self._before, self._has_moved = self._tops(), False

    def _on_rows_moved(self, *_: object) -> None:
        self._has_moved = True

    def _on_step(self, remaining: float) -> None:
        self._remaining = remaining
        self.stepped.emit()

    def _tops(self) -> dict[int, int]:
        """Internal id -> top of each visible row, in pixels from the top of the whole list."""
        tops, view = {}, self._view
        scrolled, height = view.verticalScrollBar().value(), view.viewport().height()
        index = view.indexAt(QPoint(0, 0))
        while index.isValid() and (top := view.visualRect(index).top()) <= height:
            tops[index.internalId()] = top + scrolled
            index = view.indexBelow(index)
        return tops
