"""`cnnstudio gui`: opens the window."""

from __future__ import annotations

import argparse
from pathlib import Path

from cnnstudio.cli.command import Command, Parser, UsageError
from cnnstudio.core.files import exists


class Window(Command):
    name = "gui"
    help = "open the window, optionally with a design or a run"
    examples = ("cnnstudio gui", "cnnstudio gui my.cnn.json", "cnnstudio gui first-run")
    order = -1

    def add_arguments(self, parser: Parser) -> None:
        parser.add_argument(
            "path", nargs="?", metavar="DESIGN or RUN", help="a design file, or a run's folder or name"
        )

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
    """The path of an existing file or folder, or of the run with that name. Raises UsageError."""
    if exists(Path(text)):
        return text

    from cnnstudio.runs.library.finding import find_run
    from cnnstudio.runs.run import RunError

    try:
        return str(find_run(text).folder)
    except RunError:
        raise UsageError(f"there is no design or run “{text}”") from None
