"""Crops, colors, painted squares and mixtures of whole batches: what makes new pixels.

All images of a batch at once, each by its own numbers. The numbers are drawn on the CPU, so that every
device sees the same ones.
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
"""Red's, green's and blue's share of brightness, as torchvision has them (ITU-R BT.601)."""

_WHITE = 255.0


class Numbers:
    """Random numbers for the images of a batch, some of which are here.

    `random` draws for all `count` of them, so that who else is here changes nothing; `here` picks.
    """

    def __init__(self, seed: int, count: int, places: npt.NDArray[np.integer]) -> None:
        """`places` in the batch say which images are here, in their order."""
        self.random = np.random.default_rng(seed)
        self.count = count
        self._places = places

    def here(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Of values for all images, (…, count), those for the images that are here, (…, n)."""
        return values[..., self._places]


def before_normalization(images: Tensor, augmentation: Augmentation, numbers: Numbers) -> Tensor:
    """Crops and colors: float32 (n, C, H, W) with pixels from 0 to 255, in and out."""
    if augmentation.crop:
        size, right, down = numbers.here(numbers.random.uniform(-1, 1, (3, numbers.count)))
        kept = 1 - augmentation.crop * (size + 1) / 2
        images = cropped(images, *(_numbers(each, images) for each in (kept, right, down)))
    if augmentation.brightness:
        images = brightened(images, _factors(augmentation.brightness, images, numbers))
    if augmentation.contrast:
        images = contrasted(images, _factors(augmentation.contrast, images, numbers))
    if augmentation.saturation and images.shape[1] == len(_GRAY):
        images = saturated(images, _factors(augmentation.saturation, images, numbers))
    return images


def after_normalization(images: Tensor, augmentation: Augmentation, numbers: Numbers) -> Tensor:
    """Painted squares: normalized float32 (n, C, H, W), in and out."""
    if augmentation.cutout:
        x, y = _places(images, numbers)
        images = images * ~rectangles(images.shape, x, y, augmentation.cutout, augmentation.cutout)
    return images


def partners(numbers: Numbers) -> npt.NDArray[np.integer]:
    """The place in the batch of the image that each is mixed with, (n,)."""
    return numbers.here(numbers.random.permutation(numbers.count))


def cropped(images: Tensor, kept: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """The part of each image that has `kept` of its height and width, enlarged to the whole (bilinear).

    `right` and `down`, from -1 to 1, say where the part lies between one end and the other. (n,) each.
    """
    places = torch.zeros(len(images), 2, 3, device=images.device)
    places[:, 0, 0] = places[:, 1, 1] = kept
    places[:, 0, 2], places[:, 1, 2] = right * (1 - kept), down * (1 - kept)
    grid = F.affine_grid(places, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def brightened(images: Tensor, factors: Tensor) -> Tensor:
    """Between black, 0, and the image, 1; `factors` are (n,)."""
    return (images * _each(factors)).clamp_(0, _WHITE)


def contrasted(images: Tensor, factors: Tensor) -> Tensor:
    """Between the image's mean gray, 0, and the image, 1."""
    mean = _gray(images).mean((1, 2, 3), keepdim=True)
    return torch.lerp(mean, images, _each(factors)).clamp_(0, _WHITE)


def saturated(images: Tensor, factors: Tensor) -> Tensor:
    """Between the image in gray, 0, and the image, 1."""
    return torch.lerp(_gray(images), images, _each(factors)).clamp_(0, _WHITE)


def rectangles(shape: torch.Size, x: Tensor, y: Tensor, width: Tensor | int, height: Tensor | int) -> Tensor:
    """True inside a rectangle of each image, bool (n, 1, H, W).

    Its center is any pixel, `x` and `y` from 0 to 1 (n,) each, so that it may lie half outside.
    """
    rows = _span(shape[2], y, height)
    columns = _span(shape[3], x, width)
    return (rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1)


def mixed(
    images: Tensor, labels: Tensor, others: Tensor, other_labels: Tensor, weight: Tensor, classes: int
) -> tuple[Tensor, Tensor]:
    """Each image with another one, by its own `weight` (n, 1, H, W) at each pixel.

    The label shares the classes as the image shares its pixels.
    """
    own, other = (F.one_hot(each, classes).to(images.dtype) for each in (labels, other_labels))
    share = weight.mean((2, 3))
    return torch.lerp(others, images, weight), torch.lerp(other, own, share)


def own_share(images: Tensor, augmentation: Augmentation, numbers: Numbers) -> Tensor:
    """How much of itself an image keeps at each pixel, (n, 1, H, W), by mixup or by cutmix."""
    shape, random = images.shape, numbers.random
    chance = (augmentation.cutmix > 0) * (0.5 if augmentation.mixup else 1.0)
    by_cutmix = random.random(numbers.count) < chance
    alpha = np.where(by_cutmix, augmentation.cutmix or 1.0, augmentation.mixup or 1.0)
    share = numbers.here(random.beta(alpha, alpha))
    x, y = _places(images, numbers)
    side = np.sqrt(1 - share)
    width, height = (_numbers(np.round(side * size), images) for size in (shape[3], shape[2]))
    outside = (~rectangles(shape, x, y, width, height)).to(images.dtype)
    chosen = torch.from_numpy(numbers.here(by_cutmix)).to(images.device).view(-1, 1, 1, 1)
    return torch.where(chosen, outside, _each(_numbers(share, images)))


def _span(size: int, center: Tensor, length: Tensor | int) -> Tensor:
    """True along `length` of `size` pixels around the center, (n, size)."""
    middle = (center * size).floor()
    first = (middle - torch.as_tensor(length, device=center.device) // 2).unsqueeze(1)
    places = torch.arange(size, device=center.device)
    last = first + torch.as_tensor(length, device=center.device).view(-1, 1)
    return (places >= first) & (places < last)


def _gray(images: Tensor) -> Tensor:
    """(n, 1, H, W)."""
    if images.shape[1] != len(_GRAY):
        return images
    shares = torch.tensor(_GRAY, device=images.device).view(1, -1, 1, 1)
    return (images * shares).sum(1, keepdim=True)


def _places(images: Tensor, numbers: Numbers) -> tuple[Tensor, Tensor]:
    """From 0 to 1 across and down each image, (n,) both."""
    x, y = numbers.here(numbers.random.random((2, numbers.count)))
    return _numbers(x, images), _numbers(y, images)


def _factors(share: float, images: Tensor, numbers: Numbers) -> Tensor:
    drawn = numbers.random.uniform(1 - share, 1 + share, numbers.count)
    return _numbers(numbers.here(drawn), images)


def _numbers(values: npt.NDArray[np.float64], images: Tensor) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(images.device)


def _each(values: Tensor) -> Tensor:
    """One number an image, for (n, C, H, W)."""
    return values.view(-1, 1, 1, 1)
