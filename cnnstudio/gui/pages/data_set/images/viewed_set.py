"""A data set as the Data page looks at it: all images as in their files, with their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.data.dataset import Dataset, Pixels
from cnnstudio.data.sources import Source
from cnnstudio.data.sources.file_source import FileSource
from cnnstudio.data.versions.confirmed import read_confirmed
from cnnstudio.data.versions.corrections import Corrections
from cnnstudio.data.versions.version import version_of

SPLITS = {"train": "Training", "validation": "Validation", "test": "Test"}
"""The splits in the order in which they are shown, as they are called."""


@dataclass(frozen=True, eq=False)
class ViewedSet:
    """Immutable; what the user changes about it is in a `LabelOverlay`."""

    name: str
    dataset: Dataset
    files: Mapping[str, Sequence[str]]
    """The name of each image, by split; `train/12` for images without files."""
    source: FileSource | None = None
    """Where the files are; None for images without files, whose labels cannot be corrected."""
    corrections: Corrections = field(default_factory=Corrections)
    ignored: Mapping[str, str] = field(default_factory=dict)
    """The files whose corrections do not apply, because they have changed, and why."""
    skipped: Sequence[str] = ()
    """The files that cannot be read."""
    confirmed: Mapping[str, str] = field(default_factory=dict)
    """The labels that were confirmed in a review, by file."""

    @property
    def title(self) -> str:
        return self.dataset.title

    @property
    def classes(self) -> tuple[str, ...]:
        return self.dataset.classes

    @property
    def images(self) -> str:
        """The version of the data set without corrections."""
        return version_of(self.dataset)

    @cached_property
    def places(self) -> dict[str, tuple[str, int]]:
        """File name -> split and row."""
        return {name: (part, row) for part, names in self.files.items() for row, name in enumerate(names)}

    def image(self, file: str) -> Pixels | None:
        """The image of a file, uint8 (C, H, W); None if it is not in the set."""
        if file not in self.places:
            return None
        part, row = self.places[file]
        image: Pixels = self.dataset.splits[part].images[row]
        return image

    def has_files(self) -> bool:
        return self.source is not None


def without_files(name: str, dataset: Dataset) -> ViewedSet:
    """Images that are no files, such as those of a built-in data set."""
    files = {part: NumberedNames(part, len(split)) for part, split in dataset.splits.items()}
    return ViewedSet(name, dataset, files)


def load_files(source: FileSource, progress: ProgressFunction, cancelled: CancelFunction) -> ViewedSet:
    """Loads a data set of the user's own files, in any thread. Raises UserError, Cancelled."""
    found = source.load_uncorrected(progress, cancelled)
    return ViewedSet(
        *(source.name, found.dataset, found.files, source),
        *(found.corrections, found.ignored, found.skipped, read_confirmed(source)),
    )


def view_of(source: Source, dataset: Dataset) -> ViewedSet | None:
    """The view of a data set that is in memory; None if its files have to be asked first."""
    return None if isinstance(source, FileSource) else without_files(source.name, dataset)


class NumberedNames(Sequence[str]):
    """`train/0`, `train/1`, …, without keeping them in memory."""

    def __init__(self, part: str, count: int) -> None:
        self._part, self._count = part, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, row):  # type: ignore[no-untyped-def]  # overloads would say no more
        if isinstance(row, slice):
            return [self[each] for each in range(*row.indices(self._count))]
        if not -self._count <= row < self._count:
            raise IndexError(row)
        return f"{self._part}/{row % self._count}"
