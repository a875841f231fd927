"""`cnnstudio search`: searches for better settings of a design and its recipe."""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnstudio.cli.arguments import (
    DESIGN_HELP,
    add_data_option,
    add_device_options,
    add_recipe_option,
    available_source,
    fit_to_dataset,
    load_dataset,
    option_type,
    read_design_argument,
    read_integer,
    read_number,
    require_trainable,
    source_reference,
)
from cnnstudio.cli.command import DONE, FAILED, STOPPED, Command, Parser, UsageError, add_json_option

if TYPE_CHECKING:
    from cnnstudio.design.network import Network
    from cnnstudio.training.control import Control
    from cnnstudio.training.recipe.recipe import Recipe
    from cnnstudio.tuning.plan import Plan
    from cnnstudio.tuning.study import Study
    from cnnstudio.tuning.trial_runner import TrialRunner

_VARY_HELP = (
    "a setting to search (repeatable): a range such as learning_rate=0.001..0.1, values such as "
    "batch_size=64,128,256, or a layer's parameter by its id or name, such as conv2d_1.filters=16..64:16 "
    "(in steps of 16); a range that spans a factor of 10 or more uses a log scale, append :log or :linear to "
    "choose (default: learning rate and weight decay from 0.1× to 10× the recipe's value, with 0.001 for a "
    "weight decay of 0, and 0.5×, 1× and 2× its batch size)"
)


class Search(Command):
    name = "search"
    help = "search for better settings of a design and its recipe"
    examples = (
        "cnnstudio search lesson-32 --data shapes --epochs 2 --trials 20",
        "cnnstudio search my.cnn.json --vary learning_rate=0.001..0.1 --vary conv2d_1.filters=16..64:16",
        "cnnstudio search my.cnn.json --run first-search --resume --trials 40 --seeds 5",
    )
    order = 3

    def add_arguments(self, parser: Parser) -> None:
        parser.add_argument("design", metavar="DESIGN", help=DESIGN_HELP)
        add_data_option(parser)
        add_recipe_option(parser)
        space = parser.add_mutually_exclusive_group()
        space.add_argument("--vary", action="append", metavar="NAME=VALUES", help=_VARY_HELP)
        space.add_argument(
            "--search",
            type=Path,
            metavar="FILE",
            help="take the settings to search from a file, such as the search.json of an earlier search",
        )
        parser.add_argument(
            "--trials",
            type=read_integer,
            metavar="N",
            help="number of trials, including the first with unchanged settings (default: 20)",
        )
        parser.add_argument(
            "--minutes", type=read_number, metavar="M", help="start no new trial after M minutes"
        )
        parser.add_argument(
            "--epochs", type=_epochs, metavar="N", help="epochs per trial (default: the recipe's)"
        )
        parser.add_argument(
            "--prune",
            action=argparse.BooleanOptionalAction,
            help="stop trials early that are worse than the median of the others (default: --prune)",
        )
        parser.add_argument(
            "--seeds",
            type=read_integer,
            metavar="K",
            help="at the end, retrain the best trial and the unchanged settings with K other seeds, to test "
            "whether the difference is significant",
        )
        parser.add_argument(
            "--run", type=Path, metavar="FOLDER", help="the folder of the search (default: a new folder)"
        )
        parser.add_argument("--resume", action="store_true", help="resume the search in FOLDER")
        add_device_options(parser)
        add_json_option(parser)

    def run(self, options: argparse.Namespace) -> int:
        from cnnstudio.core.progress import Cancelled
        from cnnstudio.runs.signals import stopping_on_signals
        from cnnstudio.training.control import Control
        from cnnstudio.tuning.search import load_sampler_type

        _validate(options)
        network = read_design_argument(options.design)
        require_trainable(network)
        load_sampler_type()
        control = Control()
        with ExitStack() as stack:
            stack.enter_context(stopping_on_signals(control))
            try:
                study, runner = _open_study(options, network, control, stack)
            except Cancelled:
                raise KeyboardInterrupt from None
            return _search(options, study, runner)


def _epochs(text: str) -> Any:
    from cnnstudio.core.parameters import parameters
    from cnnstudio.training.recipe.recipe import Recipe

    return option_type(next(each for each in parameters(Recipe) if each.name == "epochs"))(text)


def _validate(options: argparse.Namespace) -> None:
    """Raises UsageError for options that contradict each other."""
    if options.resume and options.run is None:
        raise UsageError("--resume needs --run FOLDER, the search to resume")
    if options.resume:
        for name in ("vary", "search", "recipe", "epochs"):
            if getattr(options, name) is not None:
                raise UsageError(f"--{name} cannot be changed with --resume: leave it out")
    if options.minutes is not None and not 0 < options.minutes < float("inf"):
        raise UsageError(f"--minutes: must be greater than 0, got {options.minutes:g}")


def _open_study(
    options: argparse.Namespace, network: Network, control: Control, stack: ExitStack
) -> tuple[Study, TrialRunner]:
    """The new or resumed search, locked against other programs, and the runner for its trials."""
    from cnnstudio.cli.seed_sweep import recipes_with_seeds
    from cnnstudio.runs.library.finding import new_folder
    from cnnstudio.training.preflight.checks import validate_threads
    from cnnstudio.training.preflight.prepare import prepare
    from cnnstudio.tuning.study import (
        Study,
        locked_folder,
        require_empty,
        searches_folder,
        with_validation_split,
    )
    from cnnstudio.tuning.trial_runner import TrialRunner

    resumed = Study.open(options.run) if options.resume else None
    recipe = resumed.recipe if resumed else _recipe(options, network)
    plan = _plan(options, network, recipe, resumed)
    if options.seeds is not None:
        recipes_with_seeds(recipe.replace(seed=recipe.seed + 1), options.seeds)
    folder = options.run or new_folder(network.name, searches_folder())
    if resumed is None:
        require_empty(folder)
    source = available_source(options.data or (resumed.source if resumed else None))
    dataset = load_dataset(source, control.stop.is_set)
    network = fit_to_dataset(options.design, network, dataset, recipe, resumed.network if resumed else None)
    if resumed is not None:
        resumed.require_design(network)
        resumed.require_dataset(dataset)
    # Reports what would be wrong with every trial before anything is written.
    prepare(network, dataset, with_validation_split(recipe), options.device, check_memory=False)
    validate_threads(options.threads)
    stack.enter_context(locked_folder(folder))
    study = Study(
        folder,
        network,
        recipe,
        plan,
        source_reference(source),
        dataset.fingerprint,
        resumed.trials if resumed else (),
    )
    study.save()
    return study, TrialRunner(dataset, study.source, options.device, options.threads, control)


def _recipe(options: argparse.Namespace, network: Network) -> Recipe:
    from cnnstudio.training.recipe.files import read_recipe

    recipe = read_recipe(options.recipe or ("studio" if network.weights is None else "pretrained"))
    return recipe if options.epochs is None else recipe.replace(epochs=options.epochs)


def _plan(options: argparse.Namespace, network: Network, recipe: Recipe, resumed: Study | None) -> Plan:
    """The requested plan; a resumed search keeps varying the same settings."""
    from cnnstudio.tuning.errors import SearchError
    from cnnstudio.tuning.plan import Plan, read_plan
    from cnnstudio.tuning.search_syntax import parse_vary
    from cnnstudio.tuning.space import Space, default_space

    if resumed is not None:
        plan = resumed.plan
    elif options.search is not None:
        plan = read_plan(options.search, network)
    elif options.vary is not None:
        try:
            plan = Plan(Space(tuple(parse_vary(text, network) for text in options.vary)))
        except SearchError as error:
            raise UsageError(f"--vary: {error}") from None
    else:
        plan = Plan(default_space(recipe))
    requested = {name: getattr(options, name) for name in ("trials", "prune")}
    return plan.replace(**{name: value for name, value in requested.items() if value is not None})


def _search(options: argparse.Namespace, study: Study, runner: TrialRunner) -> int:
    from cnnstudio.cli.search_output import JsonReport, TextReport
    from cnnstudio.tuning.search import SearchLoop
    from cnnstudio.tuning.verdict import retrain_with_other_seeds, search_verdict

    report = JsonReport(study) if options.json else TextReport(study)
    until = None if options.minutes is None else time.monotonic() + 60 * options.minutes
    report.started()
    loop = SearchLoop(study, runner, report)
    reason = loop.run(until)
    stop = runner.control.stop
    if options.seeds is not None and not stop.is_set():
        retrain_with_other_seeds(study, options.seeds, runner, report)
    report.finished(reason, stop.is_set(), loop.importances(), search_verdict(study))
    if stop.is_set():
        return STOPPED
    return DONE if study.best else FAILED
