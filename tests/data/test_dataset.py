"""Data sets as values: read-only, with fingerprints, statistics and stratified splits."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnstudio.data.dataset import (
    DataError,
    Dataset,
    Split,
    channel_histograms,
    channel_statistics,
    stratified_split,
)


def random_split(
    count: int, shape: tuple[int, int, int] = (3, 5, 4), classes: int = 3, seed: int = 0
) -> Split:
    random = np.random.default_rng(seed)
    return Split(
        random.integers(0, 256, (count, *shape), dtype=np.uint8), np.arange(count, dtype=np.int64) % classes
    )


def dataset(**changes: object) -> Dataset:
    given = {
        "name": "x",
        "title": "X",
        "classes": ("a", "b", "c"),
        "train": random_split(9),
        "test": random_split(6),
    }
    return Dataset(**(given | changes))  # type: ignore[arg-type]  # the tests give what the fields take


def test_importing_the_data_package_loads_no_torch() -> None:
    code = "import sys, cnnstudio.data.sources as d; d.sources(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_images_cannot_be_changed_through_a_split() -> None:
    source = np.zeros((2, 3, 4, 4), np.uint8)
    split = Split(source, np.zeros(2, np.int64))
    with pytest.raises(ValueError, match="read-only"):
        split.images[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        split.labels[0] = 1
    source[0] = 1  # the array itself stays writable for its owner


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (np.zeros((2, 3, 4, 4), np.float32), np.zeros(2, np.int64)),
        (np.zeros((2, 4, 4), np.uint8), np.zeros(2, np.int64)),
        (np.zeros((2, 3, 4, 4), np.uint8), np.zeros(2, np.int32)),
        (np.zeros((2, 3, 4, 4), np.uint8), np.zeros(3, np.int64)),
    ],
)
def test_a_split_rejects_other_shapes_and_dtypes(images: np.ndarray, labels: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"images are uint8|labels are int64"):
        Split(images, labels)


def test_a_dataset_checks_labels_and_shapes() -> None:
    with pytest.raises(ValueError, match="labels must lie"):
        dataset(classes=("a", "b"))
    with pytest.raises(ValueError, match="test images"):
        dataset(test=random_split(6, (3, 4, 4)))


def test_equal_sets_have_equal_fingerprints_in_any_memory_order() -> None:
    train = random_split(600)
    other = Split(
        np.ascontiguousarray(train.images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2), train.labels
    )
    assert dataset(train=train).fingerprint == dataset(train=other, name="y").fingerprint


def test_the_fingerprint_depends_on_every_part() -> None:
    train = random_split(9)
    pixels, labels = train.images.copy(), train.labels.copy()
    pixels[8, 2, 4, 3] ^= 1
    labels[8] = 0
    variants = [
        dataset(),
        dataset(classes=("a", "b", "d")),
        dataset(train=Split(pixels, train.labels)),
        dataset(train=Split(train.images, labels)),
        dataset(test=random_split(6, seed=1)),
    ]
    assert len({variant.fingerprint for variant in variants}) == len(variants)


def test_statistics_are_those_of_the_pixels() -> None:
    split = random_split(700, (3, 6, 5))
    mean, std = channel_statistics(split)
    pixels = split.images.astype(np.float64) / 255
    np.testing.assert_allclose(mean, pixels.mean((0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(std, pixels.std((0, 2, 3)), rtol=1e-5)


def test_images_of_a_single_color_can_be_normalized() -> None:
    mean, std = channel_statistics(Split(np.full((4, 1, 2, 2), 51, np.uint8), np.zeros(4, np.int64)))
    assert mean == pytest.approx([0.2])
    assert (std > 0).all()


@given(
    counts=st.lists(st.integers(0, 30), min_size=1, max_size=6).filter(lambda counts: max(counts) > 1),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32),
)
def test_the_split_is_stratified_and_complete(counts: list[int], fraction: float, seed: int) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    remaining, held_out = stratified_split(labels, fraction, seed)
    assert sorted([*remaining, *held_out]) == list(range(len(labels)))
    for label, count in enumerate(counts):
        taken = np.count_nonzero(labels[held_out] == label)
        if count > 1:
            assert 1 <= taken < count
            assert abs(taken - count * fraction) <= 1
        else:
            assert taken == 0


def test_the_split_depends_only_on_the_seed() -> None:
    labels = random_split(300).labels
    first, again, other = (stratified_split(labels, 0.2, seed)[1] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 1.5, float("nan")])
def test_a_fraction_outside_0_to_1_is_refused(fraction: float) -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        stratified_split(random_split(9).labels, fraction, 0)


def test_one_image_of_each_class_cannot_be_split() -> None:
    with pytest.raises(DataError, match="Too few images"):
        stratified_split(random_split(3).labels, 0.5, 0)


@pytest.mark.parametrize("shape", [(3, 4, 5, 3), (3, 4, 5, 1), (2, 3, 4, 2), (0, 4, 5, 3), (7, 1, 1, 3)])
def test_histograms_count_each_value_of_each_channel(shape: tuple[int, int, int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    for view in (pixels, pixels[::-1, :, ::-1]):
        found = channel_histograms(view)
        assert found.dtype == np.int64
        for channel in range(shape[-1]):
            assert found[channel].tolist() == np.bincount(view[..., channel].ravel(), minlength=256).tolist()
