"""A linear probe: how well, and as what, a linear classifier on features recognizes images it has not seen.

Multinomial logistic regression with an L2 penalty on the weights, fitted by L-BFGS on all images at once. The
images are divided into five folds with the same share of each class; each fold is classified by a regression
on the other four (cross-validation). Everything is deterministic: the same features, labels and seed give the
same figures on the same machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    ignore_progress,
    never_cancelled,
    raise_if_cancelled,
)
from cnnstudio.data.dataset import Labels
from cnnstudio.training.hardware.spare_threads import SpareThreads
from cnnstudio.training.hardware.torch_state import MAX_UNSHARED, one_thread

FOLDS = 5
PENALTIES = (1.0, 0.3, 0.1)
"""Of the squared weights, for features of unit variance; the one that predicts best counts."""
_ITERATIONS = 60

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """What was predicted for each image by a regression that has not seen it."""

    probabilities: Array
    """float32 (N, classes)."""
    fold_accuracies: tuple[float, ...]
    """0 to 1, of each fold."""
    penalty: float
    """The one of PENALTIES with the smallest loss."""

    def accuracy(self, labels: Labels) -> float:
        """The share of all images that is recognized, 0 to 1."""
        return float((self.probabilities.argmax(axis=1) == labels).mean())


def stratified_folds(labels: Labels, seed: int, folds: int = FOLDS) -> npt.NDArray[np.int64]:
    """The fold of each image, int64 (N,), 0 to folds - 1: equally many of each class in each, to within one.

    What is left over of the classes is spread over all folds.
    """
    random = np.random.default_rng(seed)
    found = np.zeros(len(labels), np.int64)
    first = 0
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        found[members] = (first + np.arange(len(members))) % folds
        first += len(members)
    return found


def cross_validate(
    features: Array,
    labels: Labels,
    classes: int,
    seed: int = 0,
    *,
    penalties: Sequence[float] = PENALTIES,
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
) -> ProbeResult:
    """Predicts each image by a regression on the other folds.

    `features` are float32 (N, D), `labels` int64 (N,); at least 2 images. Raises Cancelled.
    """
    values = torch.nan_to_num(torch.from_numpy(np.array(features, np.float32)))
    targets = torch.from_numpy(np.array(labels, np.int64))
    fold_of = torch.from_numpy(stratified_folds(labels, seed))
    numbers = [number for number in range(FOLDS) if bool((fold_of == number).any())]
    logits, threads = torch.zeros(len(penalties), len(values), classes), SpareThreads()
    for done, number in enumerate(numbers):
        held_out = fold_of == number
        # What is this small is faster on one thread, above all beside other programs.
        with one_thread(values.numel() * classes <= MAX_UNSHARED), threads.applied():
            probe = _Regression(values[~held_out], targets[~held_out], classes, cancelled)
            # From a large penalty to a small one, each from where the one before ended.
            for at, penalty in enumerate(penalties):
                probe.fit(penalty)
                logits[at, held_out] = probe.predict(values[held_out])
        text = f"Comparing classes: fold {done + 1} of {len(numbers)}"
        progress(Progress(done + 1, len(numbers), text))
    losses = [float(F.cross_entropy(each, targets)) for each in logits]
    best = int(np.argmin(losses))
    right = logits[best].argmax(1) == targets
    return ProbeResult(
        logits[best].softmax(1).numpy(),
        tuple(float(right[fold_of == number].float().mean()) for number in numbers),
        penalties[best],
    )


class _Regression:
    """Multinomial logistic regression on standardized features."""

    def __init__(self, values: Tensor, targets: Tensor, classes: int, cancelled: CancelFunction) -> None:
        self._mean = values.mean(0)
        self._scale = values.std(0, correction=0).clamp(min=1e-6)
        self._values = (values - self._mean) / self._scale
        # Features that never change say nothing, however small the differences that rounding makes of them.
        self._targets = targets
        self._cancelled = cancelled
        self._weights = torch.zeros(classes, values.shape[1], requires_grad=True)
        self._bias = torch.zeros(classes, requires_grad=True)

    def fit(self, penalty: float) -> None:
        """Minimizes mean cross-entropy + penalty / 2 · ‖weights‖². Raises Cancelled."""
        factor = penalty / 2
        optimizer = torch.optim.LBFGS(
            [self._weights, self._bias],
            max_iter=_ITERATIONS,
            history_size=10,
            tolerance_grad=1e-4,
            line_search_fn="strong_wolfe",
        )

        def loss() -> Tensor:
            raise_if_cancelled(self._cancelled)
            optimizer.zero_grad()
            logits = F.linear(self._values, self._weights, self._bias)
            value = F.cross_entropy(logits, self._targets) + factor * self._weights.square().sum()
            value.backward()
            return value

        optimizer.step(loss)

    @torch.no_grad()
    def predict(self, values: Tensor) -> Tensor:
        """Logits, float32 (n, classes)."""
        return F.linear((values - self._mean) / self._scale, self._weights, self._bias)


def standard_error(accuracy: float, images: int) -> float:
    """Of an accuracy that was measured on so many images, 0 to 0.5 (binomial)."""
    # Of none or all, too, nobody knows the next one.
    share = min(max(accuracy, 0.5 / max(images, 1)), 1 - 0.5 / max(images, 1))
    return math.sqrt(share * (1 - share) / max(images, 1))
