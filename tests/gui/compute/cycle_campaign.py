"""Starts and stops many trainings in the window and checks that they leak nothing.

    QT_QPA_PLATFORM=offscreen python -m tests.gui.compute.cycle_campaign --cycles 500

Each is stopped at a random moment: while it loads, at some step, while paused, after its epoch, by another
run that continues from it, or by closing the window; some complete. Every ten trainings a new window is
created, with a new session and thread.
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
from pyqtgraph.graphicsItems.GraphicsItem import GraphicsItem
from PySide6.QtCore import QCoreApplication, QEvent, QTimer
from PySide6.QtWidgets import QApplication, QMainWindow

from cnnstudio.core.paths import home
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.shell.garbage import GarbageCollector
from cnnstudio.gui.training.tool_bar import TrainingToolBar
from cnnstudio.training.recipe.recipe import Recipe
from tests.footprint import Footprint
from tests.gui.fakes import TINY, image_folder
from tests.gui.run_stage import RunStage

LONG = Recipe("cycle", epochs=200, batch_size=8, learning_rate=0.01)
SHORT = LONG.replace(epochs=2)
TRAININGS_PER_WINDOW = 10
TIMEOUT_SECONDS = 60.0


def wait_until(condition: Callable[[], bool]) -> None:
    """Processes Qt events until the condition holds."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "a training did not end"
        QCoreApplication.processEvents()
        time.sleep(0.001)


def process_events_for(seconds: float) -> None:
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end)


class Studio:
    """A small window with everything that training needs."""

    def __init__(self, data: str) -> None:
        self.project = Project(TINY)
        self.session = TrainingSession()
        self.window = QMainWindow()
        self.window.addToolBar(TrainingToolBar(self.project, self.session))
        self.window.setCentralWidget(RunStage(self.project, self.session))
        self.window.show()
        self.garbage_collector = GarbageCollector(self.project, self.session, self.window)
        self.data = data

    def cycle(self, rng: random.Random) -> None:
        """One training, stopped at a random moment."""
        self.session.start(TINY, self.data, rng.choice([SHORT, LONG]))
        rng.choice(self.ways_to_stop)(rng.uniform(0, 0.05))
        self.wait_until_idle()

    def stop_in_every_way(self) -> None:
        """One training for each way to stop, and one that completes: what is imported only then is loaded."""
        self.session.start(TINY, self.data, SHORT)
        self.wait_until_idle()
        for stop in self.ways_to_stop:
            self.session.start(TINY, self.data, LONG)
            stop(0.05)
            self.wait_until_idle()

    @property
    def ways_to_stop(self) -> list[Callable[[float], None]]:
        return [
            self.stop_while_loading,
            self.stop_at_a_step,
            self.stop_while_paused,
            self.stop_after_the_epoch,
            self.continue_in_another_run,
        ]

    def stop_while_loading(self, seconds: float) -> None:
        process_events_for(seconds / 10)
        self.session.stop()

    def stop_at_a_step(self, seconds: float) -> None:
        self.wait_until_running(seconds)
        self.session.stop()

    def stop_while_paused(self, seconds: float) -> None:
        self.wait_until_running(seconds)
        self.session.pause()
        wait_until(lambda: self.session.state in (State.PAUSED, State.IDLE))
        self.session.stop()

    def stop_after_the_epoch(self, seconds: float) -> None:
        self.wait_until_running(seconds)
        self.session.stop_after_epoch()

    def continue_in_another_run(self, seconds: float) -> None:
        self.wait_until_running(seconds)
        self.session.continue_with(TINY, self.data, SHORT)

    def wait_until_running(self, seconds: float) -> None:
        wait_until(lambda: self.session.state is not State.LOADING)
        process_events_for(seconds)

    def wait_until_idle(self) -> None:
        wait_until(lambda: self.session.state is State.IDLE and not self.session.is_busy)
        shutil.rmtree(home() / "runs", ignore_errors=True)

    def close(self) -> None:
        """Closes the window, possibly in the middle of a training."""
        assert self.session.shutdown(TIMEOUT_SECONDS)
        self.garbage_collector.stop()
        self.window.close()
        for owner in (self.window, self.session):
            owner.deleteLater()
        # Outside an event loop, Qt handles deferred deletions only when asked to.
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        shutil.rmtree(home() / "runs", ignore_errors=True)


def run_trainings(count: int, data: str, rng: random.Random) -> None:
    for number in range(0, count, TRAININGS_PER_WINDOW):
        studio = Studio(data)
        for _ in range(min(TRAININGS_PER_WINDOW, count - number) - 1):
            studio.cycle(rng)
        studio.session.start(TINY, data, LONG)
        process_events_for(rng.uniform(0, 0.1))
        studio.close()


def qt_objects() -> Counter[str]:
    """The number of Qt wrappers in Python by class; active timers are counted a second time."""
    # One cache for all plots of the process, of up to 100 pairs of points. What it holds depends on what was
    # painted, so until it is full it would look like a leak.
    GraphicsItem._pixelVectorGlobalCache.clear()
    wrappers = shiboken6.getAllValidWrappers()
    found = Counter(type(wrapper).__name__ for wrapper in wrappers)
    active = [wrapper for wrapper in wrappers if isinstance(wrapper, QTimer) and wrapper.isActive()]
    return found + Counter({"active QTimer": len(active)})


def campaign(data: str, cycles: int, seed: int) -> str:
    """Describes what the cycles left behind. Raises AssertionError if they leaked anything."""
    rng = random.Random(seed)
    studio = Studio(data)
    studio.stop_in_every_way()
    studio.close()
    warm_up = max(cycles // 10, TRAININGS_PER_WINDOW)
    run_trainings(warm_up, data, rng)
    before, objects = Footprint.now(), qt_objects()
    half = (cycles - warm_up) // 2
    run_trainings(half, data, rng)
    halfway = Footprint.now()
    run_trainings(cycles - warm_up - half, data, rng)
    summary = before.compared(halfway, Footprint.now(), cycles - warm_up)
    grown = qt_objects() - objects
    # A leak grows with the number of windows; a cache may fill once.
    windows = (cycles - warm_up) // TRAININGS_PER_WINDOW
    assert all(count < windows for count in grown.values()), f"{summary}; Qt objects: {grown}"
    return f"{summary}, {grown.total():+} Qt objects"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    application = QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CNNSTUDIO_HOME"] = str(Path(folder) / "home")
        print(campaign(str(image_folder(Path(folder) / "data")), options.cycles, options.seed))
