"""Seconds until templates first reach an accuracy on the test set, compared with the lesson's script.

    python benchmarks/time_to_accuracy.py [--data cifar10 or FOLDER] [--goals lesson-32:studio:script]
                                          [--seeds 0] [--epochs 10] [--threads N] [--json FILE]

A goal is TEMPLATE:RECIPE:ACCURACY, or TEMPLATE:RECIPE:ACCURACY:EPOCHS to change the recipe's epochs. The
accuracy `script` is the best accuracy of the script with the same seed.

The script is the lesson's in plain PyTorch: Adam, batches of 32, `--epochs` epochs, all images in memory.
For each seed the script runs first, then each goal, all to their end and on all training images. Each of
them is evaluated on the test set after every epoch, which counts as time; loading the images does not.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch

from benchmarks.rivals import as_floats, plain_accuracy, plain_epoch, plain_lesson, shuffled, tensors
from cnnstudio.data.dataset import Dataset
from cnnstudio.data.sources import find_source
from cnnstudio.design.templates import template
from cnnstudio.training.events import EpochEnded, Event
from cnnstudio.training.recipe.files import read_recipe
from cnnstudio.training.trainer import train

SCRIPT = "script"


class Point(NamedTuple):
    """The end of an epoch: seconds since the start, and the test accuracy from 0 to 1."""

    seconds: float
    accuracy: float


Curve = Sequence[Point]


@dataclass(frozen=True)
class Goal:
    """What is trained, and the accuracy to reach; None is the script's best."""

    template: str
    recipe: str
    accuracy: float | None
    epochs: int | None = None

    def __str__(self) -> str:
        epochs = f", epochs {self.epochs}" if self.epochs else ""
        return f"{self.template}, {self.recipe}{epochs}"

    @classmethod
    def read(cls, text: str) -> Goal:
        """TEMPLATE:RECIPE:ACCURACY or TEMPLATE:RECIPE:ACCURACY:EPOCHS. Raises ValueError."""
        name, recipe, share, *epochs = text.split(":")
        return cls(name, recipe, None if share == SCRIPT else float(share), *map(int, epochs))


GOALS = [
    Goal("lesson-32", "studio", None),
    Goal("lesson-32", "studio", None, epochs=3),
    Goal("airbench-small", "fast-cpu", 0.85),
]
"""The first two should take a quarter of the script's time to its best, the last at most its whole time."""


def script_curve(data: Dataset, epochs: int, seed: int) -> Curve:
    """Trains with the lesson's script."""
    torch.manual_seed(seed)
    (pixels, labels), (test_pixels, test_labels) = tensors(data.train), tensors(data.test)
    images, test_images = as_floats(pixels), as_floats(test_pixels)
    model = plain_lesson()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    curve, start = [], time.perf_counter()
    for _ in range(epochs):
        plain_epoch(model, optimizer, shuffled(images, labels, 32))
        right = plain_accuracy(model, test_images, test_labels)
        curve.append(Point(time.perf_counter() - start, right))
    return curve


def own_curve(data: Dataset, aim: Goal, seed: int) -> Curve:
    """Trains a template with a recipe, on all training images."""
    curve: list[Point] = []

    def record(event: Event) -> None:
        if isinstance(event, EpochEnded):
            curve.append(Point(event.seconds, event.validation.accuracy))

    recipe = read_recipe(aim.recipe).replace(seed=seed, validation_share=0.0)
    recipe = recipe.replace(epochs=aim.epochs) if aim.epochs else recipe
    train(template(aim.template).network, data, recipe, emit=record)
    return curve


def best(curve: Curve) -> Point:
    """The first point with the highest accuracy."""
    return max(curve, key=lambda point: point.accuracy)


def first_at(curve: Curve, target: float) -> Point | None:
    """The first point with at least that accuracy; None if it is never reached."""
    return next((point for point in curve if point.accuracy >= target), None)


def compared(data: Dataset, goals: Sequence[Goal], epochs: int, seed: int) -> list[dict[str, Any]]:
    """One row per goal for one seed, with its curve and the script's."""
    script = script_curve(data, epochs, seed)
    top = best(script)
    print_line("the lesson's script", seed, top.accuracy, script)
    rows = []
    for aim in goals:
        target = top.accuracy if aim.accuracy is None else aim.accuracy
        curve = own_curve(data, aim, seed)
        print_line(str(aim), seed, target, curve)
        reached = first_at(curve, target)
        rows.append(
            {
                "template": aim.template,
                "recipe": aim.recipe,
                "epochs": len(curve),
                "seed": seed,
                "target": target,
                "seconds": reached.seconds if reached else None,
                "curve": curve,
                "script_seconds_to_best": top.seconds,
                "script_curve": script,
            }
        )
    return rows


def print_line(name: str, seed: int, target: float, curve: Curve) -> None:
    """Prints one line of the table."""
    reached, last = first_at(curve, target), curve[-1]
    when = f"{reached.seconds:8.1f} s" if reached else "     never"
    ends = f"best {best(curve).accuracy:.2%}, last {last.accuracy:.2%} at {last.seconds:.1f} s"
    print(f"  seed {seed}  {name:36} {target:6.2%}{when}  ({ends})", flush=True)


def summary(aim: Goal, rows: Sequence[dict[str, Any]]) -> str:
    """A goal over all seeds, and its time as a share of the script's."""
    times = [row["seconds"] for row in rows]
    if None in times:
        return f"{aim}: not reached with {times.count(None)} of {len(times)} seeds"
    to_best = median(row["seconds"] / row["script_seconds_to_best"] for row in rows)
    whole = median(row["seconds"] / row["script_curve"][-1].seconds for row in rows)
    return (
        f"{aim}: median {median(times):.1f} s, slowest {max(times):.1f} s; "
        f"{to_best:.0%} of the script's time to its best, {whole:.0%} of its whole time"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="shapes")
    parser.add_argument("--goals", type=Goal.read, nargs="+", default=GOALS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, default=10, help="epochs of the script")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    data = find_source(options.data).load()
    print(f"{data.title}, {torch.get_num_threads()} threads:")
    seeds = [compared(data, options.goals, options.epochs, seed) for seed in options.seeds]
    for aim, rows in zip(options.goals, zip(*seeds, strict=True), strict=True):
        print(summary(aim, rows))
    if options.json:
        options.json.write_text(json.dumps(seeds, indent=2) + "\n")


if __name__ == "__main__":
    main()
