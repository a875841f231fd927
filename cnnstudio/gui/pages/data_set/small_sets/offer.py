"""What is offered for a data set with few images: a pretrained network, with what to expect of it."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QObject, Signal

from cnnstudio.core.progress import CancelFunction, throttled
from cnnstudio.data.dataset import Labels
from cnnstudio.design.adaptation import fit_to_data
from cnnstudio.design.network import Network
from cnnstudio.design.templates import template
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.compute.yielding_task import YieldingTask
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.pages.data_set.images.viewed_set import ViewedSet
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.insight.curation.expected_accuracy import (
    SMALL_CLASS,
    ExpectedAccuracy,
    read_expected,
    write_expected,
)
from cnnstudio.layers.base import Shape
from cnnstudio.training.pretrained.catalog import EFFICIENTNET_LITE0
from cnnstudio.training.pretrained.installed import is_installed
from cnnstudio.training.recipe.built_in import FEW_IMAGES, PRETRAINED
from cnnstudio.training.recipe.recipe import Recipe

_DISMISSED = "data/pretrainedOfferDismissed"
WAYS = {PRETRAINED.name: PRETRAINED, FEW_IMAGES.name: FEW_IMAGES}
"""The recipes among which the user chooses, the quicker one first."""
_MEASURED_BATCH = 16
"""Images of a step that is measured to say how long both take: a few are enough for that."""
_MAX_REMEMBERED = 200
"""The most data sets whose offer was closed; the oldest ones are forgotten."""

LabelsNow = Callable[[], tuple[str, Labels]]
"""The version of the data set as it is now, and the labels of its training images, int64 (N,).

Those of excluded images are negative.
"""


class PretrainedOffer(QObject):
    """Whether there is something to offer for the data set that is looked at, and what was measured."""

    changed = Signal()
    """Anything about the offer."""
    progressed = Signal(object)
    """A core.progress.Progress of the measurement."""
    message = Signal(object)
    """A Message for the user."""

    def __init__(
        self, project: Project, session: TrainingSession, settings: Settings, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._project, self._session, self._settings = project, session, settings
        self._viewed: ViewedSet | None = None
        self._labels: LabelsNow | None = None
        self.version = ""
        """Of the data set that is looked at, as it is now."""
        self.expected: ExpectedAccuracy | None = None
        self.per_class = 0
        """Images per class, on average; 0 where there is nothing to offer."""
        self.can_measure = False
        """Whether there are enough images to find out what to expect: two of each class."""
        self.task = YieldingTask(session, self)
        self.task.changed.connect(self.changed)
        self.task.progressed.connect(self.progressed)
        self.task.failed.connect(lambda text: self.message.emit(Message(str(text), is_error=True)))
        self.task.done.connect(self._on_measured)
        self.durations: dict[str, str] = {}
        """About how long a training takes on this machine, by recipe, as "about 20 s"; empty until known."""
        self._timed: object = None
        """What the durations are of."""
        self._timing = YieldingTask(session, self, is_last=True)
        self._timing.done.connect(self._on_timed)
        session.devices_changed.connect(self._find_durations)
        project.network_changed.connect(self.changed)
        project.dataset_changed.connect(self.changed)

    @property
    def is_open(self) -> bool:
        """Whether there are few images and nobody has closed the offer or taken it."""
        viewed = self._viewed
        if viewed is None or not 1 <= self.per_class < SMALL_CLASS or self.version in self._dismissed():
            return False
        is_taken = self._project.network.weights == EFFICIENTNET_LITE0.name
        return not (is_taken and self._project.dataset_name == viewed.name)

    @property
    def obstacle(self) -> str:
        """Why the pretrained network cannot be used, a sentence; empty if it can."""
        return "" if is_installed(EFFICIENTNET_LITE0.name) else f"{EFFICIENTNET_LITE0.missing_message}."

    def show(self, viewed: ViewedSet | None, labels: LabelsNow | None) -> None:
        """Looks at another data set; `labels` are asked for again when they have changed."""
        self.task.cancel()
        self._viewed, self._labels = viewed, labels
        self.refresh()

    def refresh(self) -> None:
        """The labels may have changed."""
        version, self.per_class, self.can_measure = "", 0, False
        if self._viewed is not None and self._labels is not None:
            version, labels = self._labels()
            counts = np.bincount(labels[labels >= 0], minlength=len(self._viewed.classes))
            # With one image of each, there would be nothing to validate on.
            if len(counts) >= 2 and counts.min() >= 1 and counts.max() >= 2:
                self.per_class = round(int(counts.sum()) / len(counts))
                self.can_measure = bool(counts.min() >= 2)
        if version != self.version:
            self.version = version
            # A small file: reading it takes no time.
            self.expected = read_expected(version) if self.is_open else None
        self._find_durations()
        self.changed.emit()

    def _find_durations(self) -> None:
        """Measures a few steps for it, if that is to be said and torch is loaded anyway."""
        viewed, session = self._viewed, self._session
        if viewed is None or not self.is_open or self.obstacle or not session.devices:
            self._timing.cancel()
            return
        classes, device = len(viewed.classes), session.device
        images = self.per_class * classes
        timed = images, classes, viewed.dataset.shape, device
        if self._timed == timed:
            return
        self._timed, self.durations = timed, {}
        network, recipes = _network_for(viewed), list(WAYS.values())

        def measure(progress: object, cancelled: CancelFunction) -> list[str]:
            from cnnstudio.training.preflight.quick_estimate import quick_estimates

            small = [each.replace(batch_size=_MEASURED_BATCH) for each in recipes]
            found = quick_estimates(network, images, classes, small, device, cancelled)
            return [each.summary for each in found or ()]

        self._timing.start(measure)

    def _on_timed(self, result: object) -> None:
        assert isinstance(result, list)
        self.durations = dict(zip(WAYS, result, strict=False))
        self.changed.emit()

    def measure(self) -> None:
        """Measures both on the compute thread, while no training runs."""
        viewed, asked, device = self._viewed, self._labels, self._session.device
        if viewed is None or asked is None or self.task.is_running or self.obstacle or not self.can_measure:
            return
        version, labels = asked()

        def measure(progress: object, cancelled: CancelFunction) -> tuple[str, ExpectedAccuracy]:
            from cnnstudio.insight.curation.expectations import measure_expectations

            assert callable(progress)
            found = measure_expectations(
                viewed.dataset, labels, device, progress=throttled(progress), cancelled=cancelled
            )
            write_expected(version, found)
            return version, found

        self.task.start(measure)

    def _on_measured(self, result: object) -> None:
        assert isinstance(result, tuple)
        if result[0] == self.version:
            self.expected = result[1]

    def accept(self, recipe: Recipe = PRETRAINED) -> None:
        """Sets design, recipe and data set, as one undo step."""
        viewed, project = self._viewed, self._project
        if viewed is None:
            return

        def start() -> None:
            before = project.path
            network = _network_for(viewed)
            project.edit(
                "start from a pretrained network",
                network,
                select=(),
                recipe=recipe,
                dataset=viewed.name,
                is_another=True,
            )
            duration = self.durations.get(recipe.name)
            text = (
                f"The design is now {network.name} with a last layer for {len(viewed.classes):,} classes. "
                f"Press Train (F5) to train that layer{', then the last groups as well' * recipe.unlocks}"
                f"{f': {duration}' if duration else ''}."
            )
            if before is not None:
                text += f" {before.name} stays as it was: Save asks for a new name."
            project_network = project.network
            holds = lambda: project.network is project_network  # noqa: E731
            self.message.emit(Message(text, button="Undo", action=project.undo_stack.undo, holds=holds))

        if project.run_command(start):
            # What is known of the data set decides about problems of the new last layer.
            project.set_dataset(viewed.name, len(viewed.classes), viewed.title, _shape_of(viewed))

    def dismiss(self) -> None:
        """Closes the offer for this version of the data set."""
        self.task.cancel()
        versions = [*(each for each in self._dismissed() if each != self.version), self.version]
        self._settings.set_text(_DISMISSED, json.dumps(versions[-_MAX_REMEMBERED:]))
        self.changed.emit()

    def _dismissed(self) -> list[str]:
        try:
            found = json.loads(self._settings.text(_DISMISSED, "[]"))
        except (ValueError, RecursionError):
            return []
        return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _network_for(viewed: ViewedSet) -> Network:
    """The template of the pretrained network as it begins on these images."""
    return fit_to_data(template(EFFICIENTNET_LITE0.name).network, len(viewed.classes), _shape_of(viewed))


def _shape_of(viewed: ViewedSet) -> Shape:
    return Shape.of(*viewed.dataset.shape)
