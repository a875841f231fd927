"""`cnnstudio gui`: the window."""

from __future__ import annotations

import argparse
from pathlib import Path

from cnnstudio.cli.command import Command, Parser, UsageError
from cnnstudio.core.files import exists


class Window(Command):
    name = "gui"
    help = "open the window, with a design or a run's folder in it where one is named"
    examples = ("cnnstudio gui", "cnnstudio gui my.cnn.json", "cnnstudio gui first-run")
    order = -1

    def arguments(self, parser: Parser) -> None:
        parser.add_argument("path", nargs="?", metavar="DESIGN or RUN", help="what to open")

    def run(self, options: argparse.Namespace) -> int:
        from cnnstudio.cli.display import NoDisplay, missing_library, require_display

        path = None if options.path is None else _existing(options.path)
        require_display()
        try:
            from cnnstudio.gui.shell.app import main
        except ImportError as error:
            if "lib" not in str(error) or isinstance(error, ModuleNotFoundError):
                raise
            raise NoDisplay(missing_library(error)) from None
        return main(path)


def _existing(text: str) -> str:
    """A design's file or a run's folder; a run of the user's own can be named too. Raises UsageError."""
    if exists(Path(text)):
        return text

    from cnnstudio.runs.run import RunError, find_run

    try:
        return str(find_run(text).folder)
    except RunError:
        raise UsageError(f"there is no design and no run “{text}”") from None
