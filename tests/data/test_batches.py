"""Batches contain the right images, augmented and normalized, in an order determined by the seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnstudio.data.augmentation.augmentation import Augmentation
from cnnstudio.data.batches import Batches, channel_statistics, normalize
from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.data.storage.decoded_cache import get_or_create
from cnnstudio.data.storage.memmap import Prefetcher

MOVED = Augmentation(flip="random", shift=2)
IDENTITY = torch.zeros(3), torch.ones(3) / 255  # a normalization that keeps the pixel values


def numbered(count: int, shape: tuple[int, int, int] = (3, 4, 5)) -> Split:
    """Image i has label i, and all images differ."""
    random = np.random.default_rng(0)
    return Split(random.integers(0, 256, (count, *shape), dtype=np.uint8), np.arange(count, dtype=np.int64))


def batches(split: Split, device: str = "cpu", **settings: object) -> Batches:
    channels = split.shape[0]
    given = {"batch_size": 4, "shuffle": True} | settings
    return Batches(split, device, IDENTITY[0][:channels], IDENTITY[1][:channels], **given)  # type: ignore[arg-type]


def labels_of(batches: Batches, epoch: int = 0) -> list[int]:
    return torch.cat([labels for _, labels in batches.epoch(epoch)]).tolist()


@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 6, 6), (3, 1, 1)])
@pytest.mark.parametrize("stored", ["NCHW", "NHWC"])
@pytest.mark.parametrize("shuffle", [True, False])
def test_every_image_appears_once_with_its_label(
    shape: tuple[int, int, int], stored: str, shuffle: bool
) -> None:
    split = numbered(11, shape)
    if stored == "NHWC":
        images = np.ascontiguousarray(split.images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        split = Split(images, split.labels)
    seen = []
    for images, labels in batches(split, shuffle=shuffle).epoch(3):
        assert images.dtype == torch.float32
        assert images.is_contiguous(memory_format=torch.channels_last)
        assert np.array_equal(images.numpy().round(), split.images[labels.numpy()])
        seen += labels.tolist()
    assert sorted(seen) == list(range(11))
    assert (seen == list(range(11))) is not shuffle


def test_pixels_are_normalized_per_channel() -> None:
    split = numbered(6)
    mean, std = (torch.from_numpy(values) for values in channel_statistics(split))
    expected = (split.images / 255 - mean.numpy()[:, None, None]) / std.numpy()[:, None, None]
    ((images, _),) = Batches(split, "cpu", mean, std, batch_size=6, shuffle=False).epoch(0)
    np.testing.assert_allclose(images.numpy(), expected, atol=1e-5)
    normalized = normalize(torch.from_numpy(split.images.copy()), mean, std)
    np.testing.assert_allclose(normalized.numpy(), expected, atol=1e-5)
    assert normalized.is_contiguous(memory_format=torch.channels_last)


def test_the_order_depends_only_on_seed_and_epoch() -> None:
    split = numbered(50)
    one = batches(split, seed=1)
    assert labels_of(one, 1) == labels_of(batches(split, seed=1), 1)
    assert labels_of(one, 1) == labels_of(batches(split, seed=1, augmentation=MOVED, batch_size=7), 1)
    assert labels_of(one, 0) != labels_of(one, 1)
    assert labels_of(one, 0) != labels_of(batches(split, seed=2), 0)


def test_the_same_seed_gives_the_same_shifts() -> None:
    split = numbered(50, (3, 8, 8))
    first, again, other = (
        torch.cat(
            [images for images, _ in batches(split, shuffle=False, augmentation=MOVED, seed=seed).epoch(0)]
        )
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_seed_may_be_negative() -> None:
    assert sorted(labels_of(batches(numbered(9), seed=-3))) == list(range(9))


def test_flips_mirror_about_half_of_the_images() -> None:
    split = numbered(400)
    mirrored = 0
    for images, labels in batches(split, augmentation=Augmentation(flip="random"), batch_size=50).epoch(0):
        for image, label in zip(images.numpy().round(), labels.tolist(), strict=True):
            original = split.images[label]
            is_mirror = np.array_equal(image, original[:, :, ::-1])
            assert is_mirror or np.array_equal(image, original)
            mirrored += is_mirror
    assert 150 < mirrored < 250


@pytest.mark.parametrize("flip", [False, True])
def test_shifts_go_in_every_direction_and_reflect_at_the_border(flip: bool) -> None:
    split = numbered(500, (3, 6, 7))
    padded = np.pad(split.images, ((0, 0), (0, 0), (2, 2), (2, 2)), mode="reflect")
    found = set()
    augmentation = Augmentation(shift=2, flip="random" if flip else "off")
    for images, labels in batches(split, augmentation=augmentation, batch_size=100).epoch(0):
        for image, label in zip(images.numpy().round(), labels.tolist(), strict=True):
            moves = [
                (down, right, mirror)
                for down in range(5)
                for right in range(5)
                for mirror in ((1, -1) if flip else (1,))
                if np.array_equal(image, padded[label][:, down : down + 6, right : right + 7][:, :, ::mirror])
            ]
            assert moves
            found.add(moves[0])
    assert len(found) == (50 if flip else 25)


def test_a_shift_is_limited_to_the_image_size() -> None:
    for images, _ in batches(numbered(8, (1, 2, 1)), augmentation=Augmentation(flip="random", shift=9)).epoch(
        0
    ):
        assert images.shape[1:] == (1, 2, 1)


@settings(max_examples=100)
@given(count=st.integers(0, 60), batch_size=st.integers(1, 70))
def test_batches_are_complete_and_the_last_is_never_a_single_image(count: int, batch_size: int) -> None:
    given = batches(numbered(count, (1, 1, 1)), batch_size=batch_size)
    seen = [labels.tolist() for _, labels in given.epoch(0)]
    sizes = [len(labels) for labels in seen]
    assert len(sizes) == len(given)
    assert len({label for labels in seen for label in labels}) == sum(sizes) == count
    assert 1 not in sizes or 1 in (batch_size, count)
    assert all(size == batch_size for size in sizes[:-1])
    assert not sizes or sizes[-1] <= batch_size + 1


def test_a_batch_size_above_the_set_size_gives_one_batch() -> None:
    assert [len(labels) for _, labels in batches(numbered(5), batch_size=512).epoch(0)] == [5]


def test_a_batch_size_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="batch_size"):
        batches(numbered(5), batch_size=0)


def test_channels_last_images_are_shared_not_copied() -> None:
    images = np.zeros((8, 4, 4, 3), np.uint8)
    given = batches(Split(images.transpose(0, 3, 1, 2), np.zeros(8, np.int64)), shuffle=False)
    images[:] = 7
    assert all((batch.round() == 7).all() for batch, _ in given.epoch(0))


@pytest.mark.parametrize("augmentation", [Augmentation(), MOVED, Augmentation(cutmix=1.0, brightness=0.2)])
@pytest.mark.parametrize("settings", [{"shuffle": True}, {"shuffle": False}, {"rows": np.arange(40, 4, -3)}])
def test_batches_from_a_map_equal_those_from_memory(
    augmentation: Augmentation, settings: dict[str, object]
) -> None:
    split = numbered(50)
    data = Dataset("x", "X", tuple(map(str, range(50))), split, split)
    mapped = get_or_create("here", "state", lambda writer: writer.write(data)).train
    settings = settings | {"augmentation": augmentation, "classes": 50}
    for epoch in (0, 1):
        pairs = zip(
            batches(split, **settings).epoch(epoch),
            batches(mapped, uploaded=False, **settings).epoch(epoch),
            strict=True,
        )
        for left, right in pairs:
            assert torch.equal(left[0], right[0])
            assert torch.equal(left[1], right[1])


@pytest.mark.parametrize("first", [0, 3])
def test_each_batch_is_prefetched_before_it_is_gathered(monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    requested: list[int] = []
    monkeypatch.setattr(Prefetcher, "prefetch", lambda self, rows: requested.extend(rows))
    split = numbered(50)
    data = Dataset("x", "X", tuple(map(str, range(50))), split, split)
    mapped = get_or_create("here", "state", lambda writer: writer.write(data)).train
    seen: list[int] = []
    for _, labels in batches(mapped).epoch(0, first):
        seen += labels.tolist()
        assert requested[: len(seen)] == seen
        assert len(requested) > len(seen) or len(seen) == 50 - 4 * first
    assert requested == seen


def test_images_that_are_not_uploaded_are_copied_batch_by_batch() -> None:
    """The meta device stands in for an accelerator; its tensors have no values."""
    for images, labels in batches(numbered(10), device="meta", uploaded=False).epoch(0):
        assert images.device.type == labels.device.type == "meta"
        assert images.shape[1:] == (3, 4, 5)


@pytest.mark.parametrize("shuffle", [False, True])
def test_selected_rows_give_the_batches_of_a_copied_split(shuffle: bool) -> None:
    split, rows = numbered(50), np.array([3, 4, 7, 11, 12, 30, 31, 32, 49])
    settings = {"shuffle": shuffle, "augmentation": MOVED if shuffle else Augmentation(), "seed": 5}
    chosen, copied = batches(split, rows=rows, **settings), batches(split.select(rows), **settings)
    assert len(chosen) == len(copied)
    for left, right in zip(chosen.epoch(2), copied.epoch(2), strict=True):
        assert torch.equal(left[0], right[0])
        assert torch.equal(left[1], right[1])


EVERYTHING = Augmentation(
    *("alternating", 1),
    crop=0.2,
    cutout=2,
    brightness=0.1,
    contrast=0.1,
    saturation=0.1,
    mixup=0.4,
    cutmix=0.5,
)


@pytest.mark.parametrize("augmentation", [MOVED, EVERYTHING, Augmentation(mixup=0.3)])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("count", [2, 3])
def test_all_shards_together_are_the_batches_of_one_process(
    augmentation: Augmentation, shuffle: bool, count: int
) -> None:
    settings = {"augmentation": augmentation, "shuffle": shuffle, "batch_size": 5}
    split = numbered(17)
    whole = batches(split, **settings)
    shards = [batches(split, shard=(number, count), **settings) for number in range(count)]
    for step, ((images, labels), *parts) in enumerate(
        zip(whole.epoch(1), *(each.epoch(1) for each in shards), strict=True)
    ):
        assert whole.global_batch_size(step) == len(labels) == sum(len(part) for _, part in parts)
        found = torch.cat([part for part, _ in parts]), torch.cat([part for _, part in parts])
        # A shuffled batch is dealt out in turn.
        places = torch.arange(len(labels))
        expected = torch.cat([places[number::count] for number in range(count)]) if shuffle else places
        torch.testing.assert_close(found[0], images[expected])
        torch.testing.assert_close(found[1], labels[expected])


def test_a_shard_of_a_small_batch_may_be_empty() -> None:
    last = batches(numbered(17), shard=(2, 3), augmentation=EVERYTHING, batch_size=5)
    assert [tuple(images.shape) for images, _ in last.epoch(0)] == [(1, 3, 4, 5)] * 3 + [(0, 3, 4, 5)]
