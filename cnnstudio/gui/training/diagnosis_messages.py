"""What goes wrong in a training, as a notice with a button that applies what there is to try."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QObject

from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.message_bar import NoticeBar
from cnnstudio.training.diagnosis.remedies import Remedy, remedy
from cnnstudio.training.events import Diagnosed, Event, Finished, Recovered, Started
from cnnstudio.training.recipe.live_changes import ADJUSTABLE


class Adviser(QObject):
    """Shows what the session's training recognizes, and all that fails in it."""

    def __init__(
        self, project: Project, session: TrainingSession, notice: NoticeBar, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._project = project
        self._session = session
        self._notice = notice
        self._last: Diagnosed | None = None
        self._shown: Diagnosed | None = None
        session.events.connect(self.hear)
        session.failed.connect(self._on_failed)
        session.fixable.connect(self._on_fixable)

    def hear(self, events: Iterable[Event], *, own: bool = True) -> None:
        """What a run tells; of one that another program trains it is said, and nothing can be done."""
        for event in events:
            match event:
                case Started():
                    self._last = None
                case Diagnosed():
                    self._last = event if own else None
                    self._show(event.message, event, wrong=False, own=own)
                case Recovered():
                    self._take_back(event)
                case Finished() if event.outcome != "failed":
                    # What fails later, such as an export, has nothing to do with it.
                    self._last = None

    def _take_back(self, event: Recovered) -> None:
        """The reason has gone, and so does the sentence, if nothing else stands there by now."""
        if self._last is not None and self._last.kind == event.kind:
            self._last = None
        shown = self._shown
        if shown is not None and shown.kind == event.kind:
            self._notice.take_back(_words(shown.message, shown))

    def _on_failed(self, sentence: object) -> None:
        """The last event has said already what helps, where that is known."""
        last, self._last = self._last, None
        if last is None or last.kind not in ("diverged", "memory"):
            self._notice.show_sentence(str(sentence), wrong=True)
        else:
            self._show(str(sentence), last, wrong=True, own=True)

    def _on_fixable(self, found: Remedy) -> None:
        """What was refused can be had in another way."""
        sentence, apply = self._notice.text, lambda: self._apply(found)
        self._notice.show_sentence(sentence, wrong=True, button=found.button, action=apply)

    def _show(self, seen: str, event: Diagnosed, *, wrong: bool, own: bool) -> None:
        self._shown = event
        recipe = (self._session.recipe if self._is_training else None) or self._project.recipe
        found = remedy(event.kind, recipe, self._project.network) if own else None
        self._notice.show_sentence(
            _words(seen, event),
            wrong=wrong,
            button=found.button if found else "",
            action=(lambda: self._apply(found)) if found else None,
        )

    @property
    def _is_training(self) -> bool:
        return self._session.state in (State.RUNNING, State.PAUSED)

    def _apply(self, found: Remedy) -> None:
        """To the run that is under way, as far as that is possible, and to the project, as one undo step."""
        project = self._project
        if self._is_training:
            # Before the project, which would else offer the same once more.
            now = {name: value for name, value in found.fields.items() if name in ADJUSTABLE}
            self._session.change(**now)
            if found.network is not None or len(now) < len(found.fields):
                self._notice.show_sentence("The next training is done so: this one goes on as it began.")
        if found.network is not None:
            project.edit(found.button[:1].lower() + found.button[1:], found.network)
        else:
            project.set_recipe(found.applied(project.recipe))


def _words(seen: str, event: Diagnosed) -> str:
    return f"{seen} {event.advice}"
