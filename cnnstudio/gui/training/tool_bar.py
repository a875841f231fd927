"""The row at the top of the window: data, recipe, Train, Pause, Stop, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QHBoxLayout,
    QInputDialog,
    QProgressBar,
    QSizePolicy,
    QToolBar,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.core.formatting import plural
from cnnstudio.core.progress import Progress as DataProgress
from cnnstudio.data.dataset import Dataset
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.runs.follower import Follower
from cnnstudio.gui.runs.status_text import RunWords, followed_in_words
from cnnstudio.gui.training.controls import ActionButton, MoreButton
from cnnstudio.gui.training.recipe.recipe_popup import RecipePopup
from cnnstudio.gui.training.recipe.selectors import DataSelector, RecipeSelector, recipe_in_words
from cnnstudio.gui.training.run_actions import RunActions
from cnnstudio.gui.widgets.labels import ElidedLabel
from cnnstudio.runs.seeds import MOST_SEEDS, Repeated
from cnnstudio.runs.significance import in_words
from cnnstudio.training.events import CarriedOver, Event, Progress, Warned

if TYPE_CHECKING:
    from cnnstudio.training.preflight.profiling import Measurement

_BAR_STEPS = 1000
_READABLE_SECONDS = 0.25
"""Numbers that change more often than this cannot be read."""

_SEEDS = 5
_SEEDS_QUESTION = (
    "The same training is done several times, with another seed each, which tells how far its result is\n"
    "a matter of chance. Number of seeds:"
)

_UNDER_WAY = (State.LOADING, State.RUNNING, State.PAUSED, State.STOPPING)


class TrainingPanel(QToolBar):
    """Starts and stops the session's training with the project's network, data and recipe."""

    message = Signal(object)
    """A sentence on why Train did nothing."""
    remark = Signal(object)
    """What the run warned of, or what the data set has to say of itself."""
    data_dialog_requested = Signal(object)
    """The name of a data set that is not on the machine yet; empty where the user wants to see them all."""

    def __init__(
        self,
        project: Project,
        session: TrainingSession,
        export: QAction | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Training", parent)
        self.setObjectName("trainingPanel")
        self.setMovable(False)
        self.setFloatable(False)
        # The toolbar's own menu would only offer to hide it.
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self._project = project
        self._session = session
        self._words = RunWords()
        self._outcome = ""
        """What the seeds came to, or where a run is that another program trains."""
        self._loading_text = ""
        self._failure = ""
        self._noted: Dataset | None = None
        self._measured = ""
        self._measured_for: object = None
        self._shown_at = 0.0
        self._make_actions()
        self._compose(export)
        self._connect()
        self._on_state_changed(session.state)

    @property
    def training_actions(self) -> list[QAction]:
        """Train, Pause and Stop, and what can be done with a run besides."""
        return [self.train_action, self.pause_action, self.stop_action, *self.run_actions.all]

    def refresh_sources(self) -> None:
        """Lists the data sets anew, after one came."""
        self.data.refresh()

    # Composition

    def _make_actions(self) -> None:
        self.train_action = self._action("actionTrain", "&Train", ("Ctrl+R", "F5"))
        self.pause_action = self._action("actionPause", "&Pause", ("F6",))
        self.stop_action = self._action("actionStop", "&Stop", ("Shift+F5",))
        self.train_action.triggered.connect(self._on_train)
        self.pause_action.triggered.connect(self._on_pause)
        self.stop_action.triggered.connect(self._session.stop)
        self.run_actions = RunActions(self._project, self._session, self)
        self.run_actions.told.connect(self.remark)
        self.run_actions.failed.connect(self.message)

    def _action(self, name: str, text: str, keys: tuple[str, ...]) -> QAction:
        action = QAction(text, self)
        action.setObjectName(name)
        action.setShortcuts([QKeySequence(key) for key in keys])
        return action

    def _compose(self, export: QAction | None) -> None:
        self.data = DataSelector(self._project)
        self.recipe = RecipeSelector(self._project)
        self.popup = RecipePopup(self._project, self)
        self._pause_button = ActionButton(self.pause_action, "pause")
        self.bar = QProgressBar()
        self.bar.setObjectName("trainingProgress")
        self.bar.setAccessibleName("Training progress")
        self.bar.setTextVisible(False)
        self.bar.setRange(0, _BAR_STEPS)
        self.sentence = ElidedLabel("", "help", "secondary")
        self.sentence.setObjectName("trainingSentence")
        progress = QVBoxLayout()
        progress.setContentsMargins(8, 0, 8, 0)
        progress.setSpacing(4)
        progress.addStretch(1)
        progress.addWidget(self.bar)
        progress.addWidget(self.sentence)
        progress.addStretch(1)
        content = QWidget()
        content.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout(content)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.data)
        row.addWidget(self.recipe)
        row.addSpacing(8)
        row.addWidget(ActionButton(self.train_action, "train", primary=True))
        row.addWidget(self._pause_button)
        row.addWidget(ActionButton(self.stop_action, "stop"))
        row.addWidget(MoreButton("More to do with this run", self.run_actions.all))
        row.addLayout(progress, 1)
        if export is not None:
            row.addWidget(ActionButton(export))
        self.addWidget(content)

    def _connect(self) -> None:
        session, project = self._session, self._project
        self.data.dialog_requested.connect(self.data_dialog_requested)
        self.recipe.edit_requested.connect(lambda: self.popup.open_below(self.recipe))
        session.state_changed.connect(self._on_state_changed)
        session.events.connect(self._on_events)
        session.loading.connect(self._on_loading)
        session.failed.connect(self._on_failed)
        session.repeated.connect(self._on_repeated)
        session.dataset_loaded.connect(self._on_dataset_loaded)
        for signal in (project.network_changed, project.recipe_changed, project.dataset_changed):
            signal.connect(self._on_design_changed)

    # What the user does

    def _on_train(self) -> None:
        self._train(seeds=1)

    def train_seeds(self) -> None:
        """Asks how often, and trains the same with as many seeds."""
        if self._session.state is not State.IDLE:
            self.message.emit("A run is training already: stop it, or wait for its end.")
            return
        seeds, chosen = QInputDialog.getInt(
            self, "Train with several seeds", _SEEDS_QUESTION, _SEEDS, 2, MOST_SEEDS
        )
        if chosen:
            self._train(seeds)

    def _train(self, seeds: int) -> None:
        problems = self._project.analysis.problems
        if problems:
            first = problems[0]
            if first.node_id is not None:
                self._project.select((first.node_id,))
            self.message.emit(f"This network cannot be trained yet. {first.sentence}.")
        elif not self._project.dataset_name:
            self.message.emit("There are no images to train with: choose a data set first.")
        else:
            project = self._project
            self._session.start(project.network, project.dataset_name, project.recipe, seeds)

    def _on_pause(self) -> None:
        if self._session.state is State.PAUSED:
            self._session.resume()
        else:
            self._session.pause()

    # What the session says

    def _on_state_changed(self, state: object) -> None:
        training = state in _UNDER_WAY
        self.train_action.setEnabled(not training)
        self.pause_action.setEnabled(state in (State.RUNNING, State.PAUSED))
        self.stop_action.setEnabled(state in (State.LOADING, State.RUNNING, State.PAUSED))
        paused = state is State.PAUSED
        self.pause_action.setText("&Resume" if paused else "&Pause")
        self._pause_button.show_icon("train" if paused else "pause")
        keys = self.train_action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        self.train_action.setToolTip("A training is under way" if training else f"Train the network ({keys})")
        if state is State.LOADING:
            self._words = RunWords()
            self._outcome = self._failure = ""
            self._loading_text = "Getting ready"
        self._show()

    def _on_events(self, events: Iterable[Event]) -> None:
        self._words.feed(events)
        for event in events:
            if isinstance(event, Warned):
                self.remark.emit(event.message)
            elif isinstance(event, CarriedOver):
                self.remark.emit(". ".join(event.lines) + ".")
        if any(not isinstance(event, Progress) for event in events) or self._is_time():
            self._show()

    def _is_time(self) -> bool:
        return time.monotonic() - self._shown_at >= _READABLE_SECONDS

    def _on_loading(self, progress: DataProgress) -> None:
        self._loading_text = progress.text
        self._show()
        if progress.total:
            self._show_share(progress.done, progress.total)

    def _on_failed(self, sentence: str) -> None:
        self._failure = sentence
        self._show()

    def _on_dataset_loaded(self, loaded: tuple[str, Dataset]) -> None:
        name, dataset = loaded
        if name == self._project.dataset_name:
            self._project.set_dataset(name, len(dataset.classes), dataset.title)
        if dataset.notes and dataset is not self._noted:
            self.remark.emit(" ".join(dataset.notes))
        self._noted = dataset

    def _on_repeated(self, repeated: Repeated) -> None:
        """Stands there until the next training; the last run's own end is among the runs."""
        done, seeds = len(repeated.completed), self._session.repeat[1] if self._session.repeat else 0
        all_done = done == seeds
        words = f"Done: {plural(done, 'seed')}" if all_done else f"{done} of {plural(seeds, 'seed')} done"
        if repeated.accuracy is not None:
            words += f" · test accuracy {in_words(repeated.accuracy)}"
        self._outcome, self._failure = words, ""
        self.remark.emit(f"{repeated.sentence}.")
        self._show()

    def show_followed(self, follower: Follower) -> None:
        """Where the run is that another program trains; Pause and Stop are not for it."""
        if follower.look is None or follower.record is None or self._session.state is not State.IDLE:
            return
        self._words, self._failure = RunWords(), ""
        self._words.feed(follower.record.history.gist)
        self._outcome = followed_in_words(follower.look, self._words, follower.problem)
        self._show()

    def _on_design_changed(self, _: object) -> None:
        if self._session.state is State.IDLE and not (self._words.sentence or self._outcome):
            self._failure = ""
            self._show()

    # Progress

    def _show(self) -> None:
        self._shown_at = time.monotonic()
        wrong = bool(self._failure) or self._words.is_failed
        sentence = self._sentence()
        self._show_share(round(_BAR_STEPS * self._share()), _BAR_STEPS)
        # Hidden, but what a screen reader says and automated use reads.
        self.bar.setFormat(sentence)
        self.bar.setAccessibleDescription(sentence)
        self.sentence.set_whole(sentence)
        self.sentence.set_tone("wrong" if wrong else "secondary")

    def _show_share(self, done: int, total: int) -> None:
        if self.bar.maximum() != total:
            self.bar.setRange(0, total)
        # It paints itself at once, also for the same value.
        if self.bar.value() != done:
            self.bar.setValue(done)

    def _sentence(self) -> str:
        state = self._session.state
        if state is State.STOPPING:
            return "Stopping after this step"
        if state is not State.IDLE:
            return f"{self._seed()}{self._words.sentence or self._loading_text}"
        return self._failure or self._outcome or self._words.sentence or self._ready()

    def _seed(self) -> str:
        """`Seed 2 of 5 · `, where there are several."""
        repeat = self._session.repeat
        return f"Seed {repeat[0]} of {repeat[1]} · " if repeat is not None else ""

    def _share(self) -> float:
        """Of all that is to be trained, what is done."""
        repeat = self._session.repeat
        if repeat is None or self._session.state is State.IDLE:
            return self._words.share
        return (repeat[0] - 1 + self._words.share) / repeat[1]

    def _ready(self) -> str:
        measured = f" · {self._measured}" if self._measured_for == self._what_is_trained() else ""
        return f"Ready to train{measured} · {recipe_in_words(self._project.recipe)}"

    def show_measurement(self, measurement: Measurement) -> None:
        """Says what the training of the project as it is will take, for as long as it stays so."""
        self._measured, self._measured_for = measurement.in_short, self._what_is_trained()
        self._show()

    def _what_is_trained(self) -> object:
        project = self._project
        return project.network, project.recipe, project.dataset_name
