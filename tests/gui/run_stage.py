"""A small window around a session: the parts that show a run, as the program puts them together."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from cnnstudio.core.paths import home
from cnnstudio.gui.compute.questions import Answer, Question
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.dashboard.frame_clock import FrameClock
from cnnstudio.gui.dashboard.maps.run_maps import RunMaps
from cnnstudio.gui.dashboard.timeline import Timeline
from cnnstudio.gui.dashboard.views.readings import MomentSource
from cnnstudio.gui.document.pinned_images import PinnedImages
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.pages.train_page import TrainPage
from cnnstudio.gui.runs.follower import OpenedRun
from cnnstudio.gui.runs.record import RunRecord
from cnnstudio.gui.runs.shown_run import ShownRun


class NoAnswers(QObject):
    """Nothing is known but what the feature maps find by themselves."""

    changed = Signal()

    def answer(self, question: Question) -> Answer:
        return Answer(problem="Not known here.")

    def want(self, questions: frozenset[Question]) -> None:
        pass


class RunStage(QWidget):
    """The Train page with the timeline below it."""

    def __init__(self, project: Project, session: TrainingSession) -> None:
        super().__init__()
        self.shown = ShownRun(project, session, self)
        self.clock = FrameClock(self)
        self.answers = NoAnswers(self)

        def create_maps() -> RunMaps:
            return RunMaps(self.shown, session, self.clock)

        pinned = PinnedImages(home() / "pinned", self)
        cursor, selection = self.shown.cursor, self.shown.selection
        source = MomentSource(cursor, selection, self.answers, create_maps, pinned, self)
        self.page = TrainPage(project, self.shown, self.clock, source, Settings())
        self.timeline = Timeline(self.shown.cursor)
        self.learning = self.page.curves.learning
        self.feature_maps = self.page.maps
        self.follower = self.shown.follower
        for signal in (cursor.run_changed, cursor.epoch_changed, cursor.live_changed, cursor.images_changed):
            signal.connect(self.clock.refresh)
        cursor.advanced.connect(self.clock.schedule)
        self.clock.frame.connect(self.timeline.refresh)
        column = QVBoxLayout(self)
        column.addWidget(self.page, 1)
        column.addWidget(self.timeline)
        self.clock.refresh()

    @property
    def record(self) -> RunRecord:
        return self.shown.record

    @property
    def is_live(self) -> bool:
        return self.shown.is_live

    def show_run(self, opened: OpenedRun) -> None:
        self.shown.show_opened(opened)

    def close_run(self) -> None:
        self.shown.close()
        self.page.maps.close_run()
        self.page.strip.close()
