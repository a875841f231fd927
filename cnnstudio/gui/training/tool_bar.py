"""The toolbar at the top of the window: data set, recipe, Train, Pause, Stop, and progress."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

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

from cnnstudio.core.formatting import pluralize
from cnnstudio.core.progress import Progress as DataProgress
from cnnstudio.data.dataset import Dataset
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.runs.follower import RunFollower
from cnnstudio.gui.runs.status_text import RunStatusText, describe_followed_run
from cnnstudio.gui.training.controls import ActionButton
from cnnstudio.gui.training.problem_message import problem_message
from cnnstudio.gui.training.recipe.recipe_popup import RecipePopup
from cnnstudio.gui.training.recipe.selectors import DataSelector, RecipeSelector
from cnnstudio.gui.training.run_actions import RunActions
from cnnstudio.gui.training.start_from.chip import StartChip
from cnnstudio.gui.training.start_from.fit_classes import FitClasses
from cnnstudio.gui.training.start_from.unlock_offer import unlock_offer
from cnnstudio.gui.training.training_actions import TRAINING_ACTIONS
from cnnstudio.gui.widgets.actions import ActionSet
from cnnstudio.gui.widgets.labels import PartsLabel
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.gui.widgets.number_box import NumberBox
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.runs.comparing.seeds import MAX_SEEDS, SeedSweep
from cnnstudio.runs.comparing.significance import format_accuracy
from cnnstudio.training.events import (
    Event,
    Progress,
    SnapshotTaken,
    Started,
    Warned,
    WeightsLoaded,
    WeightsTransferred,
)

if TYPE_CHECKING:
    from cnnstudio.training.preflight.profiling import TrainingEstimate
    from cnnstudio.training.preflight.quick_estimate import QuickEstimate

_PROGRESS_STEPS = 1000
_UPDATE_SECONDS = 0.5
"""Numbers that change more often than this cannot be read."""
_FREQUENT_EVENTS = (Progress, SnapshotTaken)

_HEIGHT, _CONTROL_HEIGHT, _LEAST_WIDTH = 48, 32, 400
_NARROW = 1200
"""The width of the window below which the controls fold."""
_WIDTHS, _NARROW_WIDTHS = (144, 136, 176), (104, 104, 144)
"""Of the data set, the recipe and the run on show."""
_TRAIN_WIDTH, _ICON_WIDTH = 88, 36

_IS_TRAINING = "A run is already training. Stop it or wait for it to finish."
_NO_IMAGES = "There are no images to train on. Choose a data set first."
_DEFAULT_SEEDS = 5
_TRAINING_STATES = (State.LOADING, State.RUNNING, State.PAUSED, State.STOPPING)


class _Content(QWidget):
    """What is in the toolbar. Its widths follow that of the window, not the other way round."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(_CONTROL_HEIGHT)

    def sizeHint(self) -> QSize:
        return QSize(_LEAST_WIDTH, _CONTROL_HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()


class TrainingToolBar(QToolBar):
    """Trains the project's network with its data set and recipe, and shows the progress."""

    message = Signal(object)
    """A Message: why Train did not start a run, a result, or a note on the run or its data set."""
    status_changed = Signal()
    """`status_text` or `is_narrow` changed."""
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
        self._status = RunStatusText()
        self._outcome = ""
        """The result of a seed sweep, or the status of a run that another program trains."""
        self._loading_text = ""
        self._failure = ""
        self._dataset_with_shown_notes: Callable[[], Dataset | None] = lambda: None
        self._estimate = ""
        self._estimate_inputs: object = None
        self._updated_at = 0.0
        self._fresh: tuple[str, ...] | None = None
        """The layers of the run that started afresh; None for all of them."""
        self._create_actions()
        self._compose(page_switch, shown_run)
        self._connect()
        self._on_state_changed(session.state)

    def refresh_sources(self) -> None:
        """Updates the list of data sets."""
        self.data.refresh()

    # Composition

    def _create_actions(self) -> None:
        signals = (self._session.state_changed,)
        self.training_actions = ActionSet(self, TRAINING_ACTIONS, self, signals)
        self.train_action = self.training_actions["actionTrain"]
        self.pause_action = self.training_actions["actionPause"]
        self.stop_action = self.training_actions["actionStop"]
        self.run_actions = RunActions(self._project, self._session, self)
        self.run_actions.message.connect(self.message)
        self.start = self.run_actions.start
        self.start.train_wanted.connect(self.train)
        self.fit_classes = FitClasses(self._project, self.message.emit, self)

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
        row.setContentsMargins(0, 0, 0, 0)
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
        """Whether there is no room for the sentence on the progress, which then stands elsewhere."""
        return self.width() < _NARROW

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.start_chip.fit_into(self.width(), is_narrow=self.is_narrow)
        if (event.oldSize().width() < _NARROW) != self.is_narrow:
            self._fold()

    def _fold(self) -> None:
        """Gives each control its width, which depends on nothing but that of the window."""
        data, recipe, shown_run = _NARROW_WIDTHS if self.is_narrow else _WIDTHS
        for combo, width in ((self.data, data), (self.recipe, recipe)):
            combo.setFixedWidth(width)
            combo.show_title(not self.is_narrow)
        if self._shown_run is not None:
            self._shown_run.setFixedWidth(shown_run)
        self.status_label.setVisible(not self.is_narrow)
        self.status_changed.emit()

    def _connect(self) -> None:
        session, project = self._session, self._project
        self.data.dialog_requested.connect(self.data_dialog_requested)
        self.recipe.edit_requested.connect(lambda: self.popup.open_below(self.recipe))
        session.state_changed.connect(self._on_state_changed)
        session.events.connect(self._on_events)
        session.loading.connect(self._on_loading)
        session.failed.connect(self._on_failed)
        session.seeds_finished.connect(self._on_seeds_finished)
        session.dataset_loaded.connect(self._on_dataset_loaded)
        for signal in (project.network_changed, project.recipe_changed, project.dataset_changed):
            signal.connect(self._on_inputs_changed)
        project.opening.connect(self._on_opening)

    # Callbacks of the actions

    def train(self) -> None:
        """Trains the project, or shows why that is not possible."""
        self._train(seeds=1)

    def train_seeds(self) -> None:
        """Asks for the number of seeds and trains the project once with each."""
        if self._session.state is not State.IDLE:
            self._show_obstacle(_IS_TRAINING, lambda: self._session.state is not State.IDLE)
            return
        box = NumberBox(
            self.window(),
            "Train with multiple seeds",
            "Train with multiple random seeds?",
            "This shows how much the result varies by chance. Each seed is a full training run.",
            label="Number of seeds",
            value=_DEFAULT_SEEDS,
            minimum=2,
            maximum=MAX_SEEDS,
            button="&Train",
            icon="train",
        )
        seeds = box.ask_number()
        if seeds is not None:
            self._train(seeds)

    def _train(self, seeds: int) -> None:
        problems = self._project.analysis.problems
        if problems:
            first = problems[0]
            self._project.insist_on_problems()
            if first.node_id is not None:
                self._project.select((first.node_id,))
            self.message.emit(problem_message(self._project, first))
        elif not self._project.dataset_name:
            self._show_obstacle(_NO_IMAGES, lambda: not self._project.dataset_name)
        else:
            project = self._project
            self._session.start(
                *(project.network, project.dataset_name, project.recipe, seeds), weights=self.start.use()
            )

    def _show_obstacle(self, text: str, holds: Callable[[], bool]) -> None:
        self.message.emit(Message(text, is_error=True, holds=holds))

    def pause_or_resume(self) -> None:
        if self.is_paused:
            self._session.resume()
        else:
            self._session.pause()

    def stop(self) -> None:
        self._session.stop()

    @property
    def is_training(self) -> bool:
        """True from the click on Train to the end of the run."""
        return self._session.state in _TRAINING_STATES

    @property
    def is_paused(self) -> bool:
        return self._session.state is State.PAUSED

    @property
    def can_pause(self) -> bool:
        return self._session.state in (State.RUNNING, State.PAUSED)

    @property
    def can_stop(self) -> bool:
        return self._session.state in (State.LOADING, State.RUNNING, State.PAUSED)

    # Signals of the session

    def _on_state_changed(self, state: object) -> None:
        if state is State.LOADING:
            self._status = RunStatusText()
            self._outcome = self._failure = ""
            self._loading_text = "Preparing"
        self._update()

    def _on_events(self, events: Iterable[Event]) -> None:
        self._status.feed(events)
        for event in events:
            if isinstance(event, Started | Progress):
                # What is reported from here on, such as the locked layers being computed, is shown instead of
                # the epoch until the first step.
                self._loading_text = ""
            if isinstance(event, Started):
                self._fresh = None
            elif isinstance(event, WeightsTransferred | WeightsLoaded):
                self._fresh = event.fresh
            if isinstance(event, Warned):
                offer = unlock_offer(self._project, self._session.network, self._fresh, event.message)
                self.message.emit(offer or Message(event.message, is_note=True))
            elif isinstance(event, WeightsTransferred | WeightsLoaded):
                self.message.emit(Message(". ".join(event.lines) + "."))
        if any(not isinstance(event, _FREQUENT_EVENTS) for event in events) or self._is_update_due():
            self._update()

    def _is_update_due(self) -> bool:
        return time.monotonic() - self._updated_at >= _UPDATE_SECONDS

    def _on_loading(self, progress: DataProgress) -> None:
        self._loading_text = progress.text
        self._update()
        if progress.total:
            self._set_progress(progress.done, progress.total)

    def _on_failed(self, message: str) -> None:
        self._failure = message
        self._update()

    def _on_dataset_loaded(self, loaded: tuple[str, Dataset]) -> None:
        name, dataset = loaded
        if name == self._project.dataset_name:
            self._project.set_dataset(name, len(dataset.classes), dataset.title)
        if dataset.notes and dataset is not self._dataset_with_shown_notes():
            for note in dataset.notes:
                self.message.emit(Message(note, is_note=True))
        # The images may be many: they stay no longer than they are needed elsewhere.
        self._dataset_with_shown_notes = weakref.ref(dataset)

    def _on_seeds_finished(self, sweep: SeedSweep) -> None:
        """Shows the statistics, in place of the last run's outcome, until the next training."""
        completed = len(sweep.completed)
        _, seeds = self._session.position or (0, 0)
        outcome = f"{completed} of {pluralize(seeds, 'seed')} done"
        if completed == seeds:
            outcome = f"Done: {pluralize(completed, 'seed')}"
        if sweep.accuracy is not None:
            outcome += f" · test accuracy {format_accuracy(sweep.accuracy)}"
        self._outcome, self._failure = outcome, ""
        self.message.emit(Message(f"{sweep.summary}."))
        self._update()

    def show_followed(self, follower: RunFollower) -> None:
        """Shows the status of a run that another program trains, unless this one is training."""
        if follower.latest is None or follower.record is None or self._session.state is not State.IDLE:
            return
        self._status, self._failure = RunStatusText(), ""
        self._status.feed(follower.record.history.summary_events)
        self._outcome = describe_followed_run(follower.latest, self._status, follower.problem)
        self._update()

    def forget(self, folders: Collection[Path]) -> None:
        """These runs are gone: what became of one of them is said no longer."""
        if self._session.state is State.IDLE and self._status.run in folders:
            self._status, self._outcome, self._failure = RunStatusText(), "", ""
            self._update()

    def _on_opening(self, _: object) -> None:
        """Another design is opened or imported: what became of the last run is said by the run on show.

        One that only gets another name is the same design.
        """
        if self._session.state is State.IDLE:
            self._status, self._outcome = RunStatusText(), ""

    def _on_inputs_changed(self, _: object) -> None:
        if self._session.state is State.IDLE and not (self._status.text or self._outcome):
            self._failure = ""
            self._update()

    # Progress

    def _update(self) -> None:
        self._updated_at = time.monotonic()
        is_failed = bool(self._failure) or self._status.is_failed
        text = self._status_text()
        self._set_progress(round(_PROGRESS_STEPS * self._fraction()), _PROGRESS_STEPS)
        # The bar shows no text, but screen readers and other programs read it.
        self.bar.setFormat(plain_line(text))
        self.bar.setAccessibleDescription(plain_line(text))
        self.status_label.set_texts(text, self.short_status_text)
        self.status_label.set_tone("wrong" if is_failed else "secondary")
        self.status_changed.emit()

    @property
    def status_text(self) -> str:
        """The sentence on the progress."""
        return self.status_label.full_text

    @property
    def short_status_text(self) -> str:
        """The same for less room; empty where there is no shorter one."""
        if self._session.state is State.STOPPING or self._failure or self._outcome:
            return ""
        short = self._status.short_text
        return f"{self._position_prefix()}{short}" if short else ""

    def _set_progress(self, done: int, total: int) -> None:
        if self.bar.maximum() != total:
            self.bar.setRange(0, total)
        # setValue repaints immediately, even if the value is the same.
        if self.bar.value() != done:
            self.bar.setValue(done)

    def _status_text(self) -> str:
        state = self._session.state
        if state is State.STOPPING:
            return "Stopping after the current step"
        if state is not State.IDLE:
            return f"{self._position_prefix()}{self._loading_text or self._status.text}"
        return self._failure or self._outcome or self._status.text or self._ready_text()

    def _position_prefix(self) -> str:
        """`Run 2 of 5 · ` while several are trained in a row, else empty."""
        position = self._session.position
        return f"Run {position[0]} of {position[1]} · " if position is not None else ""

    def _fraction(self) -> float:
        """The completed fraction of the training, over all runs in a row."""
        position = self._session.position
        if position is None or self._session.state is State.IDLE:
            return self._status.fraction
        seed, seeds = position
        return (seed - 1 + self._status.fraction) / seeds

    def _ready_text(self) -> str:
        estimate = f" · {self._estimate}" if self._estimate_inputs == self._training_inputs() else ""
        return f"Ready to train{estimate} · {pluralize(self._project.recipe.epochs, 'epoch')}"

    def show_estimate(self, estimate: TrainingEstimate | QuickEstimate) -> None:
        """Shows the estimated cost of training the project, until the project changes."""
        self._estimate, self._estimate_inputs = estimate.summary, self._training_inputs()
        self._update()

    def _training_inputs(self) -> object:
        project = self._project
        return project.network, project.recipe, project.dataset_name
