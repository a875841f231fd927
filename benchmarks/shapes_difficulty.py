"""How difficult Shapes is: the accuracy of a linear classifier, and the time of the lesson's network to 90%.

    python benchmarks/shapes_difficulty.py [--epochs 10] [--threads 2]

The data set should be hard for a linear model (below 60%) and easy for a convolutional network (above 90%
within a minute on two cores). Plain PyTorch on the program's batches; times include only the training.
"""

from __future__ import annotations

import argparse
import time

import torch
from torch import nn
from torch.nn import functional as F

from cnnstudio.data.batches import Batches, channel_statistics
from cnnstudio.data.dataset import Dataset
from cnnstudio.data.sources import find_source

BATCH_SIZE = 128


def linear() -> nn.Module:
    """Softmax regression on the pixels."""
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))


def lesson() -> nn.Module:
    """The lesson's network."""
    return nn.Sequential(
        nn.Conv2d(3, 32, 3),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * 6 * 6, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    ).to(memory_format=torch.channels_last)


def accuracy(model: nn.Module, batches: Batches) -> float:
    """The accuracy, from 0 to 1."""
    with torch.inference_mode():
        correct = [(model(images).argmax(1) == labels) for images, labels in batches.epoch(0)]
    return torch.cat(correct).float().mean().item()


def measure(name: str, model: nn.Module, dataset: Dataset, epochs: int, one_cycle: bool = False) -> None:
    """Trains and prints one line per epoch."""
    mean, std = (torch.from_numpy(values) for values in channel_statistics(dataset.train))
    train = Batches(dataset.train, "cpu", mean, std, batch_size=BATCH_SIZE, shuffle=True)
    test = Batches(dataset.test, "cpu", mean, std, batch_size=500, shuffle=False)
    optimizer: torch.optim.Optimizer = torch.optim.Adam(model.parameters(), 0.001)
    schedule: torch.optim.lr_scheduler.LRScheduler | None = None
    if one_cycle:
        optimizer = torch.optim.SGD(model.parameters(), 0.05, 0.9, nesterov=True, weight_decay=5e-4)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=epochs * len(train))
    seconds = 0.0
    for epoch in range(epochs):
        start = time.perf_counter()
        for images, labels in train.epoch(epoch):
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
            if schedule:
                schedule.step()
        seconds += time.perf_counter() - start
        print(
            f"{name:22} epoch {epoch + 1:2}  {seconds:5.1f} s  test {accuracy(model, test):.1%}", flush=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    dataset = find_source("shapes").load()
    for name, build, one_cycle in (
        ("linear, Adam", linear, False),
        ("lesson, Adam", lesson, False),
        ("lesson, SGD one-cycle", lesson, True),
    ):
        torch.manual_seed(0)
        measure(name, build(), dataset, options.epochs, one_cycle)


if __name__ == "__main__":
    main()
