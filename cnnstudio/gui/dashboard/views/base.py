"""The contract of a view: what it is called, what it asks, and what it shows before it has an answer.

A view is one file of this package. It overrides `build`, `draw` and `table`; the catalog finds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QPixmap, QRegion, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from cnnstudio.core.errors import UserError
from cnnstudio.core.formatting import screen_reader_text
from cnnstudio.gui.compute.questions import Answer
from cnnstudio.gui.dashboard.heading import describe_moment
from cnnstudio.gui.dashboard.views.parts.veil import Veil
from cnnstudio.gui.dashboard.views.readings import MomentReadings, MomentSource
from cnnstudio.gui.runs.cursor import Selection
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.insight.instruments.nearest import NearestReading

PENDING_DELAY_MS = 150
"""How long the previous content stays as it is before it is faded: most answers come sooner."""

_BUTTON_GAP = 16
"""Pixels between a sentence and its button."""

Kind = TypeVar("Kind")

_MAX_SUMMARY = 400
"""Characters: summaries name classes, which come from anywhere."""

Table = list[list[str | int | float]]
"""Rows for a CSV file, the first with the names of the columns."""


@dataclass(frozen=True)
class ImageToReview:
    """An image of those that the run was validated on."""

    number: int
    """From 0."""
    suggested: str | None = None
    """The class that the model predicts, if it is another one than the label."""
    score: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class ImagesToReview:
    """What a view offers to the review queue."""

    title: str
    images: tuple[ImageToReview, ...]
    are_training: bool = False
    """Whether the numbers are those of the data set's training images, not of the evaluated ones."""


def training_images(nearest: NearestReading, row: int, first: int) -> ImagesToReview:
    """The training images that are most similar to one image, beginning with the one that was chosen."""
    places = range(nearest.rows.shape[1])
    order = [first, *(place for place in places if place != first)]
    images = tuple(
        ImageToReview(
            int(nearest.rows[row, place]),
            reason=f"{100 * nearest.similarities[row, place]:.0f}% similar to the image that was looked at.",
        )
        for place in order
    )
    return ImagesToReview("Nearest training images", images, are_training=True)


class View(QWidget):
    """One view, hidden or shown by its panel. Its content is built when it is first shown.

    A hidden view asks for nothing. A visible one draws the answers that are there; while one is awaited its
    previous content stays, and where there is none a sentence stands in its place, as large as it.
    """

    name: ClassVar[str]
    """The object name, part of the contract with automated use."""
    title: ClassVar[str]
    help: ClassVar[str]
    """What it shows, in three sentences for a newcomer."""
    empty: ClassVar[str]
    """What there will be to see once a run exists, one sentence."""
    order: ClassVar[int]
    """Its place in the menu of views."""
    home: ClassVar[str] = "explore"
    """The page whose copy of the view has the object name."""
    is_eager: ClassVar[bool] = False
    """Whether its content exists from the start, because it has a name of the contract too."""

    secondary_changed = Signal()
    """The sentence beside the title has changed."""
    details_wanted = Signal(object)
    """The object name of the view that shows more of what was chosen: see `show_details`."""
    built = Signal()
    """The content was created."""
    left = Signal()
    """Escape was pressed, and there is nothing more to leave within the view."""
    pin_changed = Signal()
    """It stays at another epoch now, or follows the timeline again."""

    def __init__(self, source: MomentSource, object_name: str = "") -> None:
        super().__init__()
        self.setObjectName(object_name or self.name)
        self.setAccessibleName(self.title)
        self.source = source
        self.secondary = ""
        """A short sentence about what is shown, beside the title."""
        self._is_built = False
        self._has_content = False
        """Whether something was drawn for the run on show."""
        self._run: object = None
        self._pin: tuple[object, int] | None = None
        """The run and the epoch at which it stays."""
        self._summary = self.empty
        self._fade = QTimer(self)
        self._fade.setSingleShot(True)
        self._fade.setInterval(PENDING_DELAY_MS)
        self._fade.timeout.connect(self._on_fade)
        self._pending_text = ""
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._veil = Veil(self)
        source.changed.connect(self.refresh)
        if self.is_eager:
            self._ensure_content()

    @property
    def is_built(self) -> bool:
        """Whether its content exists."""
        return self._is_built

    # To be overridden

    def build(self) -> QWidget:
        """Creates the content, once. What it shows must not depend on a reading."""
        raise NotImplementedError

    def draw(self, readings: MomentReadings) -> None:
        """Asks, and draws what is there; see `require`. Must not wait for anything.

        Whatever it raises as UserError or ValueError, such as for arrays that do not fit each other, is shown
        as the reason why there is nothing to see.
        """
        raise NotImplementedError

    def table(self) -> Table:
        """The numbers that are shown, for a CSV file; empty if there are none."""
        return []

    def images_to_review(self) -> ImagesToReview | None:
        """The images that it shows, if their labels may be worth a look; None if there are none."""
        return None

    @property
    def is_zoomed(self) -> bool:
        """Whether `reset_zoom` would change anything."""
        return False

    def reset_zoom(self) -> None:
        """Shows the whole again."""

    def show_details(self) -> None:
        """Shows what is chosen, with the focus: another view led here."""
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    def close_run(self) -> None:
        """Ends what the view does in the background by itself."""

    # For subclasses

    @property
    def selection(self) -> Selection:
        """What is chosen, shared by all views."""
        return self.source.selection

    def require(self, kind: type[Kind], answer: Answer, readings: MomentReadings) -> Kind | None:
        """The reading of an answer. If there is none, shows why, or that it is awaited, and returns None."""
        if isinstance(answer.reading, kind):
            return answer.reading
        if answer.reading is not None:
            self.show_problem("What was recorded is of another kind than this view shows.")
        elif answer.problem:
            self.show_problem(answer.problem)
        else:
            self._await(readings.epoch, answer.progress)
        return None

    def show_content(self, secondary: str, summary: str) -> None:
        """Shows the content after it was drawn; `summary` says in a sentence what is to be seen."""
        self._fade.stop()
        self._has_content = True
        self._veil.hide()
        self._describe(secondary, summary)

    def show_problem(self, problem: str) -> None:
        """Shows a sentence instead of the content, because there is nothing to draw."""
        self._fade.stop()
        self._veil.show_text(problem, tone="wrong")
        self._describe("", problem)

    def show_hint(self, hint: str) -> None:
        """Shows a sentence instead of the content, because there is nothing to see yet."""
        self._fade.stop()
        self._veil.show_text(hint)
        self._describe("", hint)

    def epoch_note(self, answer: Answer, readings: MomentReadings) -> str:
        """`epoch 3` where that has to be said: not the end of the run, or not the epoch that is looked at.

        `epoch 3 of Lesson CNN, 14:02` for another run than the one that was trained here last.
        """
        return describe_moment(readings.moment, answer.epoch)

    # Pinned to an epoch

    @property
    def pinned_epoch(self) -> int | None:
        """The epoch that it shows wherever the timeline goes; None if it follows that."""
        return self._pin[1] if self._pin is not None else None

    def pin(self, epoch: int | None) -> None:
        """Stays at an epoch of the run on show until another run is; None follows the timeline again."""
        self._set_pin(None if epoch is None else (_run_of(self.source.readings()), epoch))
        self.refresh()

    @property
    def pinned_run(self) -> Path | None:
        """The folder of the run of whose epochs it shows one; None if it follows the timeline."""
        run = self._pin[0] if self._pin is not None else None
        return run if isinstance(run, Path) else None

    def restore_pin(self, run: Path, epoch: int) -> None:
        """Stays at an epoch of the run in that folder, which will be on show."""
        self._set_pin((run, epoch))

    def _set_pin(self, pin: tuple[object, int] | None) -> None:
        self._pin = pin
        self.on_pinned(None if pin is None else pin[1])
        self.pin_changed.emit()

    def on_pinned(self, epoch: int | None) -> None:
        """For a view with content that follows the timeline by itself."""

    # For the panel

    def summary(self) -> str:
        """What is to be seen, one sentence for those who do not see it."""
        return self._summary

    @property
    def message(self) -> str:
        """The sentence that is shown instead of the content or over it; empty while there is none."""
        return self._veil.text

    @property
    def below_message(self) -> int:
        """Where a button that belongs to the sentence begins, from the upper edge of the view."""
        return self._veil.text_bottom + _BUTTON_GAP

    def to_pixmap(self) -> QPixmap:
        """The view as an image, on the color of its panel."""
        ratio = self.devicePixelRatioF()
        pixmap = QPixmap(self.size() * ratio)
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(theme().color("panel"))
        self.render(pixmap, QPoint(), QRegion(), QWidget.RenderFlag.DrawChildren)
        return pixmap

    def refresh(self) -> None:
        """Draws the present moment, if anybody sees it."""
        if self.isVisible() and not self.window().isMinimized():
            readings = self.source.readings()
            if self._pin is not None and not readings.is_empty and self._pin[0] != _run_of(readings):
                self._set_pin(None)
            self.show_moment(self.source.readings(self.pinned_epoch))

    def show_moment(self, readings: MomentReadings) -> None:
        """Draws a moment as far as its answers are there, and says what is awaited. Never blocks."""
        self._ensure_content()
        run = _run_of(readings)
        if run != self._run:
            self._run, self._has_content = run, False
        if readings.is_empty:
            self.show_hint(self.empty)
        else:
            try:
                self.draw(readings)
            except (UserError, ValueError) as error:
                self.show_problem(f"This cannot be shown: {error}")
        self.source.remember(self, readings.asked)

    def _ensure_content(self) -> None:
        if not self._is_built:
            self._is_built = True
            self._column.addWidget(self.build())
            self._veil.raise_()
            self.built.emit()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._fade.stop()
        self.source.forget(self)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._veil.setGeometry(self.rect())

    # Waiting

    def _await(self, epoch: int, progress: float | None) -> None:
        share = "" if progress is None else f" {100 * progress:.0f}%"
        text = f"Epoch {epoch}…{share}"
        self._pending_text = text
        if not self._has_content:
            self._veil.show_text(text)
            self._describe("", text)
        elif self._veil.isVisible() and self._veil.is_translucent:
            self._veil.show_text(text, translucent=True)
        elif not self._fade.isActive():
            self._fade.start()

    def _on_fade(self) -> None:
        self._veil.show_text(self._pending_text, translucent=True)

    def _describe(self, secondary: str, summary: str) -> None:
        self._summary = plain_line(summary, _MAX_SUMMARY)
        self.setAccessibleDescription(screen_reader_text(self._summary))
        if self._pin is not None:
            secondary = " · ".join(filter(None, ("pinned", secondary or f"epoch {self._pin[1]}")))
        if secondary != self.secondary:
            self.secondary = secondary
            self.secondary_changed.emit()


def _run_of(readings: MomentReadings) -> object:
    """What is the same as long as the same run is on show."""
    # Not the folder of the moment: epochs of a run that it has continued are in another one.
    return readings.moment.record.folder or readings.moment.record


def copy_image(view: View) -> None:
    """Puts the view as an image on the clipboard."""
    QApplication.clipboard().setPixmap(view.to_pixmap())
