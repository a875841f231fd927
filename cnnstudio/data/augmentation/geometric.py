"""Flips and shifts of whole batches, as a single gather of pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from cnnstudio.data.augmentation.augmentation import Augmentation


class FlipAndShift:
    """Random flips and shifts, looked up in tables.

    One table has a row for every horizontal shift, and for every shift of the mirrored image; it lists the
    source column of each column of the result. Another does the same for the rows. The index of each pixel is
    then the sum of two table entries, so that a batch is augmented by one `index_select`, whatever each
    image's flip and shift. For a black border, two more tables mark rows and columns outside the image.
    """

    def __init__(
        self, shape: tuple[int, int, int], largest: int, augmentation: Augmentation, device: torch.device
    ) -> None:
        """For batches of at most `largest` images of `shape` (C, H, W)."""
        self._channels, height, width = shape
        self._flip = augmentation.flip
        # 32-bit indices are faster. They suffice because they count pixels of one batch, not of the whole
        # set.
        kind = torch.int32 if largest * height * width < 2**31 else torch.int64
        rows, row_inside = _source_lines(height, augmentation)
        columns, column_inside = _source_lines(width, augmentation)
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
        """Random table rows, int64 (count,) both: for the rows and for the columns of each image.

        `mirrored`, 0 or 1 (count,), fixes which images are mirrored; by default that is random too.
        """
        rows = torch.randint(len(self._rows), (count,), generator=random)
        if mirrored is None:
            columns = torch.randint(len(self._columns), (count,), generator=random)
        else:
            columns = torch.randint(self._column_shifts, (count,), generator=random)
            columns += self._column_shifts * mirrored
        return rows.to(self._device), columns.to(self._device)

    def apply(self, pixels: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """Moves the pixels, uint8 (n, H·W·C), by the table rows that were drawn, int64 (n,) both."""
        row_offsets = self._rows.index_select(0, rows) + self._first[: len(pixels), :, 0]
        sources = row_offsets.unsqueeze(2) + self._columns.index_select(0, columns).unsqueeze(1)
        moved = pixels.reshape(-1, self._channels).index_select(0, sources.flatten())
        if self._inside is not None:
            row_inside, column_inside = self._inside
            inside = row_inside.index_select(0, rows).unsqueeze(2) * column_inside.index_select(
                0, columns
            ).unsqueeze(1)
            moved.mul_(inside.view(-1, 1))
        return moved.view(pixels.shape)


def _source_lines(size: int, augmentation: Augmentation) -> tuple[Tensor, Tensor]:
    """The source of each row (or column) of the result, for every shift, and whether it is in the image.

    int64 and uint8 (1 inside, 0 outside), (2 * shift + 1, size) both. Sources outside are reflected into it.
    """
    # A reflection has no more lines than the image, and some part of the image must remain visible.
    shift = min(augmentation.shift, size - 1)
    lines = torch.arange(size) + torch.arange(-shift, shift + 1).unsqueeze(1)
    inside = ((lines >= 0) & (lines < size)).to(torch.uint8)
    return (size - 1) - ((size - 1) - lines.abs()).abs(), inside
