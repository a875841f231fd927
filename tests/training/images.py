"""Images that a small network learns to classify in a moment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

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


def image_folder(folder: Path, count: int = 24, side: int = 8) -> Path:
    """Writes bright and dark images in two classes, `count` for training and a third of that for testing."""
    random = np.random.default_rng(0)
    for part, number in (("train", count), ("test", count // 3)):
        for name, low in (("bright", 150), ("dark", 0)):
            class_folder = folder / part / name
            class_folder.mkdir(parents=True)
            for index in range(number // 2):
                pixels = random.integers(low, low + 100, (side, side, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(class_folder / f"{index}.png")
    return folder


def _split(count: int, classes: int, size: int, noise: int, seed: int) -> Split:
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    images = random.integers(0, 100 + noise, (count, size, size, 3))
    images[np.arange(count), :, :, labels % 3] += 60 + 30 * (labels // 3)[:, None, None]
    return Split(from_channels_last(images.clip(0, 255).astype(np.uint8)), labels.astype(np.int64))
