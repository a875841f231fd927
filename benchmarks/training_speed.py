"""Images per second of training the lesson's network, against the loops that a user would write.

All are measured in turn in one process, round by round, so that a busy machine slows all of them; ratios are
those of the medians. Each measurement is the second epoch of its loop, without evaluation.

    python benchmarks/training_speed.py [--batch-sizes 32 128] [--images 6400] [--rounds 3] [--threads N]
                                        [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.rivals import as_floats, lesson, loader, noise, plain_epoch, plain_lesson, shuffled, tensors
from cnnstudio.data.dataset import Dataset
from cnnstudio.training.events import EpochEnded, Event
from cnnstudio.training.recipe import LESSON
from cnnstudio.training.trainer import train

PLAIN, LOADER, STUDIO = "plain torch, pictures in memory", "Dataset + DataLoader, 2 workers", "CNN Studio"
GOALS = {PLAIN: 1.5, LOADER: 3.0}


def studio(data: Dataset, batch_size: int) -> float:
    rates: list[float] = []

    def note(event: Event) -> None:
        if isinstance(event, EpochEnded):
            rates.append(event.images_per_second)

    train(lesson(), data, LESSON.replace(epochs=2, batch_size=batch_size), device="cpu", emit=note)
    return rates[-1]


def plain(data: Dataset, batch_size: int) -> float:
    pixels, labels = tensors(data.train)
    images = as_floats(pixels)
    model = plain_lesson()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    return [plain_epoch(model, optimizer, shuffled(images, labels, batch_size)) for _ in range(2)][-1]


def data_loader(data: Dataset, batch_size: int) -> float:
    batches = loader(data.train, batch_size)
    model = plain_lesson()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    return [plain_epoch(model, optimizer, batches) for _ in range(2)][-1]


LOOPS: dict[str, Callable[[Dataset, int], float]] = {PLAIN: plain, LOADER: data_loader, STUDIO: studio}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--images", type=int, default=6400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    data, fewer = noise(options.images, 10), noise(options.images // 2, 10)
    report = {}
    for batch_size in options.batch_sizes:
        rates: dict[str, list[float]] = {name: [] for name in LOOPS}
        for _ in range(options.rounds):
            for name, loop in LOOPS.items():
                rates[name].append(loop(fewer if name == LOADER else data, batch_size))
        medians = {name: statistics.median(values) for name, values in rates.items()}
        ratios = {name: medians[STUDIO] / medians[name] for name in GOALS}
        report[batch_size] = {"images_per_second": medians, "ratios": ratios, "rounds": rates}
        print(f"batch {batch_size}, {torch.get_num_threads()} threads, median of {options.rounds}:")
        for name, rate in medians.items():
            goal = f"  CNN Studio × {ratios[name]:.2f} (goal {GOALS[name]:.1f})" if name in GOALS else ""
            print(f"  {name:34} {rate:7,.0f} images/s{goal}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
