"""The predictions for the example images, and how their scores change over the epochs."""

from __future__ import annotations

import numpy as np
from PySide6.QtWidgets import QVBoxLayout, QWidget

from cnnstudio.core.formatting import pluralize
from cnnstudio.gui.dashboard.views.base import Table, View
from cnnstudio.gui.dashboard.views.parts.score_charts import ScoreCharts, ScoreLine, ScoreRow
from cnnstudio.gui.dashboard.views.readings import MomentReadings
from cnnstudio.gui.widgets.labels import ElidedLabel, Line
from cnnstudio.insight.instruments.predictions import UNKNOWN, PredictionsReading

_LINES = 3
"""The classes that are shown of each image."""
_LEGEND = "Green: actual class · orange: wrong prediction · gray: other classes"


class PredictionsView(View):
    """One row per image: the image, its scores over the epochs, and those at the cursor."""

    name = "viewPredictions"
    title = "Predictions"
    help = (
        "Each row follows one example image through the training: the curves are the scores of its likeliest "
        "classes after each epoch. The actual class is green, a wrong prediction orange. A curve that jumps "
        "from epoch to epoch belongs to an image that the model is unsure about."
    )
    empty = "Shows how the scores of the example images change, once a run has started."
    order = 35

    def build(self) -> QWidget:
        self._epochs: tuple[int, ...] = ()
        self._scores: tuple[PredictionsReading, ...] = ()
        self._shown: object = None
        self.charts = ScoreCharts()
        self.charts.chosen.connect(lambda index: self.selection.choose_image(index))
        self.details = ElidedLabel(_LEGEND, "help", "secondary")
        self.details.setContentsMargins(16, 0, 16, 0)
        self.details.setFixedHeight(36)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.charts, 1)
        column.addWidget(Line())
        column.addWidget(self.details)
        return content

    def draw(self, readings: MomentReadings) -> None:
        answer = readings.ask("predictions")
        series = readings.over_epochs("predictions")
        reading = self.require(PredictionsReading, answer, readings)
        if reading is None:
            return
        images = readings.moment.record.images
        count = min(len(reading.labels), len(images))
        if not count:
            self.show_hint("The run has no example images.")
            return
        epoch = answer.epoch if answer.epoch is not None else readings.epoch
        known = {at: each for at, each in series.readings if _fits(each, reading, count)}
        known[epoch] = reading
        key = (tuple(sorted((at, id(each)) for at, each in known.items())), epoch, id(images))
        if key != self._shown:
            self._shown = key
            self._epochs = tuple(sorted(known))
            self._scores = tuple(known[at] for at in self._epochs)  # type: ignore[misc]  # see _fits
            at = self._epochs.index(epoch)
            rows = tuple(_row(self._scores, number, at, images[number]) for number in range(count))
            self.charts.show_rows(rows, self._epochs, self.selection.image)
        elif self.charts.index != self.selection.image:
            self.charts.show_rows(self.charts.rows, self._epochs, self.selection.image)
        pending = f"{pluralize(series.pending, 'epoch')} to load…" if series.pending else ""
        self.details.set_full_text(pending or _LEGEND)
        right = sum(bool(row.is_right) for row in self.charts.rows)
        note = self.epoch_note(answer, readings)
        sentence = f"{right} of {pluralize(count, 'image')} correct"
        self.show_content(" · ".join(filter(None, (note, sentence))), reading.summary())

    def table(self) -> Table:
        if not self._is_built or not self._scores:
            return []
        rows: Table = [["image", "epoch", "actual", *self._scores[0].classes]]
        for number in range(len(self.charts.rows)):
            for epoch, reading in zip(self._epochs, self._scores, strict=True):
                actual = int(reading.labels[number])
                name = "" if actual == UNKNOWN else reading.classes[actual]
                rows.append(
                    [number + 1, epoch, name, *(float(each) for each in reading.probabilities[number])]
                )
        return rows


def _fits(reading: object, current: PredictionsReading, count: int) -> bool:
    """Whether the first `count` images of a reading are the same, and its classes too."""
    return (
        isinstance(reading, PredictionsReading)
        and reading.classes == current.classes
        and np.array_equal(reading.labels[:count], current.labels[:count])
    )


def _row(readings: tuple[PredictionsReading, ...], number: int, at: int, image: np.ndarray) -> ScoreRow:
    """The likeliest classes at the cursor's epoch, and the actual one."""
    current = readings[at]
    classes, actual = current.classes, int(current.labels[number])
    chosen = [index for index, _ in current.top(number, _LINES)]
    if actual != UNKNOWN and actual not in chosen:
        chosen[-1] = actual
    lines = []
    for place, index in enumerate(chosen):
        is_wrong = place == 0 and actual not in (UNKNOWN, index)
        token = "good" if index == actual else "validation" if is_wrong else "secondary"
        if actual == UNKNOWN and place == 0:
            token = "training"
        scores = np.array([reading.probabilities[number, index] for reading in readings])
        lines.append(ScoreLine(classes[index], scores, token))
    return ScoreRow(image, "" if actual == UNKNOWN else classes[actual], tuple(lines), at)
