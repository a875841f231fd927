"""Says how long a training would take before it starts: measured in the background, while nobody waits."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal

from cnnstudio.data.dataset import Dataset
from cnnstudio.gui.compute.compute_task import CancelFunction, ComputeTask, ProgressFunction
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.project import Project

_QUIET_MS = 1_200
"""After the last change."""


class BackgroundEstimate(QObject):
    """Measures a few steps once it is `wanted`, torch is loaded, and the compute thread has nothing to do.

    Whatever the user starts goes before: a measurement is given up at its next step.
    """

    estimated = Signal(object)
    """A training.preflight.quick_estimate.QuickEstimate of the project as it is."""

    def __init__(
        self, project: Project, session: TrainingSession, wanted: Callable[[], bool], parent: QObject
    ) -> None:
        """`wanted` says whether anybody would see the estimate."""
        super().__init__(parent)
        self._project = project
        self._session = session
        self._wanted = wanted
        self._counts: dict[str, int] = {}
        """Training images of the data sets that were loaded, by name."""
        self._done: object = None
        """What the last estimate was of."""
        self._task: ComputeTask | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_QUIET_MS)
        self._timer.timeout.connect(self._on_quiet)
        for signal in (
            project.network_changed,
            project.recipe_changed,
            project.dataset_changed,
            session.devices_changed,
            session.state_changed,
            session.became_free,
        ):
            signal.connect(self.consider)
        session.dataset_loaded.connect(self._on_dataset_loaded)

    def consider(self, *_: object) -> None:
        """Measures soon, if there is a reason to. Called whenever something has changed."""
        self._cancel()
        if self._is_possible():
            self._timer.start()
        else:
            self._timer.stop()

    def close(self) -> None:
        """Gives up what is measured."""
        self._cancel()
        self._timer.stop()

    def _on_dataset_loaded(self, loaded: tuple[str, Dataset]) -> None:
        name, dataset = loaded
        self._counts[name] = len(dataset.train)

    def _inputs(self) -> object:
        project = self._project
        return project.network, project.recipe, project.dataset_name, self._session.device

    def _is_possible(self) -> bool:
        project, session = self._project, self._session
        # Without devices torch is not loaded, and loading it is not worth an estimate.
        is_free = session.state is State.IDLE and bool(session.devices)
        is_trainable = bool(project.dataset_name) and not project.analysis.problems
        return is_free and is_trainable and self._done != self._inputs() and self._wanted()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _on_quiet(self) -> None:
        if not self._is_possible() or self._session.is_busy:
            return
        project, inputs, device = self._project, self._inputs(), self._session.device
        name, network, recipe = project.dataset_name, project.network, project.recipe
        count, classes = self._counts.get(name), project.classes
        if classes is None:
            return

        def measure(progress: ProgressFunction, cancelled: CancelFunction) -> object:
            from cnnstudio.data.sources import find_source
            from cnnstudio.training.preflight.quick_estimate import quick_estimate

            images = find_source(name).info().get("train") if count is None else count
            if not isinstance(images, int) or images < 1:
                return None
            return quick_estimate(network, images, classes, recipe, device, cancelled)

        self._task = self._session.run_task(
            measure, lambda found: self._on_done(inputs, found), lambda _: self._on_done(inputs, None)
        )

    def _on_done(self, inputs: object, found: object) -> None:
        self._task = None
        self._done = inputs
        if found is not None and inputs == self._inputs():
            self.estimated.emit(found)
