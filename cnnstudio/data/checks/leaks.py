"""Classes that can be told by something that has nothing to do with them, such as the size of the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cnnstudio.data.dataset import Labels, Rows

Mask = npt.NDArray[np.bool_]

THRESHOLD = 0.9
"""Of the mean of how many images of the class, and of the others, are recognized."""
_MIN_IMAGES = 10
_BINS = 24


@dataclass(frozen=True, eq=False)
class Feature:
    """What is known of each image without looking at it, as categories."""

    values: Rows
    """intp (N,), from 0."""
    is_ordered: bool = False
    """Whether neighboring categories are alike."""


def binned(values: npt.NDArray[np.float32]) -> Feature:
    """Numbers, in categories of about the same size."""
    bins = max(2, min(_BINS, len(values) // 4))
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1])) if len(values) else values
    return Feature(np.searchsorted(edges, values, side="right").astype(np.intp), is_ordered=True)


def numbered(values: Sequence[object]) -> Feature:
    """Anything, equal ones in one category."""
    numbers: dict[object, int] = {}
    return Feature(np.array([numbers.setdefault(value, len(numbers)) for value in values], np.intp))


def find_leaks(
    labels: Labels, classes: Sequence[str], features: Mapping[str, Feature]
) -> list[dict[str, object]]:
    """Each class that one of the features tells, with how well.

    Rules are made from every other image and tried on the rest, so that chance does not count.
    """
    found: list[dict[str, object]] = []
    even = np.arange(len(labels)) % 2 == 0
    order = np.random.default_rng(0).permutation(len(labels))
    labels = labels[order]
    for name, feature in features.items():
        values = feature.values[order]
        size = int(values.max(initial=0)) + 1
        if size == 1:
            continue
        for label, title in enumerate(classes):
            own = labels == label
            if min(own.sum(), (~own).sum()) < _MIN_IMAGES:
                continue
            sides = [_recognized(Feature(values, feature.is_ordered), own, half) for half in (even, ~even)]
            accuracy = float(np.mean(sides))
            if accuracy >= THRESHOLD:
                found.append({"class": title, "by": name, "accuracy": accuracy})
    return sorted(found, key=lambda leak: -float(str(leak["accuracy"])))


def _recognized(feature: Feature, own: Mask, half: Mask) -> float:
    """The balanced accuracy, on the other half, of the best rule for one half."""
    values, rates = feature.values, []
    for members in (own, ~own):
        counts = np.bincount(values[half & members], minlength=int(values.max()) + 1).astype(float)
        if feature.is_ordered:
            counts = np.convolve(counts, (1, 2, 1), mode="same")
        rates.append(counts / max(counts.sum(), 1))
    # Half right about what was not seen before.
    says_own = (1 + np.sign(rates[0] - rates[1]))[values[~half]] / 2
    truth = own[~half]
    if not truth.any() or truth.all():
        return 0.0
    return float((says_own[truth].mean() + 1 - says_own[~truth].mean()) / 2)
