"""The fingerprint that is computed while images are written is the data set's, or none."""

from __future__ import annotations

import numpy as np

from cnnstudio.data.dataset import Dataset, Labels, ResizeMode, Split, as_channels_last
from cnnstudio.data.storage.early_fingerprint import EarlyFingerprint

CLASSES = ("cat", "dog")


def split(count: int) -> Split:
    images = np.arange(count * 3 * 4 * 5, dtype=np.uint8).reshape(count, 3, 4, 5)
    return Split(images, np.arange(count, dtype=np.int64) % 2)


def dataset(resize: ResizeMode = "fill", classes: tuple[str, ...] = CLASSES) -> Dataset:
    return Dataset("set", "Set", classes, split(5), split(4), resize=resize, validation=split(3))


def give(fingerprint: EarlyFingerprint, part: str, given: Split, expected: Labels | None, size: int) -> None:
    fingerprint.start_split(part, given.shape, expected)
    for start in range(0, len(given), size):
        images = as_channels_last(given.images[start : start + size])
        fingerprint.add(part, np.ascontiguousarray(images), given.labels[start : start + size])


def found(data: Dataset, size: int = 2, resize: ResizeMode = "fill", **expected: Labels | None) -> str | None:
    fingerprint = EarlyFingerprint(CLASSES, resize)
    for part, given in data.splits.items():
        give(fingerprint, part, given, expected.get(part, given.labels), size)
    return fingerprint.of(data)


def test_it_is_the_fingerprint_of_the_data_set() -> None:
    for size in (1, 2, 100):
        assert found(dataset(), size) == dataset().fingerprint
    assert found(dataset("fit"), resize="fit") == dataset("fit").fingerprint != dataset().fingerprint


def test_other_labels_than_were_expected_have_none() -> None:
    for part, given in dataset().splits.items():
        longer = np.append(given.labels, 0)
        for labels in (1 - given.labels, longer, given.labels[:-1], None):
            assert found(dataset(), **{part: labels}) is None


def test_another_data_set_than_was_announced_has_none() -> None:
    assert found(dataset(classes=("cat", "dog", "bird"))) is None
    assert found(dataset("fit")) is None


def test_parts_that_are_missing_or_in_another_order_have_none() -> None:
    data, fingerprint = dataset(), EarlyFingerprint(CLASSES, "fill")
    for part in ("test", "train", "validation"):
        give(fingerprint, part, data.splits[part], data.splits[part].labels, 2)
    assert fingerprint.of(data) is None
    fingerprint = EarlyFingerprint(CLASSES, "fill")
    for part in ("train", "test"):
        give(fingerprint, part, data.splits[part], data.splits[part].labels, 2)
    assert fingerprint.of(data) is None
