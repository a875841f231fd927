"""The item model of the table of runs: an arrangement of runs as rows, and which of them are chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from cnnstudio.core.formatting import screen_reader_text
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip
from cnnstudio.runs.library.arrangement import Arrangement, Row
from cnnstudio.runs.library.columns import FIXED, Column, describe_status, describe_test, started
from cnnstudio.runs.library.summary import RunSummary

Index = QModelIndex | QPersistentModelIndex

"""The Row of the arrangement."""

TITLE, THUMBNAIL = "run", "loss"
"""The keys of the columns that are not only text."""

# Qt asks for the flags of all rows whenever it lays them out, and each | makes an object.
_FLAGS = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren
_TITLE_FLAGS = _FLAGS | Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEditable

_ROOT = QModelIndex()
_ROLES = Qt.ItemDataRole
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


class RunModel(QAbstractTableModel):
    """A row for each run and each head of a group. Texts are made when they are asked for."""

    chosen_changed = Signal()
    renamed = Signal(object)
    """(RunSummary, new title), when the user has edited a title."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.arrangement = Arrangement()
        self.columns: tuple[Column, ...] = (FIXED[TITLE],)
        self.sorted_by = ""
        """The key of the column by which the rows are sorted."""
        self.is_ascending = False
        self._chosen: dict[Path, RunSummary] = {}

    def show(
        self, arrangement: Arrangement, columns: Sequence[Column], sort: str, is_ascending: bool
    ) -> None:
        """Shows other rows. A run that is no longer among them is not chosen any more."""
        self.beginResetModel()
        self.arrangement, self.columns = arrangement, tuple(columns)
        self.sorted_by, self.is_ascending = sort, is_ascending
        before = tuple(self._chosen)
        if before:
            runs = {run.folder: run for run in arrangement.runs}
            self._chosen = {folder: runs[folder] for folder in before if folder in runs}
        self.endResetModel()
        if before:
            self.chosen_changed.emit()

    def row(self, index: Index) -> Row | None:
        """The row that an index belongs to; None for an invalid one."""
        return self.arrangement.rows[index.row()] if index.isValid() else None

    def row_of(self, folder: Path) -> int | None:
        """The number of a run's row; None if it is not shown."""
        name = folder.name
        for number, row in enumerate(self.arrangement.rows):
            if row.run is not None and row.run.id == name and row.run.folder == folder:
                return number
        return None

    # What is chosen

    @property
    def chosen(self) -> tuple[RunSummary, ...]:
        """In the order in which they were chosen."""
        return tuple(self._chosen.values())

    def is_chosen(self, run: RunSummary) -> bool:
        return run.folder in self._chosen

    def choose(self, runs: Iterable[RunSummary]) -> None:
        """Chooses these runs too, or none of them any more if all of them are chosen."""
        runs = list(runs)
        if all(run.folder in self._chosen for run in runs):
            for run in runs:
                del self._chosen[run.folder]
        else:
            self._chosen |= {run.folder: run for run in runs}
        self._emit_chosen()

    def choose_only(self, runs: Iterable[RunSummary]) -> None:
        """Chooses these runs and no others."""
        self._chosen = {run.folder: run for run in runs}
        self._emit_chosen()

    def _emit_chosen(self) -> None:
        if self.arrangement.rows:
            last = self.index(len(self.arrangement.rows) - 1, len(self.columns) - 1)
            self.dataChanged.emit(self.index(0, 0), last, [_ROLES.CheckStateRole])
        self.chosen_changed.emit()

    # The model's own functions

    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.arrangement.rows)

    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.columns)

    def flags(self, index: Index) -> Qt.ItemFlag:
        column = index.column()
        if column:
            return _FLAGS if column > 0 else Qt.ItemFlag.NoItemFlags
        return _FLAGS if self.arrangement.rows[index.row()].run is None else _TITLE_FLAGS

    def data(self, index: Index, role: int = _ROLES.DisplayRole) -> Any:
        row = self.row(index)
        if row is None:
            return None
        if row.group is not None:
            return _group_data(row, role) if index.column() == 0 else None
        assert row.run is not None
        column = self.columns[index.column()]
        if role == _ROLES.DisplayRole:
            return plain_line(column.text(row.run))
        if role == _ROLES.EditRole:
            return row.run.title
        if role == _ROLES.CheckStateRole and index.column() == 0:
            return Qt.CheckState.Checked if self.is_chosen(row.run) else Qt.CheckState.Unchecked
        if role == _ROLES.TextAlignmentRole:
            return _RIGHT if column.is_number else _LEFT
        if role == _ROLES.ToolTipRole:
            return plain_tooltip(_tooltip(row.run))
        if role == _ROLES.AccessibleTextRole and index.column() == 0:
            return screen_reader_text(_sentence(row.run))
        return None

    def setData(self, index: Index, value: Any, role: int = _ROLES.EditRole) -> bool:
        row = self.row(index)
        if row is None or row.run is None or role != _ROLES.EditRole or index.column() != 0:
            return False
        title = str(value).strip()
        if title == row.run.title:
            return False
        # The table shows it when it has been written.
        self.renamed.emit((row.run, "" if title == row.run.name else title))
        return True

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = _ROLES.DisplayRole) -> Any:
        if orientation is not Qt.Orientation.Horizontal or not 0 <= section < len(self.columns):
            return None
        column = self.columns[section]
        if role == _ROLES.DisplayRole:
            arrow = (" ↑" if self.is_ascending else " ↓") if column.key == self.sorted_by else ""
            return f"{column.title}{arrow}"
        if role == _ROLES.TextAlignmentRole:
            return _RIGHT if column.is_number and column.key != THUMBNAIL else _LEFT
        if role == _ROLES.FontRole:
            return theme().font("head")
        if role == _ROLES.ToolTipRole:
            return plain_tooltip(f"Sort by {column.title.lower()}")
        return None


def _group_data(row: Row, role: int) -> Any:
    assert row.group is not None
    if role == _ROLES.DisplayRole:
        return plain_line(f"{row.group.title}, {row.group.text}")
    if role == _ROLES.AccessibleTextRole:
        state = "collapsed" if row.is_collapsed else "expanded"
        return screen_reader_text(plain_line(f"{row.group.title}, {row.group.text}, {state}"))
    return None


def _tooltip(run: RunSummary) -> str:
    """What does not fit into the row."""
    label = run.label
    lines = (
        run.title,
        run.name if label.title else "",
        f"{FIXED['recipe'].text(run)} · {FIXED['data'].text(run)} · seed {run.seed}",
        f"{describe_status(run)} · started {started(run)}",
        describe_test(run).capitalize(),
        f"Tags: {', '.join(label.tags)}" if label.tags else "",
        label.note,
        str(run.folder),
    )
    return "\n".join(line for line in lines if line)


def _sentence(run: RunSummary) -> str:
    """The row for screen readers."""
    parts = [run.title]
    if run.best_accuracy is not None:
        parts.append(f"best {100 * run.best_accuracy:.1f}% in epoch {run.best_epoch}")
    if run.test_accuracy is not None:
        parts.append(describe_test(run))
    parts += [describe_status(run), f"started {started(run)}", *run.label.tags]
    return plain_line(", ".join(parts))
