"""When the network of the run on show says "not sure": the proposed threshold, or the user's own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.insight.confidence.judging import Rule, Verdict, judge
from cnnstudio.insight.instruments.nearest import NearestReading
from cnnstudio.insight.instruments.not_sure import NotSureReading
from cnnstudio.insight.instruments.predictions import PredictionsReading
from cnnstudio.runs.epochs.thresholds import choose_threshold, chosen_threshold

_SAVE_MS = 500
"""After the last change of the threshold."""
_MAX_KNOWN = 100


class AnswerRule(QObject):
    """The threshold of one run at a time; without its coverage and accuracy there is none."""

    changed = Signal()
    message = Signal(object)
    """A Message that the threshold could not be remembered."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.reading: NotSureReading | None = None
        self._run: tuple[Path, datetime | None] | None = None
        self._chosen: float | None = None
        self._judged: OrderedDict[tuple[object, object], list[Verdict]] = OrderedDict()
        self._tasks: set[IoTask] = set()
        self._save: Callable[[], None] | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SAVE_MS)
        self._timer.timeout.connect(self.save)

    def show_run(self, folder: Path | None, created: datetime | None) -> None:
        """Another run is shown: its threshold is the one that was chosen for it, if there is one."""
        self.save()
        self.reading = None
        self._judged.clear()
        self._run = None if folder is None else (folder, created)
        self._chosen = None if folder is None else chosen_threshold(folder, created)

    def show_reading(self, reading: NotSureReading | None) -> None:
        """The coverage and accuracy of the weights that answer; None if they are not known."""
        if reading is not self.reading:
            self.reading = reading
            self._judged.clear()

    @property
    def threshold(self) -> float | None:
        """0 to 1; None if nothing is known of the confidence."""
        if self.reading is None:
            return None
        return self.reading.proposed if self._chosen is None else self._chosen

    @property
    def is_chosen(self) -> bool:
        """Whether the user chose the threshold."""
        return self._chosen is not None

    @property
    def rule(self) -> Rule | None:
        """By the confidence alone."""
        if self.reading is None or self.threshold is None:
            return None
        return Rule(self.threshold, self.reading.temperature)

    def choose(self, threshold: float | None) -> None:
        """The user's threshold, in whole percents; None goes back to the proposed one."""
        value = None if threshold is None else min(max(round(100 * threshold), 0), 100) / 100
        if value == self._chosen or self._run is None:
            return
        self._chosen = value
        self._judged.clear()
        self._save = partial(self._start_saving, *self._run, value)
        self._timer.start()
        self.changed.emit()

    def verdicts(self, scores: PredictionsReading, nearest: NearestReading | None) -> list[Verdict] | None:
        """How sure the network is of each image; None if nothing is known of the confidence."""
        rule = self.rule
        if rule is None:
            return None
        key = (scores, nearest)
        if key not in self._judged:
            if nearest is None:
                found = judge(scores.probabilities, rule)
            else:
                found = judge(scores.probabilities, rule.with_limit(nearest.limit), nearest.distances)
            self._judged[key] = found
            while len(self._judged) > _MAX_KNOWN:
                self._judged.popitem(last=False)
        self._judged.move_to_end(key)
        return self._judged[key]

    def save(self) -> None:
        """Writes a threshold that was chosen a moment ago."""
        self._timer.stop()
        if self._save is not None:
            self._save()
            self._save = None

    def _start_saving(self, folder: Path, created: datetime | None, threshold: float | None) -> None:
        def write(progress: ProgressFunction, cancelled: CancelFunction) -> None:
            choose_threshold(folder, created, threshold)

        task = IoTask(write, self, writes_files=True)
        self._tasks.add(task)
        task.failed.connect(lambda text: self.message.emit(Message(str(text), is_error=True)))
        task.ended.connect(lambda: self._tasks.discard(task))
        task.start()

    def close(self) -> None:
        """Writes what was chosen, and waits for it."""
        self.save()
        for task in list(self._tasks):
            task.wait(2)
