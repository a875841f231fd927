"""The confusion matrix: which classes the model takes for which, and the images of a cell."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QHBoxLayout,
    QListWidgetItem,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.core.formatting import format_percent, pluralize
from cnnstudio.gui.dashboard.menu_choice import MenuChoice
from cnnstudio.gui.dashboard.views.base import ImagesToReview, ImageToReview, Table, View
from cnnstudio.gui.dashboard.views.parts.class_table import ClassTable
from cnnstudio.gui.dashboard.views.parts.confusion_list import ConfusionLine, ConfusionList
from cnnstudio.gui.dashboard.views.parts.image_grid import INDENT, ImageGrid
from cnnstudio.gui.dashboard.views.parts.matrix.content import Cell, MatrixContent
from cnnstudio.gui.dashboard.views.parts.matrix.layout import MAX_LABELED
from cnnstudio.gui.dashboard.views.parts.matrix.widget import Matrix
from cnnstudio.gui.dashboard.views.readings import MomentReadings
from cnnstudio.gui.theme.sizes import NO_LIMIT
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Line, PartsLabel
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.gui.widgets.segments import Choice
from cnnstudio.insight.instruments.confusion import ConfusionReading
from cnnstudio.insight.instruments.mistakes import MistakesReading

_COUNTS, _SHARES, _PER_CLASS = range(3)
_MAX_NAME = 40
_TOP = 20
_LONG_LIST = 100
_MARGIN = 16
_LIST_WIDTHS, _LIST_SHARE = (200, 340), 0.36
"""Of the list beside the matrix of many classes, at least and at most, and its share of the width."""
_LIST_HEIGHT = 160
"""Of the list below the matrix, at least."""


class ConfusionView(View):
    """Matrix or scores per class above, the top confusions or the images of the chosen cell below."""

    name = "viewConfusion"
    title = "Confusion matrix"
    help = (
        "Each row holds the images of one class, each column what the model predicted for them. "
        "Correct predictions are on the green diagonal; an orange cell counts the images of one class that "
        "were taken for another. Click a cell to see its images."
    )
    empty = "Shows which classes are taken for which, once a run has completed an epoch."
    order = 20

    def build(self) -> QWidget:
        self._reading: ConfusionReading | None = None
        self._cell_images: MistakesReading | None = None
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 8)
        column.setSpacing(8)
        controls, self._middle, foot = self._build_controls(), self._build_middle(), self._build_foot()
        column.addLayout(controls)
        column.addLayout(self._middle, 1)
        column.addWidget(Line())
        column.addLayout(foot)
        self._around_middle = controls, foot
        self._fit_list()
        return content

    def _build_controls(self) -> QHBoxLayout:
        self.mode = Choice("Numbers", ("Counts", "Row %", "Per class"))
        self.mode.setObjectName("confusionNumbers")
        self.mode.changed.connect(self._on_mode_changed)
        self.order_button = MenuChoice(
            "confusionOrder", "Order", {"class": "class", "recall": "lowest recall"}
        )
        self.order_button.changed.connect(self._on_order_changed)
        self._axes = PartsLabel("rows: actual · columns: predicted", "help", "secondary")
        self._axes.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row = QHBoxLayout()
        row.setContentsMargins(_MARGIN, 0, _MARGIN, 0)
        row.setSpacing(8)
        row.addWidget(self.mode)
        row.addWidget(self.order_button)
        row.addWidget(self._axes, 1)
        return row

    def _build_middle(self) -> QBoxLayout:
        self.matrix = Matrix()
        self.matrix.chosen.connect(self._on_cell_chosen)
        self.matrix.entered.connect(self._on_entered)
        self.class_table = ClassTable()
        self.class_table.chosen.connect(self._on_class_chosen)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.matrix)
        self._stack.addWidget(self.class_table)
        # What the matrix has no use for is for what stands below it.
        self.matrix.largest_height_changed.connect(self._stack.setMaximumHeight)
        self.long_list = ConfusionList("confusionLongList")
        self.long_list.hide()
        row = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        row.setContentsMargins(_MARGIN, 0, _MARGIN, 0)
        row.setSpacing(16)
        row.addWidget(self.long_list)
        row.addWidget(self._stack, 1)
        self.long_list.itemActivated.connect(self._on_line_activated)
        self.long_list.itemClicked.connect(self._on_line_activated)
        return row

    def _build_foot(self) -> QVBoxLayout:
        self._foot_title = Label("Top confusions", "strong")
        self._foot_details = ElidedLabel("", "help", "secondary")
        head = QHBoxLayout()
        head.setContentsMargins(INDENT, 0, 0, 0)
        head.setSpacing(8)
        head.addWidget(self._foot_title)
        head.addWidget(self._foot_details, 1)
        self.top_list = ConfusionList("topConfusions")
        self.top_list.itemActivated.connect(self._on_line_activated)
        self.top_list.itemClicked.connect(self._on_line_activated)
        self.images = ImageGrid("Images of the chosen cell")
        self.images.chosen.connect(self._on_image_chosen)
        self.images.activated.connect(self._on_image_activated)
        self.images.left.connect(self.matrix.setFocus)
        self._foot = QStackedWidget()
        self._foot.setMinimumHeight(self.images.sizeHint().height())
        self._foot.addWidget(self.top_list)
        self._foot.addWidget(self.images)
        foot = QVBoxLayout()
        foot.setContentsMargins(_MARGIN - INDENT, 0, _MARGIN, 0)
        foot.setSpacing(4)
        foot.addLayout(head)
        foot.addWidget(self._foot)
        return foot

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._is_built:
            self._fit_list()

    def _fit_list(self) -> None:
        """Beside the matrix or below it: where the matrix, which is a square, gets larger."""
        least, most = _LIST_WIDTHS
        beside = min(max(round(_LIST_SHARE * self.width()), least), most)
        room = self.height() - sum(each.sizeHint().height() for each in self._around_middle)
        is_below = room - _LIST_HEIGHT > self.width() - beside
        directions = QBoxLayout.Direction.LeftToRight, QBoxLayout.Direction.BottomToTop
        self._middle.setDirection(directions[is_below])
        # What the square has no use for is for the list.
        least_matrix = min(self.width(), room - _LIST_HEIGHT)
        self._middle.setStretch(0, max(room - least_matrix, 1) if is_below else 0)
        self._middle.setStretch(1, max(least_matrix, 1))
        self.long_list.setMinimumWidth(0 if is_below else beside)
        self.long_list.setMaximumWidth(NO_LIMIT if is_below else beside)

    # Drawing

    def draw(self, readings: MomentReadings) -> None:
        answer = readings.ask("confusion")
        reading = self.require(ConfusionReading, answer, readings)
        if reading is None:
            return
        if not reading.total:
            self.show_hint("The run was evaluated on no images.")
            return
        if reading is not self._reading:
            self._reading = reading
            self._show_reading(reading)
        cell = self._chosen_cell(reading)
        self.matrix.choose(cell)
        self._draw_foot(reading, cell, readings)
        note = self.epoch_note(answer, readings)
        sentence = f"{pluralize(reading.total, 'image')} · {format_percent(reading.accuracy)} correct"
        self.show_content(" · ".join(filter(None, (note, sentence))), reading.summary())

    def _show_reading(self, reading: ConfusionReading) -> None:
        content = MatrixContent(reading.counts, reading.classes, reading.recall, reading.precision)
        self.matrix.show_content(content, self._class_order(reading))
        scores = np.stack([reading.precision, reading.recall, reading.f1, reading.support], axis=1)
        self.class_table.show_scores(reading.classes, scores)
        is_large = len(reading.classes) > MAX_LABELED
        self.long_list.setVisible(is_large)
        (self.long_list if is_large else self.top_list).show_lines(
            _lines(reading, _LONG_LIST if is_large else _TOP)
        )
        if is_large:
            self.top_list.clear()

    def _class_order(self, reading: ConfusionReading) -> tuple[int, ...]:
        if self.order_button.value == "class":
            return tuple(range(len(reading.classes)))
        # NaN, a class without images, is the last.
        return tuple(int(each) for each in np.argsort(reading.recall, kind="stable"))

    def _chosen_cell(self, reading: ConfusionReading) -> Cell | None:
        actual, predicted = self.selection.classes
        if actual is None or predicted is None or max(actual, predicted) >= len(reading.classes):
            return None
        return actual, predicted

    def _draw_foot(self, reading: ConfusionReading, cell: Cell | None, readings: MomentReadings) -> None:
        if cell is None:
            is_large = len(reading.classes) > MAX_LABELED
            self._foot.setCurrentWidget(self.top_list)
            self._foot_title.setText("No cell chosen" if is_large else "Top confusions")
            hint = "Click a cell of the matrix or a line of the list to see its images"
            self._foot_details.set_full_text(hint if is_large or reading.accuracy < 1 else "No mistakes")
            return
        actual, predicted = (plain_line(reading.classes[each], _MAX_NAME) for each in cell)
        count, support = int(reading.counts[cell]), int(reading.support[cell[0]])
        self._foot.setCurrentWidget(self.images)
        self._foot_title.setText(f"Actual {actual}, predicted {predicted}")
        share = f" · {format_percent(count / support)} of all {actual} images" if support else ""
        details = f"{pluralize(count, 'image')}{share}"
        answer = readings.ask("mistakes", cell=cell) if count else None
        found = answer.reading if answer is not None else None
        if isinstance(found, MistakesReading):
            self._show_cell_images(found)
        else:
            self._cell_images = None
            self.images.show_images(np.empty((0, 1, 1, 1), np.uint8), ())
            if answer is not None:
                details = answer.problem or f"{details} · loading the images…"
        if self.images.shown < self.images.count:
            details += f", the {self.images.shown} predicted most confidently shown"
        self._foot_details.set_full_text(details)

    def _show_cell_images(self, found: MistakesReading) -> None:
        if found is not self._cell_images:
            self._cell_images = found
            captions = [
                f"Image {int(index) + 1}: predicted as {found.classes[int(taken)]} "
                f"({format_percent(float(scores[int(taken)]))})"
                for index, taken, scores in zip(
                    found.mistake_index, found.mistake_predicted, found.mistake_probabilities, strict=True
                )
            ]
            self.images.show_images(found.mistake_images, captions)
        chosen = [at for at, index in enumerate(found.mistake_index) if int(index) in self.selection.images]
        self.images.choose(chosen[0] if chosen else -1)

    # Controls

    def _on_mode_changed(self, mode: object) -> None:
        self._stack.setCurrentIndex(1 if mode == _PER_CLASS else 0)
        self.matrix.set_as_shares(mode == _SHARES)
        self.order_button.setVisible(mode != _PER_CLASS)
        self._axes.set_full_text("" if mode == _PER_CLASS else "rows: actual · columns: predicted")

    def _on_order_changed(self, _: object) -> None:
        if self._reading is not None:
            self._show_reading(self._reading)

    def _on_cell_chosen(self, cell: object) -> None:
        actual, predicted = cell if isinstance(cell, tuple) else (None, None)
        self.selection.choose_images(())
        self.selection.choose_classes(actual, predicted)

    def _on_entered(self) -> None:
        if self.images.count:
            self.images.choose(max(self.images.index, 0))
            self.images.setFocus()
            self._on_image_chosen(self.images.index)

    def _on_line_activated(self, item: QListWidgetItem) -> None:
        self._on_cell_chosen(item.data(Qt.ItemDataRole.UserRole))

    def _on_class_chosen(self, index: object) -> None:
        """Chooses what the class is taken for most often."""
        if self._reading is not None and isinstance(index, int):
            row = self._reading.counts[index].copy()
            row[index] = 0
            self._on_cell_chosen((index, int(row.argmax()) if row.any() else index))

    def _on_image_chosen(self, index: object) -> None:
        if self._cell_images is not None and isinstance(index, int):
            self.selection.choose_images((int(self._cell_images.mistake_index[index]),))

    def _on_image_activated(self, index: object) -> None:
        self._on_image_chosen(index)
        self.details_wanted.emit("viewMistakes")

    def show_details(self) -> None:
        (self.images if self._chosen_cell_has_images else self.matrix).setFocus()

    @property
    def _chosen_cell_has_images(self) -> bool:
        return self._is_built and self._foot.currentWidget() is self.images and bool(self.images.count)

    # For the panel

    @property
    def is_zoomed(self) -> bool:
        return self._is_built and self.matrix.zoom > 1

    def reset_zoom(self) -> None:
        self.matrix.reset_zoom()

    def images_to_review(self) -> ImagesToReview | None:
        found = self._cell_images if self._is_built and not self.message else None
        if found is None or self._foot.currentWidget() is not self.images or not len(found.mistake_index):
            return None
        images = [
            ImageToReview(
                int(index),
                found.classes[taken] if taken != truth else None,
                reason=f"Predicted: {found.classes[taken]} ({format_percent(float(scores[taken]))}).",
            )
            for index, truth, taken, scores in zip(
                *(found.mistake_index, found.mistake_truth, found.mistake_predicted),
                found.mistake_probabilities,
                strict=True,
            )
        ]
        return ImagesToReview(self._foot_title.text(), tuple(images))

    def table(self) -> Table:
        reading = self._reading if self._is_built else None
        if reading is None:
            return []
        head: list[str | int | float] = ["actual \\ predicted", *reading.classes]
        rows: Table = [[*head, "precision", "recall", "F1", "images"]]
        for index, name in enumerate(reading.classes):
            scores = (reading.precision[index], reading.recall[index], reading.f1[index])
            rows.append(
                [
                    name,
                    *(int(count) for count in reading.counts[index]),
                    *("" if math.isnan(score) else float(score) for score in scores),
                    int(reading.support[index]),
                ]
            )
        return rows


def _lines(reading: ConfusionReading, limit: int) -> list[ConfusionLine]:
    """The most frequent mistakes."""
    classes, support = reading.classes, reading.support
    return [
        ConfusionLine((actual, predicted), classes[actual], classes[predicted], count, int(support[actual]))
        for actual, predicted, count in reading.top_confusions(limit)
    ]
