"""Which rows the table of runs shows: filtered, sorted, grouped, and each branch below its parent."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from cnnstudio.core.formatting import pluralize
from cnnstudio.runs.comparing.significance import SeedStatistics
from cnnstudio.runs.library.columns import Column, column, data_name, describe_status, last_part
from cnnstudio.runs.library.summary import RunSummary, Values

SAME_TRAINING = "training"
"""The key of the groups whose runs differ only in their seed."""
_MAX_DEPTH = 4


@dataclass(frozen=True)
class Query:
    """What the user asked the table for."""

    text: str = ""
    """Each of its words has to occur in what is known of a run."""
    sort: str = "started"
    """The key of a column."""
    is_reversed: bool = False
    """Whether the order is the other way round than the column's usual one."""
    group: str = ""
    """The key of a column, SAME_TRAINING, or empty for none."""
    collapsed: frozenset[str] = frozenset()
    """The keys of the groups whose runs are hidden."""


@dataclass(frozen=True)
class Group:
    """Runs with the same value of the field by which the table is grouped."""

    key: str
    title: str
    runs: tuple[RunSummary, ...]
    branches: int
    """How many of them started from the weights of another one."""
    statistics: SeedStatistics | None
    """Of the best validation accuracies; None if no run has one."""

    @property
    def text(self) -> str:
        """`3 runs · validation 70.5% ± 1.1 points`."""
        counted = pluralize(len(self.runs), "run")
        if self.statistics is None:
            return counted
        return f"{counted} · validation {format_points(self.statistics)}"


def format_points(statistics: SeedStatistics) -> str:
    """`70.5% ± 1.1 points`, the deviation only for two or more."""
    mean = f"{100 * statistics.mean:.1f}%"
    return mean if statistics.std is None else f"{mean} ± {100 * statistics.std:.1f} points"


class Row(NamedTuple):
    """A run, or the head of a group."""

    run: RunSummary | None = None
    group: Group | None = None
    depth: int = 0
    """How many parents a branch hangs below."""
    is_collapsed: bool = False


@dataclass(frozen=True)
class Arrangement:
    """The rows in their order."""

    rows: tuple[Row, ...] = ()
    runs: tuple[RunSummary, ...] = ()
    """Those that the filter leaves, also in collapsed groups."""
    axis: tuple[float, float] = field(default=(0.0, 1.0))
    """The range of accuracies that the bands of all groups share."""


class Finder:
    """Finds runs by words. Remembers the text of each run: the user types one letter after the other."""

    def __init__(self) -> None:
        self._texts: dict[int, tuple[RunSummary, str]] = {}
        """By the identity of the run, which is kept so that no other gets it."""

    def find(self, summaries: Sequence[RunSummary], text: str) -> list[RunSummary]:
        """The runs in which each of the words occurs."""
        words = text.casefold().split()
        if not words:
            return list(summaries)
        return [run for run in summaries if all(map(self._text(run).__contains__, words))]

    def _text(self, run: RunSummary) -> str:
        known = self._texts.get(id(run))
        if known is None:
            known = self._texts[id(run)] = run, _searchable(run)
        return known[1]


def arrange(summaries: Sequence[RunSummary], query: Query, finder: Finder | None = None) -> Arrangement:
    """The rows for the query. 10,000 runs take some hundredths of a second."""
    matching = (finder or Finder()).find(summaries, query.text)
    found = _sorted(matching, column(query.sort), query.is_reversed)
    if not query.group:
        rows = (Row(run=run, depth=depth) for run, depth in _with_branches(found))
        return Arrangement(tuple(rows), tuple(found))
    groups = _groups(found, query.group)
    return Arrangement(
        tuple(chain.from_iterable(_rows(group, query.collapsed) for group in groups)),
        tuple(found),
        _axis(groups),
    )


def _sorted(runs: Iterable[RunSummary], by: Column, is_reversed: bool) -> list[RunSummary]:
    """Numbers before texts, and runs without a value last in either order."""
    pairs = [(by.value(run), run) for run in runs]
    known = [pair for pair in pairs if pair[0] is not None and pair[0] != ""]
    has_texts = any(isinstance(value, str) for value, _ in known)
    order = (lambda pair: _order(pair[0])) if has_texts else itemgetter(0)
    known.sort(key=order, reverse=by.best_first != is_reversed)
    return [*(run for _, run in known), *(run for value, run in pairs if value is None or value == "")]


def _order(value: Any) -> tuple[bool, Any]:
    return (True, value.casefold()) if isinstance(value, str) else (False, value)


def _searchable(run: RunSummary) -> str:
    label = run.label
    return "\n".join(
        (
            *(
                label.title,
                run.name,
                run.id,
                data_name(run),
                last_part(run.data),
                run.recipe_name,
                f"seed {run.seed}",
            ),
            *(describe_status(run), *label.tags, label.note),
        )
    ).casefold()


def _with_branches(runs: Iterable[RunSummary]) -> list[tuple[RunSummary, int]]:
    """The runs with their depths, each branch directly below its parent, if that is among them."""
    runs = list(runs)
    if not any(run.parent for run in runs):
        return [(run, 0) for run in runs]
    known = {run.id for run in runs}
    children: dict[str, list[RunSummary]] = {}
    roots: list[RunSummary] = []
    for run in runs:
        is_branch = run.parent in known and run.parent != run.id
        (children.setdefault(run.parent, []) if is_branch else roots).append(run)
    ordered: list[tuple[RunSummary, int]] = []
    waiting = [(run, 0) for run in reversed(roots)]
    while waiting:
        run, depth = waiting.pop()
        ordered.append((run, depth))
        below = children.pop(run.id, [])
        waiting.extend((child, min(depth + 1, _MAX_DEPTH)) for child in reversed(below))
    # Runs that claim to descend from each other have no root.
    ordered.extend((run, 0) for below in children.values() for run in below)
    return ordered


def _groups(runs: Sequence[RunSummary], key: str) -> list[Group]:
    """In the order of their first runs, so that the best group comes first when sorted by accuracy."""
    by = None if key == SAME_TRAINING else column(key)
    members: dict[object, list[RunSummary]] = {}
    known = {run.id: run for run in runs} if any(run.parent for run in runs) else {}
    # Many runs share their settings, which take long to compare.
    shared: dict[object, list[RunSummary]] = {}
    for run in runs:
        root = _root(run, known) if known else run
        if by is not None:
            members.setdefault(_group_value(root, by), []).append(run)
            continue
        alike = id(root.settings), root.design, root.data
        if alike not in shared:
            shared[alike] = members.setdefault(_group_value(root, by), [])
        shared[alike].append(run)
    return [
        Group(
            repr(value),
            _group_title(group[0], by),
            tuple(group),
            sum(run.parent in known for run in group) if known else 0,
            _statistics(group),
        )
        for value, group in members.items()
    ]


def _root(run: RunSummary, known: dict[str, RunSummary]) -> RunSummary:
    """The run that a branch hangs below, in whose group it is shown."""
    for _ in range(_MAX_DEPTH):
        if not run.parent or run.parent not in known or run.parent == run.id:
            break
        run = known[run.parent]
    return run


def _group_value(run: RunSummary, by: Column | None) -> object:
    if by is not None:
        value = by.value(run)
        return value if by.key != "started" else by.text(run)
    return run.design, run.data, _without_seed(run.settings)


def _without_seed(settings: Values) -> Hashable:
    """What two recipes have in common that differ only in their seed."""
    irrelevant = ("seed", "accumulate")
    return tuple(sorted(each for each in settings.items() if each[0] not in irrelevant))


def _group_title(run: RunSummary, by: Column | None) -> str:
    if by is None:
        return f"{run.name}, {run.recipe_name}, {pluralize(run.epochs, 'epoch')}"
    if by.key in ("run", "recipe", "network", "data", "status", "tags", "note"):
        return by.text(run) or f"No {by.title.lower()}"
    return f"{by.title} {by.text(run)}"


def _statistics(runs: Iterable[RunSummary]) -> SeedStatistics | None:
    values = tuple(run.best_accuracy for run in runs if run.best_accuracy is not None)
    return SeedStatistics(values) if values else None


def _rows(group: Group, collapsed: Collection[str]) -> list[Row]:
    is_collapsed = group.key in collapsed
    head = Row(group=group, is_collapsed=is_collapsed)
    if is_collapsed:
        return [head]
    return [head, *(Row(run=run, depth=depth) for run, depth in _with_branches(group.runs))]


def _axis(groups: Iterable[Group]) -> tuple[float, float]:
    """A range of whole tens of percents that holds the means and deviations of all groups."""
    ends = [
        statistics.mean + sign * (statistics.std or 0.0)
        for group in groups
        if (statistics := group.statistics) is not None
        for sign in (-1, 1)
    ]
    if not ends:
        return 0.0, 1.0
    low, high = max(math.floor(10 * min(ends)) / 10, 0.0), min(math.ceil(10 * max(ends)) / 10, 1.0)
    return (low, high) if high > low else (max(low - 0.1, 0.0), min(low + 0.1, 1.0))
