"""One training at a time, and other work for torch, on the one thread that computes.

Events and news come out of that thread through a mailbox, which a timer has read in the main thread while
there is something under way. Stop and pause are flags that the training looks at; they never wait behind it.
"""

from __future__ import annotations

import dataclasses
import logging
import sys
import threading
from collections.abc import Callable
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from cnnstudio.core.errors import UserError
from cnnstudio.core.logs import own_error
from cnnstudio.core.progress import Cancelled
from cnnstudio.core.progress import Progress as DataProgress
from cnnstudio.data.dataset import Dataset
from cnnstudio.design.network import Network
from cnnstudio.gui.compute.compute_task import Job, JobFunction
from cnnstudio.gui.compute.compute_thread import ComputingThread
from cnnstudio.gui.compute.dataset_cache import LastDataset
from cnnstudio.gui.compute.event_queue import Mailbox
from cnnstudio.gui.compute.probe_target import WatchedLayer
from cnnstudio.gui.compute.training_request import Order
from cnnstudio.training.control import Control
from cnnstudio.training.events import Event, Finished, Paused, Resumed, Started
from cnnstudio.training.recipe.live_changes import adjusted
from cnnstudio.training.recipe.recipe import Recipe

AUTO = "auto"
"""The device that `training.device` takes for the fastest."""

DRAIN_EVERY_MS = 80
"""Each time wakes the main thread, for which torch has to give up a core; nobody reads faster than this."""

_log = logging.getLogger(__name__)


class State(Enum):
    """What the session is doing for the user's training; other jobs do not show here."""

    IDLE = "idle"
    LOADING = "loading"
    """Pressed Train; the first step is still to come."""
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"


class TrainingSession(QObject):
    """Starts, pauses and stops the training. All signals come in the main thread."""

    state_changed = Signal(object)
    """The new State."""
    events = Signal(object)
    """A tuple of the run's events, at most 30 times a second; of feature maps only the newest."""
    failed = Signal(object)
    """One sentence for the user."""
    fixable = Signal(object)
    """A training.remedies.Remedy against what `failed` has just said."""
    loading = Signal(object)
    """What is done before the first step, as a data.progress.Progress."""
    repeated = Signal(object)
    """What several seeds came to, as a runs.repeats.Repeated."""
    dataset_loaded = Signal(object)
    """(name, Dataset), when a data set that was asked for is in memory."""

    devices_changed = Signal()
    """The devices became known."""

    _torch_loaded = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.run: Path | None = None
        """The folder of the training that is under way, or of the last one."""
        self.network: Network | None = None
        """What is trained, or was trained last."""
        self.recipe: Recipe | None = None
        """How, with what was changed since."""
        self.continues: Path | None = None
        """The folder of the run that this one goes on from, with its history."""
        self.repeat: tuple[int, int] | None = None
        """The number of the seed that is trained, from 1, and of all; None where there is one only."""
        self.devices: dict[str, str] = {}
        """The machine's devices with their titles; none until torch is loaded."""
        self.chosen_device = AUTO
        self._state = State.IDLE
        self._control = Control()
        self._mailbox = Mailbox()
        self._jobs: set[Job] = set()
        self._layer = WatchedLayer()
        self._datasets = LastDataset()
        self._preloaded = False
        self._main_is_ready = threading.Event()
        self._thread = ComputingThread(self)
        self._thread.done.connect(self._on_task_done)
        self._torch_loaded.connect(self._on_torch_loaded)
        self._timer = QTimer(self)
        self._timer.setInterval(DRAIN_EVERY_MS)
        self._timer.timeout.connect(self.drain)

    @property
    def state(self) -> State:
        return self._state

    @property
    def device(self) -> str:
        """The chosen one, as far as it is there; else the fastest."""
        return self.chosen_device if self.chosen_device in self.devices else AUTO

    @property
    def is_busy(self) -> bool:
        """Whether anything at all is under way, jobs included."""
        return self._thread.tasks > 0

    # What the main thread asks for

    def preload(self) -> None:
        """Imports torch on the computing thread, before anything else there. Once is enough."""
        if not self._preloaded:
            self._preloaded = True
            self._do(self._import_torch)

    def start(self, network: Network, dataset_name: str, recipe: Recipe, seeds: int = 1) -> None:
        """Loads the data and trains, with so many seeds one after the other.

        The network is a value, so it may be edited meanwhile.
        """
        if self._state is State.IDLE:
            self._begin(Order(network, dataset_name, recipe, seeds=seeds))

    def go_on(self, folder: Path, network: Network, dataset_name: str, recipe: Recipe) -> None:
        """Takes up a run that ended or was broken off; it has this network and, but for changes, recipe."""
        if self._state is State.IDLE:
            self._begin(Order(network, dataset_name, recipe, folder=folder))

    def continue_with(self, network: Network, dataset_name: str, recipe: Recipe) -> None:
        """Ends the run where it is, and goes on in a new one with the changed network."""
        if self.run is not None:
            self._control.request_stop()
            self._begin(Order(network, dataset_name, recipe, continue_from=self.run))

    def _begin(self, order: Order) -> None:
        self.preload()
        self._control = Control()
        self.run = None
        self.network, self.recipe = order.network, order.recipe
        self.repeat = (1, order.seeds) if order.seeds > 1 else None
        self.continues = order.folder or order.continue_from
        control = self._control
        self._set_state(State.LOADING)
        if self.is_busy:
            self.loading.emit(DataProgress(0, None, "Getting ready"))
        self._do(lambda: self._train(order, control))

    def pause(self) -> None:
        """Waits after the step that is being made."""
        self._control.request_pause()

    def resume(self) -> None:
        """Goes on after a pause."""
        self._control.request_resume()

    def step(self) -> None:
        """Makes one step, and waits after it."""
        self._control.request_step()

    def stop_after_epoch(self) -> None:
        """Ends the training after the epoch that it is in."""
        self._control.request_stop_after_epoch()

    def change(self, **fields: Any) -> None:
        """Other values for fields of the run's recipe, from the next step on. Raises RecipeError."""
        if self.recipe is not None:
            self.recipe = adjusted(self.recipe, fields)
            self._control.request_change(**fields)

    def stop(self) -> None:
        """Ends the training after the step that is being made, or the loading before it."""
        if self._state is not State.IDLE:
            self._control.request_stop()
            self._set_state(State.STOPPING)

    def watch(self, node_id: str, image: int) -> None:
        """The layer and the example image whose feature maps are wanted while it trains."""
        self._layer.watch(node_id, image)

    def run_job(
        self,
        function: JobFunction,
        on_done: Callable[[Any], object],
        on_error: Callable[[str], object] | None = None,
        on_progress: Callable[[Any], object] | None = None,
    ) -> Job:
        """Runs `function(progress, cancelled)` on the computing thread, after what is under way there.

        The other three are called in the main thread: with its result; with a sentence if it failed, by
        default as `failed`; with what it gave to `progress`, the newest only. After `cancel()` none is.
        """
        self.preload()
        job = Job(function, on_done, on_error or self.failed.emit, on_progress or _ignore)
        self._jobs.add(job)
        self._do(lambda: self._run_job(job))
        return job

    def fetch(
        self, name: str, on_done: Callable[[Dataset], object], on_error: Callable[[str], object]
    ) -> Job:
        """Gets a data set to look at; a training that follows has it at once, one under way comes first."""
        return self.run_job(partial(self._datasets.get, name), on_done, on_error)

    def shutdown(self, seconds: float = 3.0) -> bool:
        """Stops everything, keeps the checkpoint and ends the thread; False where it did not end in time."""
        self._control.request_stop()
        for job in self._jobs:
            job.cancel()
        self._main_is_ready.set()
        ended = self._thread.close(seconds)
        self.drain()
        self._timer.stop()
        self._set_state(State.IDLE)
        return ended

    def _do(self, task: Callable[[], None]) -> None:
        self._thread.do(task)
        if not self._thread.is_closing:
            self._timer.start()

    # In the computing thread

    def _import_torch(self) -> None:
        import torch

        threads = torch.get_num_threads()
        self._torch_loaded.emit()
        # The main thread sets its own number to 1, which reaches into libraries that keep one number for all.
        self._main_is_ready.wait()
        torch.set_num_threads(threads)
        import cnnstudio.insight.feature_maps
        import cnnstudio.runs.recorder  # noqa: F401  # so that Train starts at once
        from cnnstudio.training.hardware.device import titled_devices

        self.devices = titled_devices()
        self._tell(self.devices_changed.emit)

    def _train(self, order: Order, control: Control) -> None:
        started = False

        def emit(event: Event) -> None:
            nonlocal started
            started = started or isinstance(event, Started)
            self._mailbox.put(event)

        try:
            dataset = self._load(order.dataset_name, control)
            if order.seeds > 1:
                self._repeat(order, dataset, control, emit)
            elif not control.stop.is_set():
                self._record(order, dataset, control, emit)
        except Cancelled:
            return
        except UserError as error:
            self._tell_failed(str(error))
            remedy = getattr(error, "remedy", None)
            if remedy is not None:
                self._tell(lambda: self.fixable.emit(remedy))
        except Exception as error:
            _log.exception("Training failed")
            # After Started, the Finished event has said that it failed.
            if not started:
                self._tell_failed(own_error(error))
        finally:
            self._tell(lambda: self._on_trained(control))

    def _repeat(
        self, order: Order, dataset: Dataset, control: Control, emit: Callable[[Event], None]
    ) -> None:
        """The same training with each seed; a stop ends them all."""
        from cnnstudio.runs.seeds import seeded, train_each

        recipes = seeded(order.recipe, order.seeds)

        def train(recipe: Recipe) -> Finished:
            if recipe is not recipes[0]:
                number = recipes.index(recipe) + 1
                self._tell(lambda: self._on_next_seed(recipe, number, (order.dataset_name, dataset), control))
            return self._record(dataclasses.replace(order, recipe=recipe), dataset, control, emit)

        repeated = train_each((recipe for recipe in recipes if not control.stop.is_set()), train)
        self._tell(lambda: self.repeated.emit(repeated))

    def _record(
        self, order: Order, dataset: Dataset, control: Control, emit: Callable[[Event], None]
    ) -> Finished:
        with self._layer.probing() as probe:
            return order.train(self.device, dataset, control, emit, [probe], self._tell_loading)

    def _load(self, name: str, control: Control) -> Dataset:
        """The data set to train with; tells everybody of it."""
        dataset = self._datasets.get(name, self._tell_loading, control.stop.is_set)
        loaded = (name, dataset)
        self._tell(lambda: self.dataset_loaded.emit(loaded))
        self._tell_loading(DataProgress(0, None, "Getting ready"))
        return dataset

    def _run_job(self, job: Job) -> None:
        try:
            job.run(self._mailbox, lambda: self._thread.is_closing)
        finally:
            self._tell(lambda: self._jobs.discard(job))

    def _tell(self, act: Callable[[], object]) -> None:
        self._mailbox.tell(act)

    def _tell_loading(self, progress: DataProgress) -> None:
        self._mailbox.tell(lambda: self.loading.emit(progress), about="loading")

    def _tell_failed(self, sentence: str) -> None:
        self._tell(lambda: self.failed.emit(sentence))

    # Back in the main thread

    def _on_torch_loaded(self) -> None:
        # Its first use of torch, and its only one: the computing thread keeps its speed.
        sys.modules["torch"].set_num_threads(1)
        self._main_is_ready.set()

    def drain(self) -> None:
        """Hands on what came since the last time, in its order, and the state that follows from it."""
        self._mailbox.read(self._follow)

    def _follow(self, events: tuple[Event, ...]) -> None:
        for event in events:
            if isinstance(event, Started | Finished) and event.run is not None:
                self.run = Path(event.run)
        self.events.emit(events)
        for event in events:
            if isinstance(event, Started | Resumed) and self._state is not State.STOPPING:
                self._set_state(State.RUNNING)
            elif isinstance(event, Paused) and self._state is not State.STOPPING:
                self._set_state(State.PAUSED)
            elif isinstance(event, Finished) and event.outcome == "failed":
                self.failed.emit(event.reason)

    def _on_next_seed(
        self, recipe: Recipe, number: int, loaded: tuple[str, Dataset], control: Control
    ) -> None:
        """The next run of several begins; it is shown as a training of its own."""
        if control is self._control and self._state is not State.STOPPING and self.repeat is not None:
            self.recipe, self.repeat = recipe, (number, self.repeat[1])
            self._set_state(State.LOADING)
            self.dataset_loaded.emit(loaded)

    def _on_trained(self, control: Control) -> None:
        # A run that went on in another one ends while that one begins.
        if control is self._control:
            self._set_state(State.IDLE)

    def _on_task_done(self, task: object) -> None:
        self.drain()
        if not self.is_busy:
            self._timer.stop()

    def _set_state(self, state: State) -> None:
        if state is not self._state:
            self._state = state
            self.state_changed.emit(state)


def _ignore(_: object) -> None:
    """For those who do not want to hear."""
