"""The page between a drop and a data set: what the images were understood to be, before they are added."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QScrollArea, QVBoxLayout, QWidget

from cnnstudio.core.files import is_folder
from cnnstudio.core.formatting import pluralize
from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction, raise_if_cancelled
from cnnstudio.data.dataset import DataError
from cnnstudio.data.sources.adding import PreparedImages, prepare_images
from cnnstudio.data.sources.file_source import FileSource
from cnnstudio.data.sources.folder_layout import Reading
from cnnstudio.data.sources.folder_scan import scan
from cnnstudio.data.versions.split_plan import SplitPlan
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.data.adding.class_table import ClassTable
from cnnstudio.gui.data.adding.resize_choice import ResizeChoice
from cnnstudio.gui.data.adding.split_fields import SplitFields
from cnnstudio.gui.data.adding.understood import (
    FileFacts,
    Understood,
    describe_plan,
    look_into_files,
    understand,
)
from cnnstudio.gui.data.layout_question import LayoutChoices
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Line, Panel
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.gui.widgets.progress import ProgressLine

_SIDE = 16
_SETTINGS_WIDTH, _MIN_SETTINGS_WIDTH = 296, 184
_MAX_SHOWN = 50
_STAYS = "The images stay where they are."
_UNPACKED = "The images were unpacked into the folder of CNN Studio; the zip file stays as it is."


@dataclass(frozen=True)
class _Unlabeled:
    """A folder with images that is no data set, and why."""

    folder: Path
    reason: str


class AddImages(Panel):
    """Looks at one folder or file at a time. Two clicks, or a drop and Enter, lead from it to a data set."""

    added = Signal(object)
    """(name of the data set, whether the user wants to train on it)."""
    closed = Signal()
    """Nothing is added."""
    prediction_requested = Signal(object)
    """The folder of images without labels that are to be classified."""

    def __init__(self, *, can_predict: bool = False) -> None:
        """`can_predict`: whether somebody listens to `prediction_requested`."""
        super().__init__("addImagesPage")
        self._can_predict = can_predict
        self.setAccessibleName("Add images")
        self._path: Path | None = None
        self._reading: Reading | None = None
        self._plan = SplitPlan()
        self.found: Understood | None = None
        self._task: IoTask | None = None
        self._look: IoTask | None = None
        self._adds_next: bool | None = None
        """Whether to add, and with True to use, the images as soon as they are read in the chosen way."""
        self._create()
        self._compose()
        self.focus_target = self.add_and_use

    @property
    def is_adding(self) -> bool:
        """Whether images are unpacked or added, which another drop must not end."""
        return self._task is not None and self.progress.isVisible()

    def _create(self) -> None:
        self._title = Label("Add images", "title")
        self._where = ElidedLabel(role="help", tone="secondary")
        self.name = QLineEdit()
        self.name.setObjectName("dataSetName")
        self.name.setAccessibleName("Name of the data set")
        self.name.setMaxLength(200)
        self.summary = Label("", "strong", wrap=True)
        self.summary.setObjectName("understoodSummary")
        self.sizes = Label("", "help", "secondary", wrap=True)
        self.sizes.setObjectName("understoodSizes")
        self.message = Label("", "content", "wrong", wrap=True)
        self.message.setObjectName("addingMessage")
        self.table = ClassTable()
        self.split, self._split_text = SplitFields(), Label("", "help", "secondary", wrap=True)
        self.split.changed.connect(self._on_plan_changed)
        self.resize_mode = ResizeChoice()
        self._notes = Label("", "help", "secondary", wrap=True)
        self._skipped_title = Label("", "strong", wrap=True)
        self.skipped = Label("", "help", "secondary", wrap=True)
        self.skipped.setObjectName("understoodSkipped")
        self.progress = ProgressLine()
        self.progress.setObjectName("adding")
        self.progress.cancelled.connect(self.cancel)
        self.predict = QPushButton("Predict these images…")
        self.predict.setObjectName("predictImages")
        self.predict.setToolTip("Classify the images without labels with the run on show, and save a table")
        self.predict.clicked.connect(self._on_predict)
        self._unlabeled: Path | None = None
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setObjectName("cancelAdding")
        self.cancel_button.clicked.connect(self.cancel)
        self.add = QPushButton("Add")
        self.add.setObjectName("addDataSet")
        self.add.setToolTip("Add the data set; the one in use stays in use")
        self.add.clicked.connect(lambda: self._on_add(False))
        self.add_and_use = QPushButton("Add and use")
        self.add_and_use.setObjectName("addAndUse")
        self.add_and_use.setProperty("role", "outlined")
        self.add_and_use.setToolTip("Add the data set and train on it next (Enter)")
        self.add_and_use.clicked.connect(lambda: self._on_add(True))

    def _compose(self) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(_SIDE, 8, _SIDE, 4)
        head.setSpacing(8)
        head.addWidget(self._title)
        head.addWidget(self._where, 1)
        left = QVBoxLayout()
        left.setSpacing(8)
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(Label("Name", "help"))
        row.addWidget(self.name, 1)
        left.addLayout(row)
        for each in (self.message, self.summary, self.sizes):
            left.addWidget(each)
        left.addWidget(self.table, 1)
        # Where there is no table, texts stay at the top.
        left.addStretch()
        middle = QHBoxLayout()
        middle.setContentsMargins(_SIDE, 4, _SIDE, 8)
        middle.setSpacing(16)
        middle.addLayout(left, 1)
        middle.addWidget(self._build_settings())
        foot = QHBoxLayout()
        foot.setContentsMargins(_SIDE, 8, _SIDE, 8)
        foot.setSpacing(8)
        foot.addWidget(self.progress, 1)
        foot.addStretch(1)
        for button in (self.predict, self.cancel_button, self.add, self.add_and_use):
            foot.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        column.addLayout(head)
        column.addLayout(middle, 1)
        column.addWidget(Line())
        column.addLayout(foot)

    def _build_settings(self) -> QWidget:
        inner = QWidget()
        self._settings = QVBoxLayout(inner)
        self._settings.setContentsMargins(0, 0, 8, 0)
        self._settings.setSpacing(8)
        self._question_title = Label("", "strong", wrap=True)
        self._choices: LayoutChoices | None = None
        self._titles = Label("Test images", "strong"), Label("Images of another shape", "strong")
        parts = (
            *(self._question_title, self._titles[0], self._split_text, self.split),
            *(self._titles[1], self.resize_mode, self._notes),
            *(self._skipped_title, self.skipped),
        )
        for part in parts:
            self._settings.addWidget(part)
        self._settings.addStretch(1)
        self._scroll = scroll = QScrollArea()
        scroll.setWidget(inner)
        scroll.setWidgetResizable(True)
        scroll.setFixedWidth(_SETTINGS_WIDTH)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.viewport().setAutoFillBackground(False)
        inner.setAutoFillBackground(False)
        return scroll

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # In a small window, names and counts of the classes need the room.
        wanted = min(max(self.width() * 2 // 5, _MIN_SETTINGS_WIDTH), _SETTINGS_WIDTH)
        if wanted != self._scroll.width():
            self._scroll.setFixedWidth(wanted)

    # Looking

    def look_at(self, path: Path) -> None:
        """Finds out what a folder, a table or a zip file of images is."""
        self._discard()
        self._path, self._reading, self._plan = path, None, SplitPlan()
        self._where.set_full_text(str(path))
        self.name.setText("")
        self.split.show_plan(self._plan)
        self.resize_mode.show_mode("fill")
        self._clear()
        self.cancel_button.setFocus(Qt.FocusReason.OtherFocusReason)

        def look(progress: ProgressFunction, cancelled: CancelFunction) -> Understood | _Unlabeled:
            try:
                prepared = prepare_images(path, progress=progress, cancelled=cancelled)
            except DataError as error:
                if is_folder(path) and scan(path, cancelled).images:
                    return _Unlabeled(path, str(error))
                raise
            try:
                found = understand(prepared, cancelled)
                raise_if_cancelled(cancelled)
                return found
            except BaseException:
                prepared.discard()
                raise

        self._run(look, f"Scanning {path.name or path}", self._on_understood)

    def _read_again(self) -> None:
        """Understands or splits the same images in another way."""
        found, reading, plan = self.found, self._reading, self._plan
        if found is None:
            return
        prepared = found.prepared

        def look(progress: ProgressFunction, cancelled: CancelFunction) -> Understood:
            return understand(prepared.read_as(reading, plan), cancelled)

        self._show_ready(False)
        self._run(look, "", self._on_read_again)

    def _run(self, function: Callable[..., object], text: str, on_done: Callable[[object], None]) -> IoTask:
        if self._task is not None:
            self._task.cancel()
        if text:
            self.progress.begin(plain_line(text, 100))
        self._task = task = IoTask(function, self, writes_files=True)
        task.progressed.connect(self._on_progressed)

        def on_result(value: object) -> None:
            # Before the buttons are enabled: a click may come before the thread has ended.
            self._on_ended(task)
            on_done(value)

        task.done.connect(on_result)
        task.failed.connect(self._on_failed)
        task.ended.connect(lambda: self._on_ended(task))
        task.start()
        return task

    def _on_progressed(self, progress: Progress) -> None:
        self.progress.show_progress(progress.done, progress.total, progress.text)

    def _on_failed(self, reason: object) -> None:
        self._adds_next = None
        self.message.setText(str(reason))
        self.message.show()
        if self.found is None:
            self.summary.setText("")

    def _offer_prediction(self, folder: Path | None) -> None:
        self._unlabeled = folder
        self.predict.setVisible(folder is not None and self._can_predict)

    def _on_predict(self) -> None:
        if self._unlabeled is not None:
            self.prediction_requested.emit(self._unlabeled)

    def _on_ended(self, task: IoTask) -> None:
        if self._task is task:
            self._task = None
            self.progress.hide()

    def _on_understood(self, found: object) -> None:
        if isinstance(found, _Unlabeled):
            self._on_failed(found.reason)
            self._offer_prediction(found.folder)
            return
        assert isinstance(found, Understood)
        self.found = found
        self.name.setText(plain_line(found.prepared.source.title))
        if found.question is not None:
            self._show_question(found)
        self._show(found)
        self.add_and_use.setFocus(Qt.FocusReason.OtherFocusReason)
        self._look_into(found)

    def _on_read_again(self, found: object) -> None:
        assert isinstance(found, Understood)
        before, self.found = self.found, found
        self._show(found)
        is_used, self._adds_next = self._adds_next, None
        if is_used is not None and not found.problem:
            self._on_add(is_used)
        elif before is None or before.listing.files != found.listing.files:
            self._look_into(found)

    def _show(self, found: Understood) -> None:
        self.message.setVisible(False)
        unlabeled = found.listing.unlabeled
        # What was unpacked for a zip file is deleted if it is not added.
        self._offer_prediction(Path(unlabeled[0]) if unlabeled and not found.prepared.unpacked else None)
        self.summary.setText(found.summary())
        self.table.show_classes(found)
        self.split.setVisible(not found.has_test)
        for each in (*self._titles, self.resize_mode, self.table):
            each.show()
        self.split.show_problem(found.problem)
        self._split_text.setText(describe_plan(found, self._plan))
        where = _UNPACKED if found.prepared.unpacked is not None else _STAYS
        self._notes.setText("\n".join((*(plain_line(note, 200) for note in found.notes), where)))
        self._show_ready(not found.problem)

    def _show_question(self, found: Understood) -> None:
        assert found.question is not None
        self._question_title.setText(f"{found.question.text}. What are they?")
        self._question_title.show()
        self._choices = LayoutChoices(found.question, self._scroll.width() - 24)
        self._choices.changed.connect(self._on_reading_chosen)
        self._settings.insertWidget(1, self._choices)
        self._choices.show()

    def _on_reading_chosen(self, reading: object) -> None:
        self._reading = reading  # type: ignore[assignment]  # one of Reading
        self._read_again()

    def _on_plan_changed(self, plan: object) -> None:
        if plan is None:
            self._show_ready(False)
        elif isinstance(plan, SplitPlan):
            self._plan = plan
            self._read_again()

    def _look_into(self, found: Understood) -> None:
        """Reads sizes, and finds the files that cannot be read. Nobody has to wait for that."""
        if self._look is not None:
            self._look.cancel()
        self.sizes.setText("Looking into the files…")
        self._skipped_title.hide()
        self.skipped.hide()
        self._look = task = IoTask(partial(look_into_files, found), self)
        task.progressed.connect(lambda progress: self.sizes.setText(progress.text))
        task.done.connect(self._on_looked_into)
        task.failed.connect(lambda reason: self.sizes.setText(str(reason)))
        task.start()

    def _on_looked_into(self, facts: object) -> None:
        assert isinstance(facts, FileFacts)
        self.sizes.setText(facts.describe_sizes() or "None of the files can be read as an image.")
        self._skipped_title.setVisible(bool(facts.skipped))
        self.skipped.setVisible(bool(facts.skipped))
        self._skipped_title.setText(f"{pluralize(facts.skipped_count, 'file')} will be skipped")
        lines = [
            f"{plain_line(name, 80)}: {plain_line(why, 120)}" for name, why in facts.skipped[:_MAX_SHOWN]
        ]
        if facts.skipped_count > len(lines):
            lines.append(f"and {facts.skipped_count - len(lines):,} more")
        self.skipped.setText("\n".join(lines))

    # Adding

    def _on_add(self, is_used: bool) -> None:
        self.split.settle()
        found = self.found
        if found is None:
            return
        if self._task is not None:
            # What was typed a moment before the click is being read.
            self._adds_next = is_used
            return
        if not self.add.isEnabled():
            return
        prepared, name = found.prepared.resized_by(self.resize_mode.mode), self.name.text().strip()
        if name == prepared.source.name:
            name = ""

        def add(progress: ProgressFunction, cancelled: CancelFunction) -> FileSource:
            return prepared.add(name)

        def on_done(source: object) -> None:
            assert isinstance(source, FileSource)
            # It belongs to the data set now.
            self.found = None
            self._end_look()
            self.added.emit((source.name, is_used))

        self._show_ready(False)
        task = self._run(add, f"Adding {prepared.source.title}", on_done)
        task.failed.connect(lambda _: self._show_ready(True))

    def cancel(self) -> None:
        """Adds nothing, and deletes what was unpacked."""
        self._discard()
        self.closed.emit()

    def _discard(self) -> None:
        self._adds_next = None
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self.progress.hide()
        self._end_look()
        found, self.found = self.found, None
        if found is not None and found.prepared.unpacked is not None:
            _discard_later(found.prepared, self)

    def _end_look(self) -> None:
        self.split.close_tasks()
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _clear(self) -> None:
        for label in (self.summary, self.sizes, self._split_text, self._notes):
            label.setText("")
        for each in (
            self.message,
            self.split,
            self.resize_mode,
            self._skipped_title,
            self.skipped,
            self._question_title,
        ):
            each.hide()
        if self._choices is not None:
            self._settings.removeWidget(self._choices)
            self._choices.hide()
            self._choices.deleteLater()
            self._choices = None
        self.table.show_classes(None)
        for unused in (*self._titles, self.table):
            unused.hide()
        self._offer_prediction(None)
        self._show_ready(False)

    def _show_ready(self, is_ready: bool) -> None:
        for button in (self.add, self.add_and_use):
            button.setEnabled(is_ready)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        focused = self.focusWidget()
        if event.key() == Qt.Key.Key_Escape:
            self.cancel()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and isinstance(focused, QPushButton):
            # Not every system's style lets Enter press the button that has the focus.
            focused.click()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.add_and_use.isEnabled():
            self._on_add(True)
        else:
            super().keyPressEvent(event)

    def close_tasks(self) -> None:
        """Ends what is looked at in the background."""
        self._discard()


def _discard_later(prepared: PreparedImages, parent: AddImages) -> None:
    task = IoTask(lambda progress, cancelled: prepared.discard(), parent, writes_files=True)
    task.start()
