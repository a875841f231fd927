"""The dashboard: a run at a place in time. Live, that is its end; an old run is the same, from its folder."""

from __future__ import annotations

import time
from collections.abc import Iterable

from PySide6.QtCore import QTimer
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from cnnstudio.data.dataset import Dataset
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.dashboard.maps.feature_maps import HINT, FeatureMapsView
from cnnstudio.gui.dashboard.plots.learning import LearningView
from cnnstudio.gui.dashboard.tabs import ViewTabs
from cnnstudio.gui.dashboard.timeline import Timeline
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.runs.follower import Follower, Opened
from cnnstudio.gui.runs.map_loader import Shelf, Wish
from cnnstudio.gui.runs.record import Record
from cnnstudio.gui.widgets.labels import Panel
from cnnstudio.insight.maps import FeatureMaps
from cnnstudio.training.events import EpochEnded, Event, Finished, UnitsChecked

_WIDE = 900
"""Pixels from which on two views stand side by side."""
_SHORTEST_FRAME, _LONGEST_FRAME = 0.12, 1.0
"""Seconds between two drawings."""
_PATIENCE_SECONDS = 0.4
_WORKING_SHARE = 0.04
"""Of the time that the main thread works while it trains, about: torch wants all cores."""

LEARNING, FEATURE_MAPS = 0, 1


class Dashboard(Panel):
    """Shows the record of a run: the session's, or one that was opened. Draws only what can be seen."""

    def __init__(self, project: Project, session: TrainingSession) -> None:
        super().__init__("dashboard")
        self._project = project
        self._session = session
        self._live = Record()
        self._record = self._live
        self._layer: str | None = None
        self.follower = Follower(self)
        """Keeps the record of a run that was opened."""
        self._shelf = Shelf(self)
        self._wish: Wish | None = None
        self._snapshots: list[int] = []
        self._frame = QTimer(self)
        self._frame.setSingleShot(True)
        self._frame.timeout.connect(self._draw)
        self._compose()
        self._asked_at = 0.0
        self._drawn_at = 0.0
        self._worked = 0.0
        self._clock = time.thread_time()
        self._connect()
        self._refresh()

    def _compose(self) -> None:
        self.tabs = ViewTabs((("Learning", "tabLearning"), ("Feature maps", "tabFeatureMaps")))
        self.learning = LearningView()
        self.feature_maps = FeatureMapsView()
        self.timeline = Timeline()
        self._views: tuple[QWidget, ...] = (self.learning, self.feature_maps)
        row = QHBoxLayout()
        row.setSpacing(24)
        for view in self._views:
            row.addWidget(view, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 6, 14, 8)
        column.setSpacing(6)
        column.addWidget(self.tabs)
        column.addLayout(row, 1)
        column.addWidget(self.timeline)
        self._on_shown_changed(self.tabs.shown)

    def _connect(self) -> None:
        session, project = self._session, self._project
        session.events.connect(self._on_events)
        session.state_changed.connect(self._on_state_changed)
        session.dataset_loaded.connect(self._on_dataset_loaded)
        self.follower.began.connect(self._on_followed_anew)
        self.follower.grew.connect(self._on_followed_events)
        self.follower.changed.connect(self._on_followed_changed)
        self._shelf.arrived.connect(self._refresh)
        project.selection_changed.connect(self._on_selection_changed)
        project.recipe_changed.connect(self._on_recipe_changed)
        self.tabs.shown_changed.connect(self._on_shown_changed)
        self.feature_maps.image_chosen.connect(self._on_image_chosen)
        self.timeline.slider.chosen.connect(self._on_place_chosen)

    # What is shown

    @property
    def record(self) -> Record:
        """The run that is shown."""
        return self._record

    @property
    def is_live(self) -> bool:
        """Whether the run that is shown is being trained now."""
        if self._record is self._live:
            return self._session.state is not State.IDLE
        return self.follower.is_running

    def show_run(self, opened: Opened) -> None:
        """Shows an earlier run, or one that another program trains."""
        self.timeline.slider.choose(None)
        self.follower.follow(opened)

    def close_run(self) -> None:
        """Looks for no more of the run that is shown."""
        self.follower.close()
        self._shelf.close()

    def _begin(self) -> None:
        """A record is shown from its end."""
        self.follower.close()
        self.timeline.slider.choose(None)
        self._layer = None
        self.feature_maps.show_hint("Feature maps", HINT)
        self._show_record()

    def _show_record(self) -> None:
        self._wish = None
        self._shelf.forget()
        self.feature_maps.show_images(self._record.images, self._record.image_names)
        self._choose_layer()
        self._refresh()

    def _on_state_changed(self, state: object) -> None:
        if state is State.LOADING and self._session.network is not None:
            before = self._record
            self._live = self._record = Record(self._session.network)
            if before.folder is not None and before.folder == self._session.continues:
                self._live.go_on_from(before)
            self._begin()
        elif state is State.IDLE:
            self._refresh()

    def _on_dataset_loaded(self, loaded: tuple[str, Dataset]) -> None:
        self._live.take_images(loaded[1])
        if self._record is self._live:
            self.feature_maps.show_images(self._live.images, self._live.image_names)
            self._choose_layer()

    def _on_events(self, events: Iterable[Event]) -> None:
        self._live.feed(events)
        if self._record is not self._live:
            return
        self._find_newer_maps(events)
        if self._layer is None:
            self._choose_layer()
        self._plan_frame()

    # A run that another program writes

    def _on_followed_anew(self, record: object) -> None:
        """Another run; or the same one, which goes on from an earlier place. Where one looks stays."""
        assert isinstance(record, Record)
        if record.folder != self._record.folder or record.network != self._record.network:
            self._layer = None
            self.feature_maps.show_hint("Feature maps", HINT)
        self._record = record
        self._show_record()

    def _on_followed_events(self, events: Iterable[Event]) -> None:
        self._find_newer_maps(events)
        self._plan_frame()

    def _on_followed_changed(self) -> None:
        """The maps of an epoch may be there a while after its end."""
        look = self.follower.look
        if look is not None and look.snapshots != self._snapshots:
            self._snapshots = look.snapshots
            self._shelf.forget_older()
        self._refresh()

    def _find_newer_maps(self, events: Iterable[Event]) -> None:
        if any(isinstance(event, EpochEnded | UnitsChecked | Finished) for event in events):
            self._shelf.forget_older()

    # What the user does

    def _on_selection_changed(self, _: object) -> None:
        self._choose_layer()

    def _choose_layer(self) -> None:
        """The first selected layer that the run has; else the one before, else its first convolution."""
        layer = self._record.layer_to_show(self._project.selection, self._layer)
        if layer != self._layer:
            self._layer = layer
            self._watch()
            self._refresh()

    def _on_image_chosen(self, _: object) -> None:
        self._watch()
        self._refresh()

    def _watch(self) -> None:
        """Tells the training what is looked at."""
        if self._record is self._live and self._layer is not None:
            self._asked_at = time.monotonic()
            self._session.watch(self._layer, self.feature_maps.image)

    def _on_place_chosen(self, _: object) -> None:
        self._refresh()

    def _on_recipe_changed(self, _: object) -> None:
        if self._record.history.is_empty:
            self._refresh()

    def _on_shown_changed(self, shown: object) -> None:
        for number, view in enumerate(self._views):
            view.setVisible(isinstance(shown, tuple) and number in shown)
        self._refresh()

    # Drawing

    def _refresh(self) -> None:
        """Draws what is new, now."""
        if self.isVisible():
            self._frame.start(0)

    def _plan_frame(self) -> None:
        """Draws what is new, so much later than the last time that the main thread works little in all."""
        if self.isVisible() and not self._frame.isActive():
            pause = min(max(self._worked / _WORKING_SHARE, _SHORTEST_FRAME), _LONGEST_FRAME)
            wait = round(1000 * (self._drawn_at + pause - time.monotonic()))
            if wait > 0:
                self._frame.start(wait)
            else:
                # At once: to wake the thread again would cost more.
                self._draw()

    def _draw(self) -> None:
        self._drawn_at = time.monotonic()
        # All that the thread did since the last drawing, which was most of it.
        clock = time.thread_time()
        self._worked, self._clock = clock - self._clock, clock
        if not self.isVisible() or self.window().isMinimized():
            return
        history, epoch = self._record.history, self.timeline.slider.epoch
        epochs = self._project.recipe.epochs if history.started is None else history.total_epochs
        self.timeline.show_history(history, self.is_live)
        self.learning.set_cursor(epoch)
        self.learning.show_history(history, epochs, self.is_live)
        if self.feature_maps.isVisible():
            self._draw_maps(epoch)

    def _draw_maps(self, epoch: int | None) -> None:
        record, image = self._record, self.feature_maps.image
        if self._layer is None:
            hint = "The first maps are on their way" if self.is_live else HINT
            self.feature_maps.show_hint("Feature maps", hint)
            return
        maps = record.newest_maps(self._layer, image) if epoch is None else None
        if maps is not None:
            self._show_maps(maps, "")
        elif epoch is None and record is self._live and record.history.finished is None:
            # The training answers within a few steps.
            self._show_nothing_yet("The training shows it with one of its next steps")
        else:
            self._draw_kept(epoch, image)

    def _draw_kept(self, epoch: int | None, image: int) -> None:
        """The maps that the run keeps in its folder."""
        record = self._record
        assert self._layer is not None
        if record.folder is None:
            return
        wish = Wish(record.folder, record.last_epoch if epoch is None else epoch, self._layer, image)
        if wish != self._wish:
            self._wish, self._asked_at = wish, time.monotonic()
        kept = self._shelf.find(wish)
        if kept is None:
            self._show_nothing_yet("The maps are being read")
        elif kept.maps is None:
            self.feature_maps.show_nothing(record.network, self._layer, "The run kept no maps of it")
        else:
            # At the end of a run that has ended they are simply its maps.
            at_end = epoch is None and not self.is_live
            self._show_maps(kept.maps, "" if at_end else f"after epoch {kept.epoch}")

    def _show_maps(self, maps: FeatureMaps, when: str) -> None:
        if (maps, when) != (self.feature_maps.grid.maps, self.feature_maps.when):
            self.feature_maps.show_maps(maps, self._record.network, self._record.classes, when)

    def _show_nothing_yet(self, hint: str) -> None:
        """For a moment stands what stood there, so that nothing flickers."""
        assert self._layer is not None
        patience = self._asked_at + _PATIENCE_SECONDS - time.monotonic()
        if patience > 0:
            self._frame.start(round(1000 * patience) + 1)
        else:
            self.feature_maps.show_nothing(self._record.network, self._layer, hint)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.tabs.set_capacity(2 if self.width() >= _WIDE else 1)

    def showEvent(self, event: QShowEvent) -> None:
        # Also when a minimized window comes back.
        super().showEvent(event)
        self._refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._frame.stop()
