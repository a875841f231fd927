"""The window: puts the panels together and connects them. Each panel does its own work."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QPaintEvent,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QMainWindow,
    QMessageBox,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.design.file import SUFFIX
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.dashboard.dashboard import Dashboard
from cnnstudio.gui.designer.actions import actions as designer_actions
from cnnstudio.gui.designer.inspector.inspector import Inspector
from cnnstudio.gui.designer.layer_list.layer_list import LayerList
from cnnstudio.gui.designer.palette.palette import Palette
from cnnstudio.gui.document.documents import Documents
from cnnstudio.gui.document.project import Project, Question
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.runs.follower import Opened
from cnnstudio.gui.runs.run_controller import RunController
from cnnstudio.gui.shell.dialogs import Dialogs
from cnnstudio.gui.shell.docks import Dock, arrange, name_tabs
from cnnstudio.gui.shell.idle_gc import Tidying
from cnnstudio.gui.shell.menus import Parts, build_menus, make_action
from cnnstudio.gui.shell.status_bar import StatusLine
from cnnstudio.gui.training.diagnosis_messages import Adviser
from cnnstudio.gui.training.preflight.open_dialogs import PreflightDialogs
from cnnstudio.gui.training.tool_bar import TrainingPanel
from cnnstudio.gui.widgets.message_bar import NoticeBar
from cnnstudio.runs.run import RUN_FILE

_LAYOUT_VERSION = 2
_CLOSE_SECONDS = 2.5
_AFTER_FIRST_PAINT_MS = 50


class MainWindow(QMainWindow):
    """The designer, the training panel and the dashboard around one project."""

    def __init__(
        self, project: Project, session: TrainingSession, settings: Settings, *, recover: bool = True
    ) -> None:
        super().__init__()
        self.setObjectName("mainWindow")
        self.setAcceptDrops(True)
        self.project = project
        self.session = session
        # Automated use finds everything from the window down, the designer's actions too.
        project.setParent(self)
        session.setParent(self)
        self.settings = settings
        self._is_painted = self._is_arranged = False
        self._preload = QTimer(self)
        self._preload.setSingleShot(True)
        self._preload.timeout.connect(session.preload)
        self._tidying = Tidying(project, self)
        self.documents = Documents(project, settings, self, recover=recover)
        self.dialogs = Dialogs(project, session, settings, self.documents, lambda: self.run_folder, self)
        self.export_action = make_action(
            self, "actionExport", "&Export…", self.dialogs.show_export, "Ctrl+E", "export"
        )
        self._compose()
        self._connect()
        self._restore_geometry()
        self._on_file_changed(None)

    def sizeHint(self) -> QSize:
        return QSize(1440, 900)

    # Composition

    def _compose(self) -> None:
        self.notice = NoticeBar()
        self.layers = LayerList(self.project)
        self.panel = TrainingPanel(self.project, self.session, self.export_action)
        self.dashboard = Dashboard(self.project, self.session)
        center = QWidget()
        column = QVBoxLayout(center)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.notice)
        column.addWidget(self.layers, 1)
        self.setCentralWidget(center)
        self.addToolBar(Qt.ToolBarArea.TopToolBarArea, self.panel)
        self._add_docks()
        self.status = StatusLine(self.project, self.session)
        self.setStatusBar(self.status)
        self.adviser = Adviser(self.project, self.session, self.notice, self)
        self.runs = RunController(self.session, self.dashboard.follower, lambda: self.run_folder, self)
        self.preflight = PreflightDialogs(self.project, self.session, self)
        self._recent = build_menus(self._menu_parts(), designer_actions(self.project, self))
        self._recent.show(self.settings.recent_files)

    def _menu_parts(self) -> Parts:
        return Parts(
            window=self,
            session=self.session,
            settings=self.settings,
            documents=self.documents,
            dialogs=self.dialogs,
            preflight=self.preflight,
            runs=self.runs,
            panel=self.panel,
            export=self.export_action,
            docks=self.docks,
            reset_layout=self.reset_layout,
        )

    def _add_docks(self) -> None:
        project, areas = self.project, Qt.DockWidgetArea
        right, bottom = areas.RightDockWidgetArea, areas.BottomDockWidgetArea
        palette = Dock(self, "paletteDock", "Layers", Palette(project), areas.LeftDockWidgetArea)
        inspector = Dock(self, "inspectorDock", "Inspector", Inspector(project), right)
        code = Dock(self, "codeDock", "Code", self._make_code, inspector)
        field = Dock(self, "fieldDock", "Receptive field", self._make_field, code)
        dashboard = Dock(self, "dashboardDock", "Dashboard", self.dashboard, bottom)
        drawing = Dock(self, "drawingDock", "Drawing", self._make_drawing, dashboard)
        self.docks = [palette, inspector, code, field, dashboard, drawing]
        for number, dock in enumerate(self.docks, start=1):
            dock.action.setShortcut(f"Alt+{number}")
        self.setTabPosition(areas.AllDockWidgetAreas, QTabWidget.TabPosition.North)

    # Made when they are first seen, so that the window is there sooner.

    def _make_code(self) -> QWidget:
        from cnnstudio.gui.designer.inspector.code_view import CodeView

        return CodeView(self.project, whole=True)

    def _make_field(self) -> QWidget:
        from cnnstudio.gui.designer.inspector.receptive_field_view import ReceptiveFieldView

        return ReceptiveFieldView(self.project, self.session)

    def _make_drawing(self) -> QWidget:
        from cnnstudio.gui.designer.diagram.drawing_view import DrawingView

        return DrawingView(self.project)

    @property
    def training_actions(self) -> list[QAction]:
        """Train, Pause and Stop."""
        return self.panel.training_actions

    def _connect(self) -> None:
        self.project.file_changed.connect(self._on_file_changed)
        self.project.dataset_changed.connect(lambda name: self.settings.set_text("dataset", str(name)))
        self.project.message.connect(lambda sentence: self.notice.show_sentence(str(sentence)))
        self.project.question.connect(self._on_question)
        self.documents.failed.connect(self._on_failed)
        self.documents.recent_changed.connect(self._recent.show)
        self.panel.message.connect(lambda sentence: self.notice.show_sentence(str(sentence), wrong=True))
        self.panel.remark.connect(lambda sentence: self.notice.show_sentence(str(sentence)))
        self.panel.run_actions.offered.connect(self.notice.show_message)
        self.panel.popup.rate_wanted.connect(self.preflight.show_rate_finder)
        self.panel.popup.check_wanted.connect(self.preflight.show_check)
        self.panel.data_dialog_requested.connect(lambda _: self.dialogs.show_data_sets())
        self.dialogs.message.connect(self.notice.show_message)
        self.dialogs.data_sets_changed.connect(self.panel.refresh_sources)
        self.preflight.message.connect(self.notice.show_message)
        self.preflight.measured.connect(self.panel.show_measurement)
        self._connect_runs()

    def _connect_runs(self) -> None:
        self.runs.message.connect(self.notice.show_message)
        self.runs.message_withdrawn.connect(self.notice.take_back)
        self.runs.opened.connect(self._on_run_opened)
        self.runs.diagnosed.connect(partial(self.adviser.hear, own=False))
        follower = self.dashboard.follower
        follower.changed.connect(lambda: self.panel.show_followed(follower))
        follower.changed.connect(lambda: self.status.show_followed(follower))

    def _on_run_opened(self, opened: Opened) -> None:
        if self.documents.may_discard():
            self.dashboard.show_run(opened)
            self.project.open_network(opened.record.network, None)

    def _on_failed(self, sentence: object) -> None:
        self.notice.show_sentence(str(sentence), wrong=True)

    def _on_question(self, question: Question) -> None:
        self.notice.ask(question.sentence, question.button, question.action)

    def _on_file_changed(self, _: object) -> None:
        path = self.project.path
        name = path.name if path is not None else self.project.network.name
        self.setWindowTitle(f"{name}[*] – CNN Studio")
        self.setWindowModified(self.project.is_modified)

    @property
    def run_folder(self) -> Path | None:
        """The folder of the run that the dashboard shows."""
        return self.dashboard.record.folder

    # Panels

    def _restore_geometry(self) -> None:
        self.resize(self.sizeHint())
        self._share_room()
        geometry = self.settings.bytes("geometry")
        if geometry is not None:
            self.restoreGeometry(geometry)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._is_arranged:
            self._is_arranged = True
            # Not in the first field that there is, where a key would change something.
            self.layers.tree.setFocus()
            arrange(self, self.docks)
            layout = self.settings.bytes("layout")
            if layout is not None:
                self.restoreState(layout, _LAYOUT_VERSION)
            name_tabs(self)

    def _share_room(self) -> None:
        palette, inspector, *_, dashboard, _ = self.docks
        self.resizeDocks([palette, inspector], [236, 470], Qt.Orientation.Horizontal)
        self.resizeDocks([dashboard], [300], Qt.Orientation.Vertical)

    def reset_layout(self) -> None:
        """All panels back to where they first stood."""
        arrange(self, self.docks)
        name_tabs(self)
        self._share_room()

    def open_run(self, folder: Path) -> None:
        """Shows a run folder, also one that another program writes."""
        self.runs.open(folder)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        # Behind the window: loading torch beside the first paint would hold it up by as much again.
        if not self._is_painted:
            self._is_painted = True
            self._preload.start(_AFTER_FIRST_PAINT_MS)

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
        elif path.suffix == ".py":
            self.dialogs.show_import(path)
        else:
            self.open_run(path.parent if path.name == RUN_FILE else path)

    # The end

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self._may_stop_training() or not self.documents.may_discard():
            event.ignore()
            return
        self.settings.set_bytes("geometry", self.saveGeometry())
        self.settings.set_bytes("layout", self.saveState(_LAYOUT_VERSION))
        self.settings.save()
        self._preload.stop()
        self._tidying.end()
        self.runs.close()
        self.dashboard.close_run()
        self.session.shutdown(_CLOSE_SECONDS)
        self.documents.close()
        event.accept()

    def _may_stop_training(self) -> bool:
        if self.session.state is State.IDLE:
            return True
        answer = QMessageBox.question(
            self,
            "Training is running",
            "Stop training and close? The best and the last weights so far are kept in the run folder.",
            QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.No,
            QMessageBox.StandardButton.No,
        )
        return answer == QMessageBox.StandardButton.Yes


def _path_in(event: QDropEvent) -> Path | None:
    """The first design, code or folder among what is dragged. The disk is not asked: a drive may hang."""
    names = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
    paths = [Path(name) for name in names]
    known = (path for path in paths if path.name.endswith((SUFFIX, ".py")))
    return next(known, next(iter(paths), None))
