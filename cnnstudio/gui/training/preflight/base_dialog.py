"""The base class of the dialogs that compute something before a training."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QDialog, QPushButton, QVBoxLayout, QWidget

from cnnstudio.core.progress import CancelFunction, ProgressFunction, ignore_progress
from cnnstudio.data.dataset import Dataset
from cnnstudio.design.network import Network
from cnnstudio.gui.compute.compute_task import ComputeTask
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.dialog_layout import button_row, dialog_column, leave_button
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.progress import ProgressLine
from cnnstudio.training.recipe.recipe import Recipe

if TYPE_CHECKING:
    from cnnstudio.training.preflight.prepare import PreparedTraining

_WIDTH = 640


class ComputeDialog(QDialog):
    """Computes something from the project's network, data set and recipe, on the compute thread.

    Subclasses fill the layout `content` and implement `compute`, which runs on that thread, as well as
    `show_progress`, `show_result` and `clear_result`, which run on the main thread.
    """

    def __init__(
        self,
        title: str,
        help: str,
        project: Project,
        session: TrainingSession,
        parent: QWidget | None = None,
        weights: str | None = None,
    ) -> None:
        """`weights` are the start weights of a training, if others were chosen than the design names."""
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setMinimumWidth(_WIDTH)
        self.project = project
        self._session = session
        self.weights = weights
        self._task: ComputeTask | None = None
        self.content = QVBoxLayout()
        self.content.setSpacing(12)
        self.use_button = QPushButton()
        self.use_button.setProperty("role", "primary")
        self._retry = QPushButton("Try again")
        self._retry.setObjectName("tryAgain")
        self._retry.setAutoDefault(False)
        self._retry.clicked.connect(self.start)
        self._error = Label("", "help", "wrong", wrap=True)
        self._error.setObjectName("computeError")
        self._progress = ProgressLine()
        self._progress.cancelled.connect(self._on_cancel)
        self._compose(title, help)

    def _compose(self, title: str, help: str) -> None:
        close = leave_button(self)
        close.setAutoDefault(False)
        column = dialog_column(self, title, help)
        column.addLayout(self.content, 1)
        column.addWidget(self._error)
        column.addWidget(self._progress)
        column.addLayout(button_row(close, self.use_button, left=[self._retry]))
        self._error.hide()

    @property
    def device(self) -> str:
        """The device to compute on, the same as for training."""
        return self._session.device

    @property
    def is_busy(self) -> bool:
        """Whether the computation is running."""
        return self._task is not None

    def start(self) -> None:
        """Starts the computation, with the current state of the project."""
        if self._task is None:
            self.clear_result()
            self._error.hide()
            self._progress.begin("Preparing the images")
            self._task = self._session.fetch(self.project.dataset_name, self._on_dataset, self._on_failed)
            self._update_buttons()

    # For subclasses

    def prepare(
        self,
        network: Network,
        dataset: Dataset,
        recipe: Recipe,
        cancelled: CancelFunction,
        progress: ProgressFunction = ignore_progress,
        *,
        check_memory: bool = True,
    ) -> PreparedTraining:
        """What a training would start from now; on the compute thread. Raises UserError or Cancelled."""
        from cnnstudio.runs.start import RunOptions, prepare_run

        options = RunOptions(device=self.device, weights=self.weights)
        return prepare_run(
            network,
            dataset,
            recipe,
            options,
            check_memory=check_memory,
            progress=progress,
            cancelled=cancelled,
        )

    def compute(
        self,
        network: Network,
        dataset: Dataset,
        recipe: Recipe,
        report: Callable[[object], None],
        cancelled: CancelFunction,
    ) -> object:
        """Returns the result; runs on the compute thread. `report` sends values to `show_progress`."""
        raise NotImplementedError

    def show_progress(self, value: Any) -> tuple[int, int | None, str]:
        """Shows an intermediate value; returns how much is done, of how much (None: unknown), and a text."""
        raise NotImplementedError

    def show_result(self, result: Any) -> None:
        """Shows the result of `compute`."""
        raise NotImplementedError

    def clear_result(self) -> None:
        """Removes the result of an earlier computation."""
        raise NotImplementedError

    # Callbacks of the session

    def _on_dataset(self, dataset: Dataset) -> None:
        network, recipe = self.project.network, self.project.recipe
        self._task = self._session.run_task(
            lambda report, cancelled: self.compute(network, dataset, recipe, report, cancelled),
            self._on_done,
            self._on_failed,
            self._on_progress,
        )

    def _on_progress(self, value: object) -> None:
        self._progress.show_progress(*self.show_progress(value))

    def _on_done(self, result: object) -> None:
        self._end()
        self.show_result(result)

    def _on_failed(self, message: str) -> None:
        self._end()
        self._error.setText(message)
        self._error.show()

    def _on_cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._end()

    def _end(self) -> None:
        self._task = None
        self._progress.hide()
        self._update_buttons()

    def _update_buttons(self) -> None:
        self._retry.setEnabled(self._task is None)
        self.use_button.setEnabled(False)

    def done(self, result: int) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        super().done(result)
