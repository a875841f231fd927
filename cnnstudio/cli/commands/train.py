"""`cnnstudio train`: trains a design and writes the run to a folder."""

from __future__ import annotations

import argparse
import dataclasses
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
    require_trainable,
    source_reference,
)
from cnnstudio.cli.command import DONE, FAILED, STOPPED, Command, Parser, UsageError, add_json_option
from cnnstudio.cli.launch import add_launch_options, launch_script
from cnnstudio.cli.output import LiveLine, echo
from cnnstudio.cli.preflight import AUTO, add_preflight_options, fit_batch_size, or_auto, run_preflight
from cnnstudio.cli.ranks import run_on_ranks
from cnnstudio.core.formatting import list_names
from cnnstudio.core.parameters import shorten

if TYPE_CHECKING:
    from cnnstudio.data.dataset import Dataset
    from cnnstudio.design.network import Network
    from cnnstudio.runs.run import Run
    from cnnstudio.runs.start import RunOptions
    from cnnstudio.training.checkpoints.save_schedule import SaveInterval
    from cnnstudio.training.control import Control
    from cnnstudio.training.distributed.ranks import Ranks
    from cnnstudio.training.events import Finished
    from cnnstudio.training.preflight.prepare import PreparedTraining
    from cnnstudio.training.recipe.recipe import Recipe


class Train(Command):
    name = "train"
    help = "train a design and write the run to a folder"
    examples = (
        "cnnstudio train lesson-32 --data shapes --epochs 3",
        "cnnstudio train my.cnn.json --data cifar10 --recipe lesson --run first-run",
        "cnnstudio train efficientnet-lite0 --data my-photos",
        "cnnstudio train --run first-run --resume",
    )
    order = 2

    def add_arguments(self, parser: Parser) -> None:
        parser.add_argument(
            "design", metavar="DESIGN", nargs="?", help=f"{DESIGN_HELP}; with --resume, the run's own"
        )
        add_data_option(parser)
        add_recipe_option(parser)
        _add_recipe_options(parser)
        add_preflight_options(parser)
        add_device_options(parser, "those of PyTorch, or fewer while another program is busy")
        parser.add_argument(
            "--run", type=Path, metavar="FOLDER", help="the folder of the run (default: a new folder)"
        )
        parser.add_argument(
            "--seeds",
            type=read_integer,
            metavar="N",
            help="train with N consecutive seeds and report mean ± standard deviation; with --resume, finish "
            "the missing runs",
        )
        parser.add_argument("--resume", action="store_true", help="resume the run in FOLDER")
        parser.add_argument(
            "--continue-from",
            metavar="RUN",
            help="start a new run from RUN's last checkpoint, even if the design has changed: layers whose "
            "weights still fit keep them",
        )
        parser.add_argument(
            "--weights",
            metavar="NAME, RUN or FILE.safetensors",
            help="start from these weights where they fit: pretrained (efficientnet-lite0), a run's best, "
            "RUN@7 for its epoch 7, or a file's; what fits is listed first",
        )
        parser.add_argument(
            "--freeze",
            metavar="LAYER",
            nargs="+",
            default=(),
            help="layers and groups that keep their weights, by id or name (see cnnstudio summary)",
        )
        parser.add_argument(
            "--checkpoint-every",
            metavar="N",
            help="save a checkpoint every N steps or seconds (such as 30s), and at the end of each epoch "
            "(default: 30s, less often if saving would take more than 1%% of the run time)",
        )
        add_launch_options(parser)
        add_json_option(parser)
        # So that a resumed run can tell what was said: it takes its own device where nothing was.
        parser.set_defaults(device=None)

    def run(self, options: argparse.Namespace) -> int:
        if options.design is None and not options.resume:
            raise UsageError("the following arguments are required: DESIGN (see “cnnstudio train --help”)")
        if options.print_launch:
            echo(launch_script(options, options.argv))
            return DONE
        if options.resume and options.run is None:
            raise UsageError("--resume needs --run FOLDER, the run to resume")
        if options.resume and options.continue_from is not None:
            raise UsageError(
                "use either --resume, which continues a run, or --continue-from, which starts a new one"
            )
        if options.weights is not None and not options.weights.strip():
            raise UsageError("--weights: name pretrained weights, a run or a .safetensors file")
        if options.weights is not None and (options.resume or options.continue_from is not None):
            other = "--resume" if options.resume else "--continue-from"
            raise UsageError(f"use either --weights or {other}, which starts from the run's own weights")
        if options.freeze and options.resume:
            raise UsageError("--freeze changes the design, but --resume continues a run with its own")
        _choose_device(options)
        return run_on_ranks(options, lambda ranks: _train(options, ranks))


def _read(options: argparse.Namespace) -> tuple[Network, Recipe, str | None, SaveInterval, Network | None]:
    """The network, the recipe, the name of the data set, the checkpoint interval, and `_network_before`."""
    interval = _interval(options.checkpoint_every)
    if options.design is None:
        network = _run_to_resume(options).network
    else:
        network = read_design_argument(options.design)
    network = _with_options(network, options)
    require_trainable(network)
    recipe, data = _recipe_and_data(options, network)
    before = None if network.weights is None else _network_before(options)
    return network, recipe, data, interval, before


def _network_before(options: argparse.Namespace) -> Network | None:
    """That of the run that is resumed or continued, or that the start weights come from. Raises RunError."""
    from cnnstudio.runs.errors import RunError
    from cnnstudio.runs.library.finding import find_run
    from cnnstudio.runs.start_weights import find_run_and_epoch

    if options.resume:
        return _run_to_resume(options).network
    if options.continue_from is not None:
        return find_run(options.continue_from).network
    if options.weights is None:
        return None
    try:
        return find_run_and_epoch(options.weights)[0].network
    except RunError:
        return None  # a pretrained name, a file, or what is refused later


def _with_options(network: Network, options: argparse.Namespace) -> Network:
    """The network with the locks and the pretrained weights that the options ask for. Raises UserError."""
    from cnnstudio.design import edits
    from cnnstudio.training.pretrained.catalog import PRETRAINED

    if options.weights in PRETRAINED:
        network = edits.set_weights(network, options.weights)
    locked = [node_id for text in options.freeze for node_id in _find_layers(network, text)]
    return edits.set_trainable(network, locked, False)


def _find_layers(network: Network, text: str) -> list[str]:
    """The ids of the layers and groups with that id or name. Raises UsageError if there are none."""
    if text in network:
        return [text]
    found = [node.id for node in network.walk() if text in (node.name, node.title)]
    if not found:
        known = list_names([node.name or node.id for node in network.nodes[:12]])
        raise UsageError(f"--freeze: there is no layer “{shorten(text)}”; the first ones are {known}")
    return found


def _run_to_resume(options: argparse.Namespace) -> Run:
    """The run in `--run`, or with `--seeds` the first one in that folder. Raises RunError."""
    from cnnstudio.runs.comparing.seeds import lowest_seed_run
    from cnnstudio.runs.run import Run

    return Run.open(options.run) if options.seeds is None else lowest_seed_run(options.run)


def _choose_device(options: argparse.Namespace) -> None:
    """Fills in `--device`: a resumed run keeps its own, with which it gives the same bits."""
    from cnnstudio.training.distributed.ranks import is_distributed

    run = _run_to_resume(options) if options.resume and not is_distributed() else None
    if run is not None and options.device is None:
        options.device, _ = run.hardware
    options.device = options.device or AUTO


def _add_recipe_options(parser: Parser) -> None:
    """Adds an option for each field of a recipe, with its help and range."""
    from cnnstudio.core.parameters import Flag, parameters
    from cnnstudio.training.recipe.recipe import FIELD_GROUPS, Recipe

    groups: dict[str, argparse._ArgumentGroup] = {}
    for title, names in FIELD_GROUPS.items():
        group = parser.add_argument_group(f"recipe overrides: {title.lower()}")
        groups |= dict.fromkeys(names, group)
    for parameter in parameters(Recipe):
        group = groups[parameter.name]
        name, help_text = f"--{parameter.name.replace('_', '-')}", parameter.help.replace("%", "%%")
        if isinstance(parameter, Flag):
            group.add_argument(name, action=argparse.BooleanOptionalAction, help=help_text)
        else:
            kind, metavar = option_type(parameter), _metavar(parameter)
            if parameter.name == "batch_size":
                kind, metavar = or_auto(kind), "N or auto"
                help_text += "; auto: the recipe's, split into as many parts as needed to fit into memory"
            group.add_argument(name, type=kind, metavar=metavar, help=help_text)


def _metavar(parameter: Any) -> str:
    from cnnstudio.core.parameters import Choice, Integer

    if isinstance(parameter, Choice):
        return "{" + ",".join(parameter.choices) + "}"
    return "N" if isinstance(parameter, Integer) else "X"


def _recipe_and_data(options: argparse.Namespace, network: Network) -> tuple[Recipe, str | None]:
    """The recipe and the data set; a resumed run keeps its own unless the options say otherwise."""
    from cnnstudio.core.parameters import parameters
    from cnnstudio.runs.library.finding import find_run
    from cnnstudio.training.recipe.files import read_recipe
    from cnnstudio.training.recipe.recipe import Recipe

    data = options.data
    if options.resume or options.continue_from is not None:
        run = _run_to_resume(options) if options.resume else find_run(options.continue_from)
        recipe = read_recipe(options.recipe) if options.recipe else run.recipe
        data = data or run.dataset_name
    else:
        recipe = read_recipe(options.recipe or ("studio" if network.weights is None else "pretrained"))
    given = {parameter.name: getattr(options, parameter.name) for parameter in parameters(Recipe)}
    if given["batch_size"] == AUTO:
        # The recipe's, which is fitted into memory later; for other fields, auto is a value like any other.
        del given["batch_size"]
    return recipe.replace(**{name: value for name, value in given.items() if value is not None}), data


def _interval(text: str | None) -> SaveInterval:
    from cnnstudio.training.checkpoints.save_schedule import DEFAULT_INTERVAL, SaveInterval, SaveIntervalError

    try:
        return DEFAULT_INTERVAL if text is None else SaveInterval.parse(text)
    except SaveIntervalError as error:
        raise UsageError(f"--checkpoint-every: {error}") from None


def _train(options: argparse.Namespace, ranks: Ranks) -> int:
    from cnnstudio.cli.seed_sweep import recipes_with_seeds, train_and_report
    from cnnstudio.cli.training_output import printer, stop_when_unread
    from cnnstudio.core.progress import Cancelled
    from cnnstudio.runs.library.finding import launched_run
    from cnnstudio.runs.signals import stopping_on_signals
    from cnnstudio.runs.start import start_run
    from cnnstudio.training.control import Control
    from cnnstudio.training.distributed.ranks import was_restarted

    network, recipe, data, interval, before = ranks.broadcast_result(lambda: _read(options))
    source = ranks.run_on_all(lambda: available_source(data))
    control = Control()
    with stopping_on_signals(control):
        try:
            dataset = ranks.local_main_process_first(lambda: load_dataset(source, control.stop.is_set))
            network = fit_to_dataset(options.design, network, dataset, recipe, before)
            if options.find_learning_rate or options.preflight:
                run_preflight(
                    options, _prepare(options, network, dataset, recipe, control), control.stop.is_set
                )
                return DONE
            if options.batch_size == AUTO:
                prepared = _prepare(options, network, dataset, recipe, control)
                recipe = fit_batch_size(options, prepared, control.stop.is_set)
        except Cancelled:
            raise KeyboardInterrupt from None
    note = _better_recipe_note(options, network, dataset)
    first = recipe.seed

    def train(recipe: Recipe, folder: Path | None, resume: bool) -> Finished:
        # Restarted by torchrun: continue the run that the processes created before one of them was lost.
        launched = ranks.broadcast_result(
            lambda: launched_run(folder, recipe.seed) if was_restarted() else None
        )
        run_options = ranks.broadcast_result(
            lambda: _run_options(options, launched or folder, resume or launched is not None)
        )
        return start_run(
            network,
            dataset,
            recipe,
            dataclasses.replace(run_options, source=source_reference(source), interval=interval),
            control=control,
            emit=stop_when_unread(
                printer(
                    options.json,
                    note=note if recipe.seed == first else "",
                    repeats_notes=options.resume or options.continue_from is not None,
                ),
                control,
            ),
            ranks=ranks,
            progress=LiveLine().show_progress,
        )

    if options.seeds is not None:
        recipes = recipes_with_seeds(recipe, options.seeds)
        return train_and_report(recipes, options.run, train, options.resume, options.json)
    finished = train(recipe, options.run, options.resume)
    return {"completed": DONE, "stopped": STOPPED, "failed": FAILED}[finished.outcome]


def _better_recipe_note(options: argparse.Namespace, network: Network, dataset: Dataset) -> str:
    """Which recipe is better for few or many images; empty if there is none, or the recipe was chosen."""
    from cnnstudio.insight.curation.expected_accuracy import LARGE_CLASS, MIN_FOR_GROUPS, SMALL_CLASS
    from cnnstudio.training.recipe.built_in import FEW_IMAGES, MANY_IMAGES

    is_chosen = options.recipe is not None or options.resume or options.continue_from is not None
    per_class = len(dataset.train) // len(dataset.classes)
    if is_chosen or not network.locked_ids:
        return ""
    if MIN_FOR_GROUPS <= per_class < SMALL_CLASS:
        amount, recipe, trained = "few", FEW_IMAGES, "the last groups as well"
    elif per_class >= LARGE_CLASS:
        amount, recipe, trained = "many", MANY_IMAGES, "all layers"
    else:
        return ""
    return (
        f"{per_class:,} images per class are {amount}. --recipe {recipe.name} trains {trained}: "
        "it takes longer and is usually more accurate."
    )


def _prepare(
    options: argparse.Namespace, network: Network, dataset: Dataset, recipe: Recipe, control: Control
) -> PreparedTraining:
    from cnnstudio.runs.start import prepare_run

    return prepare_run(
        network,
        dataset,
        recipe,
        _run_options(options, options.run, options.resume),
        # Too little memory is a result of these checks, not a reason to refuse them.
        check_memory=False,
        progress=LiveLine().show_progress,
        cancelled=control.stop.is_set,
    )


def _run_options(options: argparse.Namespace, folder: Path | None, resume: bool) -> RunOptions:
    from cnnstudio.runs.start import RunOptions

    return RunOptions(
        folder=folder,
        names_seed=options.seeds is not None,
        device=options.device,
        threads=options.threads,
        # Runs with several seeds are compared with each other, and only their results are looked at.
        adapt_threads=options.seeds is None,
        keep_weights=options.seeds is None,
        resume=resume,
        continue_from=_parent_folder(options.continue_from),
        weights=options.weights,
        on_save_failure="retry",
    )


def _parent_folder(run: str | None) -> Path | None:
    from cnnstudio.runs.library.finding import find_run

    return None if run is None else find_run(run).folder
