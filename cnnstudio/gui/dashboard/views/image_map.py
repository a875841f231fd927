"""Embedding: images as points, near each other where the network finds them similar."""

from __future__ import annotations

from typing import cast

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from cnnstudio.core.formatting import format_percent, pluralize
from cnnstudio.gui.dashboard.menu_choice import MenuChoice
from cnnstudio.gui.dashboard.view_foot import foot
from cnnstudio.gui.dashboard.views.base import ImagesToReview, ImageToReview, Table, View
from cnnstudio.gui.dashboard.views.parts.image_map.gestures import Tool
from cnnstudio.gui.dashboard.views.parts.image_map.groups import GROUPINGS
from cnnstudio.gui.dashboard.views.parts.image_map.legend import GroupLegend
from cnnstudio.gui.dashboard.views.parts.image_map.widget import ImageMap
from cnnstudio.gui.dashboard.views.readings import MomentReadings
from cnnstudio.gui.theme.sizes import NO_LIMIT
from cnnstudio.gui.widgets.labels import ElidedLabel, Line
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.gui.widgets.segments import Choice
from cnnstudio.insight.instruments.embedding import EmbeddingReading
from cnnstudio.runs.epochs.inspection import power_of_two_up_to

_MARGIN = 16
_LEGEND_WIDTH, _LEGEND_HEIGHT = 148, 120
"""Of the legend beside the map, and below it; Qt's value for no limit."""
_TALL = 1.15
"""A view that is higher than so many times its width has its legend below the map."""
_MAX_NAME = 40
_TOOLS: tuple[tuple[Tool, str], ...] = (("lasso", "Lasso"), ("rectangle", "Rectangle"), ("move", "Move"))
_HINTS = {
    "lasso": "Draw around images to choose them",
    "rectangle": "Drag a rectangle over images to choose them",
    "move": "Drag to move the map; the wheel zooms",
}
_MORE = " · Shift adds, Ctrl removes"


class ImageMapView(View):
    """The map with its legend; what is chosen in it is chosen in all views."""

    name = "viewImageMap"
    title = "Embedding"
    help = (
        "Each point is an image, placed by what the network makes of it before its last layer: images that "
        "the network finds similar are near each other, in the two directions in which all differ most. "
        "Well-separated groups are easy for the network, and a point within another class's group is often a "
        "mistake or a wrong label. Draw around points to choose images in all views, and move along the "
        "timeline to watch the groups form."
    )
    empty = "Shows which images the network finds similar, once a run has completed an epoch."
    order = 32

    def build(self) -> QWidget:
        self._reading: EmbeddingReading | None = None
        self._run_shown: object = None
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._build_controls())
        column.addLayout(self._build_middle(), 1)
        column.addWidget(Line())
        self.details = ElidedLabel("", "help", "secondary")
        column.addWidget(foot(self.details))
        return content

    def _build_controls(self) -> QHBoxLayout:
        titles = {key: title for key, (title, _) in GROUPINGS.items()}
        self.color = MenuChoice("mapColor", "Color", titles, "What the colors of the points say")
        self.color.changed.connect(self._on_color_changed)
        self.tools = Choice("Mouse", [title for _, title in _TOOLS])
        self.tools.changed.connect(self._on_tool_changed)
        self.reset = QPushButton("Reset zoom")
        self.reset.setObjectName("resetMapZoom")
        self.reset.setProperty("role", "small")
        self.reset.setAccessibleName("Reset the zoom of the map")
        self.reset.setToolTip("Show the whole map again (0)")
        self.reset.setEnabled(False)
        self.reset.clicked.connect(self.reset_zoom)
        row = QHBoxLayout()
        row.setContentsMargins(_MARGIN, 0, _MARGIN, 8)
        row.setSpacing(8)
        row.addWidget(self.tools)
        row.addWidget(self.color)
        row.addStretch(1)
        row.addWidget(self.reset)
        return row

    def _build_middle(self) -> QBoxLayout:
        self.map = ImageMap()
        self.map.chosen.connect(self._on_chosen)
        self.map.current_changed.connect(self._show_details)
        self.map.entered.connect(self._on_entered)
        self.map.left.connect(self.left)
        self.map.zoom_changed.connect(lambda: self.reset.setEnabled(self.map.zoom > 1))
        self.legend = GroupLegend()
        self.legend.changed.connect(self._on_hidden_changed)
        self.show_all = QPushButton("Show all")
        self.show_all.setObjectName("showAllGroups")
        self.show_all.setProperty("role", "small")
        self.show_all.setAccessibleName("Show all groups")
        self.show_all.setToolTip("Show the groups that are hidden")
        self.show_all.setEnabled(False)
        self.show_all.clicked.connect(self.legend.show_all)
        self._beside = QWidget()
        self._side = QBoxLayout(QBoxLayout.Direction.TopToBottom, self._beside)
        self._side.setContentsMargins(0, 0, 0, 0)
        self._side.setSpacing(8)
        self._side.addWidget(self.legend, 1)
        self._side.addWidget(self.show_all, 0, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom)
        self._middle = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._middle.setContentsMargins(_MARGIN, 0, _MARGIN, 8)
        self._middle.setSpacing(8)
        self._middle.addWidget(self.map, 1)
        self._middle.addWidget(self._beside)
        self._place_legend()
        return self._middle

    def _place_legend(self) -> None:
        """Where the longer side of the view is: what is left for the map is nearest to a square there."""
        is_below = self.height() > _TALL * self.width()
        directions = QBoxLayout.Direction.LeftToRight, QBoxLayout.Direction.TopToBottom
        self._middle.setDirection(directions[is_below])
        self._side.setDirection(directions[not is_below])
        self.legend.show_in_columns(is_below)
        self._beside.setMinimumSize(0, _LEGEND_HEIGHT if is_below else 0)
        self._beside.setMaximumSize(*((NO_LIMIT, _LEGEND_HEIGHT) if is_below else (_LEGEND_WIDTH, NO_LIMIT)))
        if not is_below:
            self._beside.setMinimumWidth(_LEGEND_WIDTH)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._is_built:
            self._place_legend()

    # Drawing

    def draw(self, readings: MomentReadings) -> None:
        # Named, so that no answers are mixed that were brought into line with different epochs of a live run.
        since = power_of_two_up_to(readings.moment.record.last_epoch)
        answer = readings.ask("embedding", since=since)
        reading = self.require(EmbeddingReading, answer, readings)
        if reading is None:
            return
        if not len(reading.index):
            self.show_hint("The run was evaluated on no images.")
            return
        run = readings.moment.folder or readings.moment.record
        if run != self._run_shown:
            self._run_shown = run
            self.map.forget()
        if reading is not self._reading:
            self._reading = reading
            self.map.show_points(reading.index, reading.points, reading.thumbnails, self._describe_image)
            self._show_groups()
        self.map.choose(np.isin(reading.index, self.selection.images))
        self._show_details()
        images = pluralize(len(reading.index), "image")
        if len(reading.index) < reading.total:
            images = f"{len(reading.index):,} of {pluralize(reading.total, 'image')}"
        shown = f"{format_percent(reading.explained.sum())} of the variance"
        note = self.epoch_note(answer, readings)
        self.show_content(" · ".join(filter(None, (note, images, shown))), reading.summary())

    def _show_groups(self) -> None:
        assert self._reading is not None
        groups = GROUPINGS[self.color.value][1](self._reading)
        self.legend.show_groups(groups)
        self.show_all.setEnabled(bool(self.legend.hidden))
        self.map.show_groups(groups, self.legend.hidden)

    def _describe_image(self, row: int) -> tuple[str, ...]:
        reading = self._reading
        assert reading is not None
        actual, predicted = (
            plain_line(reading.classes[int(label)], _MAX_NAME)
            for label in (reading.truth[row], reading.predicted[row])
        )
        score = format_percent(float(reading.confidence[row]))
        return f"Image {int(reading.index[row]) + 1:,}", f"actual: {actual}", f"predicted: {predicted}", score

    def _show_details(self, row: object = -1) -> None:
        reading = self._reading
        if reading is None:
            return
        if isinstance(row, int) and row >= 0:
            number, actual, predicted, score = self._describe_image(row)
            text = f"{number}: {actual}, {predicted} ({score})"
        elif chosen := self.map.chosen_rows:
            wrong = int(reading.is_wrong[list(chosen)].sum())
            text = f"{pluralize(len(chosen), 'image')} chosen, {wrong:,} misclassified · Enter shows them"
        else:
            text = _HINTS[self.map.tool] + (_MORE if self.map.tool != "move" else "")
        self.details.set_full_text(text)

    # Controls

    def _on_color_changed(self, _: object) -> None:
        if self._reading is not None:
            self._show_groups()

    def _on_hidden_changed(self, _: object) -> None:
        self._on_color_changed(None)

    def _on_tool_changed(self, index: object) -> None:
        self.map.tool = _TOOLS[cast("int", index)][0]
        self._show_details()

    def _on_chosen(self, rows: object) -> None:
        if self._reading is not None and isinstance(rows, tuple):
            self.selection.choose_images(self._reading.index[list(rows)].tolist())
            self._show_details(self.map.current)

    def _on_entered(self) -> None:
        """Lists the chosen images, and not those of a cell that was chosen before."""
        self.selection.choose_classes(None)
        self.details_wanted.emit("viewMistakes")

    # For the panel

    def show_details(self) -> None:
        if self._is_built:
            self.map.setFocus(Qt.FocusReason.OtherFocusReason)

    @property
    def is_zoomed(self) -> bool:
        return self._is_built and self.map.zoom > 1

    def reset_zoom(self) -> None:
        self.map.reset_zoom()

    def images_to_review(self) -> ImagesToReview | None:
        reading = self._reading if self._is_built and not self.message else None
        rows = self.map.chosen_rows if reading is not None else ()
        if reading is None or not rows:
            return None
        return ImagesToReview("Chosen in the embedding", tuple(_to_review(reading, row) for row in rows))

    def table(self) -> Table:
        reading = self._reading if self._is_built else None
        if reading is None:
            return []
        rows: Table = [["image", "actual", "predicted", "score", "x", "y", "chosen"]]
        chosen = set(self.map.chosen_rows)
        for row, number in enumerate(reading.index.tolist()):
            actual = reading.classes[int(reading.truth[row])]
            predicted = reading.classes[int(reading.predicted[row])]
            x, y = (float(each) for each in reading.points[row])
            score = float(reading.confidence[row])
            rows.append([number + 1, actual, predicted, score, x, y, int(row in chosen)])
        return rows


def _to_review(reading: EmbeddingReading, row: int) -> ImageToReview:
    number, score = int(reading.index[row]), format_percent(float(reading.confidence[row]))
    predicted = reading.classes[int(reading.predicted[row])]
    if not reading.is_wrong[row]:
        return ImageToReview(number, reason=f"Predicted as labeled ({score}).")
    return ImageToReview(number, predicted, reason=f"Predicted: {predicted} ({score}).")
