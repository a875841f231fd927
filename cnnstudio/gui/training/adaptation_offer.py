"""Offers to adapt the network when a data set is chosen whose images or classes it does not suit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject

from cnnstudio.core.errors import UserError
from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.data.sources import find_source
from cnnstudio.design.adaptation import Adaptation, adapt_to_data
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.actions import ActionSet, ActionSpec
from cnnstudio.gui.widgets.message_bar import Message, MessageBar
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.layers.base import Shape

_BUTTON = "Adapt the network"
_MAX_TITLE = 60


@dataclass(frozen=True)
class _About:
    """What the network has to suit."""

    title: str
    classes: int | None
    shape: Shape | None


class AdaptationOffer(QObject):
    """A note with a button, which is one undo step; the menu Network has the same for any time."""

    def __init__(self, project: Project, message_bar: MessageBar, parent: QObject) -> None:
        super().__init__(parent)
        self._project = project
        self._message_bar = message_bar
        self._name = project.dataset_name
        """The data set that was chosen last."""
        self._shape = project.image_shape
        """That of its images, if it is known."""
        self._closed: set[str] = set()
        """Data sets whose offer was closed: it does not come back by itself."""
        self._task: IoTask | None = None
        self.action_set = ActionSet(self, ADAPTATION_ACTIONS, self, (project.dataset_changed,))
        project.dataset_changed.connect(self._on_dataset_changed)
        project.analysis_changed.connect(message_bar.refresh)

    @property
    def can_adapt(self) -> bool:
        return bool(self._project.dataset_name)

    def adapt(self) -> None:
        """Adapts the network to the chosen data set, as one undo step, or says why nothing changes."""
        self._look(self._project.dataset_name, self._adapt_or_say)

    def _on_dataset_changed(self, _: object) -> None:
        # The signal also tells what became known about the same data set.
        project = self._project
        name, shape = project.dataset_name, project.image_shape
        is_new, is_measured = name != self._name, shape is not None and self._shape is None
        self._name, self._shape = name, shape
        if not name or name in self._closed:
            return
        if is_new:
            self._look(name, self._offer)
        elif is_measured and project.network.weights is not None and self._task is None:
            # A template that was opened before could not be fitted to the images.
            self._offer(name, _About(project.dataset_title, project.classes, shape))

    def _look(self, name: str, on_done: Callable[[str, _About], None]) -> None:
        """Finds out what the images are. A folder may have a million of them or be on a slow drive."""
        if self._task is not None:
            self._task.cancel()

        def look(progress: ProgressFunction, cancelled: CancelFunction) -> _About | None:
            try:
                source = find_source(name)
                shape, classes = source.image_shape(cancelled), source.info().get("classes")
            except UserError:
                return None  # a folder that is gone, say, which its own card tells
            title = plain_line(source.title, _MAX_TITLE)
            return _About(title, len(classes) if classes else None, Shape.of(*shape) if shape else None)

        def done(found: object) -> None:
            self._task = None
            if isinstance(found, _About) and self._project.dataset_name == name:
                on_done(name, found)

        self._task = IoTask(look, self)
        self._task.done.connect(done)
        self._task.start()

    def _found(self, about: _About) -> Adaptation | None:
        return adapt_to_data(self._project.network, about.title, about.classes, about.shape)

    def _offer(self, name: str, about: _About) -> None:
        project = self._project
        # The last layer of pretrained weights is fitted without being asked for: FitClasses.
        is_pretrained = project.network.weights is not None
        found = self._found(dataclasses.replace(about, classes=None) if is_pretrained else about)
        if found is None:
            return

        def needs() -> tuple[Shape, Shape | None]:
            return project.network.input, None if is_pretrained else project.analysis.output

        known = needs()

        def holds() -> bool:
            return project.dataset_name == name and needs() == known

        self._message_bar.show_message(
            Message(
                found.message,
                button=_BUTTON,
                action=lambda: self._adapt_or_say(name, about),
                is_note=True,
                holds=holds,
                closed=lambda: self._closed.add(name),
            )
        )

    def _adapt_or_say(self, name: str, about: _About) -> None:
        # The network may have been edited since the offer.
        found = self._found(about)
        if found is not None:
            self._project.edit(f"adapt to {about.title}", found.network)
        elif self._project.analysis.problems:
            self._message_bar.show_text("Fix the problems of the network first, then adapt it.")
        else:
            self._message_bar.show_text(f"The network suits {about.title}: nothing has to change.")


ADAPTATION_ACTIONS: tuple[ActionSpec[AdaptationOffer], ...] = (
    ActionSpec(
        "actionAdapt",
        "Adapt to the data &set",
        AdaptationOffer.adapt,
        menu="Network",
        tooltip="Change the input and the last layer to suit the images and classes of the data set",
        enabled=lambda offer: offer.can_adapt,
    ),
)
