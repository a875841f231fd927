"""Trainings that are started and stopped in the window, again and again: nothing of them may stay behind.

    QT_QPA_PLATFORM=offscreen python -m tests.gui.compute.cycle_campaign --cycles 500

Each is stopped at a random moment: while it loads, at some step, while it waits, after its epoch, by another
one that goes on from it, or with the window; some come to their end. After ten trainings the window, with its
session and its thread, is a new one.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent, QTimer
from PySide6.QtWidgets import QApplication, QMainWindow

from cnnstudio.core.paths import home
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.dashboard.dashboard import Dashboard
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.tool_bar import TrainingPanel
from cnnstudio.training.recipe.recipe import Recipe
from tests.footprint import Footprint
from tests.gui.fakes import TINY, image_folder

LONG = Recipe("cycle", epochs=200, batch_size=8, learning_rate=0.01)
SHORT = LONG.replace(epochs=2)
TRAININGS = 10
"""Of one window."""
SECONDS = 60.0


def until(reached: Callable[[], bool]) -> None:
    """Lets Qt work until that is so."""
    deadline = time.monotonic() + SECONDS
    while not reached():
        assert time.monotonic() < deadline, "a training did not end"
        QCoreApplication.processEvents()
        time.sleep(0.001)


def for_a_while(seconds: float) -> None:
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() > end)


class Studio:
    """A small window with all that training needs."""

    def __init__(self, data: str) -> None:
        self.project = Project(TINY)
        self.session = TrainingSession()
        self.window = QMainWindow()
        self.window.addToolBar(TrainingPanel(self.project, self.session))
        self.window.setCentralWidget(Dashboard(self.project, self.session))
        self.window.show()
        self.data = data

    def cycle(self, chance: random.Random) -> None:
        """One training, stopped at a random moment."""
        self.session.start(TINY, self.data, chance.choice([SHORT, LONG]))
        moments = [
            self.while_it_loads,
            self.at_a_step,
            self.in_a_pause,
            self.after_the_epoch,
            self.by_another,
        ]
        chance.choice(moments)(chance.uniform(0, 0.05))
        self.until_idle()

    def while_it_loads(self, seconds: float) -> None:
        for_a_while(seconds / 10)
        self.session.stop()

    def at_a_step(self, seconds: float) -> None:
        self.until_it_runs(seconds)
        self.session.stop()

    def in_a_pause(self, seconds: float) -> None:
        self.until_it_runs(seconds)
        self.session.pause()
        until(lambda: self.session.state in (State.PAUSED, State.IDLE))
        self.session.stop()

    def after_the_epoch(self, seconds: float) -> None:
        self.until_it_runs(seconds)
        self.session.stop_after_epoch()

    def by_another(self, seconds: float) -> None:
        self.until_it_runs(seconds)
        self.session.continue_with(TINY, self.data, SHORT)

    def until_it_runs(self, seconds: float) -> None:
        until(lambda: self.session.state is not State.LOADING)
        for_a_while(seconds)

    def until_idle(self) -> None:
        until(lambda: self.session.state is State.IDLE and not self.session.is_busy)
        shutil.rmtree(home() / "runs", ignore_errors=True)

    def close(self) -> None:
        """Closes the window, maybe in the middle of a training."""
        assert self.session.shutdown(SECONDS)
        self.window.close()
        for thing in (self.window, self.session):
            thing.deleteLater()
        # Without an event loop of its own, Qt deletes only when it is told to.
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        shutil.rmtree(home() / "runs", ignore_errors=True)


def trainings(count: int, data: str, chance: random.Random) -> None:
    for number in range(0, count, TRAININGS):
        studio = Studio(data)
        for _ in range(min(TRAININGS, count - number) - 1):
            studio.cycle(chance)
        studio.session.start(TINY, data, LONG)
        for_a_while(chance.uniform(0, 0.1))
        studio.close()


def qt_objects() -> Counter[str]:
    """What Python holds of Qt, by its kind; timers that tick are counted once more."""
    found = Counter(type(thing).__name__ for thing in shiboken6.getAllValidWrappers())
    ticking = [
        each for each in shiboken6.getAllValidWrappers() if isinstance(each, QTimer) and each.isActive()
    ]
    return found + Counter({"ticking QTimer": len(ticking)})


def campaign(data: str, cycles: int, seed: int) -> str:
    """What so many cycles have left behind, in words. Raises AssertionError where that is anything."""
    chance = random.Random(seed)
    warm_up = max(cycles // 10, TRAININGS)
    trainings(warm_up, data, chance)
    before, objects = Footprint.now(), qt_objects()
    trainings(cycles - warm_up, data, chance)
    words = before.compared(Footprint.now(), cycles - warm_up)
    grown = qt_objects() - objects
    # What each window left behind would be as many as there were windows; a cache fills and is full.
    windows = (cycles - warm_up) // TRAININGS
    assert all(count < windows for count in grown.values()), f"{words}; objects of Qt: {grown}"
    return f"{words}, {grown.total():+} objects of Qt"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    application = QApplication([])
    with tempfile.TemporaryDirectory() as place:
        os.environ["CNNSTUDIO_HOME"] = str(Path(place) / "home")
        print(campaign(str(image_folder(Path(place) / "data")), options.cycles, options.seed))
