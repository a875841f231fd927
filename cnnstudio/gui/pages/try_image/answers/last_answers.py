"""The answers to the images that are tried, without flicker and without starving while a run trains."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, QTimer, Signal

from cnnstudio.gui.dashboard.views.readings import MomentReadings
from cnnstudio.gui.pages.try_image.answers.asking import BatchAnswer, ask_scores, epoch_to_ask
from cnnstudio.gui.pages.try_image.tried_images import Batch

_GRACE_MS = 150
"""How long the answer of another epoch, which is named, stays while the next one is awaited."""


class LastAnswers(QObject):
    """Remembers the last answers of the run on show."""

    overdue = Signal()
    """What is awaited takes so long that the answers before must go."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._answered: dict[Batch, BatchAnswer] = {}
        self._live_epoch: int | None = None
        """The epoch that was asked about last, of a run that trains."""
        self._is_overdue = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_GRACE_MS)
        self._timer.timeout.connect(self._on_overdue)

    @property
    def epoch(self) -> int | None:
        """The epoch of the weights whose answers are shown."""
        return next((each.answer.epoch for each in self._answered.values()), None)

    @property
    def may_stay(self) -> bool:
        """Whether an answer stays while the next one is awaited."""
        return self._live_epoch is not None or not self._is_overdue

    def forget(self) -> None:
        """Another run is shown: what its network said must not be taken for the answer of this one."""
        self._answered, self._live_epoch = {}, None

    def stop_waiting(self) -> None:
        """Nobody looks."""
        self._timer.stop()

    def ask(self, readings: MomentReadings, batches: Sequence[Batch]) -> tuple[int, list[BatchAnswer]]:
        """The epoch that is asked about, and the answers to show."""
        epoch = self._epoch_to_ask(readings, batches)
        found = ask_scores(readings, batches, epoch)
        shown = [
            self._answered.get(each.batch, each) if each.answer.is_pending and self.may_stay else each
            for each in found
        ]
        self._answered = {each.batch: each for each in shown if each.reading is not None}
        if not any(each.answer.is_pending for each in found):
            self._is_overdue = False
            self._timer.stop()
        elif not self._is_overdue and not self._timer.isActive():
            self._timer.start()
        return epoch, shown

    def _epoch_to_ask(self, readings: MomentReadings, batches: Sequence[Batch]) -> int:
        """While it trains, the epoch before until that is answered; that answer then stays until the next.

        Otherwise epochs that end quickly would put off every answer.
        """
        moment, before = readings.moment, self._live_epoch
        epoch = epoch_to_ask(moment)
        self._live_epoch = epoch if moment.is_live and moment.is_at_end else None
        if self._live_epoch is not None and before is not None and before < epoch:
            found = ask_scores(readings, batches, before)
            self._answered |= {each.batch: each for each in found if each.reading is not None}
            if any(each.answer.is_pending for each in found):
                self._live_epoch = epoch = before
        return epoch

    def _on_overdue(self) -> None:
        self._is_overdue = True
        self.overdue.emit()
