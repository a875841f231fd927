"""Trains a run again on its corrected images, and shows both on the same images."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QWidget

from cnnstudio.core.formatting import format_percent
from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.compute.training_request import TrainingRequest
from cnnstudio.gui.compute.training_row import Results
from cnnstudio.gui.experiments.before_after import BeforeAfterDialog
from cnnstudio.gui.experiments.run_job import RunJob
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.retraining.before_after import BeforeAfter, compare_before_after
from cnnstudio.runs.retraining.plan import Retraining, plan_retraining
from cnnstudio.runs.run import Run


class RetrainingController(QObject):
    """Lives as long as the window; one training again at a time."""

    message = Signal(object)
    """A Message."""

    def __init__(self, session: TrainingSession, window: QWidget) -> None:
        super().__init__(window)
        self._session = session
        self._window = window
        self._plan: Retraining | None = None
        self._planning: IoTask | None = None
        self._request: TrainingRequest | None = None
        self._job = RunJob(session, self)
        self._job.done.connect(self._on_compared)
        self._job.failed.connect(self._fail)
        session.row_finished.connect(self._on_finished)

    @property
    def is_running(self) -> bool:
        return self._plan is not None or self._planning is not None

    def start(self, folder: Path) -> None:
        """Trains the run again, or only compares if that was done before. Ignored while it does."""
        if self.is_running or self._session.state is not State.IDLE:
            return
        self.message.emit(Message("Looking for what was corrected since the run…"))
        self._planning = task = IoTask(
            lambda progress, cancelled: plan_retraining(Run.open(folder), progress, cancelled), self
        )
        task.done.connect(self._on_planned)
        task.failed.connect(self._fail)
        task.start()

    def _on_planned(self, plan: Retraining) -> None:
        self._planning = None
        if self._session.state is not State.IDLE:
            self._fail("Another training has started meanwhile. Try again when it has ended.")
            return
        self._plan = plan
        if plan.after is not None:
            self._compare(plan.after.folder)
            return
        before = plan.before
        self._request = TrainingRequest(
            before.network, before.dataset_name, before.recipe, weights=before.start_weights
        )
        self._session.start_row([self._request])

    def _on_finished(self, results: Results) -> None:
        request, self._request = self._request, None
        if request is None or self._plan is None:
            return
        ended = next((finished for each, finished in results if each is request), None)
        if ended is None or ended.outcome != "completed" or not ended.run:
            self._plan = None
            self.message.emit(Message("The training did not complete, so there is nothing to compare yet."))
            return
        self._compare(Path(ended.run))

    def _compare(self, folder: Path) -> None:
        plan, device = self._plan, self._session.device
        assert plan is not None

        def read(progress: ProgressFunction, cancelled: CancelFunction) -> Run:
            after = Run.open(folder)
            if after.dataset_fingerprint != plan.dataset.fingerprint:
                raise RunError("The images were changed while they were trained on: train again to compare.")
            return after

        def compare(after: Run, progress: ProgressFunction, cancelled: CancelFunction) -> BeforeAfter:
            return compare_before_after(
                plan.before, after, plan.dataset, plan.changes, progress, cancelled, device
            )

        self.message.emit(Message("Comparing both runs on the corrected images…"))
        self._job.start(read, compare)

    def _on_compared(self, found: BeforeAfter) -> None:
        self._plan = None
        test = found.test
        before, after = (format_percent(each.accuracy) for each in (test.before, test.after))
        text = f"Trained again with {found.changes}: test accuracy {before} before, {after} after."
        self.message.emit(Message(text, button="Details…", action=lambda: self._show(found)))

    def _show(self, found: BeforeAfter) -> None:
        dialog = BeforeAfterDialog(found, self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _fail(self, problem: object) -> None:
        self._plan = self._request = self._planning = None
        self.message.emit(Message(str(problem), is_error=True))
