"""Two runs side by side: results, recipe, design, curves, and how their mistakes differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.core.formatting import pluralize
from cnnstudio.design.diff import diff
from cnnstudio.gui.compare.confusion_difference import ConfusionDifference
from cnnstudio.gui.compare.entry_list import EntryList
from cnnstudio.gui.compare.run_curves import RunCurves
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.dialog_layout import button_row, dialog_column, leave_button
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Panel
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.gui.widgets.scroll_area import scroll_area
from cnnstudio.runs.comparing.pair import ComparedRun, Line, RunPair, read_pair
from cnnstudio.runs.library.columns import started_column

_SIZE = (1040, 640)
_LEFT_WIDTH = 420
_ENTRIES_HEIGHT = 170
_ALIGN, _IMAGES = "comparison_align", "images"


class RunComparison(QDialog):
    """Reads the runs in a thread when it is shown; it is not modal."""

    def __init__(
        self, folders: Sequence[Path], parent: QWidget | None = None, settings: Settings | None = None
    ) -> None:
        """`settings` remember what the curves are aligned by."""
        super().__init__(parent)
        self._user_settings = settings
        self._pair: RunPair | None = None
        self.setObjectName("runComparison")
        self.setWindowTitle("Compare runs")
        self.resize(*_SIZE)
        self._state = Label("Reading the runs…", "content", "secondary", wrap=True)
        self._state.setObjectName("comparisonState")
        self._sides = (_Side("solid lines"), _Side("dashed lines"))
        self._verdict = Label("", "content", wrap=True)
        self._verdict.setObjectName("comparisonVerdict")
        self._results, self._settings = _Lines("Results"), _Lines("Recipe")
        self._design_text = Label("", "help", "secondary", wrap=True)
        self._design_text.setObjectName("comparedDesigns")
        self._entries = EntryList()
        self._curves = RunCurves()
        self._curves.message.connect(self._on_message)
        self._align = QComboBox()
        self._align.setObjectName("compareAlign")
        self._align.setAccessibleName("Align the curves")
        self._align.setToolTip("By images seen, longer epochs of the second run are drawn longer")
        for text, key in (("Align by epoch", "epochs"), ("Align by images seen", _IMAGES)):
            self._align.addItem(text, key)
        if settings is not None and settings.text(_ALIGN) == _IMAGES:
            self._align.setCurrentIndex(1)
        self._align.currentIndexChanged.connect(self._on_align)
        self._confusion = ConfusionDifference()
        self._content = QWidget()
        self._compose()
        self._content.hide()
        self._task = IoTask(lambda progress, cancelled: read_pair(folders, cancelled), self)
        self._task.done.connect(self._on_read)
        self._task.failed.connect(self._on_failed)
        self._task.start()

    def _compose(self) -> None:
        left = QVBoxLayout()
        left.setSpacing(8)
        inside = QWidget()
        lines = QVBoxLayout(inside)
        lines.setContentsMargins(0, 0, 0, 0)
        lines.setSpacing(12)
        lines.addWidget(self._results)
        lines.addWidget(self._settings)
        lines.addStretch(1)
        left.addWidget(scroll_area(inside), 1)
        left.addWidget(Label("Design", "title"))
        left.addWidget(self._design_text)
        self._entries.setMaximumHeight(_ENTRIES_HEIGHT)
        left.addWidget(self._entries)
        left_panel = Panel()
        left_panel.setFixedWidth(_LEFT_WIDTH)
        left.setContentsMargins(14, 12, 14, 12)
        left_panel.setLayout(left)
        # Confusions of many classes would make the window higher than a small screen.
        figures = QWidget()
        right = QVBoxLayout(figures)
        right.setContentsMargins(0, 0, 0, 0)
        right.setSpacing(12)
        for title, widget in (
            ("Curves", self._curves),
            ("Confusion, change in points", self._confusion),
        ):
            panel = Panel()
            column = QVBoxLayout(panel)
            column.setContentsMargins(14, 12, 14, 12)
            head = QHBoxLayout()
            head.addWidget(ElidedLabel(title, "strong"), 1)
            if widget is self._curves:
                head.addWidget(self._align)
            column.addLayout(head)
            column.addWidget(widget, 1)
            right.addWidget(panel, 1)
        heads = QHBoxLayout()
        heads.setSpacing(12)
        for side in self._sides:
            heads.addWidget(side, 1)
        columns = QHBoxLayout()
        columns.setSpacing(12)
        columns.addWidget(left_panel)
        columns.addWidget(scroll_area(figures, sideways=True), 1)
        content = QVBoxLayout(self._content)
        content.setContentsMargins(0, 0, 0, 0)
        content.setSpacing(12)
        content.addLayout(heads)
        content.addWidget(self._verdict)
        content.addLayout(columns, 1)
        column = dialog_column(self)
        column.addWidget(self._state)
        column.addWidget(self._content, 1)
        column.addStretch(0)
        column.addLayout(button_row(leave_button(self)))

    def _on_failed(self, message: object) -> None:
        self._on_message(Message(str(message), is_error=True))

    def _on_message(self, message: Message) -> None:
        self._state.setText(message.text)
        self._state.set_tone("wrong" if message.is_error else "secondary")
        self._state.show()

    def _on_read(self, pair: object) -> None:
        assert isinstance(pair, RunPair)
        self._state.hide()
        self._content.show()
        start = started_column(each.summary for each in pair.both)
        for side, each in zip(self._sides, pair.both, strict=True):
            side.show_run(each, start.text(each.summary))
        self._verdict.setText(pair.verdict)
        self._verdict.setVisible(bool(pair.verdict))
        self._results.show_lines(pair.results)
        settings = pair.settings
        self._settings.show_lines(settings, "" if settings else "Both have the same recipe.")
        _align_columns(self._results, self._settings)
        found = diff(pair.first.run.network, pair.second.run.network)
        differences = pluralize(len(found.entries), "difference")
        text = (
            "Both have the same design."
            if found.is_empty
            else f"From the first to the second: {differences}."
        )
        inputs = [each.run.network.input for each in pair.both]
        if inputs[0] != inputs[1]:
            text += f" Images: {inputs[0]} → {inputs[1]}."
        self._design_text.setText(text)
        self._entries.show_entries(found.entries)
        self._entries.setVisible(bool(found.entries))
        self._pair = pair
        self._align.setEnabled(pair.epoch_ratio != 1)
        if pair.epoch_ratio == 1:
            self._align.setToolTip("An epoch has as many images in one run as in the other")
        self._show_curves()
        self._confusion.show_pair(pair.confusion_pair(), pair.confusion_notes)

    def _show_curves(self) -> None:
        pair = self._pair
        if pair is not None:
            ratio = pair.epoch_ratio if self._align.currentData() == _IMAGES else 1.0
            self._curves.show_histories(pair.first.history, pair.second.history, ratio)

    def _on_align(self, _: int) -> None:
        if self._user_settings is not None:
            self._user_settings.set_text(_ALIGN, str(self._align.currentData()))
        self._show_curves()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        # Minimizing the window is not closing it.
        if not event.spontaneous():
            self._task.cancel()


class _Side(Panel):
    """Which run is the first or the second one."""

    def __init__(self, lines: str) -> None:
        super().__init__()
        self._name = ElidedLabel("", "strong")
        self._about = ElidedLabel("", "help", "secondary")
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 8, 14, 8)
        row.setSpacing(12)
        texts = QVBoxLayout()
        texts.setSpacing(0)
        texts.addWidget(self._name)
        texts.addWidget(self._about)
        row.addLayout(texts, 1)
        row.addWidget(Label(lines, "help", "secondary"))

    def show_run(self, each: ComparedRun, start: str) -> None:
        summary = each.summary
        self._name.set_full_text(summary.title)
        parts = [f"started {start}", summary.id, *summary.label.tags]
        self._about.set_full_text(" · ".join(parts))


class _Lines(QWidget):
    """A small table: what it is, and its value in both runs; those that differ are in black."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.names_width = 0
        """What the names in the first column need."""
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(16)
        self._grid.setVerticalSpacing(4)
        for column in (1, 2):
            self._grid.setColumnStretch(column, 1)
        self._grid.addWidget(Label(title, "title"), 0, 0)
        right = Qt.AlignmentFlag.AlignRight
        for column, text in ((1, "first"), (2, "second")):
            self._grid.addWidget(Label(text, "help", "secondary"), 0, column, right)

    def show_lines(self, lines: Sequence[Line], instead: str = "") -> None:
        """Shows the lines; `instead` is a sentence in place of none."""
        if instead:
            self._grid.addWidget(Label(instead, "help", "secondary", wrap=True), 1, 0, 1, 3)
        for row, (name, *values) in enumerate(lines, start=1):
            label = Label(name, "help", "secondary")
            self.names_width = max(self.names_width, label.sizeHint().width())
            self._grid.addWidget(label, row, 0)
            for column, text in enumerate(values, start=1):
                value = ElidedLabel(text, "help", "text" if values[0] != values[1] else "secondary")
                value.setFont(theme().monospace())
                value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self._grid.addWidget(value, row, column)

    def indent_values(self, width: int) -> None:
        """Leaves so many pixels to the names, at least."""
        self._grid.setColumnMinimumWidth(0, width)


def _align_columns(*tables: _Lines) -> None:
    """Puts the values of tables that stand below each other into the same columns."""
    width = max(each.names_width for each in tables)
    for each in tables:
        each.indent_values(width)
