"""The page between a drop and a data set: what the images were understood to be, before they are added."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout

from cnnstudio.core.progress import Progress
from cnnstudio.data.sources.file_source import FileSource
from cnnstudio.data.sources.folder_layout import Reading
from cnnstudio.data.versions.split_plan import SplitPlan
from cnnstudio.gui.data.adding.class_table import ClassTable
from cnnstudio.gui.data.adding.settings import AddingSettings
from cnnstudio.gui.data.adding.tasks import AddingTasks, Unlabeled
from cnnstudio.gui.data.adding.understood import FileFacts, Understood
from cnnstudio.gui.widgets.canvas.keys import is_enter
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Line, Panel
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.gui.widgets.progress import ProgressLine

_SIDE = 16
_ADDING = "Add images", "Add"
"""Title and verb."""


class AddImages(Panel):
    """Looks at one folder or file at a time. Two clicks, or a drop and Enter, lead from it to a data set."""

    added = Signal(object)
    """(name of the data set, whether the user wants to train on it, its name before; empty if it is new)."""
    closed = Signal()
    """Nothing is added."""
    prediction_requested = Signal(object)
    """The folder of images without labels that are to be classified."""

    def __init__(self, *, can_predict: bool = False) -> None:
        """`can_predict`: whether somebody listens to `prediction_requested`."""
        super().__init__("addImagesPage")
        self._can_predict = can_predict
        self.setAccessibleName("Add images")
        self._reading: Reading | None = None
        self._plan = SplitPlan()
        self.found: Understood | None = None
        self._is_current = True
        """Whether it was found with the layout and the split that the page shows."""
        self._unreadable: frozenset[str] = frozenset()
        """The paths of the files that a look into all of them has found to be none."""
        self._adds_next: bool | None = None
        """Whether to add, and with True to use, the images as soon as they are read in the chosen way."""
        self._unlabeled: Path | None = None
        self._create()
        self._compose()
        self._connect()
        self.focus_target = self.add_and_use

    @property
    def is_adding(self) -> bool:
        """Whether images are unpacked or added, which another drop must not end."""
        return self._tasks.is_running and self.progress.isVisible()

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
        self.settings = AddingSettings()
        self.progress = ProgressLine(button="")
        self.progress.setObjectName("adding")
        self.predict = QPushButton("Predict these images…")
        self.predict.setObjectName("predictImages")
        self.predict.setToolTip("Classify the images without labels with the run on show, and save a table")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setObjectName("cancelAdding")
        self.add = QPushButton("Add")
        self.add.setObjectName("addDataSet")
        self.add.setToolTip("Add the data set; the one in use stays in use")
        self.add_and_use = QPushButton("Add and use")
        self.add_and_use.setObjectName("addAndUse")
        self.add_and_use.setProperty("role", "outlined")
        self.add_and_use.setToolTip("Add the data set and train on it next (Enter)")

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
        middle.addWidget(self.settings)
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

    def _connect(self) -> None:
        self.settings.reading_chosen.connect(self._on_reading_chosen)
        self.settings.plan_changed.connect(self._on_plan_changed)
        self.settings.size_changed.connect(self._refresh_ready)
        self.predict.clicked.connect(self._on_predict)
        self.cancel_button.clicked.connect(self.cancel)
        self.add.clicked.connect(lambda: self._on_add(False))
        self.add_and_use.clicked.connect(lambda: self._on_add(True))
        self._tasks = AddingTasks(self)
        self._tasks.began.connect(lambda text: self.progress.begin(plain_line(text, 100)))
        self._tasks.progressed.connect(self._on_progressed)
        self._tasks.ended.connect(self.progress.hide)
        self._tasks.failed.connect(self._on_failed)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.settings.fit_into(self.width())

    # Looking

    def look_at(self, path: Path) -> None:
        """Finds out what a folder, a table or a zip file of images is."""
        self._discard()
        self._reading, self._plan, self._unreadable = None, SplitPlan(), frozenset()
        self._where.set_full_text(str(path))
        self._clear()
        self.cancel_button.setFocus(Qt.FocusReason.OtherFocusReason)
        self._tasks.look_at(path, self._on_understood)

    def _read_again(self) -> None:
        """Understands or splits the same images in another way."""
        self._is_current = False
        self._refresh_ready()
        self._start_reading_again()

    def _start_reading_again(self) -> None:
        if self.found is not None:
            how = self._reading, self._plan, self._unreadable
            self._tasks.read_again(self.found.prepared, *how, self._on_read_again)

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

    def _on_understood(self, found: Understood | Unlabeled) -> None:
        if isinstance(found, Unlabeled):
            self._on_failed(found.reason)
            self._offer_prediction(found.folder)
            return
        self.found, self._is_current, self._unreadable = found, True, found.unreadable
        self.name.setText(plain_line(found.prepared.source.title))
        self._show_chosen(found)
        if found.question is not None:
            self.settings.ask(found.question)
        self._show(found)
        self.add_and_use.setFocus(Qt.FocusReason.OtherFocusReason)
        self._look_into(found)

    def _show_chosen(self, found: Understood) -> None:
        """What was chosen when the images were added, if they were; then this page changes it."""
        entry = found.prepared.source.entry
        self._reading, self._plan = entry.reading, entry.plan
        self.settings.show_chosen(entry.plan, entry.size, entry.resize)
        self._show_verb(*(("Change data set", "Save") if found.known_name else _ADDING))

    def _show_verb(self, title: str, verb: str) -> None:
        self._title.setText(title)
        self.add.setText(verb)
        self.add_and_use.setText(f"{verb} and use")

    def _on_read_again(self, found: Understood) -> None:
        before, self.found = self.found, found
        self._is_current = True
        self._show(found)
        is_used, self._adds_next = self._adds_next, None
        if is_used is not None and found.is_complete:
            self._on_add(is_used)
        elif before is None or (
            before.listing is not found.listing and before.listing.files != found.listing.files
        ):
            self._look_into(found)
        elif found.unreadable != self._unreadable:
            self._start_reading_again()

    def _show(self, found: Understood) -> None:
        self.message.setText(found.lack)
        self.message.setVisible(bool(found.lack))
        unlabeled = found.listing.unlabeled
        # What was unpacked for a zip file is deleted if it is not added.
        self._offer_prediction(Path(unlabeled[0]) if unlabeled and not found.prepared.unpacked else None)
        self.summary.setText(found.summary())
        self.table.show_classes(found)
        self.table.show()
        self.settings.show_understood(found, self._plan)
        self._refresh_ready()

    def _on_reading_chosen(self, reading: object) -> None:
        self._reading = reading  # type: ignore[assignment]  # one of Reading
        self._read_again()

    def _on_plan_changed(self, plan: object) -> None:
        if plan is None:
            self._is_current = False
            self._refresh_ready()
        elif isinstance(plan, SplitPlan):
            self._plan = plan
            self._read_again()

    def _look_into(self, found: Understood) -> None:
        self.sizes.setText("Looking into the files…")
        self.settings.hide_skipped()
        self._tasks.look_into(found, self.sizes.setText, self._on_looked_into)

    def _on_looked_into(self, facts: FileFacts) -> None:
        self.sizes.setText(facts.describe_sizes() or "None of the files can be read as an image.")
        self.settings.show_facts(facts)
        self._unreadable = facts.unreadable
        # What is being read again, or is no plan yet, is counted without them afterwards; and what is being
        # added must not be interrupted. Meanwhile the images can be added as they were understood.
        is_news = self.found is not None and facts.unreadable != self.found.unreadable
        if is_news and self._is_current and not self._tasks.is_running:
            self._start_reading_again()

    # Adding

    def _on_add(self, is_used: bool) -> None:
        self.settings.split.settle()
        found = self.found
        if found is None:
            return
        if self._tasks.is_running:
            # What was typed a moment before the click is being read.
            self._adds_next = is_used
            return
        if not self.add.isEnabled():
            return
        prepared, name = self.settings.changed(found.prepared), self.name.text().strip()
        if name == prepared.source.name:
            name = ""

        def on_done(source: FileSource) -> None:
            # It belongs to the data set now.
            self.found = None
            self._end_look()
            self.added.emit((source.name, is_used, found.known_name))

        self._show_ready(False)
        self._tasks.add(prepared, name, on_done, self._on_add_failed)

    def _on_add_failed(self, reason: object) -> None:
        self._on_failed(reason)
        self._refresh_ready()

    def cancel(self) -> None:
        """Adds nothing, and deletes what was unpacked."""
        self._discard()
        self.closed.emit()

    def _discard(self) -> None:
        self._adds_next = None
        self._tasks.cancel()
        self._end_look()
        found, self.found = self.found, None
        if found is not None and found.prepared.unpacked is not None:
            self._tasks.discard(found.prepared)

    def _end_look(self) -> None:
        self.settings.split.close_tasks()
        self._tasks.end_look()

    def _clear(self) -> None:
        self.name.setText("")
        for label in (self.summary, self.sizes):
            label.setText("")
        self.message.hide()
        self.settings.clear()
        self.table.show_classes(None)
        self.table.hide()
        self._show_verb(*_ADDING)
        self._offer_prediction(None)
        self._show_ready(False)

    def _refresh_ready(self) -> None:
        """Whether what is chosen can be added."""
        is_understood = self.found is not None and self.found.is_complete and self._is_current
        self._show_ready(is_understood and self.settings.is_valid and not self._tasks.is_running)

    def _show_ready(self, is_ready: bool) -> None:
        for button in (self.add, self.add_and_use):
            button.setEnabled(is_ready)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        focused = self.focusWidget()
        if event.key() == Qt.Key.Key_Escape:
            self.cancel()
        elif is_enter(event) and isinstance(focused, QPushButton):
            # Not every system's style lets Enter press the button that has the focus.
            focused.click()
        elif is_enter(event) and self.add_and_use.isEnabled():
            self._on_add(True)
        else:
            super().keyPressEvent(event)

    def close_tasks(self) -> None:
        """Ends what is looked at in the background."""
        self._discard()
