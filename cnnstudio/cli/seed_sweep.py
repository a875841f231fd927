"""`cnnstudio train --seeds N`: the same training with several seeds, and the statistics of the results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cnnstudio.cli.command import DONE, FAILED, STOPPED, UsageError
from cnnstudio.cli.output import echo, print_json
from cnnstudio.core.errors import UserError
from cnnstudio.core.files import exists
from cnnstudio.runs.comparing.seeds import SeedSweep, train_in_turn, with_consecutive_seeds
from cnnstudio.runs.run import RUN_FILE
from cnnstudio.training.events import Finished
from cnnstudio.training.recipe.recipe import Recipe

STATUS = {"completed": DONE, "stopped": STOPPED, "failed": FAILED}


def recipes_with_seeds(recipe: Recipe, seeds: int) -> list[Recipe]:
    """The recipe with each of the `--seeds`. Raises UsageError for an invalid number."""
    try:
        return with_consecutive_seeds(recipe, seeds)
    except UserError as error:
        raise UsageError(f"--seeds: {error}") from None


def train_and_report(
    recipes: list[Recipe],
    folder: Path | None,
    train: Callable[[Recipe, Path | None, bool], Finished],
    resume: bool,
    as_json: bool,
) -> int:
    """Trains with each seed, each in a subfolder of `folder`; returns the exit status.

    `train` takes the recipe, the run's folder, and whether to resume the run there. With `resume`, existing
    runs are resumed, of which completed ones are only tested again, and missing ones are started.
    """

    def train_one(recipe: Recipe) -> Finished:
        number = recipes.index(recipe) + 1
        if not as_json:
            gap = "\n" if number > 1 else ""
            echo(f"{gap}Seed {recipe.seed} ({number} of {len(recipes)})")
        run_folder = folder and folder / f"seed-{recipe.seed}"
        return train(recipe, run_folder, resume and run_folder is not None and exists(run_folder / RUN_FILE))

    sweep = SeedSweep.of(train_in_turn(recipes, train_one))
    _report(sweep, as_json)
    return max((STATUS[outcome] for outcome in sweep.outcomes), default=DONE)


def _report(sweep: SeedSweep, as_json: bool) -> None:
    accuracy, loss = sweep.accuracy, sweep.loss
    if as_json:
        test = {"accuracy": accuracy.to_json(), "loss": loss.to_json()} if accuracy and loss else None
        print_json(
            {
                "event": "Repeated",
                "seeds": [seed for seed, _ in sweep.completed],
                "runs": [finished.run for _, finished in sweep.completed],
                "test": test,
            }
        )
    elif accuracy is not None:
        echo(f"\n{sweep.summary}")
