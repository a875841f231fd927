"""Arguments that several commands share: design, data set, recipe, device, threads."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnstudio.cli.command import Parser, UsageError
from cnnstudio.cli.output import LiveLine, echo
from cnnstudio.core.errors import ParameterError
from cnnstudio.core.files import exists, is_folder
from cnnstudio.core.numbers import parse_number
from cnnstudio.core.parameters import Parameter, describe_value
from cnnstudio.design.network import Network
from cnnstudio.training.hardware.thread_policy import MAX_THREADS

if TYPE_CHECKING:
    from cnnstudio.core.progress import CancelFunction
    from cnnstudio.data.dataset import Dataset
    from cnnstudio.data.sources import Source
    from cnnstudio.runs.run import Run
    from cnnstudio.training.recipe.recipe import Recipe

DESIGN_HELP = "a design file or the name of a template (see cnnstudio template list)"
RUN_HELP = "a run's folder, zip file or name (see cnnstudio runs list)"


def read_design_argument(text: str) -> Network:
    """The design in that file, or the template of that name. Raises UserError."""
    from cnnstudio.design.file import SUFFIX, read_design
    from cnnstudio.design.templates import templates

    path = Path(text)
    if is_folder(path):
        raise UsageError(f"{text} is a folder; a design is a file that ends in {SUFFIX}")
    if not exists(path) and text in templates():
        return templates()[text].network
    if not exists(path):
        names = ", ".join(templates())
        raise UsageError(f"there is no file or template “{text}”; the templates are {names}")
    return read_design(path)


def fit_to_dataset(
    text: str | None, network: Network, dataset: Dataset, recipe: Recipe, before: Network | None
) -> Network:
    """The design that `text` names, as the recipe trains it on these images if it has pretrained weights.

    Their last layer has the classes of pretraining. A template's input is fitted to the images, too, but not
    if `before`, which the training resumes or starts from, has the input of the template.
    """
    from cnnstudio.design.adaptation import fit_to_data
    from cnnstudio.layers.base import Shape

    if network.weights is None:
        return network
    keeps_input = before is not None and before.input == network.input
    is_fitted = text is not None and is_pretrained_template(text) and not keeps_input
    shape = Shape.of(*dataset.shape) if is_fitted else None
    trains_all = is_fitted and recipe.unlocks_all
    return fit_to_data(network, len(dataset.classes), shape, trains_all=trains_all)


def is_pretrained_template(text: str) -> bool:
    """Whether `read_design_argument` takes it for the name of a template with pretrained weights."""
    from cnnstudio.design.templates import templates

    known = None if exists(Path(text)) else templates().get(text)
    return known is not None and known.network.weights is not None


def require_trainable(network: Network) -> None:
    """Raises UsageError if the design has problems, before any image is read."""
    from cnnstudio.design.analysis.analysis import analyze

    problems = analyze(network).problems
    if problems:
        more = f" (and {len(problems) - 1} more, see cnnstudio summary)" if len(problems) > 1 else ""
        raise UsageError(f"the design cannot be trained: {problems[0].full_message}{more}")


def add_data_option(parser: Parser) -> None:
    """Adds `--data`."""
    parser.add_argument(
        "--data",
        metavar="NAME or FOLDER",
        help="data set (default: CIFAR-10 if it has been downloaded, else Shapes)",
    )


def add_recipe_option(parser: Parser) -> None:
    """Adds `--recipe`."""
    parser.add_argument(
        "--recipe",
        metavar="NAME or FILE",
        help="studio, lesson, fast-cpu, fast-gpu, pretrained, few-images, many-images, fine-tune, one of "
        "your own, or a recipe file (default: studio; pretrained for a design that names pretrained weights)",
    )


def available_source(data: str | None) -> Source:
    """The data set of that name or in that folder, by default the `--data` default. Raises UserError."""
    from cnnstudio.data.sources import find_source

    if data is None:
        cifar10 = find_source("cifar10")
        return cifar10 if cifar10.available() else find_source("shapes")
    source = find_source(data)
    if not source.available():
        raise UsageError(
            f"{source.title} has not been downloaded yet: run cnnstudio data download {source.name}"
        )
    return source


def load_dataset(source: Source, cancelled: CancelFunction) -> Dataset:
    """Loads the images; notes about them go to standard error. Raises UserError or Cancelled."""
    line = LiveLine()
    try:
        dataset = source.load(line.show_progress, cancelled)
    finally:
        line.clear()
    for note in dataset.notes:
        echo(f"{dataset.title}: {note}", file=sys.stderr)
    return dataset


def source_reference(source: Source) -> str:
    """What `find_source` finds the data set by from anywhere: its name, or else its folder."""
    from cnnstudio.data.sources import sources

    path = getattr(source, "path", None)
    if any((known.name, getattr(known, "path", None)) == (source.name, path) for known in sources()):
        return source.name
    return str(path or source.name)


def add_device_options(parser: Parser, threads: str = "those of PyTorch") -> None:
    """Adds `--device` and `--threads`, with a description of the default number of threads."""
    parser.add_argument(
        "--device",
        default="auto",
        metavar="D",
        help="auto, cpu, cuda, cuda:1 or mps (default: auto, the fastest available)",
    )
    parser.add_argument(
        "--threads", type=_threads, metavar="N", help=f"number of CPU threads (default: {threads})"
    )


def take_hardware(options: argparse.Namespace, run: Run) -> None:
    """Sets `--device` and `--threads`, where they were not given, to what the run was trained with."""
    device, threads = run.hardware
    if options.device is None and device is not None:
        options.device = device
    if options.threads is None and threads is not None and 1 <= threads <= MAX_THREADS:
        options.threads = threads


def _threads(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MAX_THREADS:
        cores = f"this machine has {os.cpu_count() or 1} cores"
        raise argparse.ArgumentTypeError(
            f"must be an integer from 1 to {MAX_THREADS:,}, got “{text}”; {cores}"
        )
    return int(text)


def image_size(text: str) -> tuple[int, int]:
    """An argparse type: height and width, as `224` or `224x320`."""
    return _size(text, "or HEIGHTxWIDTH", accepts_auto=False)


def image_size_or_auto(text: str) -> tuple[int, int]:
    """The same, or sizes.AUTOMATIC for `auto`."""
    return _size(text, "HEIGHTxWIDTH or auto", accepts_auto=True)


def _size(text: str, others: str, *, accepts_auto: bool) -> tuple[int, int]:
    from cnnstudio.data.dataset import DataError
    from cnnstudio.data.images.sizes import AUTOMATIC, MAXIMUM_SIDE, parse_size

    with suppress(DataError):
        if (size := parse_size(text)) != AUTOMATIC or accepts_auto:
            return size
    raise argparse.ArgumentTypeError(f"must be an integer from 1 to {MAXIMUM_SIDE:,}, {others}")


def read_integer(text: str) -> int:
    """An argparse type for an integer whose range is checked later."""
    value = _parsed(text, whole=True)
    if not isinstance(value, int):
        raise argparse.ArgumentTypeError(f"must be an integer, got {describe_value(text)}")
    return value


def read_number(text: str) -> float:
    """An argparse type for a finite number, with a decimal point or comma, whose range is checked later."""
    value = _parsed(text, whole=False)
    # An integer with 400 digits does not fit into a float.
    if value is None or not abs(value) <= sys.float_info.max:
        raise argparse.ArgumentTypeError(f"must be a number, got {describe_value(text)}")
    return float(value)


def _parsed(text: str, *, whole: bool) -> int | float | None:
    try:
        return parse_number(text, whole=whole)
    except ParameterError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def option_type(parameter: Parameter) -> Callable[[str], Any]:
    """An argparse type that parses and validates a parameter."""

    def read(text: str) -> Any:
        try:
            return parameter.from_text(text)
        except ParameterError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read
