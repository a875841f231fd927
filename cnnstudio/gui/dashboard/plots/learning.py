"""Is it learning? Loss and accuracy beside each other."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QWidget

from cnnstudio.gui.dashboard.plots.curves import CurvePlot
from cnnstudio.gui.runs.history import History


class LearningView(QWidget):
    """The two plots of a run; what the mouse reads in one, it reads in both."""

    def __init__(self) -> None:
        super().__init__()
        self.loss = CurvePlot("Loss", "lossPlot")
        self.accuracy = CurvePlot("Accuracy", "accuracyPlot", percent=True)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(20)
        for plot in (self.loss, self.accuracy):
            row.addWidget(plot, 1)
            plot.hovered.connect(self._on_hovered)

    def show_history(self, history: History, epochs: int, live: bool) -> None:
        """Draws what is new and can be seen; the axes go to `epochs`."""
        version = (history, history.version, epochs, live)
        for plot, curves, what in (
            (self.loss, history.loss, "loss fall"),
            (self.accuracy, history.accuracy, "accuracy rise"),
        ):
            hint = "The first steps are on their way" if live else f"Press Train to see the {what}"
            plot.show_curves(curves, epochs, hint, version)

    def set_cursor(self, epoch: float | None) -> None:
        """The place in the run that is looked at; None at its end."""
        self.loss.set_cursor(epoch)
        self.accuracy.set_cursor(epoch)

    def _on_hovered(self, epoch: object) -> None:
        place = epoch if isinstance(epoch, float) else None
        self.loss.set_hover(place)
        self.accuracy.set_hover(place)
