"""Runs a fuzzer: draws inputs, has them tried in a process of their own, and keeps those with a fault."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st

from tests.fuzz.inputs import inputs
from tests.fuzz.mutations import Files, Special
from tests.fuzz.target import Target

ROOT = Path(__file__).resolve().parents[2]
COUNT = int(os.environ.get("FUZZ_INPUTS", "3000"))
"""How many inputs of each target `make fuzz` tries."""
_ANSWER_SECONDS = 300
"""Until a process that neither computes nor answers counts as hanging."""


class ChildProcess:
    """The process that tries inputs; started again after it has died."""

    def __init__(self, targets: Sequence[type[Target]], folder: Path) -> None:
        self._targets = targets
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._start()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "QT_QPA_PLATFORM": "offscreen",
            "OMP_NUM_THREADS": "1",
            # Each thread's own heap would reserve address space, which is limited.
            "MALLOC_ARENA_MAX": "2",
        }
        self._errors = self._folder / "stderr"
        with theirs, open(self._errors, "wb") as errors:
            names = [f"{target.__module__}:{target.__name__}" for target in self._targets]
            command = [sys.executable, "-m", "tests.fuzz.child", str(self._folder), str(theirs.fileno())]
            self._process = subprocess.Popen(
                [*command, *names],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                env=environment,
                cwd=self._folder,
            )
        self._connection = Connection(ours.detach())
        try:
            self.originals: dict[str, dict[str, bytes]] = self._connection.recv()
        except (EOFError, OSError):
            self.close()
            raise AssertionError(f"the fuzzer cannot start: {self._last_words()}") from None

    def attempt(
        self, target: type[Target], files: Files, is_repaired: bool
    ) -> tuple[int, dict[str, str], list[tuple[str, str]]]:
        """(number of accepted steps, refused steps, faults)"""
        try:
            self._connection.send((target.__name__, files, is_repaired))
            if not self._connection.poll(_ANSWER_SECONDS):
                self.close()
                fault = ("hangs", f"no answer for {_ANSWER_SECONDS} s: {self._last_words()}")
            else:
                return self._connection.recv()  # type: ignore[no-any-return]  # what child.py sends
        except (EOFError, OSError):
            status = self._process.wait()
            words = self._last_words()
            kind = signal.Signals(-status).name if status < 0 else f"exit status {status}"
            if kind == "SIGPROF":
                kind = f"more than {target.cpu_seconds} s"
            place = next((line for line in words.splitlines() if "/cnnstudio/" in line), "").strip()
            fault = (f"died: {kind} {place}", words)
        self._start()
        return 0, {}, [fault]

    def _last_words(self) -> str:
        return self._errors.read_text(errors="replace")[-6000:]

    def close(self) -> None:
        self._connection.close()
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()


def fuzz(child: ChildProcess, target: type[Target], count: int, kept: Path) -> None:
    """Tries that many inputs, and fails if there is a fault. Inputs with a fault are written to `kept`."""
    faults: dict[str, tuple[int, str]] = {}
    """What a fault is recognized by -> (how often, where its input is kept and what happened)."""
    results: Counter[str] = Counter()

    @given(inputs(child.originals[target.__name__]), st.sampled_from([True, True, False]))
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    def try_inputs(files: Files, is_repaired: bool) -> None:
        accepted, refused, found = child.attempt(target, files, is_repaired)
        results["inputs"] += 1
        results["refused in part"] += bool(refused) and bool(accepted)
        results["refused"] += not accepted
        for recognized_by, text in found:
            times = faults.get(recognized_by, (0, ""))[0]
            if not times:
                place = kept / f"{target.__name__}-{len(faults) + 1:02}"
                _keep(files, is_repaired, place, f"{recognized_by}\n{text}")
                faults[recognized_by] = (1, f"{place}\n{text}")
            else:
                faults[recognized_by] = (times + 1, faults[recognized_by][1])

    try_inputs()
    summary = f"{target.__name__}: {dict(results)}, {len(faults)} kinds of faults"
    print(summary)
    listed = "\n\n".join(f"== {name} ({times}×)\n{text}" for name, (times, text) in faults.items())
    assert not faults, f"{summary}\n\n{listed}"


def _keep(files: Files, is_repaired: bool, folder: Path, fault: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fault.txt").write_text(fault, errors="backslashreplace")
    (folder / "input.pickle").write_bytes(pickle.dumps((files, is_repaired)))
    for name, content in files.items():
        path = folder / name.replace("/", "__")
        if isinstance(content, Special):
            path.with_name(path.name + ".txt").write_text(f"a {content.kind}")
        else:
            path.write_bytes(content)
