"""Where the time of a training step goes, by the PyTorch profiler: plain PyTorch, ours, and ours in bfloat16.

    python benchmarks/step_profile.py [--templates lesson-32 resnet-20] [--batch-size 128] [--steps 6]
                                      [--threads N] [--json FILE]

Milliseconds per step and operation, largest first. The profiler adds time to each operation, so many small
ones look more expensive than they are.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.rivals import as_floats, noise, plain_epoch, plain_model, shuffled, tensors
from cnnstudio.cli.output import table
from cnnstudio.design.network import Network
from cnnstudio.design.templates import templates
from cnnstudio.training.hardware.device_memory import retain_freed_memory
from cnnstudio.training.preflight.prepare import prepare
from cnnstudio.training.recipe.built_in import LESSON
from cnnstudio.training.train_step import TrainingStep

LOOPS = ("plain PyTorch", "CNN Studio", "CNN Studio, bfloat16")
MAX_ROWS = 14
_WARM_UP = 2

Epoch = Callable[[], None]


def plain(network: Network, image_count: int, batch_size: int) -> Epoch:
    pixels, labels = tensors(noise(image_count, 10).train)
    images, model = as_floats(pixels), plain_model(network)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    return lambda: discard(plain_epoch(model, optimizer, shuffled(images, labels, batch_size)))


def ours(network: Network, image_count: int, batch_size: int, precision: str) -> Epoch:
    recipe = LESSON.replace(batch_size=batch_size, precision=precision)
    prepared = prepare(network, noise(image_count, 10), recipe, "cpu")
    training_step, batches = TrainingStep(prepared.fresh_model().train(), recipe), prepared.batches()

    def epoch() -> None:
        for images, labels in batches.epoch(1):
            training_step.backward(images, labels)
            training_step.update()

    return epoch


def discard(value: object) -> None:
    """Ignores the value."""


def operations(epoch: Epoch, steps: int) -> dict[str, float]:
    """Milliseconds per step, by operation."""
    for _ in range(_WARM_UP):
        epoch()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        epoch()
    return {each.key: each.self_cpu_time_total / 1000 / steps for each in profiler.key_averages()}


def measure(name: str, batch_size: int, steps: int) -> dict[str, dict[str, float]]:
    """Milliseconds by loop and operation."""
    network, images = templates()[name].network, batch_size * steps
    found = {LOOPS[0]: operations(plain(network, images, batch_size), steps)}
    with retain_freed_memory():
        for loop, precision in zip(LOOPS[1:], ("float32", "bfloat16"), strict=True):
            found[loop] = operations(ours(network, images, batch_size, precision), steps)
    return found


def format_table(found: dict[str, dict[str, float]]) -> str:
    """A table of the largest operations."""
    most = {
        name: max(each.get(name, 0.0) for each in found.values()) for loop in found.values() for name in loop
    }
    names = sorted(most, key=lambda name: -most[name])[:MAX_ROWS]
    rows = [[name, *(f"{each.get(name, 0.0):.1f}" for each in found.values())] for name in names]
    rows.append(["all", *(f"{sum(each.values()):.1f}" for each in found.values())])
    return table(["ms per step", *found], rows, right=(1, 2, 3))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--templates", nargs="+", default=["lesson-32", "resnet-20"])
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    report = {}
    for name in options.templates:
        report[name] = measure(name, options.batch_size, options.steps)
        print(f"{name}, batch {options.batch_size}, {torch.get_num_threads()} threads\n")
        print(format_table(report[name]), "\n", flush=True)
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
