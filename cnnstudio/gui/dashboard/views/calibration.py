"""Calibration: whether the model is as often right as it is confident."""

from __future__ import annotations

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QVBoxLayout, QWidget

from cnnstudio.core.formatting import format_percent, pluralize
from cnnstudio.gui.dashboard.view_foot import foot
from cnnstudio.gui.dashboard.views.base import Table, View
from cnnstudio.gui.dashboard.views.parts.reliability import Bins, ReliabilityDiagram
from cnnstudio.gui.dashboard.views.readings import MomentReadings
from cnnstudio.gui.widgets.labels import Label, Line, PartsLabel
from cnnstudio.insight.instruments.calibration import CalibrationReading

_SMALL_DIFFERENCE = 0.01
_LONGEST = "ECE 10.0%  well calibrated on average: 85.0% confident on average, 85.0% correct"
_LEGEND = "Blue: correct predictions · orange: distance from the confidence · gray: images"


class _Verdict(QWidget):
    """The error, and beside it what it means; below it, on as many lines as it takes, in a narrow panel."""

    def __init__(self) -> None:
        super().__init__()
        self._error = Label("", "title")
        self._text = Label("", "content", "secondary", wrap=True)
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._row.setContentsMargins(16, 0, 16, 4)
        self._row.addWidget(self._error)
        self._row.addWidget(self._text, 1)
        self._fit()

    @property
    def text(self) -> str:
        return f"{self._error.text()}: {self._text.text()}"

    def show_texts(self, error: str, text: str) -> None:
        self._error.setText(error)
        self._text.setText(text)
        # At once: else the new texts are painted once in the places of the former ones.
        parent = self.parentWidget()
        layout = parent.layout() if parent is not None else None
        if layout is not None:
            layout.activate()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        # The same for all texts, so that the diagram does not move with them from epoch to epoch.
        is_row = self._text.fontMetrics().horizontalAdvance(_LONGEST) <= self._row.contentsRect().width()
        directions = QBoxLayout.Direction
        self._row.setDirection(directions.LeftToRight if is_row else directions.TopToBottom)
        self._row.setSpacing(12 if is_row else 2)


class CalibrationView(View):
    """A reliability diagram with the expected calibration error."""

    name = "viewCalibration"
    title = "Calibration"
    help = (
        "Predictions are sorted by their confidence, and each blue bar says how many of them were correct. "
        "A well calibrated model reaches the dashed line: of the predictions with 80% confidence, 80% are "
        "correct. The expected calibration error (ECE) is the mean distance from that line."
    )
    empty = "Shows how far the model's confidence can be trusted, once a run has completed an epoch."
    order = 40

    def build(self) -> QWidget:
        self._bins: Bins | None = None
        self._reading: CalibrationReading | None = None
        self.verdict = _Verdict()
        self.diagram = ReliabilityDiagram()
        self.diagram.chosen.connect(self._on_bin_chosen)
        self.details = PartsLabel(_LEGEND, "help", "secondary")
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.verdict)
        column.addWidget(self.diagram, 1)
        column.addWidget(Line())
        column.addWidget(foot(self.details))
        return content

    def draw(self, readings: MomentReadings) -> None:
        answer = readings.ask("calibration")
        reading = self.require(CalibrationReading, answer, readings)
        if reading is None:
            return
        if not reading.total:
            self.show_hint("The run was evaluated on no images.")
            return
        if reading is not self._reading:
            self._reading = reading
            self._bins = Bins(reading.edges, reading.counts, reading.confidence, reading.accuracy)
            self.diagram.show_bins(self._bins)
            self.verdict.show_texts(f"ECE {format_percent(reading.ece)}", _verdict(reading))
            self._on_bin_chosen(self.diagram.index)
        note = self.epoch_note(answer, readings)
        self.show_content(
            " · ".join(filter(None, (note, pluralize(reading.total, "image")))), reading.summary()
        )

    def _on_bin_chosen(self, index: object) -> None:
        is_chosen = self._bins is not None and isinstance(index, int)
        self.details.set_full_text(self._bins.describe(index) if is_chosen else _LEGEND)  # type: ignore[union-attr,arg-type]  # checked

    def table(self) -> Table:
        if not self._is_built or self._reading is None:
            return []
        columns = ("low", "high", "count", "confidence", "accuracy")
        rows: Table = [[*columns]]
        rows += [[each[name] for name in columns] for each in self._reading.bins()]
        return rows


def _verdict(reading: CalibrationReading) -> str:
    """`overconfident: 85.0% confident on average, 76.1% correct`."""
    difference = reading.mean_confidence - reading.mean_accuracy
    word = "well calibrated on average"
    if abs(difference) >= _SMALL_DIFFERENCE:
        word = "overconfident" if difference > 0 else "underconfident"
    confidence, accuracy = format_percent(reading.mean_confidence), format_percent(reading.mean_accuracy)
    return f"{word}: {confidence} confident on average, {accuracy} correct"
