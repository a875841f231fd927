"""Labels that a network contradicts."""

from __future__ import annotations

import numpy as np

from cnnstudio.insight.curation.label_doubts import find_doubts


def test_planted_label_errors_are_ranked_first() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 4, 400)
    logits = random.normal(0, 1, (400, 4)) + 5 * np.eye(4)[truth]
    probabilities = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    labels = truth.astype(np.int64)
    wrong = random.choice(400, 20, replace=False)
    labels[wrong] = (labels[wrong] + 1) % 4
    doubts = find_doubts(probabilities, labels)
    first = doubts[:20]
    assert len({doubt.row for doubt in first} & set(wrong.tolist())) >= 18
    assert all(doubt.suggested == truth[doubt.row] for doubt in first if doubt.row in wrong)
    assert [doubt.score for doubt in doubts] == sorted((doubt.score for doubt in doubts), reverse=True)


def test_a_class_that_the_network_takes_too_often_is_not_suggested_for_everything() -> None:
    # For all images it is 60 percent sure of class 0, but for those of class 0 it is 95 percent sure.
    probabilities = np.full((20, 2), (0.6, 0.4), np.float32)
    probabilities[:10] = (0.95, 0.05)
    labels = np.repeat([0, 1], 10).astype(np.int64)
    assert find_doubts(probabilities, labels) == []
    probabilities[15] = (0.97, 0.03)
    (doubt,) = find_doubts(probabilities, labels)
    assert (doubt.row, doubt.label, doubt.suggested) == (15, 1, 0)


def test_without_images_there_are_no_doubts() -> None:
    assert find_doubts(np.zeros((0, 3), np.float32), np.zeros(0, np.int64)) == []
