"""The head of the table of runs: how many there are, the filter, the groups and the columns."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, QTimer, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QWidget

from cnnstudio.core.formatting import pluralize
from cnnstudio.gui.runs.table.column_sets import COLUMN_SETS, DIFFERENCES
from cnnstudio.gui.widgets.icon_button import QuietButton
from cnnstudio.gui.widgets.labels import ElidedLabel, Label
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.runs.library.arrangement import SAME_TRAINING
from cnnstudio.runs.library.columns import Column, data_name
from cnnstudio.runs.library.summary import RunSummary

_GROUPS = (
    ("Not grouped", ""),
    ("Group by recipe", "recipe"),
    ("Group by network", "network"),
    ("Group by data set", "data"),
    ("Group by training (seeds)", SAME_TRAINING),
    ("Group by tags", "tags"),
    ("Group by status", "status"),
)
_MAX_GROUP_FIELDS = 40
_TYPING_MS = 120
_SEARCH_WIDTH = 168


class TableHead(QWidget):
    """One row. What the user chooses in it is emitted; the table carries it out."""

    filtered = Signal()
    """The text of `filter_text` has changed."""
    entered = Signal()
    """Enter was pressed in the filter."""
    grouped = Signal(object)
    """The key by which to group; empty for none."""
    columns_chosen = Signal()
    """Another set of columns was chosen."""
    closed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._count = ElidedLabel(role="help", tone="secondary")
        self._search = QLineEdit()
        self._groups = _choice("runsGroup", "Group by")
        self._columns = _choice("runsColumns", "Columns")
        self._typing = QTimer(self)
        self._compose()
        self._typing.setSingleShot(True)
        self._typing.setInterval(_TYPING_MS)
        self._typing.timeout.connect(self.filtered)
        self._search.textChanged.connect(lambda _: self._typing.start())
        self._search.returnPressed.connect(self.entered)
        self._groups.activated.connect(lambda _: self.grouped.emit(self._groups.currentData()))
        self._columns.activated.connect(lambda _: self.columns_chosen.emit())

    def _compose(self) -> None:
        self._search.setObjectName("runsFilter")
        self._search.setPlaceholderText("Filter runs (/)")
        self._search.setAccessibleName("Filter runs")
        self._search.setClearButtonEnabled(True)
        self._search.setFixedWidth(_SEARCH_WIDTH)
        for text, key in COLUMN_SETS:
            self._columns.addItem(text, key)
        self.list_groups((), "")
        close = QuietButton("runsClose", "✕", "Close (Esc)")
        close.clicked.connect(self.closed)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 10, 12, 8)
        row.setSpacing(8)
        row.addWidget(Label("Runs", "title"))
        row.addWidget(self._count, 1)
        for part in (self._search, self._groups, self._columns, close):
            row.addWidget(part)

    @property
    def count_text(self) -> str:
        """How many runs there are, in words."""
        return self._count.full_text

    def show_count(self, text: str) -> None:
        self._count.set_full_text(text)

    @property
    def filter_text(self) -> str:
        return self._search.text()

    def clear_filter(self) -> None:
        """Empties the filter, at once."""
        self._search.clear()
        self.stop()
        self.filtered.emit()

    def focus_filter(self) -> None:
        self._search.setFocus()

    def stop(self) -> None:
        """Forgets what was typed a moment ago."""
        self._typing.stop()

    @property
    def column_set(self) -> str:
        """The key of the chosen set of columns."""
        return str(self._columns.currentData() or DIFFERENCES)

    def choose_columns(self, key: str) -> None:
        """Chooses a set of columns, if there is one with that key."""
        self._columns.setCurrentIndex(max(self._columns.findData(key), 0))

    def list_groups(self, fields: Sequence[Column], current: str) -> str:
        """Offers these fields to group by, too; returns the one that is chosen now.

        A field in which no runs differ any more is no longer offered.
        """
        some = fields[:_MAX_GROUP_FIELDS]
        wanted = [*_GROUPS, *((f"Group by {each.title.lower()}", each.key) for each in some)]
        present = [self._groups.itemData(number) for number in range(self._groups.count())]
        if present != [key for _, key in wanted]:
            with QSignalBlocker(self._groups):
                self._groups.clear()
                for text, key in wanted:
                    self._groups.addItem(plain_line(text, 60), key)
        self._groups.setCurrentIndex(max(self._groups.findData(current), 0))
        return str(self._groups.currentData())


def describe_count(total: int, found: Sequence[RunSummary], chosen: int, problems: Sequence[str]) -> str:
    """`9 runs on CIFAR-10 · 2 chosen`: of all runs, those that the filter found and those that are chosen."""
    parts = [pluralize(total, "run")]
    if len(found) < total:
        parts = [f"{len(found):,} of {pluralize(total, 'run')}"]
    data = {data_name(run) for run in {run.data: run for run in found}.values()}
    if len(data) == 1:
        parts[0] += f" on {plain_line(data.pop(), 40)}"
    if chosen:
        parts.append(f"{chosen:,} chosen")
    if problems:
        parts.append(f"{pluralize(len(problems), 'folder')} cannot be read: {problems[0]}")
    return " · ".join(parts)


def _choice(name: str, description: str) -> QComboBox:
    choice = QComboBox()
    choice.setObjectName(name)
    choice.setAccessibleName(description)
    choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    choice.setMinimumContentsLength(14)
    return choice
