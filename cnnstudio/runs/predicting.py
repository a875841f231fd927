"""What a run predicts for image files without labels, as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from cnnstudio.insight.confidence.judging import Verdict
from cnnstudio.insight.instrument import Probabilities
from cnnstudio.runs.epochs.image_names import NamedImage
from cnnstudio.runs.run import Run

if TYPE_CHECKING:
    from cnnstudio.training.model import Model

_BATCH = 64
_MAX_NAMED = 5


@dataclass(frozen=True)
class Judged:
    """What is known of a prediction besides its probabilities."""

    verdict: Verdict | None = None
    confidences: tuple[float, ...] = ()
    """The calibrated probability of each class, in their order; empty without a verdict."""
    nearest: tuple[tuple[NamedImage, float], ...] = ()
    """The most similar training images with their similarities, -1 to 1."""

    @property
    def is_not_sure(self) -> bool:
        return self.verdict is not None and not self.verdict.is_sure


NOT_JUDGED = Judged()

Judge = Callable[[Pixels, Probabilities], Sequence[Judged]]
"""Takes uint8 (N, C, H, W) of the network's input size, and float32 (N, classes)."""


def leave_unjudged(images: Pixels, probabilities: Probabilities) -> Sequence[Judged]:
    return [NOT_JUDGED] * len(images)


@dataclass(frozen=True)
class Prediction:
    """One image with the probability of each class, in the order of the run's classes."""

    image: str
    probabilities: dict[str, float]
    judged: Judged = field(default_factory=lambda: NOT_JUDGED)

    @property
    def label(self) -> str:
        """The most probable class."""
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def answer(self) -> str:
        """The most probable class, or `not sure`."""
        return "not sure" if self.judged.is_not_sure else self.label

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
    judge: Judge = leave_unjudged,
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
                rows = predict(model, images, flip=run.recipe.test_time_flip)
                judged = judge(images, rows)
                for (path, _), row, found in zip(read, rows.tolist(), judged, strict=True):
                    yield Prediction(str(path), dict(zip(run.classes, row, strict=True)), found)
            done = min(start + _BATCH, total)
            report(Progress(done, total, f"Classifying: {done:,} of {total:,} images"))


def _pixels(run: Run, path: Path) -> Pixels:
    from cnnstudio.data.images.image_files import read_pixels

    channels, height, width = run.network.input.dims
    return read_pixels(path, (channels, height, width), run.resize)


def predictions_table(run: Run, predictions: Iterable[Prediction]) -> bytes:
    """A CSV file: file, class, its probability, and those of all classes in their order.

    Where it was judged how sure the network is, the answer, its confidence and the reason follow.
    """
    rows: list[list[Cell]] = [["file", "label", "probability", *run.classes]]
    for each in predictions:
        known, verdict = each.probabilities, each.judged.verdict
        row: list[Cell] = [each.image, each.label, known[each.label], *(known[name] for name in run.classes)]
        if verdict is not None:
            rows[0] = ["file", "label", "probability", *run.classes, "answer", "confidence", "reason"]
            row += [each.answer, verdict.confidence, verdict.reason]
        rows.append(row)
    return csv_bytes(rows)


def describe_predictions(predictions: Sequence[Prediction]) -> str:
    """`240 images, most often cat (102) and dog (90)`."""
    counts = Counter(each.answer for each in predictions).most_common(_MAX_NAMED)
    most = ", ".join(f"{label} ({count:,})" for label, count in counts)
    return f"{pluralize(len(predictions), 'image')}, most often {most}"
