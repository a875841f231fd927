"""Data sets as values: read-only, fingerprinted, split and measured."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnstudio.data.dataset import DataError, Dataset, Split, statistics, validation_rows


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


def test_importing_the_data_room_loads_no_torch() -> None:
    code = "import sys, cnnstudio.data.sources as d; d.sources(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_images_cannot_be_changed_through_a_split() -> None:
    source = np.zeros((2, 3, 4, 4), np.uint8)
    split = Split(source, np.zeros(2, np.int64))
    with pytest.raises(ValueError, match="read-only"):
        split.images[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        split.labels[0] = 1
    source[0] = 1  # whoever made the array keeps the right to it


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (np.zeros((2, 3, 4, 4), np.float32), np.zeros(2, np.int64)),
        (np.zeros((2, 4, 4), np.uint8), np.zeros(2, np.int64)),
        (np.zeros((2, 3, 4, 4), np.uint8), np.zeros(2, np.int32)),
        (np.zeros((2, 3, 4, 4), np.uint8), np.zeros(3, np.int64)),
    ],
)
def test_a_split_takes_nothing_else_than_it_says(images: np.ndarray, labels: np.ndarray) -> None:
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


def test_the_fingerprint_sees_every_part() -> None:
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
    mean, std = statistics(split)
    pixels = split.images.astype(np.float64) / 255
    np.testing.assert_allclose(mean, pixels.mean((0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(std, pixels.std((0, 2, 3)), rtol=1e-5)


def test_images_of_one_color_can_still_be_normalized() -> None:
    mean, std = statistics(Split(np.full((4, 1, 2, 2), 51, np.uint8), np.zeros(4, np.int64)))
    assert mean == pytest.approx([0.2])
    assert (std > 0).all()


@given(
    counts=st.lists(st.integers(0, 30), min_size=1, max_size=6).filter(lambda counts: max(counts) > 1),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32),
)
def test_validation_is_stratified_and_loses_nothing(counts: list[int], share: float, seed: int) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    left, aside = validation_rows(labels, share, seed)
    assert sorted([*left, *aside]) == list(range(len(labels)))
    for label, count in enumerate(counts):
        taken = np.count_nonzero(labels[aside] == label)
        if count > 1:
            assert 1 <= taken < count
            assert abs(taken - count * share) <= 1
        else:
            assert taken == 0


def test_validation_depends_on_the_seed_alone() -> None:
    labels = random_split(300).labels
    first, again, other = (validation_rows(labels, 0.2, seed)[1] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("share", [0, 1, -0.5, 1.5, float("nan")])
def test_a_share_that_leaves_a_side_empty_is_refused(share: float) -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        validation_rows(random_split(9).labels, share, 0)


def test_one_image_of_each_class_cannot_be_split() -> None:
    with pytest.raises(DataError, match="too few images"):
        validation_rows(random_split(3).labels, 0.5, 0)
