"""Starts and stops runs again and again in one process: none may leave anything behind.

    python -m tests.runs.cycle_campaign --cycles 500

Each is stopped at a random moment: before the first step, at a step, during a pause or a save, at the end
of an epoch, or by an error; some complete. The first tenth warms up the caches that libraries never free.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training import metrics
from cnnstudio.training.checkpoints import store
from cnnstudio.training.checkpoints.save_schedule import SaveInterval
from cnnstudio.training.control import Control
from cnnstudio.training.events import EpochEnded, Event, Paused, Progress, Started
from cnnstudio.training.recipe.recipe import Recipe
from tests.footprint import Footprint
from tests.training.images import colors
from tests.training.networks import tiny

RECIPE = Recipe("cycle", epochs=2, batch_size=16, learning_rate=0.01, average_decay=0.9, validation_share=0.2)
NETWORK, DATA = tiny(dropout=True), colors()
STEPS = 2 * 5

Act = Callable[[Event], None]
Moment = Callable[[Control, random.Random], Act]


def do_nothing(event: Event) -> None:
    """Lets the run complete."""


def before_the_first_step(control: Control, chance: random.Random) -> Act:
    control.request_stop()
    return do_nothing


def at(kind: type[Event], act: Callable[[], None], step: int = 0) -> Act:
    def act_if_reached(event: Event) -> None:
        if isinstance(event, kind) and getattr(event, "step", 0) >= step:
            act()

    return act_if_reached


def fail() -> None:
    raise ZeroDivisionError


def during_a_pause(control: Control, chance: random.Random) -> Act:
    control.request_pause()
    return at(Paused, control.request_stop)


MOMENTS: dict[str, Moment] = {
    "completion": lambda control, chance: do_nothing,
    "before the first step": before_the_first_step,
    "the start": lambda control, chance: at(Started, control.request_stop),
    "a step": lambda control, chance: at(Progress, control.request_stop, chance.randint(1, STEPS)),
    "a pause": during_a_pause,
    "saving": lambda control, chance: do_nothing,
    "an epoch's end": lambda control, chance: at(EpochEnded, control.request_stop),
    "after the epoch": lambda control, chance: at(Started, control.request_stop_after_epoch),
    "an error": lambda control, chance: at(Progress, fail, chance.randint(1, STEPS)),
}


@contextmanager
def stopping_while_saving(control: Control) -> Iterator[None]:
    """Inside, the stop is requested between two files of a checkpoint."""
    real = store.write_json

    def write(path: Path, content: object) -> None:
        control.request_stop()
        real(path, content)

    store.write_json = write
    try:
        yield
    finally:
        store.write_json = real


def cycle(folder: Path, name: str, chance: random.Random) -> None:
    """One run, stopped at that moment."""
    control = Control()
    act = MOMENTS[name](control, chance)
    with suppress(ZeroDivisionError):
        if name == "saving":
            with stopping_while_saving(control):
                train(folder, control, act)
        else:
            train(folder, control, act)
    shutil.rmtree(folder)


def train(folder: Path, control: Control, act: Act) -> None:
    start_run(
        NETWORK,
        DATA,
        RECIPE,
        RunOptions(folder=folder, threads=1, interval=SaveInterval(steps=3)),
        control=control,
        emit=act,
    )


def campaign(folder: Path, cycles: int, seed: int) -> str:
    """Describes what that many cycles have left behind. Raises AssertionError for leaked threads."""
    torch.set_num_threads(1)
    metrics.INTERVAL = 0.0
    chance = random.Random(seed)
    names = [*MOMENTS] * (cycles // len(MOMENTS) + 1)
    warm_up = max(cycles // 10, len(MOMENTS))
    for number in range(warm_up):
        cycle(folder / "run", names[number], chance)
    before, threads = Footprint.now(), threading.active_count()
    halfway = before
    for number in range(cycles - warm_up):
        if number == (cycles - warm_up) // 2:
            halfway = Footprint.now()
        cycle(folder / "run", chance.choice(names), chance)
    assert threading.active_count() == threads
    return before.compared(halfway, Footprint.now(), cycles - warm_up)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(campaign(Path(folder), options.cycles, options.seed))
