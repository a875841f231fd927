"""The comparison of the open design with another one; it stays open and follows the edits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QGuiApplication, QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.core.colors import palette
from cnnstudio.core.errors import UserError
from cnnstudio.core.formatting import count, plural, rounded
from cnnstudio.design.analysis.analysis import Analysis
from cnnstudio.design.diagram.svg import svg, volumes
from cnnstudio.design.diff import Diff, Entry, diff
from cnnstudio.design.file import SUFFIX
from cnnstudio.design.network import Network
from cnnstudio.gui.compare.designs import Design, from_file, from_training
from cnnstudio.gui.compare.entry_list import EntryList
from cnnstudio.gui.compute.io_task import Work
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.svg_pixmap import svg_pixmap
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Line, Panel
from cnnstudio.runs.comparison import Results, judge, same_recipe
from cnnstudio.runs.run import Run, list_runs
from cnnstudio.runs.significance import Spread, in_words

_IMAGE = QSize(372, 108)
_DELAY = 120
"""Milliseconds after an edit: the list comes first, and quick edits are compared once."""
_FILTER = f"Designs (*{SUFFIX});;All files (*)"
_MOST_RUNS = 12
_MORE_SEEDS = "several seeds (Run menu)"
_ACCURACY = "Test accuracy"
_ROWS = ("Layers", "Parameters", "Multiply-adds", "Output", "Problems", _ACCURACY)


class CompareDialog(QDialog):
    """Both designs drawn, what one costs beside the other, and every difference in a sentence."""

    def __init__(
        self,
        project: Project,
        designs: Sequence[Design],
        parent: QWidget | None = None,
        read_results: Callable[[], Results] = lambda: Results(list_runs()),
    ) -> None:
        super().__init__(parent)
        self.setObjectName("compareDialog")
        self.setWindowTitle("Compare designs")
        self.resize(860, 700)
        self._project = project
        self._designs = list(designs)
        self._other: Network | None = None
        self._run: Path | None = None
        self._diff: Diff | None = None
        self._results: Results | None = None
        self._reading = Work(lambda progress, cancelled: read_results(), self)
        self._choice = QComboBox()
        self._browse = QPushButton("Another file…")
        self._sides = (_Side("before"), _Side("now"))
        self._costs = _Costs()
        self._sentence = Label("", "strong", wrap=True)
        self._entries = EntryList()
        self._copy = QPushButton("Copy as text")
        self._later = QTimer(self)
        self._compose()
        self._connect()
        self._on_chosen(self._choice.currentIndex())

    def _compose(self) -> None:
        self._choice.setObjectName("compareWith")
        self._choice.setAccessibleName("Compare the open design with")
        self._choice.addItems([design.title for design in self._designs])
        self._browse.setObjectName("compareFile")
        self._sentence.setObjectName("compareSentence")
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
        self._sentence.setContentsMargins(14, 0, 14, 0)
        inside.addWidget(self._sentence)
        inside.addWidget(Line())
        inside.addWidget(self._entries, 1)
        close = QPushButton("Close")
        close.clicked.connect(self.reject)
        foot = QHBoxLayout()
        foot.setSpacing(8)
        foot.addWidget(self._copy)
        foot.addStretch(1)
        foot.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addLayout(head)
        column.addLayout(images)
        column.addWidget(self._costs)
        column.addWidget(panel, 1)
        column.addLayout(foot)

    def _connect(self) -> None:
        self._later.setSingleShot(True)
        self._later.setInterval(_DELAY)
        self._later.timeout.connect(self._compare)
        self._choice.activated.connect(self._on_chosen)
        self._browse.clicked.connect(self._on_browse)
        self._copy.clicked.connect(self._on_copy)
        self._entries.pointed.connect(self._on_pointed)
        self._project.network_changed.connect(self._compare_later)
        theme().changed.connect(self._compare_later)
        # Many runs take a while to be read, and some drives for ever.
        self._reading.done.connect(self._on_results)
        self.finished.connect(lambda _: self._reading.cancel())
        self._reading.start()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._compare()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._later.stop()

    # What the user does

    def add_file(self, path: Path) -> None:
        """Compares with the design in a file."""
        self._designs.append(from_file(path))
        self._choice.addItem(self._designs[-1].title)
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
            self._show_nothing(str(error))
        else:
            self._compare()

    def _on_pointed(self, entry: object) -> None:
        assert isinstance(entry, Entry)
        if entry.after is not None and entry.after.id in self._project.network:
            self._project.select([entry.after.id])

    def _on_copy(self) -> None:
        if self._diff is not None:
            title = f"{self._diff.before.network.name} → {self._diff.after.network.name}"
            lines = (title, *self._diff.lines(), self._costs.verdict)
            QGuiApplication.clipboard().setText("\n".join(filter(None, lines)))

    # What is shown

    def _on_results(self, results: object) -> None:
        assert isinstance(results, Results)
        self._results = results
        for number, runs in enumerate(results.trainings[:_MOST_RUNS]):
            design = from_training(runs)
            self._designs.insert(number, design)
            self._choice.insertItem(number, design.title)
        self._compare()

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
        if self._results is not None:
            self._costs.show_results(*self._results.pair(self._other, self._project.network, self._run))
        self._sentence.setText(_summary(found))
        self._sentence.set_tone("text")
        self._entries.show_entries(found.entries)
        self._copy.setEnabled(True)

    def _show_nothing(self, sentence: str) -> None:
        self._diff = None
        self._sentence.setText(sentence)
        self._sentence.set_tone("wrong")
        self._entries.show_entries(())
        self._copy.setEnabled(False)


class _Side(Panel):
    """One of the two designs: its name and its drawing."""

    def __init__(self, when: str) -> None:
        super().__init__()
        self._when = when
        self._name = ElidedLabel("", "strong")
        self._image = QLabel()
        self._image.setMinimumSize(_IMAGE)
        self._image.setAlignment(Qt.AlignmentFlag.AlignCenter)
        head = QHBoxLayout()
        head.addWidget(self._name, 1)
        head.addWidget(Label(when, "help", "secondary"))
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 14, 10)
        column.addLayout(head)
        column.addWidget(self._image)

    def show_design(self, analysis: Analysis) -> None:
        text = svg(volumes(analysis, labels=False), palette(theme().scheme), ground=False)
        self._name.set_whole(analysis.network.name)
        self._image.setPixmap(svg_pixmap(text, _IMAGE, self.devicePixelRatioF()))
        self._image.setAccessibleName(f"Drawing of {analysis.network.name}, {self._when}")


class _Costs(Panel):
    """The numbers of both, one beside the other, and by how much they differ."""

    def __init__(self) -> None:
        super().__init__("compareCosts")
        grid = QGridLayout(self)
        grid.setContentsMargins(14, 10, 14, 10)
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(4)
        for column in range(4):
            grid.setColumnStretch(column, 1)
        self._verdict = Label("", "help", wrap=True)
        self._verdict.setContentsMargins(0, 6, 0, 0)
        self._verdict.setObjectName("compareVerdict")
        self._verdict.hide()
        right = Qt.AlignmentFlag.AlignRight
        for column, text in enumerate(("", "before", "now", "change")):
            grid.addWidget(Label(text, "help", "secondary"), 0, column, right)
        self._values = {name: tuple(Label("", "help") for _ in range(3)) for name in _ROWS}
        for row, (name, labels) in enumerate(self._values.items(), start=1):
            grid.addWidget(Label(name, "help", "secondary"), row, 0)
            for column, label in enumerate(labels, start=1):
                label.setFont(theme().monospace())
                label.setObjectName(f"compare_{name.lower().replace(' ', '_')}_{column}")
                grid.addWidget(label, row, column, right)
        grid.addWidget(self._verdict, len(self._values) + 1, 0, 1, 4)

    @property
    def verdict(self) -> str:
        """What the results come to, in words."""
        return self._verdict.text()

    def show_results(self, before: Sequence[Run], now: Sequence[Run]) -> None:
        """The accuracies that the two designs reached, where they were trained, and whether they differ."""
        judged = judge(before, now, _MORE_SEEDS, "accuracy now")
        one, other = judged.spreads
        change = f"{100 * judged.verdict.difference:+.1f} points" if judged.verdict is not None else ""
        self._show(_ACCURACY, _result(one), _result(other), change.replace("-", "\N{MINUS SIGN}"))
        words = judged.sentence
        if judged.verdict is not None and not same_recipe(before, now):
            words += " They were not trained with the same recipe."
        self._verdict.setText(words)
        self._verdict.setVisible(bool(words))

    def show_costs(self, found: Diff) -> None:
        old, new = found.before, found.after
        self._show("Layers", *(count(side.network.layer_count) for side in (old, new)))
        self._show("Parameters", *_amounts(old.parameters, new.parameters))
        self._show("Multiply-adds", *_amounts(old.macs, new.macs))
        self._show("Output", *(str(side.output or "not known") for side in (old, new)))
        self._show("Problems", *(count(len(side.problems)) for side in (old, new)))

    def _show(self, name: str, before: str, now: str, change: str = "") -> None:
        for label, text in zip(self._values[name], (before, now, change), strict=True):
            label.setText(text)
        self._values[name][1].set_tone("text" if before != now else "secondary")
        self._values[name][0].set_tone("secondary")


def _result(spread: Spread | None) -> str:
    """`65.2 ± 1.1% (5 seeds)`."""
    if spread is None:
        return "not trained yet"
    count = len(spread.values)
    return f"{in_words(spread)} ({count} seeds)" if count > 1 else in_words(spread)


def _amounts(before: int, now: int) -> tuple[str, str, str]:
    change = "" if before == now or not before else f"{(now - before) / before:+,.1%}"
    short = rounded if min(before, now) >= 10**6 and rounded(before) != rounded(now) else count
    return short(before), short(now), change.replace("%", " %").replace("-", "\N{MINUS SIGN}")


def _summary(found: Diff) -> str:
    if found.is_empty:
        return "The two designs are the same."
    statuses: dict[str, int] = {}
    for entry in found.entries:
        statuses[entry.status] = statuses.get(entry.status, 0) + 1
    parts = [f"{count(number)} {status}" for status, number in statuses.items()]
    if found.before.network.input != found.after.network.input:
        parts.insert(0, f"images of {found.after.network.input}, not {found.before.network.input}")
    if not found.entries:
        return f"The layers are the same; {parts[0]}."
    return f"{plural(len(found.entries), 'difference')}: {', '.join(parts)}."
