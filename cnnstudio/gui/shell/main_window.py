"""The window: puts the panels together and connects them. Each panel does its own work."""

from __future__ import annotations

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

from cnnstudio import __version__
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
from cnnstudio.gui.runs.run_controller import RunDesk
from cnnstudio.gui.shell import dialogs
from cnnstudio.gui.shell.docks import Dock, arrange, name_tabs
from cnnstudio.gui.shell.idle_gc import Tidying
from cnnstudio.gui.shell.menus import build_menus, make_action
from cnnstudio.gui.shell.status_bar import StatusLine
from cnnstudio.gui.training.adviser import Adviser
from cnnstudio.gui.training.panel import TrainingPanel
from cnnstudio.gui.training.preflight import open_dialogs as trials
from cnnstudio.gui.training.run_actions import Offer
from cnnstudio.gui.widgets.message_bar import NoticeBar
from cnnstudio.runs.run import RUN_FILE

_LAYOUT_VERSION = 2
_CLOSE_SECONDS = 2.5
_AFTER_FIRST_PAINT_MS = 50
_STILL_TRAINING = "The model can be exported when training has ended: press Stop, or wait for it."


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
        self.export_action = make_action(
            self, "actionExport", "&Export…", self.show_export_dialog, "Ctrl+E", "export"
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
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.notice)
        column.addWidget(self.layers, 1)
        self.setCentralWidget(centre)
        self.addToolBar(Qt.ToolBarArea.TopToolBarArea, self.panel)
        self._add_docks()
        self.status = StatusLine(self.project, self.session)
        self.setStatusBar(self.status)
        self.adviser = Adviser(self.project, self.session, self.notice, self)
        self.runs = RunDesk(self)
        self._recent = build_menus(self, designer_actions(self.project, self))
        self._recent.show(self.settings.recent_files)

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
        self.panel.run_actions.offered.connect(self._on_offer)
        self.panel.popup.rate_wanted.connect(lambda: trials.show_rate_finder(self))
        self.panel.popup.check_wanted.connect(lambda: trials.show_preflight(self))
        self.panel.data_dialog_requested.connect(lambda _: self.show_data_dialog())

    def _on_failed(self, sentence: object) -> None:
        self.notice.show_sentence(str(sentence), wrong=True)

    def _on_offer(self, offer: Offer) -> None:
        self.notice.show_sentence(offer.sentence, button=offer.button, action=offer.action)

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

    def save_drawing(self) -> None:
        """Asks where to save the drawing of the network."""
        from cnnstudio.gui.designer.diagram.drawing_view import ask_and_save

        ask_and_save(self, self.project)

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

    # Dialogs

    def show_data_dialog(self) -> None:
        """Data sets: download, own archive, picture folders."""
        from cnnstudio.gui.data.dialog import DataDialog

        dialog = DataDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.chosen.connect(self._on_data_chosen)
        dialog.finished.connect(lambda _: self.panel.refresh_sources())
        dialog.open()

    def _on_data_chosen(self, name: object) -> None:
        self.project.set_dataset(str(name), None)

    def show_export_dialog(self) -> None:
        """Export of the run that the dashboard shows; says what is missing where there is none."""
        from cnnstudio.gui.export.dialog import ExportDialog

        if self.session.state is not State.IDLE:
            self.notice.show_sentence(_STILL_TRAINING)
            return
        if self.run_folder is None or not (self.run_folder / "checkpoints").is_dir():
            self.notice.show_sentence(
                "There is no trained model yet: press Train, or open an earlier run (Run ▸ Open a run…)."
            )
            return
        dialog = ExportDialog(self.session, self.run_folder, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def open_run(self, folder: Path) -> None:
        """Shows a run folder, also one that another program writes."""
        self.runs.open(folder)

    def show_shortcuts(self) -> None:
        """All keys, read off the actions themselves."""
        from cnnstudio.gui.shell.shortcuts_dialog import ShortcutsDialog

        ShortcutsDialog(self).open()

    def show_about(self) -> None:
        QMessageBox.about(
            self,
            "About CNN Studio",
            f"<b>CNN Studio {__version__}</b><p>Draw a convolutional network, train it, watch it learn, "
            "and take the model away.</p><p>MIT licence.</p>",
        )

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
            dialogs.show_import(self, path)
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
