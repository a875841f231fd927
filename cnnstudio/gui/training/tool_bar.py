"""The toolbar at the top of the window: data set, recipe, Train, Pause, Stop, and progress."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QProgressBar,
    QSizePolicy,
    QToolBar,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.controls import ActionButton
from cnnstudio.gui.training.project_training import ProjectTraining
from cnnstudio.gui.training.recipe.recipe_popup import RecipePopup
from cnnstudio.gui.training.recipe.selectors import DataSelector, RecipeSelector
from cnnstudio.gui.training.run_actions import RunActions
from cnnstudio.gui.training.run_messages import RunMessages
from cnnstudio.gui.training.start_from.chip import StartChip
from cnnstudio.gui.training.start_from.enlarge_less_offer import EnlargeLessOffer
from cnnstudio.gui.training.start_from.fine_tune_offer import FineTuneOffer
from cnnstudio.gui.training.start_from.fit_classes import FitClasses
from cnnstudio.gui.training.status import TrainingStatus
from cnnstudio.gui.training.training_actions import TRAINING_ACTIONS
from cnnstudio.gui.widgets.actions import ActionSet
from cnnstudio.gui.widgets.labels import PartsLabel
from cnnstudio.gui.widgets.plain_text import plain_line

_HEIGHT, _LINE, _LEAST_WIDTH = 48, 1, 400
_SIDE, _ABOVE, _BELOW = 12, 8, 7
"""Around the controls, which are 32 pixels high."""
_NARROW, _NARROW_BESIDE_START = 1200, 1400
"""The width of the window below which the controls fold, and below which there is no room for the sentence on
the progress beside what training starts from."""
_WIDTHS, _NARROW_WIDTHS = (144, 136, 176), (104, 104, 168)
"""Of the data set, the recipe and the run on show; there is room for *Lesson CNN · 14:02*."""
_TRAIN_WIDTH, _ICON_WIDTH = 88, 36
_LEAST_PROGRESS, _LEAST_BESIDE_START = 64, 20
"""The width of the bar in a small window, and where what training starts from is shown beside it: names of
pages need theirs more."""
_PROGRESS_STEPS = 1000
"""Nobody sees smaller ones in the bar, which counts in 32 bits: too few for the bytes of a data set."""


class _Content(QWidget):
    """What is in the toolbar. Its widths follow that of the window, not the other way round."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(_HEIGHT - _LINE)

    def sizeHint(self) -> QSize:
        return QSize(_LEAST_WIDTH, _HEIGHT - _LINE)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()


class TrainingToolBar(QToolBar):
    """Trains the project's network with its data set and recipe, and shows the progress."""

    message = Signal(object)
    """A Message: why Train did not start a run, a result, or a note on the run or its data set."""
    status_changed = Signal()
    """`status`, `is_narrow` or `shows_sentence` changed."""
    data_dialog_requested = Signal(object)
    """The data sets dialog is needed: for the data set of this name, or for all if it is empty."""

    def __init__(
        self,
        project: Project,
        session: TrainingSession,
        page_switch: QWidget | None = None,
        shown_run: QWidget | None = None,
        parent: QWidget | None = None,
    ) -> None:
        """`page_switch` stands at its left end, `shown_run` at its right end."""
        super().__init__("Training", parent)
        # Saved window layouts refer to the toolbar by this name.
        self.setObjectName("trainingPanel")
        self.setMovable(False)
        self.setFloatable(False)
        self.setFixedHeight(_HEIGHT)
        # The default context menu would offer nothing but hiding the toolbar.
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self._project = project
        self._session = session
        self._create_actions()
        self._compose(page_switch, shown_run)
        self._connect()
        self._show_status()

    def refresh_sources(self) -> None:
        """Updates the list of data sets."""
        self.data.refresh()

    # Composition

    def _create_actions(self) -> None:
        project, session = self._project, self._session
        self.run_actions = RunActions(project, session, self)
        self.start = self.run_actions.start
        self.training = ProjectTraining(project, session, self.start, self)
        self.training_actions = ActionSet(self.training, TRAINING_ACTIONS, self, (session.state_changed,))
        self.train_action = self.training_actions["actionTrain"]
        self.pause_action = self.training_actions["actionPause"]
        self.stop_action = self.training_actions["actionStop"]
        self.status = TrainingStatus(project, session, self)
        self.fit_classes = FitClasses(project, self.message.emit, self)
        self.fine_tune_offer = FineTuneOffer(project, self.message.emit, self)
        self.enlarge_less_offer = EnlargeLessOffer(project, self.message.emit, self)
        self._messages = RunMessages(project, session, self)

    def _compose(self, page_switch: QWidget | None, shown_run: QWidget | None) -> None:
        self.data = DataSelector(self._project)
        self.recipe = RecipeSelector(self._project)
        self.popup = RecipePopup(self._project, self)
        self.bar = QProgressBar()
        self.bar.setObjectName("trainingProgress")
        self.bar.setAccessibleName("Training progress")
        self.bar.setTextVisible(False)
        self.bar.setRange(0, _PROGRESS_STEPS)
        self.status_label = PartsLabel("", "help", "secondary")
        self.status_label.setObjectName("trainingStatus")
        progress = QVBoxLayout()
        progress.setContentsMargins(0, 0, 0, 0)
        progress.setSpacing(3)
        progress.addStretch(1)
        progress.addWidget(self.bar)
        progress.addWidget(self.status_label)
        progress.addStretch(1)
        content = _Content()
        row = QHBoxLayout(content)
        row.setSizeConstraint(QHBoxLayout.SizeConstraint.SetNoConstraint)
        row.setContentsMargins(_SIDE, _ABOVE, _SIDE, _BELOW)
        row.setSpacing(8)
        if page_switch is not None:
            row.addWidget(page_switch)
            row.addSpacing(16)
        row.addWidget(self.data)
        row.addWidget(self.recipe)
        row.addSpacing(4)
        for spec, action in self.training_actions.for_toolbar("button", "primary"):
            is_primary = spec.toolbar == "primary"
            button = ActionButton(action, primary=is_primary, text=is_primary)
            button.setFixedWidth(_TRAIN_WIDTH if is_primary else _ICON_WIDTH)
            row.addWidget(button)
        self.start_chip = StartChip(self.start)
        row.addWidget(self.start_chip)
        self.start.changed.connect(self._fit_progress)
        row.addSpacing(8)
        row.addLayout(progress, 1)
        if shown_run is not None:
            row.addSpacing(8)
            row.addWidget(shown_run)
        self._shown_run = shown_run
        self.addWidget(content)
        layout = self.layout()
        if layout is not None:
            layout.setContentsMargins(0, 0, 0, 0)
        self._fold()

    @property
    def is_narrow(self) -> bool:
        """Whether the controls are folded."""
        return self.width() < _NARROW

    @property
    def shows_sentence(self) -> bool:
        """Whether there is room for the sentence on the progress, which else stands elsewhere."""
        return self.width() >= (_NARROW_BESIDE_START if self.start.title else _NARROW)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.start_chip.fit_into(self.width(), is_narrow=self.is_narrow)
        if (event.oldSize().width() < _NARROW) != self.is_narrow:
            self._fold()
        elif self.status_label.isHidden() == self.shows_sentence:
            self._fit_progress()

    def _fit_progress(self) -> None:
        """The sentence only where there is room for it, and a bar that leaves the room to others."""
        self.bar.setMinimumWidth(_LEAST_BESIDE_START if self.start.title else _LEAST_PROGRESS)
        self.status_label.setVisible(self.shows_sentence)
        self.status_changed.emit()

    def _fold(self) -> None:
        """Gives each control its width, which depends on nothing but that of the window."""
        data, recipe, shown_run = _NARROW_WIDTHS if self.is_narrow else _WIDTHS
        for combo, width in ((self.data, data), (self.recipe, recipe)):
            combo.setFixedWidth(width)
            combo.show_title(not self.is_narrow)
        if self._shown_run is not None:
            self._shown_run.setFixedWidth(shown_run)
        self._fit_progress()

    def _connect(self) -> None:
        self.data.dialog_requested.connect(self.data_dialog_requested)
        self.recipe.edit_requested.connect(lambda: self.popup.open_below(self.recipe))
        self.status.changed.connect(self._show_status)
        for source in (self.run_actions, self.training, self._messages):
            source.message.connect(self.message)

    # Progress

    def _show_status(self) -> None:
        text = self.status.text
        self._show_fraction(self.status.fraction)
        # The bar shows no text, but screen readers and other programs read it.
        self.bar.setFormat(plain_line(text))
        self.bar.setAccessibleDescription(plain_line(text))
        self.status_label.set_texts(text, self.status.short_text)
        self.status_label.set_tone("wrong" if self.status.is_failed else "secondary")
        self.status_changed.emit()

    def _show_fraction(self, fraction: float) -> None:
        done = round(_PROGRESS_STEPS * fraction)
        # setValue repaints immediately, even if the value is the same.
        if self.bar.value() != done:
            self.bar.setValue(done)
