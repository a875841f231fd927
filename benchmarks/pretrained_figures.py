"""What a pretrained network makes of few images and of many, and how long that takes, beside the goals.

    python benchmarks/pretrained_figures.py FOLDER [--only head blocks time offer folder all] [--subsets 3]
                                            [--threads N] [--json FILE]

FOLDER has train/<class> and test/<class>. Accuracies are on its test images, means over so many subsets of
the training images: once with the recipe's validation images, which are taken from them, and once on all of
them (validated on the test images, of which the last epoch counts). Times are seconds that pass and seconds
of the processor, which other programs on the machine change less. `all` trains on everything and is left out
unless named: it takes long.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from cnnstudio.cli.output import table
from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.data.sources.image_folder import ImageFolder
from cnnstudio.design.small_images import enlarge_less
from cnnstudio.insight.curation.expectations import measure_expectations
from cnnstudio.insight.predictions import predict
from cnnstudio.runs.run import Run
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.events import EpochEnded, Event
from cnnstudio.training.frozen.pretrained_features import pretrained_network
from cnnstudio.training.preflight.prepare import prepare
from cnnstudio.training.recipe.built_in import FEW_IMAGES, MANY_IMAGES, PRETRAINED
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.trainer import train_prepared

GROUPS = ("head", "blocks", "time", "offer", "folder")
LONG = ("all",)

Figure = dict[str, Any]
"""name, value, goal, whether smaller is better, and more about it."""


def part(dataset: Dataset, per_class: int, seed: int) -> Dataset:
    """So many training images of each class, chosen by the seed."""
    random, labels = np.random.default_rng(seed), dataset.train.labels
    chosen = [random.permutation(np.flatnonzero(labels == each))[:per_class] for each in np.unique(labels)]
    rows = np.concatenate(chosen)
    name = f"{per_class}-per-class-{seed}"
    return Dataset(name, name, dataset.classes, dataset.train.select(rows), dataset.test)


def train(dataset: Dataset, recipe: Recipe, threads: int | None) -> tuple[float, float, float]:
    """The test accuracy, the seconds that passed and those of the processor."""
    network = pretrained_network(dataset)
    prepared = prepare(enlarge_less(network) if recipe.unlocks_all else network, dataset, recipe)
    ended = list[EpochEnded]()

    def note(event: Event) -> None:
        if isinstance(event, EpochEnded):
            ended.append(event)

    start, processor = time.perf_counter(), time.process_time()
    finished = train_prepared(prepared, threads=threads, emit=note)
    passed = time.perf_counter() - start, time.process_time() - processor
    # The best of all epochs would be chosen by the images that it is then measured on.
    found = finished.test if recipe.validation_share else ended[-1].validation
    assert found is not None, finished.reason
    return found.accuracy, *passed


def accuracies(dataset: Dataset, recipe: Recipe, goals: dict[int, float], options: Any) -> list[Figure]:
    """Of a recipe, by the number of images per class."""
    found = []
    for per_class, goal in goals.items():
        for share in (recipe.validation_share, 0.0):
            used = recipe.replace(validation_share=share)
            results = [
                train(part(dataset, per_class, seed), used, options.threads)
                for seed in range(options.subsets)
            ]
            values = [each[0] for each in results]
            which = f"{100 * share:.0f}% held out" if share else "all used"
            found.append(
                {
                    "name": f"{recipe.name}, {per_class} per class, {which}",
                    "value": 100 * statistics.mean(values),
                    "goal": goal,
                    "smaller": False,
                    "unit": "%",
                    "subsets": values,
                    "processor seconds": statistics.mean(each[2] for each in results),
                }
            )
            show(found[-1:])
    return found


def head(dataset: Dataset, options: Any) -> list[Figure]:
    return accuracies(dataset, PRETRAINED, {10: 57.0, 50: 72.0}, options)


def blocks(dataset: Dataset, options: Any) -> list[Figure]:
    return accuracies(dataset, FEW_IMAGES, {10: 60.0, 50: 78.0}, options)


def head_time(dataset: Dataset, options: Any) -> list[Figure]:
    """Of a head on 3,000 images whose features are known."""
    some = part(dataset, 3_000 // len(dataset.classes), 0)
    times = [train(some, PRETRAINED, options.threads)[1:] for _ in range(4)][1:]
    return seconds("head on 3,000 kept features", times, 1.0)


def offer(dataset: Dataset, options: Any) -> list[Figure]:
    """Of what the Data page offers to measure, on 400 images."""
    start, processor = time.perf_counter(), time.process_time()
    measure_expectations(part(dataset, 400 // len(dataset.classes), 0))
    passed = time.perf_counter() - start, time.process_time() - processor
    return seconds("measuring both starts on 400 images", [passed], 60.0)


def folder(dataset: Dataset, options: Any) -> list[Figure]:
    """From 400 images to the first prediction of a run in a folder, as the window trains it."""
    some = part(dataset, 400 // len(dataset.classes), 1)
    some = Dataset(some.name, some.title, some.classes, some.train, Split(*_few(some.test)))
    start, processor = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as place:
        network = pretrained_network(some)
        run_options = RunOptions(folder=Path(place) / "run", adapt_threads=True)
        start_run(network, some, PRETRAINED, run_options, emit=lambda event: None)
        run = Run.open(Path(place) / "run")
        side = run.network.input.dims
        predict(run.model(), np.zeros((1, *side), np.uint8))
    passed = time.perf_counter() - start, time.process_time() - processor
    return seconds("400 images to the first prediction", [passed], 60.0)


def _few(split: Split) -> tuple[np.ndarray, np.ndarray]:
    """A hundred images of a split, as a small folder has."""
    found = split.select(np.linspace(0, len(split) - 1, 100).astype(np.int64))
    return found.images, found.labels


def everything(dataset: Dataset, options: Any) -> list[Figure]:
    accuracy, passed, processor = train(dataset, MANY_IMAGES, options.threads)
    name = f"{MANY_IMAGES.name}, all {len(dataset.train):,}"
    figure = {"name": name, "value": 100 * accuracy, "goal": 93.0, "smaller": False, "unit": "%"}
    return [figure, *seconds(name, [(passed, processor)], 3_600.0)]


def seconds(name: str, times: Sequence[tuple[float, float]], goal: float) -> list[Figure]:
    passed, processor = (statistics.median(each) for each in zip(*times, strict=True))
    return [
        {"name": f"{name}, time", "value": passed, "goal": goal, "smaller": True, "unit": " s"},
        {"name": f"{name}, processor", "value": processor, "goal": goal, "smaller": True, "unit": " s"},
    ]


MEASUREMENTS: dict[str, Callable[[Dataset, Any], list[Figure]]] = {
    "head": head,
    "blocks": blocks,
    "time": head_time,
    "offer": offer,
    "folder": folder,
    "all": everything,
}


def is_reached(figure: Figure) -> bool:
    value, goal = figure["value"], figure["goal"]
    return bool(value <= goal if figure["smaller"] else value >= goal)


def show(figures: Sequence[Figure]) -> None:
    rows = [
        [
            each["name"],
            f"{each['value']:.1f}{each['unit']}",
            f"{each['goal']:g}{each['unit']}",
            "reached" if is_reached(each) else "missed",
        ]
        for each in figures
    ]
    print(table(["figure", "value", "goal", ""], rows, right=(1, 2)), "\n", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=[*GROUPS, *LONG], default=GROUPS)
    parser.add_argument("--subsets", type=int, default=3)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        # Nothing that was computed before is found, and nothing stays.
        os.environ["CNNSTUDIO_HOME"] = home
        dataset = ImageFolder(options.folder).load()
        found = [figure for name in options.only for figure in MEASUREMENTS[name](dataset, options)]
    show(found)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    return int(not all(map(is_reached, found)))


if __name__ == "__main__":
    sys.exit(main())
