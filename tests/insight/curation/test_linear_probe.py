"""A linear classifier on features, and what it says of images that it has not seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cnnstudio.core.progress import Cancelled, Progress
from cnnstudio.insight.curation.linear_probe import (
    FOLDS,
    _Regression,
    cross_validate,
    standard_error,
    stratified_folds,
)


def blobs(count: int = 90, size: int = 12, distance: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Features around one point per class, and their classes."""
    random = np.random.default_rng(0)
    labels = np.arange(count) % 3
    features = random.normal(size=(count, size)).astype(np.float32)
    features[np.arange(count), labels] += distance
    return features, labels


def test_each_fold_has_the_same_share_of_each_class() -> None:
    labels = np.array([0] * 52 + [1] * 23 + [2] * 5)
    folds = stratified_folds(labels, seed=3)
    for label, (low, high) in enumerate([(10, 11), (4, 5), (1, 1)]):
        counts = np.bincount(folds[labels == label], minlength=FOLDS)
        assert low <= counts.min() <= counts.max() <= high
    assert set(np.bincount(folds).tolist()) == {16}
    assert (folds == stratified_folds(labels, seed=3)).all()
    assert (folds != stratified_folds(labels, seed=4)).any()


def test_the_regression_ends_where_the_loss_is_smallest() -> None:
    features, labels = blobs()
    values, targets = torch.from_numpy(features), torch.from_numpy(labels)
    probe = _Regression(values, targets, 3, lambda: False)
    probe.fit(0.03)
    logits = F.linear(probe._values, probe._weights, probe._bias)
    loss = F.cross_entropy(logits, targets) + 0.015 * probe._weights.square().sum()
    gradients = torch.autograd.grad(loss, [probe._weights, probe._bias])
    assert max(float(each.abs().max()) for each in gradients) < 1e-3


def test_images_are_recognized_by_others_and_always_in_the_same_way() -> None:
    features, labels = blobs()
    result = cross_validate(features, labels, 3)
    assert result.accuracy(labels) > 0.9
    assert result.probabilities.sum(axis=1) == pytest.approx(np.ones(90), abs=1e-5)
    assert len(result.fold_accuracies) == FOLDS
    assert (cross_validate(features, labels, 3).probabilities == result.probabilities).all()


def test_nothing_is_recognized_where_nothing_can_be() -> None:
    # With its own image among the 80 that it is fitted to, a regression on 200 features would know them all.
    random = np.random.default_rng(0)
    features = random.normal(size=(100, 200)).astype(np.float32)
    labels = random.permutation(np.arange(100) % 4)
    assert cross_validate(features, labels, 4).accuracy(labels) < 0.45


def test_a_class_of_one_image_and_features_that_are_no_numbers_do_no_harm() -> None:
    features, labels = blobs(31)
    features[3, 2] = np.nan
    features[:, 5] = 0
    labels[30] = 3
    result = cross_validate(features, labels, 5)
    assert np.isfinite(result.probabilities).all()
    assert result.probabilities.shape == (31, 5)


def test_it_says_how_far_it_is_and_can_be_cancelled() -> None:
    features, labels = blobs()
    seen: list[Progress] = []
    cross_validate(features, labels, 3, progress=seen.append)
    assert [each.done for each in seen] == [1, 2, 3, 4, 5]
    assert seen[-1].total == 5
    with pytest.raises(Cancelled):
        cross_validate(features, labels, 3, cancelled=lambda: True)


def test_the_standard_error_is_that_of_a_share() -> None:
    assert standard_error(0.5, 100) == pytest.approx(0.05)
    assert standard_error(0.5, 400) == pytest.approx(0.025)
    assert 0 < standard_error(1.0, 100) < 0.01
