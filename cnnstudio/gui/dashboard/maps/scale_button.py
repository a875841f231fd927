"""The button that chooses the gray scale of the feature maps, at the end of the heading above them."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu, QPushButton

from cnnstudio.gui.theme.theme import theme

_NAMES = {False: "Shared scale", True: "Scale per map"}


class ScaleButton(QPushButton):
    """Shows the current scale and opens a menu with the two choices."""

    changed = Signal(object)
    """Whether each map now has its own scale."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("mapScale")
        self.setProperty("role", "head")
        self.setFont(theme().font("help"))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip(
            "A shared scale shows which maps are strong; a scale per map shows details in weak maps"
        )
        self._menu = QMenu(self)
        self._group = QActionGroup(self)
        for per_map, name in _NAMES.items():
            action = self._menu.addAction(name)
            action.setData(per_map)
            action.setCheckable(True)
            self._group.addAction(action)
        self._group.actions()[0].setChecked(True)
        self._group.triggered.connect(self._on_triggered)
        self.clicked.connect(self._on_clicked)
        self._show_choice()

    @property
    def is_per_map(self) -> bool:
        """Whether each map has its own scale."""
        return bool(self._group.checkedAction().data())

    @property
    def scale_name(self) -> str:
        """`shared scale` or `scale per map`."""
        return _NAMES[self.is_per_map].lower()

    def _show_choice(self) -> None:
        self.setText(f"{self.scale_name} ▾")
        self.setAccessibleName(f"Gray scale: {self.scale_name}. Press to change.")

    def _on_clicked(self) -> None:
        below = self.mapToGlobal(QPoint(self.width() - self._menu.sizeHint().width(), self.height()))
        self._menu.popup(below)
        self._menu.setActiveAction(self._group.checkedAction())

    def _on_triggered(self, _: object) -> None:
        self._show_choice()
        self.changed.emit(self.is_per_map)
