"""The main window: creates the panels and connects them. Each panel does its own work."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QPaintEvent,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QMainWindow,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.design.file import SUFFIX
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.dashboard.dashboard import Dashboard
from cnnstudio.gui.designer.actions import design_actions
from cnnstudio.gui.designer.inspector.inspector import Inspector
from cnnstudio.gui.designer.layer_list.layer_list import LayerList
from cnnstudio.gui.designer.palette.palette import Palette
from cnnstudio.gui.document.documents import Documents
from cnnstudio.gui.document.project import Project, Question
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.runs.follower import OpenedRun
from cnnstudio.gui.runs.run_controller import RunController
from cnnstudio.gui.shell.actions import WINDOW_ACTIONS, Window
from cnnstudio.gui.shell.closing import end_work, is_unfinished
from cnnstudio.gui.shell.dialogs import Dialogs
from cnnstudio.gui.shell.docks import Dock, arrange_docks, set_tab_bar_names
from cnnstudio.gui.shell.garbage import GarbageCollector
from cnnstudio.gui.shell.menus import RecentMenu, fill_menu_bar
from cnnstudio.gui.shell.saved_layout import SavedLayout
from cnnstudio.gui.shell.status_bar import StatusBar
from cnnstudio.gui.training.device_menu import DeviceMenu
from cnnstudio.gui.training.diagnosis_messages import DiagnosisMessages
from cnnstudio.gui.training.preflight.open_dialogs import PreflightDialogs
from cnnstudio.gui.training.tool_bar import TrainingToolBar
from cnnstudio.gui.widgets.actions import ActionSet
from cnnstudio.gui.widgets.message_bar import Message, MessageBar
from cnnstudio.gui.widgets.message_box import Answer, MessageBox
from cnnstudio.gui.widgets.plain_text import plain_title
from cnnstudio.interchange.source import CODE_SUFFIXES
from cnnstudio.runs.run import RUN_FILE

_PRELOAD_DELAY_MS = 50


class MainWindow(QMainWindow):
    """The designer, the training toolbar and the dashboard for one project."""

    def __init__(self, project: Project, session: TrainingSession, settings: Settings) -> None:
        super().__init__()
        self.setObjectName("mainWindow")
        self.setAcceptDrops(True)
        self.project = project
        self.session = session
        # Other programs search below the window, and the design actions are children of the project.
        project.setParent(self)
        session.setParent(self)
        self.settings = settings
        self._is_painted = self._is_arranged = False
        self.has_closed = False
        """Whether it was closed; the user may have chosen not to wait for its background work."""
        self._preload = QTimer(self)
        self._preload.setSingleShot(True)
        self._preload.timeout.connect(session.preload)
        self._garbage_collector = GarbageCollector(project, session, self)
        self.documents = Documents(project, settings, self)
        self.dialogs = Dialogs(
            *(project, session, settings, self.documents),
            run_folder=lambda: self.run_folder,
            actions=lambda: self.action_sets,
            window=self,
        )
        self.window_actions = ActionSet[Window](self, WINDOW_ACTIONS, self)
        self.window_actions.add_to(self)
        self._compose()
        self._connect()
        self._restore_geometry()
        self._on_file_changed(None)

    def sizeHint(self) -> QSize:
        return QSize(1440, 900)

    # Composition

    def _compose(self) -> None:
        self.message_bar = MessageBar()
        self.layers = LayerList(self.project)
        self.tool_bar = TrainingToolBar(self.project, self.session, self.window_actions["actionExport"])
        self.dashboard = Dashboard(self.project, self.session)
        center = QWidget()
        column = QVBoxLayout(center)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.message_bar)
        column.addWidget(self.layers, 1)
        self.setCentralWidget(center)
        self.addToolBar(Qt.ToolBarArea.TopToolBarArea, self.tool_bar)
        self._add_docks()
        self.status = StatusBar(self.project, self.session)
        self.setStatusBar(self.status)
        self.diagnosis_messages = DiagnosisMessages(self.project, self.session, self.message_bar, self)
        self.runs = RunController(self.session, self.dashboard.follower, lambda: self.run_folder, self)
        self.preflight = PreflightDialogs(self.project, self.session, self)
        self.action_sets: tuple[ActionSet[Any], ...] = (
            design_actions(self.project, self),
            self.tool_bar.training_actions,
            self.tool_bar.run_actions.action_set,
            *(dock.action_set for dock in self.docks),
            self.window_actions,
        )
        menus = fill_menu_bar(self.menuBar(), self.action_sets)
        menus["Train"].addMenu(DeviceMenu(self.session, self.settings, menus["Train"]))
        clear = self.window_actions["actionClearRecent"]
        self._recent = RecentMenu(menus["File/Open recent"], self.documents.open_path, clear)
        self._recent.show(self.settings.recent_files)

    def _add_docks(self) -> None:
        project, areas = self.project, Qt.DockWidgetArea
        right, bottom = areas.RightDockWidgetArea, areas.BottomDockWidgetArea
        palette = Dock(self, "paletteDock", "Layers", Palette(project), areas.LeftDockWidgetArea, "Alt+1")
        inspector = Dock(self, "inspectorDock", "Inspector", Inspector(project), right, "Alt+2")
        code = Dock(self, "codeDock", "Code", self._create_code_view, inspector, "Alt+3")
        field = Dock(self, "fieldDock", "Receptive field", self._create_receptive_field_view, code, "Alt+4")
        dashboard = Dock(self, "dashboardDock", "Dashboard", self.dashboard, bottom, "Alt+5")
        drawing = Dock(self, "drawingDock", "Drawing", self._create_drawing_view, dashboard, "Alt+6")
        self.docks: list[Dock] = [palette, inspector, code, field, dashboard, drawing]
        self.setTabPosition(areas.AllDockWidgetAreas, QTabWidget.TabPosition.North)

    # Created when first shown, so that the window starts sooner.

    def _create_code_view(self) -> QWidget:
        from cnnstudio.gui.designer.inspector.code_view import CodeView

        return CodeView(self.project, complete=True)

    def _create_receptive_field_view(self) -> QWidget:
        from cnnstudio.gui.designer.inspector.receptive_field_view import ReceptiveFieldView

        return ReceptiveFieldView(self.project, self.session)

    def _create_drawing_view(self) -> QWidget:
        from cnnstudio.gui.designer.diagram.drawing_view import DrawingView

        return DrawingView(self.project)

    def _connect(self) -> None:
        self.project.file_changed.connect(self._on_file_changed)
        self.project.dataset_changed.connect(lambda name: self.settings.set_text("dataset", str(name)))
        self.project.message.connect(lambda text: self.message_bar.show_text(str(text)))
        self.project.question.connect(self._on_question)
        self.documents.failed.connect(self._on_failed)
        self.documents.run_requested.connect(self.open_run)
        self.documents.recent_changed.connect(self._recent.show)
        self.tool_bar.message.connect(lambda text: self.message_bar.show_text(str(text), is_error=True))
        self.tool_bar.info.connect(lambda text: self.message_bar.show_text(str(text)))
        self.tool_bar.noted.connect(
            lambda text: self.message_bar.show_message(Message(str(text), is_note=True))
        )
        self.tool_bar.run_actions.offered.connect(self.message_bar.show_message)
        self.tool_bar.popup.lr_finder_requested.connect(self.preflight.show_rate_finder)
        self.tool_bar.popup.check_requested.connect(self.preflight.show_check)
        self.tool_bar.data_dialog_requested.connect(lambda _: self.dialogs.show_data_sets())
        self.dialogs.message.connect(self.message_bar.show_message)
        self.dialogs.data_sets_changed.connect(self.tool_bar.refresh_sources)
        self.preflight.message.connect(self.message_bar.show_message)
        self.preflight.estimated.connect(self.tool_bar.show_estimate)
        self._connect_runs()

    def _connect_runs(self) -> None:
        self.runs.message.connect(self.message_bar.show_message)
        self.runs.message_withdrawn.connect(self.message_bar.withdraw)
        self.runs.opened.connect(self._on_run_opened)
        self.runs.diagnosed.connect(partial(self.diagnosis_messages.handle_events, own=False))
        follower = self.dashboard.follower
        follower.changed.connect(lambda: self.tool_bar.show_followed(follower))
        follower.changed.connect(lambda: self.status.show_followed(follower))

    def _on_run_opened(self, opened: OpenedRun) -> None:
        if self.documents.confirm_discard():
            self.dashboard.show_run(opened)
            self.project.open_network(opened.record.network, None)

    def _on_failed(self, message: object) -> None:
        self.message_bar.show_text(str(message), is_error=True)

    def _on_question(self, question: Question) -> None:
        self.message_bar.ask(question.text, question.button, question.action)

    def _on_file_changed(self, _: object) -> None:
        path = self.project.path
        name = path.name if path is not None else self.project.network.name
        self.setWindowTitle(f"{plain_title(name)}[*] – CNN Studio")
        self.setWindowModified(self.project.is_modified)

    @property
    def run_folder(self) -> Path | None:
        """The folder of the displayed run."""
        return self.dashboard.record.folder

    # Panels

    def _restore_geometry(self) -> None:
        self.resize(self.sizeHint())
        self._apply_default_sizes()
        self.saved_layout = SavedLayout(self, self.settings)
        self.saved_layout.restore_geometry()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._is_arranged:
            self._is_arranged = True
            # Otherwise the first field of the window gets the focus, where a key press would change a value.
            self.layers.tree.setFocus()
            arrange_docks(self, self.docks)
            self.saved_layout.restore_layout()
            set_tab_bar_names(self)

    def _apply_default_sizes(self) -> None:
        palette, inspector, *_, dashboard, _ = self.docks
        self.resizeDocks([palette, inspector], [236, 470], Qt.Orientation.Horizontal)
        self.resizeDocks([dashboard], [300], Qt.Orientation.Vertical)

    def reset_layout(self) -> None:
        """Restores all panels to their default positions."""
        arrange_docks(self, self.docks)
        set_tab_bar_names(self)
        self._apply_default_sizes()

    def open_run(self, folder: Path) -> None:
        """Opens a run folder, also one that another program is writing."""
        self.runs.open(folder)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        # Loading torch in parallel with the first paint would delay it, because both compete for the GIL.
        if not self._is_painted:
            self._is_painted = True
            self._preload.start(_PRELOAD_DELAY_MS)

    # Files dropped on the window

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _path_in(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = _path_in(event)
        if path is None:
            return
        event.acceptProposedAction()
        if path.name.endswith(SUFFIX):
            self.documents.open_path(path)
        elif path.suffix in CODE_SUFFIXES:
            self.dialogs.show_import(path)
        else:
            self.open_run(path.parent if path.name == RUN_FILE else path)

    # Closing

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self._confirm_stop_training() or not self.documents.confirm_discard():
            event.ignore()
            return
        self.saved_layout.save()
        self._preload.stop()
        self.runs.close()
        self.dashboard.close_run()
        end_work(self, self.session)
        self.documents.autosave.close()
        if not is_unfinished(self.session):
            self._garbage_collector.stop()
        event.accept()
        self.has_closed = True

    def _confirm_stop_training(self) -> bool:
        if self.session.state is State.IDLE:
            return True
        box = MessageBox(
            self,
            "Training in progress",
            "Stop training and close CNN Studio?",
            "The best and the latest weights are saved in the run folder, so you can resume later.",
            icon="stop",
            answers=(
                Answer("stop", "&Stop and close"),
                Answer("keep", "&Keep training", default=True, escape=True, primary=True),
            ),
        )
        return box.ask() == "stop"


def _path_in(event: QDropEvent) -> Path | None:
    """The first design or code file among the dragged files, else the first file or folder.

    Decides by name only: accessing the disk here could freeze the window on a slow network drive.
    """
    names = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
    paths = [Path(name) for name in names]
    known = (path for path in paths if path.name.endswith((SUFFIX, *CODE_SUFFIXES)))
    return next(known, next(iter(paths), None))
