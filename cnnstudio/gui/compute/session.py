"""One training at a time, and other torch work, on the compute thread.

Stop and pause are flags that the training checks at each step, not queued calls: those would have to wait
until it ends.

Which thread may touch what:

- The state, and the attributes that describe the run, change in the main thread only. What the compute
  thread learns, it sends through the queue as a call.
- A training gets what it needs when it is submitted: an immutable request, and a Control of its own.
- Both threads use `devices`, which the compute thread sets once, before it announces it; `chosen_device`,
  which is read when a training begins; and the ProbeTarget, which has a lock.
- Public signals are emitted in the main thread only, so that slots may use widgets.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from cnnstudio.core.errors import UserError
from cnnstudio.core.progress import Progress, ProgressFunction
from cnnstudio.data.dataset import Dataset
from cnnstudio.design.network import Network
from cnnstudio.gui.compute.compute_task import ComputeFunction, ComputeTask
from cnnstudio.gui.compute.dataset_cache import DatasetCache
from cnnstudio.gui.compute.probe_target import ProbeTarget
from cnnstudio.gui.compute.task_runner import TaskRunner
from cnnstudio.gui.compute.torch_import import TorchImport
from cnnstudio.gui.compute.training_request import TrainingRequest
from cnnstudio.gui.compute.training_row import EventFunction, Results, RowListener, TrainingRow
from cnnstudio.runs.comparing.seeds import SeedSweep, with_consecutive_seeds
from cnnstudio.training.control import BackgroundWork, Control
from cnnstudio.training.events import Event, Finished, Paused, Resumed, Started
from cnnstudio.training.recipe.live_changes import apply_changes
from cnnstudio.training.recipe.recipe import Recipe

AUTO = "auto"
"""Stands for the fastest device, see `training.hardware.device`."""


class State(Enum):
    """The state of the user's training; other tasks on the compute thread do not affect it."""

    IDLE = "idle"
    LOADING = "loading"
    """Train was pressed; the first step is still to come."""
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"


class TrainingSession(QObject):
    """Starts, pauses and stops the training. All signals are emitted in the main thread."""

    state_changed = Signal(object)
    """The new State."""
    events = Signal(object)
    """A tuple of the run's events, about every DRAIN_EVERY_MS; of the feature maps only the newest."""
    failed = Signal(object)
    """The error message, one sentence."""
    fix_available = Signal(object)
    """A training.diagnosis.remedies.Remedy for the error that `failed` has just reported."""
    loading = Signal(object)
    """The progress of what comes before the first step, a core.progress.Progress."""
    seeds_finished = Signal(object)
    """The result of a training with several seeds, a runs.seeds.SeedSweep."""
    row_finished = Signal(object)
    """The runs of `start_row` that ended: a list of (TrainingRequest, Finished)."""
    dataset_loaded = Signal(object)
    """(name, Dataset), when the data set of the training is in memory."""
    devices_changed = Signal()
    """`devices` is known now."""
    became_free = Signal()
    """The compute thread has nothing to do any more."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.run: Path | None = None
        """The folder of the current run, or of the last one."""
        self.network: Network | None = None
        """The network of the current or last run."""
        self.dataset_name = ""
        """The data set of the current or last run."""
        self.recipe: Recipe | None = None
        """The recipe of the current or last run, with the changes made while it trains."""
        self.continues_from: Path | None = None
        """The folder of the run whose history the current one continues; its own if it was resumed."""
        self.position: tuple[int, int] | None = None
        """The current run's number, from 1, and the number of runs in a row; None if there is only one."""
        self.devices: dict[str, str] = {}
        """The machine's devices with their titles; empty until torch is loaded."""
        self.chosen_device = AUTO
        self.background: BackgroundWork | None = None
        """What a training does between its steps besides training; read when one starts."""
        self.is_loaded = False
        """Whether torch is there: until `devices_changed`, every task waits for it."""
        self._state = State.IDLE
        self._control = Control()
        self._probe_target = ProbeTarget()
        self._datasets = DatasetCache()
        self._runner = TaskRunner(self)
        self._runner.delivered.connect(self._deliver)
        self._runner.became_free.connect(self.became_free)
        self._torch = TorchImport(self._runner, self._on_torch_imported, self)

    @property
    def state(self) -> State:
        return self._state

    @property
    def device(self) -> str:
        """The chosen device if this machine has it, otherwise AUTO."""
        return self.chosen_device if self.chosen_device in self.devices else AUTO

    @property
    def is_busy(self) -> bool:
        """Whether the compute thread has anything to do, trainings and other tasks alike."""
        return self._runner.is_busy

    @property
    def has_waiting_tasks(self) -> bool:
        """Whether something is queued behind the running task. May be read from any thread."""
        return self._runner.has_waiting_tasks

    @property
    def is_working(self) -> bool:
        """Whether the compute thread is at something whose end has to be awaited, because it writes files.

        Importing torch is not: it cannot be interrupted, and leaves nothing behind.
        """
        return self._runner.is_working

    # Called in the main thread

    def preload(self) -> None:
        """Imports torch on the compute thread, before anything else runs there. Later calls do nothing."""
        self._torch.begin()

    def start(
        self,
        network: Network,
        dataset_name: str,
        recipe: Recipe,
        seeds: int = 1,
        weights: str | None = None,
    ) -> None:
        """Loads the data and trains one run for each of `seeds` consecutive seeds.

        The network is an immutable value, so the design may be edited meanwhile. `weights` are what they
        start from: a file or another run, as in `RunOptions`.
        """
        request = TrainingRequest(network, dataset_name, recipe, weights=weights, names_seed=seeds > 1)
        if seeds == 1:
            self._start_training([request])
            return

        def on_done(results: Results) -> None:
            if results:
                trained = ((each.recipe, finished) for each, finished in results)
                self.seeds_finished.emit(SeedSweep.of(trained))

        try:
            recipes = with_consecutive_seeds(recipe, seeds)
        except UserError as error:
            self.failed.emit(str(error))
        else:
            self._start_training([dataclasses.replace(request, recipe=each) for each in recipes], on_done)

    def start_row(self, requests: Sequence[TrainingRequest]) -> None:
        """Trains one run after the other, then emits `row_finished`. A stop ends them all."""
        self._start_training(requests, self.row_finished.emit)

    def resume_run(self, folder: Path, network: Network, dataset_name: str, recipe: Recipe) -> None:
        """Resumes a run that ended or was interrupted, with its network and its possibly changed recipe."""
        self._start_training([TrainingRequest(network, dataset_name, recipe, folder=folder)])

    def continue_with(self, network: Network, dataset_name: str, recipe: Recipe) -> None:
        """Stops the run and continues its training in a new run with the changed network."""
        if self.run is not None:
            # The new training waits in the thread's queue until the old one has written its last checkpoint,
            # from which it continues.
            self._control.request_stop()
            request = TrainingRequest(network, dataset_name, recipe, continue_from=self.run)
            self._start_training([request], replaces=True)

    def _start_training(
        self,
        requests: Sequence[TrainingRequest],
        on_done: Callable[[Results], object] | None = None,
        *,
        replaces: bool = False,
    ) -> None:
        # One training at a time: a second request is ignored, not queued, unless it replaces the first.
        if self._state is not State.IDLE and not replaces:
            return
        self.preload()
        listener = RowListener(
            loading=self.loading.emit,
            dataset_loaded=self.dataset_loaded.emit,
            next_run=self._on_next_run,
            done=on_done or _ignore,
            failed=self.failed.emit,
            fix_available=self.fix_available.emit,
            ended=self._on_training_ended,
        )
        row = TrainingRow(requests, self._train, self._datasets, self._runner.queue, listener)
        self._control = row.control
        self._show_request(requests[0])
        self.position = (1, len(requests)) if on_done is not None else None
        self._set_state(State.LOADING)
        if self.is_busy:
            self.loading.emit(Progress(0, None, "Preparing"))
        self._runner.submit(row.run)

    def _show_request(self, request: TrainingRequest) -> None:
        self.run = None
        self.network, self.recipe = request.network, request.recipe
        self.dataset_name = request.dataset_name
        self.continues_from = request.folder or request.continue_from

    def pause(self) -> None:
        """Pauses after the current step."""
        self._control.request_pause()

    def resume(self) -> None:
        """Resumes after a pause."""
        self._control.request_resume()

    def step(self) -> None:
        """Trains one step, then pauses."""
        self._control.request_step()

    def stop_after_epoch(self) -> None:
        """Stops at the end of the current epoch."""
        self._control.request_stop_after_epoch()

    def change(self, **fields: Any) -> None:
        """Changes fields of the run's recipe from the next step on.

        Raises RecipeError if a value is invalid or the field cannot change while training.
        """
        if self.recipe is not None:
            # Validated here, in the main thread, where the error can be shown at the field that caused it.
            # The training applies the same changes to its own copy.
            self.recipe = apply_changes(self.recipe, fields)
            self._control.request_change(**fields)

    def stop(self) -> None:
        """Stops after the current step, or ends the loading before the first one."""
        if self._state is not State.IDLE:
            self._control.request_stop()
            self._set_state(State.STOPPING)

    def watch(self, node_id: str, image: int) -> None:
        """Selects the layer and the example image whose feature maps the training sends."""
        self._probe_target.watch(node_id, image)

    def unwatch(self) -> None:
        """The training sends no feature maps until the next `watch`."""
        self._probe_target.unwatch()

    def run_task(
        self,
        function: ComputeFunction,
        on_done: Callable[[Any], object],
        on_error: Callable[[str], object] | None = None,
        on_progress: Callable[[Any], object] | None = None,
    ) -> ComputeTask:
        """Runs `function(progress, cancelled)` on the compute thread, after the tasks queued there.

        The callbacks are called in the main thread: `on_done` with the result, `on_error` with the error
        message (by default `failed` is emitted), `on_progress` with what the function passed to `progress`,
        the newest value only. After `cancel()` none of them is called.
        """
        self.preload()
        task = ComputeTask(function, on_done, on_error or self.failed.emit, on_progress or _ignore)
        self._runner.run(task)
        return task

    def call_in_main_thread(self, function: Callable[[], object], coalesce_key: object = None) -> None:
        """Has `function` called with the next events, for tasks on the compute thread.

        A later call with the same key replaces it.
        """
        self._runner.queue.call(function, coalesce_key)

    def fetch(
        self, name: str, on_done: Callable[[Dataset], object], on_error: Callable[[str], object]
    ) -> ComputeTask:
        """Loads a data set to display it, after a running training. The next training finds it in memory."""
        return self.run_task(partial(self._datasets.get, name), on_done, on_error)

    def shutdown(self, seconds: float = 3.0) -> bool:
        """Stops everything and ends the thread; False if it did not end in time.

        A run that is stopped this way still writes its checkpoint, so that it can be resumed.
        """
        self._control.request_stop()
        self._torch.release()
        ended = self._runner.shutdown(seconds)
        self._set_state(State.IDLE)
        return ended

    # Called in the compute thread

    def _on_torch_imported(self, devices: dict[str, str]) -> None:
        self.devices = devices
        self.is_loaded = True
        self.call_in_main_thread(self.devices_changed.emit)

    def _train(
        self,
        request: TrainingRequest,
        dataset: Dataset,
        progress: ProgressFunction,
        control: Control,
        emit: EventFunction,
    ) -> Finished:
        with self._probe_target.probing() as probe:
            return request.train(self.device, dataset, control, emit, [probe], progress, self.background)

    # Called in the main thread, with what came through the queue

    def _deliver(self, events: tuple[Event, ...]) -> None:
        for event in events:
            if isinstance(event, Started | Finished) and event.run is not None:
                self.run = Path(event.run)
        # The events before the state: a slot of `state_changed` may ask a panel for what the events told it.
        self.events.emit(events)
        for event in events:
            if isinstance(event, Started | Resumed) and self._state is not State.STOPPING:
                self._set_state(State.RUNNING)
            elif isinstance(event, Paused) and self._state is not State.STOPPING:
                self._set_state(State.PAUSED)
            elif isinstance(event, Finished) and event.outcome == "failed":
                self.failed.emit(event.reason)

    def _on_next_run(self, row: TrainingRow, number: int) -> None:
        """The next run in a row begins; the window shows it like a new training."""
        if self._is_current(row) and self._state is not State.STOPPING and self.position is not None:
            self._show_request(row.requests[number - 1])
            self.position = (number, self.position[1])
            self._set_state(State.LOADING)

    def _on_training_ended(self, row: TrainingRow) -> None:
        if self._is_current(row):
            self._set_state(State.IDLE)

    def _is_current(self, row: TrainingRow) -> bool:
        """False for a run that ends while the next one is already loading, see `continue_with`."""
        return row.control is self._control

    def _set_state(self, state: State) -> None:
        if state is not self._state:
            self._state = state
            self.state_changed.emit(state)


def _ignore(_: object) -> None:
    """The default callback, for callers without one."""
