"""What a fuzzer tries: files that are damaged, and what the program does with them."""

from __future__ import annotations

import contextlib
import io
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from cnnstudio.core.errors import UserError

_MAX_MESSAGE = 1500


class Target:
    """One kind of input. Subclasses say what is damaged and what is done with it."""

    fuzzed: ClassVar[tuple[str, ...]]
    """Patterns of the files that are damaged."""
    may_leave: ClassVar[tuple[str, ...]] = ()
    """Patterns of files that trying an input may create or change."""
    cpu_seconds: ClassVar[int] = 10
    """Computing time for one step, after which the process is ended."""
    megabytes: ClassVar[int] = 500
    """Memory above that of the process at rest."""

    def prepare(self, folder: Path) -> None:
        """Writes the undamaged files."""
        raise NotImplementedError

    def enter(self, folder: Path) -> None:
        """Called once in each process, when the files are in place."""

    def repair(self, folder: Path, names: list[str]) -> None:
        """Makes checksums right again, so that an input gets past them."""

    def run(self, folder: Path, names: list[str], attempt: Attempts) -> None:
        """What the program does with the damaged files `names`; each step through `attempt`."""
        raise NotImplementedError


class Attempts:
    """Runs the steps of a target; anything that is not an error for the user is a fault."""

    def __init__(self, before_step: Callable[[], object] = lambda: None) -> None:
        self._before_step = before_step
        self.accepted: list[str] = []
        self.refused: dict[str, str] = {}
        """Step -> the message."""
        self.faults: list[tuple[str, str]] = []
        """(what the fault is recognized by, the whole text)"""

    def __call__(self, step: str, action: Callable[[], object]) -> Any:
        """The result of the action; None if it was refused or is at fault."""
        self._before_step()
        try:
            result = action()
        except UserError as error:
            message = str(error)
            self.refused[step] = message
            if not message.strip() or len(message) > _MAX_MESSAGE or "Traceback" in message:
                self.faults.append((f"{step}: no message for a user", message[:3000]))
            return None
        except BaseException as error:
            self.add_error(step, error)
            return None
        self.accepted.append(step)
        return result

    def add_error(self, step: str, error: BaseException) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if "cnnstudio" in frame.filename] or list(frames)
        place = f"{Path(own[-1].filename).name}, {own[-1].name}" if own else "?"
        text = "".join(traceback.format_exception(error))
        self.faults.append((f"{step}: {type(error).__name__} in {place}", text[-6000:]))


def command(*arguments: object) -> Callable[[], str]:
    """Runs a command of the command line, without what turns unexpected errors into a line; its output."""

    def run() -> str:
        from cnnstudio.cli.main import build_parser

        with _captured() as written:
            argv = [str(argument) for argument in arguments]
            options = build_parser(argv[0]).parse_args(argv)
            options.argv = argv
            status = options.command.run(options)
        assert status in (0, 1, 2), f"exit status {status}"
        return written.getvalue().decode("utf-8", "replace")

    return run


@contextlib.contextmanager
def _captured() -> Iterator[io.BytesIO]:
    written = io.BytesIO()
    # As the command line sets up its streams.
    stream = io.TextIOWrapper(written, "utf-8", errors="backslashreplace", write_through=True)
    before = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = stream
    try:
        yield written
    finally:
        sys.stdout, sys.stderr = before
        stream.detach()
