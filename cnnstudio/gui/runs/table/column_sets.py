"""Which columns the table of runs shows: what differs, the results, or everything."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cnnstudio.runs.library.columns import FIXED, Column, differing
from cnnstudio.runs.library.summary import RunSummary

DIFFERENCES, RESULTS, ALL = "differences", "results", "all"
COLUMN_SETS = (
    ("Columns: what differs", DIFFERENCES),
    ("Columns: results", RESULTS),
    ("Columns: everything", ALL),
)
_FIRST, _LAST = ("run", "loss", "best", "test"), ("time", "parameters", "started")
_RESULTS = ("run", "loss", "best", "last", "test", "recipe", "data", "seed", *_LAST)

Fit = Callable[[Sequence[Column]], list[Column]]
"""The first columns that fit beside each other."""


def choose_columns(which: str, runs: Sequence[RunSummary], grouped_by: str, fit: Fit) -> list[Column]:
    """The columns from left to right. Where not all fit, fields of recipes and designs are left out first.

    The field by which the runs are grouped has no column: it is the same in the whole group.
    """
    first, last = [FIXED[key] for key in _FIRST], [FIXED[key] for key in _LAST]
    if which == RESULTS:
        return fit([FIXED[key] for key in _RESULTS])
    different = [each for each in differing(runs) if each.key != grouped_by]
    if which == ALL:
        others = [each for key, each in FIXED.items() if key not in (*_FIRST, *_LAST)]
        return [*first, *others, *different, *last]
    if len({run.parameters for run in runs}) <= 1:
        last.remove(FIXED["parameters"])
    fitting = {each.key for each in fit([*first, *last, *different])}
    return [each for each in (*first, *different, *last) if each.key in fitting]
