"""The measurement before a training in the window: how long, in how much memory, in which batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QCheckBox, QGridLayout, QWidget

from cnnstudio.core.formatting import count, storage
from cnnstudio.core.progress import CancelFunction
from cnnstudio.data.dataset import Dataset
from cnnstudio.design.network import Network
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.training.preflight.base_dialog import TrialDialog
from cnnstudio.gui.widgets.labels import Label, Panel
from cnnstudio.training.recipe.recipe import UNNAMED, Recipe

if TYPE_CHECKING:
    from cnnstudio.training.preflight.profiling import Measurement

_HELP = (
    "A few batches of each size are learned from, on weights that are then thrown away. Larger batches make "
    "fewer steps of an epoch, so that the learning rate may have to rise with them."
)
_SECONDS = 8.0
_HEADS = ("IMAGES AT A TIME", "IMAGES/S", "MEMORY", "SPEED", "")
_BAR_HEIGHT = 8
_BARS = 3
"""The column of the bars."""
_REMARK_WIDTH = 130
_ROOM = 9
"""Rows that the table has from the beginning, so that the dialog does not grow."""


class _Bar(QWidget):
    """A speed as a share of the highest. The number beside it says the same."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self._share = share
        self.setFixedHeight(_BAR_HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color("training"))
        radius = self.height() / 2
        painter.drawRoundedRect(QRectF(0, 0, self._share * self.width(), self.height()), radius, radius)
        painter.end()


class PreflightDialog(TrialDialog):
    """Measures the project's training; a batch size that is used is one undo step."""

    measured = Signal(object)
    """The Measurement, once there is one."""

    def __init__(self, project: Project, session: TrainingSession, parent: QWidget | None = None) -> None:
        super().__init__("Check before training", _HELP, project, session, parent)
        self.setObjectName("preflightDialog")
        self._words = Label("", wrap=True)
        self._words.setObjectName("preflightWords")
        self._fields: dict[str, Any] = {}
        self._quicker: str | None = None
        self.precision = QCheckBox()
        self.precision.setObjectName("usePrecision")
        self.precision.toggled.connect(self._show_use)
        self._cells: list[QWidget] = []
        self.use.setObjectName("useBatch")
        self.use.clicked.connect(self._on_use)
        self._fill()
        self.show_nothing()

    def _fill(self) -> None:
        panel = Panel()
        panel.setAccessibleName("Batch sizes")
        self._grid = QGridLayout(panel)
        self._grid.setContentsMargins(14, 12, 14, 12)
        self._grid.setHorizontalSpacing(24)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(_BARS, 1)
        self._grid.setColumnMinimumWidth(_BARS + 1, _REMARK_WIDTH)
        self._grid.setRowStretch(_ROOM + 1, 1)
        for column, text in enumerate(_HEADS):
            head = Label(text, "head", "secondary")
            self._grid.addWidget(head, 0, column, _side(column))
        for row in range(1, _ROOM + 1):
            self._grid.setRowMinimumHeight(row, 18)
        self.content.addWidget(self._words)
        self.content.addWidget(panel, 1)
        self.content.addWidget(self.precision, 0, Qt.AlignmentFlag.AlignLeft)

    def attempt(
        self,
        network: Network,
        dataset: Dataset,
        recipe: Recipe,
        tell: Callable[[object], None],
        cancelled: CancelFunction,
    ) -> Measurement:
        from cnnstudio.training.preflight.prepare import prepare
        from cnnstudio.training.preflight.profiling import measure

        prepared = prepare(
            network, dataset, recipe, self.device, check_memory=False, progress=tell, cancelled=cancelled
        )
        return measure(prepared, seconds=_SECONDS, progress=tell, cancelled=cancelled)

    def show_progress(self, value: Any) -> tuple[int, int | None, str]:
        return value.done, value.total, value.text

    def show_result(self, result: Any) -> None:
        self._words.setText(result.sentence)
        highest = max(one.images_per_second for one in result.sizes)
        for row, one in enumerate(result.sizes, start=1):
            memory = "" if one.memory is None else storage(one.memory)
            for column, text in enumerate((count(one.size), f"{one.images_per_second:,.0f}", memory)):
                number = Label(text, "help")
                number.setFont(theme().monospace())
                self._add(row, column, number)
            self._add(row, _BARS, _Bar(one.images_per_second / highest))
            self._add(row, _BARS + 1, Label(result.remark(one), "help", "secondary"))
        self._offer(result)
        self.measured.emit(result)

    def _add(self, row: int, column: int, cell: QWidget) -> None:
        self._cells.append(cell)
        self._grid.addWidget(cell, row, column, _side(column))

    def _offer(self, result: Measurement) -> None:
        """What one click does: parts that fit, else the batch size that is fastest."""
        if not result.fits:
            self._fields = {"accumulate": result.accumulate}
            self.use.setText(f"Compute each batch in {result.accumulate} parts")
        else:
            self._fields = {"batch_size": result.fastest, "accumulate": 1}
            self.use.setText(f"Use batches of {count(result.fastest)}")
        self._quicker = result.quicker_precision
        if self._quicker:
            self.precision.setText(f"Compute in {self._quicker}, {result.gain:.1f} × as fast")
        self.precision.setVisible(self._quicker is not None)
        self.precision.setChecked(False)
        self.use.setVisible(True)
        self._show_use()
        self.use.setFocus()

    def _chosen(self) -> Recipe:
        """The recipe with what is offered and ticked."""
        quicker = {"precision": self._quicker} if self._quicker and self.precision.isChecked() else {}
        return self.project.recipe.replace(**self._fields, **quicker)

    def _show_use(self) -> None:
        self.use.setEnabled(self._chosen() != self.project.recipe)

    def show_nothing(self) -> None:
        self._words.setText("")
        self.use.setVisible(False)
        self.precision.setVisible(False)
        for cell in self._cells:
            self._grid.removeWidget(cell)
            cell.deleteLater()
        self._cells.clear()

    def _on_use(self) -> None:
        self.project.set_recipe(self._chosen().replace(name=UNNAMED))
        self.accept()


def _side(column: int) -> Qt.AlignmentFlag:
    sides = Qt.AlignmentFlag
    if column == _BARS:
        return sides.AlignVCenter
    return (sides.AlignRight if column < _BARS else sides.AlignLeft) | sides.AlignVCenter
