"""The learning curves: loss above accuracy, on one axis of epochs."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from cnnstudio.gui.plots.curves import CurvePlot
from cnnstudio.gui.runs.history import RunHistory


class LearningView(QWidget):
    """The two plots of a run. Hovering over one shows the values at that epoch in both."""

    def __init__(self) -> None:
        super().__init__()
        self.loss = CurvePlot("Loss", "lossPlot", has_epochs=False)
        self.accuracy = CurvePlot("Accuracy", "accuracyPlot", percent=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for plot in (self.loss, self.accuracy):
            column.addWidget(plot, 1)
            plot.hovered.connect(self._on_hovered)

    def show_history(self, history: RunHistory, epochs: int, live: bool) -> None:
        """Draws the curves if they have changed and are visible; the axes end at `epochs`."""
        version = (history, history.version, epochs, live)
        for plot, curves, expected in (
            (self.loss, history.loss, "loss fall"),
            (self.accuracy, history.accuracy, "accuracy rise"),
        ):
            hint = "Waiting for the first steps…" if live else f"Press Train to see the {expected}"
            plot.show_curves(curves, epochs, hint, version, tuple(history.marks))

    def set_cursor(self, epoch: float | None) -> None:
        """Shows the values at an epoch; None for the end."""
        self.loss.set_cursor(epoch)
        self.accuracy.set_cursor(epoch)

    def _on_hovered(self, epoch: object) -> None:
        hovered = epoch if isinstance(epoch, float) else None
        self.loss.set_hover(hovered)
        self.accuracy.set_hover(hovered)
