"""What several commands take: a design by file or template, images, a recipe, a device, threads."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnstudio.cli.command import Parser, UsageError
from cnnstudio.cli.output import LiveLine
from cnnstudio.core.errors import ParameterError
from cnnstudio.core.files import exists, is_folder
from cnnstudio.core.parameters import Parameter
from cnnstudio.design.network import Network

if TYPE_CHECKING:
    from cnnstudio.core.progress import CancelFunction
    from cnnstudio.data.dataset import Dataset
    from cnnstudio.data.sources import Source

DESIGN_HELP = "a design file, or the name of a template (cnnstudio template list)"
RUN_HELP = "a run's folder, or its name (cnnstudio runs list)"
MOST_THREADS = 1024


def read_design_argument(text: str) -> Network:
    """The design of that file, or the template of that name. Raises UserError."""
    from cnnstudio.design.file import SUFFIX, read_design
    from cnnstudio.design.templates import templates

    path = Path(text)
    if is_folder(path):
        raise UsageError(f"{text} is a folder, but a design is a file that ends in {SUFFIX}")
    if not exists(path) and text in templates():
        return templates()[text].network
    if not exists(path):
        names = ", ".join(templates())
        raise UsageError(f"there is no file “{text}” and no template of that name; the templates are {names}")
    return read_design(path)


def require_trainable(network: Network) -> None:
    """Says what is wrong with the drawing before any image is read."""
    from cnnstudio.design.analysis.analysis import analyze

    problems = analyze(network).problems
    if problems:
        more = f" (and {len(problems) - 1} more: cnnstudio summary)" if len(problems) > 1 else ""
        raise UsageError(f"this cannot be trained: {problems[0].sentence}{more}")


def add_data_option(parser: Parser) -> None:
    """`--data`."""
    parser.add_argument(
        "--data",
        metavar="NAME or FOLDER",
        help="data set (default: CIFAR-10 where it is ready, else Shapes)",
    )


def add_recipe_option(parser: Parser) -> None:
    """`--recipe`."""
    parser.add_argument(
        "--recipe",
        metavar="NAME or FILE",
        help="studio (the default), lesson, fast-cpu, fast-gpu, one of your own or a file",
    )


def available_source(data: str | None) -> Source:
    """The data set of that name or folder, or else the default one. Raises UserError."""
    from cnnstudio.data.sources import find_source

    if data is None:
        cifar10 = find_source("cifar10")
        return cifar10 if cifar10.available() else find_source("shapes")
    source = find_source(data)
    if not source.available():
        raise UsageError(f"{source.title} is not on this machine yet: cnnstudio data download {source.name}")
    return source


def load_images(source: Source, cancelled: CancelFunction) -> Dataset:
    """The images; what is to be known of them goes to standard error. Raises UserError or Cancelled."""
    line = LiveLine()
    try:
        dataset = source.load(line.follow, cancelled)
    finally:
        line.clear()
    for note in dataset.notes:
        print(f"{dataset.title}: {note}", file=sys.stderr)
    return dataset


def place_of(source: Source) -> str:
    """By which `find_source` finds the images again, from anywhere: the name, or else the folder."""
    from cnnstudio.data.sources import sources

    if any(known.name == source.name for known in sources()):
        return source.name
    return str(getattr(source, "folder", source.name))


def add_device_options(parser: Parser) -> None:
    """`--device` and `--threads`."""
    parser.add_argument(
        "--device",
        default="auto",
        metavar="D",
        help="auto, cpu, cuda, cuda:1 or mps (default: the best there is)",
    )
    parser.add_argument("--threads", type=_threads, metavar="N", help="threads to compute with on the CPU")


def _threads(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MOST_THREADS:
        cores = f"this machine has {os.cpu_count() or 1} cores"
        raise argparse.ArgumentTypeError(
            f"a whole number from 1 to {MOST_THREADS:,} is needed, not “{text}”; {cores}"
        )
    return int(text)


def option_type(parameter: Parameter) -> Callable[[str], Any]:
    """Reads a parameter from the command line; what it refuses becomes argparse's error."""

    def read(text: str) -> Any:
        try:
            return parameter.check(_number(text))
        except ParameterError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
