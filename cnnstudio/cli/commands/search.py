"""`cnnstudio search`: tries out settings of a design and its recipe, and keeps the best."""

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
    load_images,
    option_type,
    place_of,
    read_design_argument,
    require_trainable,
)
from cnnstudio.cli.command import DONE, FAILED, STOPPED, Command, Parser, UsageError, add_json_option

if TYPE_CHECKING:
    from cnnstudio.design.network import Network
    from cnnstudio.training.control import Control
    from cnnstudio.training.recipe.recipe import Recipe
    from cnnstudio.tuning.plan import Plan
    from cnnstudio.tuning.study import Study
    from cnnstudio.tuning.trial_runner import Workshop

_VARY_HELP = (
    "what is searched, as often as you like: learning_rate=0.001..0.1, batch_size=64,128,256 or a layer's "
    "parameter by its id or name, conv2d_1.filters=16..64:16; a range whose ends are ten times apart is "
    "searched logarithmically, unless :log or :linear behind it says how. Default: learning rate and weight "
    "decay from a tenth to the tenfold of the recipe's (of 0.001, where it has no weight decay), and half, "
    "once and twice its batch size"
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

    def arguments(self, parser: Parser) -> None:
        parser.add_argument("design", metavar="DESIGN", help=DESIGN_HELP)
        add_data_option(parser)
        add_recipe_option(parser)
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--vary", action="append", metavar="NAME=VALUES", help=_VARY_HELP)
        what.add_argument(
            "--search",
            type=Path,
            metavar="FILE",
            help="search what that file says, such as the search.json of an earlier search",
        )
        parser.add_argument(
            "--trials",
            type=int,
            metavar="N",
            help="trainings all together, the first with nothing changed (default: 20)",
        )
        parser.add_argument("--minutes", type=float, metavar="M", help="begin no trial after so many minutes")
        parser.add_argument("--epochs", type=_epochs, metavar="N", help="in place of what the recipe says")
        parser.add_argument(
            "--prune",
            action=argparse.BooleanOptionalAction,
            help="end trials early that are worse than half of the others (the default)",
        )
        parser.add_argument(
            "--seeds",
            type=int,
            metavar="K",
            help="at the end, train the best and the unchanged with K other seeds, to tell luck from gain",
        )
        parser.add_argument(
            "--run", type=Path, metavar="FOLDER", help="the search's folder (default: a new one)"
        )
        parser.add_argument("--resume", action="store_true", help="go on with the search in that folder")
        add_device_options(parser)
        add_json_option(parser)

    def run(self, options: argparse.Namespace) -> int:
        from cnnstudio.core.progress import Cancelled
        from cnnstudio.runs.signals import stopping_on_signals
        from cnnstudio.training.control import Control
        from cnnstudio.tuning.search import guide_type

        _check(options)
        network = read_design_argument(options.design)
        require_trainable(network)
        guide_type()
        control = Control()
        with ExitStack() as stack:
            stack.enter_context(stopping_on_signals(control))
            try:
                study, workshop = _begin(options, network, control, stack)
            except Cancelled:
                raise KeyboardInterrupt from None
            return _search(options, study, workshop)


def _epochs(text: str) -> Any:
    from cnnstudio.core.parameters import parameters
    from cnnstudio.training.recipe.recipe import Recipe

    return option_type(next(each for each in parameters(Recipe) if each.name == "epochs"))(text)


def _check(options: argparse.Namespace) -> None:
    """Raises UsageError for options that make no sense together."""
    if options.resume and options.run is None:
        raise UsageError("--resume needs --run FOLDER, the search that goes on")
    if options.resume:
        for name in ("vary", "search", "recipe", "epochs"):
            if getattr(options, name) is not None:
                raise UsageError(f"--resume goes on with the search as it was begun: leave --{name} away")
    if options.minutes is not None and not 0 < options.minutes < float("inf"):
        raise UsageError(f"--minutes: a number above 0 is needed, not {options.minutes:g}")


def _begin(
    options: argparse.Namespace, network: Network, control: Control, stack: ExitStack
) -> tuple[Study, Workshop]:
    """The search, new or as it stands, held against other programs; and what it learns from."""
    from cnnstudio.cli.seed_sweep import seeds_option
    from cnnstudio.runs.run import new_folder
    from cnnstudio.training.preflight.prepare import check_threads, prepare
    from cnnstudio.tuning.study import Study, holding, require_empty, searched, searches_folder
    from cnnstudio.tuning.trial_runner import Workshop

    before = Study.open(options.run) if options.resume else None
    recipe = before.recipe if before else _recipe(options)
    plan = _plan(options, network, recipe, before)
    if options.seeds is not None:
        seeds_option(recipe.replace(seed=recipe.seed + 1), options.seeds)
    folder = options.run or new_folder(network.name, searches_folder())
    if before is None:
        require_empty(folder)
    else:
        before.require_design(network)
    source = available_source(options.data or (before.images if before else None))
    dataset = load_images(source, control.stop.is_set)
    if before is not None:
        before.require_images(dataset)
    # What is wrong with every trial is said before anything is written.
    prepare(network, dataset, searched(recipe), options.device, check_memory=False)
    check_threads(options.threads)
    stack.enter_context(holding(folder))
    study = Study(
        folder, network, recipe, plan, place_of(source), dataset.fingerprint, before.trials if before else ()
    )
    study.write()
    return study, Workshop(dataset, study.images, options.device, options.threads, control)


def _recipe(options: argparse.Namespace) -> Recipe:
    from cnnstudio.training.recipe.files import read_recipe

    recipe = read_recipe(options.recipe or "studio")
    return recipe if options.epochs is None else recipe.replace(epochs=options.epochs)


def _plan(options: argparse.Namespace, network: Network, recipe: Recipe, before: Study | None) -> Plan:
    """What was asked for; a search that goes on keeps what it varies."""
    from cnnstudio.tuning.errors import SearchError
    from cnnstudio.tuning.plan import Plan, read_plan
    from cnnstudio.tuning.search_syntax import parse_mark
    from cnnstudio.tuning.space import Space, usual_space

    if before is not None:
        plan = before.plan
    elif options.search is not None:
        plan = read_plan(options.search, network)
    elif options.vary is not None:
        try:
            plan = Plan(Space(tuple(parse_mark(text, network) for text in options.vary)))
        except SearchError as error:
            raise UsageError(f"--vary: {error}") from None
    else:
        plan = Plan(usual_space(recipe))
    asked = {name: getattr(options, name) for name in ("trials", "prune")}
    return plan.replace(**{name: value for name, value in asked.items() if value is not None})


def _search(options: argparse.Namespace, study: Study, workshop: Workshop) -> int:
    from cnnstudio.cli.search_output import JsonReport, TextReport
    from cnnstudio.tuning.search import Searching
    from cnnstudio.tuning.verdict import conclude, repeat

    report = JsonReport(study) if options.json else TextReport(study)
    until = None if options.minutes is None else time.monotonic() + 60 * options.minutes
    report.begun()
    searching = Searching(study, workshop, report)
    reason = searching.run(until)
    stop = workshop.control.stop
    if options.seeds is not None and not stop.is_set():
        repeat(study, options.seeds, workshop, report)
    report.finished(reason, stop.is_set(), searching.importances(), conclude(study))
    if stop.is_set():
        return STOPPED
    return DONE if study.best else FAILED
