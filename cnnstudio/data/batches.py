"""Batches of images on the device, augmented and normalized as whole tensors, never image by image."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor

from cnnstudio.data.augmentation.augmentation import NO_AUGMENTATION, Augmentation
from cnnstudio.data.augmentation.geometric import FlipAndShift
from cnnstudio.data.augmentation.pixel import (
    BatchRandom,
    augment_normalized,
    augment_pixels,
    mix_images,
    mixing_partners,
    mixing_weights,
)
from cnnstudio.data.dataset import Rows, Split, as_channels_last, channel_statistics
from cnnstudio.data.storage.memmap import Prefetcher

__all__ = ["WHOLE_BATCH", "Batches", "Shard", "channel_statistics", "normalize"]

Shard = tuple[int, int]
"""(rank, world size): which share of each batch this process takes."""
WHOLE_BATCH: Shard = (0, 1)


class Batches:
    """The images of one split, as batches on a device.

    The pixels are stored as uint8 (N, H·W·C), the channels of a pixel next to each other, so that batches are
    channels_last without a copy. They are either uploaded to the device once, or stay in the split's own
    memory or map, from which each batch is copied when it is needed. On the CPU nothing is copied if the
    split is stored in that order. If the last batch would be a single image, it is merged with the one
    before, because batch normalization cannot learn from one image.
    """

    def __init__(
        self,
        split: Split,
        device: torch.device | str,
        mean: Tensor,
        std: Tensor,
        *,
        batch_size: int,
        shuffle: bool,
        augmentation: Augmentation = NO_AUGMENTATION,
        classes: int | None = None,
        seed: int = 0,
        rows: Rows | None = None,
        shard: Shard = WHOLE_BATCH,
        uploaded: bool = True,
    ) -> None:
        """`mean` and `std`, float32 (C,) each, are those of `channel_statistics`, for pixels scaled to 0…1.

        `classes` is the number of classes, needed if images are mixed; by default the largest label + 1. With
        `rows`, only those images of the split are used, without copying them. With `shard`, each batch has
        only this process's part, which may be empty if the batch is small. With `uploaded=False`, the pixels
        stay in main memory or on disk.
        """
        self._device = torch.device(device)
        self._channels, self._height, self._width = split.shape
        self._storage_device = self._device if uploaded else torch.device("cpu")
        pixels = np.ascontiguousarray(as_channels_last(split.images))
        self._pixels = as_tensor(pixels).flatten(1).to(self._storage_device)
        self._labels = as_tensor(split.labels).to(self._storage_device)
        self._prefetcher = Prefetcher.for_array(pixels) if self._storage_device.type == "cpu" else None
        self._scale, self._offset = _scale_and_offset(mean, std, self._height * self._width, self._device)
        self._shuffle = shuffle
        self._seed = seed
        self._shard = shard
        self._rows = None if rows is None else torch.from_numpy(rows)
        self._count = len(split) if rows is None else len(rows)
        self._bounds = _bounds(self._count, batch_size)
        self._classes = classes or int(split.labels.max(initial=0)) + 1
        self.set_augmentation(augmentation)

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return len(self._bounds)

    def set_augmentation(self, augmentation: Augmentation) -> None:
        """Changes the augmentation from the next batch on, also in an epoch that is being iterated."""
        self.augmentation = augmentation
        largest = max((stop - start for start, stop in self._bounds), default=0)
        shape = self._channels, self._height, self._width
        self._moves = (
            FlipAndShift(shape, largest, augmentation, self._device) if augmentation.moves_pixels else None
        )

    def epoch(self, number: int, first: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """(images, labels) of each batch of an epoch, starting with batch `first` (from 0), on the device.

        Images are float32 (n, C, H, W); labels are int64 (n,), or float32 (n, classes) if images are mixed.

        The order and the augmentation depend only on the seed, the epoch `number` and the batch's position,
        and are the same on every device. The order does not change if the augmentation does.
        """
        random = torch.Generator().manual_seed(_seed(self._seed, number))
        order = self._order(random)
        state = random.get_state()
        moves, drawn = None, None
        self._prefetch(order, first)
        for step, (start, stop) in enumerate(self._bounds[first:], first):
            if moves is not self._moves:
                # Drawn for the whole epoch at once, from the same generator state each time: a resumed epoch
                # and one whose augmentation changed in between then see the same random numbers.
                random.set_state(state)
                moves, drawn = self._moves, self._draw_moves(number, order, random)
            self._prefetch(order, step + 1)
            load = partial(self._load, order, drawn)
            if self.augmentation.changes_values:
                yield self._augmented(load, start, stop, _seed(self._seed, number, step))
            else:
                pixels, labels = load(self._shard_of(start, stop))
                yield self._normalize(pixels), labels

    def _prefetch(self, order: Tensor | None, step: int) -> None:
        """Starts reading a coming batch from disk. For sequential access the system reads ahead by itself."""
        if self._prefetcher and order is not None and step < len(self._bounds):
            self._prefetcher.prefetch(order[self._shard_of(*self._bounds[step])].tolist())
            if self._prefetcher.is_done:
                self._prefetcher = None

    def _to_device(self, tensor: Tensor) -> Tensor:
        """Copies to the device without waiting: the next batch is gathered while this one is computed."""
        if self._storage_device == self._device:
            return tensor
        if self._device.type == "cuda":
            tensor = tensor.pin_memory()  # only copies from pinned memory are asynchronous
        return tensor.to(self._device, non_blocking=True)

    def global_batch_size(self, step: int) -> int:
        """The number of images in batch `step` (from 0), over all processes."""
        start, stop = self._bounds[step]
        return stop - start

    def _shard_of(self, start: int, stop: int) -> slice:
        """The positions of a batch, given by its bounds in the epoch's order, that belong to this process.

        A shuffled batch is dealt out in turn, which keeps the shards of any part of it balanced; otherwise
        each process gets a contiguous range, which is faster to read.
        """
        rank, world_size = self._shard
        if self._shuffle:
            return slice(start + rank, stop, world_size)
        size = stop - start
        return slice(start + size * rank // world_size, start + size * (rank + 1) // world_size)

    def _load(
        self, order: Tensor | None, drawn: tuple[Tensor, Tensor] | None, positions: slice | Tensor
    ) -> tuple[Tensor, Tensor]:
        """Pixels uint8 (n, H·W·C), flipped and shifted, and labels at these positions of the order."""
        pixels, labels = self._gather(order, positions)
        if self._moves and drawn:
            pixels = self._moves.apply(pixels, drawn[0][positions], drawn[1][positions])
        return pixels, labels

    def _gather(self, order: Tensor | None, positions: slice | Tensor) -> tuple[Tensor, Tensor]:
        """Pixels uint8 (n, H·W·C) as stored, and labels, on the device."""
        if order is None:
            pixels, labels = self._pixels[positions], self._labels[positions]
        else:
            rows = order[positions]
            pixels, labels = self._pixels.index_select(0, rows), self._labels.index_select(0, rows)
        return self._to_device(pixels), self._to_device(labels)

    def _draw_moves(
        self, number: int, order: Tensor | None, random: torch.Generator
    ) -> tuple[Tensor, Tensor] | None:
        """The flip and shift of each image in this epoch, in the epoch's order."""
        if self._moves is None:
            return None
        if self.augmentation.flip != "alternating":
            return self._moves.draw(self._count, random)
        rows = torch.arange(self._count) if order is None else order.cpu()
        mirrored = alternately_mirrored(len(self._labels), self._seed, number)
        return self._moves.draw(self._count, random, mirrored[rows])

    def _order(self, random: torch.Generator) -> Tensor | None:
        """Row numbers in the split, in the order of this epoch; None for all rows in their stored order."""
        if not self._shuffle:
            return None if self._rows is None else self._rows.to(self._storage_device)
        order = torch.randperm(self._count, generator=random)
        return (order if self._rows is None else self._rows[order]).to(self._storage_device)

    def _normalize(self, pixels: Tensor) -> Tensor:
        """uint8 or float32 (n, H·W·C), 0 to 255, as normalized float32 (n, C, H, W)."""
        images = torch.mul(pixels, self._scale).add_(self._offset)
        return self._as_images(images).contiguous(memory_format=torch.channels_last)

    def _augmented(
        self, load: Callable[[slice | Tensor], tuple[Tensor, Tensor]], start: int, stop: int, seed: int
    ) -> tuple[Tensor, Tensor]:
        """This process's shard of a batch, with augmented pixels and, if images are mixed, soft labels."""
        augmentation, shard = self.augmentation, self._shard_of(start, stop)
        random = BatchRandom(seed, stop - start, np.arange(stop)[shard] - start)
        images, labels = self._augment_each(*load(shard), random)
        if augmentation.mixes_images:
            positions = mixing_partners(random)
            rows = torch.from_numpy(positions)
            weight = mixing_weights(images, augmentation, random)
            if self._shard == WHOLE_BATCH:
                others = images[rows], labels[rows]
            else:
                # A partner may belong to the shard of another process. It is loaded and augmented here as
                # well, with the same random numbers as there, which takes no communication.
                others = self._augment_each(*load(rows + start), BatchRandom(seed, stop - start, positions))
            images, labels = mix_images(images, labels, *others, weight, self._classes)
        return images.contiguous(memory_format=torch.channels_last), labels

    def _augment_each(self, pixels: Tensor, labels: Tensor, random: BatchRandom) -> tuple[Tensor, Tensor]:
        """Images float32 (n, C, H, W), augmented one by one and normalized, and their labels."""
        augmentation = self.augmentation
        # The shard of a small batch may be empty, and torch cannot crop an empty batch.
        if len(pixels) and (augmentation.changes_colors or augmentation.crop):
            images = augment_pixels(self._as_images(pixels).float(), augmentation, random)
            pixels = images.permute(0, 2, 3, 1).flatten(1)
        return augment_normalized(self._normalize(pixels), augmentation, random), labels

    def _as_images(self, pixels: Tensor) -> Tensor:
        """A view of (n, H·W·C) as (n, C, H, W)."""
        return pixels.view(len(pixels), self._height, self._width, self._channels).permute(0, 3, 1, 2)


def normalize(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """uint8 (N, C, H, W) as float32 (N, C, H, W) in channels_last: (pixel / 255 - mean) / std per channel.

    `mean` and `std` are (C,).
    """
    count, channels, height, width = images.shape
    scale, offset = _scale_and_offset(mean, std, height * width, images.device)
    pixels = images.permute(0, 2, 3, 1).reshape(count, height * width * channels)
    result = torch.mul(pixels, scale).add_(offset)
    return result.view(count, height, width, channels).permute(0, 3, 1, 2)


def _scale_and_offset(mean: Tensor, std: Tensor, pixels: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Factor and offset that normalize each of an image's H·W·C values, float32 (H·W·C,) both.

    Repeated for every pixel, so that normalizing is one multiply-add over flat memory, which is faster on the
    CPU than broadcasting over the short last dimension.
    """
    scale, offset = 1 / (255 * std.double()), -mean.double() / std.double()
    return scale.float().repeat(pixels).to(device), offset.float().repeat(pixels).to(device)


def alternately_mirrored(count: int, seed: int, number: int) -> Tensor:
    """Which of a split's images are mirrored in epoch `number` of alternating flips, int64 (count,), 0 or 1.

    Fixed for each image and the whole run, independent of the order and of all other random numbers.
    """
    per_image = torch.Generator().manual_seed(_seed(seed, 0, 0, 0))
    return (torch.randint(2, (count,), generator=per_image) + number) % 2


def _seed(*numbers: int) -> int:
    """One seed from several integers, which may be negative."""
    state = np.random.SeedSequence([number & (2**64 - 1) for number in numbers]).generate_state(1, np.uint64)
    return int(state[0])


def _bounds(count: int, batch_size: int) -> list[tuple[int, int]]:
    """(start, stop) of each batch; a set smaller than `batch_size` is one batch.

    Raises ValueError if `batch_size` is less than 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be 1 or more, got {batch_size}")
    if count <= batch_size:
        return [(0, count)] if count else []
    starts = list(range(0, count, batch_size))
    if count % batch_size == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], count], strict=True))


def as_tensor(array: np.ndarray) -> Tensor:
    """A tensor that shares the array's memory. torch warns of read-only arrays; nothing is written here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)
