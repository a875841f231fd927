"""What `cnnstudio train` can do before or instead of training: learning rate test, estimate, batch size."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cnnstudio.cli.command import Parser
from cnnstudio.cli.output import LiveLine, echo, print_json, table
from cnnstudio.core.formatting import format_bytes, format_count

if TYPE_CHECKING:
    from cnnstudio.core.progress import CancelFunction
    from cnnstudio.training.preflight.lr_range import LrRangeTest
    from cnnstudio.training.preflight.prepare import PreparedTraining
    from cnnstudio.training.preflight.profiling import TrainingEstimate
    from cnnstudio.training.recipe.recipe import Recipe

AUTO = "auto"


def add_preflight_options(parser: Parser) -> None:
    """Adds the options that test something instead of training."""
    group = parser.add_argument_group("preflight checks").add_mutually_exclusive_group()
    group.add_argument(
        "--find-learning-rate",
        action="store_true",
        help="do not train; run a learning rate range test and suggest a learning rate",
    )
    group.add_argument(
        "--preflight",
        action="store_true",
        help="do not train; measure a few batches and estimate the time and memory that training takes",
    )


def or_auto(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """The argparse type `read`, extended by the value "auto"."""
    return lambda text: AUTO if text == AUTO else read(text)


def run_preflight(options: argparse.Namespace, prepared: PreparedTraining, cancelled: CancelFunction) -> None:
    """Runs the check that was requested and prints its result. Raises UserError or Cancelled."""
    check = _find_learning_rate if options.find_learning_rate else _estimate
    line = LiveLine()
    try:
        result, text = check(prepared, options.threads, line, cancelled)
    finally:
        line.clear()
    if options.json:
        print_json(result.to_json())
    else:
        echo(text)


def fit_batch_size(
    options: argparse.Namespace, prepared: PreparedTraining, cancelled: CancelFunction
) -> Recipe:
    """The recipe with batches that fit into memory, for `--batch-size auto`."""
    from cnnstudio.training.preflight.profiling import fit_recipe_to_memory

    line = LiveLine()
    line.show("Finding a batch size that fits into memory")
    try:
        return fit_recipe_to_memory(prepared, threads=options.threads, cancelled=cancelled)
    finally:
        line.clear()


def _find_learning_rate(
    prepared: PreparedTraining, threads: int | None, line: LiveLine, cancelled: CancelFunction
) -> tuple[LrRangeTest, str]:
    from cnnstudio.training.preflight.learning_rate_finder import find_learning_rate

    def show_step(test: LrRangeTest) -> None:
        line.show(
            f"Step {len(test.rates)} of {test.steps} · rate {test.rates[-1]:.2g} · loss {test.losses[-1]:.3f}"
        )

    test = find_learning_rate(prepared, threads=threads, on_step=show_step, cancelled=cancelled)
    return test, _rates_text(test, prepared.recipe)


def _rates_text(test: LrRangeTest, recipe: Recipe) -> str:
    rows = [[f"{rate:.2g}", f"{loss:.3f}"] for rate, loss in zip(test.rates, test.losses, strict=True)]
    # Every fifth step is enough to see where the loss falls and where it rises.
    text = table(["Rate", "Loss"], rows[::5], right=(0, 1))
    if test.suggestion is None:
        return f"{text}\n\nNo suggestion: the loss does not fall at any rate with {recipe.optimizer}."
    return (
        f"{text}\n\nThe loss falls between {test.lowest:.2g} and {test.highest:.2g}. "
        f"Suggested: --learning-rate {test.suggestion:g} (the recipe has {recipe.learning_rate:g})"
    )


def _estimate(
    prepared: PreparedTraining, threads: int | None, line: LiveLine, cancelled: CancelFunction
) -> tuple[TrainingEstimate, str]:
    from cnnstudio.training.preflight.profiling import estimate_training

    estimate = estimate_training(prepared, threads=threads, progress=line.show_progress, cancelled=cancelled)
    return estimate, _estimate_text(estimate)


def _estimate_text(estimate: TrainingEstimate) -> str:
    headings = ["Batch size", "Images/s", "Memory", ""]
    rows = [
        [
            format_count(one.size),
            f"{one.images_per_second:,.0f}",
            "" if one.memory is None else format_bytes(one.memory),
            estimate.describe_size(one),
        ]
        for one in estimate.sizes
    ]
    return f"{table(headings, rows, right=(0, 1, 2))}\n\n{estimate.description}"
