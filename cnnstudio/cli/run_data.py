"""The images of a run, for commands that look at what it has learned."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cnnstudio.cli.command import UsageError
from cnnstudio.cli.output import LiveLine, echo
from cnnstudio.core.formatting import clean_line, list_names
from cnnstudio.core.parameters import shorten
from cnnstudio.core.progress import never_cancelled

_MAX_REASON = 500

if TYPE_CHECKING:
    from cnnstudio.data.dataset import Dataset
    from cnnstudio.runs.run import Run


def open_run(text: str) -> Run:
    """The run that an argument names; notes say if it failed, or lacks its best weights. Raises RunError."""
    from cnnstudio.runs.epochs.saved_best import describe_missing_best
    from cnnstudio.runs.library.finding import find_run

    run = find_run(text)
    if run.status == "failed":
        name, reason = clean_line(run.id), shorten(run.reason, _MAX_REASON)
        echo(f"Note: the run {name} failed. {reason}".rstrip(), file=sys.stderr)
    if run.status != "running" and (missing := describe_missing_best(run)):
        echo(f"Note: {missing}", file=sys.stderr)
    return run


def load_trained_dataset(run: Run) -> Dataset:
    """The images with the labels that the run was trained with, at the network's input size.

    If the files have changed since, as they are now, which a note says. Raises UserError.
    """
    from cnnstudio.core.errors import UserError
    from cnnstudio.runs.epochs.run_images import load_run_images

    line = LiveLine()
    try:
        dataset, _ = load_run_images(run, line.show_progress, never_cancelled)
        return _resized(dataset, run, line)
    except UserError:
        return load_run_dataset(run)
    finally:
        line.clear()


def load_run_dataset(run: Run, data: str | None = None) -> Dataset:
    """The run's images with their present labels, or another data set, at the network's input size.

    A note says if they are not those that it was trained on. Raises UserError if they do not fit the run.
    """
    from cnnstudio.data.sources import find_source

    line = LiveLine()
    try:
        dataset = find_source(data or run.dataset_name).load(line.show_progress)
    finally:
        line.clear()
    if dataset.classes != run.classes:
        known, found = list_names(run.classes), list_names(dataset.classes)
        raise UsageError(f"the run has the classes {known}, but {dataset.title} has {found}")
    if data is None and dataset.fingerprint != run.dataset_fingerprint:
        echo(f"Note: the images of {dataset.title} are not those of the training run.", file=sys.stderr)
    try:
        return _resized(dataset, run, line)
    finally:
        line.clear()


def _resized(dataset: Dataset, run: Run, line: LiveLine) -> Dataset:
    from cnnstudio.data.images.resizing import resize

    channels, height, width = run.network.input.dims
    return resize(dataset, (channels, height, width), line.show_progress)
