"""Applies corrections to a listing of files and to decoded images."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cnnstudio.core.formatting import pluralize
from cnnstudio.core.parameters import shorten
from cnnstudio.core.progress import CancelFunction, raise_if_cancelled
from cnnstudio.data.dataset import (
    DataError,
    Dataset,
    Labels,
    Rows,
    Split,
    Uncorrected,
    as_channels_last,
)
from cnnstudio.data.storage.decoded_cache import get_or_create
from cnnstudio.data.storage.writers import DatasetWriter
from cnnstudio.data.versions.corrections import Corrections

if TYPE_CHECKING:
    from cnnstudio.data.sources.listing import Files, Listing

_CHUNK = 256
_MIN_CACHED_BYTES = 64_000_000
"""Smaller copies without the excluded images stay in memory."""
_MAX_NAMED, _MAX_NAME = 3, 80


@dataclass(frozen=True, eq=False)
class UncorrectedImages:
    """A data set as its files tell it, and what the user has changed about it."""

    dataset: Dataset
    files: Mapping[str, Sequence[str]]
    """The name of each image, by split."""
    corrections: Corrections
    """All of them, whether or not their files are as they were."""
    ignored: Mapping[str, str]
    """The files whose corrections do not apply, and why."""
    skipped: Sequence[str]
    """The files that cannot be read."""


@dataclass(frozen=True)
class ValidCorrections:
    """The corrections that apply to the files as they are."""

    labels: Mapping[str, int | None]
    """File name -> the class, or None for an excluded image."""
    ignored: Mapping[str, str]
    """File name -> why its correction is ignored."""

    def __bool__(self) -> bool:
        return bool(self.labels)

    def notes(self) -> list[str]:
        """What they change, and what is ignored, as sentences."""
        excluded = sum(label is None for label in self.labels.values())
        counts = ((len(self.labels) - excluded, "label"), (excluded, "exclusion"))
        parts = [pluralize(count, noun) for count, noun in counts if count]
        notes = [f"Corrected by you: {' and '.join(parts)} (see cnnstudio data label)."] if parts else []
        if self.ignored:
            named = [f"{shorten(file, _MAX_NAME)} ({why})" for file, why in self.ignored.items()][:_MAX_NAMED]
            left = len(self.ignored) - len(named)
            verb, more = "is" if len(self.ignored) == 1 else "are", f" and {left:,} more" if left else ""
            count = pluralize(len(self.ignored), "correction")
            notes.append(f"{count} {verb} ignored: {', '.join(named)}{more}.")
        return notes


def valid_corrections(
    corrections: Corrections, classes: Sequence[str], folder: Path, files: Mapping[str, object]
) -> ValidCorrections:
    """Those whose files are in the set and as they were. `files` are the names in the set."""
    labels: dict[str, int | None] = {}
    ignored: dict[str, str] = {}
    for file, entry in corrections.entries.items():
        state = entry.state(folder / file) if file in files else "gone"
        if state != "valid":
            ignored[file] = {"gone": "the file is gone", "changed": "the file has changed"}[state]
        elif entry.label is not None and entry.label not in classes:
            ignored[file] = f"there is no class {shorten(entry.label, _MAX_NAME)} any more"
        else:
            labels[file] = None if entry.label is None else classes.index(entry.label)
    return ValidCorrections(labels, ignored)


def correct_listing(listing: Listing, valid: Mapping[str, int | None]) -> Listing:
    """The listing with the corrections, by path; its notes and its split stay those of the files."""

    def corrected(files: Files | None) -> Files | None:
        if files is None:
            return None
        found = ((path, valid.get(path, label)) for path, label in files)
        return tuple((path, label) for path, label in found if label is not None)

    return dataclasses.replace(
        listing,
        train=corrected(listing.train) or (),
        test=corrected(listing.test),
        validation=corrected(listing.validation),
    )


def correct_images(
    dataset: Dataset,
    files: Mapping[str, Sequence[str]],
    valid: ValidCorrections,
    key: str,
    cancelled: CancelFunction,
) -> tuple[Dataset, dict[str, list[str]]]:
    """The data set with the corrections, and the names of its files by split.

    `files` are the names of the images before. The split stays as it is, so that results before and after can
    be compared. A large copy without the excluded images is kept in the cache under `key`. Raises DataError
    if a class has no images left, Cancelled.
    """
    labels, kept, change = correct_labels(dataset, files, valid)
    for part in files:
        _require_classes(dataset, part, labels[part][kept[part]])
    digest = hashlib.sha256(json.dumps([dataset.fingerprint, change]).encode()).hexdigest()
    relabeled = dataset.with_splits(
        {part: _relabeled(split, labels[part]) for part, split in dataset.splits.items()}
    )
    corrected = _without_excluded(relabeled, kept, key, digest, cancelled)
    corrected = corrected.with_uncorrected(Uncorrected(dataset.train.labels, kept["train"]))
    # Equal images with equal corrections have an equal one, without another pass over all pixels.
    corrected.preset_fingerprint(digest)
    if corrected.image_count == dataset.image_count:
        corrected.preset_pixels_fingerprint(dataset.pixels_fingerprint)
    return corrected, {part: [names[row] for row in kept[part].tolist()] for part, names in files.items()}


def correct_labels(
    dataset: Dataset, files: Mapping[str, Sequence[str]], valid: ValidCorrections
) -> tuple[dict[str, Labels], dict[str, Rows], list[list[object]]]:
    """By split the labels of all images, and the rows not excluded; then each (split, row, label)."""
    labels: dict[str, Labels] = {}
    kept: dict[str, Rows] = {}
    change: list[list[object]] = []
    for part, names in files.items():
        labels[part] = dataset.splits[part].labels.copy()
        keep = np.ones(len(names), bool)
        for row, name in enumerate(names):
            label = valid.labels.get(name, -1)
            if label is None:
                keep[row] = False
            elif label >= 0:
                labels[part][row] = label
            if label != -1:
                change.append([part, row, label])
        kept[part] = np.flatnonzero(keep)
    return labels, kept, change


def _relabeled(split: Split, labels: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Split:
    relabeled = Split(split.images, labels)
    relabeled.preset_histograms(split.histograms)
    return relabeled


def _require_classes(dataset: Dataset, part: str, labels: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    if part == "validation":
        return
    missing = np.flatnonzero(np.bincount(labels, minlength=len(dataset.classes)) == 0)
    if len(missing):
        kind = "training" if part == "train" else part
        raise DataError(
            f"With your corrections, {dataset.title} has no {kind} images of class "
            f"{dataset.classes[missing[0]]}: undo the last one (cnnstudio data label --undo)."
        )


def _without_excluded(
    dataset: Dataset, kept: Mapping[str, Rows], key: str, digest: str, cancelled: CancelFunction
) -> Dataset:
    if all(len(kept[part]) == len(split) for part, split in dataset.splits.items()):
        return dataset

    def create(writer: DatasetWriter) -> Dataset:
        writer.reserve(dataset.title, sum(split.images.nbytes for split in dataset.splits.values()))
        writer.announce(dataset.classes, dataset.resize)
        written = {}
        for part, split in dataset.splits.items():
            split_writer = writer.split_writer(part, split.shape, split.labels[kept[part]])
            images = as_channels_last(split.images)
            for start in range(0, len(kept[part]), _CHUNK):
                raise_if_cancelled(cancelled)
                rows = kept[part][start : start + _CHUNK]
                split_writer.add(images[rows], split.labels[rows])
            written[part] = split_writer.finish()
        return dataset.with_splits(written)

    if sum(split.images.nbytes for split in dataset.splits.values()) <= _MIN_CACHED_BYTES:
        return create(DatasetWriter(None))
    return get_or_create(key, [dataset.title, dataset.notes, digest], create, cancelled=cancelled)
