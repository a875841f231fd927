"""`check_images`: everything that can be found in a data set without a trained network."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnstudio.core.progress import (
    CancelFunction,
    ProgressFunction,
    ignore_progress,
    never_cancelled,
    throttled,
    with_time_left,
)
from cnnstudio.data.checks.duplicates import Pair, digests, equal_images, similar_images
from cnnstudio.data.checks.leaks import binned, find_leaks, numbered
from cnnstudio.data.checks.quality import Size, flaws, odd_sizes
from cnnstudio.data.checks.thumbnails import SmallImages, small_images
from cnnstudio.data.dataset import SPLIT_WORDS, DataError, Dataset
from cnnstudio.data.images.image_files import image_size, silence_pillow_warnings
from cnnstudio.data.images.parallel import ordered_map
from cnnstudio.data.sources.base import Source
from cnnstudio.data.sources.file_source import FileSource

MAX_IMAGES = 1_000_000
"""More are not checked at once: what is kept of each takes about 2 kB of memory."""
MAX_ALL_PAIRS = 20_000
"""Within a split, look-alikes are looked for in sets of at most so many images; between splits always."""

Files = Mapping[str, Sequence[str]]


@dataclass(frozen=True, eq=False)
class CheckedImages:
    """A data set with the names of its images, and what was found in it."""

    dataset: Dataset
    files: Files
    """The name of each image, by split."""
    skipped: list[str]
    """The files that cannot be read."""
    exact: list[list[str]]
    """Groups of equal images."""
    near: list[dict[str, Any]]
    """Pairs that look the same."""
    across_splits: list[dict[str, Any]]
    """Images of the test or validation set that are in training as well."""
    quality: list[dict[str, str]]
    leaks: list[dict[str, object]]
    checked_all_pairs: bool

    @property
    def counts(self) -> dict[str, int]:
        """The number of images of each class."""
        labels = np.concatenate([split.labels for split in self.dataset.splits.values()])
        counts = np.bincount(labels, minlength=len(self.dataset.classes)).tolist()
        return dict(zip(self.dataset.classes, counts, strict=True))

    def inflation(self) -> dict[str, float]:
        """By split: the share of images that a network may get right because it memorized them."""
        found = {}
        for part in self.files:
            known = {
                each["file"]
                for each in self.across_splits
                if each["split"] == part and each["label"] == each["train_label"]
            }
            if part != "train" and self.files[part]:
                found[part] = len(known) / len(self.files[part])
        return found

    def to_json(self) -> dict[str, Any]:
        return {
            "classes": self.counts,
            "skipped": self.skipped,
            "duplicates": {"exact": self.exact, "near": self.near, "across_splits": self.across_splits},
            "inflated_accuracy": self.inflation(),
            "doubts": [],
            "quality": self.quality,
            "leaks": self.leaks,
        }


def check_images(
    source: Source,
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
    *,
    all_pairs: bool = False,
) -> CheckedImages:
    """Checks the images with the user's corrections. Raises DataError or Cancelled.

    With `all_pairs`, look-alikes within the training set are looked for in large sets as well.
    """
    report = with_time_left(throttled(progress))
    dataset, files = _load(source, report, cancelled)
    if dataset.image_count > MAX_IMAGES:
        raise DataError(
            f"{dataset.title} has {dataset.image_count:,} images, but at most {MAX_IMAGES:,} are checked at "
            "once: check its folders one by one."
        )
    small = small_images(dataset, report, cancelled)
    search = _Search(dataset, files, small, report, cancelled)
    is_complete = all_pairs or dataset.image_count <= MAX_ALL_PAIRS
    exact = search.exact()
    across = search.across_splits()
    near = search.near() if is_complete else []
    sizes, formats = _file_facts(source, files, cancelled)
    skipped = []
    if isinstance(source, FileSource):
        every = source.listing(cancelled).files
        skipped = [source.relative(every[index][0]) for index in dataset.skipped if index < len(every)]
    names = [name for part in files.values() for name in part]
    quality = [
        {"file": files[part][row], "issue": issue}
        for part, images in small.items()
        for row, issue in flaws(images)
    ] + [{"file": names[index], "issue": issue} for index, issue in odd_sizes(sizes)]
    leaks = _leaks(dataset, small, sizes, formats)
    return CheckedImages(dataset, files, skipped, exact, near, across, quality, leaks, is_complete)


def _load(source: Source, progress: ProgressFunction, cancelled: CancelFunction) -> tuple[Dataset, Files]:
    if isinstance(source, FileSource):
        return source.load_with_files(progress, cancelled)
    dataset = source.load(progress, cancelled)
    return dataset, {
        part: [f"{part}/{row}" for row in range(len(split))] for part, split in dataset.splits.items()
    }


class _Search:
    """Looks for images that occur more than once."""

    def __init__(
        self,
        dataset: Dataset,
        files: Files,
        small: Mapping[str, SmallImages],
        progress: ProgressFunction,
        cancelled: CancelFunction,
    ) -> None:
        self._dataset, self._files, self._small = dataset, files, small
        self._progress, self._cancelled = progress, cancelled
        self._digests = {part: digests(split, cancelled) for part, split in dataset.splits.items()}

    def exact(self) -> list[list[str]]:
        every = [digest for part in self._digests.values() for digest in part]
        names = [name for part in self._digests for name in self._files[part]]
        return [[names[row] for row in rows] for rows in equal_images(every)]

    def near(self) -> list[dict[str, Any]]:
        """Within each split."""
        found = []
        for part, images in self._small.items():
            text = f"Comparing {SPLIT_WORDS[part]} images with each other"
            for pair in similar_images(images, images, text, self._progress, self._cancelled):
                if self._digests[part][pair.row] != self._digests[part][pair.other]:
                    files = [self._files[part][row] for row in sorted((pair.row, pair.other))]
                    found.append({"files": files, "score": pair.score, "mirrored": pair.is_mirrored})
        return found

    def across_splits(self) -> list[dict[str, Any]]:
        """Of each image that is also in training, its best match there; equal ones first."""
        train = self._digests["train"]
        known = {digest: row for row, digest in reversed(list(enumerate(train)))}
        found = []
        for part in self._small:
            if part == "train":
                continue
            best = {
                row: Pair(row, known[digest], 1.0)
                for row, digest in enumerate(self._digests[part])
                if digest in known
            }
            text = f"Comparing {SPLIT_WORDS[part]} images with training images"
            images, others = self._small[part], self._small["train"]
            for pair in similar_images(images, others, text, self._progress, self._cancelled):
                best.setdefault(pair.row, pair)
            found += [self._entry(part, pair) for pair in best.values()]
        return sorted(found, key=lambda each: -each["score"])

    def _entry(self, part: str, pair: Pair) -> dict[str, Any]:
        classes, splits = self._dataset.classes, self._dataset.splits
        return {
            "file": self._files[part][pair.row],
            "split": part,
            "train_file": self._files["train"][pair.other],
            "label": classes[splits[part].labels[pair.row]],
            "train_label": classes[splits["train"].labels[pair.other]],
            "score": pair.score,
            "exact": self._digests[part][pair.row] == self._digests["train"][pair.other],
            "mirrored": pair.is_mirrored,
        }


def _file_facts(
    source: Source, files: Files, cancelled: CancelFunction
) -> tuple[list[Size | None], list[str]]:
    """The size in the file and the suffix of each image; nothing for images that are not in files."""
    if not isinstance(source, FileSource):
        return [], []
    names = [name for part in files.values() for name in part]

    def size(name: str) -> Size | None:
        try:
            return image_size(Path(source.folder, name))
        except DataError:
            return None

    with silence_pillow_warnings(), closing(ordered_map(size, names, cancelled)) as found:
        return list(found), [os.path.splitext(name)[1].lower() for name in names]


def _leaks(
    dataset: Dataset,
    small: Mapping[str, SmallImages],
    sizes: Sequence[Size | None],
    formats: Sequence[str],
) -> list[dict[str, object]]:
    labels = np.concatenate([split.labels for split in dataset.splits.values()])
    gray = np.concatenate([images.gray.mean(axis=(1, 2)) for images in small.values()])
    border = np.concatenate([np.rint(images.border * 7) for images in small.values()])
    features = {
        "brightness": binned(gray.astype(np.float32)),
        "border": numbered([tuple(color) for color in border.tolist()]),
    }
    if sizes:
        features = {"size": numbered(sizes), "format": numbered(formats), **features}
    return find_leaks(labels, dataset.classes, features)
