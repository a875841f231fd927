"""What a view asks: the readings of the instruments at a moment of the run on show. Asking never blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

from PySide6.QtCore import QObject, QTimer, Signal, SignalInstance

from cnnstudio.design.network import Network
from cnnstudio.gui.compute.questions import Answer, Option, Question
from cnnstudio.gui.dashboard.maps.feature_maps import FeatureMapsView
from cnnstudio.gui.document.pinned_images import PinnedImages
from cnnstudio.gui.runs.cursor import Cursor, Moment, Selection
from cnnstudio.training.events import EpochEnded, Event, Finished, SnapshotTaken, Started, UnitsChecked

_LIVE_PAUSE_MS = 250
"""The least time between two redraws that a training causes; what the user does is drawn at once."""

_MAX_EPOCHS = 48
"""The most epochs that a view shows side by side."""


@dataclass(frozen=True, eq=False)
class Series:
    """The readings of one instrument over the epochs of a run."""

    readings: tuple[tuple[int, object], ...] = ()
    """(epoch, reading), ascending; epochs without a reading of their own are left out."""
    pending: int = 0
    """How many epochs are still awaited."""


class Answers(Protocol):
    """Who answers questions: in the window the instruments of the run, in tests whatever a test needs."""

    changed: SignalInstance
    """Some answer has changed."""

    def answer(self, question: Question) -> Answer:
        """What is known now. It starts nothing: see `want`."""

    def want(self, questions: frozenset[Question]) -> None:
        """Says which questions visible views ask now: they are worked on, and no others."""


@dataclass
class MomentReadings:
    """The readings at one moment, as one view asks for them; it remembers what was asked."""

    moment: Moment
    answers: Answers
    asked: set[Question] = field(default_factory=set)

    @property
    def network(self) -> Network:
        return self.moment.record.network

    @property
    def classes(self) -> tuple[str, ...]:
        return self.moment.record.classes

    @property
    def epoch(self) -> int:
        return self.moment.epoch

    @property
    def is_empty(self) -> bool:
        """Whether there is no run to look at."""
        return self.moment.record.history.is_empty and self.moment.folder is None

    def ask(self, instrument: str, **options: Option) -> Answer:
        """What an instrument says about this moment."""
        return self.ask_at(self.epoch, instrument, **options)

    def ask_at(self, epoch: int, instrument: str, **options: Option) -> Answer:
        """What it says about another epoch of the same run."""
        chosen = tuple(sorted(options.items()))
        question = Question(self.moment.folder, epoch, instrument, chosen)
        self.asked.add(question)
        return self.answers.answer(question)

    def over_epochs(self, instrument: str, **options: Option) -> Series:
        """What an instrument says about the epochs of the run; of a long run about some of them."""
        readings: dict[int, object] = {}
        pending = 0
        for epoch in self._sampled_epochs():
            answer = self.ask_at(epoch, instrument, **options)
            pending += answer.is_pending
            if answer.reading is not None and answer.epoch is not None:
                readings[answer.epoch] = answer.reading
        return Series(tuple(sorted(readings.items())), pending)

    def _sampled_epochs(self) -> list[int]:
        last = self.moment.record.last_epoch
        count = min(last + 1, _MAX_EPOCHS)
        return sorted({round(last * place / max(count - 1, 1)) for place in range(count)})


class MomentSource(QObject):
    """Says when views have to draw again, and what there is to draw. One for all panels of a window."""

    changed = Signal()
    """Something that a view may show has changed. Emitted once for many changes."""
    label_errors_wanted = Signal()
    """The user wants suspected label errors to be looked for in the images of the run on show."""
    training_images_wanted = Signal(object)
    """The user wants to see training images of the run on show, an ImagesToReview."""

    def __init__(
        self,
        cursor: Cursor,
        selection: Selection,
        answers: Answers,
        create_maps: Callable[[], FeatureMapsView],
        pinned: PinnedImages,
        parent: QObject | None = None,
    ) -> None:
        """`create_maps` creates the widget that shows feature maps, which knows its run by itself."""
        super().__init__(parent)
        self.create_maps = create_maps
        self.pinned = pinned
        self.selection = selection
        self._cursor = cursor
        self._answers = answers
        self._asked: dict[QObject, frozenset[Question]] = {}
        self._is_asking = False
        """Whether views are asking one after the other."""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._on_due)
        for signal in (
            cursor.run_changed,
            cursor.epoch_changed,
            cursor.images_changed,
            cursor.live_changed,
            selection.layer_changed,
            selection.channel_changed,
            selection.image_changed,
            selection.images_changed,
            selection.classes_changed,
            answers.changed,
            pinned.changed,
        ):
            signal.connect(self._on_changed)
        cursor.advanced.connect(self._on_advanced)

    def readings(self, epoch: int | None = None) -> MomentReadings:
        """The present moment, for one view to ask; or another epoch of the run on show."""
        moment = self._cursor.moment
        return MomentReadings(moment if epoch is None else replace(moment, chosen=epoch), self._answers)

    def remember(self, owner: QObject, asked: Iterable[Question]) -> None:
        """Says what a visible view asks, in place of what it asked before."""
        self._update({**self._asked, owner: frozenset(asked)})

    def forget(self, owner: QObject) -> None:
        """Says that a view is hidden and asks nothing."""
        self._update({each: asked for each, asked in self._asked.items() if each is not owner})

    def _update(self, asked: dict[QObject, frozenset[Question]]) -> None:
        before, self._asked = self._wanted, asked
        if self._wanted != before and not self._is_asking:
            self._answers.want(self._wanted)
        if not asked:
            self._timer.stop()

    def _on_due(self) -> None:
        """Has all views draw, and then says what they want: at once, so that it is looked up at once."""
        before, self._is_asking = self._wanted, True
        try:
            self.changed.emit()
        finally:
            self._is_asking = False
        if self._wanted != before:
            self._answers.want(self._wanted)

    @property
    def _wanted(self) -> frozenset[Question]:
        return frozenset().union(*self._asked.values())

    def _on_changed(self, *_: object) -> None:
        if self._asked and (not self._timer.isActive() or self._timer.interval() > 0):
            self._timer.start(0)

    def _on_advanced(self, events: Iterable[Event]) -> None:
        # With Started the run has a folder.
        shown = EpochEnded | Finished | SnapshotTaken | Started | UnitsChecked
        if self._asked and not self._timer.isActive() and any(isinstance(each, shown) for each in events):
            self._timer.start(_LIVE_PAUSE_MS)
