"""Robustness: how the accuracy falls when images are blurred, noisy, compressed, darker or rotated."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from cnnstudio.core.formatting import format_percent, pluralize
from cnnstudio.gui.compute.questions import Answer
from cnnstudio.gui.dashboard.view_foot import foot
from cnnstudio.gui.dashboard.views.base import Table, View
from cnnstudio.gui.dashboard.views.parts.strength_curves import StrengthCurve, StrengthCurves
from cnnstudio.gui.dashboard.views.readings import MomentReadings, MomentSource
from cnnstudio.gui.widgets.labels import ElidedLabel, Line
from cnnstudio.insight.corruptions import CORRUPTIONS, STRENGTHS
from cnnstudio.insight.instruments.robustness import MAX_IMAGES, RobustnessReading

_LEGEND = "Strength 0 is the images as they are; point at a curve for its values"
_COST = (
    f"Measuring robustness evaluates up to {MAX_IMAGES:,} validation images "
    f"{1 + len(CORRUPTIONS) * STRENGTHS} times. If the run validates on the test images, this counts as a "
    "look at the test set."
)

_Key = tuple[Path | None, int]
"""A run and an epoch."""


class RobustnessView(View):
    """A small plot for each way to make images worse.

    It measures when it is shown, but for a run that is training, which it would slow down: then, and after a
    cancel, a button starts it.
    """

    name = "viewRobustness"
    title = "Robustness"
    help = (
        "The network is evaluated on the same validation images again and again, each time a little more "
        "blurred, noisy, compressed, darker or rotated; if the run validates on the test images, this counts "
        "as a look at the test set. A curve that falls early is a weakness that images in use will meet. "
        "Augmentation of that kind during training makes a network more robust."
    )
    empty = (
        "Shows how the network copes with blurred, noisy or dark images, once a run has completed an epoch. "
        "If the run validates on the test images, this counts as a look at the test set."
    )
    order = 45

    def __init__(self, source: MomentSource, object_name: str = "") -> None:
        super().__init__(source, object_name)
        self._asked_for: _Key | None = None
        """What the user has asked for by the button."""
        self._cancelled: _Key | None = None
        self._key: _Key = (None, 0)
        self.button = QPushButton(self)
        self.button.setObjectName("robustnessButton")
        self.button.setProperty("role", "outlined")
        self.button.clicked.connect(self._on_button)
        self.button.hide()

    def build(self) -> QWidget:
        self._reading: RobustnessReading | None = None
        self.curves = StrengthCurves()
        self.curves.chosen.connect(self._on_chosen)
        self.details = ElidedLabel(_LEGEND, "help", "secondary")
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.curves, 1)
        column.addWidget(Line())
        column.addWidget(foot(self.details))
        return content

    def show_moment(self, readings: MomentReadings) -> None:
        self._show_button("")
        super().show_moment(readings)

    def draw(self, readings: MomentReadings) -> None:
        self._key = readings.moment.folder, readings.epoch
        is_wanted = self._key == self._asked_for or not readings.moment.is_live
        if not is_wanted or self._key == self._cancelled:
            self.show_hint(_COST)
            self._show_button("Measure robustness")
            return
        answer = readings.ask("robustness")
        reading = self.require(RobustnessReading, answer, readings)
        if reading is None:
            self._show_button("Cancel" if answer.is_pending else "")
            return
        if reading is not self._reading:
            self._reading = reading
            self.curves.show_curves(_curves(reading))
            self._on_chosen(self.curves.index)
        self.show_content(self._secondary(answer, readings, reading), reading.summary())

    def _secondary(self, answer: Answer, readings: MomentReadings, reading: RobustnessReading) -> str:
        images = pluralize(reading.images, "image")
        if reading.images < reading.total:
            images = f"{reading.images:,} of {pluralize(reading.total, 'image')}"
        clean = f"{format_percent(reading.clean)} as they are"
        return " · ".join(filter(None, (self.epoch_note(answer, readings), images, clean)))

    def _on_chosen(self, index: object) -> None:
        text = _LEGEND
        if self._reading is not None and isinstance(index, tuple):
            plot, strength = index
            text = _curves(self._reading)[plot].describe(strength)
        self.details.set_full_text(text)

    # The button

    def _on_button(self) -> None:
        is_cancel = self.button.text() == "Cancel"
        self._asked_for, self._cancelled = (None, self._key) if is_cancel else (self._key, None)
        self.refresh()
        if self.button.isVisible():
            self.button.setFocus()
        else:
            self.curves.setFocus()

    def _show_button(self, text: str) -> None:
        self.button.setVisible(bool(text))
        if text:
            self.button.setText(text)
            self.button.adjustSize()
            self._place_button()
            self.button.raise_()

    def _place_button(self) -> None:
        width = self.button.width()
        self.button.move((self.width() - width) // 2, self.below_message)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_button()

    def table(self) -> Table:
        if not self._is_built or self._reading is None:
            return []
        rows: Table = [["corruption", "strength", "amount", "accuracy"]]
        for curve, name in zip(_curves(self._reading), self._reading.corruptions, strict=True):
            for strength, accuracy in enumerate(curve.accuracy):
                rows.append([name, strength, curve.labels[strength], accuracy])
        return rows


def _curves(reading: RobustnessReading) -> tuple[StrengthCurve, ...]:
    known = {each.name: each for each in CORRUPTIONS}
    return tuple(
        StrengthCurve(
            title,
            (reading.clean, *map(float, reading.accuracy[index])),
            (
                "as they are",
                *(known[name].label(at + 1) if name in known else "" for at in range(STRENGTHS)),
            ),
        )
        for index, (name, title) in enumerate(zip(reading.corruptions, reading.titles, strict=True))
    )
