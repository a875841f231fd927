"""How much an open window slows down training, and whether the window stays responsive.

    python benchmarks/gui_cost.py [--batch-sizes 32 128] [--rounds 3] [--epochs 3] [--json FILE]

The lesson's network trains on Shapes in fresh processes, alternately without and with the real window and
all its live views, so that a busy machine slows down both. Images per second are medians over all epochs
but the first. A third process measures the delays of a 10 ms timer in the window's thread, from 2 s after
the first step. Its training speed does not count, because each tick takes a core from torch. Without a
display, the window is drawn offscreen.
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
TICK_MILLISECONDS = 10
SETTLE_SECONDS = 2.0
DATA = "shapes"


def recipe(batch_size: int, epochs: int) -> Recipe:
    return LESSON.replace(name="custom", batch_size=batch_size, epochs=epochs)


def rate(events: list[Event]) -> float:
    """Images per second, without the first epoch."""
    epochs = [event for event in events if isinstance(event, EpochEnded) and event.epoch > 1]
    return statistics.median(epoch.images_per_second for epoch in epochs)


def without_window(batch_size: int, epochs: int) -> dict[str, Any]:
    """The training as the command line does it, with its run folder."""
    from cnnstudio.data.sources import find_source
    from cnnstudio.runs.start import start_run

    events: list[Event] = []
    network = templates()["lesson-32"].network
    start_run(network, find_source(DATA).load(), recipe(batch_size, epochs), emit=events.append)
    return {"images_per_second": rate(events)}


class TimerProbe:
    """Measures the delays of a timer in the main thread, and how much the thread computes meanwhile."""

    def __init__(self) -> None:
        from PySide6.QtCore import Qt, QTimer

        self.late: list[float] = []
        self._last = 0.0
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TICK_MILLISECONDS)
        self._timer.timeout.connect(self._on_tick)

    def start(self) -> None:
        self._last = self._start = time.perf_counter()
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
            "ticks": len(late),
            "main_thread_share": (time.thread_time() - self._computed) / (time.perf_counter() - self._start),
        }

    def _on_tick(self) -> None:
        now = time.perf_counter()
        self.late.append(max(1000 * (now - self._last) - TICK_MILLISECONDS, 0.0))
        self._last = now


def with_window(batch_size: int, epochs: int, measure_delays: bool = False) -> dict[str, Any]:
    """The same training started with Train, showing curves, feature maps and timeline."""
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
    probe = TimerProbe()

    def on_events(news: tuple[Event, ...]) -> None:
        events.extend(news)
        if measure_delays and any(isinstance(event, Started) for event in news):
            QTimer.singleShot(int(1000 * SETTLE_SECONDS), probe.start)

    def on_state(state: State) -> None:
        if state is State.IDLE:
            app.quit()

    window.session.events.connect(on_events)
    window.session.state_changed.connect(on_state)
    _when_idle(window.session, window.tool_bar.train_action.trigger)
    app.exec()
    measured = {"images_per_second": rate(events), **(probe.stop() if measure_delays else {})}
    window.session.shutdown()
    return measured


def _when_idle(session: TrainingSession, act: Any) -> None:
    """Calls `act` once torch has been loaded in the background."""
    from PySide6.QtCore import QTimer

    def poll() -> None:
        if session.is_busy:
            QTimer.singleShot(50, poll)
        else:
            act()

    QTimer.singleShot(500, poll)


def with_timer_probe(batch_size: int, epochs: int) -> dict[str, Any]:
    return with_window(batch_size, epochs, measure_delays=True)


SIDES = {"without window": without_window, "with window": with_window, "timer": with_timer_probe}


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
    """Medians over the rounds; of the longest delay the maximum."""
    rates = {
        side: statistics.median(row["images_per_second"] for row in found) for side, found in rows.items()
    }
    shares = [
        with_it["images_per_second"] / without["images_per_second"]
        for with_it, without in zip(rows["with window"], rows["without window"], strict=True)
    ]
    ticks = rows["timer"]
    names = ("late_p50_ms", "late_p95_ms", "late_p99_ms", "main_thread_share")
    return {
        **{f"{side}, images/s": round(value) for side, value in rates.items()},
        # Of runs next to each other, because the speed of a shared machine changes from minute to minute.
        "share": statistics.median(shares),
        "share_of_each_round": shares,
        **{name: statistics.median(row[name] for row in ticks) for name in names},
        "late_maximum_ms": max(row["late_maximum_ms"] for row in ticks),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def report(batch_size: int, found: dict[str, Any]) -> None:
    print(f"batch {batch_size}")
    print(f"  images/s without window {found['without window, images/s']:8,}")
    print(f"  images/s with window    {found['with window, images/s']:8,}")
    print(f"  share                   {found['share']:8.1%}   (goal: at least {GOAL_SHARE:.0%})")
    print(f"  timer delay, p50        {found['late_p50_ms']:8.1f} ms")
    print(f"  timer delay, p95        {found['late_p95_ms']:8.1f} ms")
    print(f"  timer delay, p99        {found['late_p99_ms']:8.1f} ms (goal: at most {GOAL_LATE_P99:.0f})")
    latest = found["late_maximum_ms"]
    print(f"  timer delay, maximum    {latest:8.1f} ms (goal: at most {GOAL_LATE_MAXIMUM:.0f})")
    print(f"  main thread busy        {found['main_thread_share']:8.1%} of the time", flush=True)


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
