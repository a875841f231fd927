"""How much readings that views ask for slow down a training, and how long they take.

    python benchmarks/reading_cost.py [--rounds 3] [--seconds 8] [--json FILE]

The lesson's network trains on Shapes, alternately without a request and with one pending at all times: the
confusion matrix of the validation images, again and again, from weights that an earlier run kept. `rate` is
the ratio of the medians of images per second; the goal is at least 0.93. A slice of the reading should not
take more than 10 ms. `alone` is the time of the same reading without a training.
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
from cnnstudio.data.dataset import Dataset
from cnnstudio.data.sources import find_source
from cnnstudio.design.templates import templates
from cnnstudio.insight.catalog import instruments
from cnnstudio.insight.instrument import finish
from cnnstudio.runs.epochs.inspection import Inspector, ReadingRequest
from cnnstudio.runs.epochs.reading_service import ReadingService
from cnnstudio.runs.run import Run
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.control import Control
from cnnstudio.training.events import Event, Progress
from cnnstudio.training.recipe.built_in import LESSON

BATCH_SIZES = (32, 128)
GOAL = 0.93
WARM_UP = 6.0
"""Seconds; by then the readings have used up what they may take at once."""


class Pending(ReadingService):
    """A service that always has something to do; measures its slices."""

    is_pending = True

    def __init__(self, request: ReadingRequest, dataset: Dataset) -> None:
        self._own_inspector = Inspector(lambda run: dataset, "cpu")
        super().__init__(self._own_inspector, self._on_end)
        self._request = request
        self.slices: list[float] = []
        self.want([request])

    def _on_end(self, request: object, result: object) -> None:
        # So that the next one is computed from the start.
        self._own_inspector.forget()
        self.want([self._request])

    def advance(self) -> None:
        began = time.perf_counter()
        super().advance()
        self.slices.append(time.perf_counter() - began)


def train(folder: Path, dataset: Dataset, batch_size: int, seconds: float, service: Pending | None) -> float:
    """Images per second, after WARM_UP."""
    control = Control()
    marks: list[tuple[float, int]] = []

    def listen(event: Event) -> None:
        if isinstance(event, Progress):
            marks.append((time.perf_counter(), event.step))
            if marks[-1][0] - marks[0][0] > seconds + WARM_UP:
                control.request_stop()

    recipe = LESSON.replace(name="custom", batch_size=batch_size, epochs=1_000, validation_share=0.1)
    options = RunOptions(folder=folder, threads=1, keep_weights=False)
    network = templates()["lesson-32"].network
    start_run(network, dataset, recipe, options, control=control, emit=listen, background=service)
    first = next(mark for mark in marks if mark[0] - marks[0][0] > WARM_UP)
    return (marks[-1][1] - first[1]) * batch_size / (marks[-1][0] - first[0])


def measure(
    folder: Path, kept: Run, dataset: Dataset, batch_size: int, rounds: int, seconds: float
) -> dict[str, Any]:
    """One batch size: medians of the rates, and of all slices."""
    rates: dict[str, list[float]] = {"without": [], "with": []}
    slices: list[float] = []
    for number in range(rounds):
        rates["without"].append(
            train(folder / f"{batch_size}-{number}-a", dataset, batch_size, seconds, None)
        )
        service = Pending(ReadingRequest(kept.folder, 1, "confusion"), dataset)
        rates["with"].append(
            train(folder / f"{batch_size}-{number}-b", dataset, batch_size, seconds, service)
        )
        slices += service.slices
    slices.sort()
    return {
        "batch_size": batch_size,
        "images_per_second": statistics.median(rates["without"]),
        "rate": statistics.median(rates["with"]) / statistics.median(rates["without"]),
        "slice_median_ms": 1000 * statistics.median(slices),
        "slice_p99_ms": 1000 * slices[int(0.99 * (len(slices) - 1))],
        "slice_max_ms": 1000 * slices[-1],
    }


def alone(kept: Run, dataset: Dataset, instrument: str) -> float:
    """Seconds for a reading without a training, the loading of the model included."""
    began = time.perf_counter()
    finish(Inspector(lambda run: dataset, "cpu").take(ReadingRequest(kept.folder, 1, instrument)))
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    dataset = find_source("shapes").load()
    home().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home()) as name:
        folder = Path(name)
        recipe = LESSON.replace(name="custom", epochs=1, validation_share=0.1)
        start_run(
            templates()["lesson-32"].network, dataset, recipe, RunOptions(folder=folder / "kept", threads=1)
        )
        kept = Run.open(folder / "kept")
        rows = [measure(folder, kept, dataset, size, options.rounds, options.seconds) for size in BATCH_SIZES]
        times = {name: alone(kept, dataset, name) for name in instruments()}
    print(f"{'batch':>5}{'images/s':>10}{'rate':>7}{'slice':>10}{'p99':>10}{'most':>10}")
    for row in rows:
        slices = "".join(f"{row[f'slice_{key}_ms']:>7.1f} ms" for key in ("median", "p99", "max"))
        print(f"{row['batch_size']:>5}{row['images_per_second']:>10,.0f}{row['rate']:>7.2f}{slices}")
    print("\nalone: " + ", ".join(f"{name} {1000 * seconds:.0f} ms" for name, seconds in times.items()))
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "alone": times}, indent=2))
    return 0 if all(row["rate"] >= GOAL for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
