"""Loss and accuracy of two runs over their epochs, one above the other on one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtWidgets import QMenu

from cnnstudio.core.formatting import format_percent, format_value, pluralize
from cnnstudio.gui.plots.companions import Companion
from cnnstudio.gui.plots.curve_plot import CurvePlot
from cnnstudio.gui.plots.export import PlotMenu
from cnnstudio.gui.plots.learning import LearningView
from cnnstudio.gui.plots.options import CurveOptions
from cnnstudio.gui.runs.history import RunHistory
from cnnstudio.training.events import EpochEnded

History = Sequence[EpochEnded]

_LINE_WIDTH = 2.0


class RunCurves(LearningView):
    """Training and validation of both runs: the first in solid lines, the second in dashed ones."""

    message = Signal(object)
    """A Message about a file that was or could not be saved."""

    def __init__(self) -> None:
        super().__init__("compared_", "Neither of the runs has a complete epoch")
        self.setObjectName("comparedCurves")
        self.setAccessibleName("Loss and accuracy over the epochs")
        self.set_options(CurveOptions(per_epoch=True, gap=False, marks=False))
        self.menu_wanted.connect(self._on_menu)

    def sizeHint(self) -> QSize:
        return QSize(460, 260)

    def minimumSizeHint(self) -> QSize:
        # Narrow, the legends are lists, and need more height.
        return QSize(240, max(200, super().minimumSizeHint().height()))

    def show_histories(self, first: History, second: History, ratio: float = 1.0) -> None:
        """Shows the ends of the epochs of two runs; one of the second is as long as `ratio` of the first."""
        histories = [RunHistory(), RunHistory()]
        for history, epochs in zip(histories, (first, second), strict=True):
            history.feed(epochs)
        style = Qt.PenStyle.DashLine
        second_run = Companion(histories[1], "second run", None, style, ratio, width=_LINE_WIDTH)
        self.set_companions([second_run])
        ends = [*(each.epoch for each in first[-1:]), *(each.epoch * ratio for each in second[-1:])]
        self.show_history(histories[0], max(math.ceil(max(ends, default=1.0) - 1e-9), 1), live=False)
        self.setAccessibleDescription(_summary(first, second))

    def _on_menu(self, plot: CurvePlot, position: QPoint) -> None:
        menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)
        PlotMenu(plot.quantity.title, plot, [plot], self.reset_zoom, self.message.emit).fill(menu)
        menu.popup(position)


def _summary(first: History, second: History) -> str:
    parts = []
    for name, history in (("First run", first), ("second run", second)):
        if history:
            last = history[-1].validation
            scores = f"loss {format_value(last.loss)}, accuracy {format_percent(last.accuracy)}"
            parts.append(f"{name}: {pluralize(len(history), 'epoch')}, last validation {scores}")
        else:
            parts.append(f"{name}: no complete epoch")
    return "; ".join(parts) + "."
