"""Trains two designs with several seeds, one run after the other, and compares their accuracies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from cnnstudio.core.formatting import pluralize
from cnnstudio.core.progress import Progress
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.compute.training_request import TrainingRequest
from cnnstudio.gui.compute.training_row import Results
from cnnstudio.gui.runs.status_text import RunStatusText
from cnnstudio.runs.comparing.comparison import compare_trainings, in_turn
from cnnstudio.runs.comparing.seeds import PlannedRun, Training, find_seed_runs, plan_seeds
from cnnstudio.runs.comparing.significance import format_accuracy
from cnnstudio.runs.library.finding import list_runs
from cnnstudio.runs.run import Run
from cnnstudio.training.events import Event

WITH_MORE_SEEDS = "several seeds"


@dataclass(frozen=True)
class Side:
    """One of the two trainings."""

    training: Training
    completed: Sequence[Run] = ()
    """Its runs, one for each seed."""

    def missing(self, seeds: int, unfinished: Iterable[Run]) -> list[PlannedRun]:
        """The runs that it lacks to have that many; those that were stopped are resumed."""
        return plan_seeds(self.training, self.completed, seeds, unfinished)


class SeedComparison(QObject):
    """Lives as long as the window: the runs are trained whether or not a dialog shows the progress."""

    changed = Signal()
    """The progress, or whether it is running."""
    ended = Signal(object)
    """What was found, as text; the results can be read again."""

    def __init__(self, session: TrainingSession, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._status = RunStatusText()
        self._loading_text = ""
        self._sides: tuple[Side, Side] | None = None
        self._requests: list[tuple[int, TrainingRequest]] = []
        session.state_changed.connect(self._on_state_changed)
        session.loading.connect(self._on_loading)
        session.events.connect(self._on_events)
        session.row_finished.connect(self._on_finished)

    @property
    def is_running(self) -> bool:
        return self._sides is not None

    @property
    def can_start(self) -> bool:
        return not self.is_running and self._session.state is State.IDLE

    @property
    def text(self) -> str:
        """`Run 2 of 6: Lesson CNN with seed 1 · Epoch 3 of 10 · …`."""
        position, network, recipe = self._session.position, self._session.network, self._session.recipe
        if position is None or network is None or recipe is None:
            return ""
        run = f"Run {position[0]} of {position[1]}: {network.name} with seed {recipe.seed}"
        return " · ".join(filter(None, (run, self._status.text or self._loading_text)))

    @property
    def fraction(self) -> float:
        """The completed fraction of all runs."""
        done, total = self._session.position or (1, 1)
        return (done - 1 + self._status.fraction) / total

    def start(self, sides: tuple[Side, Side], seeds: int, unfinished: Iterable[Run] = ()) -> None:
        """Trains both until each has that many completed runs. Raises RecipeError for a seed out of range.

        Does nothing while something else is trained.
        """
        planned = in_turn(*((index, side.missing(seeds, unfinished)) for index, side in enumerate(sides)))
        if not self.can_start or not planned:
            return
        self._sides = sides
        self._requests = [(index, _request(run)) for index, run in planned]
        self._session.start_row([request for _, request in self._requests])

    def stop(self) -> None:
        """Ends the runs. Those that ended count, and the current one can be resumed."""
        self._session.stop()

    # Signals of the session

    def _on_state_changed(self, state: object) -> None:
        if state is State.LOADING:
            self._status, self._loading_text = RunStatusText(), ""
        self.changed.emit()

    def _on_loading(self, progress: Progress) -> None:
        self._loading_text = progress.text
        self._changed_if_running()

    def _on_events(self, events: Iterable[Event]) -> None:
        self._status.feed(events)
        self._changed_if_running()

    def _changed_if_running(self) -> None:
        if self.is_running:
            self.changed.emit()

    def _on_finished(self, results: Results) -> None:
        sides, requests = self._sides, self._requests
        if sides is None:
            return
        completed = [(request, finished) for request, finished in results if finished.outcome == "completed"]
        count = f"{len(completed)} of {pluralize(len(requests), 'run')} completed."
        firsts: list[Path | None] = []
        for index, side in enumerate(sides):
            own = [request for number, request in requests if number == index]
            new = [Path(finished.run) for request, finished in completed if request in own and finished.run]
            firsts.append(next(iter([*(run.folder for run in side.completed), *new]), None))
        task = IoTask(lambda progress, cancelled: _verdict(firsts), self)
        task.done.connect(partial(self._on_verdict, count))
        task.failed.connect(partial(self._on_verdict, count))
        task.start()

    def _on_verdict(self, count: str, verdict: object) -> None:
        self._sides = None
        self.changed.emit()
        self.ended.emit(f"{count} {verdict}")


def _request(run: PlannedRun) -> TrainingRequest:
    training = run.training
    return TrainingRequest(
        training.network,
        training.dataset_name,
        training.recipe,
        folder=run.folder,
        weights=training.weights,
        names_seed=True,
    )


def _verdict(firsts: Sequence[Path | None]) -> str:
    """The comparison of two trainings, each given by one of its runs. Raises RunError."""
    runs = [Run.open(folder) for folder in firsts if folder is not None]
    if len(runs) < 2:
        return "There is nothing to compare yet, because one of the two has no completed run."
    folders = dict.fromkeys(run.folder.parent for run in runs)
    known = [*list_runs(), *(run for folder in folders for run in list_runs(folder))]
    groups = [find_seed_runs(run, known) for run in runs]
    comparison = compare_trainings(groups[0], groups[1], WITH_MORE_SEEDS, "current accuracy", known)
    other, current = comparison.statistics
    accuracies = ""
    if other is not None and current is not None:
        accuracies = (
            f"Test accuracy: other design {format_accuracy(other)}, open design {format_accuracy(current)}. "
        )
    return f"{accuracies}{comparison.text}"
