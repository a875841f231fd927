"""Measures a learning curve of a run: whether more images or another network would help."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QWidget

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.data.dataset import Dataset
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.experiments.curve_plot import LearningCurvePlot
from cnnstudio.gui.experiments.run_dialog import RunDialog
from cnnstudio.runs.epochs.run_images import load_run_images
from cnnstudio.runs.run import Run
from cnnstudio.tuning.learning_curve import (
    COST,
    LearningCurve,
    measure_learning_curve,
    read_learning_curve,
)

_HELP = (
    "Trains the run's network on 10, 25 and 50% of its images, the smaller parts for up to four times the "
    "epochs, and compares the accuracies on the same validation images. Test images are not used. It takes "
    f"about {COST:.1f} times as long as the run; what was measured is kept, also when you cancel."
)


class LearningCurveDialog(RunDialog):
    """Shows what was measured before, and starts only when it is told to, because it takes long."""

    def __init__(self, folder: Path, session: TrainingSession, parent: QWidget | None = None) -> None:
        super().__init__("learningCurveDialog", "Learning curve", _HELP, session, parent)
        self._folder, self._session = folder, session
        self.plot = LearningCurvePlot()
        self.content.addWidget(self.plot)
        self._curve = LearningCurve((), 0)
        self._reading = IoTask(lambda progress, cancelled: read_learning_curve(Run.open(folder)), self)
        self._reading.done.connect(self._on_known)
        self._reading.failed.connect(lambda problem: self._on_failed(problem))
        self._reading.start()

    def _on_known(self, curve: LearningCurve) -> None:
        self._show(curve)
        if not curve.is_complete:
            self.offer("Measure the rest" if curve.points else "Measure")

    def _show(self, curve: LearningCurve) -> None:
        self._curve = curve
        self.plot.show_points(curve.points)
        self.show_text(curve.verdict if curve.is_complete else "")

    def act(self) -> None:
        """Measures what is missing."""
        folder, session = self._folder, self._session
        device = session.device

        def compute(
            read: tuple[Run, Dataset], progress: ProgressFunction, cancelled: CancelFunction
        ) -> LearningCurve:
            def show(curve: LearningCurve) -> None:
                session.call_in_main_thread(lambda: self._on_point(curve), self)

            return measure_learning_curve(*read, progress, cancelled, show, device=device)

        self.begin(
            "Loading the images", lambda progress, cancelled: _read(folder, progress, cancelled), compute
        )
        self.progress.take_focus()

    def _on_point(self, curve: LearningCurve) -> None:
        if self.job.is_running and self.isVisible():
            self._show(curve)

    def show_result(self, result: LearningCurve) -> None:
        self._show(result)

    def show_ended(self) -> None:
        self.offer("Measure the rest" if self._curve.points else "Measure")


def _read(folder: Path, progress: ProgressFunction, cancelled: CancelFunction) -> tuple[Run, Dataset]:
    run = Run.open(folder)
    dataset, _ = load_run_images(run, progress, cancelled)
    return run, dataset
