"""The time to redraw the curves of a run with a million steps, and their memory over ten million.

Both plots of a run are drawn at full size: with few steps, as at the beginning of a run, with a million,
with a million while a part is zoomed to, and with a million while they are hidden. The rounds take turns, and
the time is that of the processor. Then ten million steps are added, a few thousand at a time, and the memory
of the curves is measured on the way.

    QT_QPA_PLATFORM=offscreen python benchmarks/curves.py [--rounds 25] [--steps 1000000] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtWidgets import QApplication

from cnnstudio.gui.plots.learning import LearningView
from cnnstudio.gui.plots.options import CurveOptions
from cnnstudio.gui.runs.history import RunHistory
from cnnstudio.gui.theme.theme import theme
from cnnstudio.training.events import EpochEnded, Event, Progress, Scores, Started

GOAL_MS = 16.0
"""For one redraw of both plots."""
STEPS_PER_EPOCH = 1_563
_BLOCK = 5_000
_MEMORY_STEPS = 10_000_000


def started(epochs: int) -> Started:
    images = 32 * STEPS_PER_EPOCH
    return Started(
        *(None, "Curves", 1, "cpu", 2, epochs, STEPS_PER_EPOCH, 32, images, 1_000, ("a", "b"), "share")
    )


def block(first: int, count: int, total: int, random: np.random.Generator) -> list[Event]:
    """Steps with noise as in a training, and the ends of the epochs among them."""
    x = np.arange(first, first + count) / STEPS_PER_EPOCH
    losses = (0.5 + 1.8 * np.exp(-x / 40)) * np.exp(random.normal(0, 0.2, count))
    accuracies = np.clip(0.8 - 0.7 * np.exp(-x / 40) + random.normal(0, 0.08, count), 0, 1)
    values = tuple(losses.tolist()), tuple(accuracies.tolist())
    last = first + count - 1
    events: list[Event] = [
        Progress(last, total, last / STEPS_PER_EPOCH, *values, first, 2_400.0, 0.05, 1.0, None, 1.5)
    ]
    before = (first - 1) // STEPS_PER_EPOCH
    for epoch in range(before + 1, last // STEPS_PER_EPOCH + 1):
        scores = Scores(0.5 + 1.8 * float(np.exp(-epoch / 40)), 0.7)
        events.append(EpochEnded(epoch, scores, scores, 2_400.0, 0.05, 10.0, False))
    return events


def history_of(steps: int) -> RunHistory:
    random, history = np.random.default_rng(0), RunHistory()
    history.feed([started(-(-steps // STEPS_PER_EPOCH))])
    for first in range(1, steps + 1, _BLOCK):
        history.feed(block(first, min(_BLOCK, steps - first + 1), steps, random))
    return history


def shown(history: RunHistory, *, visible: bool = True) -> LearningView:
    view = LearningView()
    view.resize(920, 800)
    view.set_options(CurveOptions())
    if visible:
        view.show()
    view.show_history(history, history.total_epochs, live=True)
    # Only a window that has been shown is painted.
    QApplication.processEvents()
    return view


def redraw(view: LearningView) -> None:
    """What a frame does when a step has come: all curves are laid out again and painted."""
    for plot in view.shown_plots:
        if plot.isVisible():
            plot.draw()
            plot.plot.viewport().repaint()


def hover(view: LearningView) -> None:
    """What a move of the mouse does: the values are shown, and the curves stay as they are."""
    view._on_hovered((view.hover or 0.0) + 1.0)
    for plot in view.shown_plots:
        plot.plot.viewport().repaint()


def milliseconds(call: Callable[[], object]) -> float:
    """The main thread's own time: other programs on the computer do not count."""
    began = time.thread_time()
    call()
    return 1000 * (time.thread_time() - began)


def measure_redraws(steps: int, rounds: int) -> dict[str, float]:
    """Medians of the cases, which take turns."""
    long = history_of(steps)
    views = {"1,000 steps": shown(history_of(1_000)), f"{steps:,} steps": shown(long)}
    zoomed = views["zoomed to a tenth"] = shown(long)
    end = long.total_epochs
    zoomed._on_range(zoomed.loss, (0.4 * end, 0.5 * end), None)
    views["hidden"] = shown(long, visible=False)
    views["the mouse moves"] = shown(long)
    times: dict[str, list[float]] = {name: [] for name in views}
    for _ in range(rounds):
        for name, view in views.items():
            act = hover if name == "the mouse moves" else redraw
            times[name].append(milliseconds(partial(act, view)))
    return {name: statistics.median(values) for name, values in times.items()}


def size_of(history: RunHistory) -> int:
    """The bytes of all points that are kept."""
    parts = [
        each
        for curves in history.curves.values()
        for each in (curves.steps, curves.epochs, curves.validation)
    ]
    return sum(part.capacity_bytes for part in parts)


def measure_memory() -> dict[int, float]:
    """Megabytes of the curves after so many steps."""
    random, history, found = np.random.default_rng(0), RunHistory(), {}
    history.feed([started(_MEMORY_STEPS // STEPS_PER_EPOCH)])
    for first in range(1, _MEMORY_STEPS, _BLOCK):
        history.feed(block(first, _BLOCK, _MEMORY_STEPS, random))
        done = first + _BLOCK - 1
        if done in (100_000, 1_000_000, 3_000_000, 10_000_000):
            found[done] = size_of(history) / 1e6
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    application = QApplication([])
    theme().apply(application)
    redraws = measure_redraws(arguments.steps, arguments.rounds)
    few = redraws["1,000 steps"]
    print("Redraw of both plots, median                  ms   ratio")
    for name, value in redraws.items():
        print(f"{name:<40} {value:7.2f} {value / few:7.2f}")
    memory = measure_memory()
    for steps, megabytes in memory.items():
        print(f"memory of the curves after {steps:>10,} steps: {megabytes:6.1f} MB")
    reached = redraws[f"{arguments.steps:,} steps"] <= GOAL_MS
    print(f"goal: at most {GOAL_MS:.0f} ms: {'reached' if reached else 'missed'}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"redraw_ms": redraws, "memory_mb": memory}, indent=1))
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
