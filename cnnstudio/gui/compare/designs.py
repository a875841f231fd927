"""What the open design can be compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cnnstudio.core.formatting import plural
from cnnstudio.design.file import read_design
from cnnstudio.design.network import Network
from cnnstudio.design.templates import templates
from cnnstudio.runs.comparison import Results
from cnnstudio.runs.run import Run, list_runs, runs_folder
from cnnstudio.runs.seeds import accuracies
from cnnstudio.runs.significance import in_words

_DESIGN_OF_A_RUN = "design.cnn.json"


@dataclass(frozen=True)
class Design:
    """A design that is read when it is wanted. `read` raises DesignError."""

    title: str
    read: Callable[[], Network]
    run: Path | None = None
    """The folder of the run that trained it, where one is meant."""


def known_designs(path: Path | None, run: Path | None, recent: list[Path]) -> Iterator[Design]:
    """The file at `path` as it was saved, the design that a run trains, files opened last, the templates."""
    if path is not None:
        yield Design(f"The saved version, {path.name}", partial(read_design, path))
    if run is not None:
        yield Design(f"The trained design, run {run.name}", partial(read_design, run / _DESIGN_OF_A_RUN), run)
    for other in recent:
        if other != path:
            yield from_file(other)
    for template in templates().values():
        yield Design(f"Template {template.title}", partial(getattr, template, "network"))


def known_results(run: Path | None) -> Results:
    """Of the user's runs, and of those that stand beside the one that is shown. May take a while."""
    runs = list_runs()
    beside = [] if run is None or run.parent == runs_folder() else list_runs(run.parent)
    return Results([*beside, *runs])


def from_file(path: Path) -> Design:
    """The design in a file."""
    return Design(f"File {path.name}", partial(read_design, path))


def from_training(runs: list[Run]) -> Design:
    """The design of a training that came to its end, with all its seeds."""
    newest = max(runs, key=lambda run: run.created)
    found = accuracies(runs)
    words = in_words(found) if found is not None else ""
    times = f", {plural(len(runs), 'seed')}" if len(runs) > 1 else ""
    return Design(f"Run {newest.id}: {words}{times}", partial(getattr, newest, "network"), newest.folder)
