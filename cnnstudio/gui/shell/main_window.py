"""The main window: creates the pages and the bars, and connects them. Each part does its own work."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import (
    QCloseEvent,
    QKeyEvent,
    QPaintEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QApplication, QMainWindow, QVBoxLayout, QWidget

from cnnstudio.design.network import Network
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.dashboard.frame_clock import FrameClock
from cnnstudio.gui.dashboard.timeline import Timeline
from cnnstudio.gui.data.set_watcher import SetWatcher
from cnnstudio.gui.designer.actions import design_actions
from cnnstudio.gui.document.documents import Documents
from cnnstudio.gui.document.project import Project, Question
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.experiments.actions import Experiments
from cnnstudio.gui.pages.page import LEAST
from cnnstudio.gui.pages.page_switch import PageSwitch
from cnnstudio.gui.pages.pages import Pages
from cnnstudio.gui.runs.follower import OpenedRun
from cnnstudio.gui.runs.long_runs import LongRuns
from cnnstudio.gui.runs.run_controller import RunController
from cnnstudio.gui.runs.shown_run import ShownRun
from cnnstudio.gui.runs.shown_run_actions import ShownRunActions
from cnnstudio.gui.runs.shown_run_button import ShownRunButton
from cnnstudio.gui.runs.table.overlay import RunsOverlay
from cnnstudio.gui.runs.table.panel import RunsTable
from cnnstudio.gui.runs.table.run_commands import RunCommands
from cnnstudio.gui.shell.actions import WINDOW_ACTIONS, Window
from cnnstudio.gui.shell.bottom_bar import BottomBar
from cnnstudio.gui.shell.closing import end_work, is_unfinished
from cnnstudio.gui.shell.dialogs import Dialogs
from cnnstudio.gui.shell.drops.drop_target import DropTarget
from cnnstudio.gui.shell.drops.opener import Opener
from cnnstudio.gui.shell.garbage import GarbageCollector
from cnnstudio.gui.shell.last_session import LastSession
from cnnstudio.gui.shell.menus import RecentMenu, fill_menu_bar
from cnnstudio.gui.shell.page_actions import PAGE_ACTIONS, PageOwner, epoch_key
from cnnstudio.gui.shell.saved_geometry import SavedGeometry
from cnnstudio.gui.shell.status_line import StatusLine
from cnnstudio.gui.shell.training_again import TrainingAgain
from cnnstudio.gui.training.adaptation_offer import AdaptationOffer
from cnnstudio.gui.training.class_weights_offer import ClassWeightsOffer
from cnnstudio.gui.training.device_menu import DeviceMenu
from cnnstudio.gui.training.diagnosis_messages import DiagnosisMessages
from cnnstudio.gui.training.preflight.background_estimate import BackgroundEstimate
from cnnstudio.gui.training.preflight.open_dialogs import PreflightDialogs
from cnnstudio.gui.training.tool_bar import TrainingToolBar
from cnnstudio.gui.widgets.actions import ActionSet
from cnnstudio.gui.widgets.message_bar import MessageBar
from cnnstudio.gui.widgets.message_box import Answer, MessageBox
from cnnstudio.gui.widgets.plain_text import plain_title

_PRELOAD_DELAY_MS = 50


class MainWindow(QMainWindow):
    """Five pages over one design and one run on show."""

    def __init__(
        self,
        project: Project,
        session: TrainingSession,
        settings: Settings,
        last_session: LastSession,
    ) -> None:
        super().__init__()
        self.setObjectName("mainWindow")
        self.project = project
        self.session = session
        # Other programs search below the window, and the design actions are children of the project.
        project.setParent(self)
        session.setParent(self)
        self.settings = settings
        self._is_painted = False
        self.has_closed = False
        """Whether it was closed; the user may have chosen not to wait for its background work."""
        self._preload = QTimer(self)
        self._preload.setSingleShot(True)
        self._preload.timeout.connect(self._on_painted)
        self._garbage_collector = GarbageCollector(project, session, self)
        self.documents = Documents(project, settings, self)
        self.shown_run = ShownRun(project, session, self)
        self.clock = FrameClock(self)
        self.dialogs = Dialogs(
            *(project, session, settings, self.documents),
            run_folder=lambda: self.run_folder,
            actions=lambda: self.action_sets,
            start=lambda: self.tool_bar.start,
            window=self,
        )
        self.long_runs = LongRuns(session, settings, self)
        self.set_watcher = SetWatcher(project, self)
        self.window_actions = ActionSet[Window](self, WINDOW_ACTIONS, self)
        self.window_actions.add_to(self)
        self.last_session = last_session
        self._compose()
        self._connect()
        self.tool_bar.start.restore(last_session.start_weights)
        self.saved_geometry = SavedGeometry(self, settings)
        self.saved_geometry.restore()
        self._on_file_changed(None)

    def sizeHint(self) -> QSize:
        return QSize(1440, 900)

    def minimumSizeHint(self) -> QSize:
        return QSize(LEAST, 640)

    # Composition

    def _compose(self) -> None:
        project, session, cursor = self.project, self.session, self.shown_run.cursor
        self.message_bar = MessageBar()
        self.pages = Pages(project, session, self.shown_run, self.clock, self.settings)
        self.page_switch = PageSwitch(self.pages.titles)
        self.shown_run_button = ShownRunButton(project, self.shown_run)
        self.tool_bar = TrainingToolBar(project, session, self.page_switch, self.shown_run_button)
        self.timeline = Timeline(cursor)
        self.status = StatusLine(project, session)
        self.bottom_bar = BottomBar(self.status, self.timeline)
        center, middle = QWidget(), QVBoxLayout()
        middle.setContentsMargins(0, 8, 0, 8)
        middle.setSpacing(8)
        middle.addWidget(self.pages, 1)
        column = QVBoxLayout(center)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(middle, 1)
        below = QWidget()
        column.addWidget(below)
        column.addWidget(self.bottom_bar)
        self.setCentralWidget(center)
        self.message_bar.float_over(self.pages, self, below)
        self.message_bar.keep_clear(self.pages.data.queue)
        self.addToolBar(Qt.ToolBarArea.TopToolBarArea, self.tool_bar)
        self.diagnosis_messages = DiagnosisMessages(project, session, self.message_bar, self)
        self.class_weights_offer = ClassWeightsOffer(project, self.message_bar, self.settings, self)
        self.adaptation = AdaptationOffer(project, self.message_bar, self)
        self.adaptation.action_set.add_to(self)
        self.runs = RunController(session, self.shown_run.follower, lambda: self.run_folder, self)
        self.preflight = PreflightDialogs(project, session, self, lambda: self.tool_bar.start.source)
        self.estimate = BackgroundEstimate(project, session, self._waits_for_first_run, self)
        signals = (self.pages.turned, cursor.run_changed, cursor.epoch_changed, cursor.playing_changed)
        self.page_actions = ActionSet[PageOwner](self, PAGE_ACTIONS, self, signals)
        self.page_actions.add_to(self)
        self.run_commands = RunCommands(session, self)
        self.run_menu = ShownRunActions(self.shown_run, session, self.runs, self.run_commands, self)
        self.experiments = Experiments(self.shown_run, session, self)
        self.training_again = TrainingAgain(self.pages.data, self.experiments, self.shown_run, session, self)
        self.action_sets: tuple[ActionSet[Any], ...] = (
            design_actions(project, self),
            self.adaptation.action_set,
            self.tool_bar.training_actions,
            self.tool_bar.run_actions.action_set,
            self.page_actions,
            self.window_actions,
            self.run_menu.action_set,
            self.experiments.action_set,
        )
        menus = fill_menu_bar(self.menuBar(), self.action_sets)
        self.message_bar.stand_beside(self.menuBar())
        menus["Train"].addMenu(DeviceMenu(session, self.settings, menus["Train"]))
        clear = self.window_actions["actionClearRecent"]
        self._recent = RecentMenu(menus["File/Open recent"], self.documents.open_path, clear)
        self._recent.show(self.settings.recent_files)
        for before, after in pairwise((self.shown_run_button, *self.pages.design.layers.tab_stops)):
            self.setTabOrder(before, after)
        table = RunsTable(self.run_commands, self.settings)
        self.runs_overlay = RunsOverlay(table, self.pages, self, self.shown_run_button)
        parts = (self.documents, self.dialogs, self.pages)
        self.opener = Opener(*parts, lambda: self.shown_run.title, self)
        self.drop_target = DropTarget(self, self.opener)

    def _connect(self) -> None:
        self.project.file_changed.connect(self._on_file_changed)
        self.project.message.connect(self._on_edit_refused)
        self.project.question.connect(self._on_question)
        self.documents.failed.connect(self._on_failed)
        self.documents.recent_changed.connect(self._recent.show)
        self.documents.opened.connect(lambda: self.pages.turn_to(self.pages.DESIGN))
        self.tool_bar.message.connect(self.message_bar.show_message)
        self.tool_bar.popup.lr_finder_requested.connect(self.preflight.show_rate_finder)
        self.tool_bar.popup.check_requested.connect(self.preflight.show_check)
        self.tool_bar.data_dialog_requested.connect(lambda _: self.dialogs.show_data_sets())
        self.tool_bar.status_changed.connect(self._on_tool_bar_status)
        self.dialogs.message.connect(self.message_bar.show_message)
        self.dialogs.data_sets_changed.connect(self.tool_bar.refresh_sources)
        self.dialogs.data_sets_changed.connect(self.pages.data.refresh_sets)
        self.pages.data.sets_changed.connect(self.tool_bar.refresh_sources)
        self.set_watcher.changed.connect(self.tool_bar.refresh_sources)
        self.set_watcher.changed.connect(self.pages.data.follow_changes)
        self.set_watcher.changed.connect(self.dialogs.data_sets_followed)
        self.set_watcher.message.connect(self.message_bar.show_message)
        self.preflight.message.connect(self.message_bar.show_message)
        self.preflight.estimated.connect(self.tool_bar.status.show_estimate)
        self.preflight.estimated.connect(self.pages.train.curves.show_estimate)
        self.estimate.estimated.connect(self.tool_bar.status.show_estimate)
        self.estimate.estimated.connect(self.pages.train.curves.show_estimate)
        self.pages.turned.connect(self.estimate.consider)
        self.pages.explore.run_wanted.connect(self.show_runs)
        self.pages.use.try_panel.empty.run_wanted.connect(self.show_runs)
        self.page_switch.chosen.connect(lambda number: self.pages.turn_to(int(number)))
        self.pages.turned.connect(self._on_page_turned)
        self.pages.message.connect(self.message_bar.show_message)
        self.pages.turn_to_remembered()
        self.opener.message.connect(self.message_bar.show_message)
        self.opener.run_requested.connect(self.runs.open)
        self.opener.start_requested.connect(lambda path: self.tool_bar.start.ask(path))
        self._connect_runs()

    def _connect_runs(self) -> None:
        self.runs.message.connect(self.message_bar.show_message)
        self.runs.message_withdrawn.connect(self.message_bar.withdraw)
        self.runs.opened.connect(self._on_run_opened)
        self.runs.restored.connect(self.shown_run.show_opened)
        self.runs.diagnosed.connect(partial(self.diagnosis_messages.handle_events, own=False))
        self._connect_runs_table()
        follower, cursor = self.shown_run.follower, self.shown_run.cursor
        follower.changed.connect(lambda: self.tool_bar.status.show_followed(follower))
        follower.changed.connect(lambda: self.status.show_followed(follower))
        for signal in (cursor.run_changed, cursor.epoch_changed, cursor.live_changed, cursor.images_changed):
            signal.connect(self.clock.refresh)
        cursor.advanced.connect(self.clock.schedule)
        self.clock.frame.connect(self.timeline.refresh)
        self.session.state_changed.connect(self._on_state_changed)
        self.pages.turned.connect(self.message_bar.refresh)
        project, session = self.project, self.session
        reasons = (project.network_changed, project.recipe_changed, project.dataset_changed)
        for signal in (*reasons, project.file_changed, session.state_changed, cursor.run_changed):
            signal.connect(self.message_bar.refresh)

    def _connect_runs_table(self) -> None:
        overlay = self.runs_overlay
        self.shown_run_button.clicked.connect(self.show_runs)
        self.run_commands.message.connect(self.message_bar.show_message)
        self.run_menu.message.connect(self.message_bar.show_message)
        self.experiments.message.connect(self.message_bar.show_message)
        self.experiments.review_requested.connect(self._on_review_requested)
        self.pages.data.prediction_requested.connect(self.experiments.predict_images_in)
        self.pages.source.label_errors_wanted.connect(self.experiments.find_label_errors)
        self.run_menu.comparison_requested.connect(overlay.open_to_compare)
        self.run_commands.design_requested.connect(self._open_design_of_run)
        self.run_commands.start_wanted.connect(self._on_start_wanted)
        overlay.table.run_chosen.connect(self._on_run_chosen)
        overlay.table.compared.connect(self.dialogs.compare_runs)
        overlay.table.overlaid.connect(self._on_runs_overlaid)
        deletion, shown = self.run_commands.deletion, self.shown_run
        deletion.pending_changed.connect(self.message_bar.refresh)
        deletion.hidden_changed.connect(lambda: shown.hide(deletion.hidden))
        deletion.deleted.connect(shown.forget)
        deletion.deleted.connect(self.tool_bar.status.forget)
        shown.next_wanted.connect(lambda record: self.runs.open_next(record, deletion.hidden))
        deletion.restored.connect(shown.unforget)
        shown.return_wanted.connect(self.runs.reopen)
        self.runs.next_found.connect(shown.show_next)
        self.runs.reopened.connect(shown.show_again)
        shown.cursor.run_changed.connect(lambda record: overlay.table.mark_shown(record.folder))
        self.run_commands.renamed.connect(lambda named: self.shown_run.rename(*named))
        self.pages.turned.connect(lambda _: overlay.close_table())
        slot = overlay.table.message_slot
        overlay.visibility_changed.connect(lambda on: self.message_bar.use_slot(slot if on else None))

    def show_runs(self) -> None:
        """Lays the table of runs over the page, or takes it away."""
        self.runs_overlay.toggle(self.run_folder)

    def _on_run_chosen(self, folder: object) -> None:
        assert isinstance(folder, Path)
        self.runs_overlay.close_table()
        self.open_run(folder)

    def _on_start_wanted(self, folder: object) -> None:
        """Chooses the weights of a run of the table for the next training."""
        assert isinstance(folder, Path)
        self.runs_overlay.close_table()
        self.tool_bar.start.ask(folder)

    def _on_runs_overlaid(self, folders: object) -> None:
        assert isinstance(folders, tuple)
        self.runs_overlay.close_table()
        self.shown_run.overlays.add(folders)
        self.pages.turn_to(self.pages.TRAIN)

    def _on_review_requested(self, wanted: object) -> None:
        """Opens the review queue with images that somebody has found in a data set."""
        assert isinstance(wanted, tuple)
        name, title, items = wanted
        self.pages.turn_to(self.pages.DATA)
        self.pages.data.review(name, title, items)

    def _open_design_of_run(self, network: object) -> None:
        assert isinstance(network, Network)
        self.runs_overlay.close_table()
        self.documents.open_template(network)

    def _on_state_changed(self, state: object) -> None:
        if state is State.LOADING:
            self.message_bar.dismiss()
            focused = QApplication.focusWidget()
            # Once for each training: a user who turns back stays there.
            self.pages.turn_to(self.pages.TRAIN)
            if focused is None or self.tool_bar.isAncestorOf(focused):
                # Train is disabled now: Qt has given its focus to Stop.
                self.pages.focus_first(always=True)

    def _on_run_opened(self, opened: OpenedRun) -> None:
        self.shown_run.show_opened(opened)
        if not self.pages.looks_at_run:
            self.pages.turn_to(self.pages.TRAIN)

    def _on_page_turned(self, number: object) -> None:
        assert isinstance(number, int)
        self.page_switch.show_page(number)
        self.bottom_bar.show_timeline(self.pages.current.has_timeline)
        self.clock.refresh()

    def _on_tool_bar_status(self) -> None:
        bar = self.tool_bar
        self.timeline.set_narrow(bar.is_narrow)
        texts = ("", "") if bar.shows_sentence else (bar.status.text, bar.status.short_text)
        self.status.show_progress(*texts)

    def _on_failed(self, message: object) -> None:
        network = self.project.network
        self.message_bar.show_text(str(message), is_error=True, holds=lambda: self.project.network is network)

    def _on_edit_refused(self, text: object) -> None:
        """Says why an edit was not possible, until there is another one."""
        network = self.project.network
        self.message_bar.show_text(str(text), holds=lambda: self.project.network is network)

    def _on_question(self, question: Question) -> None:
        self.message_bar.ask(question.text, question.button, question.action)

    def _on_file_changed(self, _: object) -> None:
        path = self.project.path
        name = path.name if path is not None else self.project.network.name
        self.setWindowTitle(f"{plain_title(name)}[*] – CNN Studio")
        self.setWindowModified(self.project.is_modified)

    def _waits_for_first_run(self) -> bool:
        """Whether the user looks at the empty curves, which say how long a training takes."""
        record = self.shown_run.record
        return self.pages.currentIndex() == self.pages.TRAIN and not record.network.nodes

    @property
    def run_folder(self) -> Path | None:
        """The folder of the run on show."""
        return self.shown_run.record.folder

    @property
    def layers(self) -> QWidget:
        """The layer list."""
        return self.pages.design.layers

    # Pages and panels

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.set_watcher.start()
        self.pages.focus_first()

    def reset_layout(self) -> None:
        """Restores all panels to their default sizes."""
        self.pages.reset()

    def open_run(self, folder: Path) -> None:
        """Opens a run folder, also one that another program is writing."""
        self.runs.open(folder)

    def show_export(self) -> None:
        """Turns to the export of the run on show."""
        self.pages.show_export()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        # Loading torch in parallel with the first paint would delay it, because both compete for the GIL.
        if not self._is_painted:
            self._is_painted = True
            self._preload.start(_PRELOAD_DELAY_MS)

    def _on_painted(self) -> None:
        self.session.preload()
        folder = self.last_session.run_to_show
        if folder is not None and not self.shown_run.record.network.nodes:
            self.runs.open_quietly(folder)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # Only keys that the widget with the focus does not use get here.
        if not (self.pages.current.has_timeline and epoch_key(self.shown_run.cursor, event)):
            super().keyPressEvent(event)

    # Closing

    def closeEvent(self, event: QCloseEvent) -> None:
        # If asking fails, nobody has agreed to it; what fails after that does not keep the window open.
        event.ignore()
        if not self._confirm_stop_training() or not self.documents.confirm_discard():
            return
        event.accept()
        self.pages.save()
        self.last_session.save(self.run_folder, self.tool_bar.start.to_text())
        self.saved_geometry.save()
        self._preload.stop()
        self.runs.close()
        self.run_commands.deletion.finish()
        self.opener.close()
        self.estimate.close()
        self.runs_overlay.table.close_tasks()
        self.long_runs.close()
        self.set_watcher.close()
        self.pages.close_tasks()
        self.shown_run.close()
        end_work(self, self.session)
        self.documents.autosave.close()
        if not is_unfinished(self.session):
            self._garbage_collector.stop()
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
