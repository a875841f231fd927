"""Opens the preflight dialogs. Each one is imported on first use, so that the window starts sooner."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QWidget

from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.message_bar import Message

_STILL_TRAINING = "Training is in progress. Stop it or wait for it to finish."


class PreflightDialogs(QObject):
    """The learning rate finder and the check before training, above `window`."""

    message = Signal(object)
    """Why a dialog cannot be opened, a Message."""
    estimated = Signal(object)
    """The TrainingEstimate of a finished check."""

    def __init__(
        self,
        project: Project,
        session: TrainingSession,
        window: QWidget,
        weights: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`weights` says what a training would start from now, if that was chosen."""
        super().__init__(window)
        self._weights = weights
        self._project = project
        self._session = session
        self._window = window

    def show_rate_finder(self) -> None:
        """Shows the learning rate finder."""
        from cnnstudio.gui.training.preflight.lr_range_dialog import LrRangeDialog

        if self._can_open():
            dialog = LrRangeDialog(self._project, self._session, self._window, self._weights())
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.open()
            dialog.start()

    def show_check(self) -> None:
        """Shows the check before training."""
        from cnnstudio.gui.training.preflight.preflight_dialog import PreflightDialog

        if self._can_open():
            dialog = PreflightDialog(self._project, self._session, self._window, self._weights())
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.estimated.connect(self.estimated)
            dialog.open()
            dialog.start()

    def _can_open(self) -> bool:
        """Whether the project can be trained now; if not, a message says why."""
        problems = self._project.analysis.problems
        if self._session.state is not State.IDLE:
            self.message.emit(Message(_STILL_TRAINING))
        elif problems:
            text = f"This network cannot be trained yet. {problems[0].full_message}."
            self.message.emit(Message(text, is_error=True))
        elif not self._project.dataset_name:
            self.message.emit(
                Message("There are no images to train on. Choose a data set first.", is_error=True)
            )
        else:
            return True
        return False
