"""The list of commands and shortcuts, built from the action tables so that it is always up to date."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.gui.shell.menus import MENUS
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.actions import ActionSet, ActionSpec


class ShortcutsDialog(QDialog):
    """Every action of the window with its shortcuts, grouped by menu."""

    def __init__(self, sets: Iterable[ActionSet[Any]], parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("shortcutsDialog")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Keyboard shortcuts")
        self.resize(640, 620)
        self._table = QTableWidget(0, 3, self)
        self._table.setHorizontalHeaderLabels(["Command", "Shortcut", "Scope"])
        head = self._table.horizontalHeader()
        head.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self._table.verticalHeader().hide()
        self._table.setShowGrid(False)
        self._table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self._table.setAccessibleName("Keyboard shortcuts")
        self._fill(sets)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self._table)
        layout.addWidget(buttons)

    def _fill(self, sets: Iterable[ActionSet[Any]]) -> None:
        specs = [spec for actions in sets for spec, _ in actions.pairs]
        for menu, title in MENUS.items():
            in_menu = [spec for spec in specs if spec.menu == menu]
            if in_menu:
                parent = MENUS[menu.partition("/")[0]]
                self._add_heading((title if parent == title else f"{parent} ▸ {title}").replace("&", ""))
                for spec in in_menu:
                    self._add(spec)

    def _add_heading(self, title: str) -> None:
        item = QTableWidgetItem(title)
        item.setFont(theme().font("strong"))
        item.setFlags(Qt.ItemFlag.ItemIsEnabled)
        row = self._table.rowCount()
        self._table.insertRow(row)
        self._table.setItem(row, 0, item)
        self._table.setSpan(row, 0, 1, 3)

    def _add(self, spec: ActionSpec[Any]) -> None:
        row = self._table.rowCount()
        self._table.insertRow(row)
        for column, text in enumerate((spec.plain_title, spec.shortcuts_text, spec.shortcut_scope)):
            item = QTableWidgetItem(text)
            item.setToolTip(spec.tooltip)
            self._table.setItem(row, column, item)
