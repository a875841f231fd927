"""Data sets whose images are files of the user's: what folders and tables have in common."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import os
from abc import abstractmethod
from collections import Counter
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import expand_home
from cnnstudio.core.formatting import format_percent
from cnnstudio.core.progress import (
    CancelFunction,
    ProgressFunction,
    ignore_progress,
    never_cancelled,
    throttled,
)
from cnnstudio.data.dataset import DataError, Dataset, Labels, ResizeMode
from cnnstudio.data.images.sizes import AUTOMATIC, Size, common_size, decoded_bytes
from cnnstudio.data.sources.base import Source
from cnnstudio.data.sources.file_reader import FileReader
from cnnstudio.data.sources.folder_list import RegisteredSet
from cnnstudio.data.sources.listing import Listing
from cnnstudio.data.storage.decoded_cache import cache_key, discard, get_or_create
from cnnstudio.data.storage.writers import DatasetWriter
from cnnstudio.data.versions.correcting import (
    UncorrectedImages,
    ValidCorrections,
    correct_images,
    correct_labels,
    correct_listing,
    valid_corrections,
)
from cnnstudio.data.versions.corrections import read_corrections
from cnnstudio.data.versions.listed_files import MAX_FILES, ListedFile, record_files
from cnnstudio.data.versions.split_plan import SplitPlan
from cnnstudio.data.versions.version import record_version, version_id

VERSION = 2
"""Raised with every change to how images are read, so that older cached copies are not used."""
_MAX_LISTED = 100
_UNNAMED = "images"


class FileSource(Source):
    """Images in files that stay where they are, decoded once into the cache."""

    built_in: ClassVar[bool] = False

    def __init__(self, path: Path, name: str, plan: SplitPlan, resize: ResizeMode, size: Size) -> None:
        """`path` is what the user has added: a folder or a table."""
        self.resize: ResizeMode = resize
        self.size = size
        self.path = Path(os.path.abspath(expand_home(path)))
        # A whole drive has no name.
        self.name = self.title = name or self.path.name or _UNNAMED
        self.plan = plan

    @property
    @abstractmethod
    def folder(self) -> Path:
        """The folder that the names of the files start from."""

    @abstractmethod
    def listing(self, cancelled: CancelFunction = never_cancelled) -> Listing:
        """The classes and image files, by name only. Raises DataError if they cannot be a data set."""

    @property
    @abstractmethod
    def entry(self) -> RegisteredSet:
        """What the user's list of data sets has to keep of it."""

    def named(self, name: str) -> Self:
        """The same images under another name."""
        renamed = copy.copy(self)
        renamed.name = renamed.title = name
        return renamed

    def changed(
        self, *, plan: SplitPlan | None = None, resize: ResizeMode | None = None, size: Size | None = None
    ) -> Self:
        """The same images, split or brought to one size in another way. What is None stays."""
        changed = copy.copy(self)
        changed.plan = self.plan if plan is None else plan
        changed.resize = self.resize if resize is None else resize
        changed.size = self.size if size is None else size
        return changed

    def relative(self, path: str) -> str:
        """The name of one of its files: the path from `folder`, with / between its parts."""
        return os.path.relpath(path, self.folder).replace(os.sep, "/")

    def info(self) -> dict[str, Any]:
        about = super().info() | {"folder": str(self.folder)}
        try:
            listing = self._corrected_listing(self.listing())
        except UserError as error:
            return about | {"available": False, "problem": str(error)}
        return about | self._about(listing)

    def _corrected_listing(self, listing: Listing) -> Listing:
        """The listing with the user's corrections, and notes about them."""
        valid = self._valid_corrections(listing)
        if valid:
            names = ((path, self.relative(path)) for path, _ in listing.files)
            by_path = {path: valid.labels[name] for path, name in names if name in valid.labels}
            listing = correct_listing(listing, by_path)
        return dataclasses.replace(listing, notes=(*listing.notes, *valid.notes()))

    def _about(self, listing: Listing) -> dict[str, Any]:
        asked = listing.question
        return {
            "classes": list(listing.classes),
            "train": len(listing.train),
            "test": None if listing.test is None else len(listing.test),
            **({} if listing.validation is None else {"validation": len(listing.validation)}),
            **({"split": self.plan.to_json()} if listing.test is None else {}),
            **({"unlabeled": list(listing.unlabeled)} if listing.unlabeled else {}),
            "resize": self.resize,
            **({} if self.size == AUTOMATIC else {"size": list(self.size)}),
            "notes": [*listing.all_notes, *self._split_notes(listing), *listing.balance_notes()],
            "layouts": dict(asked.answers) if asked is not None and not asked.is_answered else {},
        }

    def _split_notes(self, listing: Listing) -> list[str]:
        """What was chosen for the split, if anything was."""
        if self.plan.is_default:
            return []
        if listing.test is not None:
            return ["The data set has test images of its own: seed, share and groups have no effect."]
        groups = f", with images in one group if “{self.plan.groups}” finds the same in their names"
        return [
            f"{format_percent(self.plan.share)} of each class are held out as the test set by seed "
            f"{self.plan.seed}{groups if self.plan.groups else ''}."
        ]

    def image_shape(self, cancelled: CancelFunction = never_cancelled) -> tuple[int, int, int] | None:
        # Imported here so that the window can list this source without loading Pillow.
        from cnnstudio.data.images.decoding import choose_size

        paths = [path for path, _ in self.listing(cancelled).files]
        (height, width), _ = choose_size(paths, cancelled, self.size)
        return 3, height, width

    def unequal_sizes(self, cancelled: CancelFunction = never_cancelled) -> str:
        return self._corrected_listing(self.listing(cancelled)).unequal_sizes()

    def unreadable_classes(
        self, listing: Listing, cancelled: CancelFunction = never_cancelled
    ) -> frozenset[str]:
        """The paths of the files of classes without enough images, as far as their headers tell.

        Quick, as most files are not opened. Raises Cancelled.
        """
        from cnnstudio.data.images.file_check import find_unreadable_classes

        needed = 1 if listing.test is not None else 2
        parts = (listing.train, listing.test or ())
        return frozenset[str]().union(*(find_unreadable_classes(each, needed, cancelled) for each in parts))

    def require_readable(self, listing: Listing, unreadable: Container[str]) -> None:
        """Raises DataError if the files with the paths `unreadable` leave a class without images."""
        readable = np.array([path not in unreadable for path, _ in listing.files], bool)
        FileReader(self, listing).require_images(readable)

    def checked_info(
        self, progress: ProgressFunction = ignore_progress, cancelled: CancelFunction = never_cancelled
    ) -> dict[str, Any]:
        """`info` without the files that cannot be read as images, which are counted as "unreadable"."""
        from cnnstudio.data.images.file_check import check_files

        about = super().info() | {"folder": str(self.folder)}
        try:
            listing = self._corrected_listing(self.listing(cancelled))
        except UserError as error:
            return about | {"available": False, "problem": str(error)}
        about |= self._about(listing)
        checks = {
            part: check_files([path for path, _ in files], self.title, throttled(progress), cancelled)
            for part, files in listing.parts.items()
        }
        problems = {path: reason for check in checks.values() for path, reason in check.problems.items()}
        counts = {part: len(files) - len(checks[part].problems) for part, files in listing.parts.items()}
        skipped = [
            {"file": self.relative(path), "reason": reason}
            for path, reason in list(problems.items())[:_MAX_LISTED]
        ]
        sizes = sum((check.sizes for check in checks.values()), start=Counter[tuple[int, int]]())
        count = sum(counts.values())
        size = common_size(sizes, count) if self.size == AUTOMATIC else self.size
        try:
            self.require_readable(listing, problems)
        except DataError as error:
            about |= {"available": False, "problem": str(error)}
        return {
            **about,
            **counts,
            "counts": _class_counts(listing, problems),
            "sizes": [[*each, number] for each, number in sizes.most_common(_MAX_LISTED)],
            "decoded": {"size": list(size), "bytes": decoded_bytes(count, size)},
            "unreadable": len(problems),
            "skipped": skipped,
        }

    def load(
        self, progress: ProgressFunction = ignore_progress, cancelled: CancelFunction = never_cancelled
    ) -> Dataset:
        listing = self.listing(cancelled)
        decoded = self._decoded(listing, progress, cancelled)
        if not read_corrections(self.path).entries:
            return self._versioned(decoded, decoded, listing, {})
        return self._corrected(decoded, listing, cancelled)[0]

    def load_with_files(
        self, progress: ProgressFunction = ignore_progress, cancelled: CancelFunction = never_cancelled
    ) -> tuple[Dataset, dict[str, list[str]]]:
        """The data set, and the names of the files of its images by split."""
        listing = self.listing(cancelled)
        decoded = self._decoded(listing, progress, cancelled)
        return self._corrected(decoded, listing, cancelled)

    def load_corrected_by(
        self,
        corrections: Mapping[str, str | None],
        progress: ProgressFunction = ignore_progress,
        cancelled: CancelFunction = never_cancelled,
    ) -> tuple[Dataset, dict[str, list[str]]]:
        """The same with these corrections instead of the user's, such as those of an earlier version.

        `corrections` are file names with their class, or None for an excluded image; what does not fit the
        files as they are now is left out. Raises DataError or Cancelled.
        """
        listing = self.listing(cancelled)
        decoded = self._decoded(listing, progress, cancelled)
        known = {self.relative(path) for path, _ in listing.files}
        labels = {
            file: None if label is None else listing.classes.index(label)
            for file, label in corrections.items()
            if file in known and (label is None or label in listing.classes)
        }
        return self._corrected(decoded, listing, cancelled, ValidCorrections(labels, {}))

    def load_uncorrected(
        self, progress: ProgressFunction = ignore_progress, cancelled: CancelFunction = never_cancelled
    ) -> UncorrectedImages:
        """The images as they are in the files, beside the corrections. Raises DataError or Cancelled."""
        listing = self.listing(cancelled)
        decoded = self._decoded(listing, progress, cancelled)
        files = self._names_by_split(decoded, listing)
        named = decoded.with_version(version_id(decoded.fingerprint, {}))
        skipped = [self.relative(listing.files[index][0]) for index in decoded.skipped]
        ignored = self._valid_corrections(listing).ignored
        return UncorrectedImages(named, files, read_corrections(self.path), ignored, skipped)

    def _names_by_split(self, decoded: Dataset, listing: Listing) -> dict[str, list[str]]:
        rows = FileReader(self, listing).rows(decoded.skipped)
        # Once, because the listing puts all of them together when it is asked.
        names = [self.relative(path) for path, _ in listing.files]
        return {part: [names[row] for row in rows[part].tolist()] for part in rows}

    def _decoded(self, listing: Listing, progress: ProgressFunction, cancelled: CancelFunction) -> Dataset:
        """The images as they are in the files."""

        def read(writer: DatasetWriter) -> Dataset:
            # Imported here so that the window can list this source without loading Pillow.
            from cnnstudio.data.images.image_files import silence_pillow_warnings

            with silence_pillow_warnings():
                return FileReader(self, listing).read(writer, throttled(progress), cancelled)

        key, state = cache_key("folder", str(self.path)), self._state(listing)
        decoded = get_or_create(key, state, read, progress, cancelled)
        if decoded.image_count + len(decoded.skipped) != len(listing.files):
            # An earlier version decoded it, which did not note which files it had to skip.
            discard(key)
            decoded = get_or_create(key, state, read, progress, cancelled)
        return decoded

    def _corrected(
        self,
        decoded: Dataset,
        listing: Listing,
        cancelled: CancelFunction,
        earlier: ValidCorrections | None = None,
    ) -> tuple[Dataset, dict[str, list[str]]]:
        """With the user's corrections, or with `earlier` ones."""
        files = self._names_by_split(decoded, listing)
        valid = self._valid_corrections(listing) if earlier is None else earlier
        corrected = dataclasses.replace(decoded, notes=(*decoded.notes, *valid.notes()))
        corrected.preset_fingerprint(decoded.fingerprint)
        if valid:
            # Two copies at most, so that looking at an earlier version does not displace the present one.
            kind = "corrected" if earlier is None else "corrected-earlier"
            key = cache_key(kind, str(self.path))
            corrected, files = correct_images(corrected, files, valid, key, cancelled)
        return self._versioned(corrected, decoded, listing, _by_name(valid, listing)), files

    def _valid_corrections(self, listing: Listing) -> ValidCorrections:
        corrections = read_corrections(self.path)
        if not corrections.entries:
            return ValidCorrections({}, {})
        known = dict.fromkeys(self.relative(path) for path, _ in listing.files)
        return valid_corrections(corrections, listing.classes, self.folder, known)

    def record_current_version(
        self, progress: ProgressFunction = ignore_progress, cancelled: CancelFunction = never_cancelled
    ) -> str:
        """The id of the version that the images and corrections are now, which is described as by `load`.

        Nothing is written of the images themselves. Raises DataError or Cancelled.
        """
        listing = self.listing(cancelled)
        decoded = self._decoded(listing, progress, cancelled)
        valid = self._valid_corrections(listing)
        found, kept, _ = correct_labels(decoded, self._names_by_split(decoded, listing), valid)
        labels = {part: found[part][kept[part]] for part in found}
        return self._versioned(decoded, decoded, listing, _by_name(valid, listing), labels).version

    def _versioned(
        self,
        dataset: Dataset,
        decoded: Dataset,
        listing: Listing,
        corrections: Mapping[str, str | None],
        labels: Mapping[str, Labels] | None = None,
    ) -> Dataset:
        named = dataset.with_version(version_id(decoded.fingerprint, corrections))
        split = self.plan.to_json() if listing.test is None else None
        record_version(
            *(named, decoded.fingerprint, lambda: self._describe_files(decoded, listing)),
            *(split, corrections, labels),
        )
        return named

    def _describe_files(self, decoded: Dataset, listing: Listing) -> dict[str, str]:
        """Hashes (hex) of all files' names and sizes, of their labels, and of when they were written.

        But for the last one, they are the same wherever the files are. Also keeps the list of the files that
        are in the splits, for comparing versions file by file.
        """
        files, times, labels = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
        sizes: dict[str, int] = {}
        for path, label in sorted(listing.files):
            try:
                state = os.stat(path)
                size, written = state.st_size, state.st_mtime_ns
            except OSError:
                size, written = -1, -1
            name = self.relative(path)
            sizes[name] = size
            files.update(os.fsencode(f"{name}\0{size}\0"))
            times.update(f"{written}\0".encode())
            labels.update(f"{listing.classes[label]}\0".encode("utf-8", "surrogateescape"))
        hashes = {"files": files, "times": times, "labels": labels}
        about = {name: each.hexdigest() for name, each in hashes.items()}
        if len(sizes) > MAX_FILES:
            return about
        listed = {
            name: ListedFile(part, listing.classes[label], sizes[name])
            for part, names in self._names_by_split(decoded, listing).items()
            for name, label in zip(names, decoded.splits[part].labels.tolist(), strict=True)
        }
        key = record_files(listed)
        return {**about, "listing": key} if key else about

    def _state(self, listing: Listing) -> str:
        """A hash (hex) of all files' names, sizes and times, and of everything else the result depends on."""
        settings: list[object] = [VERSION, self.name, self.plan.seed, len(listing.train), listing.classes]
        # Only where there is more to say, so that what older versions have decoded stays in use.
        if listing.all_notes or listing.validation is not None:
            settings += [listing.all_notes, {part: len(files) for part, files in listing.parts.items()}]
        if not self.plan.is_default:
            settings.append(self.plan.to_json())
        if self.resize != "fill":
            settings.append(self.resize)
        if self.size != AUTOMATIC:
            settings.append(self.size)
        digest = hashlib.sha256(json.dumps(settings).encode())
        for path, label in listing.files:
            try:
                state = os.stat(path)
            except OSError:
                entry = f"{path}\0{label}\0"  # counts as unreadable, until its state can be read
            else:
                entry = f"{path}\0{label}\0{state.st_size}\0{state.st_mtime_ns}\0"
            digest.update(os.fsencode(entry))
        return digest.hexdigest()


def _by_name(valid: ValidCorrections, listing: Listing) -> dict[str, str | None]:
    """File name -> the name of its class, or None for an excluded image."""
    return {file: None if label is None else listing.classes[label] for file, label in valid.labels.items()}


def _class_counts(listing: Listing, problems: Mapping[str, str]) -> dict[str, int]:
    """The number of images of each class in all splits, without those that cannot be read."""
    counts = Counter(label for path, label in listing.files if path not in problems)
    return {name: counts[label] for label, name in enumerate(listing.classes)}
