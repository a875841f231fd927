"""The cost of events, diagnosis, snapshots and kept weights during training. The goal is at most 1%.

    python benchmarks/event_cost.py [--rounds 5] [--epochs 2] [--images 4000] [--json FILE]

A cheap network and an ordinary one train on Shapes, alternately without events and as every run does: with
progress, the event log, diagnosis, and after epochs the count of dead units, the saved feature maps, what the
other instruments show, and a copy of the weights. Neither writes checkpoints, which `checkpoint_cost.py`
measures. Everything uses one thread. The ratios are those of the medians, of wall-clock and of processor
time. `share` is the share of the time spent in the calls themselves, which is not affected by the noise
between two runs. The files are those of one epoch.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch

from cnnstudio.core.paths import home
from cnnstudio.data.sources import find_source
from cnnstudio.design.templates import templates
from cnnstudio.runs.recorder import RunRecorder
from cnnstudio.training.preflight.prepare import PreparedTraining, prepare
from cnnstudio.training.recipe.built_in import LESSON
from cnnstudio.training.trainer import train_prepared

CASES = (("lenet-5", 32), ("lesson-32", 32), ("lesson-32", 128))
"""Template and batch size, cheapest step first."""
GOAL = 0.01

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@dataclass
class Cost:
    """The seconds spent in certain calls, which may call each other."""

    seconds: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)
    _inside: bool = False

    def measured(self, name: str, function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        def call(*arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
            if self._inside:
                return function(*arguments, **named)
            self._inside, start = True, time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                self._inside, elapsed = False, time.perf_counter() - start
                self.seconds += elapsed
                self.parts[name] = self.parts.get(name, 0.0) + elapsed

        return call


def silent(prepared: PreparedTraining) -> dict[str, float]:
    start, used = time.perf_counter(), time.process_time()
    train_prepared(prepared, threads=1, emit=lambda event: None)
    return {"wall": time.perf_counter() - start, "processor": time.process_time() - used}


def recorded(prepared: PreparedTraining) -> dict[str, float]:
    cost = Cost()
    # On the disk where runs stand: many a system keeps its own temporary folder in memory.
    home().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home()) as folder:
        metadata = {"name": prepared.network.name, "created": "now"}
        with RunRecorder(Path(folder) / "run", prepared, metadata, lambda event: None) as recorder:
            start, used = time.perf_counter(), time.process_time()
            train_prepared(
                prepared,
                threads=1,
                emit=cost.measured("events", recorder.emit),
                after_epoch=cost.measured("epochs", recorder.after_epoch),
                after_validation=recorder.after_validation,
            )
            wall, processor = time.perf_counter() - start, time.process_time() - used
        snapshots, weights = (
            [path.stat().st_size for path in (Path(folder) / "run" / part).iterdir()]
            for part in ("snapshots", "weights")
        )
    shares = {name: seconds / wall for name, seconds in cost.parts.items()}
    return {
        "wall": wall,
        "processor": processor,
        "share": cost.seconds / wall,
        "snapshot_kb": max(snapshots) / 1000,
        "weights_kb": max(weights) / 1000,
        **shares,
    }


def measure(template: str, batch_size: int, rounds: int, epochs: int, images: int) -> dict[str, Any]:
    """One case's medians."""
    recipe = LESSON.replace(name="custom", batch_size=batch_size, epochs=epochs)
    whole = find_source("shapes").load()
    some = dataclasses.replace(whole, train=whole.train.select(np.arange(images)))
    prepared = prepare(templates()[template].network, some, recipe, "cpu")
    sides: dict[str, list[dict[str, float]]] = {"silent": [], "recorded": []}
    for _ in range(rounds):
        sides["silent"].append(silent(prepared))
        sides["recorded"].append(recorded(prepared))

    def median(side: str, key: str) -> float:
        return statistics.median(each[key] for each in sides[side])

    steps = epochs * len(prepared.batches())
    return {
        "template": template,
        "batch_size": batch_size,
        "step": median("silent", "wall") / steps,
        "epoch": median("silent", "wall") / epochs,
        "ratio": median("recorded", "processor") / median("silent", "processor"),
        "ratio_wall": median("recorded", "wall") / median("silent", "wall"),
        **{
            key: median("recorded", key) for key in ("share", "events", "epochs", "snapshot_kb", "weights_kb")
        },
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measure(*case, options.rounds, options.epochs, options.images) for case in CASES]
    headings = f"{'template':12}{'batch':>6}{'step':>10}{'epoch':>9}{'ratio':>8}{'wall':>8}"
    print(f"{headings}{'share':>9}{'events':>9}{'epochs':>9}{'snapshot':>11}{'weights':>11}")
    for row in rows:
        times = f"{1000 * row['step']:>7.2f} ms{row['epoch']:>7.2f} s"
        times += f"{row['ratio']:>8.3f}{row['ratio_wall']:>8.3f}"
        shares = f"{row['share']:>9.2%}{row['events']:>9.2%}{row['epochs']:>9.2%}"
        files = f"{row['snapshot_kb']:>8.0f} kB{row['weights_kb']:>8.0f} kB"
        print(f"{row['template']:12}{row['batch_size']:>6}{times}{shares}{files}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))
    worst = max(row["share"] for row in rows)
    print(f"worst share {worst:.2%}, goal {GOAL:.0%}")
    return int(worst > GOAL)


if __name__ == "__main__":
    sys.exit(main())
