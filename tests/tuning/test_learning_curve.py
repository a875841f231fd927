"""Learning curves: nested parts of the images, and what follows from the accuracies."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from cnnstudio.tuning.learning_curve import (
    FRACTIONS,
    CurvePoint,
    LearningCurve,
    epochs_for,
    nested_rows,
)


def test_smaller_parts_are_parts_of_the_larger_ones_with_the_same_share_of_each_class() -> None:
    labels = np.repeat([0, 1, 2], (100, 40, 3)).astype(np.int64)
    parts = [nested_rows(labels, fraction, seed=4) for fraction in FRACTIONS]
    for smaller, larger in pairwise(parts):
        assert set(smaller.tolist()) < set(larger.tolist())
    assert [np.bincount(labels[rows]).tolist() for rows in parts] == [
        [10, 4, 1],
        [25, 10, 1],
        [50, 20, 2],
        [100, 40, 3],
    ]
    assert (nested_rows(labels, 0.25, seed=5) != parts[1]).any()


def test_smaller_parts_are_trained_for_more_epochs_but_not_without_end() -> None:
    assert [epochs_for(12, fraction) for fraction in FRACTIONS] == [48, 48, 24, 12]


def curve(*accuracies: float, train: float = 0.99, validation: int = 5_000) -> LearningCurve:
    points = zip(FRACTIONS, accuracies, strict=False)
    return LearningCurve(
        tuple(CurvePoint(share, int(10_000 * share), 10, train, value) for share, value in points), validation
    )


@pytest.mark.parametrize(
    ("found", "begins", "contains"),
    [
        (
            curve(0.4, 0.52, 0.616, 0.6928),
            "More images would help: from 5,000 to 10,000 images the accuracy rose by 7.7 points.",
            "would bring about 6.1 points more. Each size was trained once",
        ),
        (
            curve(0.4, 0.5, 0.6, 0.66, train=0.68),
            "More images would help",
            "A larger network may help as well: it gets 68.0% of its training images right",
        ),
        (
            curve(0.4, 0.5, 0.56, 0.562, train=0.57),
            "Another network would help more than images",
            "Try a larger",
        ),
        (curve(0.4, 0.5, 0.56, 0.559), "More images of this kind would hardly help", "fell by 0.1 points"),
        (curve(0.9, 0.95, 0.98, 0.985), "There is little left to gain", "98.5% already"),
        # The same rise, on so few images that chance gives it too.
        (
            curve(0.4, 0.52, 0.616, 0.6928, validation=50),
            "More images would probably help",
            "by 29.3 points from a tenth of the images. Each size was trained once, and on 50 validation",
        ),
        (
            curve(0.55, 0.57, 0.6, 0.615, validation=50),
            "Whether more images would help cannot be told",
            "1.5",
        ),
        (curve(0.4, 0.52), "Not all sizes were measured yet.", ""),
    ],
)
def test_the_verdict_follows_from_the_rise_and_the_gap(
    found: LearningCurve, begins: str, contains: str
) -> None:
    assert found.verdict.startswith(begins)
    assert contains in found.verdict
