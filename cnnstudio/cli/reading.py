"""What several commands take: a design by file or template, a device, threads."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cnnstudio.cli.command import Parser, UsageError
from cnnstudio.design.network import Network
from cnnstudio.files import exists, is_folder
from cnnstudio.layers.errors import ParameterError
from cnnstudio.layers.params import Parameter

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
