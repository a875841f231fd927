"""The dialog that says what differs between two versions of a data set."""

from __future__ import annotations

from functools import partial

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QComboBox, QDialog, QGridLayout, QPushButton, QVBoxLayout, QWidget

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.data.sources.file_source import FileSource
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.data.versions.change_list import ChangeList
from cnnstudio.gui.data.versions.comparing import (
    Difference,
    FindImage,
    KnownVersions,
    compare,
    find_versions,
)
from cnnstudio.gui.widgets.dialog_layout import button_row, dialog_column, leave_button
from cnnstudio.gui.widgets.labels import Label, Line, Panel
from cnnstudio.gui.widgets.plain_text import plain_line

_HELP = (
    "A version is the images of a data set with your corrections and the split. Each run names the version "
    "that it was trained on. Files are compared by their names and sizes."
)
_ONE = (
    "There is one version so far. Another one is noted when images, corrections or the split have changed "
    "and the data set is used."
)
_NONE = "No version is known yet: one is noted when the data set is used."


class VersionsDialog(QDialog):
    """Compares the version of now with the one before, until others are chosen."""

    def __init__(self, source: FileSource, find_image: FindImage, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("versionsDialog")
        self.setWindowTitle("Compare versions")
        self.resize(720, 580)
        self._source, self._find_image = source, find_image
        self._known = KnownVersions(())
        self._found: Difference | None = None
        self._task: IoTask | None = None
        self.before, self.after = _choice("versionBefore", "Before"), _choice("versionAfter", "After")
        self.summary = Label("Reading the versions…", "strong", wrap=True)
        self.summary.setObjectName("versionSummary")
        self.changes = ChangeList()
        self.copy = QPushButton("Copy as text")
        self.copy.setObjectName("copyVersionDifferences")
        self._compose()
        for choice in (self.before, self.after):
            choice.currentIndexChanged.connect(self._compare)
        self.copy.clicked.connect(self._on_copy)
        self.finished.connect(self._on_finished)
        self._show(None)
        self._start(partial(find_versions, source), self._on_versions)

    @property
    def is_busy(self) -> bool:
        """Whether versions are being read or compared."""
        return self._task is not None

    def _compose(self) -> None:
        self._choices = QWidget()
        grid = QGridLayout(self._choices)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        for row, (text, choice) in enumerate((("Before", self.before), ("After", self.after))):
            label = Label(text, "help")
            label.setBuddy(choice)
            grid.addWidget(label, row, 0)
            grid.addWidget(choice, row, 1)
        grid.setColumnStretch(1, 1)
        panel = Panel()
        inside = QVBoxLayout(panel)
        inside.setContentsMargins(1, 12, 1, 8)
        inside.setSpacing(8)
        self.summary.setContentsMargins(14, 0, 14, 0)
        inside.addWidget(self.summary)
        self._line = Line()
        inside.addWidget(self._line)
        inside.addWidget(self.changes, 1)
        inside.addStretch()
        column = dialog_column(self, f"Versions of {plain_line(self._source.title, 60)}", _HELP)
        column.addWidget(self._choices)
        column.addWidget(panel, 1)
        column.addLayout(button_row(leave_button(self), left=[self.copy]))

    # The versions

    def _on_versions(self, known: object) -> None:
        assert isinstance(known, KnownVersions)
        self._known = known
        titles = [plain_line(known.title(number)) for number in range(len(known.versions))]
        for choice, row in ((self.before, min(1, len(titles) - 1)), (self.after, 0)):
            choice.blockSignals(True)
            choice.addItems(titles)
            choice.setCurrentIndex(row)
            choice.blockSignals(False)
        self._choices.setVisible(len(titles) > 1)
        if len(titles) > 1:
            self.before.setFocus()
            self._compare()
        else:
            self._say(known.problem or (_ONE if titles else _NONE), is_error=bool(known.problem))

    def _compare(self, _: int = 0) -> None:
        rows = self.before.currentIndex(), self.after.currentIndex()
        before, after = (self._known.versions[row] for row in rows)
        find_image = self._find_image

        def find(progress: ProgressFunction, cancelled: CancelFunction) -> Difference:
            return compare(before, after, find_image, cancelled)

        self._show(None)
        self._say("Comparing…")
        self._start(find, self._on_compared)

    def _on_compared(self, found: object) -> None:
        assert isinstance(found, Difference)
        self._show(found)
        text = found.summary
        if self._known.problem:
            text = f"{text} What the images are now is not known: {self._known.problem}"
        self._say(text)

    def _show(self, found: Difference | None) -> None:
        self._found = found
        has_rows = found is not None and bool(found.rows)
        self.changes.setVisible(has_rows)
        self._line.setVisible(has_rows)
        self.changes.show_difference(found)
        self.copy.setEnabled(found is not None)

    def _say(self, text: str, *, is_error: bool = False) -> None:
        self.summary.setText(text)
        self.summary.set_tone("wrong" if is_error else "text")

    def _on_copy(self) -> None:
        if self._found is not None:
            titles = (choice.currentText() for choice in (self.before, self.after))
            head = f"{plain_line(self._source.title)}: {' → '.join(titles)}"
            QGuiApplication.clipboard().setText(f"{head}\n{self._found.text}")

    # The task

    def _start(self, function, on_done) -> None:  # type: ignore[no-untyped-def]  # what IoTask takes
        if self._task is not None:
            self._task.cancel()
        self._task = task = IoTask(function, self, writes_files=True)
        task.progressed.connect(lambda progress: self._say(progress.text))
        task.done.connect(on_done)
        task.failed.connect(lambda reason: self._say(str(reason), is_error=True))
        task.ended.connect(lambda: self._on_ended(task))
        task.start()

    def _on_ended(self, task: IoTask) -> None:
        if self._task is task:
            self._task = None

    def _on_finished(self, _: int) -> None:
        if self._task is not None:
            self._task.cancel()


def _choice(name: str, title: str) -> QComboBox:
    choice = QComboBox()
    choice.setObjectName(name)
    choice.setAccessibleName(title)
    choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    choice.setMaxVisibleItems(12)
    return choice
