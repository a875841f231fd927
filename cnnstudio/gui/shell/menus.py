"""The menu bar: every action of the window under the heading where people look for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu

from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.document.documents import Documents
from cnnstudio.gui.document.settings import SchemeChoice, Settings
from cnnstudio.gui.runs.run_controller import RunController
from cnnstudio.gui.shell.dialogs import Dialogs
from cnnstudio.gui.shell.docks import Dock
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.training.device_menu import DeviceMenu
from cnnstudio.gui.training.preflight.open_dialogs import PreflightDialogs
from cnnstudio.gui.training.tool_bar import TrainingPanel

_EDIT = (
    ("actionUndo", "actionRedo"),
    ("actionCut", "actionCopy", "actionPaste"),
    ("actionDuplicate", "actionDelete"),
)
_SCHEMES: dict[SchemeChoice, str] = {"system": "As the system", "light": "Light", "dark": "Dark"}


@dataclass(frozen=True)
class Parts:
    """What the menus command, and the window that they belong to."""

    window: QMainWindow
    session: TrainingSession
    settings: Settings
    documents: Documents
    dialogs: Dialogs
    preflight: PreflightDialogs
    runs: RunController
    panel: TrainingPanel
    export: QAction
    docks: Sequence[Dock]
    reset_layout: Callable[[], object]


def make_action(
    window: QMainWindow,
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


def build_menus(parts: Parts, design: Mapping[str, QAction]) -> RecentMenu:
    """Fills the menu bar; `design` are the designer's own actions by object name."""
    bar = parts.window.menuBar()
    recent = _file_menu(parts, bar.addMenu("&File"))
    _edit_menu(bar.addMenu("&Edit"), design)
    _network_menu(bar.addMenu("&Network"), design)
    _data_menu(parts, bar.addMenu("&Data"))
    _train_menu(parts, bar.addMenu("&Train"))
    _view_menu(parts, bar.addMenu("&View"))
    _run_menu(parts, bar.addMenu("&Run"))
    _help_menu(parts, bar.addMenu("&Help"))
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


def _file_menu(parts: Parts, menu: QMenu) -> RecentMenu:
    window, documents, dialogs = parts.window, parts.documents, parts.dialogs
    keys = QKeySequence.StandardKey
    menu.addAction(make_action(window, "actionNew", "&New", documents.new, keys.New, "new"))
    menu.addAction(
        make_action(
            window, "actionNewFromTemplate", "New from &template…", dialogs.show_templates, "Ctrl+Shift+N"
        )
    )
    menu.addAction(make_action(window, "actionOpen", "&Open…", documents.open, keys.Open, "open"))
    recent = RecentMenu(menu.addMenu("Open &recent"), documents.open_path, documents.clear_recent)
    menu.addSeparator()
    menu.addAction(make_action(window, "actionSave", "&Save", documents.save, keys.Save, "save"))
    menu.addAction(make_action(window, "actionSaveAs", "Save &as…", documents.save_as, "Ctrl+Shift+S"))
    menu.addSeparator()
    menu.addAction(make_action(window, "actionImport", "&Import code…", dialogs.show_import, "Ctrl+I"))
    menu.addAction(
        make_action(window, "actionCompare", "&Compare with…", dialogs.show_compare, "Ctrl+Shift+K")
    )
    menu.addSeparator()
    menu.addAction(parts.export)
    menu.addAction(make_action(window, "actionSaveDrawing", "Save the d&rawing…", dialogs.save_drawing))
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


def _data_menu(parts: Parts, menu: QMenu) -> None:
    menu.addAction(
        make_action(
            parts.window, "actionDataSets", "&Data sets…", parts.dialogs.show_data_sets, "Ctrl+Shift+D"
        )
    )


def _train_menu(parts: Parts, menu: QMenu) -> None:
    window, preflight = parts.window, parts.preflight
    for action in parts.panel.training_actions:
        menu.addAction(action)
    menu.addSeparator()
    menu.addAction(
        make_action(
            window, "actionPreflight", "&Check before training…", preflight.show_check, "Ctrl+Shift+R"
        )
    )
    menu.addAction(
        make_action(
            window,
            "actionFindLearningRate",
            "Find a &learning rate…",
            preflight.show_rate_finder,
            "Ctrl+Shift+L",
        )
    )
    menu.addMenu(DeviceMenu(parts.session, parts.settings, menu))


def _view_menu(parts: Parts, menu: QMenu) -> None:
    for dock in parts.docks:
        menu.addAction(dock.action)
    menu.addAction(make_action(parts.window, "actionResetLayout", "&Reset the panels", parts.reset_layout))
    menu.addSeparator()
    scheme_menu = menu.addMenu("&Colors")
    group = QActionGroup(parts.window)
    for scheme, text in _SCHEMES.items():
        action = scheme_menu.addAction(text)
        action.setCheckable(True)
        action.setChecked(scheme == parts.settings.scheme)
        action.triggered.connect(lambda _checked=False, scheme=scheme: _choose_scheme(parts.settings, scheme))
        group.addAction(action)


def _choose_scheme(settings: Settings, scheme: SchemeChoice) -> None:
    theme().set_scheme(scheme)
    settings.scheme = scheme


def _run_menu(parts: Parts, menu: QMenu) -> None:
    window, runs = parts.window, parts.runs
    menu.addAction(make_action(window, "actionOpenRun", "&Open a run…", runs.choose, "Ctrl+Shift+O"))
    menu.addAction(
        make_action(window, "actionTrainSeeds", "Train with several &seeds…", parts.panel.train_seeds)
    )
    menu.addAction(make_action(window, "actionGoOn", "&Go on with the run", runs.go_on))
    menu.addAction(make_action(window, "actionOpenRunFolder", "Show the run’s &folder", runs.show_folder))


def _help_menu(parts: Parts, menu: QMenu) -> None:
    menu.addAction(
        make_action(
            parts.window, "actionShortcuts", "&Keyboard shortcuts", parts.dialogs.show_shortcuts, "F1"
        )
    )
    menu.addAction(make_action(parts.window, "actionAbout", "&About CNN Studio", parts.dialogs.show_about))
