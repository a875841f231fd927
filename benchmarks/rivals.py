"""The training loops that a user would write without this program, for the lesson's network.

They follow the PyTorch tutorial: a Sequential in the order of the lesson, Adam with its defaults,
cross-entropy.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from cnnstudio.core.resources import resource
from cnnstudio.data.dataset import Dataset, Split, from_channels_last
from cnnstudio.data.torchvision_import import import_torchvision
from cnnstudio.design.file import read_design
from cnnstudio.design.network import Network
from cnnstudio.interchange.pytorch.writer import write_module

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
MEAN, STD = 0.5, 0.25


def lesson() -> Network:
    """The lesson's network as a design."""
    return read_design(resource("templates/lesson-32.cnn.json"))


def plain_lesson() -> nn.Module:
    """The lesson's network in plain PyTorch."""
    return nn.Sequential(
        *(nn.Conv2d(3, 32, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(64 * 6 * 6, 128), nn.ReLU(), nn.Linear(128, 10)),
    )


def plain_model(network: Network) -> nn.Module:
    """The PyTorch code that the program generates for a design, as a module."""
    names: dict[str, Any] = {"__name__": "listing"}
    exec(write_module(network, "Plain"), names)
    model: nn.Module = names["Plain"]()
    return model


def noise(train: int, test: int) -> Dataset:
    """Noise images of CIFAR-10's size: the contents do not matter for time and memory."""
    return Dataset("noise", "Noise", CLASSES, _split(train, 0), _split(test, 1))


def _split(count: int, seed: int) -> Split:
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, 32, 32, 3), np.uint8)
    return Split(from_channels_last(images), np.arange(count) % len(CLASSES))


def plain_epoch(
    model: nn.Module, optimizer: torch.optim.Optimizer, batches: Iterable[tuple[Tensor, Tensor]]
) -> float:
    """Trains on the batches once; returns images per second."""
    model.train()
    count, start = 0, time.perf_counter()
    for images, labels in batches:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        loss.item()
        count += len(labels)
    return count / (time.perf_counter() - start)


@torch.no_grad()
def plain_accuracy(model: nn.Module, all_images: Tensor, labels: Tensor) -> float:
    """The accuracy of the model, from 0 to 1."""
    model.eval()
    right = sum(
        int((model(images).argmax(1) == targets).sum())
        for images, targets in zip(all_images.split(1000), labels.split(1000), strict=True)
    )
    return right / len(labels)


def as_floats(pixels: Tensor) -> Tensor:
    """uint8 (N, C, H, W) as normalized float32."""
    return pixels.float().div_(255).sub_(MEAN).div_(STD)


def shuffled(images: Tensor, labels: Tensor, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches in random order from memory; uint8 images are normalized here."""
    for rows in torch.randperm(len(labels)).split(batch_size):
        batch = images[rows]
        yield (as_floats(batch) if batch.dtype == torch.uint8 else batch), labels[rows]


def tensors(split: Split) -> tuple[Tensor, Tensor]:
    """The images as a contiguous uint8 tensor (N, C, H, W), and their labels."""
    return torch.tensor(np.ascontiguousarray(split.images)), torch.tensor(split.labels)


class ImageByImage(TorchDataset[tuple[Tensor, int]]):
    """The images as torchvision's CIFAR10 returns them: one by one, from an array through PIL to a tensor."""

    def __init__(self, split: Split) -> None:
        transforms = import_torchvision().transforms
        self._images = np.ascontiguousarray(split.images.transpose(0, 2, 3, 1))
        self._labels = split.labels
        self._transform = transforms.Compose(
            [transforms.ToPILImage(), transforms.ToTensor(), transforms.Normalize((MEAN,) * 3, (STD,) * 3)]
        )

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._transform(self._images[index]), int(self._labels[index])


def loader(split: Split, batch_size: int, workers: int = 2) -> DataLoader[tuple[Tensor, int]]:
    """Shuffled batches from a DataLoader with persistent workers."""
    return DataLoader(
        ImageByImage(split),
        batch_size,
        shuffle=True,
        num_workers=workers,
        persistent_workers=True,
        # As in a user's script, although this process itself may have been spawned.
        multiprocessing_context="fork" if sys.platform == "linux" else None,
    )
