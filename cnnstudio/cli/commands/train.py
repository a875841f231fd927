"""`cnnstudio train`: trains a design and writes the run's folder."""

from __future__ import annotations

import argparse
import errno
from collections.abc import Callable
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
from cnnstudio.cli.launch import add_launch_options, launch_script
from cnnstudio.cli.output import LiveLine
from cnnstudio.cli.preflight import AUTO, add_trial_options, fitted, or_auto, try_out
from cnnstudio.cli.ranks import on_ranks

if TYPE_CHECKING:
    from cnnstudio.design.network import Network
    from cnnstudio.training.checkpoints.save_schedule import Interval
    from cnnstudio.training.control import Control
    from cnnstudio.training.distributed.ranks import Ranks
    from cnnstudio.training.events import Event, Finished
    from cnnstudio.training.recipe.recipe import Recipe


class Train(Command):
    name = "train"
    help = "train a design and write the run's folder"
    examples = (
        "cnnstudio train lesson-32 --data shapes --epochs 3",
        "cnnstudio train my.cnn.json --data cifar10 --recipe lesson --run first-run",
        "cnnstudio train my.cnn.json --run first-run --resume",
    )
    order = 2

    def arguments(self, parser: Parser) -> None:
        parser.add_argument("design", metavar="DESIGN", help=DESIGN_HELP)
        add_data_option(parser)
        add_recipe_option(parser)
        _add_recipe_options(parser)
        add_trial_options(parser)
        add_device_options(parser)
        parser.add_argument(
            "--run", type=Path, metavar="FOLDER", help="the run's folder (default: a new one)"
        )
        parser.add_argument(
            "--seeds",
            type=int,
            metavar="N",
            help="train N times with seeds in a row, and say mean and deviation of the results; "
            "--resume goes on with what is missing of them",
        )
        parser.add_argument("--resume", action="store_true", help="go on with the run in that folder")
        parser.add_argument(
            "--continue-from",
            metavar="RUN",
            help="a new run that goes on where that one stands, although the design was changed: layers "
            "whose weights still fit keep them",
        )
        parser.add_argument(
            "--checkpoint-every",
            metavar="N",
            help="save after so many steps, or seconds as in 30s, and at the end of each epoch "
            "(default: 30s; less often, at epochs' ends too, where saving would take more than a hundredth "
            "of the time)",
        )
        add_launch_options(parser)
        add_json_option(parser)

    def run(self, options: argparse.Namespace) -> int:
        if options.print_launch:
            print(launch_script(options, options.words))
            return DONE
        if options.resume and options.run is None:
            raise UsageError("--resume needs --run FOLDER, the run that goes on")
        if options.resume and options.continue_from is not None:
            raise UsageError("--resume goes on with a run, --continue-from begins a new one: give one")
        return on_ranks(options, lambda ranks: _train(options, ranks))


def _read(options: argparse.Namespace) -> tuple[Network, Recipe, str | None, Interval]:
    """What the command line names; the name of the data."""
    interval = _interval(options.checkpoint_every)
    network = read_design_argument(options.design)
    require_trainable(network)
    recipe, data = _recipe_and_data(options)
    return network, recipe, data, interval


def _add_recipe_options(parser: Parser) -> None:
    """One option for each field of a recipe, with its own help and range."""
    from cnnstudio.core.parameters import Flag, parameters
    from cnnstudio.training.recipe.recipe import FIELD_GROUPS, Recipe

    groups: dict[str, argparse._ArgumentGroup] = {}
    for title, names in FIELD_GROUPS.items():
        group = parser.add_argument_group(f"in place of what the recipe says: {title.lower()}")
        groups |= dict.fromkeys(names, group)
    for parameter in parameters(Recipe):
        group = groups[parameter.name]
        name, words = f"--{parameter.name.replace('_', '-')}", parameter.help.replace("%", "%%")
        if isinstance(parameter, Flag):
            group.add_argument(name, action=argparse.BooleanOptionalAction, help=words)
        else:
            kind, shown = option_type(parameter), _placeholder(parameter)
            if parameter.name == "batch_size":
                kind, shown = or_auto(kind), "N or auto"
                words += "; auto: the recipe's, in as many parts as the memory needs"
            group.add_argument(name, type=kind, metavar=shown, help=words)


def _placeholder(parameter: Any) -> str:
    from cnnstudio.core.parameters import Choice, Integer

    if isinstance(parameter, Choice):
        return "{" + ",".join(parameter.choices) + "}"
    return "N" if isinstance(parameter, Integer) else "X"


def _recipe_and_data(options: argparse.Namespace) -> tuple[Recipe, str | None]:
    """What was asked for; a run that goes on keeps its own recipe and data where nothing else is said."""
    from cnnstudio.core.parameters import parameters
    from cnnstudio.runs.run import Run, find_run
    from cnnstudio.runs.seeds import first_repeat
    from cnnstudio.training.recipe.files import read_recipe
    from cnnstudio.training.recipe.recipe import Recipe

    data = options.data
    if options.resume or options.continue_from is not None:
        if options.resume:
            run = Run.open(options.run) if options.seeds is None else first_repeat(options.run)
        else:
            run = find_run(options.continue_from)
        recipe = read_recipe(options.recipe) if options.recipe else run.recipe
        data = data or run.dataset_name
    else:
        recipe = read_recipe(options.recipe or "studio")
    given = {parameter.name: getattr(options, parameter.name) for parameter in parameters(Recipe)}
    return recipe.replace(**{name: value for name, value in given.items() if value not in (None, AUTO)}), data


def _interval(text: str | None) -> Interval:
    from cnnstudio.training.checkpoints.save_schedule import DEFAULT, Interval, IntervalError

    try:
        return DEFAULT if text is None else Interval.parse(text)
    except IntervalError as error:
        raise UsageError(f"--checkpoint-every: {error}") from None


def _train(options: argparse.Namespace, ranks: Ranks) -> int:
    from cnnstudio.cli.seed_sweep import seeds_option, train_seeds
    from cnnstudio.cli.training_output import printer
    from cnnstudio.core.progress import Cancelled
    from cnnstudio.runs.recorder import start_run
    from cnnstudio.runs.run import launched_run
    from cnnstudio.runs.signals import stopping_on_signals
    from cnnstudio.training.control import Control
    from cnnstudio.training.distributed.ranks import were_restarted
    from cnnstudio.training.preflight.prepare import prepare

    network, recipe, data, interval = ranks.from_first(lambda: _read(options))
    source = ranks.together(lambda: available_source(data))
    control = Control()
    with stopping_on_signals(control):
        try:
            dataset = ranks.one_by_one(lambda: load_images(source, control.stop.is_set))
            if options.find_learning_rate or options.preflight or options.batch_size == AUTO:
                prepared = prepare(
                    network,
                    dataset,
                    recipe,
                    options.device,
                    check_memory=False,
                    progress=LiveLine().follow,
                    cancelled=control.stop.is_set,
                )
                if options.find_learning_rate or options.preflight:
                    try_out(options, prepared, control.stop.is_set)
                    return DONE
                recipe = fitted(options, prepared, control.stop.is_set)
        except Cancelled:
            raise KeyboardInterrupt from None

    def train(recipe: Recipe, folder: Path | None, resume: bool) -> Finished:
        begun = ranks.from_first(lambda: launched_run(folder, recipe.seed) if were_restarted() else None)
        ancestor = ranks.from_first(lambda: _ancestor(options.continue_from))
        return start_run(
            network,
            dataset,
            recipe,
            folder=begun or folder,
            source=place_of(source),
            device=options.device,
            threads=options.threads,
            control=control,
            emit=_until_nobody_reads(printer(options.json), control),
            resume=resume or begun is not None,
            interval=interval,
            continue_from=None if begun else ancestor,
            ranks=ranks,
            progress=LiveLine().follow,
        )

    if options.seeds is not None:
        recipes = seeds_option(recipe, options.seeds)
        return train_seeds(recipes, options.run, train, options.resume, options.json)
    finished = train(recipe, options.run, options.resume)
    return {"completed": DONE, "stopped": STOPPED, "failed": FAILED}[finished.outcome]


def _ancestor(run: str | None) -> Path | None:
    from cnnstudio.runs.run import find_run

    return None if run is None else find_run(run).folder


def _until_nobody_reads(emit: Callable[[Event], None], control: Control) -> Callable[[Event], None]:
    """Stops the run in good order where its output goes nowhere any more (`cnnstudio train … | head`).

    So does a terminal that is closed. A full disk below a file for the output does not.
    """

    def careful(event: Event) -> None:
        if gone:
            return
        try:
            emit(event)
        except OSError as error:
            if error.errno in (errno.EPIPE, errno.EIO):
                gone.append(event)
                control.request_stop()

    gone: list[Event] = []
    return careful
