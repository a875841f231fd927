"""The choice of the scale on which feature maps are drawn, as the end of the remark above them."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu, QPushButton

from cnnstudio.gui.theme.theme import theme

_NAMES = {False: "One scale for all", True: "A scale for each map"}


class ScaleButton(QPushButton):
    """Says which scale holds, and opens a menu with the two that there are."""

    changed = Signal(object)
    """Whether each map has a scale of its own now."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("mapScale")
        self.setProperty("role", "head")
        self.setFont(theme().font("help"))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip("One scale shows which maps are strong; a scale for each shows what faint ones see")
        self._menu = QMenu(self)
        self._group = QActionGroup(self)
        for each, name in _NAMES.items():
            action = self._menu.addAction(name)
            action.setData(each)
            action.setCheckable(True)
            self._group.addAction(action)
        self._group.actions()[0].setChecked(True)
        self._group.triggered.connect(self._on_triggered)
        self.clicked.connect(self._on_clicked)
        self._show()

    @property
    def for_each(self) -> bool:
        """Whether each map has a scale of its own."""
        return bool(self._group.checkedAction().data())

    @property
    def words(self) -> str:
        """The scale in the words of a remark."""
        return _NAMES[self.for_each].lower()

    def _show(self) -> None:
        self.setText(f"{self.words} ▾")
        self.setAccessibleName(f"Scale of the maps: {self.words}, press to choose")

    def _on_clicked(self) -> None:
        below = self.mapToGlobal(QPoint(self.width() - self._menu.sizeHint().width(), self.height()))
        self._menu.popup(below)
        self._menu.setActiveAction(self._group.checkedAction())

    def _on_triggered(self, _: object) -> None:
        self._show()
        self.changed.emit(self.for_each)
