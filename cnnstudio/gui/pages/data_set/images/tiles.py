"""Small square copies of images for the grid, made in a thread, many at a time, and kept within bounds.

The copies of a batch lie below each other in one pixmap, so that the main thread does one conversion for all
of them. In the thread only numpy works on whole batches, which leaves Python to the main thread meanwhile.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QObject, QRect, QTimer, Signal
from PySide6.QtGui import QImage, QPixmap

from cnnstudio.core.progress import CancelFunction, ProgressFunction, raise_if_cancelled
from cnnstudio.data.dataset import Pixels, Rows, Split, as_channels_last
from cnnstudio.gui.compute.io_task import IoTask

BATCH = 192
"""Images at a time: few enough to come quickly."""
_MAX_ROWS = 32_767
"""Of a pixmap."""
_MAX_BYTES = 60_000_000
"""Kept in memory: about 9,000 images of 40 pixels a side."""
_BLOCK = 32
"""Images that are read at once: large ones would take much memory."""


class Tiles(QObject):
    """Call `want` with what is visible; `loaded` tells that some of it has come."""

    loaded = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._split: Split | None = None
        self._side = 40
        self._batches: OrderedDict[int, QPixmap] = OrderedDict()
        """Number of the batch -> its pixmap, the least recently used first."""
        self._places: dict[int, tuple[int, int]] = {}
        """Row -> batch, and place in it."""
        self._rows: dict[int, list[int]] = {}
        self._next = 0
        self._task: IoTask | None = None
        self._wanted: list[int] = []

    def show_split(self, split: Split | None, side: int) -> None:
        """Forgets everything and starts with other images; `side` is in pixels of the screen."""
        if split is self._split and side == self._side:
            return
        self.close()
        self._split, self._side = split, side
        self._batches.clear()
        self._places.clear()
        self._rows.clear()

    def tile(self, row: int) -> tuple[QPixmap, QRect] | None:
        """The pixmap with the copy of an image, and where it is in there; None if it was not made yet."""
        place = self._places.get(row)
        if place is None:
            return None
        batch, index = place
        return self._batches[batch], QRect(0, index * self._side, self._side, self._side)

    def want(self, rows: Sequence[int]) -> None:
        """Makes the copies of these images next, instead of those that were wanted before."""
        for batch in {self._places[row][0] for row in rows if row in self._places}:
            self._batches.move_to_end(batch)
        self._wanted = [row for row in rows if row not in self._places]
        if self._wanted and self._task is None:
            self._start()

    @property
    def _batch_size(self) -> int:
        return min(BATCH, _MAX_ROWS // self._side)

    @property
    def is_complete(self) -> bool:
        """Whether everything that is wanted is there."""
        return self._task is None and not self._wanted

    def _start(self) -> None:
        split, side = self._split, self._side
        size = self._batch_size
        rows, self._wanted = self._wanted[:size], self._wanted[size:]
        if split is None or not rows:
            return

        def make(progress: ProgressFunction, cancelled: CancelFunction) -> QImage:
            return _as_image(copies(split, np.array(rows, np.intp), side, cancelled))

        self._task = task = IoTask(make, self)
        task.done.connect(lambda image: self._on_done(rows, image))
        task.ended.connect(lambda: self._on_ended(task))
        task.start()

    def _on_done(self, rows: list[int], image: object) -> None:
        assert isinstance(image, QImage)
        number, self._next = self._next, self._next + 1
        self._batches[number] = QPixmap.fromImage(image)
        self._rows[number] = rows
        self._places.update({row: (number, index) for index, row in enumerate(rows)})
        while len(self._batches) > max(_MAX_BYTES // (4 * self._side**2 * self._batch_size), 8):
            old, _ = self._batches.popitem(last=False)
            for row in self._rows.pop(old):
                if self._places.get(row, (None,))[0] == old:
                    del self._places[row]
        self.loaded.emit()

    def _on_ended(self, task: IoTask) -> None:
        if self._task is task:
            self._task = None
            # From the event loop: what was painted meanwhile may want other images.
            QTimer.singleShot(0, self, self._go_on)

    def _go_on(self) -> None:
        if self._task is None and self._wanted:
            self._start()

    def close(self) -> None:
        """Ends what is made in the background."""
        if self._task is not None:
            self._task.cancel()
        self._task, self._wanted = None, []


def copies(split: Split, rows: Rows, side: int, cancelled: CancelFunction) -> Pixels:
    """The middle square of each image: uint8 (n, side, side, 3 or 1). Raises Cancelled."""
    channels, height, width = split.shape
    square = min(height, width)
    top, left = (height - square) // 2, (width - square) // 2
    images = as_channels_last(split.images)
    found = np.empty((len(rows), side, side, 3 if channels >= 3 else 1), np.uint8)
    # Whole blocks of pixels are averaged first, or else a large image would be a sample of its pixels.
    factor = max(square // side, 1)
    kept = square // factor
    for start in range(0, len(rows), _BLOCK):
        raise_if_cancelled(cancelled)
        block = images[rows[start : start + _BLOCK], top : top + square, left : left + square]
        block = block[..., :3] if channels >= 3 else block[..., :1]
        if factor > 1:
            parts = block[:, : kept * factor, : kept * factor]
            parts = parts.reshape(len(block), kept, factor, kept, factor, -1)
            block = parts.mean(axis=(2, 4), dtype=np.float32).astype(np.uint8)
        found[start : start + _BLOCK] = _interpolated(block, side)
    return found


def _interpolated(images: Pixels, side: int) -> Pixels:
    """uint8 (n, s, s, C) at (n, side, side, C), linear between the pixels."""
    size = images.shape[1]
    if size == side:
        return images
    positions = np.clip((np.arange(side) + 0.5) * size / side - 0.5, 0, size - 1)
    low = positions.astype(np.intp)
    high = np.minimum(low + 1, size - 1)
    share = np.rint((positions - low) * 256).astype(np.uint16)
    rows = share[:, None, None]
    lines = (images[:, low] * (256 - rows) + images[:, high] * rows) >> 8
    columns = share[:, None]
    both = (lines[:, :, low] * (256 - columns) + lines[:, :, high] * columns) >> 8
    result: Pixels = both.astype(np.uint8)
    return result


def _as_image(tiles: Pixels) -> QImage:
    """The copies below each other, as an image for a pixmap."""
    count, side = tiles.shape[:2]
    pixels = np.full((count * side, side, 4), 255, np.uint8)
    # Blue, green, red: the order in memory of what the screen takes without a conversion.
    pixels[..., :3] = tiles[..., ::-1].reshape(count * side, side, -1)
    view = QImage(pixels.data, side, count * side, 4 * side, QImage.Format.Format_RGB32)
    return view.copy()
