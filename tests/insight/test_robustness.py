"""The accuracy on images that were made worse."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cnnstudio.data.dataset import Split, Subset
from cnnstudio.insight.corruptions import CORRUPTIONS, STRENGTHS
from cnnstudio.insight.instrument import Subject, finish
from cnnstudio.insight.instruments import robustness
from cnnstudio.insight.instruments.robustness import Robustness, RobustnessReading
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.pooling.global_average_pooling2d import GlobalAveragePooling2D
from cnnstudio.training.model import Model, build_model
from tests.training.networks import Shape, network

random = np.random.default_rng(0)
IMAGES = random.integers(0, 255, (6, 3, 16, 12), dtype=np.uint8)

by_name = pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda each: each.name)


@by_name
def test_images_get_worse_with_the_strength_and_stay_as_they_are_themselves(corruption) -> None:
    before = IMAGES.copy()
    differences = []
    assert len(corruption.amounts) == STRENGTHS
    for amount in corruption.amounts:
        worse = corruption.apply(IMAGES, amount, 0)
        assert (worse.dtype, worse.shape) == (np.uint8, IMAGES.shape)
        differences.append(np.abs(worse.astype(int) - IMAGES).mean())
    assert differences[0] > 0
    assert differences == sorted(differences)
    assert (before == IMAGES).all()
    gray = corruption.apply(IMAGES[:, :1], corruption.amounts[-1], 0)
    assert gray.shape == (6, 1, 16, 12)


@by_name
def test_an_image_is_changed_in_the_same_way_whatever_it_is_computed_with(corruption) -> None:
    amount = corruption.amounts[2]
    together = corruption.apply(IMAGES, amount, 10)
    alone = np.concatenate([corruption.apply(IMAGES[at : at + 1], amount, 10 + at) for at in range(6)])
    assert (together == alone).all()


def brightness_model() -> Model:
    """Says class 1 for images brighter than 127, else class 0."""
    model = build_model(
        network(Conv2D(1, kernel_size=(1, 1)), GlobalAveragePooling2D(), Dense(2), input=Shape.of(1, 8, 8))
    )
    with torch.no_grad():
        for weights in model.parameters():
            weights.fill_(0 if weights.ndim < 2 else 1)
        list(model.parameters())[-2].copy_(torch.tensor([[-1.0], [1.0]]))
    model.set_normalization([0.5], [0.1])
    return model.eval()


def bright_and_dark(count: int = 30) -> Split:
    labels = (np.arange(count) % 2).astype(np.int64)
    values = np.where(labels == 1, 200, 55)[:, None, None, None]
    return Split(np.broadcast_to(values, (count, 1, 8, 8)).astype(np.uint8), labels)


def test_what_the_network_depends_on_is_what_it_is_weak_against() -> None:
    reading = finish(Robustness().take(brightness_model(), Subject(split=bright_and_dark())))
    assert isinstance(reading, RobustnessReading)
    assert reading.clean == 1
    accuracy = dict(zip(reading.corruptions, reading.accuracy.tolist(), strict=True))
    # 200 × 0.65 is 130, and 200 × 0.5 is 100: by then all bright images count as dark.
    assert accuracy["brightness"] == [1, 1, 0.5, 0.5, 0.5]
    assert accuracy["blur"] == accuracy["noise"] == accuracy["jpeg"] == accuracy["rotation"] == [1] * 5
    assert reading.summary() == (
        "On 30 images as they are the accuracy is 100.0%, and it falls furthest with low light, to 50.0% at "
        "the highest strength."
    )


def test_of_many_images_some_are_taken_from_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robustness, "MAX_IMAGES", 9)
    split = bright_and_dark(41)
    subset = Subset(split, np.arange(1, 41))
    reading = finish(Robustness().take(brightness_model(), Subject(split=subset)))
    assert isinstance(reading, RobustnessReading)
    assert (reading.images, reading.total) == (9, 40)
    assert reading.clean == 1
