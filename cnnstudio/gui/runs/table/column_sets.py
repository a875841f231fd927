"""Which columns the table of runs shows: what differs, the results, or everything."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cnnstudio.runs.library.columns import FIXED, Column, differing
from cnnstudio.runs.library.listing import RunListing
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


def choose_columns(
    which: str, listing: RunListing, runs: Sequence[RunSummary], grouped_by: str, fit: Fit
) -> list[Column]:
    """The columns for these of the listed runs, from left to right.

    Where not all fit, fields of recipes and designs are left out first.

    The field by which the runs are grouped has no column: it is the same in the whole group. When a run was
    started is in sight in every set: by that runs of the same title are told apart.
    """
    fixed = {**FIXED, "started": listing.started}
    first, last = [fixed[key] for key in _FIRST], [fixed[key] for key in _LAST]
    if which == RESULTS:
        columns = [fixed[key] for key in _RESULTS]
        return _in_order(columns, fit([columns[0], columns[-1], *columns[1:-1]]))
    known = listing.differing if len(runs) == len(listing.runs) else differing(runs)
    different = [each for each in known if each.key != grouped_by]
    if which == ALL:
        # They do not fit beside each other, and what is at the right end is out of sight at first.
        last.remove(fixed["started"])
        others = [each for key, each in fixed.items() if key not in (*_FIRST, *_LAST)]
        return [first[0], fixed["started"], *first[1:], *others, *different, *last]
    if len({run.parameters for run in runs}) <= 1:
        last.remove(fixed["parameters"])
    columns = [*first, *different, *last]
    return _in_order(columns, fit([first[0], last[-1], *first[1:], *last[:-1], *different]))


def _in_order(columns: Sequence[Column], some: Sequence[Column]) -> list[Column]:
    keys = {each.key for each in some}
    return [each for each in columns if each.key in keys]
