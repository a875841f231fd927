"""Augmentation of batches, compared with the plain formula for one image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cnnstudio.data.augmentation.augmentation import Augmentation
from cnnstudio.data.augmentation.pixel import (
    adjust_brightness,
    adjust_contrast,
    adjust_saturation,
    crop_and_resize,
    mix_images,
    rectangle_masks,
)
from cnnstudio.data.batches import Batches
from cnnstudio.data.dataset import Split

NOTHING = torch.zeros(3), torch.ones(3) / 255  # a normalization that leaves the pixels' values as they are
EVERYTHING = Augmentation("alternating", 2, "zero", 0.3, 3, 0.3, 0.3, 0.3, 0.4, 1.0)


def numbered(count: int, shape: tuple[int, int, int] = (3, 6, 7)) -> Split:
    """Image i has label i, and all images differ."""
    random = np.random.default_rng(0)
    return Split(random.integers(1, 256, (count, *shape), dtype=np.uint8), np.arange(count, dtype=np.int64))


def batches(split: Split, augmentation: Augmentation, **settings: Any) -> Batches:
    given: dict[str, Any] = {"batch_size": 50, "shuffle": True} | settings
    channels = split.shape[0]
    mean, std = NOTHING[0][:channels], NOTHING[1][:channels]
    return Batches(split, "cpu", mean, std, augmentation=augmentation, **given)


def sorted_images(given: Batches, epoch: int) -> torch.Tensor:
    """The images of an epoch, sorted by label."""
    pairs = list(given.epoch(epoch))
    images, labels = (torch.cat(each) for each in zip(*pairs, strict=True))
    return images[labels.argsort()].round()


def reference(split: Split, epoch: int, shift: int, seed: int, batch_size: int) -> list[torch.Tensor]:
    """Random flips and reflected shifts, image by image, as in version 0.1."""
    state = np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)
    random = torch.Generator().manual_seed(int(state[0]))
    order = torch.randperm(len(split), generator=random)
    rows = torch.randint(2 * shift + 1, (len(split),), generator=random)
    columns = torch.randint(4 * shift + 2, (len(split),), generator=random)
    padded = np.pad(split.images, ((0, 0), (0, 0), (shift, shift), (shift, shift)), mode="reflect")
    height, width = split.shape[1:]
    moved = []
    for image, down, right in zip(order.tolist(), rows.tolist(), columns.tolist(), strict=True):
        mirrored, right = divmod(right, 2 * shift + 1)
        # First mirrored, then shifted.
        whole = padded[image][:, :, ::-1] if mirrored else padded[image]
        moved.append(whole[:, down : down + height, right : right + width])
    images = torch.from_numpy(np.stack(moved).astype(np.float32))
    return list(images.split(batch_size))


@pytest.mark.parametrize("epoch", [0, 1, 7])
def test_random_flips_and_reflected_shifts_are_those_of_version_0_1(epoch: int) -> None:
    split = numbered(30)
    given = batches(split, Augmentation("random", 2), batch_size=10, seed=3)
    for (images, _), expected in zip(given.epoch(epoch), reference(split, epoch, 2, 3, 10), strict=True):
        assert torch.equal(images.round(), expected)


@pytest.mark.parametrize("shuffle", [True, False])
def test_alternating_flips_mirror_each_image_in_every_other_epoch(shuffle: bool) -> None:
    split = numbered(100)
    given = batches(split, Augmentation("alternating"), shuffle=shuffle)
    plain = torch.from_numpy(split.images.astype(np.float32))
    first, second, third = (sorted_images(given, epoch) for epoch in (1, 2, 3))
    assert torch.equal(first, third)
    assert torch.equal(first.flip(3), second)
    unchanged = (first == plain).all(dim=(1, 2, 3))
    assert 30 < int(unchanged.sum()) < 70
    assert torch.equal(first[~unchanged], plain.flip(3)[~unchanged])


def test_alternating_flips_do_not_depend_on_the_shifts() -> None:
    split = numbered(60, (1, 1, 8))
    still, shifted = (batches(split, Augmentation("alternating", shift, "zero")) for shift in (0, 3))
    for one, other in zip(sorted_images(still, 4), sorted_images(shifted, 4), strict=True):
        line, moved = one.flatten().tolist(), other.flatten().tolist()
        padded = [0] * 3 + line + [0] * 3
        assert any(moved == padded[right : right + 8] for right in range(7))


def test_a_shift_can_have_a_black_border() -> None:
    split = numbered(500)
    padded = np.pad(split.images, ((0, 0), (0, 0), (2, 2), (2, 2)))
    moved = sorted_images(batches(split, Augmentation(shift=2, shift_border="zero")), 0).numpy()
    found = {
        (down, right)
        for number, image in enumerate(moved)
        for down in range(5)
        for right in range(5)
        if np.array_equal(image, padded[number][:, down : down + 6, right : right + 7])
    }
    assert len(found) == 25


def test_a_crop_of_the_whole_image_changes_nothing() -> None:
    images = torch.rand(4, 3, 6, 7) * 255
    one, zero = torch.ones(4), torch.zeros(4)
    torch.testing.assert_close(crop_and_resize(images, one, zero, zero), images, rtol=1e-5, atol=1e-4)


def test_a_crop_is_resized_to_the_original_size() -> None:
    # In a gradient each value is its original position.
    ramp = torch.arange(8.0).expand(3, 1, 8, 8)
    seen = crop_and_resize(
        ramp, torch.tensor([0.5, 0.5, 0.25]), torch.tensor([-1.0, 1.0, 0.0]), torch.zeros(3)
    )
    torch.testing.assert_close(seen[0, 0, 0, 1:], torch.arange(1, 8) * 0.5 - 0.25)
    torch.testing.assert_close(seen[1, 0, 0, :-1], 4 + torch.arange(7) * 0.5 - 0.25)
    torch.testing.assert_close(seen[2, 0, 0], 3.5 + (torch.arange(8.0) - 3.5) / 4)


def test_each_image_is_cropped_differently() -> None:
    ramp = np.broadcast_to(np.arange(0, 160, 20, dtype=np.uint8), (60, 1, 8, 8))
    given = batches(Split(ramp.copy(), np.zeros(60, np.int64)), Augmentation(crop=0.5), batch_size=60)
    ((images, _),) = given.epoch(0)
    spans = images[:, 0, 0, -1] - images[:, 0, 0, 0]
    assert spans.min() >= 69
    assert spans.max() <= 141
    assert len(set(spans.round().tolist())) > 20


def test_colors_change_as_in_the_formula() -> None:
    images = torch.rand(3, 3, 5, 4) * 255
    factors = torch.tensor([0.3, 1.0, 1.7])
    gray = (0.2989 * images[:, 0] + 0.587 * images[:, 1] + 0.114 * images[:, 2]).unsqueeze(1)
    for number, factor in enumerate(factors.tolist()):
        image, shade = images[number], gray[number]
        for seen, expected in (
            (adjust_brightness(images, factors), factor * image),
            (adjust_contrast(images, factors), factor * image + (1 - factor) * shade.mean()),
            (adjust_saturation(images, factors), factor * image + (1 - factor) * shade),
        ):
            torch.testing.assert_close(seen[number], expected.clamp(0, 255), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
def test_colors_change_in_gray_and_color_images(channels: int) -> None:
    split = numbered(50, (channels, 6, 6))
    plain = torch.from_numpy(split.images.astype(np.float32))
    changed = sorted_images(batches(split, Augmentation(brightness=0.5, contrast=0.5, saturation=0.5)), 0)
    assert changed.min() >= 0
    assert changed.max() <= 255
    assert not torch.equal(changed, plain)
    assert (sorted_images(batches(split, Augmentation(saturation=0.5)), 0) == plain).all() == (channels == 1)


def test_cutout_fills_a_square_with_the_mean_color() -> None:
    split = numbered(200, (3, 9, 9))
    plain = torch.from_numpy(split.images.astype(np.float32))
    images = sorted_images(batches(split, Augmentation(cutout=3)), 0)
    painted = (images == 0).all(dim=1)
    assert torch.equal(images * ~painted.unsqueeze(1), plain * ~painted.unsqueeze(1))
    areas = painted.sum(dim=(1, 2))
    assert set(areas.tolist()) == {4, 6, 9}  # at a corner, at a side, inside
    assert all(painted[:, row, column].any() for row in range(9) for column in range(9))


def test_a_rectangle_is_centered() -> None:
    inside = rectangle_masks(
        torch.Size((2, 3, 5, 6)), torch.tensor([0.5, 0.0]), torch.tensor([0.5, 0.99]), 3, torch.tensor([1, 2])
    )
    assert inside[0, 0].nonzero().tolist() == [[2, 2], [2, 3], [2, 4]]
    assert inside[1, 0].nonzero().tolist() == [[3, 0], [3, 1], [4, 0], [4, 1]]


def test_images_and_labels_are_mixed_with_the_same_weights() -> None:
    images, labels = torch.rand(3, 2, 4, 4), torch.tensor([0, 2, 1])
    weight = torch.tensor([1.0, 0.25, 0.5]).view(3, 1, 1, 1).expand(3, 1, 4, 4)
    seen, soft_labels = mix_images(images, labels, images[[1, 2, 0]], labels[[1, 2, 0]], weight, 3)
    torch.testing.assert_close(seen[1], 0.25 * images[1] + 0.75 * images[2])
    torch.testing.assert_close(soft_labels, torch.tensor([[1.0, 0, 0], [0, 0.75, 0.25], [0.5, 0.5, 0]]))


def test_the_loss_of_mixed_labels_is_the_weighted_mean_of_the_losses() -> None:
    logits, labels = torch.randn(2, 3), torch.tensor([0, 2])
    weight = torch.full((2, 1, 1, 1), 0.3)
    images = torch.rand(2, 1, 1, 1)
    _, soft_labels = mix_images(images, labels, images.flip(0), labels.flip(0), weight, 3)
    for smoothing in (0.0, 0.1):
        own = F.cross_entropy(logits, labels, label_smoothing=smoothing)
        other = F.cross_entropy(logits, labels.flip(0), label_smoothing=smoothing)
        torch.testing.assert_close(
            F.cross_entropy(logits, soft_labels, label_smoothing=smoothing), 0.3 * own + 0.7 * other
        )


@pytest.mark.parametrize("augmentation", [Augmentation(mixup=1.0), Augmentation(cutmix=1.0)])
def test_labels_are_weighted_like_the_pixels(augmentation: Augmentation) -> None:
    # The value of every pixel is the class of its image, so that the weights can be measured.
    values = np.arange(1, 41)
    images = np.broadcast_to(values.astype(np.uint8)[:, None, None, None], (40, 3, 16, 16))
    split = Split(images.copy(), values.astype(np.int64) - 1)
    ((images_seen, soft_labels),) = batches(split, augmentation, batch_size=40).epoch(0)
    torch.testing.assert_close(soft_labels.sum(1), torch.ones(40))
    expected = (soft_labels * torch.from_numpy(values).float()).sum(1)
    torch.testing.assert_close(images_seen.mean((1, 2, 3)), expected, rtol=1e-4, atol=1e-3)
    assert len(set(soft_labels.max(1).values.round(decimals=2).tolist())) > 10
    only_whole_pixels = bool(torch.isclose(images_seen, images_seen.round(), atol=1e-4).all())
    assert only_whole_pixels == (augmentation.cutmix > 0)


def test_with_mixup_and_cutmix_each_image_gets_one_of_them() -> None:
    split = Split(np.full((200, 1, 8, 8), 100, np.uint8), np.arange(200, dtype=np.int64))
    split = Split(split.images * (np.arange(200) % 2).astype(np.uint8)[:, None, None, None], split.labels)
    ((images, _),) = batches(split, Augmentation(mixup=1.0, cutmix=1.0), batch_size=200).epoch(0)
    values = images.flatten(1)
    of_one_value = (values.max(1).values - values.min(1).values) < 0.5
    between = of_one_value & (values[:, 0] > 1) & (values[:, 0] < 99)
    assert between.sum() > 20  # only mixup makes new values
    assert (~of_one_value).sum() > 20  # only cutmix makes borders


@pytest.mark.parametrize("first", [0, 1, 3])
def test_an_epoch_can_be_resumed_at_any_batch(first: int) -> None:
    split = numbered(45)
    whole = list(batches(split, EVERYTHING, batch_size=10, seed=5).epoch(2))
    rest = list(batches(split, EVERYTHING, batch_size=10, seed=5).epoch(2, first))
    assert len(rest) == len(whole) - first
    for left, right in zip(whole[first:], rest, strict=True):
        assert torch.equal(left[0], right[0])
        assert torch.equal(left[1], right[1])


def test_another_epoch_or_seed_gives_other_images() -> None:
    split = numbered(40)
    seen = [
        next(batches(split, EVERYTHING, batch_size=40, seed=seed, shuffle=False).epoch(epoch))[0]
        for seed, epoch in ((1, 1), (1, 2), (2, 1))
    ]
    assert not torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


@pytest.mark.parametrize("augmentation", [EVERYTHING, Augmentation("random", 1), Augmentation(mixup=1.0)])
def test_a_change_within_an_epoch_applies_from_the_next_batch(augmentation: Augmentation) -> None:
    split = numbered(40)
    plain = list(batches(split, Augmentation(), batch_size=10).epoch(1))
    fully = list(batches(split, augmentation, batch_size=10).epoch(1))
    given = batches(split, Augmentation(), batch_size=10)
    seen = []
    for number, batch in enumerate(given.epoch(1)):
        seen.append(batch)
        if number == 1:
            given.set_augmentation(augmentation)
    for left, right in zip(seen, plain[:2] + fully[2:], strict=True):
        assert torch.equal(left[0], right[0])
        assert torch.equal(left[1], right[1])


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 5, 9), (3, 1, 1)])
def test_all_augmentations_together_give_valid_batches(shape: tuple[int, int, int]) -> None:
    for images, labels in batches(numbered(33, shape), EVERYTHING, batch_size=11).epoch(1):
        assert images.shape == (11, *shape)
        assert images.dtype == torch.float32
        assert images.is_contiguous(memory_format=torch.channels_last)
        assert torch.isfinite(images).all()
        assert labels.shape == (11, 33)
