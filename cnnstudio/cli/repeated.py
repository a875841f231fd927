"""`cnnstudio train --seeds N`: the same training several times, and what its results come to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cnnstudio.cli.command import DONE, FAILED, STOPPED
from cnnstudio.cli.output import print_json
from cnnstudio.runs.repeats import Repeated, train_each
from cnnstudio.training.events import Finished
from cnnstudio.training.recipe import Recipe

_STATUS = {"completed": DONE, "stopped": STOPPED, "failed": FAILED}


def train_seeds(
    recipes: list[Recipe],
    folder: Path | None,
    train: Callable[[Recipe, Path | None], Finished],
    as_json: bool,
) -> int:
    """Trains with each seed into its own folder; gives the exit status."""

    def train_one(recipe: Recipe) -> Finished:
        number = recipes.index(recipe) + 1
        if not as_json:
            gap = "\n" if number > 1 else ""
            print(f"{gap}Seed {recipe.seed} ({number} of {len(recipes)})", flush=True)
        return train(recipe, folder and folder / f"seed-{recipe.seed}")

    repeated = train_each(recipes, train_one)
    _tell(repeated, as_json)
    return max((_STATUS[outcome] for outcome in repeated.outcomes), default=DONE)


def _tell(repeated: Repeated, as_json: bool) -> None:
    accuracy, loss = repeated.accuracy, repeated.loss
    if as_json:
        test = None
        if accuracy is not None and loss is not None:
            test = {"accuracy": accuracy.to_json(), "loss": loss.to_json()}
        print_json(
            {
                "event": "Repeated",
                "seeds": [seed for seed, _ in repeated.completed],
                "runs": [end.run for _, end in repeated.completed],
                "test": test,
            }
        )
    elif accuracy is not None:
        print(f"\n{repeated.sentence}", flush=True)
