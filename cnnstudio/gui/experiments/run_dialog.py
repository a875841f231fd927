"""The base class of the dialogs that compute something of a run."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QDialog, QPushButton, QVBoxLayout, QWidget

from cnnstudio.core.progress import Progress
from cnnstudio.gui.compute.io_task import IoFunction
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.experiments.run_job import Compute, RunJob
from cnnstudio.gui.widgets.dialog_layout import button_row, dialog_column, leave_button
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.progress import ProgressLine

_WIDTH = 560


class RunDialog(QDialog):
    """A title, what it is for, the content of a subclass, progress and buttons. Closing it cancels the job.

    Subclasses call `begin`, and implement `show_result`.
    """

    def __init__(
        self, name: str, title: str, help: str, session: TrainingSession, parent: QWidget | None
    ) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setWindowTitle(title)
        self.setMinimumWidth(_WIDTH)
        self.content = QVBoxLayout()
        self.content.setSpacing(12)
        self.result_text = Label("", wrap=True)
        self.result_text.setObjectName("resultText")
        self.error = Label("", "help", "wrong", wrap=True)
        self.error.setObjectName("jobError")
        self.progress = ProgressLine()
        self.progress.cancelled.connect(self._on_cancel)
        self.act_button = QPushButton()
        self.act_button.setProperty("role", "primary")
        self.act_button.setObjectName("jobAct")
        self.act_button.clicked.connect(self.act)
        self.job = RunJob(session, self)
        self.job.progressed.connect(self._on_progressed)
        self.job.done.connect(self._on_done)
        self.job.failed.connect(self._on_failed)
        self.finished.connect(lambda _: self.job.cancel())
        self._compose(title, help)

    def _compose(self, title: str, help: str) -> None:
        close = leave_button(self)
        close.setObjectName("jobClose")
        close.setAutoDefault(False)
        column = dialog_column(self, title, help)
        column.addLayout(self.content)
        column.addWidget(self.result_text)
        column.addStretch(1)
        column.addWidget(self.error)
        column.addWidget(self.progress)
        column.addLayout(button_row(close, self.act_button))
        for widget in (self.result_text, self.error, self.act_button):
            widget.hide()

    # For subclasses

    def begin(self, text: str, read: IoFunction, compute: Compute) -> None:
        """Starts the job; the error and the act of the one before go."""
        self.error.hide()
        self.act_button.hide()
        self.progress.begin(text)
        self.job.start(read, compute)

    def offer(self, text: str) -> None:
        """Shows the button for `act`, with that text."""
        self.act_button.setText(text)
        self.act_button.show()
        self.act_button.setDefault(True)
        self.act_button.setFocus()

    def show_text(self, text: str) -> None:
        self.result_text.setText(text)
        self.result_text.setVisible(bool(text))

    def act(self) -> None:
        """The button was pressed."""
        raise NotImplementedError

    def show_result(self, result: Any) -> None:
        """The job is done."""
        raise NotImplementedError

    def show_ended(self) -> None:
        """The job was cancelled or has failed."""
        raise NotImplementedError

    # Signals

    def _on_progressed(self, progress: Progress) -> None:
        self.progress.show_progress(progress.done, progress.total, progress.text)

    def _on_done(self, result: object) -> None:
        self.progress.hide()
        self.show_result(result)
        self.adjustSize()

    def _on_failed(self, problem: object) -> None:
        self.progress.hide()
        self.error.setText(str(problem))
        self.error.show()
        self.show_ended()
        self.adjustSize()

    def _on_cancel(self) -> None:
        self.job.cancel()
        self.progress.hide()
        self.show_ended()
