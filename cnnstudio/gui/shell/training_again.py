"""Leads from a review of labels to the training with the corrections, by a button or by a message."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject

from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.experiments.actions import Experiments
from cnnstudio.gui.pages.data_page import DataPage
from cnnstudio.gui.runs.shown_run import ShownRun

_NO_RUN = "Show a run that was trained on this data set first (Ctrl+T)"
_BUSY = "Wait until the training in progress has ended"


class TrainingAgain(QObject):
    """Says in the review queue whether the run on show can be trained again with the corrections."""

    def __init__(
        self,
        page: DataPage,
        experiments: Experiments,
        shown: ShownRun,
        session: TrainingSession,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._page, self._experiments, self._shown = page, experiments, shown
        experiments.when_corrections_are_kept = self._when_kept
        page.queue.training_requested.connect(experiments.train_again)
        page.queue.closed.connect(self._on_review_closed)
        page.labels_changed.connect(self._offer)
        for signal in (session.state_changed, shown.cursor.run_changed, shown.cursor.live_changed):
            signal.connect(self._offer)

    def _offer(self, *_: object) -> None:
        overlay = self._page.overlay
        if overlay is None or not overlay.entries:
            self._page.queue.offer_training(None)
        elif not self._page.looks_at(self._shown.record.dataset_name):
            self._page.queue.offer_training(_NO_RUN)
        else:
            self._page.queue.offer_training("" if self._experiments.can_start else _BUSY)

    def _on_review_closed(self) -> None:
        overlay = self._page.overlay
        self._experiments.offer_training(0 if overlay is None else len(overlay.entries))

    def _when_kept(self, act: Callable[[], object]) -> None:
        """Acts when the corrections are in their file, where the training finds them."""
        overlay = self._page.overlay
        if overlay is None:
            act()
        else:
            overlay.when_kept(act)
