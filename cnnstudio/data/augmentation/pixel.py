"""Augmentation that changes pixel values: crops, colors, cutout, mixup and cutmix of whole batches.

All images of a batch are processed at once, each with its own random numbers. The numbers are drawn on the
CPU, so that they are the same for every device.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from cnnstudio.data.augmentation.augmentation import Augmentation

_GRAY = (0.2989, 0.587, 0.114)
"""Weights of red, green and blue in the brightness, as in torchvision (ITU-R BT.601)."""

_WHITE = 255.0


class BatchRandom:
    """Random numbers for the images of a batch, of which this process has a shard.

    `generator` draws numbers for all `count` images of the batch and `local` selects those of the shard. The
    numbers of an image therefore do not depend on how the batch is divided among processes.
    """

    def __init__(self, seed: int, count: int, positions: npt.NDArray[np.integer]) -> None:
        """`positions`, int (n,), are the positions of the shard's images in the batch."""
        self.generator = np.random.default_rng(seed)
        self.count = count
        self._positions = positions

    def local(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Selects from values for the whole batch, (…, count), those of the shard, (…, n); of any dtype."""
        return values[..., self._positions]


def augment_pixels(images: Tensor, augmentation: Augmentation, random: BatchRandom) -> Tensor:
    """Crops and color changes, before normalization: float32 (n, C, H, W), 0 to 255, in and out."""
    if augmentation.crop:
        size, right, down = random.local(random.generator.uniform(-1, 1, (3, random.count)))
        kept = 1 - augmentation.crop * (size + 1) / 2
        images = crop_and_resize(images, *(_tensor(each, images) for each in (kept, right, down)))
    if augmentation.brightness:
        images = adjust_brightness(images, _factors(augmentation.brightness, images, random))
    if augmentation.contrast:
        images = adjust_contrast(images, _factors(augmentation.contrast, images, random))
    if augmentation.saturation and images.shape[1] == len(_GRAY):
        images = adjust_saturation(images, _factors(augmentation.saturation, images, random))
    return images


def augment_normalized(images: Tensor, augmentation: Augmentation, random: BatchRandom) -> Tensor:
    """Cutout, after normalization, where 0 is the mean color: float32 (n, C, H, W), in and out."""
    if augmentation.cutout:
        x, y = _centers(images, random)
        images = images * ~rectangle_masks(images.shape, x, y, augmentation.cutout, augmentation.cutout)
    return images


def mixing_partners(random: BatchRandom) -> npt.NDArray[np.integer]:
    """For each image of the shard, the position in the batch of the image it is mixed with, int (n,)."""
    return random.local(random.generator.permutation(random.count))


def crop_and_resize(images: Tensor, kept: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """Crops images, float32 (n, C, H, W), and resizes the crops to the original size (bilinear).

    `kept` is the fraction of height and width that remains; `right` and `down`, from -1 to 1, are the
    position of the crop between the left and right (top and bottom) edges. (n,) each.
    """
    transforms = torch.zeros(len(images), 2, 3, device=images.device)
    transforms[:, 0, 0] = transforms[:, 1, 1] = kept
    transforms[:, 0, 2], transforms[:, 1, 2] = right * (1 - kept), down * (1 - kept)
    grid = F.affine_grid(transforms, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def adjust_brightness(images: Tensor, factors: Tensor) -> Tensor:
    """Interpolates between black (factor 0) and the image (1).

    `images` is float32 (n, C, H, W), 0 to 255, as is the result. `factors` is float32 (n,), one per image.
    """
    return (images * _per_image(factors)).clamp_(0, _WHITE)


def adjust_contrast(images: Tensor, factors: Tensor) -> Tensor:
    """Interpolates between the image's mean gray (factor 0) and the image (1).

    `images` is float32 (n, C, H, W), 0 to 255, as is the result. `factors` is float32 (n,), one per image.
    """
    mean = _gray(images).mean((1, 2, 3), keepdim=True)
    return torch.lerp(mean, images, _per_image(factors)).clamp_(0, _WHITE)


def adjust_saturation(images: Tensor, factors: Tensor) -> Tensor:
    """Interpolates between the image in gray (factor 0) and the image (1).

    `images` is float32 (n, 3, H, W), 0 to 255, as is the result. `factors` is float32 (n,), one per image.
    """
    return torch.lerp(_gray(images), images, _per_image(factors)).clamp_(0, _WHITE)


def rectangle_masks(
    shape: torch.Size, x: Tensor, y: Tensor, width: Tensor | int, height: Tensor | int
) -> Tensor:
    """True inside a rectangle of each image: bool (n, 1, H, W) for images of `shape` (n, C, H, W).

    The center is at `x` and `y`, 0 to 1, (n,) each, so that the rectangle may extend beyond the image.
    `width` and `height` are in pixels.
    """
    rows = _span(shape[2], y, height)
    columns = _span(shape[3], x, width)
    return (rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1)


def mix_images(
    images: Tensor, labels: Tensor, others: Tensor, other_labels: Tensor, weight: Tensor, classes: int
) -> tuple[Tensor, Tensor]:
    """Mixes each image with another: (images float32 (n, C, H, W), labels float32 (n, classes)).

    `weight`, float32 (n, 1, H, W), is the weight of the image itself at each pixel. Labels go in as int64
    (n,); the mixed ones are class probabilities, weighted like the pixels on average.
    """
    own, other = (F.one_hot(each, classes).to(images.dtype) for each in (labels, other_labels))
    own_weight = weight.mean((2, 3))
    return torch.lerp(others, images, weight), torch.lerp(other, own, own_weight)


def mixing_weights(images: Tensor, augmentation: Augmentation, random: BatchRandom) -> Tensor:
    """The weight of each image itself at each pixel, for mixup or cutmix: float32 (n, 1, H, W), 0 to 1."""
    shape, generator = images.shape, random.generator
    probability = (augmentation.cutmix > 0) * (0.5 if augmentation.mixup else 1.0)
    by_cutmix = generator.random(random.count) < probability
    alpha = np.where(by_cutmix, augmentation.cutmix or 1.0, augmentation.mixup or 1.0)
    weight = random.local(generator.beta(alpha, alpha))
    x, y = _centers(images, random)
    side = np.sqrt(1 - weight)
    width, height = (_tensor(np.round(side * size), images) for size in (shape[3], shape[2]))
    outside = (~rectangle_masks(shape, x, y, width, height)).to(images.dtype)
    uses_cutmix = torch.from_numpy(random.local(by_cutmix)).to(images.device).view(-1, 1, 1, 1)
    return torch.where(uses_cutmix, outside, _per_image(_tensor(weight, images)))


def _span(size: int, center: Tensor, length: Tensor | int) -> Tensor:
    """True for `length` of `size` pixels around the center (0 to 1): bool (n, size)."""
    middle = (center * size).floor()
    first = (middle - torch.as_tensor(length, device=center.device) // 2).unsqueeze(1)
    pixels = torch.arange(size, device=center.device)
    end = first + torch.as_tensor(length, device=center.device).view(-1, 1)
    return (pixels >= first) & (pixels < end)


def _gray(images: Tensor) -> Tensor:
    """float32 (n, C, H, W) as gray, (n, 1, H, W); images without 3 channels as they are."""
    if images.shape[1] != len(_GRAY):
        return images
    weights = torch.tensor(_GRAY, device=images.device).view(1, -1, 1, 1)
    return (images * weights).sum(1, keepdim=True)


def _centers(images: Tensor, random: BatchRandom) -> tuple[Tensor, Tensor]:
    """A random point in each image, x and y from 0 to 1, (n,) both."""
    x, y = random.local(random.generator.random((2, random.count)))
    return _tensor(x, images), _tensor(y, images)


def _factors(strength: float, images: Tensor, random: BatchRandom) -> Tensor:
    drawn = random.generator.uniform(1 - strength, 1 + strength, random.count)
    return _tensor(random.local(drawn), images)


def _tensor(values: npt.NDArray[np.float64], images: Tensor) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(images.device)


def _per_image(values: Tensor) -> Tensor:
    """(n,) as (n, 1, 1, 1), to be broadcast over (n, C, H, W)."""
    return values.view(-1, 1, 1, 1)
