"""What two designs cost and reach, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout

from cnnstudio.core.formatting import at_least, format_change, format_compact, format_count
from cnnstudio.design.diff import Diff
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import Label, Panel
from cnnstudio.runs.comparing.comparison import TrainingComparison, same_recipe
from cnnstudio.runs.comparing.significance import SeedStatistics, format_accuracy
from cnnstudio.runs.run import Run

_ACCURACY = "Test accuracy"
_ROWS = ("Layers", "Parameters", "Multiply-adds", "Output", "Problems", _ACCURACY)


class ComparedCosts(Panel):
    """A table with the costs and results of both designs and how much they differ."""

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
        for column, text in enumerate(("", "other", "open", "difference")):
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
        """Whether the test accuracies differ, as text; empty if that is unknown."""
        return self._verdict.text()

    def show_results(self, before: Sequence[Run], now: Sequence[Run], comparison: TrainingComparison) -> None:
        """Shows the test accuracies of the two designs, if they were trained, and whether they differ."""
        one, other = comparison.statistics
        result = comparison.result
        change = f"{format_change(100 * result.difference, '.1f')} points" if result is not None else ""
        self._show(_ACCURACY, _result(one), _result(other), change)
        text = comparison.text
        if result is not None and not same_recipe(before, now):
            text += " They were trained with different recipes."
        self._verdict.setText(text)
        self._verdict.setVisible(bool(text))

    def show_costs(self, found: Diff) -> None:
        old, new = found.before, found.after
        self._show("Layers", *(format_count(side.network.layer_count) for side in (old, new)))
        exact = old.has_known_costs, new.has_known_costs
        self._show("Parameters", *_amounts(old.parameters, new.parameters, exact))
        self._show("Multiply-adds", *_amounts(old.macs, new.macs, exact))
        self._show("Output", *(str(side.output or "unknown") for side in (old, new)))
        self._show("Problems", *(format_count(len(side.problems)) for side in (old, new)))

    def _show(self, name: str, before: str, now: str, change: str = "") -> None:
        for label, text in zip(self._values[name], (before, now, change), strict=True):
            label.setText(text)
        self._values[name][1].set_tone("text" if before != now else "secondary")
        self._values[name][0].set_tone("secondary")


def _result(statistics: SeedStatistics | None) -> str:
    """`65.2 ± 1.1% (5 seeds)`."""
    if statistics is None:
        return "not trained yet"
    seeds = len(statistics.values)
    return f"{format_accuracy(statistics)} ({seeds} seeds)" if seeds > 1 else format_accuracy(statistics)


def _amounts(before: int, now: int, exact: tuple[bool, bool]) -> tuple[str, str, str]:
    is_known = before and all(exact)
    change = format_change((now - before) / before, ",.1%") if is_known and before != now else ""
    # The short form is only used if the difference is still visible in it.
    is_compact = min(before, now) >= 10**6 and format_compact(before) != format_compact(now)
    formatted = format_compact if is_compact else format_count
    return (
        at_least(formatted(before), is_exact=exact[0]),
        at_least(formatted(now), is_exact=exact[1]),
        change,
    )
