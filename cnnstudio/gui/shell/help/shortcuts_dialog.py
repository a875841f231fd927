"""The list of commands and shortcuts, built from the action tables so that it is always up to date."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from cnnstudio.gui.shell.help.gestures import GESTURES
from cnnstudio.gui.shell.menus import MENUS
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.actions import ActionSet
from cnnstudio.gui.widgets.dialog_layout import dialog_column, leave_button
from cnnstudio.gui.widgets.labels import Label

_NOTHING = "Nothing is called that. Search for a word such as “epoch”, or for a key."


class ShortcutsDialog(QDialog):
    """Every action of the window with its shortcuts, grouped by menu; then keys of views and the mouse."""

    def __init__(self, sets: Iterable[ActionSet[Any]], parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("shortcutsDialog")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Keyboard shortcuts")
        self.resize(720, 620)
        self.search = QLineEdit()
        self.search.setObjectName("shortcutsSearch")
        self.search.setPlaceholderText("Search commands, keys and gestures")
        self.search.setAccessibleName("Search commands, keys and gestures")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._on_search)
        self._nothing = Label(_NOTHING, tone="secondary", wrap=True)
        self._nothing.hide()
        self._groups: list[tuple[int, list[int]]] = []
        """The row of each heading, and the rows below it."""
        self._texts: dict[int, str] = {}
        """What is searched in each row."""
        self._make_table()
        self._fill(sets)
        close = leave_button(self, "&Close")
        close.setAutoDefault(False)
        foot = QHBoxLayout()
        foot.addWidget(self._nothing, 1)
        foot.addStretch(1)
        foot.addWidget(close)
        layout = dialog_column(self)
        layout.addWidget(self.search)
        layout.addWidget(self._table, 1)
        layout.addLayout(foot)
        self.search.setFocus()

    def _make_table(self) -> None:
        self._table = QTableWidget(0, 3, self)
        self._table.setHorizontalHeaderLabels(["Command", "Keys or gesture", "Where"])
        head = self._table.horizontalHeader()
        head.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        head.setMaximumSectionSize(260)
        self._table.verticalHeader().hide()
        self._table.setShowGrid(False)
        self._table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self._table.setAccessibleName("Keyboard shortcuts")

    def _fill(self, sets: Iterable[ActionSet[Any]]) -> None:
        specs = [spec for actions in sets for spec, _ in actions.pairs]
        for menu, title in MENUS.items():
            in_menu = [spec for spec in specs if spec.menu == menu]
            if in_menu:
                parent = MENUS[menu.partition("/")[0]]
                self._add_heading((title if parent == title else f"{parent} ▸ {title}").replace("&", ""))
                for spec in in_menu:
                    self._add(spec.plain_title, spec.shortcuts_text, spec.shortcut_scope, spec.tooltip)
        for heading, gestures in GESTURES.items():
            self._add_heading(heading)
            for each in gestures:
                self._add(each.title, each.how, each.where)

    def _add_heading(self, title: str) -> None:
        item = QTableWidgetItem(title)
        item.setFont(theme().font("strong"))
        item.setFlags(Qt.ItemFlag.ItemIsEnabled)
        row = self._table.rowCount()
        self._table.insertRow(row)
        self._table.setItem(row, 0, item)
        self._table.setSpan(row, 0, 1, 3)
        self._groups.append((row, []))
        self._texts[row] = title

    def _add(self, title: str, keys: str, where: str, tooltip: str = "") -> None:
        row = self._table.rowCount()
        self._table.insertRow(row)
        for column, text in enumerate((title, keys, where)):
            item = QTableWidgetItem(text)
            item.setToolTip(tooltip or text)
            self._table.setItem(row, column, item)
        heading, rows = self._groups[-1]
        rows.append(row)
        self._texts[row] = " ".join((self._texts[heading], title, keys, where, tooltip)).casefold()

    # The search

    def _on_search(self, text: str) -> None:
        """Shows the rows that have all words, and the headings of those."""
        words = text.casefold().split()
        found = False
        for heading, rows in self._groups:
            shown = [row for row in rows if all(word in self._texts[row] for word in words)]
            for row in rows:
                self._table.setRowHidden(row, row not in shown)
            self._table.setRowHidden(heading, not shown)
            found = found or bool(shown)
        self._nothing.setVisible(not found)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # One level back: first to all commands.
        if event.key() == Qt.Key.Key_Escape and self.search.text():
            self.search.clear()
        elif event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up) and self.search.hasFocus():
            self._table.setFocus()
        else:
            super().keyPressEvent(event)
