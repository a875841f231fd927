"""The actions of the menu Run that try something out on the run on show."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from cnnstudio.core.formatting import pluralize
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.experiments.label_errors import LabelErrorDialog
from cnnstudio.gui.experiments.learning_curve import LearningCurveDialog
from cnnstudio.gui.experiments.predict_folder import PredictFolderDialog
from cnnstudio.gui.experiments.retraining import RetrainingController
from cnnstudio.gui.experiments.run_dialog import RunDialog
from cnnstudio.gui.runs.shown_run import ShownRun
from cnnstudio.gui.widgets.actions import ActionSet, ActionSpec
from cnnstudio.gui.widgets.message_bar import Message

_MENU = "Run"
_NOT_NOW = "This is possible when a run is shown and no training is in progress."


class Experiments(QObject):
    """The actions, when they are enabled, and their dialogs above `window`."""

    message = Signal(object)
    """A Message."""
    review_requested = Signal(object)
    """(name of the data set, title, ReviewItems)."""

    def __init__(self, shown: ShownRun, session: TrainingSession, window: QWidget) -> None:
        super().__init__(window)
        self._shown = shown
        self._session = session
        self._window = window
        self.when_corrections_are_kept: Callable[[Callable[[], object]], object] = lambda act: act()
        """Calls back when all corrections are in their file; the owner of the corrections sets it."""
        self._reviewed: Path | None = None
        """The run whose suspected label errors are being reviewed."""
        self.retraining = RetrainingController(session, window)
        self.retraining.message.connect(self.message)
        signals = (session.state_changed, shown.cursor.run_changed, shown.cursor.live_changed)
        self.action_set = ActionSet(self, EXPERIMENT_ACTIONS, self, signals)
        self.action_set.add_to(window)

    @property
    def can_start(self) -> bool:
        """Whether there is a run with files that nobody is writing, and no training here."""
        is_ready = self._shown.record.folder is not None and not self._shown.is_live
        return is_ready and self._session.state is State.IDLE

    def find_label_errors(self) -> None:
        """Looks for suspected label errors in the images of the run on show."""
        folder = self._shown.record.folder
        if folder is None or not self.can_start:
            self.message.emit(Message(_NOT_NOW))
            return
        dialog = LabelErrorDialog(folder, self._session, self._window)
        dialog.review_requested.connect(partial(self._on_review_requested, folder))
        self._open(dialog)

    def _on_review_requested(self, folder: Path, wanted: object) -> None:
        self._reviewed = folder
        self.review_requested.emit(wanted)

    def offer_training(self, corrections: int) -> None:
        """Offers to train again after a review of what the run on show has found, if labels are corrected."""
        folder, self._reviewed = self._reviewed, None
        if not corrections or folder is None or folder != self._shown.record.folder or not self.can_start:
            return
        text = f"The data set has {pluralize(corrections, 'correction')} now."
        holds = lambda: self.can_start  # noqa: E731
        self.message.emit(
            Message(text, button="Train again and compare", action=self.train_again, holds=holds)
        )

    def predict_folder(self) -> None:
        """Asks for a folder of images without labels, and classifies them with the run on show."""
        if self.can_start:
            folder = QFileDialog.getExistingDirectory(self._window, "Predict images without labels")
            if folder:
                self.predict_images_in(Path(folder))

    def predict_images_in(self, images: Path) -> None:
        """Classifies the images in a folder with the run on show."""
        folder = self._shown.record.folder
        if folder is None or not self.can_start:
            self.message.emit(Message(_NOT_NOW))
        else:
            self._open(PredictFolderDialog(folder, self._shown.title, images, self._session, self._window))

    def show_learning_curve(self) -> None:
        folder = self._shown.record.folder
        if folder is not None and self.can_start:
            self._open(LearningCurveDialog(folder, self._session, self._window))

    def train_again(self) -> None:
        """Trains the run on show again with the corrections of its images."""
        folder = self._shown.record.folder
        if folder is None or not self.can_start:
            self.message.emit(Message(_NOT_NOW))
        else:
            self.when_corrections_are_kept(lambda: self.retraining.start(folder))

    def _open(self, dialog: RunDialog) -> None:
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()


EXPERIMENT_ACTIONS: tuple[ActionSpec[Experiments], ...] = (
    ActionSpec(
        "actionFindLabelErrors",
        "F&ind suspected label errors…",
        Experiments.find_label_errors,
        menu=_MENU,
        tooltip="Look for labels that neither the network nor similar images support",
        enabled=lambda experiments: experiments.can_start,
        separator_before=True,
    ),
    ActionSpec(
        "actionTrainCorrected",
        "Train again with correctio&ns",
        Experiments.train_again,
        menu=_MENU,
        tooltip="Train with the same seed on the corrected images, and compare before and after",
        enabled=lambda experiments: experiments.can_start,
    ),
    ActionSpec(
        "actionPredictFolder",
        "Predict ima&ges without labels…",
        Experiments.predict_folder,
        menu=_MENU,
        tooltip="Classify all images in a folder with the run on show, and save a table",
        enabled=lambda experiments: experiments.can_start,
    ),
    ActionSpec(
        "actionLearningCurve",
        "Learning cur&ve…",
        Experiments.show_learning_curve,
        menu=_MENU,
        tooltip="Find out whether more images or another network would help",
        enabled=lambda experiments: experiments.can_start,
    ),
)
