"""The fingerprint of a data set, computed while its images are written, which saves a pass over them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnstudio.data.dataset import Dataset, Labels, Pixels, ResizeMode
from cnnstudio.data.fingerprint import FingerprintBuilder


class EarlyFingerprint:
    """Hashes images as they are written, as long as their labels are those that were expected.

    The labels of a split come before its pixels in the fingerprint. They are known before an image has been
    read, except that images may turn out to be unreadable. Then it gives up.
    """

    def __init__(self, classes: Sequence[str], resize: ResizeMode) -> None:
        self._about = tuple(classes), resize
        self._builder: FingerprintBuilder | None = None
        self._parts: list[str] = []
        self._expected: Labels = np.empty(0, np.int64)
        """The labels of the images of this split that have yet to come."""
        self._failed = False

    def start_split(self, part: str, shape: tuple[int, int, int], labels: Labels | None) -> None:
        """`shape` is (C, H, W); `labels`, int64 (N,), those of all its images, if they are known.

        A split is started when all images of the one before have been added.
        """
        self._failed |= labels is None or len(self._expected) > 0
        if self._failed or labels is None:
            return
        if self._builder is None:
            classes, resize = self._about
            self._builder = FingerprintBuilder(classes, shape, resize)
        self._builder.start_split(labels)
        self._parts.append(part)
        self._expected = labels

    def add(self, part: str, pixels: Pixels, labels: Labels) -> None:
        """The next images, uint8 (n, H, W, C), C-contiguous, with their labels, int64 (n,)."""
        if self._failed:
            return
        expected, self._expected = self._expected[: len(labels)], self._expected[len(labels) :]
        if self._builder is None or part != self._parts[-1] or not np.array_equal(expected, labels):
            self._failed = True
            return
        self._builder.add(pixels)

    def of(self, dataset: Dataset) -> str | None:
        """The fingerprint of the data set that was written; None if it has to be computed from its images."""
        is_complete = not self._failed and not len(self._expected) and self._parts == list(dataset.splits)
        if self._builder is None or not is_complete or self._about != (dataset.classes, dataset.resize):
            return None
        return self._builder.hexdigest()
