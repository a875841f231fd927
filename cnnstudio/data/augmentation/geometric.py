"""Flips and shifts of whole batches, as one gather of whole pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from cnnstudio.data.augmentation.augmentation import Augmentation


class Moves:
    """Where each pixel of a moved image comes from.

    Which column of the image each column of the result shows is looked up in a table, with one line for
    every shift and for every shift of the mirrored image; rows likewise. With a black border, two more
    tables say which lines lie outside of the image.
    """

    def __init__(
        self, shape: tuple[int, int, int], largest: int, augmentation: Augmentation, device: torch.device
    ) -> None:
        """For batches of at most `largest` images (C, H, W)."""
        self._channels, height, width = shape
        self._flip = augmentation.flip
        # 32-bit indices are quicker; they count within one batch, not within the set.
        kind = torch.int32 if largest * height * width < 2**31 else torch.int64
        rows, row_inside = _lines(height, augmentation)
        columns, column_inside = _lines(width, augmentation)
        self._column_shifts = len(columns)
        if self._flip != "off":
            columns = torch.cat([columns, width - 1 - columns])
            column_inside = column_inside.repeat(2, 1)
        self._rows, self._columns = (rows * width).to(kind).to(device), columns.to(kind).to(device)
        self._inside: tuple[Tensor, Tensor] | None = None
        if augmentation.shift and augmentation.shift_border == "zero":
            self._inside = row_inside.to(device), column_inside.to(device)
        first = torch.arange(largest, dtype=kind) * (height * width)
        self._first = first.view(-1, 1, 1).to(device)
        self._device = device

    def draw(
        self, count: int, random: torch.Generator, mirrored: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """For each of `count` images a line of each table; `mirrored` says which images are, if known."""
        rows = torch.randint(len(self._rows), (count,), generator=random)
        if mirrored is None:
            columns = torch.randint(len(self._columns), (count,), generator=random)
        else:
            columns = torch.randint(self._column_shifts, (count,), generator=random)
            columns += self._column_shifts * mirrored
        return rows.to(self._device), columns.to(self._device)

    def apply(self, pixels: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """uint8 (n, H·W·C), each image moved as its lines say."""
        lines = self._rows.index_select(0, rows) + self._first[: len(pixels), :, 0]
        places = lines.unsqueeze(2) + self._columns.index_select(0, columns).unsqueeze(1)
        moved = pixels.reshape(-1, self._channels).index_select(0, places.flatten())
        if self._inside is not None:
            row_inside, column_inside = self._inside
            inside = row_inside.index_select(0, rows).unsqueeze(2) * column_inside.index_select(
                0, columns
            ).unsqueeze(1)
            moved.mul_(inside.view(-1, 1))
        return moved.view(pixels.shape)


def _lines(size: int, augmentation: Augmentation) -> tuple[Tensor, Tensor]:
    """(2 * shift + 1, size) both: the line that each line of the result shows, for every shift, and 0 for
    those that lie outside of the image, else 1."""
    # A mirror image has no more lines than the image, and an image must not leave its frame.
    shift = min(augmentation.shift, size - 1)
    lines = torch.arange(size) + torch.arange(-shift, shift + 1).unsqueeze(1)
    inside = ((lines >= 0) & (lines < size)).to(torch.uint8)
    return (size - 1) - ((size - 1) - lines.abs()).abs(), inside
