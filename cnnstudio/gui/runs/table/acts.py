"""The buttons at the foot of the table of runs, and when each can be pressed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cnnstudio.runs.library.summary import RunSummary


@dataclass(frozen=True)
class Act:
    """One thing to do with the chosen runs, or with the row that has the focus if none is chosen."""

    name: str
    title: str
    tooltip: str
    is_possible: Callable[[Sequence[RunSummary]], bool]
    trains: bool = False
    """Whether it starts a training, of which there is one at a time."""
    in_menu: bool = True
    """Whether it is in the context menu as well, which has the most frequent ones."""


def _is_one(runs: Sequence[RunSummary]) -> bool:
    return len(runs) == 1


def _has_ended(runs: Sequence[RunSummary]) -> bool:
    return bool(runs) and not any(run.is_running for run in runs)


ACTS = (
    Act("compareRuns", "Compare", "Compares two runs side by side", lambda runs: len(runs) == 2),
    Act("showInCurves", "Overlay curves", "Lay their curves over those of the run on show", bool),
    Act(
        "anotherSeed",
        "Another seed",
        "Train the same design, recipe and images again with another random seed",
        _is_one,
        trains=True,
    ),
    Act(
        "startFromRun",
        "Start from it…",
        "Start a new run of the open design from this run’s weights",
        lambda runs: _is_one(runs) and _has_ended(runs),
        trains=True,
    ),
    Act("openRunDesign", "Open design", "Open the design that this run trained", _is_one),
    Act(
        "resumeRun",
        "Resume",
        "Resume training from the last checkpoint",
        lambda runs: _is_one(runs) and _has_ended(runs),
        trains=True,
    ),
    Act(
        "packRun",
        "Pack…",
        "Write the run into one zip file",
        lambda runs: _is_one(runs) and _has_ended(runs),
        in_menu=False,
    ),
    Act("showRunFolder", "Show folder", "Open the run's folder in the file manager", _is_one),
    Act("deleteRuns", "Delete", "Move the runs to the trash", _has_ended),
)
