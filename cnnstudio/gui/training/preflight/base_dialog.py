"""What the dialogs have in common that try something out before a training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtWidgets import QDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from cnnstudio.core.progress import CancelFunction
from cnnstudio.data.dataset import Dataset
from cnnstudio.design.network import Network
from cnnstudio.gui.compute.compute_task import Job
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.progress import ProgressLine
from cnnstudio.training.recipe.recipe import Recipe

_WIDTH = 640


class TrialDialog(QDialog):
    """Tries something out with the project's network, images and recipe, on the thread that computes.

    A subclass fills `content` and says what is done (`attempt`, on that thread) and shown (`show_progress`,
    `show_result`, `show_nothing`).
    """

    def __init__(
        self, title: str, help: str, project: Project, session: TrainingSession, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setMinimumWidth(_WIDTH)
        self.project = project
        self._session = session
        self._job: Job | None = None
        self.content = QVBoxLayout()
        self.content.setSpacing(12)
        self.use = QPushButton()
        self.use.setProperty("role", "primary")
        self._again = QPushButton("Try again")
        self._again.setObjectName("tryAgain")
        self._again.setAutoDefault(False)
        self._again.clicked.connect(self.start)
        self._failure = Label("", "help", "wrong", wrap=True)
        self._failure.setObjectName("trialFailure")
        self._progress = ProgressLine()
        self._progress.cancelled.connect(self._on_cancel)
        self._compose(title, help)

    def _compose(self, title: str, help: str) -> None:
        close = QPushButton("Close")
        close.setAutoDefault(False)
        close.clicked.connect(self.reject)
        foot = QHBoxLayout()
        foot.setSpacing(8)
        foot.addWidget(self._again)
        foot.addStretch(1)
        foot.addWidget(close)
        foot.addWidget(self.use)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(Label(title, "title"))
        column.addWidget(Label(help, "help", "secondary", wrap=True))
        column.addLayout(self.content, 1)
        column.addWidget(self._failure)
        column.addWidget(self._progress)
        column.addLayout(foot)
        self._failure.hide()

    @property
    def device(self) -> str:
        """Where it is tried, which is where it will be trained."""
        return self._session.device

    @property
    def is_busy(self) -> bool:
        """Whether the trial is under way."""
        return self._job is not None

    def start(self) -> None:
        """Begins the trial anew, with the project as it is now."""
        if self._job is None:
            self.show_nothing()
            self._failure.hide()
            self._progress.begin("Getting the images ready")
            self._job = self._session.fetch(self.project.dataset_name, self._on_dataset, self._on_failed)
            self._show_busy()

    # For the subclass

    def attempt(
        self,
        network: Network,
        dataset: Dataset,
        recipe: Recipe,
        tell: Callable[[object], None],
        cancelled: CancelFunction,
    ) -> object:
        """The trial itself, which is called on the thread that computes."""
        raise NotImplementedError

    def show_progress(self, value: Any) -> tuple[int, int | None, str]:
        """Shows what `tell` was told; gives how much is done, of how much, and the words for it."""
        raise NotImplementedError

    def show_result(self, result: Any) -> None:
        """Shows what `attempt` gave."""
        raise NotImplementedError

    def show_nothing(self) -> None:
        """Forgets the result."""
        raise NotImplementedError

    # What the session says

    def _on_dataset(self, dataset: Dataset) -> None:
        network, recipe = self.project.network, self.project.recipe
        self._job = self._session.run_job(
            lambda tell, cancelled: self.attempt(network, dataset, recipe, tell, cancelled),
            self._on_done,
            self._on_failed,
            self._on_progress,
        )

    def _on_progress(self, value: object) -> None:
        self._progress.show_progress(*self.show_progress(value))

    def _on_done(self, result: object) -> None:
        self._end()
        self.show_result(result)

    def _on_failed(self, sentence: str) -> None:
        self._end()
        self._failure.setText(sentence)
        self._failure.show()

    def _on_cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()
        self._end()

    def _end(self) -> None:
        self._job = None
        self._progress.hide()
        self._show_busy()

    def _show_busy(self) -> None:
        self._again.setEnabled(self._job is None)
        self.use.setEnabled(False)

    def done(self, result: int) -> None:
        if self._job is not None:
            self._job.cancel()
            self._job = None
        super().done(result)
