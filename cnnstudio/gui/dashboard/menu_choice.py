"""A small button that shows a setting and opens a menu with its values."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QPoint, Signal
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu, QPushButton

from cnnstudio.gui.theme.theme import theme


class MenuChoice(QPushButton):
    """`Order: by norm ▾`."""

    changed = Signal(object)
    """The key of the value that the user chose."""

    def __init__(self, object_name: str, title: str, values: Mapping[str, str], tooltip: str = "") -> None:
        """`values` are keys with the texts behind the title; the first one is chosen."""
        super().__init__()
        self.setObjectName(object_name)
        self.setProperty("role", "small")
        self.setFont(theme().font("help"))
        self.setToolTip(tooltip)
        self._title = title
        self.menu_of_values = QMenu(self)
        self._group = QActionGroup(self)
        for key, text in values.items():
            action = self.menu_of_values.addAction(f"{text[:1].upper()}{text[1:]}")
            action.setData(key)
            action.setCheckable(True)
            self._group.addAction(action)
        self._texts = dict(values)
        self._group.actions()[0].setChecked(True)
        self._group.triggered.connect(self._on_triggered)
        self.clicked.connect(self._on_clicked)
        self._show_value()

    @property
    def values(self) -> tuple[str, ...]:
        """The keys of all values."""
        return tuple(self._texts)

    @property
    def value(self) -> str:
        """The key of the chosen value."""
        return str(self._group.checkedAction().data())

    def choose(self, key: str) -> None:
        """Chooses a value as a click on its entry does."""
        next(action for action in self._group.actions() if action.data() == key).trigger()

    def _show_value(self) -> None:
        text = self._texts[self.value]
        self.setText(f"{self._title}: {text} ▾")
        self.setAccessibleName(f"{self._title}: {text}. Press to change.")

    def _on_clicked(self) -> None:
        self.menu_of_values.popup(self.mapToGlobal(QPoint(0, self.height())))
        self.menu_of_values.setActiveAction(self._group.checkedAction())

    def _on_triggered(self, _: object) -> None:
        self._show_value()
        self.changed.emit(self.value)
