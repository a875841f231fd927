"""Images that a small network learns to classify in a moment."""

from __future__ import annotations

import numpy as np

from cnnstudio.data.dataset import Dataset, Split, from_channels_last


def colors(train: int = 96, test: int = 48, *, classes: int = 3, size: int = 8, noise: int = 60) -> Dataset:
    """Noise, brighter in the color of the class; the classes take turns."""
    return Dataset(
        "colors",
        "Colors",
        tuple(f"color {index}" for index in range(classes)),
        _split(train, classes, size, noise, seed=1),
        _split(test, classes, size, noise, seed=2),
    )


def _split(count: int, classes: int, size: int, noise: int, seed: int) -> Split:
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    images = random.integers(0, 100 + noise, (count, size, size, 3))
    images[np.arange(count), :, :, labels % 3] += 60 + 30 * (labels // 3)[:, None, None]
    return Split(from_channels_last(images.clip(0, 255).astype(np.uint8)), labels.astype(np.int64))
