"""Images that occur twice where they should not are found by their pixels alone."""

import numpy as np
import pytest

from cnnstudio.core.progress import never_cancelled
from cnnstudio.data.dataset import Split, as_channels_last
from cnnstudio.data.images import repeated_images
from cnnstudio.data.images.repeated_images import checksum, find_repeated


def split_of(values: list[int], labels: list[int]) -> Split:
    images = np.array(values, np.uint8)[:, None, None, None] * np.ones((1, 3, 4, 5), np.uint8)
    return Split(images, np.array(labels))


def sentences(train: Split, test: Split) -> list[str]:
    splits = {"train": train, "test": test}
    names = {part: [f"{part}/{row}.png" for row in range(len(split))] for part, split in splits.items()}
    checksums = {
        part: np.array([checksum(image.copy()) for image in as_channels_last(split.images)], np.uint32)
        for part, split in splits.items()
    }
    return list(find_repeated(splits, names, checksums, never_cancelled))


def test_an_image_in_both_splits_is_named() -> None:
    (found,) = sentences(split_of([1, 2, 3], [0, 1, 0]), split_of([4, 3], [0, 0]))
    assert found.startswith("1 test image is also in the training set, such as test/1.png:")


def test_an_image_in_two_classes_is_named() -> None:
    found = sentences(split_of([1, 2, 1], [0, 1, 1]), split_of([4, 5], [0, 0]))
    assert found == ["1 image is in more than one class, such as train/0.png and train/2.png."]


@pytest.mark.parametrize("values", [[1, 2, 3], [1, 2, 2]])
def test_images_that_differ_are_not_taken_for_the_same_by_an_equal_checksum(
    values: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    train, test = split_of(values, [0, 1, 1]), split_of([4, 1], [0, 0])
    expected = sentences(train, test)
    assert len(expected) == 1
    monkeypatch.setattr(repeated_images.zlib, "crc32", lambda image: 7)
    assert sentences(train, test) == expected
