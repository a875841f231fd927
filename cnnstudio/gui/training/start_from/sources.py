"""The list of what a training can start from: pretrained weights, a file, and all runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from cnnstudio.gui.training.controls import DETAILS_ROLE, TwoLineDelegate
from cnnstudio.gui.widgets.canvas.keys import is_enter
from cnnstudio.gui.widgets.plain_text import plain_line, plain_tooltip
from cnnstudio.runs.library.arrangement import Query, arrange
from cnnstudio.runs.library.columns import data_name, started
from cnnstudio.runs.library.summary import RunSummary
from cnnstudio.training.pretrained.catalog import PRETRAINED

_ENTRY = Qt.ItemDataRole.UserRole


@dataclass(frozen=True)
class Entry:
    """One line of the list."""

    source: str
    """Without an epoch."""
    title: str
    details: str
    folder: Path | None = None
    """Of a run."""

    @classmethod
    def of_run(cls, run: RunSummary) -> Entry:
        """Title, what it reached, when and on which images, whose name may be long."""
        best = "" if run.best_accuracy is None else f"{100 * run.best_accuracy:.1f}%"
        parts = (best, started(run), data_name(run))
        return cls(str(run.folder), run.title, " · ".join(filter(None, parts)), run.folder)

    @classmethod
    def of_file(cls, path: Path) -> Entry:
        return cls(str(path), path.name, str(path.parent))


class SourceList(QWidget):
    """A field to search in, and the list; what was typed stays while runs are added."""

    selected = Signal(object)
    """The Entry, or None."""
    activated = Signal()
    """Enter, or a double click."""

    def __init__(self) -> None:
        super().__init__()
        self._runs: tuple[RunSummary, ...] = ()
        self._others: list[Entry] = [
            Entry(known.name, known.title, "Pretrained on ImageNet") for known in PRETRAINED.values()
        ]
        self._wanted = ""
        """The source of the entry to select as soon as it is there."""
        self.search = QLineEdit()
        self.search.setObjectName("startSearch")
        self.search.setPlaceholderText("Search runs")
        self.search.setAccessibleName("Search runs")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(lambda _: self._fill())
        self.list = _List()
        self.list.setObjectName("startSources")
        self.list.setAccessibleName("Weights to start from")
        self.list.setItemDelegate(TwoLineDelegate(self.list))
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.currentItemChanged.connect(self._on_current)
        self.list.itemActivated.connect(lambda _: self.activated.emit())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.search)
        column.addWidget(self.list, 1)
        self.setTabOrder(self.search, self.list)
        self._fill()

    @property
    def current(self) -> Entry | None:
        entry = self.list.currentIndex().data(_ENTRY)
        return entry if isinstance(entry, Entry) else None

    def show_runs(self, runs: Sequence[RunSummary]) -> None:
        """Adds the runs, but for those that are still training."""
        self._runs = tuple(run for run in runs if not run.is_running)
        self._fill()

    def add(self, entry: Entry) -> None:
        """Adds an entry that is not listed and selects it."""
        if all(each.source != entry.source for each in self._entries("")):
            self._others.append(entry)
        self.select(entry.source)

    def add_run(self, folder: Path) -> None:
        """Selects the run in that folder as soon as it is listed; until then, a line for it alone."""
        self._others.append(Entry(str(folder), folder.name, "", folder))
        self.select(str(folder))

    def select(self, source: str) -> None:
        """Selects an entry, now or as soon as it is there."""
        self._wanted = source
        self.search.clear()
        self._fill()

    def _entries(self, text: str) -> list[Entry]:
        words = text.casefold().split()
        others = [
            each
            for each in self._others
            if all(word in f"{each.title} {each.details}".casefold() for word in words)
        ]
        runs = [Entry.of_run(run) for run in arrange(self._runs, Query(text=text)).runs]
        listed = {str(run.folder) for run in self._runs}
        return [*(each for each in others if each.source not in listed), *runs]

    def _fill(self) -> None:
        wanted = self._wanted or (self.current.source if self.current is not None else "")
        before = self.current
        self.list.blockSignals(True)
        self.list.clear()
        found = None
        for entry in self._entries(self.search.text()):
            item = QListWidgetItem(plain_line(entry.title), self.list)
            item.setData(DETAILS_ROLE, plain_line(entry.details))
            item.setData(_ENTRY, entry)
            item.setToolTip(plain_tooltip(f"{entry.title}\n{entry.details}"))
            item.setData(Qt.ItemDataRole.AccessibleTextRole, plain_line(f"{entry.title}, {entry.details}"))
            if entry.source == wanted:
                found = item
                self._wanted = ""
        if found is not None:
            self.list.setCurrentItem(found)
            self.list.scrollToItem(found)
        self.list.blockSignals(False)
        if self.current != before:
            self.selected.emit(self.current)

    def _on_current(self, *_: object) -> None:
        self._wanted = ""
        self.selected.emit(self.current)


class _List(QListWidget):
    """Typing letters does not move the selection: the field above searches."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.text().strip() and not is_enter(event):
            event.ignore()
        else:
            super().keyPressEvent(event)
