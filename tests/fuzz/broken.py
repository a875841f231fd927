"""A target with every kind of fault, to test the fuzzers with."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from cnnstudio.core.errors import UserError
from tests.fuzz.target import Attempts, Target


class Broken(Target):
    """Does what its file says."""

    fuzzed: ClassVar = ("file.txt",)
    may_leave: ClassVar = ("out.txt",)
    cpu_seconds: ClassVar = 1
    megabytes: ClassVar = 100

    def prepare(self, folder: Path) -> None:
        (folder / "file.txt").write_text("fine")

    def run(self, folder: Path, names: list[str], attempt: Attempts) -> None:
        path = folder / "file.txt"
        wish = path.read_text()
        actions: dict[str, Callable[[], object]] = {
            "fine": lambda: (folder / "out.txt").write_text("allowed"),
            "refuse": _refuse,
            "raise": lambda: [][1],
            "end": _end,
            "crash": lambda: os.kill(os.getpid(), signal.SIGSEGV),
            "loop": _loop,
            "memory": lambda: len(bytearray(os.urandom(1) * (200 * 2**20))),
            "too much memory": lambda: len(bytearray(2**40)),
            "leave": lambda: (folder / "other.txt").write_text("left"),
            "leave elsewhere": lambda: tempfile.mkdtemp(),
            "change": lambda: path.write_text("changed"),
            "log": lambda: logging.getLogger("x").error("logged"),
        }
        attempt(wish, actions[wish])


def _refuse() -> None:
    raise UserError("The file is damaged.")


def _end() -> None:
    raise SystemExit(3)


def _loop() -> None:
    while True:
        pass
