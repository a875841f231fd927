"""The cursor: the run and the epoch that everything in the window looks at, and what is chosen in them.

There is one Cursor and one Selection in a window. Views listen to both and ask for the `moment`; they never
ask whether a run is live. What is chosen is never written into the run's folder, nor into the open design.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from cnnstudio.gui.runs.record import RunRecord
from cnnstudio.training.events import Event

PLAY_INTERVAL_MS = 600
"""The time for which an epoch is shown while the cursor plays."""


@dataclass(frozen=True, eq=False)
class Moment:
    """A run at one epoch."""

    record: RunRecord
    chosen: int | None
    """The epoch that was chosen, 0 for the state before the first one; None for the end of the run."""
    is_live: bool
    """Whether the run is training now, here or in another program."""
    is_other: bool = False
    """Whether it is another run than the one that was trained here last: then views say whose epoch it is."""

    @property
    def run_name(self) -> str:
        """`Lesson CNN, 14:02`."""
        return ", ".join(filter(None, (self.record.name, self.record.start)))

    @property
    def epoch(self) -> int:
        """The number of epochs completed at this moment; at the end those of the whole run so far."""
        return self.record.last_epoch if self.chosen is None else self.chosen

    @property
    def is_at_end(self) -> bool:
        return self.chosen is None

    @property
    def folder(self) -> Path | None:
        """The folder with what was saved of the epoch, the run's or that of one that it has continued; None
        before the run has one.
        """
        return self.record.folder_at(self.chosen)


class Cursor(QObject):
    """The run on show and the epoch that is looked at, which is its end unless the user looks back."""

    run_changed = Signal(object)
    """The RunRecord that is shown now: another run, or the same one read anew."""
    epoch_changed = Signal(object)
    """The epoch chosen now, or None for the end."""
    advanced = Signal(object)
    """A tuple of the events that were added to the run on show."""
    images_changed = Signal()
    """The example images of the run became known."""
    live_changed = Signal(object)
    """Whether the run on show is training now."""
    playing_changed = Signal(object)
    """Whether the cursor moves on by itself."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._record = RunRecord()
        self._epoch: int | None = None
        self._is_live = self._is_other = False
        self._timer = QTimer(self)
        self._timer.setInterval(PLAY_INTERVAL_MS)
        self._timer.timeout.connect(self._on_play)

    @property
    def record(self) -> RunRecord:
        """The run on show; an empty one before there is any."""
        return self._record

    @property
    def epoch(self) -> int | None:
        """The epoch chosen, 0 for the state before the first one; None for the end, which moves on."""
        return self._epoch

    @property
    def is_live(self) -> bool:
        """Whether the run on show is training now, here or in another program."""
        return self._is_live

    @property
    def is_playing(self) -> bool:
        return self._timer.isActive()

    @property
    def moment(self) -> Moment:
        """What to look at now."""
        return Moment(self._record, self._epoch, self._is_live, self._is_other)

    @property
    def stops(self) -> tuple[int, ...]:
        """The epochs that can be chosen, from 0, before the end of the run so far."""
        history = self._record.history
        if history.is_empty:
            return ()
        position = history.position
        return tuple(epoch for epoch in (0, *(each.epoch for each in history.epochs)) if epoch < position)

    # The run, set by whoever knows it

    def show(self, record: RunRecord, *, is_live: bool, is_other: bool = False) -> None:
        """Looks at a run, at its end; if it is the same run read anew, at the epoch chosen before.

        `is_other` is for another run than the one that was trained here last.
        """
        self._is_other = is_other
        same = record.folder is not None and record.folder == self._record.folder
        self._record = record
        epoch = self._epoch if same and self._epoch in self.stops else None
        self.pause()
        self.set_live(is_live)
        changed, self._epoch = epoch != self._epoch, epoch
        self.run_changed.emit(record)
        if changed:
            self.epoch_changed.emit(epoch)

    def advance(self, events: Iterable[Event]) -> None:
        """Says that these events were added to the run on show."""
        if self._epoch is not None and self._epoch not in self.stops:
            # The run was resumed from an earlier checkpoint.
            self.move_to(None)
        self.advanced.emit(tuple(events))

    def set_live(self, is_live: bool) -> None:
        """Says whether the run on show is training now."""
        if is_live != self._is_live:
            self._is_live = is_live
            self.live_changed.emit(is_live)

    # The epoch, moved by the user

    def move_to(self, epoch: int | None) -> None:
        """Looks at the end of an epoch, or at the end of the run for None. Unknown epochs are ignored."""
        if epoch != self._epoch and (epoch is None or epoch in self.stops):
            self._epoch = epoch
            self.epoch_changed.emit(epoch)

    def move_near(self, position: float) -> None:
        """Looks at the stop nearest to `position`, in epochs, or at the end if that is nearer."""
        nearest = min(self.stops, key=lambda epoch: abs(epoch - position), default=None)
        end = self._record.history.position
        if nearest is not None and abs(nearest - position) >= abs(end - position):
            nearest = None
        self.pause()
        self.move_to(nearest)

    def step(self, count: int) -> None:
        """Moves by so many epochs, forward or back, as far as there are any."""
        self.pause()
        self._step(count)

    def _step(self, count: int) -> None:
        stops: list[int | None] = [*self.stops, None]
        index = stops.index(self._epoch) if self._epoch in stops else len(stops) - 1
        self.move_to(stops[min(max(index + count, 0), len(stops) - 1)])

    def go_to_start(self) -> None:
        """Looks at the state before the first epoch."""
        self.pause()
        self.move_to(next(iter(self.stops), None))

    def follow_end(self) -> None:
        """Looks at the end of the run, and stays there while it trains."""
        self.pause()
        self.move_to(None)

    # Playing

    def toggle_play(self) -> None:
        """Moves on by an epoch at a time until the end, from the start if it is there; or stops that."""
        if self.is_playing:
            self.pause()
        elif self.stops:
            if self._epoch is None:
                self.move_to(self.stops[0])
            self._timer.start()
            self.playing_changed.emit(True)

    def pause(self) -> None:
        """Stays at the present epoch."""
        if self.is_playing:
            self._timer.stop()
            self.playing_changed.emit(False)

    def _on_play(self) -> None:
        self._step(1)
        if self._epoch is None:
            self.pause()


class Selection(QObject):
    """What is chosen within the run on show, shared by all views: layer, channel, images and class.

    It survives page turns, new epochs and edits of the design; another run keeps of it what it also has.
    """

    layer_changed = Signal(object)
    """The id of the chosen layer, or None."""
    channel_changed = Signal(object)
    """The index of the chosen channel (map, filter) of the layer, or None."""
    image_changed = Signal(object)
    """The index of the chosen example image."""
    images_changed = Signal(object)
    """The indexes of the chosen images of the evaluated split, a tuple."""
    classes_changed = Signal(object)
    """The chosen (actual, predicted) classes by index; either is None for any."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.layer: str | None = None
        self.channel: int | None = None
        self.image = 0
        self.images: tuple[int, ...] = ()
        self.classes: tuple[int | None, int | None] = (None, None)

    def choose_layer(self, layer: str | None) -> None:
        """Chooses a layer of the run; no channel of it is chosen yet."""
        if layer != self.layer:
            self.layer = layer
            self.choose_channel(None)
            self.layer_changed.emit(layer)

    def choose_channel(self, channel: int | None) -> None:
        if channel != self.channel:
            self.channel = channel
            self.channel_changed.emit(channel)

    def choose_image(self, image: int) -> None:
        """Chooses one of the example images by its index."""
        if image != self.image:
            self.image = image
            self.image_changed.emit(image)

    def choose_images(self, images: Iterable[int]) -> None:
        """Chooses images of the evaluated split by their indexes."""
        chosen = tuple(images)
        if chosen != self.images:
            self.images = chosen
            self.images_changed.emit(chosen)

    def choose_classes(self, actual: int | None, predicted: int | None = None) -> None:
        """Chooses a class, or a cell of the confusion matrix."""
        if (actual, predicted) != self.classes:
            self.classes = (actual, predicted)
            self.classes_changed.emit(self.classes)

    def clear_results(self) -> None:
        """Chooses no images and no class: those of another run are others."""
        self.choose_images(())
        self.choose_classes(None)
