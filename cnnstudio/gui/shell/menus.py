"""The menu bar, built from the action tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QMenuBar

from cnnstudio.gui.widgets.actions import ActionSet
from cnnstudio.gui.widgets.plain_text import plain_entry, plain_line, plain_tooltip

MENUS = {
    "File": "&File",
    "File/Open recent": "Open &recent",
    "Edit": "&Edit",
    "Network": "&Network",
    "Data": "&Data",
    "Train": "&Train",
    "View": "&View",
    "View/Epoch": "&Epoch",
    "View/Theme": "&Theme",
    "Run": "&Run",
    "Help": "&Help",
}
"""The menus that actions refer to, in order; a submenu takes the position of its first action."""


def fill_menu_bar(bar: QMenuBar, sets: Iterable[ActionSet[Any]]) -> dict[str, QMenu]:
    """Adds every action to its menu; returns the menus by the names that the actions use."""
    menus = {path: bar.addMenu(title) for path, title in MENUS.items() if "/" not in path}
    for actions in sets:
        for spec, action in actions.pairs:
            menu = menus.get(spec.menu)
            if menu is None:
                parent = menus[spec.menu.partition("/")[0]]
                if spec.separator_before:
                    parent.addSeparator()
                menus[spec.menu] = menu = parent.addMenu(MENUS[spec.menu])
            elif spec.separator_before:
                menu.addSeparator()
            menu.addAction(action)
    return menus


class RecentMenu:
    """The recently opened and saved designs, above the action that clears the list."""

    def __init__(self, menu: QMenu, open_path: Callable[[Path], object], clear: QAction) -> None:
        self._menu = menu
        self._open_path = open_path
        self._clear = clear

    def show(self, paths: list[Path]) -> None:
        """Lists `paths`, newest first."""
        # This deletes the actions of the files, which the menu owns, but not the shared `clear` action.
        self._menu.clear()
        for number, path in enumerate(paths, start=1):
            name = plain_entry(path.name)
            action = self._menu.addAction(f"&{number} {name}" if number < 10 else name)
            action.setToolTip(plain_tooltip(str(path)))
            action.setStatusTip(plain_line(str(path)))
            action.triggered.connect(lambda _checked=False, path=path: self._open_path(path))
        self._menu.addSeparator()
        self._menu.addAction(self._clear)
        self._menu.setEnabled(bool(paths))
