"""The predictions for the user's pinned images and the example images, over the epochs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from cnnstudio.core.files import FileError
from cnnstudio.core.formatting import pluralize
from cnnstudio.data.dataset import Pixels
from cnnstudio.gui.compute.questions import Answer
from cnnstudio.gui.dashboard.view_foot import foot
from cnnstudio.gui.dashboard.views.base import Table, View
from cnnstudio.gui.dashboard.views.parts.score_charts import ScoreCharts, ScoreLine, ScoreRow
from cnnstudio.gui.dashboard.views.readings import MomentReadings, Series
from cnnstudio.gui.document.pinned_images import PinnedImage
from cnnstudio.gui.widgets.labels import ElidedLabel, Line
from cnnstudio.insight.instruments.mistakes import MistakesReading
from cnnstudio.insight.instruments.predictions import UNKNOWN, PredictionsReading
from cnnstudio.runs.epochs.inspection import OwnImages

_LINES = 3
_MAX_CHOSEN = 8
"""The images that are shown of those that were chosen in another view."""
_CHOSEN_TITLE = "image {:,}"
"""The classes that are shown of each image."""
_LEGEND = "Green: actual class · orange: wrong prediction · gray: other classes"


@dataclass(frozen=True, eq=False)
class _Images:
    """Some images with what is known of their scores: pinned ones, chosen ones, or the example images."""

    pixels: Pixels
    """uint8 (N, C, H, W)."""
    names: tuple[str, ...]
    answer: Answer
    series: Series
    has_names: bool = False
    """Whether each is shown with its name."""
    labels: tuple[int, ...] | None = None
    """The class of each image, where the readings do not tell it."""

    @property
    def count(self) -> int:
        """How many of the images have scores."""
        return 0 if self.reading is None else min(len(self.reading.labels), len(self.pixels))

    @property
    def reading(self) -> PredictionsReading | None:
        """The scores at the cursor."""
        found = self.answer.reading
        return found if isinstance(found, PredictionsReading) and self.answer.epoch is not None else None

    def actual(self, number: int) -> int:
        """The class of an image, or UNKNOWN."""
        if self.labels is not None:
            return self.labels[number]
        return UNKNOWN if self.reading is None else int(self.reading.labels[number])

    def known(self) -> dict[int, PredictionsReading]:
        """The scores of each epoch, ascending."""
        reading, epoch = self.reading, self.answer.epoch
        if reading is None or epoch is None:
            return {}
        found = {at: each for at, each in self.series.readings if _fits(each, reading, self.count)}
        found[epoch] = reading
        return dict(sorted(found.items()))  # type: ignore[arg-type]  # see _fits


class PredictionsView(View):
    """One row per image: the image, its scores over the epochs, and those at the cursor."""

    name = "viewPredictions"
    title = "Predictions"
    help = (
        "Each row follows one image through the training: the curves are the scores of its likeliest classes "
        "after each epoch. The actual class is green, a wrong prediction orange. Images of your own can be "
        "pinned here on the Use page, and images that are chosen in another view are shown too; their scores "
        "are computed from the weights that the run has kept."
    )
    empty = "Shows how the scores of single images change, once a run has started."
    order = 35

    def build(self) -> QWidget:
        self._groups: tuple[_Images, ...] = ()
        self._shown: object = None
        self._own_count = 0
        """How many rows are pinned images; they come first."""
        self._first_example = 0
        """The row of the first example image, after the pinned images and those chosen in another view."""
        self._fitted_of: tuple[tuple[PinnedImage, ...], tuple[int, ...]] | None = None
        self._chosen_key: object = None
        self._chosen_found: tuple[OwnImages, MistakesReading] | None = None
        self._extra_index: int | None = None
        """The chosen row if it is no example image; else the image that is chosen for all views is."""
        self.charts = ScoreCharts()
        self.charts.chosen.connect(self._on_chosen)
        self.charts.removed.connect(self._on_removed)
        self.selection.image_changed.connect(self._on_image_changed)
        self.details = ElidedLabel(_LEGEND, "help", "secondary")
        self.unpin = QPushButton("Unpin")
        self.unpin.setObjectName("unpinImage")
        self.unpin.setProperty("role", "small")
        self.unpin.setToolTip("Stop following this image (Delete)")
        self.unpin.clicked.connect(lambda: self._on_removed(self.charts.index))
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.charts, 1)
        column.addWidget(Line())
        column.addWidget(foot(self.details, self.unpin))
        return content

    def draw(self, readings: MomentReadings) -> None:
        examples, own, chosen = (
            self._examples(readings),
            self._own_images(readings),
            self._chosen_images(readings),
        )
        groups = tuple(each for each in (own, chosen, examples) if each is not None and each.count)
        if not groups:
            if self.require(PredictionsReading, examples.answer, readings) is not None:
                self.show_hint("The run has no example images.")
            return
        self._own_count = own.count if own is not None else 0
        self._first_example = self._own_count + (chosen.count if chosen is not None else 0)
        key = tuple(
            (each.answer.epoch, id(each.pixels), tuple((at, id(found)) for at, found in each.known().items()))
            for each in groups
        )
        rows = self.charts.rows
        if key != self._shown:
            self._shown, self._groups = key, groups
            rows = tuple(row for each in groups for row in _rows(each))
        self._show_rows(rows)
        pending = sum(each.series.pending for each in groups)
        problem = "" if own is None or not own.answer.problem else f"Pinned images: {own.answer.problem}"
        waiting = f"{pluralize(pending, 'epoch')} to load…" if pending else ""
        self.details.set_full_text(waiting or problem or _LEGEND)
        self._say(examples, readings)

    def _examples(self, readings: MomentReadings) -> _Images:
        record = readings.moment.record
        answer, series = readings.ask("predictions"), readings.over_epochs("predictions")
        return _Images(record.images, record.image_names, answer, series)

    def _own_images(self, readings: MomentReadings) -> _Images | None:
        """The pinned images at the size of the network's input."""
        pinned, dims = self.source.pinned.images, readings.network.input.dims
        if not pinned or len(dims) != 3:
            return None
        if (pinned, dims) != self._fitted_of:
            channels, height, width = dims
            self._fitted_of = pinned, dims
            started = readings.moment.record.history.started
            resize = (started and started.resize) or "fill"
            self._fitted = OwnImages(
                np.stack([each.pixels((channels, height, width), resize) for each in pinned])
            )
        answer = readings.ask("predictions", own_images=self._fitted)
        series = readings.over_epochs("predictions", own_images=self._fitted)
        names = tuple(each.name for each in pinned)
        return _Images(self._fitted.pixels, names, answer, series, has_names=True)

    def _chosen_images(self, readings: MomentReadings) -> _Images | None:
        """The first of the images that were chosen in another view, of those that the run is evaluated on."""
        rows = self.selection.images[:_MAX_CHOSEN]
        key = readings.moment.folder, rows
        if key != self._chosen_key:
            self._chosen_key, self._chosen_found = key, None
        if rows and self._chosen_found is None:
            # For their pixels, which are the same at each epoch.
            last = readings.moment.record.last_epoch
            found = readings.ask_at(last, "mistakes", rows=rows).reading
            if isinstance(found, MistakesReading) and len(found.mistake_index):
                self._chosen_found = OwnImages(found.mistake_images), found
        if self._chosen_found is None:
            return None
        images, found = self._chosen_found
        names = tuple(_CHOSEN_TITLE.format(number + 1) for number in found.mistake_index.tolist())
        answer = readings.ask("predictions", own_images=images)
        series = readings.over_epochs("predictions", own_images=images)
        labels = tuple(found.mistake_truth.tolist())
        return _Images(images.pixels, names, answer, series, has_names=True, labels=labels)

    def _show_rows(self, rows: tuple[ScoreRow, ...]) -> None:
        if self._extra_index is not None and self._extra_index >= self._first_example:
            self._extra_index = None
        extra = self._extra_index
        index = self._first_example + self.selection.image if extra is None else extra
        if rows is not self.charts.rows or index != self.charts.index:
            self.charts.show_rows(rows, index)
        self.unpin.setVisible(0 <= self.charts.index < self._own_count)

    def _say(self, examples: _Images, readings: MomentReadings) -> None:
        note, reading = self.epoch_note(self._groups[-1].answer, readings), self._groups[-1].reading
        own = f"{self._own_count} pinned" if self._own_count else ""
        more = self._first_example - self._own_count
        chosen = f"{more} of {len(self.selection.images):,} chosen" if more else ""
        right = sum(bool(row.is_right) for row in self.charts.rows[self._first_example :])
        known = f"{right} of {pluralize(examples.count, 'image')} correct" if examples.count else ""
        assert reading is not None
        self.show_content(" · ".join(filter(None, (note, known, own, chosen))), reading.summary())

    # Rows

    def _on_chosen(self, index: object) -> None:
        assert isinstance(index, int)
        self._extra_index = index if index < self._first_example else None
        self.unpin.setVisible(index < self._own_count)
        if self._extra_index is None:
            self.selection.choose_image(index - self._first_example)

    def _on_image_changed(self, _: object) -> None:
        self._extra_index = None

    def _on_removed(self, index: object) -> None:
        """Unpins an image; example images stay."""
        pinned = self.source.pinned
        if not isinstance(index, int) or index >= min(self._own_count, len(pinned.images)):
            return
        try:
            pinned.unpin(pinned.images[index])
        except FileError as error:
            self.details.set_full_text(str(error))

    def table(self) -> Table:
        if not self._is_built or not self._groups:
            return []
        reading = self._groups[0].reading
        assert reading is not None
        rows: Table = [["image", "epoch", "actual", *reading.classes]]
        for group in self._groups:
            for number in range(group.count):
                name: str | int = group.names[number] if group.has_names else number + 1
                actual = group.actual(number)
                for epoch, each in group.known().items():
                    label = "" if actual == UNKNOWN else each.classes[actual]
                    rows.append([name, epoch, label, *(float(score) for score in each.probabilities[number])])
        return rows


def _fits(reading: object, current: PredictionsReading, count: int) -> bool:
    """Whether the first `count` images of a reading are the same, and its classes too."""
    return (
        isinstance(reading, PredictionsReading)
        and reading.classes == current.classes
        and np.array_equal(reading.labels[:count], current.labels[:count])
    )


def _rows(images: _Images) -> list[ScoreRow]:
    known = images.known()
    epochs = tuple(known)
    assert images.answer.epoch is not None
    at = epochs.index(images.answer.epoch)
    readings = tuple(known.values())
    return [_row(images, readings, number, epochs, at) for number in range(images.count)]


def _row(
    images: _Images, readings: tuple[PredictionsReading, ...], number: int, epochs: tuple[int, ...], at: int
) -> ScoreRow:
    """The likeliest classes at the cursor's epoch, and the actual one."""
    current = readings[at]
    classes, actual = current.classes, images.actual(number)
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
    name = images.names[number] if images.has_names else ""
    label = "" if actual == UNKNOWN else classes[actual]
    return ScoreRow(images.pixels[number], label, tuple(lines), epochs, at, name)
