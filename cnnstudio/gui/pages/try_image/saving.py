"""Saving the scores of all images as a CSV file, once the last of them is known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from cnnstudio.core.csv_file import csv_bytes
from cnnstudio.core.files import write_atomically
from cnnstudio.core.formatting import format_count, pluralize
from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.compute.questions import Answer
from cnnstudio.gui.dashboard.views.readings import MomentReadings
from cnnstudio.gui.pages.try_image.answers.asking import ask_nearest, ask_scores, nearest_in
from cnnstudio.gui.pages.try_image.scores_file import Part, scores_table
from cnnstudio.gui.pages.try_image.tried_images import Batch
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.insight.confidence.judging import Rule, Verdict, judge
from cnnstudio.insight.instruments.predictions import PredictionsReading


@dataclass(frozen=True)
class _Order:
    """What to save: the images, of which run and epoch, and where."""

    path: Path
    folder: Path
    epoch: int
    batches: tuple[Batch, ...]
    rule: Rule | None
    """When the network is not sure; None if that is not known."""


class ScoresSaving(QObject):
    """One file at a time. All its scores are of the epoch at which it was asked for."""

    message = Signal(object)
    """A Message: that the file was saved, or why not."""
    changed = Signal()
    """It began or ended."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._order: _Order | None = None
        self._task: IoTask | None = None
        self.progress = Progress(0, None, "")

    @property
    def is_active(self) -> bool:
        """Whether scores are awaited, or the file is being written."""
        return self._order is not None

    def begin(
        self, path: Path, folder: Path, epoch: int, batches: tuple[Batch, ...], rule: Rule | None = None
    ) -> None:
        """Saves into `path` as soon as all scores are there: see `advance`."""
        self._order = _Order(path, folder, epoch, batches, rule)
        self.changed.emit()

    def cancel(self) -> None:
        """Gives up; nothing is written unless that has begun."""
        if self._task is None and self._order is not None:
            self._order = None
            self.changed.emit()

    def advance(self, readings: MomentReadings) -> None:
        """Asks for the scores, and writes the file when all of them are there."""
        order = self._order
        if order is None or self._task is not None:
            return
        if readings.moment.folder != order.folder:
            self._end(Message("Another run is shown now, so no scores were saved.", is_error=True))
            return
        found = ask_scores(readings, order.batches, order.epoch)
        problem = next((each.answer.problem for each in found if each.answer.problem), "")
        if problem:
            self._end(Message(f"No scores were saved: {problem}", is_error=True))
            return
        similar = [
            None if order.rule is None else ask_nearest(readings, each.batch.own_images, order.epoch)
            for each in found
        ]
        parts: list[Part] = [
            (each.batch.images, each.reading, _judged(each.reading, order.rule, answer))
            for each, answer in zip(found, similar, strict=True)
            if each.reading is not None and (answer is None or not answer.is_pending)
        ]
        total = sum(len(batch.images) for batch in order.batches)
        done = sum(len(images) for images, _, _ in parts)
        text = f"Classifying: {format_count(done)} of {pluralize(total, 'image')}"
        self.progress = Progress(done, total, text)
        if done == total:
            self._write(order, parts)

    def _write(self, order: _Order, parts: list[Part]) -> None:
        task = self._task = IoTask(partial(_write, order.path, parts, order.epoch), self, writes_files=True)
        task.done.connect(lambda _: self._end(Message(f"Saved {order.path}")))
        task.failed.connect(lambda problem: self._end(Message(str(problem), is_error=True)))
        task.start()

    def _end(self, message: Message) -> None:
        self._order = self._task = None
        self.message.emit(message)
        self.changed.emit()

    def close(self) -> None:
        """Gives up without a word."""
        if self._task is not None:
            self._task.cancel()
        self._order = self._task = None


def _judged(scores: PredictionsReading, rule: Rule | None, answer: Answer | None) -> list[Verdict] | None:
    nearest = None if answer is None else nearest_in(answer)
    if rule is None:
        return None
    if nearest is None:
        return judge(scores.probabilities, rule)
    return judge(scores.probabilities, rule.with_limit(nearest.limit), nearest.distances)


def _write(
    path: Path, parts: list[Part], epoch: int, progress: ProgressFunction, cancelled: CancelFunction
) -> None:
    write_atomically(path, csv_bytes(scores_table(parts, epoch)))
