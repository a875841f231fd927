"""The sample images."""

from __future__ import annotations

import numpy as np

from cnnstudio.data.dataset import Split
from cnnstudio.training.sample_images import choose_sample_images


def split(labels: list[int]) -> Split:
    images = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1, 1)
    return Split(images, np.array(labels, dtype=np.int64))


def test_sample_images_are_the_first_of_each_class_in_turn() -> None:
    # As an image folder lists them: one class after the other.
    found = choose_sample_images(split([0, 0, 0, 1, 1, 3]), 5)
    assert found.labels.tolist() == [0, 1, 3, 0, 1]
    assert found.images.ravel().tolist() == [0, 3, 5, 1, 4]


def test_few_sample_images_are_the_first_of_many() -> None:
    labels = np.random.default_rng(0).integers(0, 10, 100).tolist()
    few, many = choose_sample_images(split(labels), 5), choose_sample_images(split(labels), 32)
    assert few.images.ravel().tolist() == many.images.ravel().tolist()[:5]


def test_a_small_set_yields_all_its_images() -> None:
    assert len(choose_sample_images(split([1, 0]), 5)) == 2
