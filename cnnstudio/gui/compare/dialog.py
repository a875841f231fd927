"""The dialog that compares the open design with another one; it stays open and follows the edits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication, QHideEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.core.errors import UserError
from cnnstudio.core.formatting import format_count, pluralize
from cnnstudio.design.diff import Diff, Entry, diff
from cnnstudio.design.file import SUFFIX
from cnnstudio.design.network import Network
from cnnstudio.gui.compare.costs import ComparedCosts
from cnnstudio.gui.compare.design_side import DesignSide
from cnnstudio.gui.compare.designs import Design, from_file, from_training
from cnnstudio.gui.compare.entry_list import EntryList
from cnnstudio.gui.compare.seed_comparison import WITH_MORE_SEEDS, SeedComparison, Side
from cnnstudio.gui.compare.seed_line import SeedLine
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.keys import is_enter
from cnnstudio.gui.widgets.dialog_layout import button_row, dialog_column, leave_button
from cnnstudio.gui.widgets.labels import Label, Line, Panel
from cnnstudio.gui.widgets.plain_text import plain_line
from cnnstudio.runs.comparing.comparison import (
    CompletedRuns,
    compare_trainings,
)
from cnnstudio.runs.comparing.seeds import Training
from cnnstudio.runs.library.finding import list_runs
from cnnstudio.runs.run import Run

_DELAY = 120
"""Milliseconds after an edit: the layer list updates first, and quick edits are compared once."""
_FILTER = f"Designs (*{SUFFIX});;All files (*)"
_MOST_RUNS = 12


class CompareDialog(QDialog):
    """Shows diagrams and costs of both designs side by side, and lists all differences."""

    def __init__(
        self,
        project: Project,
        designs: Sequence[Design],
        seeds: SeedComparison,
        parent: QWidget | None = None,
        read_results: Callable[[], CompletedRuns] = lambda: CompletedRuns(list_runs()),
    ) -> None:
        """`seeds` trains more seeds of the two designs; `read_results` is called in a thread."""
        super().__init__(parent)
        self.setObjectName("compareDialog")
        self.setWindowTitle("Compare designs")
        self.resize(860, 700)
        self._project = project
        self._designs = list(designs)
        self._other: Network | None = None
        self._run: Path | None = None
        self._diff: Diff | None = None
        self._results: CompletedRuns | None = None
        self._read_results = read_results
        self._reading: IoTask | None = None
        self._is_reading = False
        self._choice = QComboBox()
        self._browse = QPushButton("Open file…")
        self._sides = (DesignSide("other design"), DesignSide("open design"))
        self._costs = ComparedCosts()
        self._seeds = seeds
        self._seed_line = SeedLine(seeds, self._compare)
        self._summary = Label("", "strong", wrap=True)
        self._entries = EntryList()
        self._copy = QPushButton("Copy as text")
        self._later = QTimer(self)
        self._compose()
        self._connect()
        self._on_chosen(self._choice.currentIndex())

    def _compose(self) -> None:
        self._choice.setObjectName("compareWith")
        self._choice.setAccessibleName("Compare the open design with")
        self._choice.addItems([plain_line(design.title) for design in self._designs])
        self._choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._browse.setObjectName("compareFile")
        self._summary.setObjectName("compareSummary")
        self._copy.setObjectName("copyDifferences")
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(Label("Compare with"))
        head.addWidget(self._choice, 1)
        head.addWidget(self._browse)
        images = QHBoxLayout()
        images.setSpacing(12)
        for side in self._sides:
            images.addWidget(side)
        panel = Panel()
        inside = QVBoxLayout(panel)
        inside.setContentsMargins(1, 12, 1, 8)
        inside.setSpacing(8)
        self._summary.setContentsMargins(14, 0, 14, 0)
        inside.addWidget(self._summary)
        inside.addWidget(Line())
        inside.addWidget(self._entries, 1)
        column = dialog_column(self)
        column.addLayout(head)
        column.addLayout(images)
        column.addWidget(self._costs)
        column.addWidget(self._seed_line)
        column.addWidget(panel, 1)
        column.addLayout(button_row(leave_button(self), left=[self._copy]))

    def _connect(self) -> None:
        self._later.setSingleShot(True)
        self._later.setInterval(_DELAY)
        self._later.timeout.connect(self._compare)
        self._choice.activated.connect(self._on_chosen)
        self._browse.clicked.connect(self._on_browse)
        self._copy.clicked.connect(self._on_copy)
        self._entries.current_changed.connect(self._on_entry_selected)
        self._project.network_changed.connect(self._compare_later)
        theme().changed.connect(self._compare_later)
        self._project.recipe_changed.connect(self._compare_later)
        self._project.dataset_changed.connect(self._compare_later)
        self._seeds.ended.connect(self._read)
        self.finished.connect(lambda _: self._cancel_reading())
        self._read()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._compare()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        is_return = is_enter(event)
        if is_return and not isinstance(self.focusWidget(), QPushButton):
            # Otherwise the dialog would click its first button, which opens a file.
            self._on_chosen(self._choice.currentIndex())
        else:
            super().keyPressEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._later.stop()

    # User input

    def add_file(self, path: Path) -> None:
        """Compares with the design in a file."""
        self._designs.append(from_file(path))
        self._choice.addItem(plain_line(self._designs[-1].title))
        self._choice.setCurrentIndex(self._choice.count() - 1)
        self._on_chosen(self._choice.currentIndex())

    def _on_browse(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Compare with a design", "", _FILTER)
        if name:
            self.add_file(Path(name))

    def _on_chosen(self, index: int) -> None:
        try:
            self._other, self._run = self._designs[index].read(), self._designs[index].run
        except UserError as error:
            self._other = None
            self._show_error(str(error))
        else:
            self._compare()

    def _on_entry_selected(self, entry: object) -> None:
        assert isinstance(entry, Entry)
        if entry.after is not None and entry.after.id in self._project.network:
            self._project.select([entry.after.id])

    def _on_copy(self) -> None:
        if self._diff is not None:
            title = f"{self._diff.before.network.name} → {self._diff.after.network.name}"
            lines = (title, *self._diff.lines(), self._costs.verdict)
            QGuiApplication.clipboard().setText("\n".join(filter(None, lines)))

    # Results

    def _read(self, _: object = None) -> None:
        # Reading many runs takes a while, and a drive may hang.
        self._cancel_reading()
        # Until it is known which runs there are, more seeds would train some of them again.
        self._is_reading = True
        self._seed_line.offer(None, None)
        self._reading = IoTask(lambda progress, cancelled: self._read_results(), self)
        self._reading.done.connect(self._on_results)
        self._reading.start()

    def _cancel_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()

    def _on_results(self, results: object) -> None:
        assert isinstance(results, CompletedRuns)
        self._is_reading = False
        self._list_trainings(results)
        self._results = results
        self._compare()

    def _list_trainings(self, results: CompletedRuns) -> None:
        """Lists the newest trainings first, in place of those that were read before."""
        chosen = self._choice.currentIndex()
        design = self._designs[chosen]
        known = len(self._results.trainings[:_MOST_RUNS]) if self._results is not None else 0
        del self._designs[:known]
        for _ in range(known):
            self._choice.removeItem(0)
        found = [from_training(runs) for runs in results.trainings[:_MOST_RUNS]]
        self._designs[:0] = found
        self._choice.insertItems(0, [plain_line(each.title) for each in found])
        if chosen < known:
            same = (number for number, each in enumerate(found) if each.run == design.run)
            self._choice.setCurrentIndex(next(same, -1))

    def _compare_later(self, _: object) -> None:
        if self.isVisible():
            self._later.start()

    def _compare(self) -> None:
        if self._other is None:
            return
        found = self._diff = diff(self._other, self._project.network)
        for side, analysis in zip(self._sides, (found.before, found.after), strict=True):
            side.show_design(analysis)
        self._costs.show_costs(found)
        self._show_results(found)
        self._summary.setText(_summary(found))
        self._summary.set_tone("text")
        self._entries.show_entries(found.entries)
        self._copy.setEnabled(True)

    def _show_results(self, found: Diff) -> None:
        """Shows the accuracies of both, and offers more seeds if these leave open whether they differ."""
        results, before, now = self._results, found.before, found.after
        if results is None:
            return
        groups = results.best_pair(before.network, now.network, self._run)
        known = [run for runs in results.trainings for run in runs]
        comparison = compare_trainings(*groups, WITH_MORE_SEEDS, "current accuracy", known)
        self._costs.show_results(*groups, comparison)
        is_open = comparison.result is None or not comparison.result.is_significant
        is_comparable = not all(groups) or comparison.result is not None
        can_train = not (self._is_reading or found.is_empty or before.problems or now.problems)
        sides = self._trainings(before.network, now.network, groups)
        self._seed_line.offer(sides if can_train and is_open and is_comparable else None, results)

    def _trainings(
        self, before: Network, now: Network, groups: tuple[list[Run], list[Run]]
    ) -> tuple[Side, Side] | None:
        """What both are trained with: what they were trained with, or else what the other one was."""
        recipe, dataset_name = self._project.recipe, self._project.dataset_name
        for runs in reversed(groups):
            if runs and runs[0].continued_from:
                return None
            if runs:
                recipe, dataset_name = runs[0].recipe, runs[0].dataset_name
        first, second = (
            Side(Training.of(runs[0]) if runs else Training(network, recipe, dataset_name), runs)
            for network, runs in zip((before, now), groups, strict=True)
        )
        return (first, second) if first.training.dataset_name and second.training.dataset_name else None

    def _show_error(self, message: str) -> None:
        self._diff = None
        self._seed_line.offer(None, None)
        self._summary.setText(message)
        self._summary.set_tone("wrong")
        self._entries.show_entries(())
        self._copy.setEnabled(False)


def _summary(found: Diff) -> str:
    if found.is_empty:
        return "The two designs are the same."
    statuses: dict[str, int] = {}
    for entry in found.entries:
        statuses[entry.status] = statuses.get(entry.status, 0) + 1
    parts = [f"{format_count(number)} {status}" for status, number in statuses.items()]
    if found.before.network.input != found.after.network.input:
        parts.insert(0, f"input {found.after.network.input} instead of {found.before.network.input}")
    if not found.entries:
        return f"Same layers, but {parts[0]}."
    return f"{pluralize(len(found.entries), 'difference')}: {', '.join(parts)}."
