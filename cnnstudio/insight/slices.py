"""Runs a model over images in slices so short that a training or a window does not notice them."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import TypeVar

import numpy as np

from cnnstudio.data.dataset import Pixels
from cnnstudio.insight.instrument import (
    SLICE_SECONDS,
    InstrumentError,
    Probabilities,
    Subject,
    pixels_of,
    slice_seconds,
)
from cnnstudio.training.evaluation import evaluation_mode, predict_logits
from cnnstudio.training.model import Model

_Result = TypeVar("_Result")

_FIRST_COUNT = 4
"""Images of the first slice, before it is known how long one takes."""
_MAX_GROWTH = 4
"""Times that a slice may be larger than the one before, since the time of a small one is mostly overhead."""
_MAX_COUNT = 1024
_MAX_LONG_COUNT = 128
"""Images of a slice that takes longer than SLICE_SECONDS, for the sake of memory."""


def probabilities(model: Model, subject: Subject) -> Generator[float, None, Probabilities]:
    """The probabilities for the images of the subject's split, float32 (N, classes).

    Yields the fraction done after each slice. Raises InstrumentError without images.
    """
    split = subject.split
    if split is None or not len(split):
        raise InstrumentError("There are no labeled images to evaluate on.")
    if subject.probabilities is not None:
        return subject.probabilities
    parts = yield from in_slices(
        len(split), lambda part: predict_probabilities(model, pixels_of(split, part), subject.flip)
    )
    return np.concatenate(parts)


def image_probabilities(model: Model, subject: Subject) -> Generator[float, None, Probabilities]:
    """The probabilities for the subject's images, float32 (N, classes); yields like `probabilities`."""
    images = require_images(subject)
    parts = yield from in_slices(
        len(images), lambda part: predict_probabilities(model, images[part], subject.flip)
    )
    return np.concatenate(parts)


def require_images(subject: Subject) -> Pixels:
    """The subject's images, uint8 (N, C, H, W). Raises InstrumentError if there are none."""
    if subject.images is None or not len(subject.images):
        raise InstrumentError("There is no image to show this for.")
    return subject.images


def in_slices(
    total: int, compute: Callable[[slice], _Result], done: tuple[float, float] = (0.0, 1.0)
) -> Generator[float, None, list[_Result]]:
    """The results of `compute` for consecutive slices of `total` images.

    Each slice is as large as the time of the last one allows. Yields the fraction done after each, within
    the limits `done` where this is only a part of the work.
    """
    results: list[_Result] = []
    count, start, one = _FIRST_COUNT, 0, 0.0
    while start < total:
        if one:
            # Now, not after the slice before: a training may have begun since.
            count = min(max(_fitting_count(one), 1), _MAX_GROWTH * count, _MAX_COUNT)
        stop = min(start + count, total)
        began = time.perf_counter()
        results.append(compute(slice(start, stop)))
        one = max(time.perf_counter() - began, 1e-6) / (stop - start)
        start = stop
        yield done[0] + start / total * (done[1] - done[0])
    return results


def _fitting_count(seconds: float) -> int:
    """How many images fit into a slice, if each takes so long."""
    return max(int(SLICE_SECONDS / seconds), min(int(slice_seconds() / seconds), _MAX_LONG_COUNT))


def predict_probabilities(model: Model, images: np.ndarray, flip: bool = False) -> Probabilities:
    """float32 (n, classes), finite, for uint8 (n, C, H, W) of the model's input shape."""
    with evaluation_mode(model):
        logits = predict_logits(model, model.normalize(images), flip).float()
        found: Probabilities = logits.softmax(1).cpu().numpy()
    if not np.isfinite(found).all():
        raise InstrumentError("The model's outputs are not finite, so there is nothing to show.")
    return found
