"""What a command is, and how all commands are found.

Commands import what they need inside `run`, so that `cnnstudio --help` does not wait for torch.
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
"""Exit statuses: success; training or export failed; invalid input; stopped by the user."""


class UsageError(UserError):
    """An invalid command line."""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises UsageError, with a message of one line, instead of exiting."""

    def error(self, message: str) -> NoReturn:
        """Overrides argparse's, which would print the usage and exit. Always raises UsageError."""
        raise UsageError(f"{message.removeprefix('argument ')} (see “{self.prog} --help”)")


class Command(ABC):
    """One subcommand of `cnnstudio`."""

    name: ClassVar[str]
    help: ClassVar[str]
    """A short phrase for the list of commands."""
    examples: ClassVar[Sequence[str]] = ()
    order: ClassVar[int] = 0
    """Sort key in the list of commands."""

    @abstractmethod
    def add_arguments(self, parser: Parser) -> None:
        """Declares the arguments."""

    @abstractmethod
    def run(self, options: argparse.Namespace) -> int:
        """Runs the command and returns the exit status. Raises UserError for invalid input."""


@cache
def commands() -> Mapping[str, Command]:
    """All commands by name, found in the modules of `cnnstudio.cli.commands`."""
    found: list[Command] = []
    for module_info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{module_info.name}")
        for value in vars(module).values():
            if inspect.isclass(value) and issubclass(value, Command) and value.__module__ == module.__name__:
                found.append(value())
    found.sort(key=lambda command: (command.order, command.name))
    return MappingProxyType({command.name: command for command in found})


def add_subcommands(parser: Parser, dest: str) -> argparse._SubParsersAction[Parser]:
    """Lets a required subcommand follow, whose name is stored as `dest`; see `add_subcommand`."""
    return parser.add_subparsers(
        title="commands", dest=dest, metavar="COMMAND", required=True, parser_class=Parser
    )


def add_subcommand(subparsers: argparse._SubParsersAction[Parser], name: str, help: str) -> Parser:
    """Adds a subcommand; `help` is a short phrase, which its own help page shows as a sentence."""
    return subparsers.add_parser(name, help=help, description=f"{help[:1].upper()}{help[1:]}.")


def add_json_option(parser: Parser) -> None:
    """Adds `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
