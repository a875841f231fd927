"""What the open design can be compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cnnstudio.design.file import read_design
from cnnstudio.design.network import Network
from cnnstudio.design.templates import templates

_DESIGN_OF_A_RUN = "design.cnn.json"


@dataclass(frozen=True)
class Design:
    """A design that is read when it is wanted. `read` raises DesignError."""

    title: str
    read: Callable[[], Network]


def known_designs(path: Path | None, run: Path | None, recent: list[Path]) -> Iterator[Design]:
    """The file at `path` as it was saved, the design that a run trains, files opened last, the templates."""
    if path is not None:
        yield Design(f"The saved version, {path.name}", partial(read_design, path))
    if run is not None:
        yield Design(f"The trained design, run {run.name}", partial(read_design, run / _DESIGN_OF_A_RUN))
    for other in recent:
        if other != path:
            yield from_file(other)
    for template in templates().values():
        yield Design(f"Template {template.title}", partial(getattr, template, "network"))


def from_file(path: Path) -> Design:
    """The design in a file."""
    return Design(f"File {path.name}", partial(read_design, path))
