"""Training speed beside another busy program, compared with the speed alone.

    python benchmarks/beside_others.py [--template lesson-32] [--batch-sizes 32 128] [--seconds 20]
                                       [--rounds 5] [--json FILE]

Each round trains six times, always with all threads that torch takes: alone and beside a process that only
computes, with a fixed number of threads (as with `--threads`) and with a number that adapts (as without). A
third pair starts alone; the busy process follows after some seconds, and the speed counts from then on. All
speeds include the time that it takes to notice the other program. Ratios are medians over the rounds, so
that a busy machine changes them less than the speeds. For a valid result nothing else should be running.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

from benchmarks.rivals import noise
from cnnstudio.design.templates import templates
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.control import Control
from cnnstudio.training.events import Event, Progress, ThreadsChanged
from cnnstudio.training.recipe.built_in import LESSON

ALONE, BESIDE, JOINED = "alone", "beside a busy process", "joined by a busy process"
CASES = (ALONE, BESIDE, JOINED)
GOAL_ALONE, GOAL_BESIDE = 0.98, 0.50
IMAGES = 8192
_BUSY = "while True: pass"


@contextlib.contextmanager
def busy_process() -> Iterator[None]:
    """Inside, a process uses as much of one processor as it gets."""
    process = subprocess.Popen([sys.executable, "-c", _BUSY])
    try:
        yield
    finally:
        process.kill()
        process.wait()


class Timer:
    """Images per second of a run since a time, and the changes of its threads; ends the run."""

    def __init__(self, control: Control, stack: contextlib.ExitStack, case: str, seconds: float) -> None:
        self.changes: list[int] = []
        """The numbers of threads that were kept."""
        self.rate = 0.0
        self._control, self._stack = control, stack
        self._seconds = seconds
        self._joins_after = seconds / 4 if case == JOINED else None
        self._first: tuple[float, int] | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, ThreadsChanged) and not event.trial:
            self.changes.append(event.threads)
        if not isinstance(event, Progress):
            return
        now = time.perf_counter()
        if self._first is None:
            # Without the first step, which prepares memory and kernels.
            self._first = now, event.step
            return
        start, step = self._first
        if self._joins_after is not None and now - start >= self._joins_after:
            self._joins_after = None
            self._stack.enter_context(busy_process())
            self._first = time.perf_counter(), event.step
        elif now - start >= self._seconds:
            self.rate = (event.step - step) / (now - start)
            self._control.request_stop()


def steps_per_second(template: str, batch_size: int, case: str, adapts: bool, seconds: float) -> Timer:
    """Trains for about that long."""
    control = Control()
    recipe = LESSON.replace(epochs=10_000, batch_size=batch_size)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        if case == BESIDE:
            stack.enter_context(busy_process())
            time.sleep(0.5)
        timer = Timer(control, stack, case, seconds)
        options = RunOptions(folder=Path(folder) / "run", device="cpu", adapt_threads=adapts)
        start_run(
            templates()[template].network,
            noise(IMAGES, 100),
            recipe,
            options,
            control=control,
            emit=timer,
        )
    return timer


def measure(template: str, batch_size: int, rounds: int, seconds: float) -> dict[str, Any]:
    """The median speeds and ratios."""
    rates: dict[tuple[str, bool], list[float]] = {}
    changes: dict[str, list[list[int]]] = {case: [] for case in CASES}
    for number in range(rounds):
        for case in CASES:
            # In turns, so that neither always comes first.
            for adapts in (False, True) if number % 2 else (True, False):
                timer = steps_per_second(template, batch_size, case, adapts, seconds)
                rates.setdefault((case, adapts), []).append(timer.rate * batch_size)
                if adapts:
                    changes[case].append(timer.changes)
    alone = rates[ALONE, False]
    report: dict[str, Any] = {"template": template, "batch_size": batch_size, "cases": {}}
    print(f"\n{template}, batches of {batch_size}, {torch.get_num_threads()} threads")
    print(f"{'':26}{'fixed':>10}{'adapted':>10}{'fixed':>12}{'adapted':>10}{'adapted':>12}  threads kept")
    print(f"{'':26}{'images/s':>20}{'of fixed alone':>22}{'of fixed':>12}")
    for case in CASES:
        fixed, adapted = rates[case, False], rates[case, True]
        found = {
            "fixed": statistics.median(fixed),
            "adapted": statistics.median(adapted),
            "fixed_of_alone": median_ratio(fixed, alone),
            "adapted_of_alone": median_ratio(adapted, alone),
            "adapted_of_fixed": median_ratio(adapted, fixed),
            "threads_kept": changes[case],
        }
        report["cases"][case] = found
        print(
            f"{case:26}{found['fixed']:10,.0f}{found['adapted']:10,.0f}{found['fixed_of_alone']:12.2f}"
            f"{found['adapted_of_alone']:10.2f}{found['adapted_of_fixed']:12.2f}  {changes[case]}",
            flush=True,
        )
    return report


def median_ratio(first: list[float], second: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(first, second, strict=True))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--template", default="lesson-32")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["CNNSTUDIO_HOME"] = home
        reports = [
            measure(options.template, size, options.rounds, options.seconds) for size in options.batch_sizes
        ]
    is_reached = all(
        report["cases"][ALONE]["adapted_of_fixed"] >= GOAL_ALONE
        and min(report["cases"][case]["adapted_of_alone"] for case in (BESIDE, JOINED)) >= GOAL_BESIDE
        for report in reports
    )
    print(
        f"\nGoals: adapted alone at least {GOAL_ALONE} of fixed; beside a busy process at least "
        f"{GOAL_BESIDE} of alone: {'reached' if is_reached else 'missed'}"
    )
    if options.json:
        options.json.write_text(json.dumps(reports, indent=2) + "\n")
    return int(not is_reached)


if __name__ == "__main__":
    sys.exit(main())
