"""The speed of two ranks under torchrun, compared with one process with two threads and with one thread.

    python benchmarks/ranks.py [--templates lesson-32 resnet-20] [--batch-size 128] [--rounds 3] [--json FILE]

Images per second in an epoch of noise, after a warm-up epoch, in fresh processes that take turns. The ranks
use gloo and one thread each; the batch size is that of both together. Efficiency is their speed relative to
one process with two threads. On two machines, where each rank would have a machine of its own, it would be
half of their speed relative to one process with one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SIDES = {"two ranks": (2, 1), "two threads": (1, 2), "one thread": (1, 1)}
"""Name -> (processes, threads per process)."""


def work(template: str, batch_size: int, steps: int, threads: int) -> None:
    """Runs one process of one side; prints images per second of the second epoch."""
    import torch

    from benchmarks.rivals import noise
    from cnnstudio.design.templates import templates
    from cnnstudio.training.distributed.process_group import process_group
    from cnnstudio.training.events import EpochEnded, Event
    from cnnstudio.training.preflight.prepare import prepare
    from cnnstudio.training.recipe.built_in import STUDIO
    from cnnstudio.training.trainer import train_prepared

    rates: list[float] = []

    def record(event: Event) -> None:
        if isinstance(event, EpochEnded):
            rates.append(event.images_per_second)

    torch.set_num_threads(threads)
    recipe = STUDIO.replace(epochs=2, batch_size=batch_size, validation_share=0.0)
    with process_group("cpu") as ranks:
        data = noise(steps * batch_size, 100)
        prepared = prepare(templates()[template].network, data, recipe, "cpu")
        train_prepared(prepared, threads=threads, emit=record, ranks=ranks)
    if ranks.is_first:
        print(json.dumps(rates[-1]))


def rate(side: str, template: str, batch_size: int, steps: int) -> float:
    """Images per second of one side."""
    processes, threads = SIDES[side]
    program = [str(Path(__file__)), "--work", template, str(batch_size), str(steps), str(threads)]
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    ended = subprocess.run(
        [sys.executable, *(torchrun if processes > 1 else []), *program],
        env={**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    if ended.returncode:
        raise SystemExit(ended.stderr)
    return float(json.loads(ended.stdout.splitlines()[-1]))


def measure(template: str, batch_size: int, steps: int, rounds: int) -> dict[str, Any]:
    """The medians of one template, and the medians of the ratios within rounds."""
    found = [{side: rate(side, template, batch_size, steps) for side in SIDES} for _ in range(rounds)]
    return {
        "template": template,
        "batch_size": batch_size,
        **{side: statistics.median(each[side] for each in found) for side in SIDES},
        "against_threads": statistics.median(each["two ranks"] / each["two threads"] for each in found),
        "against_one": statistics.median(each["two ranks"] / each["one thread"] for each in found),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--templates", nargs="+", default=["lesson-32", "resnet-20"])
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=20, help="steps per epoch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        template, *numbers = options.work
        work(template, *map(int, numbers))
        return 0
    print("".join(head.rjust(13) for head in ("template", *SIDES, "efficiency", "× one thread")))
    rows = []
    for template in options.templates:
        row = measure(template, options.batch_size, options.steps, options.rounds)
        rows.append(row)
        rates = "".join(f"{row[side]:13,.0f}" for side in SIDES)
        print(f"{template:>13}{rates}{row['against_threads']:13.2f}{row['against_one']:13.2f}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
