"""Trains one run after the other on the compute thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnstudio.core.errors import UserError
from cnnstudio.core.logs import describe_internal_error
from cnnstudio.core.progress import Cancelled, Progress, ProgressFunction
from cnnstudio.data.dataset import Dataset
from cnnstudio.gui.compute.dataset_cache import DatasetCache
from cnnstudio.gui.compute.event_queue import EventQueue
from cnnstudio.gui.compute.training_request import TrainingRequest
from cnnstudio.runs.comparing.seeds import train_in_turn
from cnnstudio.training.control import Control
from cnnstudio.training.events import Event, Finished, Started

if TYPE_CHECKING:
    from cnnstudio.training.diagnosis.remedies import Remedy

Results = list[tuple[TrainingRequest, Finished]]
"""The runs of a row that ended, each with its last event."""

EventFunction = Callable[[Event], None]
TrainFunction = Callable[[TrainingRequest, Dataset, ProgressFunction, Control, EventFunction], Finished]
"""Trains one run in the current thread."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RowListener:
    """Who is told about a row. All functions are called in the main thread, between its events."""

    loading: Callable[[Progress], object]
    """The progress of what comes before the first step."""
    dataset_loaded: Callable[[tuple[str, Dataset]], object]
    """The data set of the next run is in memory, under this name."""
    next_run: Callable[[TrainingRow, int], object]
    """The run of this number, from 2, begins."""
    done: Callable[[Results], object]
    """What has ended, also before a run that could not start."""
    failed: Callable[[str], object]
    """Why a run could not start, in one sentence."""
    fix_available: Callable[[Remedy], object]
    """What would help against the failure that was just reported."""
    ended: Callable[[TrainingRow], object]
    """Nothing more comes."""


class TrainingRow:
    """Some runs, with one control for them all: a stop ends the row."""

    def __init__(
        self,
        requests: Sequence[TrainingRequest],
        train: TrainFunction,
        datasets: DatasetCache,
        queue: EventQueue,
        listener: RowListener,
    ) -> None:
        self.requests = requests
        # Each row has its own: a stop that the previous one has not seen yet stays with it.
        self.control = Control()
        self._train = train
        self._datasets = datasets
        self._queue = queue
        self._listener = listener
        self._has_started = False
        """Whether the current run has sent Started."""

    def run(self) -> None:
        """Trains them, in the current thread. Errors are reported, not raised."""
        results: Results = []
        problem, remedy = "", None
        try:
            for result in self._train_in_turn():
                self._has_started = False
                results.append(result)
        except Cancelled:
            pass
        except UserError as error:
            problem, remedy = str(error), getattr(error, "remedy", None)
        except Exception as error:
            _log.exception("Training failed")
            # After Started, the Finished event has reported the failure.
            if not self._has_started:
                problem = describe_internal_error(error)
        finally:
            self._queue.call(lambda: self._listener.done(results))
            if problem:
                self._queue.call(lambda: self._listener.failed(problem))
            if remedy is not None:
                self._queue.call(lambda: self._listener.fix_available(remedy))
            # Behind all events of the run in the same queue, so that the state becomes idle after the last of
            # them.
            self._queue.call(lambda: self._listener.ended(self))

    def _train_in_turn(self) -> Iterator[tuple[TrainingRequest, Finished]]:
        # Loaded once, even a folder, which the cache does not keep.
        name = self.requests[0].dataset_name
        dataset = self._load(name)

        def train(numbered: tuple[int, TrainingRequest]) -> Finished:
            nonlocal dataset, name
            number, request = numbered
            if number > 1:
                self._queue.call(lambda: self._listener.next_run(self, number))
                if request.dataset_name != name:
                    name = request.dataset_name
                    dataset = self._load(name)
                else:
                    self._announce(name, dataset)
            return self._train(request, dataset, self._report_loading, self.control, self._emit)

        planned = (each for each in enumerate(self.requests, 1) if not self.control.stop.is_set())
        for (_, request), finished in train_in_turn(planned, train):
            yield request, finished

    def _emit(self, event: Event) -> None:
        self._has_started = self._has_started or isinstance(event, Started)
        self._queue.put(event)

    def _load(self, name: str) -> Dataset:
        """The data set to train with."""
        dataset = self._datasets.get(name, self._report_loading, self.control.stop.is_set)
        self._announce(name, dataset)
        self._report_loading(Progress(0, None, "Preparing"))
        return dataset

    def _announce(self, name: str, dataset: Dataset) -> None:
        self._queue.call(lambda: self._listener.dataset_loaded((name, dataset)))

    def _report_loading(self, progress: Progress) -> None:
        self._queue.call(lambda: self._listener.loading(progress), coalesce_key="loading")
