"""`cnnstudio train --seeds N`: the same training several times, and what its results come to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cnnstudio.cli.command import DONE, FAILED, STOPPED
from cnnstudio.cli.output import print_json
from cnnstudio.files import exists
from cnnstudio.layers.errors import UserError
from cnnstudio.runs.noise import Spread, in_words
from cnnstudio.runs.run import RUN_FILE
from cnnstudio.training.events import Finished
from cnnstudio.training.recipe import Recipe
from cnnstudio.words import plural

MOST_SEEDS = 1000

_STATUS = {"completed": DONE, "stopped": STOPPED, "failed": FAILED}


def train_seeds(
    recipe: Recipe,
    seeds: int,
    folder: Path | None,
    train: Callable[[Recipe, Path | None, bool], Finished],
    resume: bool,
    as_json: bool,
) -> int:
    """Trains with so many seeds, from the recipe's own on, each into its own folder; gives the exit status.

    `train` gets the recipe, the folder, and whether the run that is there goes on. With `resume` all that are
    there do: those that are done are only tested again. A run that fails does not keep the others back; one
    that is stopped does.
    """
    finished: list[tuple[int, Finished]] = []
    for number in range(seeds):
        each = recipe.replace(seed=recipe.seed + number)
        if not as_json:
            print(f"{chr(10) if number else ''}Seed {each.seed} ({number + 1} of {seeds})", flush=True)
        place = folder and folder / f"seed-{each.seed}"
        begun = resume and place is not None and exists(place / RUN_FILE)
        finished.append((each.seed, train(each, place, begun)))
        if finished[-1][1].outcome == "stopped":
            break
    _tell(finished, as_json)
    outcomes = {end.outcome for _, end in finished}
    return max((_STATUS[outcome] for outcome in outcomes), default=DONE)


def check_seeds(recipe: Recipe, seeds: int) -> None:
    """Raises UserError for a number of seeds that makes no sense."""
    if not 1 <= seeds <= MOST_SEEDS:
        raise UserError(f"--seeds: a whole number from 1 to {MOST_SEEDS:,} is needed, not {seeds:,}")
    recipe.replace(seed=recipe.seed + seeds - 1)


def _tell(finished: list[tuple[int, Finished]], as_json: bool) -> None:
    tested = [(seed, end.run, end.test) for seed, end in finished if end.outcome == "completed" and end.test]
    accuracy = Spread(tuple(test.accuracy for _, _, test in tested))
    loss = Spread(tuple(test.loss for _, _, test in tested))
    if as_json:
        test = {"accuracy": accuracy.to_json(), "loss": loss.to_json()} if tested else None
        print_json(
            {
                "event": "Repeated",
                "seeds": [seed for seed, _, _ in tested],
                "runs": [run for _, run, _ in tested],
                "test": test,
            }
        )
    elif tested:
        runs = plural(len(tested), "run")
        print(f"\nTest accuracy over {runs}: {in_words(accuracy)} (mean ± standard deviation)", flush=True)
