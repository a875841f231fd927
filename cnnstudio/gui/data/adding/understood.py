"""What images were understood to be: classes, counts, sizes, splits, and what is skipped and why."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from cnnstudio.core.formatting import format_count, format_percent, pluralize
from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.data.dataset import DataError
from cnnstudio.data.images.sizes import format_size, order_of
from cnnstudio.data.sources.adding import PreparedImages
from cnnstudio.data.sources.folder_layout import Question
from cnnstudio.data.sources.listing import Listing
from cnnstudio.data.versions.split_plan import SplitPlan

_MAX_SKIPPED = 200
_MAX_NOTES = 6


@dataclass(frozen=True, eq=False)
class Understood:
    """By the names of the files alone."""

    prepared: PreparedImages
    listing: Listing
    counts: tuple[tuple[str, dict[str, int]], ...]
    """Each class with the number of its images by split, without those that are known to be unreadable."""
    has_test: bool
    """Whether test images come with the set, so that none are held out."""
    groups: int = 0
    """How many groups the pattern finds."""
    problem: str = ""
    """Why the images cannot be split as wanted; empty if they can."""
    lack: str = ""
    """Which class has no images that can be read; empty if all have."""
    known_name: str = ""
    """The name that they have in the user's list; empty if they are not in it."""
    unreadable: frozenset[str] = frozenset()
    """The paths of the files that are not counted."""

    @property
    def question(self) -> Question | None:
        return self.listing.question

    @property
    def is_complete(self) -> bool:
        """Whether they can be added like that."""
        return not self.problem and not self.lack

    @property
    def notes(self) -> tuple[str, ...]:
        return self.listing.notes[:_MAX_NOTES]

    @property
    def splits(self) -> list[str]:
        """The splits that there are, or will be."""
        found = {part for _, counts in self.counts for part in counts}
        return [part for part in ("train", "validation", "test") if part in found]

    def total(self, part: str) -> int:
        return sum(counts.get(part, 0) for _, counts in self.counts)

    def summary(self) -> str:
        """`3 classes, 1,200 images: 960 for training, 240 for testing.`"""
        uses = {"train": "training", "validation": "validation", "test": "testing"}
        parts = ", ".join(f"{format_count(self.total(part))} for {uses[part]}" for part in self.splits)
        images = pluralize(sum(map(self.total, self.splits)), "image")
        return f"{format_count(len(self.counts))} classes, {images}: {parts}."


@dataclass(frozen=True)
class FileFacts:
    """What a look into all files tells."""

    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    skipped: Sequence[tuple[str, str]] = ()
    """(file, why it cannot be read), the first ones."""
    unreadable: frozenset[str] = frozenset()
    """The paths of all files that cannot be read."""

    @property
    def skipped_count(self) -> int:
        return len(self.unreadable)

    def describe_sizes(self) -> str:
        """`32 × 32`, or the range of the sizes."""
        if not self.sizes:
            return ""
        sizes = sorted(((height, width) for width, height in self.sizes), key=prod)
        if len(sizes) == 1:
            return f"All images are {format_size(sizes[0])}."
        low, high = (f"{height} × {width}" for height, width in (sizes[0], sizes[-1]))
        return (
            f"{format_count(len(sizes))} sizes, from {low} to {high}{order_of((sizes[0], sizes[-1]))}: "
            "all are resized to one."
        )


def understand(
    prepared: PreparedImages, cancelled: CancelFunction, unreadable: frozenset[str] = frozenset()
) -> Understood:
    """Reads the names of all files, and splits them as planned. Raises DataError or Cancelled.

    The files with the paths `unreadable` are not counted; they are left out after the split, as it is when
    the images are read.
    """
    listing = prepared.listing(cancelled)
    labels = {
        part: np.array([label for _, label in files], np.int64) for part, files in listing.parts.items()
    }
    readable = {
        part: np.array([path not in unreadable for path, _ in files], bool)
        for part, files in listing.parts.items()
    }
    has_test, groups, problem, lack = listing.test is not None, 0, "", ""
    if unreadable:
        try:
            prepared.source.require_readable(listing, unreadable)
        except DataError as error:
            lack = str(error)
    if not has_test:
        plan = prepared.source.plan
        names = [os.path.basename(path) for path, _ in listing.train]
        groups = plan.count_groups(names) if plan.groups else 0
        try:
            train, test = plan.hold_out(labels["train"], names)
        except DataError as error:
            problem = str(error)
        else:
            labels = {**labels, "train": labels["train"][train], "test": labels["train"][test]}
            readable = {**readable, "train": readable["train"][train], "test": readable["train"][test]}
    counts = {
        part: np.bincount(each[readable[part]], minlength=len(listing.classes)).tolist()
        for part, each in labels.items()
    }
    by_class = tuple(
        (name, {part: each[number] for part, each in counts.items()})
        for number, name in enumerate(listing.classes)
    )
    known = prepared.known_name
    return Understood(prepared, listing, by_class, has_test, groups, problem, lack, known, unreadable)


def look_into_files(found: Understood, progress: ProgressFunction, cancelled: CancelFunction) -> FileFacts:
    """Opens all files, which takes a while. Raises Cancelled."""
    # Imported here, because the window is shown before Pillow is loaded.
    from cnnstudio.data.images.file_check import check_files

    source = found.prepared.source
    paths = [path for path, _ in found.listing.files]
    check = check_files(paths, source.title, progress, cancelled)
    skipped = [
        (source.relative(path), reason) for path, reason in list(check.problems.items())[:_MAX_SKIPPED]
    ]
    return FileFacts(check.sizes, skipped, frozenset(check.problems))


def describe_plan(found: Understood, plan: SplitPlan) -> str:
    """How test images are chosen."""
    if found.has_test:
        return "The images come with test images of their own."
    text = f"{format_percent(plan.share)} of each class are held out as test images."
    if plan.groups:
        text += f" The pattern finds {pluralize(found.groups, 'group')}; each stays in one split."
    return text
