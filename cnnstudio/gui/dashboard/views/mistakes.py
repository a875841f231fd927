"""Misclassified images: the most confident mistakes, the least certain images, and those of a chosen cell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from cnnstudio.core.formatting import format_count, format_percent, pluralize
from cnnstudio.gui.dashboard.views.base import ImagesToReview, ImageToReview, Table, View, training_images
from cnnstudio.gui.dashboard.views.parts.mistake_list import NEAREST, MistakeList, MistakeRow
from cnnstudio.gui.dashboard.views.readings import MomentReadings
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.gui.widgets.segments import Choice
from cnnstudio.insight.instruments.mistakes import MistakesReading
from cnnstudio.insight.instruments.nearest import NearestReading
from cnnstudio.runs.epochs.inspection import OwnImages

_CONFIDENT, _UNSURE, _CELL, _CHOSEN = range(4)
_MAX_NAME = 16


class MistakesView(View):
    """A list of images, each with what was predicted and what it is."""

    name = "viewMistakes"
    title = "Misclassified images"
    help = (
        "Most confident lists the mistakes that the model was surest of: look here for wrong labels and for "
        "classes that look alike. Least certain lists the images where the two likeliest classes have almost "
        "the same score. A cell of the confusion matrix or images chosen in the embedding add a list."
    )
    empty = "Shows the mistakes that the model is surest of, once a run has completed an epoch."
    order = 30

    def build(self) -> QWidget:
        self._reading: MistakesReading | None = None
        self._is_visited = False
        """Whether another view led here, and the user has not chosen another list since."""
        self._shown: tuple[object, int, object] | None = None
        self.lists = Choice("List", ("Most confident", "Least certain", "Cell", "Chosen"), role="chip")
        self.lists.set_text(_CELL, "Cell", visible=False)
        self.lists.set_text(_CHOSEN, "Chosen", visible=False)
        self.lists.changed.connect(self._on_list_changed)
        self.list = MistakeList()
        self.list.chosen.connect(self._on_row_chosen)
        self.list.left.connect(self._on_left)
        self.list.nearest_opened.connect(self._on_nearest_opened)
        self._asked: tuple[object, int, OwnImages] | None = None
        """The images of a list of a reading, to ask about those that are similar."""
        self._nearest: NearestReading | None = None
        chips = QHBoxLayout()
        chips.setContentsMargins(16, 0, 16, 8)
        chips.addWidget(self.lists)
        chips.addStretch(1)
        self.label_errors = QPushButton("Find label errors…")
        self.label_errors.setObjectName("findLabelErrors")
        self.label_errors.setProperty("role", "small")
        self.label_errors.setAccessibleName("Find suspected label errors")
        self.label_errors.setToolTip(
            "Find suspected label errors: images that neither the network nor similar images agree with"
        )
        self.label_errors.clicked.connect(self.source.label_errors_wanted)
        chips.addWidget(self.label_errors)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 1)
        column.setSpacing(0)
        column.addLayout(chips)
        column.addWidget(self.list, 1)
        return content

    def draw(self, readings: MomentReadings) -> None:
        cell = self._cell(readings)
        images = self._chosen_images
        if (cell is None and self.lists.index == _CELL) or (not images and self.lists.index == _CHOSEN):
            self.lists.choose(_CONFIDENT)
        is_all = self.lists.index in (_CONFIDENT, _UNSURE)
        if self.lists.index == _CHOSEN:
            answer = readings.ask("mistakes", rows=images)
        else:
            answer = readings.ask("mistakes") if is_all else readings.ask("mistakes", cell=cell)
        self._show_chips(readings, cell)
        reading = self.require(MistakesReading, answer, readings)
        if reading is None:
            return
        self._reading = reading
        is_unsure = self.lists.index == _UNSURE
        nearest = self._ask_nearest(readings, reading, answer.epoch)
        if (reading, self.lists.index, nearest) != self._shown:
            self._shown, self._nearest = (reading, self.lists.index, nearest), nearest
            self.list.show_rows(_rows(reading, nearest, unsure=is_unsure))
        if self.selection.images:
            self.list.choose(self.selection.images)
        note = self.epoch_note(answer, readings)
        counted = format_count(reading.mistake_count)
        sentence = (
            f"{counted} of {pluralize(reading.total, 'image')}"
            if is_all
            else pluralize(reading.mistake_count, "image")
        )
        listed = len(self.list.rows)
        if listed < (reading.total if self.lists.index == _UNSURE else reading.mistake_count):
            sentence += f", {listed} shown"
        if not self.list.rows:
            empty = {_CELL: "The cell has no images.", _CHOSEN: "None of the chosen images is in this run."}
            self.show_hint(empty.get(self.lists.index, "There are no misclassified images."))
            return
        self.show_content(" · ".join(filter(None, (note, sentence))), reading.summary())

    def _ask_nearest(
        self, readings: MomentReadings, reading: MistakesReading, epoch: int | None
    ) -> NearestReading | None:
        """The training images that are most similar to those of the list; not beside a training."""
        images = reading.unsure_images if self.lists.index == _UNSURE else reading.mistake_images
        if readings.moment.is_live or epoch is None or not len(images):
            self.list.show_awaited("")
            return None
        if self._asked is None or self._asked[:2] != (reading, self.lists.index):
            self._asked = reading, self.lists.index, OwnImages(images)
        answer = readings.ask_at(epoch, "nearest", own_images=self._asked[2])
        done = "" if answer.progress is None else f" {100 * answer.progress:.0f}%"
        self.list.show_awaited(f"Comparing…{done}" if answer.is_pending else "")
        found = answer.reading
        return found if isinstance(found, NearestReading) else None

    def _on_nearest_opened(self, found: object) -> None:
        assert isinstance(found, tuple)
        row, place = found
        if self._nearest is not None and row in self.list.rows:
            number = list(self.list.rows).index(row)
            self.source.training_images_wanted.emit(training_images(self._nearest, number, place))

    def _cell(self, readings: MomentReadings) -> tuple[int, int] | None:
        actual, predicted = self.selection.classes
        classes = readings.classes
        if actual is None or predicted is None or max(actual, predicted) >= len(classes):
            return None
        return actual, predicted

    @property
    def _chosen_images(self) -> tuple[int, ...]:
        """The images that make a list: several that were chosen elsewhere, or the one of that list."""
        images = self.selection.images
        return images if len(images) > 1 or self.lists.index == _CHOSEN else ()

    def _show_chips(self, readings: MomentReadings, cell: tuple[int, int] | None) -> None:
        count = len(self._chosen_images)
        self.lists.set_text(_CHOSEN, f"{format_count(count)} chosen", visible=count > 0)
        if cell is None:
            self.lists.set_text(_CELL, "Cell", visible=False)
            return
        names = (plain_line(readings.classes[each], _MAX_NAME) for each in cell)
        self.lists.set_text(_CELL, " → ".join(names))

    def _on_list_changed(self, _: object) -> None:
        self._is_visited = False
        self.refresh()

    def _on_row_chosen(self, row: object) -> None:
        assert isinstance(row, MistakeRow)
        if self.lists.index == _CHOSEN:
            # Choosing one of them would lose the others.
            return
        self.selection.choose_images((row.index,))

    def _on_left(self) -> None:
        """Escape: back to the view that led here, or to the first list, then nothing is chosen."""
        if self._is_visited:
            self._is_visited = False
            self.left.emit()
        elif self.lists.index != _CONFIDENT:
            self.lists.choose(_CONFIDENT)
            self.refresh()
        else:
            self.list.choose(())
            self.selection.choose_images(())

    def show_details(self) -> None:
        """Shows the chosen images, or those of the chosen cell; Escape then leads back at once."""
        self._is_visited = True
        cell = self._cell(self.source.readings())
        if len(self.selection.images) > 1 or (self.selection.images and cell is None):
            self.lists.choose(_CHOSEN)
        elif cell is not None:
            self.lists.choose(_CELL)
        self._show_chips(self.source.readings(), cell)
        self.refresh()
        self.list.setFocus(Qt.FocusReason.OtherFocusReason)

    def images_to_review(self) -> ImagesToReview | None:
        if not self._is_built or not self.list.rows or self.message:
            return None
        cell = self.lists.buttons[_CELL].text().replace("&&", "&")
        titles = ("Misclassified", "Least certain", cell, "Chosen images")
        return ImagesToReview(titles[self.lists.index], tuple(map(_to_review, self.list.rows)))

    def table(self) -> Table:
        rows: Table = [["image", "predicted", "score", "actual", "score of actual"]]
        if not self._is_built or self._reading is None:
            return []
        for row in self.list.rows:
            rows.append([row.index + 1, row.predicted, row.predicted_score, row.actual, row.actual_score])
        return rows


def _to_review(row: MistakeRow) -> ImageToReview:
    if row.predicted == row.actual:
        return ImageToReview(
            row.index, reason=f"Predicted as labeled ({format_percent(row.predicted_score)})."
        )
    score = format_percent(row.predicted_score)
    return ImageToReview(row.index, row.predicted, reason=f"Predicted: {row.predicted} ({score}).")


def _rows(reading: MistakesReading, nearest: NearestReading | None, *, unsure: bool) -> list[MistakeRow]:
    prefix = "unsure" if unsure else "mistake"
    entries = (
        getattr(reading, f"{prefix}_{field}")
        for field in ("index", "truth", "predicted", "probabilities", "images")
    )
    rows = [
        _row(reading.classes, int(index), int(truth), int(predicted), scores, image)
        for index, truth, predicted, scores, image in zip(*entries, strict=True)
    ]
    if nearest is None or len(nearest.rows) != len(rows):
        return rows
    return [_with_nearest(row, nearest, number) for number, row in enumerate(rows)]


def _with_nearest(row: MistakeRow, nearest: NearestReading, number: int) -> MistakeRow:
    names = [nearest.classes[label] for label in nearest.labels[number][:NEAREST]]
    pairs = tuple(zip(nearest.thumbnails[number][:NEAREST], names, strict=True))
    numbers = tuple(nearest.rows[number][:NEAREST].tolist())
    is_one = len(set(names)) == 1 and len(names) == NEAREST
    similar = f"all three: {names[0]}" if is_one else ", ".join(names)
    return replace(row, nearest=pairs, similar=similar, nearest_rows=numbers)


def _row(
    classes: tuple[str, ...], index: int, truth: int, predicted: int, scores: np.ndarray, image: np.ndarray
) -> MistakeRow:
    likeliest = [int(at) for at in np.argsort(-scores, kind="stable")[:3]]
    others = [at for at in likeliest if at not in (truth, predicted)]
    runner_up = others[0] if others else None
    return MistakeRow(
        index,
        image,
        classes[predicted],
        float(scores[predicted]),
        classes[truth],
        float(scores[truth]),
        classes[runner_up] if runner_up is not None else "",
        float(scores[runner_up]) if runner_up is not None else 0.0,
    )
