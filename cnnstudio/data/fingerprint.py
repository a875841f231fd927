"""The fingerprint of a data set: a hash of its classes, labels and pixels, in an order that never changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


class FingerprintBuilder:
    """SHA-256 of what a data set has, piece by piece: of each split first its labels, then its pixels.

    Runs and versions name their data by it, so it must never change for equal data.
    """

    def __init__(self, classes: Sequence[str], shape: tuple[int, int, int], resize: str) -> None:
        """`shape` is (C, H, W) of every image, `resize` a ResizeMode."""
        # How they are resized counts only where it is not the usual way, so that known fingerprints stay.
        about = [classes, shape, *([resize] if resize != "fill" else [])]
        self._digest = hashlib.sha256(json.dumps(about).encode())

    def start_split(self, labels: npt.NDArray[np.int64]) -> None:
        """The next of "train", "test" and "validation", with the labels of all its images, int64 (N,)."""
        self._digest.update(labels.astype("<i8").tobytes())

    def add(self, pixels: npt.NDArray[np.uint8]) -> None:
        """Its next images, uint8 (n, H, W, C), C-contiguous."""
        # hashlib lets other threads run meanwhile.
        self._digest.update(pixels.data)

    def hexdigest(self) -> str:
        """Of everything so far."""
        return self._digest.hexdigest()
