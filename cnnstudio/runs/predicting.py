"""What a run predicts for image files without labels, as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cnnstudio.core.csv_file import Cell, csv_bytes
from cnnstudio.core.formatting import pluralize
from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    ignore_progress,
    never_cancelled,
    raise_if_cancelled,
    throttled,
)
from cnnstudio.data.dataset import DataError, Pixels
from cnnstudio.data.sources.folder_scan import scan
from cnnstudio.runs.run import Run

if TYPE_CHECKING:
    from cnnstudio.training.model import Model

_BATCH = 64
_MAX_NAMED = 5


@dataclass(frozen=True)
class Prediction:
    """One image with the probability of each class, in the order of the run's classes."""

    image: str
    probabilities: dict[str, float]

    @property
    def label(self) -> str:
        """The most probable class."""
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def ranked(self) -> list[tuple[str, float]]:
        """All classes, the most probable first."""
        return sorted(self.probabilities.items(), key=lambda entry: -entry[1])


@dataclass
class SkippedFiles:
    """The files that cannot be read, with the reason."""

    reasons: dict[str, str] = field(default_factory=dict)


def images_in(folder: Path, cancelled: CancelFunction = never_cancelled) -> list[Path]:
    """All images in a folder and below, by their names. Raises DataError if there are none, Cancelled."""
    found = sorted(Path(path) for paths in scan(folder, cancelled).images.values() for path in paths)
    if not found:
        raise DataError(f"there are no images in {folder}")
    return found


def predict_files(
    run: Run,
    model: Model,
    paths: Sequence[Path],
    skipped: SkippedFiles,
    required: int = 0,
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
) -> Iterator[Prediction]:
    """The predictions for image files of any size, which are resized as the run's images were.

    The first `required` files must be readable; others that are not are added to `skipped`. `model` is the
    run's, on the device to compute on. Raises DataError, Cancelled.
    """
    from cnnstudio.data.images.image_files import silence_pillow_warnings
    from cnnstudio.insight.predictions import predict

    report, total = throttled(progress), len(paths)
    with silence_pillow_warnings():
        # Before anything is computed: a wrong name is said at once.
        known = [_pixels(run, path) for path in paths[:required]]
        for start in range(0, total, _BATCH):
            read: list[tuple[Path, Pixels]] = []
            for number, path in enumerate(paths[start : start + _BATCH], start):
                raise_if_cancelled(cancelled)
                if number < required:
                    read.append((path, known[number]))
                    continue
                try:
                    read.append((path, _pixels(run, path)))
                except DataError as error:
                    skipped.reasons[str(path)] = str(error).removeprefix(f"{path} ")
            if read:
                images = np.stack([pixels for _, pixels in read])
                rows = predict(model, images, flip=run.recipe.test_time_flip).tolist()
                for (path, _), row in zip(read, rows, strict=True):
                    yield Prediction(str(path), dict(zip(run.classes, row, strict=True)))
            done = min(start + _BATCH, total)
            report(Progress(done, total, f"Classifying: {done:,} of {total:,} images"))


def _pixels(run: Run, path: Path) -> Pixels:
    from cnnstudio.data.images.image_files import read_pixels

    channels, height, width = run.network.input.dims
    return read_pixels(path, (channels, height, width), run.resize)


def predictions_table(run: Run, predictions: Iterable[Prediction]) -> bytes:
    """A CSV file: file, class, its probability, and those of all classes in their order."""
    rows: list[list[Cell]] = [["file", "label", "probability", *run.classes]]
    for each in predictions:
        known = each.probabilities
        rows.append([each.image, each.label, known[each.label], *(known[name] for name in run.classes)])
    return csv_bytes(rows)


def describe_predictions(predictions: Sequence[Prediction]) -> str:
    """`240 images, most often cat (102) and dog (90)`."""
    counts = Counter(each.label for each in predictions).most_common(_MAX_NAMED)
    most = ", ".join(f"{label} ({count:,})" for label, count in counts)
    return f"{pluralize(len(predictions), 'image')}, most often {most}"
