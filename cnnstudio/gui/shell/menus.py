"""The menu bar: every action of the window under the heading where people look for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu

from cnnstudio.gui.document.settings import SchemeChoice
from cnnstudio.gui.shell import dialogs
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.training.device_menu import DeviceMenu
from cnnstudio.gui.training.preflight import open_dialogs as trials

if TYPE_CHECKING:
    from cnnstudio.gui.shell.main_window import MainWindow

_EDIT = (
    ("actionUndo", "actionRedo"),
    ("actionCut", "actionCopy", "actionPaste"),
    ("actionDuplicate", "actionDelete"),
)
_SCHEMES: dict[SchemeChoice, str] = {"system": "As the system", "light": "Light", "dark": "Dark"}


def make_action(
    window: MainWindow,
    object_name: str,
    text: str,
    triggered: Callable[[], object],
    shortcut: QKeySequence | QKeySequence.StandardKey | str | None = None,
    icon: str = "",
) -> QAction:
    """An action of the window under its automation name."""
    action = QAction(text, window)
    action.setObjectName(object_name)
    if shortcut is not None:
        action.setShortcut(QKeySequence(shortcut))
    if icon:
        theme().dress(action, icon)
    action.triggered.connect(lambda _checked=False: triggered())
    window.addAction(action)
    return action


def build_menus(window: MainWindow, design: Mapping[str, QAction]) -> RecentMenu:
    """Fills the menu bar; `design` are the designer's own actions by object name."""
    bar = window.menuBar()
    recent = _file_menu(window, bar.addMenu("&File"))
    _edit_menu(bar.addMenu("&Edit"), design)
    _network_menu(bar.addMenu("&Network"), design)
    _data_menu(window, bar.addMenu("&Data"))
    _train_menu(window, bar.addMenu("&Train"))
    _view_menu(window, bar.addMenu("&View"))
    _run_menu(window, bar.addMenu("&Run"))
    _help_menu(window, bar.addMenu("&Help"))
    return recent


class RecentMenu:
    """The designs opened or saved last."""

    def __init__(self, menu: QMenu, open_path: Callable[[Path], object], clear: Callable[[], object]) -> None:
        self._menu = menu
        self._open_path = open_path
        self._clear = clear

    def show(self, paths: list[Path]) -> None:
        """Lists `paths`, newest first."""
        self._menu.clear()
        for number, path in enumerate(paths, start=1):
            action = self._menu.addAction(f"&{number} {path.name}" if number < 10 else path.name)
            action.setToolTip(str(path))
            action.setStatusTip(str(path))
            action.triggered.connect(lambda _checked=False, path=path: self._open_path(path))
        if paths:
            self._menu.addSeparator()
            self._menu.addAction("Clear the list").triggered.connect(lambda _checked=False: self._clear())
        self._menu.setEnabled(bool(paths))


def _file_menu(window: MainWindow, menu: QMenu) -> RecentMenu:
    documents = window.documents
    keys = QKeySequence.StandardKey
    menu.addAction(make_action(window, "actionNew", "&New", documents.new, keys.New, "new"))
    gallery = partial(dialogs.show_templates, window)
    menu.addAction(
        make_action(window, "actionNewFromTemplate", "New from &template…", gallery, "Ctrl+Shift+N")
    )
    menu.addAction(make_action(window, "actionOpen", "&Open…", documents.open, keys.Open, "open"))
    recent = RecentMenu(menu.addMenu("Open &recent"), documents.open_path, documents.clear_recent)
    menu.addSeparator()
    menu.addAction(make_action(window, "actionSave", "&Save", documents.save, keys.Save, "save"))
    menu.addAction(make_action(window, "actionSaveAs", "Save &as…", documents.save_as, "Ctrl+Shift+S"))
    menu.addSeparator()
    importing, compare = partial(dialogs.show_import, window), partial(dialogs.show_compare, window)
    menu.addAction(make_action(window, "actionImport", "&Import code…", importing, "Ctrl+I"))
    menu.addAction(make_action(window, "actionCompare", "&Compare with…", compare, "Ctrl+Shift+K"))
    menu.addSeparator()
    menu.addAction(window.export_action)
    menu.addAction(make_action(window, "actionSaveDrawing", "Save the d&rawing…", window.save_drawing))
    menu.addSeparator()
    menu.addAction(make_action(window, "actionQuit", "&Quit", window.close, keys.Quit))
    return recent


def _edit_menu(menu: QMenu, design: Mapping[str, QAction]) -> None:
    for names in _EDIT:
        menu.addActions([design[name] for name in names])
        menu.addSeparator()


def _network_menu(menu: QMenu, design: Mapping[str, QAction]) -> None:
    in_edit = {name for names in _EDIT for name in names}
    menu.addActions([action for name, action in design.items() if name not in in_edit])


def _data_menu(window: MainWindow, menu: QMenu) -> None:
    menu.addAction(
        make_action(window, "actionDataSets", "&Data sets…", window.show_data_dialog, "Ctrl+Shift+D")
    )


def _train_menu(window: MainWindow, menu: QMenu) -> None:
    for action in window.training_actions:
        menu.addAction(action)
    menu.addSeparator()
    check, find = partial(trials.show_preflight, window), partial(trials.show_rate_finder, window)
    menu.addAction(make_action(window, "actionPreflight", "&Check before training…", check, "Ctrl+Shift+R"))
    menu.addAction(
        make_action(window, "actionFindLearningRate", "Find a &learning rate…", find, "Ctrl+Shift+L")
    )
    menu.addMenu(DeviceMenu(window.session, window.settings, menu))


def _view_menu(window: MainWindow, menu: QMenu) -> None:
    for dock in window.docks:
        menu.addAction(dock.action)
    menu.addAction(make_action(window, "actionResetLayout", "&Reset the panels", window.reset_layout))
    menu.addSeparator()
    scheme_menu = menu.addMenu("&Colours")
    group = QActionGroup(window)
    for scheme, text in _SCHEMES.items():
        action = scheme_menu.addAction(text)
        action.setCheckable(True)
        action.setChecked(scheme == window.settings.scheme)
        action.triggered.connect(lambda _checked=False, scheme=scheme: _choose_scheme(window, scheme))
        group.addAction(action)


def _choose_scheme(window: MainWindow, scheme: SchemeChoice) -> None:
    theme().set_scheme(scheme)
    window.settings.scheme = scheme


def _run_menu(window: MainWindow, menu: QMenu) -> None:
    menu.addAction(make_action(window, "actionOpenRun", "&Open a run…", window.runs.choose, "Ctrl+Shift+O"))
    menu.addAction(
        make_action(window, "actionTrainSeeds", "Train with several &seeds…", window.panel.train_seeds)
    )
    menu.addAction(make_action(window, "actionGoOn", "&Go on with the run", window.runs.go_on))
    menu.addAction(
        make_action(window, "actionOpenRunFolder", "Show the run’s &folder", window.runs.show_folder)
    )


def _help_menu(window: MainWindow, menu: QMenu) -> None:
    menu.addAction(make_action(window, "actionShortcuts", "&Keyboard shortcuts", window.show_shortcuts, "F1"))
    menu.addAction(make_action(window, "actionAbout", "&About CNN Studio", window.show_about))
