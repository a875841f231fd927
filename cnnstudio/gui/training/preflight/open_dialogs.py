"""Opens the dialogs before a training. Each is loaded when it is first wanted: the window starts without."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QWidget

from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.message_bar import Message

_STILL_TRAINING = "This can be tried out when training has ended: press Stop, or wait for it."


class PreflightDialogs(QObject):
    """The learning rate finder and the check before training, above `window`."""

    message = Signal(object)
    """A Message: what is missing, where there is nothing to try out."""
    measured = Signal(object)
    """The Measurement that a check came to."""

    def __init__(self, project: Project, session: TrainingSession, window: QWidget) -> None:
        super().__init__(window)
        self._project = project
        self._session = session
        self._window = window

    def show_rate_finder(self) -> None:
        """The learning rate finder."""
        from cnnstudio.gui.training.preflight.lr_range_dialog import RateDialog

        if self._may_try():
            dialog = RateDialog(self._project, self._session, self._window)
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.open()
            dialog.start()

    def show_check(self) -> None:
        """The measurement before a training."""
        from cnnstudio.gui.training.preflight.preflight_dialog import PreflightDialog

        if self._may_try():
            dialog = PreflightDialog(self._project, self._session, self._window)
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.measured.connect(self.measured)
            dialog.open()
            dialog.start()

    def _may_try(self) -> bool:
        """Whether there is something to try out; says what is missing where there is not."""
        problems = self._project.analysis.problems
        if self._session.state is not State.IDLE:
            self.message.emit(Message(_STILL_TRAINING))
        elif problems:
            sentence = f"This network cannot be trained yet. {problems[0].sentence}."
            self.message.emit(Message(sentence, wrong=True))
        elif not self._project.dataset_name:
            self.message.emit(
                Message("There are no images to train with: choose a data set first.", wrong=True)
            )
        else:
            return True
        return False
