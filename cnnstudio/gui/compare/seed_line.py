"""Offers to train both designs with more seeds, and shows the progress of these runs."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from cnnstudio.core.errors import UserError
from cnnstudio.core.formatting import pluralize
from cnnstudio.gui.compare.seed_comparison import SeedComparison, Side
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.progress import ProgressLine
from cnnstudio.runs.comparing.comparison import CompletedRuns

_STEPS = (3, 5, 10, 20)
"""The numbers of seeds that are offered, one after the other."""
_PROGRESS_STEPS = 1000


class SeedLine(QWidget):
    """A button that trains more seeds of both, or the progress while they are trained."""

    def __init__(self, seeds: SeedComparison, update: Callable[[], object]) -> None:
        """`update` calls `offer` with what is to be compared now, in case an edit has not been shown yet."""
        super().__init__()
        self._seeds = seeds
        self._update_offer = update
        self._sides: tuple[Side, Side] | None = None
        self._results: CompletedRuns | None = None
        self._count = 0
        self._button = QPushButton()
        self._button.setObjectName("trainSeeds")
        self._problem = Label("", "help", "wrong", wrap=True)
        self._problem.hide()
        self._progress = ProgressLine(button="Stop", ending="Stopping after the current step")
        self._progress.setObjectName("seedsProgress")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.addWidget(self._button, alignment=Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self._problem)
        column.addWidget(self._progress)
        self._button.clicked.connect(self._on_clicked)
        self._progress.cancelled.connect(seeds.stop)
        seeds.changed.connect(self._refresh)
        self._refresh()

    def offer(self, sides: tuple[Side, Side] | None, results: CompletedRuns | None) -> None:
        """Offers more seeds of these two, or none; `results` has the runs that may be resumed."""
        self._sides, self._results = sides, results
        self._problem.hide()
        fewest = min(len(side.completed) for side in sides) if sides is not None else _STEPS[-1]
        self._count = next((count for count in _STEPS if count > fewest), 0)
        self._refresh()

    def _refresh(self) -> None:
        running = self._seeds.is_running
        if running:
            if not self._progress.isVisibleTo(self):
                self._progress.begin("")
            done = round(_PROGRESS_STEPS * self._seeds.fraction)
            self._progress.show_progress(done, _PROGRESS_STEPS, self._seeds.text)
        self._progress.setVisible(running)
        offered = self._sides is not None and self._count > 0 and not running
        self._button.setVisible(offered)
        if offered:
            self._button.setText(f"Train {self._count} seeds of each")
            self._button.setEnabled(self._seeds.can_start)
            self._button.setToolTip(self._tooltip())
        self.setVisible(running or offered)

    def _tooltip(self) -> str:
        if not self._seeds.can_start:
            return "A run is training. Stop it or wait for it to finish."
        missing = sum(max(self._count - len(side.completed), 0) for side in self._sides or ())
        return f"Trains {pluralize(missing, 'run')}, one after the other, and compares again"

    def _on_clicked(self) -> None:
        self._update_offer()
        if self._sides is None:
            return
        try:
            unfinished = self._results.unfinished if self._results is not None else ()
            self._seeds.start(self._sides, self._count, unfinished)
        except UserError as error:
            self._problem.setText(str(error))
            self._problem.show()
