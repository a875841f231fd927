"""What a training says besides its progress: warnings, what it started from, notes on its images, results."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from cnnstudio.core.formatting import pluralize
from cnnstudio.data.dataset import Dataset
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.start_from.unlock_offer import unlock_offer
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.runs.comparing.seeds import SeedSweep
from cnnstudio.training.events import Event, Resumed, Started, Warned, WeightsLoaded, WeightsTransferred


class RunMessages(QObject):
    """Turns what the session reports into messages for the user."""

    message = Signal(object)
    """A Message."""

    def __init__(self, project: Project, session: TrainingSession, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._project = project
        self._session = session
        self._fresh: tuple[str, ...] | None = None
        """The layers of the run that started afresh; None for all of them."""
        self._latest: dict[str, Warned] = {}
        """The warning that holds, by what it is about."""
        self._dataset_with_shown_notes: Callable[[], Dataset | None] = lambda: None
        session.events.connect(self._on_events)
        session.dataset_loaded.connect(self._on_dataset_loaded)
        session.seeds_finished.connect(self._on_seeds_finished)

    def _on_events(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, Started | Resumed):
                self._latest.clear()
            if isinstance(event, Started):
                self._fresh = None
            elif isinstance(event, WeightsTransferred | WeightsLoaded):
                self._fresh = event.fresh
                self.message.emit(Message(_describe_start(event)))
            elif isinstance(event, Warned):
                offer = unlock_offer(self._project, self._session.network, self._fresh, event.message)
                self.message.emit(offer or self._note(event))

    def _note(self, event: Warned) -> Message:
        about = event.about
        if about is None:
            return Message(event.message, is_note=True)
        self._latest[about] = event
        return Message(event.message, is_note=True, holds=lambda: self._latest.get(about) is event)

    def _on_dataset_loaded(self, loaded: tuple[str, Dataset]) -> None:
        _, dataset = loaded
        if dataset.notes and dataset is not self._dataset_with_shown_notes():
            for note in dataset.notes:
                self.message.emit(Message(note, is_note=True))
        # The images may be many: they stay no longer than they are needed elsewhere.
        self._dataset_with_shown_notes = weakref.ref(dataset)

    def _on_seeds_finished(self, sweep: SeedSweep) -> None:
        self.message.emit(Message(f"{sweep.summary}."))


def _describe_start(event: WeightsTransferred | WeightsLoaded) -> str:
    """In few words, since it lies over the curves: which layers fit, *Start from…* has listed before."""
    lines = event.lines
    if isinstance(event, WeightsLoaded):
        layers = pluralize(len(event.kept) + len(event.fresh), "layer")
        lines = (f"{len(event.kept):,} of {layers} start from {Path(event.source).name}", *lines[1:])
    return ". ".join(lines) + "."
