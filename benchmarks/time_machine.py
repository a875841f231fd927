"""How quickly the window opens a long run, moves through its epochs, and turns its pages.

    python benchmarks/time_machine.py [--epochs 200] [--moves 24] [--json FILE]

The lesson's network trains for so many short epochs on a folder of Shapes, as the command line does. Then the
real window, 1280 × 720, opens that run several times; the timeline moves to epochs drawn at random on
Explore, until every visible view has painted that epoch; and pages are turned. `snapshots` are views
that draw what was recorded, `kept weights` are views that compute the reading of one image from them, and
`whole set` is one that computes all validation images, which shows the last result meanwhile. All are
medians and maxima in milliseconds of a process that nothing else shares; `baseline` is the time that one
repaint of the whole window takes. Without a display, the window is drawn offscreen.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from PIL import Image

from benchmarks.gui_cost import process_events
from cnnstudio.data.sources import find_source
from cnnstudio.design.templates import templates
from cnnstudio.runs.epochs import snapshot_budget
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.recipe.built_in import LESSON

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from cnnstudio.gui.dashboard.views.base import View
    from cnnstudio.gui.shell.main_window import MainWindow

GOALS = {"open": 500.0, "snapshots": 50.0, "kept weights": 300.0, "page turn": 50.0}
RECORDED = ("viewConfusion", "viewCalibration")
COMPUTED = ("viewFilters", "viewFeatureMaps")
WHOLE_SET = ("viewMistakes", "viewConfusion")
WARM_UP = 2
"""Moves that do not count: the first ones load the images and the model."""
IMAGES = {"train": 30, "test": 10}
"""Images of each class."""


def write_images(folder: Path) -> Path:
    """A folder of images of Shapes, small enough for two hundred epochs."""
    dataset = find_source("shapes").load()
    for name, split in (("train", dataset.train), ("test", dataset.test)):
        for label, title in enumerate(dataset.classes):
            target = folder / name / title
            target.mkdir(parents=True)
            chosen = [index for index, each in enumerate(split.labels) if each == label][: IMAGES[name]]
            for index in chosen:
                Image.fromarray(split.images[index].transpose(1, 2, 0)).save(target / f"{index}.png")
    return folder


def train(folder: Path, data: Path, epochs: int) -> None:
    """A run with a snapshot and kept weights of every epoch."""
    # Epochs as short as these would otherwise not all have a snapshot.
    snapshot_budget.GRACE_SECONDS = 1e9
    recipe = LESSON.replace(name="custom", epochs=epochs, validation_share=0.2)
    source = find_source(str(data))
    start_run(
        templates()["lesson-32"].network, source.load(), recipe, RunOptions(folder=folder, source=str(data))
    )


def open_window() -> tuple[QApplication, MainWindow]:
    os.environ.setdefault("QT_QPA_PLATFORM", "xcb" if "DISPLAY" in os.environ else "offscreen")
    from cnnstudio.gui.shell.app import application, create_window

    app = application()
    window = create_window()
    window.resize(1280, 720)
    window.show()
    process_events(app, lambda: not window.session.is_busy and bool(window.session.devices))
    return app, window


def wait(app: QApplication, until: Callable[[], bool], seconds: float = 20.0) -> None:
    """Handles events as they come until the condition holds."""
    from PySide6.QtCore import QEventLoop

    deadline = time.perf_counter() + seconds
    while not until():
        app.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 5)
        if time.perf_counter() > deadline:
            raise TimeoutError


def visible_views(window: MainWindow) -> list[View]:
    from cnnstudio.gui.dashboard.views.base import View

    return [view for view in window.findChildren(View) if view.isVisible()]


def shows(view: View, epoch: int) -> bool:
    return re.search(rf"\bepoch {epoch}\b", view.secondary) is not None


def moves(app: QApplication, window: MainWindow, names: tuple[str, ...], epochs: list[int]) -> list[float]:
    """Milliseconds from moving the timeline until both views have painted each of the epochs."""
    window.pages.turn_to(window.pages.EXPLORE)
    for panel, name in zip(window.pages.explore.view_panels, names, strict=False):
        panel.choose(name)
    cursor, views = window.shown_run.cursor, visible_views(window)
    taken = []
    for epoch in epochs:
        began = time.perf_counter()
        cursor.move_to(epoch)
        try:
            wait(app, lambda at=epoch: all(shows(view, at) for view in views))
        except TimeoutError:
            said = {view.name: view.secondary or view.message for view in views}
            raise SystemExit(f"epoch {epoch} was not shown: {said}") from None
        app.processEvents()
        taken.append(1000 * (time.perf_counter() - began))
    return taken[WARM_UP:]


def openings(app: QApplication, window: MainWindow, folder: Path, count: int) -> list[float]:
    """Milliseconds from asking for the run until the window has painted its curves."""
    window.pages.turn_to(window.pages.TRAIN)
    taken: list[float] = []
    shown: list[object] = []
    window.shown_run.cursor.run_changed.connect(shown.append)
    for _ in range(count):
        app.processEvents()
        shown.clear()
        began = time.perf_counter()
        window.runs.open(folder)
        wait(app, lambda: bool(shown))
        app.processEvents()
        taken.append(1000 * (time.perf_counter() - began))
    return taken


def turns(app: QApplication, window: MainWindow, rounds: int) -> list[float]:
    """Milliseconds of page turns, each page having been shown before."""
    taken = []
    for turn in range(5 * (rounds + 1)):
        began = time.perf_counter()
        window.pages.turn_to(turn % 5)
        app.processEvents()
        if turn >= 5:
            taken.append(1000 * (time.perf_counter() - began))
    return taken


def repaints(app: QApplication, window: MainWindow, count: int) -> list[float]:
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        window.grab()
        taken.append(1000 * (time.perf_counter() - began))
    app.processEvents()
    return taken


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--moves", type=int, default=24)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        os.environ["CNNSTUDIO_HOME"] = str(Path(name) / "home")
        folder = Path(name) / "home/runs/long"
        folder.parent.mkdir(parents=True)
        train(folder, write_images(Path(name) / "images"), options.epochs)
        app, window = open_window()
        draw = random.Random(0)
        count = options.moves + WARM_UP
        chosen = [draw.sample(range(1, options.epochs), count) for _ in range(3)]
        results = {
            "open": openings(app, window, folder, 5),
            "snapshots": moves(app, window, RECORDED, chosen[0]),
            "kept weights": moves(app, window, COMPUTED, chosen[1]),
            "whole set": moves(app, window, WHOLE_SET, chosen[2]),
            "page turn": turns(app, window, 4),
            "baseline": repaints(app, window, 20),
        }
        window.session.shutdown()
    print(f"{'':14}{'median':>10}{'most':>10}{'goal':>10}")
    for title, taken in results.items():
        goal = f"{GOALS[title]:7.0f} ms" if title in GOALS else ""
        print(f"{title:14}{statistics.median(taken):7.1f} ms{max(taken):7.1f} ms{goal}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0 if all(statistics.median(results[title]) <= goal for title, goal in GOALS.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
