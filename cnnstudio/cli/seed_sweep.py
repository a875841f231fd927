"""`cnnstudio train --seeds N`: the same training several times, and what its results come to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cnnstudio.cli.command import DONE, FAILED, STOPPED, UsageError
from cnnstudio.cli.output import print_json
from cnnstudio.core.errors import UserError
from cnnstudio.core.files import exists
from cnnstudio.runs.run import RUN_FILE
from cnnstudio.runs.seeds import Repeated, seeded, train_each
from cnnstudio.training.events import Finished
from cnnstudio.training.recipe.recipe import Recipe

_STATUS = {"completed": DONE, "stopped": STOPPED, "failed": FAILED}


def seeds_option(recipe: Recipe, seeds: int) -> list[Recipe]:
    """The recipe with each of `--seeds`. Raises UsageError for a number that makes no sense."""
    try:
        return seeded(recipe, seeds)
    except UserError as error:
        raise UsageError(f"--seeds: {error}") from None


def train_seeds(
    recipes: list[Recipe],
    folder: Path | None,
    train: Callable[[Recipe, Path | None, bool], Finished],
    resume: bool,
    as_json: bool,
) -> int:
    """Trains with each seed into its own folder; gives the exit status.

    `train` gets the recipe, the folder, and whether the run that is there goes on. With `resume` all that are
    there do: those that are done are only tested again.
    """

    def train_one(recipe: Recipe) -> Finished:
        number = recipes.index(recipe) + 1
        if not as_json:
            gap = "\n" if number > 1 else ""
            print(f"{gap}Seed {recipe.seed} ({number} of {len(recipes)})", flush=True)
        place = folder and folder / f"seed-{recipe.seed}"
        return train(recipe, place, resume and place is not None and exists(place / RUN_FILE))

    repeated = train_each(recipes, train_one)
    _tell(repeated, as_json)
    return max((_STATUS[outcome] for outcome in repeated.outcomes), default=DONE)


def _tell(repeated: Repeated, as_json: bool) -> None:
    accuracy, loss = repeated.accuracy, repeated.loss
    if as_json:
        test = {"accuracy": accuracy.to_json(), "loss": loss.to_json()} if accuracy and loss else None
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
