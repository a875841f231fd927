"""Lists all runs of a folder, reading only those that changed since they were last listed."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cnnstudio.core.files import FileError
from cnnstudio.core.formatting import format_count
from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    ignore_progress,
    never_cancelled,
    raise_if_cancelled,
)
from cnnstudio.data.versions.evaluations import evaluation_count
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.library.cache import Stamp, read_cache, stamp_of, write_cache
from cnnstudio.runs.library.columns import Column, differing, started_column
from cnnstudio.runs.library.finding import runs_folder
from cnnstudio.runs.library.summary import RunSummary, SummaryReader
from cnnstudio.runs.run import Run


@dataclass(frozen=True)
class RunListing:
    """The runs of a folder, newest first, and why others of its folders are not among them."""

    runs: tuple[RunSummary, ...] = ()
    problems: tuple[str, ...] = ()

    @cached_property
    def started(self) -> Column:
        """The column of the start, in which no two of the runs look the same."""
        return started_column(self.runs)

    @cached_property
    def differing(self) -> tuple[Column, ...]:
        """The columns of the fields in which the runs are not all the same."""
        return tuple(differing(self.runs))


def list_summaries(
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
    folder: Path | None = None,
) -> RunListing:
    """The runs in that folder, by default the user's. Reads files only, in any thread. Raises Cancelled."""
    parent = folder or runs_folder()
    kept = read_cache(parent)
    found: dict[str, tuple[Stamp, RunSummary]] = {}
    problems = []
    reader = SummaryReader()
    names = _run_names(parent)
    has_changed = False
    for number, name in enumerate(names):
        stamp = stamp_of(f"{parent}{os.sep}{name}")
        before = kept.get(name)
        if before is not None and before[0] == stamp and not _has_been_interrupted(before[1]):
            found[name] = stamp, before[1]
            continue
        raise_if_cancelled(cancelled)
        text = f"Reading run {format_count(number + 1)} of {format_count(len(names))}"
        progress(Progress(number, len(names), text))
        try:
            found[name] = stamp, reader.read(parent / name)
            # A run that is being written will have changed again the next time.
            has_changed = has_changed or not found[name][1].is_running
        except RunError as error:
            # Not a folder of a run at all, such as one that a search keeps its trials in.
            if stamp[0] >= 0:
                problems.append(str(error))
    if has_changed or kept.keys() - found.keys():
        # What cannot be kept is read again the next time.
        with contextlib.suppress(FileError):
            write_cache(parent, found)
    evaluations = functools.cache(evaluation_count)
    current = [_with_evaluations(_with_current_status(summary), evaluations) for _, summary in found.values()]
    return RunListing(tuple(sorted(current, key=_newest_first)), tuple(problems))


def _run_names(parent: Path) -> list[str]:
    """The names of the folders that may contain a run."""
    try:
        with os.scandir(parent) as entries:
            return [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    except OSError:
        return []


def _newest_first(summary: RunSummary) -> tuple[float, str]:
    return -summary.created, summary.id


def _has_been_interrupted(summary: RunSummary) -> bool:
    """Whether a run that was being written ended without a word: then only what it saved counts."""
    with contextlib.suppress(RunError):
        return summary.is_running and Run.open(summary.folder).status == "interrupted"
    return False


def _with_evaluations(summary: RunSummary, count: Callable[[str], int]) -> RunSummary:
    """The count rises with every look at the same test images, which changes none of the run's files."""
    if summary.test_accuracy is None:
        return summary
    evaluations = count(summary.data_version)
    if evaluations == summary.evaluations:
        return summary
    return dataclasses.replace(summary, evaluations=evaluations)


def _with_current_status(summary: RunSummary) -> RunSummary:
    """A run that was being written may have been interrupted since, which changes none of its files."""
    if summary.status not in ("running", "interrupted"):
        return summary
    with contextlib.suppress(RunError):
        return dataclasses.replace(summary, status=Run.open(summary.folder).status)
    return summary
