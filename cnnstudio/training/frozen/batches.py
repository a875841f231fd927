"""Batches of features in place of images, in the order in which the images would come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cnnstudio.data.batches import Batches, as_tensor
from cnnstudio.data.dataset import Split, Subset
from cnnstudio.data.storage.memmap import Prefetcher
from cnnstudio.training.frozen.store import BFLOAT16, Features


class FeatureBatches(Batches):
    """What the locked beginning of a network gives for the images of a split.

    With several copies of the features, each of images that were augmented in another way, epochs take turns.
    """

    def __init__(
        self,
        images: Split | Subset,
        copies: Sequence[Features],
        shape: tuple[int, ...],
        device: torch.device,
        **options: Any,
    ) -> None:
        """`copies` are (images, values); `shape` is that of one image's values.

        `options` are those of `Batches` for the order: batch_size, shuffle, seed, rows.
        """
        split, rows = (images.split, images.rows) if isinstance(images, Subset) else (images, None)
        if rows is not None:
            options["rows"] = np.arange(len(rows))
        channels = split.shape[0]
        # Nothing is read of the images themselves, so that they need not be copied to a device.
        super().__init__(
            split, device, torch.zeros(channels), torch.ones(channels), uploaded=False, **options
        )
        if rows is not None:
            self._labels = as_tensor(split.labels[rows])
        self._copies = [_as_tensor(features) for features in copies]
        self._prefetchers = [Prefetcher.for_array(features.values) for features in copies]
        self._shape = shape

    def epoch(self, number: int, first: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """(features, labels) of each batch, float32 (n, *shape) and int64 (n,)."""
        turn = max(number - 1, 0) % len(self._copies)
        self._pixels = self._copies[turn]
        self._prefetcher = self._prefetchers[turn]
        yield from super().epoch(number, first)

    def _normalize(self, pixels: Tensor) -> Tensor:
        # Only here: what is kept as bfloat16 is gathered, and copied to the device, in half the bytes.
        features = pixels.view(len(pixels), *self._shape).float()
        return features.contiguous(memory_format=torch.channels_last) if len(self._shape) == 3 else features


def _as_tensor(features: Features) -> Tensor:
    """float32 or bfloat16 (images, values), in the same memory."""
    values = as_tensor(features.values)
    return values.view(torch.bfloat16) if features.values.dtype == BFLOAT16 else values
