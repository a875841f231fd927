"""The window's actions: files, data sets, theme, runs and help. Panels have their own tables."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtGui import QKeySequence

from cnnstudio.gui.document.documents import Documents
from cnnstudio.gui.document.settings import SchemeChoice, Settings
from cnnstudio.gui.runs.long_runs import LongRuns
from cnnstudio.gui.runs.run_controller import RunController
from cnnstudio.gui.shell.dialogs import Dialogs
from cnnstudio.gui.shell.drops.opener import Opener
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.training.preflight.open_dialogs import PreflightDialogs
from cnnstudio.gui.training.tool_bar import TrainingToolBar
from cnnstudio.gui.widgets.actions import ActionSpec

_Keys = QKeySequence.StandardKey


class Window(Protocol):
    """What the actions operate on."""

    settings: Settings
    documents: Documents
    opener: Opener
    dialogs: Dialogs
    preflight: PreflightDialogs
    runs: RunController
    long_runs: LongRuns
    tool_bar: TrainingToolBar

    def reset_layout(self) -> None: ...
    def show_runs(self) -> None: ...
    def show_export(self) -> None: ...
    def close(self) -> bool: ...


def _theme_action(scheme: SchemeChoice, title: str, tooltip: str) -> ActionSpec[Window]:
    def choose(window: Window) -> None:
        theme().set_scheme(scheme)
        window.settings.scheme = scheme

    return ActionSpec(
        f"actionColors{scheme.capitalize()}",
        title,
        choose,
        menu="View/Theme",
        tooltip=tooltip,
        checked=lambda window: window.settings.scheme == scheme,
        exclusive_group="theme",
    )


WINDOW_ACTIONS: tuple[ActionSpec[Window], ...] = (
    ActionSpec(
        "actionNew",
        "&New",
        lambda window: window.documents.new(),
        menu="File",
        tooltip="Start with an empty design",
        shortcuts=(_Keys.New,),
        icon="new",
    ),
    ActionSpec(
        "actionNewFromTemplate",
        "New from &template…",
        lambda window: window.dialogs.show_templates(),
        menu="File",
        tooltip="Start from one of the designs included with CNN Studio",
        shortcuts=("Ctrl+Shift+N",),
    ),
    ActionSpec(
        "actionOpen",
        "&Open…",
        lambda window: window.opener.choose(),
        menu="File",
        tooltip="Open designs, runs, code to import, or images to try",
        shortcuts=(_Keys.Open,),
        icon="open",
    ),
    ActionSpec(
        "actionClearRecent",
        "&Clear list",
        lambda window: window.documents.clear_recent(),
        menu="File/Open recent",
        tooltip="Clear the list of recent designs; no files are deleted",
        separator_before=True,
    ),
    ActionSpec(
        "actionUnsaved",
        "&Unsaved designs…",
        lambda window: window.dialogs.show_unsaved(),
        menu="File",
        tooltip="Open or discard designs that were not saved when CNN Studio closed unexpectedly",
    ),
    ActionSpec(
        "actionSave",
        "&Save",
        lambda window: window.documents.save(),
        menu="File",
        tooltip="Save the design to its file",
        shortcuts=(_Keys.Save,),
        icon="save",
        separator_before=True,
    ),
    ActionSpec(
        "actionSaveAs",
        "Save &as…",
        lambda window: window.documents.save_as(),
        menu="File",
        tooltip="Save the design to a new file",
        shortcuts=("Ctrl+Shift+S",),
    ),
    ActionSpec(
        "actionImport",
        "&Import…",
        lambda window: window.dialogs.show_import(),
        menu="File",
        tooltip="Import a network from Keras or PyTorch code, or from an ONNX file with its weights",
        shortcuts=("Ctrl+I",),
        separator_before=True,
    ),
    ActionSpec(
        "actionCompare",
        "&Compare with…",
        lambda window: window.dialogs.show_compare(),
        menu="File",
        tooltip="Compare this design with another one, layer by layer",
        shortcuts=("Ctrl+Shift+K",),
    ),
    ActionSpec(
        "actionExport",
        "&Export…",
        lambda window: window.show_export(),
        menu="File",
        tooltip="Export the trained model for use outside CNN Studio, on the Use page",
        shortcuts=("Ctrl+E",),
        icon="export",
        separator_before=True,
    ),
    ActionSpec(
        "actionSaveDrawing",
        "Save dra&wing…",
        lambda window: window.dialogs.save_drawing(),
        menu="File",
        tooltip="Save a drawing of the network as SVG or PNG",
    ),
    ActionSpec(
        "actionQuit",
        "&Quit",
        lambda window: window.close(),
        menu="File",
        tooltip="Close CNN Studio",
        shortcuts=(_Keys.Quit,),
        separator_before=True,
    ),
    ActionSpec(
        "actionDataSets",
        "&Data sets…",
        lambda window: window.dialogs.show_data_sets(),
        menu="Data",
        tooltip="Download data sets or add your own images",
        shortcuts=("Ctrl+Shift+D",),
    ),
    ActionSpec(
        "actionTrainSeeds",
        "Train with m&ultiple seeds…",
        lambda window: window.tool_bar.training.train_seeds(),
        menu="Train",
        tooltip="Train the open design with different random seeds to see how much the result varies",
        separator_before=True,
    ),
    ActionSpec(
        "actionPreflight",
        "Check &before training…",
        lambda window: window.preflight.show_check(),
        menu="Train",
        tooltip="Measure training speed and memory use at several batch sizes",
        shortcuts=("Ctrl+Shift+R",),
    ),
    ActionSpec(
        "actionFindLearningRate",
        "Find &learning rate…",
        lambda window: window.preflight.show_rate_finder(),
        menu="Train",
        tooltip="Train briefly with increasing learning rates and plot the loss",
        shortcuts=("Ctrl+Shift+L",),
    ),
    ActionSpec(
        "actionKeepAwake",
        "&Keep computer awake",
        lambda window: window.long_runs.toggle_keeping_awake(),
        menu="Train",
        tooltip="Keep the computer from going to sleep while it trains",
        checked=lambda window: window.long_runs.keeps_awake,
        separator_before=True,
    ),
    ActionSpec(
        "actionNotifyAtEnd",
        "&Notify when training ends",
        lambda window: window.long_runs.toggle_notice(),
        menu="Train",
        tooltip="Show a desktop notification if the window is not in front",
        checked=lambda window: window.long_runs.notifies,
    ),
    ActionSpec(
        "actionResetLayout",
        "&Reset layout",
        lambda window: window.reset_layout(),
        menu="View",
        tooltip="Restore all panels to their default sizes",
        separator_before=True,
    ),
    _theme_action("system", "&System", "Follow the system’s light or dark theme"),
    _theme_action("light", "&Light", "Always use the light theme"),
    _theme_action("dark", "&Dark", "Always use the dark theme"),
    ActionSpec(
        "actionRuns",
        "&All runs…",
        lambda window: window.show_runs(),
        menu="Run",
        tooltip="List all runs: show, compare, label, resume or delete them",
        shortcuts=("Ctrl+T",),
    ),
    ActionSpec(
        "actionOpenRun",
        "&Open run…",
        lambda window: window.runs.choose(),
        menu="Run",
        tooltip="Look at an earlier run, or at one that another program is training",
        shortcuts=("Ctrl+Shift+O",),
    ),
    ActionSpec(
        "actionShortcuts",
        "&Keyboard shortcuts",
        lambda window: window.dialogs.show_shortcuts(),
        menu="Help",
        tooltip="List and search all commands, keyboard shortcuts and mouse gestures",
        shortcuts=("F1",),
    ),
    ActionSpec(
        "actionAbout",
        "&About CNN Studio",
        lambda window: window.dialogs.show_about(),
        menu="Help",
        tooltip="Show the version and the license",
    ),
)
