"""Answers what views ask of instruments: from memory, from a run's folder, or computed from kept weights.

Asking never blocks. Folders and data sets are read in a thread that waits for drives. Only the compute thread
computes: between the steps of a training, which keeps most of the time, or on its own when there is none.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.data.dataset import Dataset
from cnnstudio.gui.compute.answer_lookup import Found, look_up
from cnnstudio.gui.compute.compute_task import ComputeTask
from cnnstudio.gui.compute.io_task import IoFunction, IoTask
from cnnstudio.gui.compute.questions import Answer, Question
from cnnstudio.gui.compute.run_datasets import RunDatasets
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.insight.catalog import instrument
from cnnstudio.insight.instrument import Need
from cnnstudio.insight.reading import Reading
from cnnstudio.runs.epochs.inspection import Inspector, ReadingRequest
from cnnstudio.runs.epochs.reading_service import ReadingService
from cnnstudio.runs.run import Run
from cnnstudio.training.events import EpochEnded, Event, Finished

CACHE_BYTES = 200 * 2**20

_MAX_LOOKUPS = 8
"""Questions that are looked up at a time, so that a change of what is wanted takes effect soon."""
_SETTLE_MS = 500
"""After the end of an epoch; by then its files are written."""
_RELEASE_MS = 60_000
"""For so long after the last question, images and models stay in memory."""


class InstrumentRequests(QObject):
    """The answers for all views of a window. Used in the main thread."""

    changed = Signal()
    """Some answer has changed."""

    def __init__(self, session: TrainingSession, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._wanted: frozenset[Question] = frozenset()
        self._cache: OrderedDict[Question, Answer] = OrderedDict()
        self._computing: dict[Question, ReadingRequest] = {}
        """What was looked up and has to be computed."""
        self._progress: dict[ReadingRequest, float] = {}
        self._datasets = RunDatasets()
        self._without_images: dict[Path, str] = {}
        """Runs whose images cannot be loaded, and why."""
        self._with_images: Path | None = None
        """The run whose images are loaded."""
        self._has_computed = self._is_closed = False
        self._newest_epoch = 0
        """The last one that the training has completed."""
        self._task: IoTask | None = None
        self._serving: ComputeTask | None = None
        inspector = Inspector(self._datasets.get, session.device)
        self._service = ReadingService(inspector, self._send_result, self._send_progress)
        session.background = self._service
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)
        self._settle.timeout.connect(self.discard_outdated)
        self._release = QTimer(self)
        self._release.setSingleShot(True)
        self._release.setInterval(_RELEASE_MS)
        self._release.timeout.connect(self._on_release)
        session.dataset_loaded.connect(self._on_dataset_loaded)
        session.state_changed.connect(self._on_state_changed)
        session.events.connect(self._on_events)

    # Asked by views

    def answer(self, question: Question) -> Answer:
        """What is known now. It starts nothing: see `want`."""
        if question in self._cache:
            self._cache.move_to_end(question)
            return self._cache[question]
        earlier = self._earlier_answer(question)
        if earlier is not None:
            return earlier
        request = self._computing.get(question)
        return Answer(progress=self._progress.get(request) if request is not None else None)

    def want(self, questions: frozenset[Question]) -> None:
        """Says which questions visible views ask now: they are worked on, and no others."""
        if self._is_closed:
            return
        self._wanted = questions | self._begun_for(questions)
        self._computing = {each: found for each, found in self._computing.items() if each in self._wanted}
        if questions:
            self._release.stop()
        else:
            self._release.start()
        self._work()

    # Beside a training that ends one epoch after the other, while nobody looks back

    def _is_newest(self, question: Question) -> bool:
        """Whether it is about the end of the run that trains, of images that the run knows."""
        is_training = self._session.state is not State.IDLE and question.folder == self._session.run
        return is_training and question.epoch == self._newest_epoch and question.own_images is None

    def _begun_for(self, questions: frozenset[Question]) -> frozenset[Question]:
        """What is being computed of an epoch in whose place the newest is asked for now.

        It is completed: where an epoch takes less time than its reading, there would never be one otherwise.
        """
        current = self._service.current
        begun = (each for each, request in self._computing.items() if request == current)
        return frozenset(
            each
            for each in begun
            if any(self._is_newest(newer) and _is_of_earlier_epoch(each, newer) for newer in questions)
        )

    def _earlier_answer(self, question: Question) -> Answer | None:
        """The answer about the latest epoch before, until there is one about the newest."""
        if not self._is_newest(question):
            return None
        earlier = [each for each in self._cache if _is_of_earlier_epoch(each, question)]
        answer = self._cache[max(earlier, key=lambda each: each.epoch)] if earlier else None
        return answer if answer is not None and answer.reading is not None else None

    def discard_outdated(self) -> None:
        """Asks again where an answer is of an earlier epoch, or a problem: newer files may exist by now."""
        self._without_images.clear()
        outdated = [
            question
            for question, answer in self._cache.items()
            if answer.epoch != question.epoch or answer.reading is None
        ]
        for question in outdated:
            del self._cache[question]
        if self._wanted.intersection(outdated):
            self._work()

    def close(self) -> None:
        """Ends what is going on; called before the session is shut down, and nothing is answered after it."""
        self._is_closed = True
        self._wanted = frozenset()
        self._settle.stop()
        self._release.stop()
        self._computing.clear()
        self._service.want(())
        if self._task is not None:
            self._task.close()
            self._task = None

    # Looking up in a thread that waits for drives

    def _work(self) -> None:
        """Starts whatever can be done for the questions that have no answer."""
        if self._task is None:
            missing = [each for each in self._open_questions if each not in self._computing]
            if missing:
                self._start(partial(_look_up, missing[:_MAX_LOOKUPS]), self._on_looked_up)
            else:
                self._load_images()
        self._compute()

    @property
    def _open_questions(self) -> list[Question]:
        """Those without an answer: the latest epochs first, and few of the user's own images before many.

        Of these, what looks at the images of a data set comes last: it takes much longer. A run that is
        about to begin has no folder, and nothing to ask of it yet.
        """

        def place(question: Question) -> tuple[int, int, bool, str, str]:
            own = question.own_images
            count = 1 if own is None else len(own.pixels)
            is_long = not instrument(question.instrument).needs.isdisjoint((Need.SPLIT, Need.TRAINING))
            return -question.epoch, count, is_long, question.instrument, str(question.options)

        missing = (each for each in self._wanted if each.folder is not None and each not in self._cache)
        return sorted(missing, key=place)

    def _start(
        self,
        function: IoFunction,
        on_done: Callable[[Any], object],
        on_failed: Callable[[str], object] = lambda problem: None,
    ) -> None:
        """Runs a function in a thread, then continues with what is left."""
        task = self._task = IoTask(function, self)
        task.done.connect(on_done)
        task.failed.connect(on_failed)
        task.ended.connect(self._on_task_ended)
        task.start()

    def _on_task_ended(self) -> None:
        self._task = None
        self._work()

    def _on_looked_up(self, found: dict[Question, Found]) -> None:
        for question, each in found.items():
            if isinstance(each, Answer):
                self._remember(question, each)
            elif question in self._wanted:
                self._computing[question] = each
        self.changed.emit()

    def _load_images(self) -> None:
        """Loads the images of a run that something wanted needs, unless others can be computed before."""
        missing = [
            request.folder
            for request in self._computing.values()
            if _needs_images(request)
            and request.folder != self._with_images
            and request.folder not in self._without_images
        ]
        if missing and not self._ready:
            folder = missing[0]
            self._start(
                partial(_load_images, self._datasets, folder),
                lambda _: self._on_images(folder),
                lambda problem: self._on_images(folder, problem),
            )

    def _on_images(self, folder: Path, problem: str = "") -> None:
        if problem:
            self._without_images[folder] = problem
        else:
            self._with_images = folder

    # Computing

    @property
    def _ready(self) -> list[ReadingRequest]:
        """What can be computed now, the latest epochs first."""
        found = []
        for question in self._open_questions:
            request = self._computing.get(question)
            if request is None:
                continue
            has_images = request.folder == self._with_images or request.folder in self._without_images
            if has_images or not _needs_images(request):
                found.append(request)
        return found

    def _compute(self) -> None:
        ready = self._ready
        self._service.want(ready)
        # While a training runs, it serves them between its steps.
        if ready and self._serving is None and self._session.state is State.IDLE:
            self._serving = self._session.run_task(self._serve, self._on_served, self._on_served)

    def _serve(self, progress: object, cancelled: CancelFunction) -> None:
        """Computes until something else waits for the thread."""
        self._service.run(lambda: cancelled() or self._session.has_waiting_tasks)

    def _on_served(self, _: object) -> None:
        self._serving = None
        self._work()

    def _send_result(self, request: ReadingRequest, result: Reading | str) -> None:
        self._session.call_in_main_thread(lambda: self._on_result(request, result))

    def _send_progress(self, request: ReadingRequest, done: float) -> None:
        self._session.call_in_main_thread(lambda: self._on_progress(request, done), ("reading", request))

    def _on_result(self, request: ReadingRequest, result: Reading | str) -> None:
        self._has_computed = True
        self._progress.pop(request, None)
        answer = Answer(problem=result) if isinstance(result, str) else Answer(result, request.epoch)
        if answer.problem and _needs_images(request) and request.folder in self._without_images:
            answer = Answer(problem=self._without_images[request.folder])
        for question in [each for each, found in self._computing.items() if found == request]:
            del self._computing[question]
            self._remember(question, answer)
        self.changed.emit()
        self._work()

    def _on_progress(self, request: ReadingRequest, done: float) -> None:
        if request in self._computing.values():
            before, self._progress[request] = self._progress.get(request), done
            # Views show it in percent, and drawing them again takes time from what computes.
            if before is None or int(100 * before) != int(100 * done):
                self.changed.emit()

    def _remember(self, question: Question, answer: Answer) -> None:
        self._cache[question] = answer
        self._cache.move_to_end(question)
        while len(self._cache) > 1 and _total_bytes(self._cache) > CACHE_BYTES:
            self._cache.popitem(last=False)

    # What happens in the session

    def _on_dataset_loaded(self, loaded: tuple[str, Dataset]) -> None:
        self._datasets.offer(loaded[1])

    def _on_state_changed(self, state: State) -> None:
        if state is State.IDLE:
            self._compute()

    def _on_events(self, events: Iterable[Event]) -> None:
        events = tuple(events)
        self._newest_epoch = max(
            (each.epoch for each in events if isinstance(each, EpochEnded)), default=self._newest_epoch
        )
        if self._is_closed or self._settle.isActive():
            return
        if any(isinstance(event, EpochEnded | Finished) for event in events):
            self._settle.start()

    def _on_release(self) -> None:
        self._datasets.clear()
        self._with_images = None
        if self._has_computed:
            self._session.run_task(lambda progress, cancelled: self._service.forget(), lambda _: None)


def _look_up(
    questions: list[Question], progress: ProgressFunction, cancelled: CancelFunction
) -> dict[Question, Found]:
    return look_up(questions, cancelled)


def _load_images(
    datasets: RunDatasets, folder: Path, progress: ProgressFunction, cancelled: CancelFunction
) -> None:
    datasets.load(Run.open(folder), progress, cancelled)


def _is_of_earlier_epoch(earlier: Question, later: Question) -> bool:
    """Whether two questions differ in the epoch alone, and in this order."""
    return earlier.epoch < later.epoch and replace(earlier, epoch=later.epoch) == later


def _needs_images(request: ReadingRequest) -> bool:
    needs = instrument(request.instrument).needs
    return bool(needs & {Need.SPLIT, Need.TRAINING}) or (
        bool(needs & {Need.IMAGES, Need.EXAMPLES}) and request.own_images is None
    )


def _total_bytes(cache: Mapping[Question, Answer]) -> int:
    """What a cache keeps in memory: readings, which may share arrays, and the user's images in questions."""
    memory: dict[int, int] = {}
    for question, answer in cache.items():
        if question.own_images is not None:
            memory[id(question.own_images.pixels)] = question.own_images.pixels.nbytes
        if isinstance(answer.reading, Reading):
            memory.update(answer.reading.memory)
    return sum(memory.values())
