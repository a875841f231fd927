"""`cnnstudio`: understands the command line, runs the command, and turns every error into one plain line."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cnnstudio import __version__
from cnnstudio.cli.command import DONE, FAILED, STOPPED, WRONG_INPUT, Command, Parser, UsageError, commands
from cnnstudio.core.errors import UserError
from cnnstudio.core.files import exists
from cnnstudio.core.logs import own_error, start_log
from cnnstudio.training.distributed.ranks import speaks_for_all

_log = logging.getLogger(__name__)

_DESCRIPTION = (
    "Draw a convolutional network, train it, watch it learn, take it away. "
    "Without a command, the window opens; with a design or a run's folder instead of one, it opens with that."
)
_EXAMPLES = (
    "cnnstudio",
    "cnnstudio my.cnn.json",
    "cnnstudio template write lesson-32 --out my.cnn.json",
    "cnnstudio train my.cnn.json --data shapes --run first-run",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and gives the exit status: 0 done, 1 failed, 2 wrong input, 130 stopped."""
    _prepare_streams()
    try:
        words = _with_command(sys.argv[1:] if arguments is None else arguments)
        options = build_parser(words[0]).parse_args(words)
        options.words = words
        command: Command = options.command
        status = command.run(options)
        sys.stdout.flush()
        return status
    except UserError as error:
        return _complain(str(error), WRONG_INPUT) if speaks_for_all() else WRONG_INPUT
    except KeyboardInterrupt:
        return _complain("stopped", STOPPED)
    except BrokenPipeError:
        _forget_output()
        return DONE
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _complain(f"{place}{error.strerror or error}", FAILED)
    except Exception as error:
        start_log(on_screen=False)
        _log.exception("An exception that nobody caught")
        return _complain(own_error(error), FAILED)
    except SystemExit as end:
        # --help and --version end argparse this way.
        return end.code if isinstance(end.code, int) else DONE


def build_parser(chosen: str) -> Parser:
    """The parser of the whole command line, with the options of the command `chosen` alone.

    Some options come from what they are about, such as the formats of exports; the others need not wait.
    """
    parser = Parser(
        "cnnstudio",
        description=_DESCRIPTION,
        epilog=_listed(_EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"cnnstudio {__version__}")
    words = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    for name, command in commands().items():
        sentence = f"{command.help[:1].upper()}{command.help[1:]}."
        each = words.add_parser(
            name,
            help=command.help,
            description=sentence,
            epilog=_listed(command.examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == chosen:
            command.arguments(each)
            each.set_defaults(command=command)
    return parser


def _with_command(arguments: Sequence[str]) -> list[str]:
    """The window's command put in where there is none: `cnnstudio` and `cnnstudio my.cnn.json` open it."""
    if not arguments:
        return ["gui"]
    first = arguments[0]
    if first in commands() or first.startswith("-"):
        return list(arguments)
    if exists(Path(first)) or first.endswith(".json") or os.sep in first:
        return ["gui", *arguments]
    raise UsageError(f"there is no command and no file “{first}”; the commands are {', '.join(commands())}")


def _listed(examples: Sequence[str]) -> str:
    return "\n".join(["examples:", *(f"  {example}" for example in examples)]) if examples else ""


def _complain(sentence: str, status: int) -> int:
    try:
        print(f"cnnstudio: {' '.join(sentence.split())}", file=sys.stderr)
    except OSError:
        _forget_output()
    return status


def _prepare_streams() -> None:
    """Signs that the terminal's encoding lacks become escapes, rather than an error within a table."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _forget_output() -> None:
    """Nobody reads any more (`cnnstudio … | head`): lets Python's own flush at the end go nowhere."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, sys.stdout.fileno())
    os.close(sink)
