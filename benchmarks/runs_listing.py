"""The time to list all runs for the table of runs, first and every later time, and to arrange them.

The runs are written by hand in a temporary home: 30 epochs each, of five designs and recipes. The first time
reads every run's files; later ones read the kept summaries and only check whether a file has changed.
`list_runs`, which reads each `run.json` and nothing else, takes turns with it. At last the runs are sorted
and grouped in the window's table, drawn offscreen: the CPU time of the window's thread for each click, in
milliseconds, and as a multiple of what a plain list of as many rows takes to be laid out.

    python benchmarks/runs_listing.py [--runs 1000 10000] [--rounds 5] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cnnstudio.design.file import design_text
from cnnstudio.design.templates import templates
from cnnstudio.runs.library.arrangement import SAME_TRAINING, Query, arrange
from cnnstudio.runs.library.columns import differing
from cnnstudio.runs.library.finding import list_runs, runs_folder
from cnnstudio.runs.library.listing import list_summaries
from cnnstudio.training.events import EpochEnded, Event, Progress, Scores
from cnnstudio.training.recipe.built_in import STUDIO

GOALS = {1_000: 0.3, 10_000: 2.0}
"""Seconds for that many runs, each time but the first."""
GOAL_CLICK = 50.0
"""Milliseconds for which the window stops, with each number of runs."""
EPOCHS, STEPS = 30, 40


def _log(seed: int) -> bytes:
    events: list[Event] = []
    for epoch in range(1, EPOCHS + 1):
        step, loss = epoch * STEPS, 2.0 / epoch + seed % 7 / 50
        losses = (loss,) * STEPS
        position = (step, EPOCHS * STEPS, float(epoch), losses, (0.5,) * STEPS, step - STEPS + 1)
        events.append(Progress(*position, 1000.0, 0.05, epoch * 2.0, None))
        validation = Scores(loss + 0.1, min(0.3 + epoch / 60 + seed % 11 / 100, 1.0))
        events.append(EpochEnded(epoch, Scores(loss, 0.5), validation, 1000.0, 0.05, 2.0, True))
    return b"".join(json.dumps(event.to_json()).encode() + b"\n" for event in events)


def write_runs(count: int) -> None:
    """That many completed runs in the user's folder."""
    networks = [each.network for each in templates().values()][:5]
    texts = [design_text(network) for network in networks]
    for number in range(count):
        network, folder = networks[number % 5], runs_folder() / f"run-{number:05d}"
        folder.mkdir(parents=True)
        (folder / "design.cnn.json").write_text(texts[number % 5])
        recipe = STUDIO.replace(epochs=EPOCHS, learning_rate=0.01 * (1 + number % 5), seed=number % 50)
        (folder / "recipe.json").write_text(json.dumps(recipe.to_json()))
        (folder / "events.jsonl").write_bytes(_log(number))
        metadata = {
            "format": "cnnstudio.run",
            "version": 1,
            "name": network.name,
            "status": "completed",
            "host": "here",
            "created": f"2026-{1 + number % 12:02d}-{1 + number % 28:02d}T08:00:{number % 60:02d}+00:00",
            "data": {"source": "cifar10", "fingerprint": "abc", "test": 1000},
            "classes": ["a", "b"],
            "parameters": 300_000 + number % 5,
            "seconds": 60.0,
            "best_epoch": EPOCHS,
            "test": {"loss": 1.0, "accuracy": 0.7},
        }
        (folder / "run.json").write_text(json.dumps(metadata))


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measure(count: int, rounds: int) -> dict[str, float]:
    """Medians in seconds."""
    write_runs(count)
    first = _seconds(list_summaries)
    runs, query = list_summaries().runs, Query("lesson", "best", group=SAME_TRAINING)
    assert len(runs) == count
    later, plain, arranged = [], [], []
    for _ in range(rounds):
        later.append(_seconds(list_summaries))
        plain.append(_seconds(list_runs))
        arranged.append(_seconds(lambda: (arrange(runs, query), differing(runs))))
    return {
        "first": first,
        "later": statistics.median(later),
        "list_runs": statistics.median(plain),
        "arranged": statistics.median(arranged),
    }


def measure_clicks(rounds: int) -> dict[str, float]:
    """Medians for the runs in the temporary home, in ms of the window's thread, and as a ratio."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtCore import QStringListModel
    from PySide6.QtWidgets import QTreeView

    from cnnstudio.gui.shell.app import application, create_window

    app = application()
    window = create_window()
    window.show()
    window.show_runs()
    table = window.runs_overlay.table
    while not table.runs:
        app.processEvents()
        time.sleep(0.01)
    app.processEvents()

    def click(call: Callable[[], object]) -> float:
        began = time.thread_time()
        call()
        app.processEvents()
        return 1000 * (time.thread_time() - began)

    sorts = [click(partial(table.view.sorted_by.emit, key)) for key in ("best", "run", "started") * rounds]
    keys = ("network", "", SAME_TRAINING, "")
    groups = [click(partial(table.head.grouped.emit, key)) for key in keys * rounds]
    plain, model = QTreeView(), QStringListModel(["run"] * len(table.runs))
    plain.setUniformRowHeights(True)
    plain.show()
    layouts = [click(lambda: (plain.setModel(None), plain.setModel(model))) for _ in range(rounds)]
    window.session.shutdown()
    window.close()
    found = {"sort": statistics.median(sorts), "group": statistics.median(groups)}
    return {**found, "click_ratio": statistics.median(sorts) / statistics.median(layouts)}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, nargs="+", default=list(GOALS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = {}
    print(
        f"{'runs':>8} {'first':>9} {'later':>9} {'goal':>7} {'list_runs':>10} {'ratio':>6} {'arranged':>9} "
        f"{'sort':>7} {'group':>7} {'goal':>7} {'ratio':>6}"
    )
    for count in options.runs:
        with tempfile.TemporaryDirectory() as home:
            os.environ["CNNSTUDIO_HOME"] = home
            times = measure(count, options.rounds) | measure_clicks(options.rounds)
        found[str(count)] = times
        goal = f"{GOALS[count]:.1f} s" if count in GOALS else ""
        ratio = times["later"] / times["list_runs"]
        print(
            f"{count:8,} {times['first']:7.2f} s {times['later']:7.3f} s {goal:>7} "
            f"{times['list_runs']:8.2f} s {ratio:6.2f} {times['arranged']:7.3f} s "
            f"{times['sort']:4.0f} ms {times['group']:4.0f} ms {GOAL_CLICK:4.0f} ms "
            f"{times['click_ratio']:6.1f}"
        )
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    slow = any(found[str(count)]["later"] > GOALS[count] for count in options.runs if count in GOALS)
    return int(slow or any(max(each["sort"], each["group"]) > GOAL_CLICK for each in found.values()))


if __name__ == "__main__":
    sys.exit(main())
