"""The columns of the table of runs: fixed ones, and one for each field of a recipe or design."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from cnnstudio.core.formatting import format_count, format_duration, format_percent
from cnnstudio.core.parameters import parameters
from cnnstudio.data.sources import sources
from cnnstudio.runs.library.starts import describe_start, distinct_starts
from cnnstudio.runs.library.summary import RunSummary
from cnnstudio.runs.library.tested import describe_accuracy
from cnnstudio.training.recipe.recipe import FIELD_GROUPS, Recipe

RECIPE, DESIGN = "recipe.", "design."
"""Before the name of a field in the key of its column."""
_ABSENT = "–"


@dataclass(frozen=True)
class Column:
    """One column. Two runs are equal in it if their values are; values of one kind can be sorted."""

    key: str
    title: str
    value: Callable[[RunSummary], Any]
    """None for a run that has none."""
    text: Callable[[RunSummary], str]
    is_number: bool = True
    """Whether it is aligned to the right."""
    best_first: bool = False
    """Whether sorting begins with the highest value."""


def _percent(value: float | None) -> str:
    return _ABSENT if value is None else format_percent(value)


def _with_epoch(value: float | None, epoch: int | None) -> str:
    return _ABSENT if value is None else f"{format_percent(value)} ({epoch})"


def test_text(summary: RunSummary) -> str:
    """`93.4%`, and `93.4% · 3×` where the test images were evaluated three times.

    `93.4% (best)` is that of the best of all epochs on the test images.
    """
    text = _percent(summary.test_accuracy)
    if summary.is_chosen_on_test and summary.test_accuracy is not None:
        text += " (best)"
    return f"{text} · {format_count(summary.evaluations)}×" if summary.evaluations > 1 else text


def describe_test(summary: RunSummary) -> str:
    """`test accuracy 93.4%, evaluated 3 times`; empty if it was not tested."""
    if summary.test_accuracy is None:
        return ""
    return describe_accuracy(
        summary.test_accuracy,
        is_chosen_on_test=summary.is_chosen_on_test,
        evaluations=summary.evaluations,
    )


def started(summary: RunSummary) -> str:
    """When it was started; "–" if that is not known."""
    return describe_start(summary.created) or _ABSENT


def started_column(summaries: Iterable[RunSummary]) -> Column:
    """The column of the start, in which no two runs of the same title look the same."""
    exact = distinct_starts((run.folder, run.title, run.created) for run in summaries)
    return dataclasses.replace(FIXED["started"], text=lambda run: exact.get(run.folder) or started(run))


def describe_status(summary: RunSummary) -> str:
    """`epoch 3 of 8` while it trains, otherwise how it ended."""
    if summary.is_running:
        return f"epoch {summary.last_epoch or 0} of {summary.epochs}"
    return summary.status


_FIXED = (
    Column("run", "Run", lambda run: run.title, lambda run: run.title, is_number=False),
    Column("loss", "Loss", lambda run: run.last_loss, lambda run: _loss(run.last_loss)),
    Column(
        "best",
        "Best",
        lambda run: run.best_accuracy,
        lambda run: _with_epoch(run.best_accuracy, run.best_epoch),
        best_first=True,
    ),
    Column(
        "last",
        "Last",
        lambda run: run.last_accuracy,
        lambda run: _with_epoch(run.last_accuracy, run.last_epoch),
        best_first=True,
    ),
    Column(
        "test",
        "Test",
        lambda run: run.test_accuracy,
        test_text,
        best_first=True,
    ),
    Column("data", "Data", lambda run: run.data, lambda run: data_name(run), is_number=False),
    Column(
        "recipe",
        "Recipe",
        lambda run: f"{run.recipe_name}, {run.epochs}",
        lambda run: f"{run.recipe_name}, {run.epochs} epochs",
        is_number=False,
    ),
    Column("network", "Network", lambda run: run.name, lambda run: run.name, is_number=False),
    Column("status", "Status", lambda run: run.status, describe_status, is_number=False),
    Column("time", "Time", lambda run: run.seconds or None, lambda run: format_duration(run.seconds)),
    Column(
        "parameters",
        "Parameters",
        lambda run: run.parameters,
        lambda run: _ABSENT if run.parameters is None else format_count(run.parameters),
    ),
    Column("seed", "Seed", lambda run: run.seed, lambda run: str(run.seed)),
    Column(
        "tags",
        "Tags",
        lambda run: ", ".join(run.label.tags),
        lambda run: ", ".join(run.label.tags),
        is_number=False,
    ),
    Column("note", "Note", lambda run: run.label.note, lambda run: run.label.note, is_number=False),
    Column("started", "Started", lambda run: run.created, started, best_first=True),
)
FIXED: Mapping[str, Column] = {column.key: column for column in _FIXED}


def _loss(value: float | None) -> str:
    return _ABSENT if value is None else f"{value:.3f}"


def data_name(summary: RunSummary) -> str:
    """The title of a data set that the program brings along, else the name, or the last part of a folder."""
    return _titles().get(summary.data) or last_part(summary.data)


def last_part(data: str) -> str:
    """The name of a data set, or the last part of its folder."""
    return data.replace("\\", "/").rstrip("/").rpartition("/")[2] or data


@cache
def _titles() -> dict[str, str]:
    """`cifar10` -> `CIFAR-10`."""
    return {source.name: source.title for source in sources() if source.built_in}


@cache
def recipe_column(name: str) -> Column:
    """The column of a field of the recipe."""
    parameter = next(each for each in parameters(Recipe) if each.name == name)
    return Column(
        RECIPE + name,
        parameter.label,
        lambda run: run.setting(name),
        lambda run: parameter.text(run.setting(name)),
        is_number=not isinstance(parameter.default, str | bool),
    )


@cache
def design_column(name: str) -> Column:
    """The column of a value of the design, such as `conv2d_1 filters`."""
    return Column(
        DESIGN + name,
        name.replace("_", " ").capitalize() if name == "input" else name,
        lambda run: run.design_values.get(name),
        lambda run: str(run.design_values.get(name, _ABSENT)),
        is_number=False,
    )


def column(key: str) -> Column:
    """The column with that key. Raises KeyError for one that never was."""
    if key.startswith(RECIPE):
        if key.removeprefix(RECIPE) not in {each.name for each in parameters(Recipe)}:
            raise KeyError(key)
        return recipe_column(key.removeprefix(RECIPE))
    return design_column(key.removeprefix(DESIGN)) if key.startswith(DESIGN) else FIXED[key]


def differing(summaries: Iterable[RunSummary]) -> list[Column]:
    """The columns of the recipe's and the design's fields in which the runs are not all the same.

    The recipe's first, in the order of its form; then the design's, from top to bottom.
    """
    # Many runs share a recipe or a design: each is looked at once.
    recipes: dict[int, RunSummary] = {}
    designs: dict[str, RunSummary] = {}
    for summary in summaries:
        recipes.setdefault(id(summary.settings), summary)
        designs.setdefault(summary.design, summary)
    # Nearly all fields have their default in all runs, which then do not mention them.
    mentioned = set().union(*(summary.settings for summary in recipes.values()))
    names = [name for group in FIELD_GROUPS.values() for name in group if name in mentioned]
    found = [recipe_column(name) for name in names if _differs(recipes.values(), recipe_column(name))]
    places = dict.fromkeys(name for summary in designs.values() for name in summary.design_values)
    return [
        *found,
        *(design_column(name) for name in places if _differs(designs.values(), design_column(name))),
    ]


def _differs(summaries: Iterable[RunSummary], column: Column) -> bool:
    values = iter(map(column.value, summaries))
    first = next(values, None)
    return any(value != first for value in values)
