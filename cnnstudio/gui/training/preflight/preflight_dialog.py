"""The check before training: time, memory, and the speed of several batch sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QCheckBox, QGridLayout, QWidget

from cnnstudio.core.formatting import format_bytes, format_count
from cnnstudio.core.progress import CancelFunction
from cnnstudio.data.dataset import Dataset
from cnnstudio.design.network import Network
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.training.preflight.base_dialog import ComputeDialog
from cnnstudio.gui.widgets.labels import Label, Panel
from cnnstudio.training.recipe.recipe import UNNAMED, Recipe

if TYPE_CHECKING:
    from cnnstudio.training.preflight.profiling import TrainingEstimate

_HELP = (
    "Trains a few batches of each size on temporary weights. Larger batches mean fewer steps per epoch, "
    "so you may need a higher learning rate."
)
_SECONDS = 8.0
_HEADS = ("BATCH SIZE", "IMAGES/S", "MEMORY", "SPEED", "")
_BAR_HEIGHT = 8
_BAR_COLUMN = 3
_REMARK_WIDTH = 130
_ROWS = 9
"""The number of rows reserved from the start, so that the dialog does not grow."""


class _Bar(QWidget):
    """A bar whose length is a fraction of the full width."""

    def __init__(self, fraction: float) -> None:
        super().__init__()
        self._fraction = fraction
        self.setFixedHeight(_BAR_HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color("training"))
        radius = self.height() / 2
        painter.drawRoundedRect(QRectF(0, 0, self._fraction * self.width(), self.height()), radius, radius)
        painter.end()


class PreflightDialog(ComputeDialog):
    """Estimates the cost of training the project; using a batch size is one undo step."""

    estimated = Signal(object)
    """The TrainingEstimate, when it is finished."""

    def __init__(
        self,
        project: Project,
        session: TrainingSession,
        parent: QWidget | None = None,
        weights: str | None = None,
    ) -> None:
        super().__init__("Check before training", _HELP, project, session, parent, weights)
        self.setObjectName("preflightDialog")
        self._summary = Label("", wrap=True)
        self._summary.setObjectName("preflightSummary")
        self._changes: dict[str, Any] = {}
        self._faster_precision: str | None = None
        self.precision = QCheckBox()
        self.precision.setObjectName("usePrecision")
        self.precision.toggled.connect(self._update_use_button)
        self._cells: list[QWidget] = []
        self.use_button.setObjectName("useBatch")
        self.use_button.clicked.connect(self._on_use)
        self._fill()
        self.clear_result()

    def _fill(self) -> None:
        panel = Panel()
        panel.setAccessibleName("Batch sizes")
        self._grid = QGridLayout(panel)
        self._grid.setContentsMargins(14, 12, 14, 12)
        self._grid.setHorizontalSpacing(24)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(_BAR_COLUMN, 1)
        self._grid.setColumnMinimumWidth(_BAR_COLUMN + 1, _REMARK_WIDTH)
        self._grid.setRowStretch(_ROWS + 1, 1)
        for column, text in enumerate(_HEADS):
            head = Label(text, "head", "secondary")
            self._grid.addWidget(head, 0, column, _alignment(column))
        for row in range(1, _ROWS + 1):
            self._grid.setRowMinimumHeight(row, 18)
        self.content.addWidget(self._summary)
        self.content.addWidget(panel, 1)
        self.content.addWidget(self.precision, 0, Qt.AlignmentFlag.AlignLeft)

    def compute(
        self,
        network: Network,
        dataset: Dataset,
        recipe: Recipe,
        report: Callable[[object], None],
        cancelled: CancelFunction,
    ) -> TrainingEstimate:
        from cnnstudio.training.preflight.profiling import estimate_training

        prepared = self.prepare(network, dataset, recipe, cancelled, report, check_memory=False)
        return estimate_training(prepared, seconds=_SECONDS, progress=report, cancelled=cancelled)

    def show_progress(self, value: Any) -> tuple[int, int | None, str]:
        return value.done, value.total, value.text

    def show_result(self, result: Any) -> None:
        self._summary.setText(result.description)
        highest = max(one.images_per_second for one in result.sizes)
        for row, one in enumerate(result.sizes, start=1):
            memory = "" if one.memory is None else format_bytes(one.memory)
            for column, text in enumerate((format_count(one.size), f"{one.images_per_second:,.0f}", memory)):
                number = Label(text, "help")
                number.setFont(theme().monospace())
                self._add(row, column, number)
            self._add(row, _BAR_COLUMN, _Bar(one.images_per_second / highest))
            self._add(row, _BAR_COLUMN + 1, Label(result.describe_size(one), "help", "secondary"))
        self._offer(result)
        self.estimated.emit(result)

    def _add(self, row: int, column: int, cell: QWidget) -> None:
        self._cells.append(cell)
        self._grid.addWidget(cell, row, column, _alignment(column))

    def _offer(self, result: TrainingEstimate) -> None:
        """Offers gradient accumulation if the batch does not fit in memory, else the fastest size."""
        if not result.fits:
            self._changes = {"accumulate": result.accumulate}
            self.use_button.setText(f"Split each batch into {result.accumulate}")
        else:
            self._changes = {"batch_size": result.fastest, "accumulate": 1}
            self.use_button.setText(f"Use batch size {format_count(result.fastest)}")
        self._faster_precision = result.faster_precision
        if self._faster_precision:
            self.precision.setText(f"Use {self._faster_precision} precision ({result.speedup:.1f}× as fast)")
        self.precision.setVisible(self._faster_precision is not None)
        self.precision.setChecked(False)
        self.use_button.setVisible(True)
        self._update_use_button()
        self.use_button.setFocus()

    def _new_recipe(self) -> Recipe:
        """The recipe with the offered changes."""
        precision = (
            {"precision": self._faster_precision}
            if self._faster_precision and self.precision.isChecked()
            else {}
        )
        return self.project.recipe.replace(**self._changes, **precision)

    def _update_use_button(self) -> None:
        self.use_button.setEnabled(self._new_recipe() != self.project.recipe)

    def clear_result(self) -> None:
        self._summary.setText("")
        self.use_button.setVisible(False)
        self.precision.setVisible(False)
        for cell in self._cells:
            self._grid.removeWidget(cell)
            cell.deleteLater()
        self._cells.clear()

    def _on_use(self) -> None:
        self.project.set_recipe(self._new_recipe().replace(name=UNNAMED))
        self.accept()


def _alignment(column: int) -> Qt.AlignmentFlag:
    sides = Qt.AlignmentFlag
    if column == _BAR_COLUMN:
        return sides.AlignVCenter
    return (sides.AlignRight if column < _BAR_COLUMN else sides.AlignLeft) | sides.AlignVCenter
