"""Whole batches on the device: cut, mirrored, shifted and normalised as tensors, never picture by picture."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from cnnstudio.data.dataset import Rows, Split, as_channels_last, split_validation, statistics

__all__ = ["Batches", "normalise", "split_validation", "statistics"]


class Batches:
    """One split on the device as uint8, given out in whole batches.

    Pictures lie as (N, H, W, C), so that what comes out is channels_last without a copy; on the CPU the
    split's own memory is shared where it lies like that. With `shift`, each picture moves by up to so many
    pixels each way and what comes in at the side is its mirror image; with `flip`, half of them are mirrored
    left to right. A last batch of one single picture joins the one before it, because batch normalisation
    cannot learn from one.
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
        flip: bool = False,
        shift: int = 0,
        seed: int = 0,
        rows: Rows | None = None,
    ) -> None:
        """`mean` and `std` are those of `statistics`, (C,) each, for pixels taken as 0 to 1.

        With `rows`, only those pictures of the split are given out, without a copy of them all.
        """
        self._device = torch.device(device)
        self._channels, self._height, self._width = split.shape
        self._pixels = _shared(as_channels_last(split.images)).contiguous().flatten(1).to(self._device)
        self._labels = _shared(split.labels).to(self._device)
        self._scale, self._offset = _per_pixel(mean, std, self._height * self._width, self._device)
        self._shuffle = shuffle
        self._seed = seed
        self._rows = None if rows is None else torch.from_numpy(rows)
        self._count = len(split) if rows is None else len(rows)
        self._bounds = _bounds(self._count, batch_size)
        self._moves = _Moves(split.shape, self._bounds, flip, shift, self._device) if flip or shift else None

    def __len__(self) -> int:
        """Steps in one epoch."""
        return len(self._bounds)

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """(images, labels) of each batch: float32 (n, C, H, W) and int64 (n,), both on the device.

        Order and augmentation depend on the seed and `number` alone, on every device; the order also stays
        the same when the augmentation is switched on or off.
        """
        state = np.random.SeedSequence([self._seed & (2**64 - 1), number]).generate_state(1, np.uint64)
        random = torch.Generator().manual_seed(int(state[0]))
        order = self._order(random)
        drawn = self._moves.draw(self._count, random) if self._moves else None
        for start, stop in self._bounds:
            if order is None:
                pixels, labels = self._pixels[start:stop], self._labels[start:stop]
            else:
                rows = order[start:stop]
                pixels, labels = self._pixels.index_select(0, rows), self._labels.index_select(0, rows)
            if self._moves and drawn:
                pixels = self._moves.apply(pixels, drawn[0][start:stop], drawn[1][start:stop])
            yield self._finished(pixels), labels

    def _order(self, random: torch.Generator) -> Tensor | None:
        """Places in the split, in the order of this epoch; None for all as they lie."""
        if not self._shuffle:
            return None if self._rows is None else self._rows.to(self._device)
        order = torch.randperm(self._count, generator=random)
        return (order if self._rows is None else self._rows[order]).to(self._device)

    def _finished(self, pixels: Tensor) -> Tensor:
        """uint8 (n, H·W·C) as normalised float32 (n, C, H, W)."""
        images = torch.mul(pixels, self._scale).add_(self._offset)
        images = images.view(len(pixels), self._height, self._width, self._channels).permute(0, 3, 1, 2)
        return images.contiguous(memory_format=torch.channels_last)


class _Moves:
    """Flips and shifts as one gather of whole pixels.

    Which column of the picture each column of the result shows is looked up in a table, with one line for
    every shift and for every shift of the mirrored picture; rows likewise.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        bounds: list[tuple[int, int]],
        flip: bool,
        shift: int,
        device: torch.device,
    ) -> None:
        self._channels, height, width = shape
        largest = max((stop - start for start, stop in bounds), default=0)
        # 32-bit indices are quicker; they count within one batch, not within the set.
        kind = torch.int32 if largest * height * width < 2**31 else torch.int64
        rows = _reflected(height, shift).to(kind) * width
        columns = _reflected(width, shift).to(kind)
        if flip:
            columns = torch.cat([columns, width - 1 - columns])
        self._rows, self._columns = rows.to(device), columns.to(device)
        first = torch.arange(largest, dtype=kind) * (height * width)
        self._first = first.view(-1, 1, 1).to(device)
        self._device = device

    def draw(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """For each of `count` pictures a line of each table."""
        rows = torch.randint(len(self._rows), (count,), generator=random)
        columns = torch.randint(len(self._columns), (count,), generator=random)
        return rows.to(self._device), columns.to(self._device)

    def apply(self, pixels: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """uint8 (n, H·W·C), each picture moved as its lines say."""
        lines = self._rows.index_select(0, rows) + self._first[: len(pixels), :, 0]
        places = lines.unsqueeze(2) + self._columns.index_select(0, columns).unsqueeze(1)
        return pixels.reshape(-1, self._channels).index_select(0, places.flatten()).view(len(pixels), -1)


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """uint8 (N, C, H, W) as float32 in channels_last with (pixel / 255 - mean) / std per channel."""
    count, channels, height, width = images.shape
    scale, offset = _per_pixel(mean, std, height * width, images.device)
    pixels = images.permute(0, 2, 3, 1).reshape(count, height * width * channels)
    result = torch.mul(pixels, scale).add_(offset)
    return result.view(count, height, width, channels).permute(0, 3, 1, 2)


def _per_pixel(mean: Tensor, std: Tensor, pixels: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Factor and addend for each of a picture's H·W·C values, flat, which the processor is quickest with."""
    scale, offset = 1 / (255 * std.double()), -mean.double() / std.double()
    return scale.float().repeat(pixels).to(device), offset.float().repeat(pixels).to(device)


def _reflected(size: int, shift: int) -> Tensor:
    """(2 * shift + 1, size): which line of the picture each line of the result shows, for every shift."""
    shift = min(shift, size - 1)  # a mirror image has no more lines than the picture
    lines = torch.arange(size) + torch.arange(-shift, shift + 1).unsqueeze(1)
    return (size - 1) - ((size - 1) - lines.abs()).abs()


def _bounds(count: int, batch_size: int) -> list[tuple[int, int]]:
    """(first, one past the last) picture of each batch; a set smaller than one batch is one batch."""
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
