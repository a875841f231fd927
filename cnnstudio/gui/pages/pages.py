"""The stack of the five pages."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QApplication, QStackedWidget, QWidget

from cnnstudio.gui.compute.instrument_requests import InstrumentRequests
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.dashboard.frame_clock import FrameClock
from cnnstudio.gui.dashboard.maps.run_maps import RunMaps
from cnnstudio.gui.dashboard.views.base import ImagesToReview
from cnnstudio.gui.dashboard.views.readings import MomentSource
from cnnstudio.gui.document.pinned_images import PinnedImages
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.pages.data_page import DataPage
from cnnstudio.gui.pages.data_set.review_of_run import ReviewOfRun
from cnnstudio.gui.pages.design_page import DesignPage
from cnnstudio.gui.pages.explore_page import ExplorePage
from cnnstudio.gui.pages.page import Page, focus_panel
from cnnstudio.gui.pages.train_page import TrainPage
from cnnstudio.gui.pages.use_page import UsePage
from cnnstudio.gui.runs.shown_run import ShownRun

_KEY = "page"


class Pages(QStackedWidget):
    """Data, Design, Train, Explore and Use. Turning a page changes nothing else."""

    DATA, DESIGN, TRAIN, EXPLORE, USE = range(5)

    turned = Signal(object)
    """The index of the page that is shown now."""
    message = Signal(object)
    """A Message for the user, such as about an image that was saved."""

    def __init__(
        self,
        project: Project,
        session: TrainingSession,
        shown: ShownRun,
        clock: FrameClock,
        settings: Settings,
    ) -> None:
        super().__init__()
        self._settings = settings
        self.data = DataPage(project, session, settings)
        self.design = DesignPage(project, session, shown, clock, settings)
        self.requests = InstrumentRequests(session, self)

        def create_maps() -> RunMaps:
            return RunMaps(shown, session, clock)

        pinned = PinnedImages(settings.path.parent / "pinned", self)
        self.source = MomentSource(shown.cursor, shown.selection, self.requests, create_maps, pinned, self)
        self.train = TrainPage(project, shown, clock, self.source, settings)
        self.explore = ExplorePage(shown, self.source, settings)
        self.use = UsePage(session, shown, self.source, settings)
        self.all: tuple[Page, ...] = (self.data, self.design, self.train, self.explore, self.use)
        for page in self.all:
            self.addWidget(page)
        for views in (self.train.views, self.explore.views):
            views.message.connect(self.message)
        self.use.try_panel.message.connect(self.message)
        self.data.message.connect(self.message)
        self.train.curves.message.connect(self.message)
        self._review = ReviewOfRun(self)
        self._review.message.connect(self.message)
        self._review.found.connect(self._on_review_found)
        for views in (self.train.views, self.explore.views):
            views.review_wanted.connect(self._on_review_wanted)
        self.source.training_images_wanted.connect(self._on_review_wanted)
        self._shown = shown
        shown.saved_changed.connect(self._on_saved_changed)
        self.setCurrentIndex(self.DESIGN)

    def _on_saved_changed(self) -> None:
        # Of what the session trains, the requests hear by themselves when the files are written.
        if not self._shown.is_own:
            self.requests.discard_outdated()

    def _on_review_wanted(self, wanted: object) -> None:
        assert isinstance(wanted, ImagesToReview)
        folder = self._shown.record.folder
        if folder is not None:
            self._review.look_for(folder, wanted)

    def _on_review_found(self, found: object) -> None:
        """Images of the run on show are to be reviewed: they are on the Data page."""
        assert isinstance(found, tuple)
        self.turn_to(self.DATA)
        self.data.review(*found)

    @property
    def titles(self) -> list[str]:
        return [page.title for page in self.all]

    @property
    def current(self) -> Page:
        return self.all[self.currentIndex()]

    @property
    def looks_at_run(self) -> bool:
        """Whether the page that is shown is about the run on show."""
        return self.currentIndex() in (self.TRAIN, self.EXPLORE, self.USE)

    def turn_to(self, number: int) -> None:
        """Shows a page."""
        if number != self.currentIndex():
            focused = QApplication.focusWidget()
            had_focus = focused is not None and self.isAncestorOf(focused)
            # Before it is shown: Qt shows what is added to a visible widget only later.
            self.all[number].ensure_built()
            self.setCurrentIndex(number)
            if had_focus:
                # Qt has given it to whatever comes next.
                self.focus_first(always=True)
            # Not from currentChanged, which Qt also emits while it destroys the pages.
            self.turned.emit(number)

    def turn_to_remembered(self) -> None:
        """Shows the page on which the window was closed, else Design."""
        wanted = self._settings.text(_KEY)
        number = next((n for n, page in enumerate(self.all) if page.title == wanted), self.DESIGN)
        self.setCurrentIndex(number)
        self.turned.emit(number)

    def save(self) -> None:
        """Remembers the page, and where its splitters are."""
        self._settings.set_text(_KEY, self.current.title)
        for page in self.all:
            page.save()

    def reset(self) -> None:
        """Puts all splitters where they are in a new window."""
        for page in self.all:
            page.reset()

    def close_tasks(self) -> None:
        """Ends what the pages do in the background."""
        self._review.close()
        self.data.close_tasks()
        self.use.try_panel.close_tasks()
        self.requests.close()
        for views in (self.train.views, self.explore.views):
            views.close_run()

    # Panels

    def focus_first(self, *, always: bool = False) -> None:
        """Gives the focus to the first panel of the page, if `always` is false unless a panel has it."""
        panels = self.current.panels
        focused = QApplication.focusWidget()
        if panels and (always or focused is None or not any(_has(panel, focused) for panel in panels)):
            focus_panel(panels[0])

    def focus_next_panel(self, step: int) -> None:
        """Goes from the panel with the focus to another one of the page."""
        panels = [panel for panel in self.current.panels if panel.isVisible()]
        if not panels:
            return
        focused = QApplication.focusWidget()
        here = next((n for n, panel in enumerate(panels) if _has(panel, focused)), None)
        number = (0 if step > 0 else -1) if here is None else here + step
        for offset in range(len(panels)):
            if focus_panel(panels[(number + offset * step) % len(panels)]):
                return

    def show_export(self) -> None:
        """Shows the export panel with the focus."""
        self.turn_to(self.USE)
        if self.use.export is not None:
            focus_panel(self.use.export)


def _has(panel: QWidget, focused: QWidget | None) -> bool:
    return focused is not None and (panel is focused or panel.isAncestorOf(focused))
