"""Two runs to compare, read in a thread: their results, settings, curves and confusion matrices."""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnstudio.core.formatting import format_count, format_duration, format_percent
from cnnstudio.core.progress import CancelFunction, raise_if_cancelled
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.insight.instruments.confusion import Confusion, ConfusionReading, describe_changes
from cnnstudio.runs.comparing.comparison import compare_trainings
from cnnstudio.runs.comparing.seeds import find_seed_runs
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.library.columns import data_name, test_text
from cnnstudio.runs.library.finding import list_runs
from cnnstudio.runs.library.summary import RunSummary, SummaryReader
from cnnstudio.runs.run import Run
from cnnstudio.training.events import EpochEnded, Started
from cnnstudio.training.recipe.live_changes import differences
from cnnstudio.training.recipe.recipe import Recipe

Line = tuple[str, str, str]
"""What it is, and its value in both runs."""
AlignedEpoch = tuple[float, EpochEnded | None, EpochEnded | None]
"""A place in epochs of the first run, and the epoch of either run there."""

_ABSENT = "–"
_MAX_TRIED = 5
"""Snapshots that are opened in search of a confusion matrix: each may be damaged."""


@dataclass(frozen=True)
class ComparedRun:
    """What the comparison shows of one run."""

    run: Run
    summary: RunSummary
    history: tuple[EpochEnded, ...]
    confusion: ConfusionReading | None
    """At the end of `confusion_epoch`; None if none was saved."""
    train_images: int = 0
    """How many images it sees in an epoch; 0 if unknown."""
    confusion_epoch: int | None = None
    """The best epoch, or the next one to it of which a confusion matrix was kept."""

    @classmethod
    def read(cls, folder: Path, reader: SummaryReader) -> ComparedRun:
        """Raises RunError."""
        summary, run = reader.read(folder), Run.open(folder)
        # Read here, in a thread, because they keep their values.
        _ = run.network, run.recipe
        started = next(reversed(run.events_of(Started)), None)
        images = started.train_images if started is not None else 0
        epoch, confusion = _confusion(run, summary)
        return cls(run, summary, run.history, confusion, images, epoch)


@dataclass(frozen=True)
class RunPair:
    """Both runs, and what the statistics say about their results."""

    first: ComparedRun
    second: ComparedRun
    verdict: str
    """Whether their test accuracies differ, in words; empty if that is unknown."""

    @property
    def both(self) -> tuple[ComparedRun, ComparedRun]:
        return self.first, self.second

    @property
    def epoch_ratio(self) -> float:
        """How many epochs of the first run one of the second is as long as, by the images seen.

        1 if that is unknown.
        """
        first, second = self.first.train_images, self.second.train_images
        return second / first if first and second else 1.0

    def aligned_epochs(self, ratio: float = 1.0) -> list[AlignedEpoch]:
        """Both curves side by side, an epoch of the second run being as long as `ratio` of the first.

        At each place where one of them has an epoch, the other's newest one before it; None before its first
        epoch and after its end.
        """
        first, second = self.first.history, self.second.history
        places = sorted({*(float(each.epoch) for each in first), *(each.epoch * ratio for each in second)})
        return [(place, _newest(first, 1.0, place), _newest(second, ratio, place)) for place in places]

    def change_of_confusion(self) -> list[str]:
        """How the mistakes of the second run differ, or why that is unknown, a sentence each."""
        pair = self.confusion_pair()
        if isinstance(pair, str):
            return [pair]
        changes = describe_changes(pair[0].classes, pair[1].row_fractions - pair[0].row_fractions)
        return [*changes, *self.confusion_notes]

    @property
    def confusion_notes(self) -> list[str]:
        """Which matrix is compared where it is not that of the best epoch, a sentence for each run."""
        sides = (("first", self.first), ("second", self.second))
        return [
            f"The {which} run has kept no confusion matrix of its best epoch, {side.summary.best_epoch}: "
            f"that of epoch {side.confusion_epoch} is compared."
            for which, side in sides
            if side.summary.best_epoch is not None
            and side.confusion_epoch not in (None, side.summary.best_epoch)
        ]

    @property
    def results(self) -> list[Line]:
        """The results of both, also where they are the same."""
        columns = [_results(each) for each in self.both]
        return [(name, value, columns[1][name]) for name, value in columns[0].items()]

    @property
    def settings(self) -> list[Line]:
        """The fields of the recipe in which they differ, by their labels."""
        first, second = (each.run.recipe for each in self.both)
        return [(_label(name), *values) for name, *values in differences(first, second)]  # type: ignore[misc]  # two values

    def confusion_pair(self) -> tuple[ConfusionReading, ConfusionReading] | str:
        """The matrices of both, or why they cannot be compared, one sentence."""
        first, second = self.first.confusion, self.second.confusion
        if first is None and second is None:
            return "Neither run has saved a confusion matrix."
        if first is None or second is None:
            which = "first" if first is None else "second"
            return f"The {which} run has saved no confusion matrix."
        if first.classes != second.classes:
            return "The confusion matrices cannot be compared: the runs have different classes."
        return first, second


def _newest(history: Sequence[EpochEnded], ratio: float, place: float) -> EpochEnded | None:
    """The newest epoch at a place, if the run was still going on there."""
    index = bisect_right(history, place + 1e-9, key=lambda each: each.epoch * ratio) - 1
    if index < 0 or place > history[-1].epoch * ratio + 1e-9:
        return None
    return history[index]


def read_pair(folders: Sequence[Path], cancelled: CancelFunction) -> RunPair:
    """Reads two runs, in any thread. Raises RunError or Cancelled."""
    reader = SummaryReader()
    first, second = (ComparedRun.read(folder, reader) for folder in folders)
    raise_if_cancelled(cancelled)
    return RunPair(first, second, _verdict(first.run, second.run))


def _verdict(first: Run, second: Run) -> str:
    """With all runs beside them that differ from them only in the seed."""
    with contextlib.suppress(RunError):
        known = list_runs()
        groups = [find_seed_runs(run) if run.test is not None else [run] for run in (first, second)]
        return compare_trainings(groups[0], groups[1], "several seeds", "second accuracy", known).text
    return ""


def _confusion(run: Run, summary: RunSummary) -> tuple[int | None, ConfusionReading | None]:
    """The matrix of the best epoch, or of the kept epoch next to it: few epochs of a long run are kept."""
    wanted = summary.best_epoch or summary.last_epoch
    if wanted is None:
        return None, None
    kept = sorted(filter(None, run.snapshot_epochs), key=lambda epoch: abs(epoch - wanted))
    for epoch in kept[:_MAX_TRIED]:
        with contextlib.suppress(RunError):
            found = run.snapshot(epoch).reading(Confusion())
            if isinstance(found, ConfusionReading):
                return epoch, found
    return None, None


def _results(each: ComparedRun) -> dict[str, str]:
    summary, analysis = each.summary, analyze(each.run.network)
    return {
        "Test accuracy": test_text(summary),
        "Best validation": _with_epoch(summary.best_accuracy, summary.best_epoch),
        "Last validation": _with_epoch(summary.last_accuracy, summary.last_epoch),
        "Time": format_duration(summary.seconds),
        "Parameters": format_count(analysis.parameters),
        "Multiply-adds": format_count(analysis.macs),
        "Data": data_name(summary),
        "Recipe": f"{summary.recipe_name}, {summary.epochs} epochs",
        "Seed": str(summary.seed),
    }


def _with_epoch(value: float | None, epoch: int | None) -> str:
    return _ABSENT if value is None else f"{format_percent(value)} ({epoch})"


def _label(name: str) -> str:
    from cnnstudio.core.parameters import parameters

    return next(each.label for each in parameters(Recipe) if each.name == name)
