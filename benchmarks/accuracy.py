"""The test accuracy of templates by recipe; the scores are those of the best weights.

python benchmarks/accuracy.py [--data cifar10 or FOLDER] [--templates lesson-32] [--recipes lesson studio]
                              [--epochs N] [--threads N] [--seeds 0] [--json FILE]

`--templates all` takes every template for images of 32 × 32. The template index quotes such runs.
"""

from __future__ import annotations

import argparse
import json
from itertools import product
from pathlib import Path
from typing import Any

from cnnstudio.data.dataset import Dataset
from cnnstudio.data.sources import find_source
from cnnstudio.design.network import Network
from cnnstudio.design.templates import Template, template, templates
from cnnstudio.training.events import EpochEnded, Event
from cnnstudio.training.recipe.files import read_recipe
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.trainer import train


def train_and_print(network: Network, data: Dataset, recipe: Recipe, threads: int | None) -> dict[str, Any]:
    """Trains, prints the scores of each epoch, and returns the result."""

    def print_epoch(event: Event) -> None:
        if isinstance(event, EpochEnded):
            print(
                f"  epoch {event.epoch:3}  training {event.train.accuracy:6.1%}  validation "
                f"{event.validation.accuracy:6.1%}  {event.seconds:6.1f} s",
                flush=True,
            )

    finished = train(network, data, recipe, threads=threads, emit=print_epoch)
    return finished.to_json()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="shapes")
    parser.add_argument("--templates", nargs="+", default=["lesson-32"])
    parser.add_argument("--recipes", nargs="+", default=["lesson", "studio"])
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    data = find_source(options.data).load()
    report = []
    for design, name, seed in product(chosen(options.templates), options.recipes, options.seeds):
        recipe = read_recipe(name).replace(seed=seed)
        recipe = recipe.replace(epochs=options.epochs) if options.epochs else recipe
        print(f"{design.title}, {data.title}, recipe {name}, seed {seed}:")
        result = train_and_print(design.network, data, recipe, options.threads)
        accuracy, seconds = result["test"]["accuracy"], result["seconds"]
        print(f"  test {accuracy:.1%} in {seconds:.0f} s, best epoch {result['best_epoch']}")
        report.append({"template": design.name, "recipe": recipe.to_json(), "result": result})
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


def chosen(names: list[str]) -> list[Template]:
    """The templates of those names; `all` are all for images of CIFAR-10's size."""
    if names == ["all"]:
        return [each for each in templates().values() if each.network.input.dims == (3, 32, 32)]
    return [template(name) for name in names]


if __name__ == "__main__":
    main()
