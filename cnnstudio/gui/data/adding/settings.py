"""The column beside the classes: how the images are read, split and resized, and what is skipped."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from cnnstudio.core.formatting import pluralize
from cnnstudio.data.dataset import ResizeMode
from cnnstudio.data.images.sizes import AUTOMATIC, Size, common_size
from cnnstudio.data.sources.adding import PreparedImages
from cnnstudio.data.sources.folder_layout import Question
from cnnstudio.data.versions.split_plan import SplitPlan
from cnnstudio.gui.data.adding.resize_choice import ResizeChoice
from cnnstudio.gui.data.adding.size_choice import SizeChoice
from cnnstudio.gui.data.adding.split_fields import SplitFields
from cnnstudio.gui.data.adding.understood import FileFacts, Understood, describe_plan
from cnnstudio.gui.data.layout_question import LayoutChoices
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.plain_text import plain_line

_WIDTH, _MIN_WIDTH = 296, 184
_MAX_SHOWN = 50
_CHANGES = "what you change here holds from now on."
_STAYS = "The images stay where they are."
_UNPACKED = "The images were unpacked into the folder of CNN Studio; the zip file stays as it is."


class AddingSettings(QScrollArea):
    """Shows what was understood so far, and asks what cannot be known."""

    reading_chosen = Signal(object)
    """The Reading of the folders that the user chose."""
    plan_changed = Signal(object)
    """The SplitPlan, or None while it is invalid."""
    size_changed = Signal()
    """Another size was chosen, or something was typed that is none."""

    def __init__(self) -> None:
        super().__init__()
        self._question_title = Label("", "strong", wrap=True)
        self._choices: LayoutChoices | None = None
        texts = ("Test images", "Image size", "Images of another shape")
        self._titles = tuple(Label(text, "strong", wrap=True) for text in texts)
        self.split, self._split_text = SplitFields(), Label("", "help", "secondary", wrap=True)
        self.split.changed.connect(self.plan_changed)
        self.image_size, self.resize_mode = SizeChoice(), ResizeChoice()
        self.image_size.changed.connect(self.size_changed)
        self._notes = Label("", "help", "secondary", wrap=True)
        self._skipped_title = Label("", "strong", wrap=True)
        self.skipped = Label("", "help", "secondary", wrap=True)
        self.skipped.setObjectName("understoodSkipped")
        inner = QWidget()
        self._column = QVBoxLayout(inner)
        self._column.setContentsMargins(0, 0, 8, 0)
        self._column.setSpacing(8)
        parts = (
            *(self._question_title, self._titles[0], self._split_text, self.split),
            *(self._titles[1], self.image_size, self._titles[2], self.resize_mode, self._notes),
            *(self._skipped_title, self.skipped),
        )
        for part in parts:
            self._column.addWidget(part)
        self._column.addStretch(1)
        self.setWidget(inner)
        self.setWidgetResizable(True)
        self.setFixedWidth(_WIDTH)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setAutoFillBackground(False)
        inner.setAutoFillBackground(False)

    def fit_into(self, width: int) -> None:
        """In a small window, names and counts of the classes need the room."""
        wanted = min(max(width * 2 // 5, _MIN_WIDTH), _WIDTH)
        if wanted != self.width():
            self.setFixedWidth(wanted)

    @property
    def is_valid(self) -> bool:
        """Whether images can be split and resized as the fields say."""
        return not self.split.problem.text() and self.image_size.chosen is not None

    def changed(self, prepared: PreparedImages) -> PreparedImages:
        """The images, resized as the fields say."""
        return prepared.changed(resize=self.resize_mode.mode, size=self.image_size.chosen)

    def show_chosen(self, plan: SplitPlan, size: Size, mode: ResizeMode) -> None:
        """Shows what was chosen before."""
        self.split.show_plan(plan)
        self.image_size.show_size(size)
        self.resize_mode.show_mode(mode)

    def clear(self) -> None:
        """Shows nothing, and has the usual settings."""
        self.show_chosen(SplitPlan(), AUTOMATIC, "fill")
        for label in (self._split_text, self._notes):
            label.setText("")
        fields = (self.split, self.image_size, self.resize_mode)
        for each in (*fields, self._question_title, *self._titles):
            each.hide()
        self.hide_skipped()
        if self._choices is not None:
            self._column.removeWidget(self._choices)
            self._choices.hide()
            self._choices.deleteLater()
            self._choices = None

    def show_understood(self, found: Understood, plan: SplitPlan) -> None:
        """Shows how the images are split as planned, and what becomes of them."""
        self.split.setVisible(not found.has_test)
        for each in (*self._titles, self.image_size, self.resize_mode):
            each.show()
        self.image_size.show_count(len(found.listing.files))
        self.split.show_problem(found.problem)
        self._split_text.setText(describe_plan(found, plan))
        where = _UNPACKED if found.prepared.unpacked is not None else _STAYS
        notes = [plain_line(note, 200) for note in found.notes]
        if found.known_name:
            notes.append(f"“{plain_line(found.known_name, 80)}” is in your list already: {_CHANGES}")
        self._notes.setText("\n".join((*notes, where)))

    def ask(self, question: Question) -> None:
        """Asks what the folders are."""
        self._question_title.setText(f"{question.text}. What are they?")
        self._question_title.show()
        self._choices = LayoutChoices(question, self.width() - 24)
        self._choices.changed.connect(self.reading_chosen)
        self._column.insertWidget(1, self._choices)
        self._choices.show()

    def show_facts(self, facts: FileFacts) -> None:
        """Says what the images cost, and names the first files that will be skipped."""
        count = facts.sizes.total()
        self.image_size.show_count(count, common_size(facts.sizes, count) if count else AUTOMATIC)
        self._skipped_title.setVisible(bool(facts.skipped))
        self.skipped.setVisible(bool(facts.skipped))
        self._skipped_title.setText(f"{pluralize(facts.skipped_count, 'file')} will be skipped")
        lines = [
            f"{plain_line(name, 80)}: {plain_line(why, 120)}" for name, why in facts.skipped[:_MAX_SHOWN]
        ]
        if facts.skipped_count > len(lines):
            lines.append(f"and {facts.skipped_count - len(lines):,} more")
        self.skipped.setText("\n".join(lines))

    def hide_skipped(self) -> None:
        self._skipped_title.hide()
        self.skipped.hide()
