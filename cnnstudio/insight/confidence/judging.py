"""The answer "not sure": which predictions are not given, and why. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cnnstudio.core.formatting import format_percent
from cnnstudio.insight.confidence.temperature import Probabilities, calibrated

NOT_SURE = "Not sure"
UNLIKE = "unlike any training image"


@dataclass(frozen=True)
class Rule:
    """When a network does not answer."""

    threshold: float
    """The confidence from which it answers, 0 to 1."""
    temperature: float = 1.0
    limit: float | None = None
    """The distance from its training images up to which it answers; None for any."""

    def with_limit(self, limit: float | None) -> Rule:
        """The same rule with another limit."""
        return replace(self, limit=limit)


@dataclass(frozen=True)
class Verdict:
    """How sure a network is of one image."""

    predicted: int
    confidence: float
    """Its calibrated probability of that class, 0 to 1."""
    threshold: float = 0.0
    """The confidence that was asked for."""
    is_unlike: bool = False
    """Whether the image is farther from the training images than the limit."""

    @property
    def is_low(self) -> bool:
        """Whether the confidence is below the threshold."""
        return self.confidence < self.threshold

    @property
    def is_sure(self) -> bool:
        return not (self.is_low or self.is_unlike)

    @property
    def reason(self) -> str:
        """Why it is not sure, such as `confidence 41.0% is below 62%`; empty if it is."""
        reasons = [UNLIKE] if self.is_unlike else []
        if self.is_low:
            confidence = format_percent(self.confidence)
            reasons.insert(0, f"confidence {confidence} is below {format_threshold(self.threshold)}")
        return ", and ".join(reasons)

    def describe(self, guess: str) -> str:
        """For a line below the answer: `Best guess: cat, 27.3%: below 50%`."""
        below = [f"below {format_threshold(self.threshold)}"] if self.is_low else []
        why = " and ".join([*below, *([UNLIKE] if self.is_unlike else [])])
        return f"Best guess: {guess}, {format_percent(self.confidence)}: {why}"


def judge(
    probabilities: Probabilities, rule: Rule, distances: npt.NDArray[np.float32] | None = None
) -> list[Verdict]:
    """A verdict for each image, of float32 (N, classes); `distances` from training images, float32 (N,)."""
    confidences = calibrated(probabilities, rule.temperature).max(1).tolist()
    predicted = probabilities.argmax(1).tolist()
    far = [False] * len(predicted)
    if distances is not None and rule.limit is not None:
        far = (distances > rule.limit).tolist()
    return [
        Verdict(label, confidence, rule.threshold, is_far)
        for label, confidence, is_far in zip(predicted, confidences, far, strict=True)
    ]


def format_threshold(threshold: float) -> str:
    """`62%`, or `62.5%` where it is no whole number."""
    percent = round(100 * threshold, 1)
    return f"{percent:g}%"
