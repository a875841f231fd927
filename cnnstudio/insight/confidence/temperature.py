"""Temperature scaling: one number that makes confidences agree with how often they are right.

The logits are divided by the temperature before the softmax, which changes no prediction. Guo et al. 2017, On
Calibration of Modern Neural Networks. Needs no torch.
"""

from __future__ import annotations

import math
from collections.abc import Generator

import numpy as np
import numpy.typing as npt

from cnnstudio.data.dataset import Labels

Probabilities = npt.NDArray[np.float32]

LOWEST, HIGHEST = 0.05, 20.0
"""A temperature at one of these ends says that the images do not tell it."""
MIN_IMAGES = 50
"""Of fewer images, a temperature would be chance."""
_MAX_VALUES = 1_000_000
"""Probabilities that one step looks at; of more images, so many are taken at equal distances."""
_STEPS = 32
"""Golden sections: they leave 1e-6 of the range."""
_GOLDEN = (math.sqrt(5) - 1) / 2
_TINY = 1e-30
"""Smaller probabilities count as this one, so that their logarithm is finite."""


def calibrated(probabilities: Probabilities, temperature: float) -> Probabilities:
    """The probabilities at that temperature, float32 (N, classes), in the same order within each row.

    The logarithms of probabilities are logits up to a constant, which the softmax does not see.
    """
    if temperature == 1.0:
        return probabilities
    return np.exp(_log_softmax(_logits(probabilities), temperature)).astype(np.float32)


def fit_temperature(probabilities: Probabilities, labels: Labels) -> Generator[float, None, float]:
    """The temperature with the lowest mean cross-entropy, in steps of about 10 ms; yields the fraction done.

    `probabilities` are float32 (N, classes), `labels` int64 (N,). 1 where the images do not tell it: fewer
    than MIN_IMAGES of them, no mistakes or nothing but mistakes, or no minimum from LOWEST to HIGHEST. The
    cross-entropy is convex in 1 / temperature, so that it has one minimum.
    """
    classes = probabilities.shape[1]
    is_right = probabilities.argmax(1) == labels
    if len(labels) < MIN_IMAGES or classes < 2 or is_right.all() or not is_right.any():
        return 1.0
    count = min(len(labels), max(_MAX_VALUES // classes, MIN_IMAGES))
    rows = np.unique(np.linspace(0, len(labels) - 1, count).astype(np.intp))
    logits, known = _logits(probabilities[rows]), labels[rows]
    yield 0.0

    def loss(log: float) -> float:
        return cross_entropy(logits, known, math.exp(log))

    low, high = math.log(LOWEST), math.log(HIGHEST)
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    for step in range(_STEPS):
        yield (step + 1) / _STEPS
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = loss(right)
    found = math.exp((low + high) / 2)
    is_inside = LOWEST * 1.01 < found < HIGHEST / 1.01
    return found if is_inside and loss(math.log(found)) <= loss(0.0) else 1.0


def cross_entropy(logits: npt.NDArray[np.float64], labels: Labels, temperature: float) -> float:
    """The mean over images of minus the logarithm of the true class's probability."""
    return -float(_log_softmax(logits, temperature)[np.arange(len(labels)), labels].mean())


def _logits(probabilities: Probabilities) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = np.log(np.maximum(probabilities.astype(np.float64), _TINY))
    return found


def _log_softmax(logits: npt.NDArray[np.float64], temperature: float) -> npt.NDArray[np.float64]:
    scaled = logits / temperature
    scaled -= scaled.max(1, keepdims=True)
    scaled -= np.log(np.exp(scaled).sum(1, keepdims=True))
    found: npt.NDArray[np.float64] = scaled
    return found
