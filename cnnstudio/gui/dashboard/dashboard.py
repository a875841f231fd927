"""The dashboard shows a run at one epoch, by default at its end, which moves while it trains."""

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
from cnnstudio.gui.runs.follower import OpenedRun, RunFollower
from cnnstudio.gui.runs.map_loader import MapLoader, MapRequest
from cnnstudio.gui.runs.record import RunRecord
from cnnstudio.gui.widgets.labels import Panel
from cnnstudio.insight.maps import FeatureMaps
from cnnstudio.training.events import EpochEnded, Event, Finished, UnitsChecked

_WIDE = 900
"""The width in pixels from which two views are shown side by side."""
_SHORTEST_FRAME, _LONGEST_FRAME = 0.15, 1.0
"""Seconds between two frames."""
_FLICKER_DELAY_SECONDS = 0.4
"""How long the previous maps stay before a hint replaces them."""
_MAXIMUM_LOAD = 0.02
"""About the fraction of time that the main thread works during a training: torch needs all cores."""

LEARNING, FEATURE_MAPS = 0, 1


class Dashboard(Panel):
    """Shows the session's run or one that was opened. Draws only what is visible.

    Drawing is decoupled from events: events only update the record, and a timer draws its newest state. The
    pause between two frames grows with the CPU time that the main thread used since the last one, so that the
    window takes about the same small fraction of the time from torch, whatever a frame costs.
    """

    def __init__(self, project: Project, session: TrainingSession) -> None:
        super().__init__("dashboard")
        self._project = project
        self._session = session
        self._live = RunRecord()
        self._record = self._live
        self._layer: str | None = None
        self.follower = RunFollower(self)
        """Follows the run that was opened."""
        self._map_loader = MapLoader(self)
        self._request: MapRequest | None = None
        self._snapshots: list[int] = []
        self._frame_timer = QTimer(self)
        self._frame_timer.setSingleShot(True)
        self._frame_timer.timeout.connect(self._draw)
        self._compose()
        self._requested_at = 0.0
        self._drawn_at = 0.0
        self._cpu_per_frame = 0.0
        self._cpu_time = time.thread_time()
        self._connect()
        self._refresh()

    def _compose(self) -> None:
        self.tabs = ViewTabs((("Learning curves", "tabLearning"), ("Feature maps", "tabFeatureMaps")))
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
        self.follower.record_changed.connect(self._on_record_changed)
        self.follower.events_added.connect(self._on_followed_events)
        self.follower.changed.connect(self._on_followed_changed)
        self._map_loader.loaded.connect(self._refresh)
        project.selection_changed.connect(self._on_selection_changed)
        project.recipe_changed.connect(self._on_recipe_changed)
        self.tabs.shown_changed.connect(self._on_shown_changed)
        self.feature_maps.image_chosen.connect(self._on_image_chosen)
        self.timeline.slider.chosen.connect(self._on_epoch_chosen)

    # The run that is shown

    @property
    def record(self) -> RunRecord:
        """The run that is shown."""
        return self._record

    @property
    def is_live(self) -> bool:
        """Whether the run that is shown is training now."""
        if self._record is self._live:
            return self._session.state is not State.IDLE
        return self.follower.is_running

    def show_run(self, opened: OpenedRun) -> None:
        """Shows a run from its folder, possibly one that another program is training."""
        self.timeline.slider.choose(None)
        self.follower.follow(opened)

    def close_run(self) -> None:
        """Stops following the run that is shown."""
        self.follower.close()
        self._map_loader.close()

    def _show_live(self) -> None:
        """Shows the live record, at its end."""
        self.follower.close()
        self.timeline.slider.choose(None)
        self._layer = None
        self.feature_maps.show_hint("Feature maps", HINT)
        self._show_record()

    def _show_record(self) -> None:
        self._request = None
        self._map_loader.clear()
        self.feature_maps.show_images(self._record.images, self._record.image_names)
        self._choose_layer()
        self._refresh()

    def _on_state_changed(self, state: object) -> None:
        if state is State.LOADING and self._session.network is not None:
            previous = self._record
            self._live = self._record = RunRecord(self._session.network)
            if previous.folder is not None and previous.folder == self._session.continues_from:
                self._live.continue_from(previous)
            self._show_live()
        elif state is State.IDLE:
            self._refresh()

    def _on_dataset_loaded(self, loaded: tuple[str, Dataset]) -> None:
        self._live.set_images_from(loaded[1])
        if self._record is self._live:
            self.feature_maps.show_images(self._live.images, self._live.image_names)
            self._choose_layer()

    def _on_events(self, events: Iterable[Event]) -> None:
        self._live.feed(events)
        if self._record is not self._live:
            return
        self._discard_outdated_maps(events)
        if self._layer is None:
            self._choose_layer()
        self._schedule_frame()

    # A run that another program trains

    def _on_record_changed(self, record: object) -> None:
        """Another run was opened, or the same one was resumed. For the same one the chosen layer stays."""
        assert isinstance(record, RunRecord)
        if record.folder != self._record.folder or record.network != self._record.network:
            self._layer = None
            self.feature_maps.show_hint("Feature maps", HINT)
        self._record = record
        self._show_record()

    def _on_followed_events(self, events: Iterable[Event]) -> None:
        self._discard_outdated_maps(events)
        self._schedule_frame()

    def _on_followed_changed(self) -> None:
        # The maps of an epoch are saved a moment after its end, without an event.
        snapshot = self.follower.latest
        if snapshot is not None and snapshot.snapshots != self._snapshots:
            self._snapshots = snapshot.snapshots
            self._map_loader.discard_outdated()
        self._refresh()

    def _discard_outdated_maps(self, events: Iterable[Event]) -> None:
        if any(isinstance(event, EpochEnded | UnitsChecked | Finished) for event in events):
            self._map_loader.discard_outdated()

    # User input

    def _on_selection_changed(self, _: object) -> None:
        self._choose_layer()

    def _choose_layer(self) -> None:
        """Shows the first selected layer that the run has, see `layer_to_show`."""
        layer = self._record.layer_to_show(self._project.selection, self._layer)
        if layer != self._layer:
            self._layer = layer
            self._watch()
            self._refresh()

    def _on_image_chosen(self, _: object) -> None:
        self._watch()
        self._refresh()

    def _watch(self) -> None:
        """Asks the running training for the maps of the shown layer and image, if anybody sees them."""
        is_seen = self.feature_maps.isVisible() and not self.window().isMinimized()
        if not is_seen or self.timeline.slider.epoch is not None:
            self._session.unwatch()
        elif self._record is self._live and self._layer is not None:
            self._requested_at = time.monotonic()
            self._session.watch(self._layer, self.feature_maps.image)

    def _on_epoch_chosen(self, _: object) -> None:
        self._watch()
        self._refresh()

    def _on_recipe_changed(self, _: object) -> None:
        if self._record.history.is_empty:
            self._refresh()

    def _on_shown_changed(self, shown: object) -> None:
        for number, view in enumerate(self._views):
            view.setVisible(isinstance(shown, tuple) and number in shown)
        self._watch()
        self._refresh()

    # Drawing

    def _refresh(self) -> None:
        """Draws as soon as possible."""
        if self.isVisible():
            self._frame_timer.start(0)

    def _schedule_frame(self) -> None:
        """Draws when the pause since the last frame is long enough to keep the load low."""
        if self.isVisible() and not self._frame_timer.isActive():
            pause = min(max(self._cpu_per_frame / _MAXIMUM_LOAD, _SHORTEST_FRAME), _LONGEST_FRAME)
            wait = round(1000 * (self._drawn_at + pause - time.monotonic()))
            if wait > 0:
                self._frame_timer.start(wait)
            else:
                # Now: waking the thread again for a timer would cost more.
                self._draw()

    def _draw(self) -> None:
        self._drawn_at = time.monotonic()
        # Everything that the thread did since the last frame; drawing was most of it.
        cpu_time = time.thread_time()
        self._cpu_per_frame, self._cpu_time = cpu_time - self._cpu_time, cpu_time
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
            hint = "Waiting for the first feature maps…" if self.is_live else HINT
            self.feature_maps.show_hint("Feature maps", hint)
            return
        maps = record.newest_maps(self._layer, image) if epoch is None else None
        is_training = record is self._live and record.history.finished is None
        if maps is not None and is_training:
            self._show_maps(maps, "")
        elif epoch is None and is_training:
            # The training sends them within a few steps.
            self._show_pending("Waiting for the next step…")
        else:
            self._draw_saved_maps(epoch, image, maps)

    def _draw_saved_maps(self, epoch: int | None, image: int, sent: FeatureMaps | None) -> None:
        """Draws the maps saved in the run folder, or those that the training sent if they are newer."""
        record = self._record
        assert self._layer is not None
        sent_epoch = record.newest_maps_epoch
        if record.folder is None:
            if sent is not None:
                self._show_maps(sent, _describe_moment(sent_epoch))
            return
        request = MapRequest(record.folder, record.last_epoch if epoch is None else epoch, self._layer, image)
        if request != self._request:
            self._request, self._requested_at = request, time.monotonic()
        loaded = self._map_loader.get(request)
        if loaded is None:
            self._show_pending("Loading feature maps…")
        elif sent is not None and (loaded.maps is None or sent_epoch > (loaded.epoch or 0)):
            self._show_maps(sent, _describe_moment(sent_epoch))
        elif loaded.maps is None:
            hint = loaded.problem or "No feature maps were saved for this layer"
            self.feature_maps.show_nothing(record.network, self._layer, hint)
        else:
            # At the end too: the last epochs of a short or interrupted run may have no saved maps.
            self._show_maps(loaded.maps, f"after epoch {loaded.epoch}")

    def _show_maps(self, maps: FeatureMaps, when: str) -> None:
        if (maps, when) != (self.feature_maps.grid.maps, self.feature_maps.when):
            self.feature_maps.show_maps(maps, self._record.network, self._record.classes, when)

    def _show_pending(self, hint: str) -> None:
        """Keeps the previous maps for a moment before it shows the hint, so that nothing flickers."""
        assert self._layer is not None
        delay = self._requested_at + _FLICKER_DELAY_SECONDS - time.monotonic()
        if delay > 0:
            self._frame_timer.start(round(1000 * delay) + 1)
        else:
            self.feature_maps.show_nothing(self._record.network, self._layer, hint)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.tabs.set_capacity(2 if self.width() >= _WIDE else 1)

    def showEvent(self, event: QShowEvent) -> None:
        # Also called when a minimized window is restored.
        super().showEvent(event)
        self._watch()
        self._refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        # Also called when the window is minimized, in which its widgets still count as visible.
        super().hideEvent(event)
        self._frame_timer.stop()
        self._session.unwatch()


def _describe_moment(epochs: float) -> str:
    """`after epoch 3`, or `after 2.4 epochs`."""
    return f"after epoch {epochs:.0f}" if epochs == round(epochs) else f"after {epochs:.1f} epochs"
