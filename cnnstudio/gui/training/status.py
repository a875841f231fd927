"""What is said of the training: ready, its progress, how it ended, or why there is none."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from cnnstudio.core.formatting import pluralize
from cnnstudio.core.progress import Progress as DataProgress
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.runs.follower import RunFollower
from cnnstudio.gui.runs.status_text import RunStatusText, describe_followed_run
from cnnstudio.runs.comparing.seeds import SeedSweep
from cnnstudio.runs.comparing.significance import format_accuracy
from cnnstudio.training.events import Event, Progress, SnapshotTaken, Started

if TYPE_CHECKING:
    from cnnstudio.training.preflight.profiling import TrainingEstimate
    from cnnstudio.training.preflight.quick_estimate import QuickEstimate

_UPDATE_SECONDS = 0.5
"""Numbers that change more often than this cannot be read."""
_FREQUENT_EVENTS = (Progress, SnapshotTaken)


class TrainingStatus(QObject):
    """The status of the session's training, of a run that another program trains, or of the project."""

    changed = Signal()

    def __init__(self, project: Project, session: TrainingSession, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._project = project
        self._session = session
        self._run = RunStatusText()
        self._outcome = ""
        """The result of a seed sweep, or the status of a run that another program trains."""
        self._loading: DataProgress | None = None
        """What is shown instead of the epoch until the next step."""
        self._failure = ""
        self._estimate = ""
        self._estimate_inputs: object = None
        self._updated_at = 0.0
        session.state_changed.connect(self._on_state_changed)
        session.events.connect(self._on_events)
        session.loading.connect(self._on_loading)
        session.failed.connect(self._on_failed)
        session.seeds_finished.connect(self._on_seeds_finished)
        for signal in (project.network_changed, project.recipe_changed, project.dataset_changed):
            signal.connect(self._on_inputs_changed)
        project.opening.connect(self._on_opening)

    # What it is

    @property
    def text(self) -> str:
        """One sentence."""
        state = self._session.state
        if state is State.STOPPING:
            return "Stopping after the current step"
        if state is not State.IDLE:
            loading = self._loading.text if self._loading is not None else ""
            return f"{self._position_prefix()}{loading or self._run.text}"
        return self._failure or self._outcome or self._run.text or self._ready_text()

    @property
    def short_text(self) -> str:
        """The same for less room; empty where there is no shorter one."""
        state, loading = self._session.state, self._loading
        if state is State.STOPPING or self._failure or self._outcome:
            return ""
        short = self._run.short_text
        if state is not State.IDLE and loading is not None and loading.text:
            share = f" · {self.fraction:.0%}" if loading.total else ""
            short = f"{loading.text.partition(': ')[0]}{share}"
        return f"{self._position_prefix()}{short}" if short else ""

    @property
    def is_failed(self) -> bool:
        return bool(self._failure) or self._run.is_failed

    @property
    def fraction(self) -> float:
        """How much is done, 0 to 1: of the loading, or of all runs in a row."""
        loading, is_idle = self._loading, self._session.state is State.IDLE
        if loading is not None and loading.total and not is_idle:
            return min(loading.done / loading.total, 1.0)
        if self._session.position is not None and not is_idle:
            number, runs = self._session.position
            return (number - 1 + self._run.fraction) / runs
        return self._run.fraction

    def _position_prefix(self) -> str:
        """`Run 2 of 5 · ` while several are trained in a row, else empty."""
        position = self._session.position
        return f"Run {position[0]} of {position[1]} · " if position is not None else ""

    def _ready_text(self) -> str:
        estimate = f" · {self._estimate}" if self._estimate_inputs == self._training_inputs() else ""
        return f"Ready to train{estimate} · {pluralize(self._project.recipe.epochs, 'epoch')}"

    def _training_inputs(self) -> object:
        project = self._project
        return project.network, project.recipe, project.dataset_name

    # What others know

    def show_estimate(self, estimate: TrainingEstimate | QuickEstimate) -> None:
        """Shows the estimated cost of training the project, until the project changes."""
        self._estimate, self._estimate_inputs = estimate.summary, self._training_inputs()
        self._announce()

    def show_followed(self, follower: RunFollower) -> None:
        """Shows the status of a run that another program trains, unless this one is training."""
        if follower.latest is None or follower.record is None or self._session.state is not State.IDLE:
            return
        self._run, self._failure = RunStatusText(), ""
        self._run.feed(follower.record.history.summary_events)
        self._outcome = describe_followed_run(follower.latest, self._run, follower.problem)
        self._announce()

    def forget(self, folders: Collection[Path]) -> None:
        """These runs are gone: what became of one of them is said no longer."""
        if self._session.state is State.IDLE and self._run.run in folders:
            self._run, self._outcome, self._failure = RunStatusText(), "", ""
            self._announce()

    # Signals of the session and the project

    def _on_state_changed(self, state: object) -> None:
        if state is State.LOADING:
            self._run = RunStatusText()
            self._outcome = self._failure = ""
            self._loading = DataProgress(0, None, "Preparing")
        self._announce()

    def _on_events(self, events: Iterable[Event]) -> None:
        self._run.feed(events)
        if any(isinstance(event, Started | Progress) for event in events):
            # What is reported from here on, such as the locked layers being computed, is shown instead of the
            # epoch until the first step.
            self._loading = None
        if any(not isinstance(event, _FREQUENT_EVENTS) for event in events) or self._is_update_due():
            self._announce()

    def _is_update_due(self) -> bool:
        return time.monotonic() - self._updated_at >= _UPDATE_SECONDS

    def _on_loading(self, progress: DataProgress) -> None:
        self._loading = progress
        self._announce()

    def _on_failed(self, message: str) -> None:
        self._failure = message
        self._announce()

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
        self._announce()

    def _on_opening(self, _: object) -> None:
        """Another design is opened or imported: what became of the last run is said by the run on show.

        One that only gets another name is the same design.
        """
        if self._session.state is State.IDLE:
            self._run, self._outcome = RunStatusText(), ""

    def _on_inputs_changed(self, _: object) -> None:
        if self._session.state is State.IDLE and not (self._run.text or self._outcome):
            self._failure = ""
            self._announce()

    def _announce(self) -> None:
        self._updated_at = time.monotonic()
        self.changed.emit()
