"""What `cnnstudio train` does before a training, or in place of it: the rate finder and the measurement."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cnnstudio.cli.command import Parser
from cnnstudio.cli.output import LiveLine, print_json, table
from cnnstudio.core.formatting import count, storage

if TYPE_CHECKING:
    from cnnstudio.core.progress import CancelFunction
    from cnnstudio.training.preflight.lr_range import RateTest
    from cnnstudio.training.preflight.prepare import Prepared
    from cnnstudio.training.preflight.profiling import Measurement
    from cnnstudio.training.recipe.recipe import Recipe

AUTO = "auto"


def add_trial_options(parser: Parser) -> None:
    """Options that try something out instead of training."""
    group = parser.add_argument_group("before a training")
    trial = group.add_mutually_exclusive_group()
    trial.add_argument(
        "--find-learning-rate",
        action="store_true",
        help="try rates from low to high, say which one suits, and do not train",
    )
    trial.add_argument(
        "--preflight",
        action="store_true",
        help="measure a few batches, say how much time and memory the training takes, and do not train",
    )


def or_auto(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """The option's type, with "auto" as one more value."""
    return lambda text: AUTO if text == AUTO else read(text)


def try_out(options: argparse.Namespace, prepared: Prepared, cancelled: CancelFunction) -> None:
    """Does what one of `add_trial_options` asks for, and prints it."""
    act = _find if options.find_learning_rate else _measure
    line = LiveLine()
    try:
        found, text = act(prepared, options.threads, line, cancelled)
    finally:
        line.clear()
    if options.json:
        print_json(found.to_json())
    else:
        print(text)


def fitted(options: argparse.Namespace, prepared: Prepared, cancelled: CancelFunction) -> Recipe:
    """The recipe in batches that fit into the memory, for `--batch-size auto`."""
    from cnnstudio.training.preflight.profiling import fitted_recipe

    line = LiveLine()
    line.show("Looking for the batch size that fits")
    try:
        return fitted_recipe(prepared, threads=options.threads, cancelled=cancelled)
    finally:
        line.clear()


def _find(
    prepared: Prepared, threads: int | None, line: LiveLine, cancelled: CancelFunction
) -> tuple[RateTest, str]:
    from cnnstudio.training.preflight.learning_rate_finder import find_learning_rate

    def tell(test: RateTest) -> None:
        line.show(
            f"Step {len(test.rates)} of {test.steps} · rate {test.rates[-1]:.2g} · loss {test.losses[-1]:.3f}"
        )

    found = find_learning_rate(prepared, threads=threads, tell=tell, cancelled=cancelled)
    return found, _rates_text(found, prepared.recipe)


def _rates_text(test: RateTest, recipe: Recipe) -> str:
    rows = [[f"{rate:.2g}", f"{loss:.3f}"] for rate, loss in zip(test.rates, test.losses, strict=True)]
    # Every fifth step is enough to see where the loss falls and where it rises.
    text = table(["Rate", "Loss"], rows[::5], right=(0, 1))
    if test.suggestion is None:
        return f"{text}\n\nThe loss falls at no rate: the test has no suggestion for {recipe.optimizer}."
    return (
        f"{text}\n\nThe loss falls between {test.lowest:.2g} and {test.highest:.2g}. "
        f"Suggested: --learning-rate {test.suggestion:g} (the recipe has {recipe.learning_rate:g})"
    )


def _measure(
    prepared: Prepared, threads: int | None, line: LiveLine, cancelled: CancelFunction
) -> tuple[Measurement, str]:
    from cnnstudio.training.preflight.profiling import measure

    found = measure(prepared, threads=threads, progress=line.follow, cancelled=cancelled)
    return found, _measurement_text(found)


def _measurement_text(found: Measurement) -> str:
    """The table, and what it comes to."""
    heads = ["Images at a time", "Images/s", "Memory", ""]
    rows = [
        [
            count(one.size),
            f"{one.images_per_second:,.0f}",
            "" if one.memory is None else storage(one.memory),
            found.remark(one),
        ]
        for one in found.sizes
    ]
    return f"{table(heads, rows, right=(0, 1, 2))}\n\n{found.sentence}"
