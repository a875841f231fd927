"""What the open window costs a training, and whether the window stays awake beside it.

    python benchmarks/gui_cost.py [--batch-sizes 32 128] [--rounds 3] [--epochs 3] [--json FILE]

The lesson's network trains on Shapes in fresh processes, in turn without and with the real window with all
live views on, so that a busy machine slows both; images per second are the medians over the epochs but the
first. In a third process beside them a timer of 10 ms ticks in the window's thread: how late each tick comes,
from 2 s after the first step on. Its own rate does not count, because each tick takes a core from torch. The
window is drawn off the screen unless there is a display.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cnnstudio.design.templates import templates
from cnnstudio.training.events import EpochEnded, Event, Started
from cnnstudio.training.recipe.recipe import LESSON, Recipe

if TYPE_CHECKING:
    from cnnstudio.gui.compute.session import TrainingSession

GOAL_SHARE = 0.95
GOAL_LATE_P99, GOAL_LATE_MAXIMUM = 16.0, 50.0
BEAT_MILLISECONDS = 10
SETTLE_SECONDS = 2.0
DATA = "shapes"


def recipe(batch_size: int, epochs: int) -> Recipe:
    return LESSON.replace(name="custom", batch_size=batch_size, epochs=epochs)


def rate(events: list[Event]) -> float:
    """Images per second, without the first epoch."""
    epochs = [event for event in events if isinstance(event, EpochEnded) and event.epoch > 1]
    return statistics.median(epoch.images_per_second for epoch in epochs)


def without_window(batch_size: int, epochs: int) -> dict[str, Any]:
    """The training as the command line does it: with its run folder, without anybody looking."""
    from cnnstudio.data.sources import find_source
    from cnnstudio.runs.recorder import start_run

    events: list[Event] = []
    network = templates()["lesson-32"].network
    start_run(network, find_source(DATA).load(), recipe(batch_size, epochs), emit=events.append)
    return {"images_per_second": rate(events)}


class Heartbeat:
    """How late a timer of the main thread ticks, and how much the thread computes meanwhile."""

    def __init__(self) -> None:
        from PySide6.QtCore import Qt, QTimer

        self.late: list[float] = []
        self._last = 0.0
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(BEAT_MILLISECONDS)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        self._last = self._began = time.perf_counter()
        self._computed = time.thread_time()
        self._timer.start()

    def stop(self) -> dict[str, float]:
        self._timer.stop()
        late = sorted(self.late)
        return {
            "late_p50_ms": late[len(late) // 2],
            "late_p95_ms": late[int(len(late) * 0.95)],
            "late_p99_ms": late[int(len(late) * 0.99)],
            "late_maximum_ms": late[-1],
            "beats": len(late),
            "main_thread_share": (time.thread_time() - self._computed) / (time.perf_counter() - self._began),
        }

    def _beat(self) -> None:
        now = time.perf_counter()
        self.late.append(max(1000 * (now - self._last) - BEAT_MILLISECONDS, 0.0))
        self._last = now


def with_window(batch_size: int, epochs: int, beats: bool = False) -> dict[str, Any]:
    """The same training behind Train, with curves, feature maps and time line on the screen."""
    os.environ.setdefault("QT_QPA_PLATFORM", "xcb" if "DISPLAY" in os.environ else "offscreen")
    from PySide6.QtCore import QTimer

    from cnnstudio.gui.compute.session import State
    from cnnstudio.gui.shell.app import application, create_window

    app = application()
    window = create_window()
    window.resize(1440, 900)
    window.show()
    window.project.set_dataset(DATA, None)
    window.project.set_recipe(recipe(batch_size, epochs))
    window.project.select(["conv2d_2"])
    events: list[Event] = []
    heartbeat = Heartbeat()

    def on_events(news: tuple[Event, ...]) -> None:
        events.extend(news)
        if beats and any(isinstance(event, Started) for event in news):
            QTimer.singleShot(int(1000 * SETTLE_SECONDS), heartbeat.start)

    def on_state(state: State) -> None:
        if state is State.IDLE:
            app.quit()

    window.session.events.connect(on_events)
    window.session.state_changed.connect(on_state)
    _when_idle(window.session, window.panel.train_action.trigger)
    app.exec()
    measured = {"images_per_second": rate(events), **(heartbeat.stop() if beats else {})}
    window.session.shutdown()
    return measured


def _when_idle(session: TrainingSession, act: Any) -> None:
    """Calls `act` once torch is loaded behind the window."""
    from PySide6.QtCore import QTimer

    def look() -> None:
        if session.is_busy:
            QTimer.singleShot(50, look)
        else:
            act()

    QTimer.singleShot(500, look)


def with_heartbeat(batch_size: int, epochs: int) -> dict[str, Any]:
    return with_window(batch_size, epochs, beats=True)


SIDES = {"without window": without_window, "with window": with_window, "heartbeat": with_heartbeat}


def measure(side: str, batch_size: int, epochs: int, home: str) -> dict[str, Any]:
    """One training in a fresh process."""
    options = ["--side", side, "--batch-sizes", str(batch_size), "--epochs", str(epochs)]
    environment = {**os.environ, "CNNSTUDIO_HOME": home}
    command = [sys.executable, __file__, *options]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True)
    if finished.returncode:
        raise SystemExit(f"{side}: {finished.stderr[-2000:]}")
    return dict(json.loads(finished.stdout.splitlines()[-1]))


def summary(rows: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Medians over the rounds; of the latest beat the worst."""
    rates = {
        side: statistics.median(row["images_per_second"] for row in found) for side, found in rows.items()
    }
    shares = [
        with_it["images_per_second"] / without["images_per_second"]
        for with_it, without in zip(rows["with window"], rows["without window"], strict=True)
    ]
    beats = rows["heartbeat"]
    names = ("late_p50_ms", "late_p95_ms", "late_p99_ms", "main_thread_share")
    return {
        **{f"{side}, images/s": round(value) for side, value in rates.items()},
        # Of neighbors in time, because a shared machine is faster in one minute than in the next.
        "share": statistics.median(shares),
        "share_of_each_round": shares,
        **{name: statistics.median(row[name] for row in beats) for name in names},
        "late_maximum_ms": max(row["late_maximum_ms"] for row in beats),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def report(batch_size: int, found: dict[str, Any]) -> None:
    print(f"batch {batch_size}")
    print(f"  images/s without window {found['without window, images/s']:8,}")
    print(f"  images/s with window    {found['with window, images/s']:8,}")
    print(f"  share                   {found['share']:8.1%}   (goal: at least {GOAL_SHARE:.0%})")
    print(f"  heartbeat late, p50     {found['late_p50_ms']:8.1f} ms")
    print(f"  heartbeat late, p95     {found['late_p95_ms']:8.1f} ms")
    print(f"  heartbeat late, p99     {found['late_p99_ms']:8.1f} ms (goal: at most {GOAL_LATE_P99:.0f})")
    latest = found["late_maximum_ms"]
    print(f"  heartbeat late, at most {latest:8.1f} ms (goal: at most {GOAL_LATE_MAXIMUM:.0f})")
    print(f"  the main thread works   {found['main_thread_share']:8.1%} of the time", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(SIDES[options.side](options.batch_sizes[0], options.epochs)))
        return
    result = {}
    with tempfile.TemporaryDirectory() as home:
        for batch_size in options.batch_sizes:
            rows: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
            for _ in range(options.rounds):
                for side, found in rows.items():
                    found.append(measure(side, batch_size, options.epochs, home))
            result[str(batch_size)] = summary(rows)
            report(batch_size, result[str(batch_size)])
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
