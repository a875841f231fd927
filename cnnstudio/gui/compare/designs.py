"""The designs that the open design can be compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cnnstudio.core.formatting import pluralize
from cnnstudio.design.file import read_design
from cnnstudio.design.network import Network
from cnnstudio.design.templates import templates
from cnnstudio.runs.comparing.comparison import CompletedRuns
from cnnstudio.runs.comparing.seeds import accuracy_statistics
from cnnstudio.runs.comparing.significance import format_accuracy
from cnnstudio.runs.library.finding import list_runs, runs_folder
from cnnstudio.runs.run import Run

_DESIGN_OF_A_RUN = "design.cnn.json"


@dataclass(frozen=True)
class Design:
    """A design that is read on demand. `read` raises DesignError."""

    title: str
    read: Callable[[], Network]
    run: Path | None = None
    """The folder of the run that trained it, if the design is that of a run."""


def known_designs(path: Path | None, run: Path | None, recent: list[Path]) -> Iterator[Design]:
    """The saved version of the file at `path`, the design of a run, the recent files, and the templates."""
    if path is not None:
        yield Design(f"Saved version: {path.name}", partial(read_design, path))
    if run is not None:
        yield Design(f"Trained design: run {run.name}", partial(read_design, run / _DESIGN_OF_A_RUN), run)
    for other in recent:
        if other != path:
            yield from_file(other)
    for template in templates().values():
        yield Design(f"Template: {template.title}", partial(getattr, template, "network"))


def known_results(run: Path | None) -> CompletedRuns:
    """The completed ones of the user's runs and of those in the same folder as `run`. May take a while."""
    runs = list_runs()
    siblings = [] if run is None or run.parent == runs_folder() else list_runs(run.parent)
    return CompletedRuns([*siblings, *runs])


def from_file(path: Path) -> Design:
    """The design in a file."""
    return Design(f"File: {path.name}", partial(read_design, path))


def from_training(runs: list[Run]) -> Design:
    """The design of a completed training, with the test accuracy over all its seeds."""
    newest = max(runs, key=lambda run: run.created)
    statistics = accuracy_statistics(runs)
    accuracy = format_accuracy(statistics) if statistics is not None else ""
    seeds = f", {pluralize(len(runs), 'seed')}" if len(runs) > 1 else ""
    return Design(f"Run {newest.id}: {accuracy}{seeds}", partial(getattr, newest, "network"), newest.folder)
