"""Whole batches on the device: cut, mirrored, shifted and normalized as tensors, never image by image."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor

from cnnstudio.data.augmentation.augmentation import UNCHANGED, Augmentation
from cnnstudio.data.augmentation.geometric import Moves
from cnnstudio.data.augmentation.pixel import (
    Numbers,
    after_normalization,
    before_normalization,
    mixed,
    own_share,
    partners,
)
from cnnstudio.data.dataset import Rows, Split, as_channels_last, statistics
from cnnstudio.data.storage.memmap import Ahead

__all__ = ["WHOLE", "Batches", "Share", "normalize", "statistics"]

Share = tuple[int, int]
"""(number, count): which of so many processes takes its share of each batch."""
WHOLE: Share = (0, 1)


class Batches:
    """One split as uint8, given out in whole batches on the device.

    Images lie as (N, H, W, C), so that what comes out is channels_last without a copy. They lie on the
    device, or in the split's own memory or map, from where the images of a batch are brought one batch at a
    time. On the CPU that is the same: nothing is copied where the split lies like that. A last batch of one
    single image joins the one before it, because batch normalization cannot learn from one.
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
        augmentation: Augmentation = UNCHANGED,
        classes: int | None = None,
        seed: int = 0,
        rows: Rows | None = None,
        share: Share = WHOLE,
        uploaded: bool = True,
    ) -> None:
        """`mean` and `std` are those of `statistics`, (C,) each, for pixels taken as 0 to 1.

        `classes` is how many there are, where images are mixed; by default as many as the labels tell.
        With `rows`, only those images of the split are given out, without a copy of them all. With `share`
        only that share of each batch is cut and given out; a share of a small batch may be empty. What is not
        `uploaded` stays in main memory, or on the disk.
        """
        self._device = torch.device(device)
        self._channels, self._height, self._width = split.shape
        self._place = self._device if uploaded else torch.device("cpu")
        pixels = np.ascontiguousarray(as_channels_last(split.images))
        self._pixels = _shared(pixels).flatten(1).to(self._place)
        self._labels = _shared(split.labels).to(self._place)
        self._ahead = Ahead.of(pixels) if self._place.type == "cpu" else None
        self._scale, self._offset = _per_pixel(mean, std, self._height * self._width, self._device)
        self._shuffle = shuffle
        self._seed = seed
        self._share = share
        self._rows = None if rows is None else torch.from_numpy(rows)
        self._count = len(split) if rows is None else len(rows)
        self._bounds = _bounds(self._count, batch_size)
        self._classes = classes or int(split.labels.max(initial=0)) + 1
        self.augment(augmentation)

    def __len__(self) -> int:
        """Steps in one epoch."""
        return len(self._bounds)

    def augment(self, augmentation: Augmentation) -> None:
        """Changes what happens to the images, from the next batch on."""
        self.augmentation = augmentation
        largest = max((stop - start for start, stop in self._bounds), default=0)
        shape = self._channels, self._height, self._width
        self._moves = Moves(shape, largest, augmentation, self._device) if augmentation.moves else None

    def epoch(self, number: int, first: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """(images, labels) of each batch from the `first` on, counted from 0, both on the device.

        Images are float32 (n, C, H, W), labels int64 (n,), or float32 (n, classes) where images are mixed.

        Order and augmentation depend on the seed, `number` and the place of the batch alone, on every device;
        the order also stays the same when the augmentation is another.
        """
        random = torch.Generator().manual_seed(_seed(self._seed, number))
        order = self._order(random)
        state = random.get_state()
        moves, drawn = None, None
        self._expect(order, first)
        for step, (start, stop) in enumerate(self._bounds[first:], first):
            if moves is not self._moves:
                random.set_state(state)
                moves, drawn = self._moves, self._drawn(number, order, random)
            self._expect(order, step + 1)
            cut = partial(self._cut, order, drawn)
            if self.augmentation.changes_pixels:
                yield self._changed(cut, start, stop, _seed(self._seed, number, step))
            else:
                pixels, labels = cut(self._own(start, stop))
                yield self._finished(pixels), labels

    def _expect(self, order: Tensor | None, step: int) -> None:
        """Has the disk at work for a batch that comes soon. What lies in order comes by itself."""
        if self._ahead and order is not None and step < len(self._bounds):
            self._ahead.ask(order[self._own(*self._bounds[step])].tolist())
            if self._ahead.is_done:
                self._ahead = None

    def _brought(self, tensor: Tensor) -> Tensor:
        """To the device, which need not wait for it: the next batch is gathered while it computes."""
        if self._place == self._device:
            return tensor
        if self._device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self._device, non_blocking=True)

    def size(self, step: int) -> int:
        """Images in the batch of that number, counted from 0, of all shares together."""
        start, stop = self._bounds[step]
        return stop - start

    def _own(self, start: int, stop: int) -> slice:
        """The places of a batch that are this process's share of it.

        Of a shuffled batch every so many-th, so that a part of the share is a share of that part; else those
        that lie side by side.
        """
        number, count = self._share
        if self._shuffle:
            return slice(start + number, stop, count)
        size = stop - start
        return slice(start + size * number // count, start + size * (number + 1) // count)

    def _cut(
        self, order: Tensor | None, drawn: tuple[Tensor, Tensor] | None, places: slice | Tensor
    ) -> tuple[Tensor, Tensor]:
        """Pixels (n, H·W·C), moved, and labels of what stands at these places in the order."""
        pixels, labels = self._gathered(order, places)
        if self._moves and drawn:
            pixels = self._moves.apply(pixels, drawn[0][places], drawn[1][places])
        return pixels, labels

    def _gathered(self, order: Tensor | None, places: slice | Tensor) -> tuple[Tensor, Tensor]:
        """The same as it lies, on the device."""
        if order is None:
            pixels, labels = self._pixels[places], self._labels[places]
        else:
            rows = order[places]
            pixels, labels = self._pixels.index_select(0, rows), self._labels.index_select(0, rows)
        return self._brought(pixels), self._brought(labels)

    def _drawn(
        self, number: int, order: Tensor | None, random: torch.Generator
    ) -> tuple[Tensor, Tensor] | None:
        """How each image moves in this epoch, in its order."""
        if self._moves is None:
            return None
        if self.augmentation.flip != "alternating":
            return self._moves.draw(self._count, random)
        # Which side an image begins with is its own, whatever else is drawn and in whatever order.
        beginning = torch.Generator().manual_seed(_seed(self._seed, 0, 0, 0))
        begins = torch.randint(2, (len(self._labels),), generator=beginning)
        places = torch.arange(self._count) if order is None else order.cpu()
        return self._moves.draw(self._count, random, (begins[places] + number) % 2)

    def _order(self, random: torch.Generator) -> Tensor | None:
        """Places in the split, in the order of this epoch; None for all as they lie."""
        if not self._shuffle:
            return None if self._rows is None else self._rows.to(self._place)
        order = torch.randperm(self._count, generator=random)
        return (order if self._rows is None else self._rows[order]).to(self._place)

    def _finished(self, pixels: Tensor) -> Tensor:
        """uint8 (n, H·W·C) as normalized float32 (n, C, H, W)."""
        images = torch.mul(pixels, self._scale).add_(self._offset)
        return self._as_images(images).contiguous(memory_format=torch.channels_last)

    def _changed(
        self, cut: Callable[[slice | Tensor], tuple[Tensor, Tensor]], start: int, stop: int, seed: int
    ) -> tuple[Tensor, Tensor]:
        """This process's share of a batch with new pixels, for a part of them with new labels."""
        augmentation, own = self.augmentation, self._own(start, stop)
        numbers = Numbers(seed, stop - start, np.arange(stop)[own] - start)
        images, labels = self._painted(*cut(own), numbers)
        if augmentation.mixes:
            places = partners(numbers)
            rows = torch.from_numpy(places)
            weight = own_share(images, augmentation, numbers)
            if self._share == WHOLE:
                others = images[rows], labels[rows]
            else:
                # The same numbers anew, for images that may be of any process's share.
                others = self._painted(*cut(rows + start), Numbers(seed, stop - start, places))
            images, labels = mixed(images, labels, *others, weight, self._classes)
        return images.contiguous(memory_format=torch.channels_last), labels

    def _painted(self, pixels: Tensor, labels: Tensor, numbers: Numbers) -> tuple[Tensor, Tensor]:
        """Normalized images (n, C, H, W), changed one by one, and their labels."""
        augmentation = self.augmentation
        # torch cannot crop none at all, as a share of a small batch may be.
        if len(pixels) and (augmentation.colors or augmentation.crop):
            images = before_normalization(self._as_images(pixels).float(), augmentation, numbers)
            pixels = images.permute(0, 2, 3, 1).flatten(1)
        return after_normalization(self._finished(pixels), augmentation, numbers), labels

    def _as_images(self, pixels: Tensor) -> Tensor:
        """(n, H·W·C) seen as (n, C, H, W)."""
        return pixels.view(len(pixels), self._height, self._width, self._channels).permute(0, 3, 1, 2)


def normalize(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """uint8 (N, C, H, W) as float32 in channels_last with (pixel / 255 - mean) / std per channel."""
    count, channels, height, width = images.shape
    scale, offset = _per_pixel(mean, std, height * width, images.device)
    pixels = images.permute(0, 2, 3, 1).reshape(count, height * width * channels)
    result = torch.mul(pixels, scale).add_(offset)
    return result.view(count, height, width, channels).permute(0, 3, 1, 2)


def _per_pixel(mean: Tensor, std: Tensor, pixels: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Factor and addend for each of an image's H·W·C values, flat, which the processor is quickest with."""
    scale, offset = 1 / (255 * std.double()), -mean.double() / std.double()
    return scale.float().repeat(pixels).to(device), offset.float().repeat(pixels).to(device)


def _seed(*numbers: int) -> int:
    """One seed from several numbers, which may be negative."""
    state = np.random.SeedSequence([number & (2**64 - 1) for number in numbers]).generate_state(1, np.uint64)
    return int(state[0])


def _bounds(count: int, batch_size: int) -> list[tuple[int, int]]:
    """(first, one past the last) image of each batch; a set smaller than one batch is one batch."""
    if batch_size < 1:
        raise ValueError(f"batch_size must be 1 or more, not {batch_size}")
    if count <= batch_size:
        return [(0, count)] if count else []
    starts = list(range(0, count, batch_size))
    if count % batch_size == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], count], strict=True))


def _shared(array: np.ndarray) -> Tensor:
    """The array's memory as a tensor. Nobody here writes into it, so that it is read-only does not matter."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)
