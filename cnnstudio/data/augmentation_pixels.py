"""Crops, colours, painted squares and mixtures of whole batches: what makes new pixels.

All pictures of a batch at once, each by its own numbers. The numbers are drawn on the CPU, so that every
device sees the same ones.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from cnnstudio.data.augmentation import Augmentation

_GREY = (0.2989, 0.587, 0.114)
"""Red's, green's and blue's share of brightness, as torchvision has them (ITU-R BT.601)."""

_WHITE = 255.0


def before_normalisation(images: Tensor, augmentation: Augmentation, random: np.random.Generator) -> Tensor:
    """Crops and colours: float32 (n, C, H, W) with pixels from 0 to 255, in and out."""
    count = len(images)
    if augmentation.crop:
        size, right, down = random.uniform(-1, 1, (3, count))
        kept = 1 - augmentation.crop * (size + 1) / 2
        images = cropped(images, *(_numbers(each, images) for each in (kept, right, down)))
    if augmentation.brightness:
        images = brightened(images, _factors(augmentation.brightness, images, random))
    if augmentation.contrast:
        images = contrasted(images, _factors(augmentation.contrast, images, random))
    if augmentation.saturation and images.shape[1] == len(_GREY):
        images = saturated(images, _factors(augmentation.saturation, images, random))
    return images


def after_normalisation(
    images: Tensor, labels: Tensor, classes: int, augmentation: Augmentation, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Painted squares and mixtures: normalised float32 (n, C, H, W) and labels, in and out.

    Labels (n,) become shares of classes, (n, classes), where pictures are mixed.
    """
    count = len(images)
    if augmentation.cutout:
        x, y = (_numbers(each, images) for each in random.random((2, count)))
        images = images * ~rectangles(images.shape, x, y, augmentation.cutout, augmentation.cutout)
    if augmentation.mixes:
        partner = torch.from_numpy(random.permutation(count)).to(images.device)
        weight = _own_share(images, augmentation, random)
        images, labels = mixed(images, labels, partner, weight, classes)
    return images, labels


def cropped(images: Tensor, kept: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """The part of each picture that has `kept` of its height and width, enlarged to the whole (bilinear).

    `right` and `down`, from -1 to 1, say where the part lies between one end and the other. (n,) each.
    """
    places = torch.zeros(len(images), 2, 3, device=images.device)
    places[:, 0, 0] = places[:, 1, 1] = kept
    places[:, 0, 2], places[:, 1, 2] = right * (1 - kept), down * (1 - kept)
    grid = F.affine_grid(places, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def brightened(images: Tensor, factors: Tensor) -> Tensor:
    """Between black, 0, and the picture, 1; `factors` are (n,)."""
    return (images * _each(factors)).clamp_(0, _WHITE)


def contrasted(images: Tensor, factors: Tensor) -> Tensor:
    """Between the picture's mean grey, 0, and the picture, 1."""
    mean = _grey(images).mean((1, 2, 3), keepdim=True)
    return torch.lerp(mean, images, _each(factors)).clamp_(0, _WHITE)


def saturated(images: Tensor, factors: Tensor) -> Tensor:
    """Between the picture in grey, 0, and the picture, 1."""
    return torch.lerp(_grey(images), images, _each(factors)).clamp_(0, _WHITE)


def rectangles(shape: torch.Size, x: Tensor, y: Tensor, width: Tensor | int, height: Tensor | int) -> Tensor:
    """True inside a rectangle of each picture, bool (n, 1, H, W).

    Its centre is any pixel, `x` and `y` from 0 to 1 (n,) each, so that it may lie half outside.
    """
    rows = _span(shape[2], y, height)
    columns = _span(shape[3], x, width)
    return (rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1)


def mixed(
    images: Tensor, labels: Tensor, partner: Tensor, weight: Tensor, classes: int
) -> tuple[Tensor, Tensor]:
    """Each picture with its partner (places in the batch), by its own `weight` (n, 1, H, W) at each pixel.

    The label shares the classes as the picture shares its pixels.
    """
    own = F.one_hot(labels, classes).to(images.dtype)
    share = weight.mean((2, 3))
    return torch.lerp(images[partner], images, weight), torch.lerp(own[partner], own, share)


def _own_share(images: Tensor, augmentation: Augmentation, random: np.random.Generator) -> Tensor:
    """How much of itself a picture keeps at each pixel, (n, 1, H, W), by mixup or by cutmix."""
    count, shape = len(images), images.shape
    by_cutmix = random.random(count) < (augmentation.cutmix > 0) * (0.5 if augmentation.mixup else 1.0)
    alpha = np.where(by_cutmix, augmentation.cutmix or 1.0, augmentation.mixup or 1.0)
    share = random.beta(alpha, alpha)
    x, y = (_numbers(each, images) for each in random.random((2, count)))
    side = np.sqrt(1 - share)
    width, height = (_numbers(np.round(side * size), images) for size in (shape[3], shape[2]))
    outside = (~rectangles(shape, x, y, width, height)).to(images.dtype)
    chosen = torch.from_numpy(by_cutmix).to(images.device).view(-1, 1, 1, 1)
    return torch.where(chosen, outside, _each(_numbers(share, images)))


def _span(size: int, centre: Tensor, length: Tensor | int) -> Tensor:
    """True along `length` of `size` pixels around the centre, (n, size)."""
    middle = (centre * size).floor()
    first = (middle - torch.as_tensor(length, device=centre.device) // 2).unsqueeze(1)
    places = torch.arange(size, device=centre.device)
    last = first + torch.as_tensor(length, device=centre.device).view(-1, 1)
    return (places >= first) & (places < last)


def _grey(images: Tensor) -> Tensor:
    """(n, 1, H, W)."""
    if images.shape[1] != len(_GREY):
        return images
    shares = torch.tensor(_GREY, device=images.device).view(1, -1, 1, 1)
    return (images * shares).sum(1, keepdim=True)


def _factors(share: float, images: Tensor, random: np.random.Generator) -> Tensor:
    return _numbers(random.uniform(1 - share, 1 + share, len(images)), images)


def _numbers(values: npt.NDArray[np.float64], images: Tensor) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(images.device)


def _each(values: Tensor) -> Tensor:
    """One number a picture, for (n, C, H, W)."""
    return values.view(-1, 1, 1, 1)
