"""What a command is, and how all of them are found.

Importing a command must be quick: what it needs is imported in `run`, so that none waits for torch in vain.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import ClassVar, NoReturn

import cnnstudio.cli.commands as package
from cnnstudio.core.errors import UserError

DONE, FAILED, WRONG_INPUT, STOPPED = 0, 1, 2, 130
"""Exit statuses: done; training or export failed; the input was wrong; stopped by the user."""


class UsageError(UserError):
    """A command line that cannot be understood."""


class Parser(argparse.ArgumentParser):
    """An argument parser that says in one line what is wrong, and raises it as UsageError."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message.removeprefix('argument ')} (“{self.prog} --help” tells more)")


class Command(ABC):
    """One word after `cnnstudio`."""

    name: ClassVar[str]
    help: ClassVar[str]
    """Half a sentence for the list of commands."""
    examples: ClassVar[Sequence[str]] = ()
    order: ClassVar[int] = 0
    """Place in the list of commands."""

    @abstractmethod
    def arguments(self, parser: Parser) -> None:
        """Declares the options."""

    @abstractmethod
    def run(self, options: argparse.Namespace) -> int:
        """Does it and gives the exit status. Raises UserError for wrong input."""


@cache
def commands() -> Mapping[str, Command]:
    """Name -> command, found by walking `cnnstudio.cli.commands`."""
    found: list[Command] = []
    for module_info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{module_info.name}")
        for value in vars(module).values():
            if inspect.isclass(value) and issubclass(value, Command) and value.__module__ == module.__name__:
                found.append(value())
    found.sort(key=lambda command: (command.order, command.name))
    return MappingProxyType({command.name: command for command in found})


def add_subcommands(parser: Parser, chosen: str) -> argparse._SubParsersAction[Parser]:
    """A list of words, one of which has to follow; it is stored as `chosen`."""
    return parser.add_subparsers(dest=chosen, metavar="COMMAND", required=True, parser_class=Parser)


def add_json_option(parser: Parser) -> None:
    """`--json`, the same for all."""
    parser.add_argument("--json", action="store_true", help="print JSON for programs instead of text")
