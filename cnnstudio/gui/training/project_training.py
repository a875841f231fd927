"""Trains the project: what Train, Pause and Stop do."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from cnnstudio.data.dataset import Dataset
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.problem_message import problem_message
from cnnstudio.gui.training.start_from.choice import StartFrom
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.gui.widgets.number_box import NumberBox
from cnnstudio.layers.base import Shape
from cnnstudio.runs.comparing.seeds import MAX_SEEDS

_IS_TRAINING = "A run is already training. Stop it or wait for it to finish."
_NO_IMAGES = "There are no images to train on. Choose a data set first."
_DEFAULT_SEEDS = 5


class ProjectTraining(QObject):
    """Starts trainings of the project, with what is chosen to start from, and controls them."""

    message = Signal(object)
    """A Message: why Train did not start a run."""

    def __init__(self, project: Project, session: TrainingSession, start: StartFrom, parent: QWidget) -> None:
        super().__init__(parent)
        self._project = project
        self._session = session
        self._start = start
        self._parent = parent
        start.train_wanted.connect(self.train)
        session.dataset_loaded.connect(self._on_dataset_loaded)

    def train(self) -> None:
        """Trains the project, or shows why that is not possible."""
        self._train(seeds=1)

    def train_seeds(self) -> None:
        """Asks for the number of seeds and trains the project once with each."""
        if self.is_training:
            self._show_obstacle(_IS_TRAINING, lambda: self.is_training)
            return
        box = NumberBox(
            self._parent.window(),
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
        project, problems = self._project, self._project.analysis.problems
        if problems:
            first = problems[0]
            project.insist_on_problems()
            if first.node_id is not None:
                project.select((first.node_id,))
            self.message.emit(problem_message(project, first))
        elif not project.dataset_name:
            self._show_obstacle(_NO_IMAGES, lambda: not project.dataset_name)
        else:
            inputs = project.network, project.dataset_name, project.recipe
            self._session.start(*inputs, seeds, weights=self._start.use())

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
        return self._session.state is not State.IDLE

    @property
    def is_paused(self) -> bool:
        return self._session.state is State.PAUSED

    @property
    def can_pause(self) -> bool:
        return self._session.state in (State.RUNNING, State.PAUSED)

    @property
    def can_stop(self) -> bool:
        return self._session.state in (State.LOADING, State.RUNNING, State.PAUSED)

    def _on_dataset_loaded(self, loaded: tuple[str, Dataset]) -> None:
        name, dataset = loaded
        if name == self._project.dataset_name:
            shape = Shape.of(*dataset.shape)
            self._project.set_dataset(name, len(dataset.classes), dataset.title, shape)
