"""Shows training problems in the message bar, with a button that applies the remedy."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QObject

from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.message_bar import Message, MessageBar
from cnnstudio.training.diagnosis.remedies import Remedy, remedy
from cnnstudio.training.events import Diagnosed, DiagnosisKind, Event, Finished, Recovered, Started
from cnnstudio.training.recipe.live_changes import CHANGEABLE_WHILE_TRAINING

_NOTES: frozenset[DiagnosisKind] = frozenset({"class_sizes", "validation_better"})
"""Kinds that are no problem of the training, and leave other messages in the bar."""


class DiagnosisMessages(QObject):
    """Shows the diagnoses and failures of the session's training, and offers remedies."""

    def __init__(
        self, project: Project, session: TrainingSession, message_bar: MessageBar, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._project = project
        self._session = session
        self._message_bar = message_bar
        self._last: Diagnosed | None = None
        """The latest diagnosis of the session's own run, which may explain a failure that follows."""
        self._shown: Diagnosed | None = None
        self._shown_text = ""
        self._has_explained_gap = False
        session.state_changed.connect(self._on_state_changed)
        session.events.connect(self.handle_events)
        session.failed.connect(self._on_failed)
        session.fix_available.connect(self._on_fix_available)

    def handle_events(self, events: Iterable[Event], *, own: bool = True) -> None:
        """Shows the diagnoses among a run's events; offers no remedy if another program trains the run."""
        for event in events:
            match event:
                case Started():
                    self._last = None
                case Diagnosed(kind="validation_better") if self._has_explained_gap:
                    # It is normal and true of most runs: once is enough.
                    pass
                case Diagnosed():
                    self._has_explained_gap |= event.kind == "validation_better"
                    self._last = event if own else None
                    self._show(event.message, event, is_error=False, own=own)
                case Recovered():
                    self._on_recovered(event)
                case Finished() if event.outcome != "failed":
                    # A later failure, such as one of an export, is unrelated.
                    self._last = None

    def _on_state_changed(self, state: object) -> None:
        """What was said about the run before does not belong to the next one."""
        if state is State.LOADING:
            self._message_bar.withdraw(self._shown_text)

    def _on_recovered(self, event: Recovered) -> None:
        """Withdraws the message about a problem that no longer exists, if it is still the one shown."""
        if self._last is not None and self._last.kind == event.kind:
            self._last = None
        shown = self._shown
        if shown is not None and shown.kind == event.kind:
            self._message_bar.withdraw(self._shown_text)

    def _on_failed(self, message: object) -> None:
        """Shows a failure, with the remedy of the diagnosis that preceded it, if there is one."""
        last, self._last = self._last, None
        if last is None or last.kind not in ("diverged", "memory"):
            self._message_bar.show_text(str(message), is_error=True)
        else:
            self._show(str(message), last, is_error=True, own=True)

    def _on_fix_available(self, found: Remedy) -> None:
        """Adds a button that applies the remedy to the error message just shown."""
        text, apply = self._message_bar.text, lambda: self._apply(found)
        self._message_bar.show_text(text, is_error=True, button=found.label, action=apply)

    def _show(self, description: str, event: Diagnosed, *, is_error: bool, own: bool) -> None:
        self._shown, self._shown_text = event, f"{description} {event.advice}"
        recipe = (self._session.recipe if self._is_training else None) or self._project.recipe
        found = remedy(event.kind, recipe, self._project.network) if own else None
        self._message_bar.show_message(
            Message(
                self._shown_text,
                is_error=is_error,
                button=found.label if found else "",
                action=(lambda: self._apply(found)) if found else None,
                is_note=event.kind in _NOTES,
            )
        )

    @property
    def _is_training(self) -> bool:
        return self._session.state in (State.RUNNING, State.PAUSED)

    def _apply(self, found: Remedy) -> None:
        """Applies the remedy to the current run, as far as possible, and to the project as one undo step."""
        project = self._project
        if self._is_training:
            # Before the project: a changed recipe would otherwise be offered to the run a second time.
            now = {name: value for name, value in found.fields.items() if name in CHANGEABLE_WHILE_TRAINING}
            self._session.change(**now)
            if found.network is not None or len(now) < len(found.fields):
                self._message_bar.show_text("Applies from the next run; the current run keeps its settings.")
        if found.network is not None:
            project.edit(found.label[:1].lower() + found.label[1:], found.network)
        else:
            project.set_recipe(found.apply_to(project.recipe))
