"""What the lesson's network reaches on real pictures, by recipe; the scores are those of the best weights.

python benchmarks/accuracy.py [--data cifar10 or FOLDER] [--recipes lesson studio] [--epochs N] [--threads N]
                              [--seeds 0] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.rivals import lesson
from cnnstudio.data.dataset import Dataset
from cnnstudio.data.sources import find_source
from cnnstudio.training.events import EpochEnded, Event
from cnnstudio.training.recipe import Recipe, read_recipe
from cnnstudio.training.trainer import train


def trained(data: Dataset, recipe: Recipe, threads: int | None) -> dict[str, Any]:
    """Trains, says each epoch's scores, and gives the end."""

    def tell(event: Event) -> None:
        if isinstance(event, EpochEnded):
            print(
                f"  epoch {event.epoch:3}  training {event.train.accuracy:6.1%}  validation "
                f"{event.validation.accuracy:6.1%}  {event.seconds:6.1f} s",
                flush=True,
            )

    finished = train(lesson(), data, recipe, threads=threads, emit=tell)
    return finished.to_json()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="shapes")
    parser.add_argument("--recipes", nargs="+", default=["lesson", "studio"])
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    data = find_source(options.data).load()
    report = []
    for name in options.recipes:
        for seed in options.seeds:
            recipe = read_recipe(name).replace(seed=seed)
            recipe = recipe.replace(epochs=options.epochs) if options.epochs else recipe
            print(f"{data.title}, recipe {name}, seed {seed}:")
            result = trained(data, recipe, options.threads)
            accuracy, seconds = result["test"]["accuracy"], result["seconds"]
            print(f"  test {accuracy:.1%} in {seconds:.0f} s, best epoch {result['best_epoch']}")
            report.append({"recipe": recipe.to_json(), "result": result})
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
