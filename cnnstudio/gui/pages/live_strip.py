"""How the run on show is doing, small, below the inspector of the Design page."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

from cnnstudio.gui.dashboard.frame_clock import FrameClock
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.plots.metrics import METRIC
from cnnstudio.gui.plots.sparkline import Sparkline
from cnnstudio.gui.runs.shown_run import ShownRun
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Panel

HEIGHT = 140


class LiveStrip(Panel):
    """Loss and accuracy of the run on show. Without a run it leaves its place to the inspector."""

    def __init__(self, project: Project, shown: ShownRun, clock: FrameClock) -> None:
        super().__init__("liveStrip")
        self._project = project
        self._shown = shown
        self.setFixedHeight(HEIGHT)
        self._title = ElidedLabel(role="strong")
        self.chip = Label("not this design", "axis")
        self.chip.setProperty("role", "chip")
        self.chip.setToolTip("The run on show was trained with another design than the one that is open")
        self._loss = Sparkline(METRIC["loss"])
        self._accuracy = Sparkline(METRIC["accuracy"])
        head, row, column = QHBoxLayout(), QHBoxLayout(), QVBoxLayout(self)
        head.setSpacing(8)
        head.addWidget(self._title, 1)
        head.addWidget(self.chip)
        row.setSpacing(14)
        row.addWidget(self._loss, 1)
        row.addWidget(self._accuracy, 1)
        column.setContentsMargins(16, 10, 16, 10)
        column.setSpacing(8)
        column.addLayout(head)
        column.addLayout(row, 1)
        clock.frame.connect(self.draw)
        shown.cursor.run_changed.connect(self._show_whether)
        shown.cursor.advanced.connect(self._show_whether)
        project.network_changed.connect(self._show_design)
        self._show_whether()

    @property
    def is_other_design(self) -> bool:
        """Whether the run has another design than the one that is open."""
        return self._shown.record.network.nodes != self._project.network.nodes

    def _show_whether(self, *_: object) -> None:
        # Also while a run begins: the place must not change with its first step.
        record = self._shown.record
        self.setVisible(bool(record.network.nodes))
        self._show_design()

    def _show_design(self, *_: object) -> None:
        self.chip.setVisible(self.is_other_design)

    def draw(self) -> None:
        """Draws the newest values."""
        if not self.isVisible():
            return
        record, cursor = self._shown.record, self._shown.cursor
        history = record.history
        if cursor.is_live:
            self._title.set_full_text(f"{record.name} is training")
        else:
            self._title.set_full_text(record.title, f" · {record.start}" if record.start else "")
        self._loss.show_curves(history.loss, history.total_epochs)
        self._accuracy.show_curves(history.accuracy, history.total_epochs)
