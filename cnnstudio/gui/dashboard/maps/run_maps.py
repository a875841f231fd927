"""The feature maps of the run on show: asked from the running training, or read from its folder."""

from __future__ import annotations

import time
from dataclasses import replace

from PySide6.QtGui import QHideEvent, QShowEvent

from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.dashboard.frame_clock import FrameClock
from cnnstudio.gui.dashboard.heading import describe_moment
from cnnstudio.gui.dashboard.maps.feature_maps import HINT, FeatureMapsView
from cnnstudio.gui.runs.cursor import Moment
from cnnstudio.gui.runs.map_loader import MapLoader, MapRequest
from cnnstudio.gui.runs.shown_run import ShownRun
from cnnstudio.insight.maps import FeatureMaps

_FLICKER_DELAY_SECONDS = 0.4
"""How long the previous maps stay before a hint replaces them."""


class RunMaps(FeatureMapsView):
    """Shows the chosen layer at the cursor. Hidden, it asks for nothing."""

    def __init__(self, shown: ShownRun, session: TrainingSession, clock: FrameClock) -> None:
        super().__init__()
        self._shown = shown
        self._session = session
        self._clock = clock
        self._loader = MapLoader(self)
        self._request: MapRequest | None = None
        self._requested_at = 0.0
        self._is_shown = False
        self._pinned: int | None = None
        cursor, selection = shown.cursor, shown.selection
        cursor.run_changed.connect(self._on_run_changed)
        cursor.images_changed.connect(self._on_images_changed)
        cursor.epoch_changed.connect(self._on_choice)
        cursor.live_changed.connect(clock.refresh)
        shown.saved_changed.connect(self._on_saved_changed)
        selection.layer_changed.connect(self._on_choice)
        selection.image_changed.connect(self._on_image_changed)
        self.image_chosen.connect(lambda number: selection.choose_image(int(number)))
        self._loader.loaded.connect(clock.refresh)
        clock.frame.connect(self.draw)
        # It may be created long after the run was shown.
        self._on_images_changed()
        self._on_image_changed(selection.image)

    @property
    def _moment(self) -> Moment:
        """What is looked at: the cursor's moment, or the epoch at which this view stays."""
        moment = self._shown.cursor.moment
        return moment if self._pinned is None else replace(moment, chosen=self._pinned)

    def pin(self, epoch: int | None) -> None:
        """Stays at an epoch of the run; None follows the cursor."""
        self._pinned = epoch
        self._on_choice()

    def close_run(self) -> None:
        """Ignores what is still being read."""
        self._loader.close()

    def _on_run_changed(self, _: object) -> None:
        self._request = None
        self._loader.clear()
        self._on_images_changed()
        if self._shown.selection.layer is None:
            self.show_hint("Feature maps", HINT)
        self._on_choice()

    def _on_images_changed(self) -> None:
        record = self._shown.record
        self.show_images(record.images, record.image_names)
        self._clock.refresh()

    def _on_image_changed(self, number: object) -> None:
        assert isinstance(number, int)
        self.images.choose(number)
        self._on_choice()

    def _on_choice(self, *_: object) -> None:
        self._watch()
        self._clock.refresh()

    def _on_saved_changed(self) -> None:
        self._loader.discard_outdated()
        self._clock.schedule()

    def _watch(self) -> None:
        """Asks the running training for the maps of the shown layer and image, if anybody sees them."""
        shown = self._shown
        is_seen = self._is_shown and not self.window().isMinimized()
        if is_seen:
            shown.watchers.add(self)
        else:
            shown.watchers.discard(self)
        if not shown.watchers or self._moment.chosen is not None or not shown.is_own:
            self._session.unwatch()
        elif is_seen and shown.selection.layer is not None:
            self._requested_at = time.monotonic()
            self._session.watch(shown.selection.layer, self.image)

    def showEvent(self, event: QShowEvent) -> None:
        # Also called when a minimized window is restored.
        super().showEvent(event)
        self._is_shown = True
        self._on_choice()

    def hideEvent(self, event: QHideEvent) -> None:
        # Also called when the window is minimized, in which its widgets still count as visible.
        super().hideEvent(event)
        self._is_shown = False
        self._watch()

    # Drawing

    def draw(self) -> None:
        """Draws the maps at the cursor as far as they are there."""
        if not self.isVisible():
            return
        shown, layer, image = self._shown, self._shown.selection.layer, self.image
        record, epoch = shown.record, self._moment.chosen
        if layer is None:
            hint = "Waiting for the first feature maps…" if shown.is_live else HINT
            self.show_hint("Feature maps", hint)
            return
        maps = record.newest_maps(layer, image) if epoch is None else None
        is_training = shown.is_own and record.history.finished is None
        if maps is not None and is_training:
            self._show(maps, "")
        elif epoch is None and is_training:
            # The training sends them within a few steps.
            self._show_pending(layer, "Waiting for the next step…")
        else:
            self._draw_saved(layer, image, maps)

    def _draw_saved(self, layer: str, image: int, sent: FeatureMaps | None) -> None:
        """Draws the maps saved in the run folder, or those that the training sent if they are newer."""
        moment = self._moment
        record = moment.record
        sent_epoch = record.newest_maps_epoch
        if moment.folder is None:
            if sent is not None:
                self._show(sent, _describe_moment(sent_epoch))
            return
        request = MapRequest(moment.folder, moment.epoch, layer, image)
        if request != self._request:
            self._request, self._requested_at = request, time.monotonic()
        loaded = self._loader.get(request)
        if loaded is None:
            self._show_pending(layer, "Loading feature maps…")
        elif sent is not None and (loaded.maps is None or sent_epoch > (loaded.epoch or 0)):
            self._show(sent, _describe_moment(sent_epoch))
        elif loaded.maps is None:
            hint = loaded.problem or "No feature maps were saved for this layer"
            self.show_nothing(record.network, layer, hint, is_error=bool(loaded.problem))
        else:
            # At the end too: the last epochs of a short or interrupted run may have no saved maps.
            self._show(loaded.maps, describe_moment(moment, loaded.epoch, word="after epoch", always=True))

    def _show(self, maps: FeatureMaps, when: str) -> None:
        if (maps, when) != (self.grid.maps, self.when):
            record = self._shown.record
            self.show_maps(maps, record.network, record.classes, when, record.last_epoch)

    def _show_pending(self, layer: str, hint: str) -> None:
        """Keeps the previous maps for a moment before it shows the hint, so that nothing flickers."""
        delay = self._requested_at + _FLICKER_DELAY_SECONDS - time.monotonic()
        if delay > 0:
            self._clock.again_in(delay)
        else:
            self.show_nothing(self._shown.record.network, layer, hint)


def _describe_moment(epochs: float) -> str:
    """`after epoch 3`, or `after 2.4 epochs`."""
    return f"after epoch {epochs:.0f}" if epochs == round(epochs) else f"after {epochs:.1f} epochs"
