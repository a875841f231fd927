"""What the next training starts from: chosen in a dialog, shown until it is used or removed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from cnnstudio.design import edits
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.problem_message import problem_message
from cnnstudio.gui.training.start_from.start_choice import StartChoice
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.training.events import Event, Started
from cnnstudio.training.pretrained.catalog import PRETRAINED

_MAX_TEXT = 4_000
"""Characters of a choice that is read from the settings."""


class StartFrom(QObject):
    """Chooses, shows and forgets them. It outlives edits, other designs and the window itself."""

    changed = Signal()
    """`choice` or `text` changed."""
    message = Signal(object)
    """A Message: what training starts from now, or why nothing can be chosen."""
    train_wanted = Signal()

    def __init__(self, project: Project, session: TrainingSession, window: QWidget) -> None:
        """`window` is the parent of the dialog."""
        super().__init__(window)
        self._project, self._session, self._window = project, session, window
        self._choice: StartChoice | None = None
        self._used: StartChoice | None = None
        """What the current training starts from."""
        session.events.connect(self._on_events)
        # A lambda would hold this, and with it the project, for as long as the project is held: forever.
        project.network_changed.connect(self._on_network_changed)

    def _on_network_changed(self, _: object) -> None:
        self.changed.emit()

    @property
    def choice(self) -> StartChoice | None:
        """What was chosen; None for the pretrained weights that the design names, or random ones."""
        return self._choice

    @property
    def source(self) -> str | None:
        """By which `find_start_weights` finds what was chosen."""
        return self._choice.source if self._choice is not None else None

    @property
    def title(self) -> str:
        """What the next training starts from; empty for random weights."""
        if self._choice is not None:
            return self._choice.title
        known = PRETRAINED.get(self._project.network.weights or "")
        return f"{known.title}, pretrained" if known else ""

    @property
    def short_title(self) -> str:
        """The same in few letters, where it is not the weights of a run or file that have a name."""
        return "Pretrained" if self._choice is None and self.title else self.title

    # Choosing

    def ask(self, path: Path | None = None) -> None:
        """Opens the dialog, with the run in that folder, or that file of weights, chosen."""
        from cnnstudio.gui.training.start_from.dialog import StartDialog

        problems = self._project.analysis.problems
        if self._session.state is not State.IDLE:
            self.message.emit(Message("A run is already training. Stop it or wait for it to finish."))
            return
        if problems:
            self.message.emit(problem_message(self._project, problems[0]))
            return
        dialog = StartDialog(*(self._project, self._session, self._window.window(), path, self._choice))
        dialog.chosen.connect(self._on_chosen)
        dialog.open()

    def _on_chosen(self, choice: object) -> None:
        assert isinstance(choice, StartChoice)
        if choice.source in PRETRAINED:
            # A part of the design, as with the template: it is saved with it, and undone.
            network = edits.set_weights(self._project.network, choice.source)
            self._set(None)
            self._project.edit("start from pretrained weights", network)
        else:
            self._set(choice)
        title = self.title
        self.message.emit(
            Message(
                f"Training will start from the weights of {title}.",
                button="Train",
                action=self.train_wanted.emit,
                holds=lambda: self.title == title and self._session.state is State.IDLE,
            )
        )

    def choose(self, choice: StartChoice | None) -> None:
        """Chooses these weights, as the dialog does, but without a message; None for no choice."""
        self._set(choice)

    def remove(self) -> None:
        """Starts from what the design names again, or without it, from random weights."""
        if self._choice is not None:
            self._set(None)
        elif self._project.network.weights is not None:
            network = edits.set_weights(self._project.network, None)
            self._project.edit("start from random weights", network)

    def _set(self, choice: StartChoice | None) -> None:
        if choice != self._choice:
            self._choice = choice
            self.changed.emit()

    # Using

    def use(self) -> str | None:
        """The source for a training that is about to start; the choice is forgotten once it has."""
        self._used = self._choice
        return self.source

    def _on_events(self, events: Iterable[Event]) -> None:
        if self._used is not None and any(isinstance(event, Started) for event in events):
            used, self._used = self._used, None
            if self._choice == used:
                self._set(None)

    # The next start of the program

    def to_text(self) -> str:
        """The choice for the settings; empty for none."""
        return json.dumps(asdict(self._choice)) if self._choice is not None else ""

    def restore(self, text: str) -> None:
        """Takes the choice from the settings; one that cannot be read is none."""
        try:
            found = json.loads(text) if text and len(text) <= _MAX_TEXT else None
        except (ValueError, RecursionError):
            return
        if isinstance(found, dict):
            source, title = found.get("source"), found.get("title")
            if isinstance(source, str) and isinstance(title, str) and source and title:
                self._set(StartChoice(source, title))
