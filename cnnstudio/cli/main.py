"""`cnnstudio`: parses the command line, runs the command, and prints errors as a single line."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import shutil
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from cnnstudio import __version__
from cnnstudio.cli.command import DONE, FAILED, STOPPED, WRONG_INPUT, Command, Parser, UsageError, commands
from cnnstudio.cli.output import echo
from cnnstudio.core.errors import UserError
from cnnstudio.core.files import exists
from cnnstudio.core.logs import configure_logging, describe_internal_error
from cnnstudio.training.distributed.ranks import is_distributed, is_main_process

_log = logging.getLogger(__name__)

_DESCRIPTION = (
    "Design a convolutional network, train it, watch it learn, and export it. Without a command, opens the "
    "window, and in it the design file or run folder that is given instead."
)
REPORT_SECONDS = 10.0
"""How long the other ranks wait for the first one to report an error."""

_EXAMPLES = (
    "cnnstudio",
    "cnnstudio my.cnn.json",
    "cnnstudio template write lesson-32 --out my.cnn.json",
    "cnnstudio train my.cnn.json --data shapes --run first-run",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status: 0 success, 1 failed, 2 invalid input, 130 stopped."""
    _prepare_streams()
    try:
        argv = _with_command(sys.argv[1:] if arguments is None else arguments)
        options = build_parser(argv[0]).parse_args(argv)
        options.argv = argv
        command: Command = options.command
        with _interrupted_by_signals():
            status = command.run(options)
        sys.stdout.flush()
        return status
    except UserError as error:
        if not is_main_process():
            # All ranks find the same error. torchrun ends the others as soon as one exits, perhaps before the
            # first one, the only one to report it, has printed it; so the others let it exit first.
            time.sleep(REPORT_SECONDS)
            return WRONG_INPUT
        return _print_error(str(error), WRONG_INPUT)
    except _Terminated as end:
        return _print_error("stopped", 128 + end.number)
    except KeyboardInterrupt:
        return _print_error("stopped", STOPPED)
    except BrokenPipeError:
        _discard_output()
        return DONE
    except OSError as error:
        location = f"{error.filename}: " if error.filename else ""
        return _print_error(f"{location}{error.strerror or error}", FAILED)
    except Exception as error:
        configure_logging(on_screen=False)
        _log.exception("Uncaught exception")
        return _print_error(describe_internal_error(error), FAILED)
    except SystemExit as end:
        # argparse exits this way after --help and --version.
        return end.code if isinstance(end.code, int) else DONE


class _Terminated(KeyboardInterrupt):
    """A signal that asks the program to exit."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextlib.contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """Inside, SIGTERM and a closed terminal end the command as Ctrl+C does: what it began is cleaned up.

    Without this they would end the process at once, with half an export in the user's folder. A second signal
    does that. Processes under torchrun are ended at once, because they may be waiting for each other.
    """
    is_main_thread = threading.current_thread() is threading.main_thread()
    names = [] if is_distributed() or not is_main_thread else ["SIGTERM", "SIGHUP"]
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    replaced = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]

    def restore() -> None:
        for number in replaced:
            signal.signal(number, signal.SIG_DFL)

    def interrupt(number: int, frame: FrameType | None) -> None:
        restore()
        raise _Terminated(number)

    for number in replaced:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        restore()


def build_parser(chosen: str) -> Parser:
    """The parser of the whole command line, in which only the command `chosen` has its arguments.

    Some arguments need slow imports, such as the export formats; other commands should not wait for them.
    """
    parser = Parser(
        "cnnstudio",
        description=_wrap(_DESCRIPTION),
        epilog=_example_list(_EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"cnnstudio {__version__}")
    subparsers = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Parser
    )
    for name, command in commands().items():
        description = f"{command.help[:1].upper()}{command.help[1:]}."
        each = subparsers.add_parser(
            name,
            help=command.help,
            description=_wrap(description),
            epilog=_example_list(command.examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == chosen:
            command.add_arguments(each)
            each.set_defaults(command=command)
    return parser


def _with_command(arguments: Sequence[str]) -> list[str]:
    """Inserts `gui` if there is no command: `cnnstudio` and `cnnstudio my.cnn.json` open the window."""
    if not arguments:
        return ["gui"]
    first = arguments[0]
    if first in commands() or first.startswith("-"):
        return list(arguments)
    if exists(Path(first)) or first.endswith(".json") or os.sep in first:
        return ["gui", *arguments]
    raise UsageError(f"there is no command or file “{first}”; the commands are {', '.join(commands())}")


def _wrap(text: str) -> str:
    """Wraps text at the width of the terminal, since the formatter keeps all lines as they are."""
    return textwrap.fill(text, min(shutil.get_terminal_size().columns, 100) - 2)


def _example_list(examples: Sequence[str]) -> str:
    return "\n".join(["examples:", *(f"  {example}" for example in examples)]) if examples else ""


def _print_error(message: str, status: int) -> int:
    try:
        echo(f"cnnstudio: {' '.join(message.split())}", file=sys.stderr)
    except OSError:
        _discard_output()
    return status


def _prepare_streams() -> None:
    """Characters that the terminal cannot encode are escaped, instead of failing in the middle of a table."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    """Redirects stdout to nowhere when its reader has gone (`cnnstudio … | head`).

    Otherwise Python's own flush at exit would fail again and print an error.
    """
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
