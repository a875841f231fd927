"""The cost of saving checkpoints during training. The goal is at most 1% of the time.

    python benchmarks/checkpoint_cost.py [--rounds 7] [--json FILE]

For several templates, with Adam's state and a moving average of the weights: the median time of a save on
this disk, as the trainer makes it between two steps, and of a step of 128 images. An epoch has 50,000
images. The columns are the share of the time that saving takes: every 30 s ("interval"); at each epoch's
end; and at each epoch's end as the trainer does it, which waits at least a hundred times the duration of
the last save.
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
from cnnstudio.training.checkpoints.manager import CheckpointManager
from cnnstudio.training.checkpoints.position import Position
from cnnstudio.training.checkpoints.save_schedule import DEFAULT_INTERVAL
from cnnstudio.training.model import build_model
from cnnstudio.training.recipe.built_in import STUDIO
from cnnstudio.training.train_step import TrainingStep

TEMPLATES = ("lesson-32", "resnet-9", "vgg-11-small", "airbench94")
RECIPE = STUDIO.replace(optimizer="adam", learning_rate=0.001, average_decay=0.99)
EPOCH, BATCH, STEPS = 50_000, 128, 4
GOAL = 0.01


def measure(name: str, rounds: int) -> dict[str, Any]:
    """The times of one template in seconds, and the shares of the time."""
    network = templates()[name].network
    model = build_model(network).to(memory_format=torch.channels_last)
    training_step = TrainingStep(model, RECIPE)
    training_step.start_ema(1000)
    images = torch.randn(BATCH, *network.input.dims).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(BATCH) % 10
    steps = [timed(lambda: one_step(training_step, images, labels)) for _ in range(STEPS)][1:]
    # On the disk of the runs: on many systems the default temporary folder is in memory.
    home().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home()) as folder:
        manager = CheckpointManager(training_step, Path(folder), print)
        saves = [
            timed(lambda batch=batch: manager.save(position(batch)))  # type: ignore[misc]  # a default binds it
            for batch in range(1, rounds + 1)
        ]
        last = [path for path in Path(folder).rglob("*.safetensors") if f"{rounds:09d}" in path.name]
        size = sum(path.stat().st_size for path in last)
    save, step = statistics.median(saves), statistics.median(steps)
    every = max(DEFAULT_INTERVAL.seconds or 0, 100 * save)
    return {
        "template": name,
        "megabytes": size / 1e6,
        "save": save,
        "step": step,
        "share_at_interval": save / every,
        "epoch_share": save / (step * EPOCH / BATCH),
        "share_at_epoch_ends": save / max(step * EPOCH / BATCH, 100 * save),
    }


def one_step(training_step: TrainingStep, images: torch.Tensor, labels: torch.Tensor) -> None:
    training_step.backward(images, labels)
    training_step.update()


def position(batch: int) -> Position:
    return Position(0, batch, EPOCH // BATCH, 1.0, RECIPE, RECIPE)


def timed(function: Any) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = [measure(name, options.rounds) for name in TEMPLATES]
    headings = f"{'interval':>11}{'each epoch':>12}{'as done':>11}"
    print(f"{'template':14}{'MB':>7}{'save':>10}{'step':>10}{headings}")
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
