"""Exporting one format on the compute thread, and what came of it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cnnstudio.core.errors import UserError
from cnnstudio.core.formatting import format_count
from cnnstudio.core.progress import CancelFunction, Cancelled, ProgressFunction
from cnnstudio.export import Exporter, ExportResult, ResultsDiffer
from cnnstudio.gui.export.kept_exports import KeptExport, digests_of, keep_export
from cnnstudio.runs.epochs.saved_best import describe_missing_best
from cnnstudio.runs.epochs.untrained import describe_untrained
from cnnstudio.runs.library.tested import describe_tested_run
from cnnstudio.runs.run import Run

Stamp = tuple[tuple[int, int], ...]
"""Size in bytes and time of the last change in ns, of each file of a format."""


@dataclass(frozen=True)
class FormatOutcome:
    """The outcome of one format: its result, or why there is none."""

    result: ExportResult | None = None
    error: str = ""
    """Why nothing was written, in one sentence."""
    is_cancelled: bool = False
    """Whether the user ended it."""
    notes: tuple[str, ...] = ()
    """What one has to know of the weights; the same for all formats."""
    stamp: Stamp | None = None
    """The files as they were written."""
    code: str = ""
    """Python code that uses the files."""

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(size for size, _ in self.stamp or ())


CANCELLED = FormatOutcome(error="Canceled", is_cancelled=True)


def export_format(
    run_folder: Path,
    exporter: Exporter,
    folder: Path,
    verify: bool,
    progress: ProgressFunction,
    cancelled: CancelFunction,
) -> FormatOutcome:
    """Exports one format of the run in `run_folder`, on the compute thread. Raises Cancelled."""
    weights = weights_state(run_folder)
    try:
        run = Run.open(run_folder)
        result = exporter.export(run, folder, verify, progress, cancelled)
        notes = (
            *(describe_missing_best(run), describe_untrained(run), describe_tested_run(run)),
            f"The network was {run.weights_notice}." if run.weights_notice else "",
            result.not_sure,
        )
        code = exporter.example(folder, run)
    except ResultsDiffer as error:
        return FormatOutcome(error=describe_difference(error))
    except UserError as error:
        return FormatOutcome(error=str(error))
    names = tuple(path.name for path in result.files)
    outcome = FormatOutcome(
        result, notes=tuple(filter(None, notes)), stamp=stamp_of(folder, names), code=code
    )
    digests = digests_of(folder, names)
    if digests is not None and weights is not None:
        figures = result.largest_difference, result.images, result.message
        keep_export(run_folder, KeptExport(exporter.name, folder, weights, digests, *figures, notes, names))
    return outcome


def restore_outcome(run_folder: Path, exporter: Exporter, kept: KeptExport) -> FormatOutcome | None:
    """What was found out by an earlier export; None if the files or the weights are others by now.

    Reads the files, so it is called in a thread that may wait for drives.
    """
    names = kept.files or exporter.files
    if not set(exporter.files) <= set(names) <= set(exporter.all_files):
        return None
    stamp = stamp_of(kept.folder, names)
    is_same = kept.weights == weights_state(run_folder)
    if stamp is None or not is_same or digests_of(kept.folder, names) != kept.digests:
        return None
    try:
        code = exporter.example(kept.folder, Run.open(run_folder))
    except UserError:
        return None
    files = tuple(kept.folder / name for name in sorted(names))
    result = ExportResult(files, kept.difference, kept.message, kept.images)
    return FormatOutcome(result, notes=kept.notes, stamp=stamp, code=code)


class ExportJob:
    """One export. A stop that comes when the files are written already has no effect, and is not claimed."""

    def __init__(self, run_folder: Path, exporter: Exporter, folder: Path, verify: bool) -> None:
        self._arguments = run_folder, exporter, folder, verify
        self._stop = threading.Event()
        self.has_begun = False

    def stop(self) -> None:
        """Asks it to end; what it returns then says whether it did."""
        self._stop.set()

    def __call__(self, progress: ProgressFunction, cancelled: CancelFunction) -> FormatOutcome:
        """Runs it on the compute thread. Raises Cancelled if the task itself was cancelled."""
        self.has_begun = True
        try:
            return export_format(*self._arguments, progress, lambda: self._stop.is_set() or cancelled())
        except Cancelled:
            return CANCELLED


def stamp_of(folder: Path, files: Iterable[str]) -> Stamp | None:
    """The state of these files in this folder; None if one of them is missing."""
    try:
        found = [(folder / name).stat() for name in files]
    except (OSError, ValueError):
        return None
    return tuple((each.st_size, each.st_mtime_ns) for each in found)


def weights_state(run: Path | None) -> int | None:
    """What changes whenever the run is trained on, so that an export is not called one of later weights."""
    try:
        return None if run is None else (run / "checkpoints").stat().st_mtime_ns
    except (OSError, ValueError):
        return None


def describe_difference(error: ResultsDiffer) -> str:
    """`Differs by 0.3 on 12 of 1,000 images: nothing was written`."""
    images = f"{format_count(error.differing)} of {format_count(error.images)} images"
    return f"Differs by {error.largest:.2g} on {images}: nothing was written"
