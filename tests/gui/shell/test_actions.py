"""The action tables: every action of the window is in one, and is where its entry says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import shiboken6
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QPushButton, QTableWidget
from pytestqt.qtbot import QtBot

from cnnstudio.gui.compute.session import State
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.help.gestures import GESTURES
from cnnstudio.gui.shell.help.shortcuts_dialog import ShortcutsDialog
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.gui.shell.menus import MENUS
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.actions import ActionSpec

DATA_DRIVEN = {"Open recent", "Device"}
"""Menus of files and devices, which are not in a table."""


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[MainWindow]:
    window = create_window()
    window.session.preload = lambda: None  # type: ignore[method-assign]  # these tests compute nothing
    window.show()
    yield window
    window.close()
    shiboken6.delete(window)


def pairs(window: MainWindow) -> list[tuple[ActionSpec[Any], QAction]]:
    return [pair for actions in window.action_sets for pair in actions.pairs]


def in_menus(menu: QMenu, path: str) -> Iterator[tuple[str, QAction]]:
    """Every action of a menu and its submenus, with the path of its menu."""
    for action in menu.actions():
        submenu = action.menu()
        if isinstance(submenu, QMenu):
            title = submenu.title().replace("&", "")
            yield from () if title == "Device" else in_menus(submenu, f"{path}/{title}")
        elif not action.isSeparator():
            yield path, action


def menu_bar(window: MainWindow) -> list[tuple[str, QAction]]:
    menus = [action.menu() for action in window.menuBar().actions()]
    return [
        found
        for menu in menus
        if isinstance(menu, QMenu)
        for found in in_menus(menu, menu.title().replace("&", ""))
    ]


def test_every_action_is_in_a_table(window: MainWindow) -> None:
    known = [action for _, action in pairs(window)]
    named = [action for action in window.findChildren(QAction) if action.objectName().startswith("action")]
    assert {action.objectName() for action in named} == {action.objectName() for action in known}
    assert len(named) == len(known)
    assert [action.text() for _, action in menu_bar(window) if action not in known] == []


def test_every_action_is_only_in_its_own_menu(window: MainWindow) -> None:
    found = Counter((path, action.objectName()) for path, action in menu_bar(window))
    assert found == Counter((spec.menu, spec.name) for spec, _ in pairs(window))


def test_no_menu_starts_or_ends_with_a_separator(window: MainWindow) -> None:
    for menu in window.menuBar().findChildren(QMenu):
        shown = [action for action in menu.actions() if action.isVisible()]
        if shown and menu.title().replace("&", "") not in DATA_DRIVEN:
            assert not shown[0].isSeparator(), menu.title()
            assert not shown[-1].isSeparator(), menu.title()


def test_every_action_is_listed_on_the_shortcuts_page_below_its_menu(window: MainWindow) -> None:
    window.window_actions["actionShortcuts"].trigger()
    dialog = window.findChild(ShortcutsDialog)
    assert dialog is not None
    table = dialog.findChild(QTableWidget)
    assert table is not None
    menus = {path.replace("/", " ▸ "): path for path in MENUS}
    rows: Counter[tuple[str, str, str]] = Counter()
    menu = ""
    for row in range(table.rowCount()):
        title, keys = table.item(row, 0).text(), table.item(row, 1)
        if keys is None:  # type: ignore[redundant-expr]  # PySide6 declares that it is never None
            menu = menus.get(title, title)
        else:
            rows[menu, title, keys.text()] += 1
    assert rows == Counter(
        [
            *((spec.menu, spec.plain_title, spec.shortcuts_text) for spec, _ in pairs(window)),
            *((heading, each.title, each.how) for heading, found in GESTURES.items() for each in found),
        ]
    )
    dialog.close()


def test_no_two_actions_share_a_shortcut(window: MainWindow) -> None:
    # Shortcuts of the layer list must not collide with window-wide ones either.
    keys = Counter(key.toString() for _, action in pairs(window) for key in action.shortcuts())
    assert [key for key, number in keys.items() if number > 1] == []


def test_every_action_has_a_title_and_a_tooltip_with_its_shortcut(window: MainWindow) -> None:
    for spec, action in pairs(window):
        assert action.text().strip("&"), spec.name
        assert spec.tooltip, spec.name
        assert action.toolTip().startswith(action.statusTip()), spec.name
        assert not spec.tooltip.endswith("."), spec.name
        first = spec.shortcuts_text.split(", ")[0]
        assert action.toolTip().endswith(f"({first})") == bool(first), spec.name


def test_mnemonics_are_unique_in_each_menu(window: MainWindow) -> None:
    for path in MENUS:
        titles = [spec.title for spec, _ in pairs(window) if spec.menu == path]
        titles += [title for below, title in MENUS.items() if below.startswith(f"{path}/")]
        letters = Counter(title[title.index("&") + 1].lower() for title in titles if "&" in title)
        assert [letter for letter, number in letters.items() if number > 1] == [], path


def test_icons_exist_and_follow_the_theme(window: MainWindow) -> None:
    action = window.window_actions["actionNew"]
    before = action.icon().cacheKey()
    window.window_actions["actionColorsDark"].trigger()
    assert theme().scheme == "dark"
    assert action.icon().cacheKey() != before
    window.window_actions["actionColorsLight"].trigger()
    assert theme().scheme == "light"
    assert window.settings.scheme == "light"
    missing = [spec.name for spec, each in pairs(window) if spec.icon and each.icon().isNull()]
    assert missing == []


def test_exactly_one_theme_is_checked(window: MainWindow) -> None:
    names = ("actionColorsSystem", "actionColorsLight", "actionColorsDark")
    for name in (*names, names[0]):
        window.window_actions[name].trigger()
        # A second click must not uncheck it.
        window.window_actions[name].trigger()
        assert [each for each in names if window.window_actions[each].isChecked()] == [name]


def test_toolbar_buttons_show_their_actions(window: MainWindow) -> None:
    marked = [(spec, action) for spec, action in pairs(window) if spec.toolbar]
    assert len(marked) == 3
    buttons = {button.accessibleName(): button for button in window.tool_bar.findChildren(QPushButton)}
    for spec, action in marked:
        button = buttons[action.text().replace("&", "")]
        assert button.toolTip() == action.toolTip()
        assert button.isEnabled() == action.isEnabled()
        assert bool(button.text()) == (spec.toolbar == "primary")


def test_actions_follow_the_state_of_the_session(window: MainWindow) -> None:
    train, pause = window.tool_bar.train_action, window.tool_bar.pause_action
    assert (train.isEnabled(), pause.isEnabled()) == (True, False)
    window.session._state = State.PAUSED
    window.session.state_changed.emit(State.PAUSED)
    assert (train.isEnabled(), pause.isEnabled(), pause.text()) == (False, True, "&Resume")
    assert train.toolTip().startswith("Training in progress")
    window.session._state = State.IDLE
    window.session.state_changed.emit(State.IDLE)
    assert (train.isEnabled(), pause.isEnabled(), pause.text()) == (True, False, "&Pause")


def test_recent_designs_are_listed_above_clear_list(window: MainWindow, tmp_path: Path) -> None:
    title = MENUS["File/Open recent"]
    recent = next(menu for menu in window.menuBar().findChildren(QMenu) if menu.title() == title)
    assert not recent.isEnabled()
    window.documents.recent_changed.emit([tmp_path / "a.cnn.json", tmp_path / "b.cnn.json"])
    assert recent.isEnabled()
    clear = window.window_actions["actionClearRecent"]
    texts = [action.text() for action in recent.actions()]
    assert texts == ["&1 a.cnn.json", "&2 b.cnn.json", "", clear.text()]
    clear.trigger()
    assert recent.actions()[-1] is clear
    assert not recent.isEnabled()
