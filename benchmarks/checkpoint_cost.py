"""What it costs a training to be saved: at most 1% of the time is the goal.

    python benchmarks/checkpoint_cost.py [--rounds 7] [--json FILE]

For some templates, with Adam's memory and an average of the weights beside them: the median time of a save on
this disk, as the trainer makes it between two steps, and of a step of 128 images. An epoch has 50,000
images. Saves come every 30 s and at the ends of epochs, but no sooner than a hundred times what one takes
after the one before, which the last column counts in.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

from cnnstudio.core.paths import home
from cnnstudio.design.templates import templates
from cnnstudio.training.checkpoints.manager import Keeper, Position
from cnnstudio.training.checkpoints.save_schedule import DEFAULT
from cnnstudio.training.model import build_model
from cnnstudio.training.recipe.recipe import STUDIO
from cnnstudio.training.train_step import Learner

TEMPLATES = ("lesson-32", "resnet-9", "vgg-11-small", "airbench94")
RECIPE = STUDIO.replace(optimizer="adam", learning_rate=0.001, average_decay=0.99)
EPOCH, BATCH, STEPS = 50_000, 128, 4
GOAL = 0.01


def measure(name: str, rounds: int) -> dict[str, Any]:
    """One template's times in seconds, and its share of the time."""
    network = templates()[name].network
    model = build_model(network).to(memory_format=torch.channels_last)
    learner = Learner(model, RECIPE)
    learner.begin_average(1000)
    images = torch.randn(BATCH, *network.input.dims).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(BATCH) % 10
    steps = [timed(lambda: one_step(learner, images, labels)) for _ in range(STEPS)][1:]
    # On the disk where runs stand: many a system keeps its own temporary folder in memory.
    home().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home()) as folder:
        keeper = Keeper(learner, Path(folder), print)
        saves = [
            timed(lambda batch=batch: keeper.save(position(batch)))  # type: ignore[misc]  # a default binds it
            for batch in range(1, rounds + 1)
        ]
        last = [path for path in Path(folder).rglob("*.safetensors") if f"{rounds:09d}" in path.name]
        size = sum(path.stat().st_size for path in last)
    save, step = statistics.median(saves), statistics.median(steps)
    every = max(DEFAULT.seconds or 0, 100 * save)
    return {
        "template": name,
        "megabytes": size / 1e6,
        "save": save,
        "step": step,
        "share_at_interval": save / every,
        "epoch_share": save / (step * EPOCH / BATCH),
        "share_at_epoch_ends": save / max(step * EPOCH / BATCH, 100 * save),
    }


def one_step(learner: Learner, images: torch.Tensor, labels: torch.Tensor) -> None:
    learner.backward(images, labels)
    learner.update()


def position(batch: int) -> Position:
    return Position(0, batch, EPOCH // BATCH, 1.0, RECIPE, RECIPE)


def timed(act: Any) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = [measure(name, options.rounds) for name in TEMPLATES]
    heads = f"{'interval':>11}{'each epoch':>12}{'as it is':>11}"
    print(f"{'template':14}{'MB':>7}{'save':>10}{'step':>10}{heads}")
    for row in rows:
        shares = "".join(
            f"{row[key]:>{width}.2%}"
            for key, width in (("share_at_interval", 11), ("epoch_share", 12), ("share_at_epoch_ends", 11))
        )
        times = f"{1000 * row['save']:>7.0f} ms{1000 * row['step']:>7.0f} ms"
        print(f"{row['template']:14}{row['megabytes']:>7.1f}{times}{shares}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))
    worst = max(max(row["share_at_interval"], row["share_at_epoch_ends"]) for row in rows)
    print(f"worst {worst:.2%}, goal {GOAL:.0%}")
    return int(worst > GOAL)


if __name__ == "__main__":
    sys.exit(main())
