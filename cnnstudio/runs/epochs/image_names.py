"""Which images of a data set a run's figures are about: the names of validation images by their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.data.dataset import Dataset, Subset
from cnnstudio.runs.epochs.inspection import SplitName, images_of
from cnnstudio.runs.epochs.run_images import Files, load_run_images
from cnnstudio.runs.run import Run


@dataclass(frozen=True)
class NamedImage:
    """An image of a data set."""

    file: str
    """Its name in the data set; `train/12` if it has no file."""
    split: str
    row: int
    """Its number in the split, from 0."""
    label: str
    number: int
    """The number by which it was asked for."""


def name_images(
    run: Run,
    numbers: Sequence[int],
    progress: ProgressFunction,
    cancelled: CancelFunction,
    split: SplitName = "validation",
) -> list[NamedImage]:
    """The images with these numbers, from 0, among those that the run used as that split.

    Labels are those that the run was trained with, also where they were corrected since. Raises RunError if
    the files have changed since, DataError or Cancelled.
    """
    dataset, files = load_run_images(run, progress, cancelled)
    return _named(dataset, files, *_rows(dataset, run, split, numbers))


def name_training_images(
    run: Run, rows: Sequence[int], progress: ProgressFunction, cancelled: CancelFunction
) -> list[NamedImage]:
    """The images with these numbers, from 0, among the training images of the run's data set.

    Raises RunError if the files have changed since, DataError or Cancelled.
    """
    return name_training_rows(*load_run_images(run, progress, cancelled), rows)


def name_training_rows(dataset: Dataset, files: Files | None, rows: Sequence[int]) -> list[NamedImage]:
    """The same of what `load_run_images` gave."""
    return _named(dataset, files, "train", [(row, row) for row in rows if 0 <= row < len(dataset.train)])


def _named(
    dataset: Dataset, files: Files | None, part: str, rows: Sequence[tuple[int, int]]
) -> list[NamedImage]:
    """The images of the part, given as (number that was asked for, row)."""
    labels = dataset.splits[part].labels
    return [
        NamedImage(
            files[part][row] if files is not None else f"{part}/{row}",
            *(part, row, dataset.classes[int(labels[row])], number),
        )
        for number, row in rows
    ]


def _rows(
    dataset: Dataset, run: Run, split: SplitName, numbers: Sequence[int]
) -> tuple[str, list[tuple[int, int]]]:
    """The data set's own split that they are in, and each number that there is with its row there."""
    found = images_of(dataset, run, split)
    known = [number for number in numbers if 0 <= number < len(found)]
    if isinstance(found, Subset):
        return "train", [(number, int(found.rows[number])) for number in known]
    part = next(name for name, each in dataset.splits.items() if each is found)
    return part, [(number, number) for number in known]
