"""How much an open window slows down training, and whether the window stays responsive.

    python benchmarks/gui_cost.py [--batch-sizes 32 128] [--pairs 12] [--block 10]
                                  [--page explore] [--json FILE]

In one process, the lesson's network trains on Shapes, started with Train in the real window. Blocks of a few
seconds take turns: in one the window is open with all views of a page, in the next it is hidden and its
thread sleeps, as if there were no window. So a busy machine slows down both, and the share is the median over
the pairs. The CPU time of the window's thread hardly depends on what else the machine does.

Then a timer of 10 ms runs in the window's thread, across many ends of epochs; its speed does not count,
because each tick takes a core from torch. At last, Train is pressed in fresh windows within their first
second, while torch is still being imported, and the same timer measures the longest stop until the first
steps. Without a display, the window is drawn offscreen.
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
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cnnstudio.training.events import EpochEnded, Event, Progress
from cnnstudio.training.recipe.built_in import LESSON
from cnnstudio.training.recipe.recipe import Recipe

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from cnnstudio.gui.shell.main_window import MainWindow

GOAL_SHARE = 0.95
GOAL_LATE_P99, GOAL_LATE_MAXIMUM = 16.0, 50.0
GOAL_LONGEST_STOP = 150.0
TICK_MILLISECONDS = 10
SETTLE_SECONDS = 6.0
"""From the first step to the first measurement: what is created at the first use must not count."""
PRESS_AFTER_SECONDS = 0.5
"""From the first paint of a fresh window to pressing Train."""
PAGES = {"train": 2, "explore": 3}
"""The pages whose views can be measured, with their numbers."""
DATA = "shapes"
ENDLESS = 10_000


def recipe(batch_size: int) -> Recipe:
    return LESSON.replace(name="custom", batch_size=batch_size, epochs=ENDLESS)


class StepClock:
    """The steps of the running training and the ends of its epochs, with the times when they were sent."""

    def __init__(self, window: MainWindow) -> None:
        self.steps: list[tuple[float, int]] = []
        self.epochs: list[float] = []
        queue = window.session._runner.queue
        put = queue.put

        def record(event: Event) -> None:
            # Called by the compute thread, before the window's thread learns of the event.
            if isinstance(event, Progress):
                self.steps.append((time.perf_counter(), event.step))
            elif isinstance(event, EpochEnded):
                self.epochs.append(time.perf_counter())
            put(event)

        queue.put = record  # type: ignore[method-assign]  # only to listen

    def at(self, moment: float) -> float:
        """The step at a moment, interpolated between the two events around it."""
        times = [when for when, _ in self.steps]
        after = next(index for index, when in enumerate(times) if when > moment)
        (t0, step0), (t1, step1) = self.steps[after - 1], self.steps[after]
        return step0 + (step1 - step0) * (moment - t0) / (t1 - t0)

    def rate(self, begin: float, end: float) -> float:
        """Steps per second."""
        return (self.at(end) - self.at(begin)) / (end - begin)


class TimerProbe:
    """Measures the delays of a timer in the main thread."""

    def __init__(self) -> None:
        from PySide6.QtCore import Qt, QTimer

        self.late: list[float] = []
        self._last = 0.0
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TICK_MILLISECONDS)
        self._timer.timeout.connect(self._on_tick)

    def start(self) -> None:
        self._last = time.perf_counter()
        self._timer.start()

    def stop(self) -> list[float]:
        """All delays in ms, sorted."""
        self._timer.stop()
        return sorted(self.late)

    def _on_tick(self) -> None:
        now = time.perf_counter()
        self.late.append(max(1000 * (now - self._last) - TICK_MILLISECONDS, 0.0))
        self._last = now


def open_window(batch_size: int) -> tuple[QApplication, MainWindow]:
    """The real window as the program shows it, with curves, feature maps and timeline."""
    os.environ.setdefault("QT_QPA_PLATFORM", "xcb" if "DISPLAY" in os.environ else "offscreen")
    from cnnstudio.gui.shell.app import application, create_window

    app = application()
    window = create_window()
    window.resize(1440, 900)
    window.project.set_dataset(DATA, None)
    window.project.set_recipe(recipe(batch_size))
    window.project.select(["conv2d_2"])
    window.show()
    return app, window


def process_events(app: QApplication, until: Callable[[], bool]) -> None:
    """Runs the event loop as `exec` does, sleeping while nothing happens, until the condition holds."""
    from PySide6.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    poll = QTimer()
    poll.timeout.connect(lambda: until() and loop.quit())
    poll.start(100)
    loop.exec()
    poll.stop()


def with_window(app: QApplication, window: MainWindow, seconds: float) -> dict[str, float]:
    """Begin and end of a block with all views open, and the main thread's CPU time as a share of it."""
    from PySide6.QtCore import QEventLoop, QTimer

    window.show()
    # Showing it and drawing what has gathered meanwhile is no part of a training.
    begin = time.perf_counter()
    process_events(app, lambda: time.perf_counter() - begin > 1.0)
    loop = QEventLoop()
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    begin, computed = time.perf_counter(), time.thread_time()
    loop.exec()
    end = time.perf_counter()
    return {"begin": begin, "end": end, "main": (time.thread_time() - computed) / (end - begin)}


def without_window(app: QApplication, window: MainWindow, seconds: float) -> dict[str, float]:
    """Begin and end of a block in which the main thread sleeps, as a headless training has it."""
    window.hide()
    begin = time.perf_counter()
    process_events(app, lambda: time.perf_counter() - begin > 0.3)
    begin = time.perf_counter()
    time.sleep(seconds)
    return {"begin": begin, "end": time.perf_counter()}


def compare(batch_size: int, pairs: int, block: float, page: int) -> dict[str, Any]:
    """The window's cost in one process, and then the delays of the timer."""
    app, window = open_window(batch_size)
    clock = StepClock(window)
    process_events(app, lambda: not window.session.is_busy and bool(window.session.devices))
    window.tool_bar.train_action.trigger()
    process_events(app, lambda: bool(clock.steps))
    window.pages.turn_to(page)
    first = time.perf_counter()
    process_events(app, lambda: time.perf_counter() - first > SETTLE_SECONDS)
    sides: list[tuple[dict[str, float], dict[str, float]]] = []
    for number in range(pairs):
        # Alternating: whatever warms up or cools down must not favor one side.
        if number % 2:
            off = without_window(app, window, block)
            on = with_window(app, window, block)
        else:
            on = with_window(app, window, block)
            off = without_window(app, window, block)
        sides.append((on, off))
    window.show()
    begin = time.perf_counter()
    process_events(app, lambda: time.perf_counter() - begin > 1.0)
    probe, begin = TimerProbe(), time.perf_counter()
    probe.start()
    process_events(app, lambda: time.perf_counter() - begin > max(2 * block, 5.0))
    late, end = probe.stop(), time.perf_counter()
    epochs = sum(begin < when < end for when in clock.epochs)
    window.session.shutdown()
    rates = [
        tuple(batch_size * clock.rate(side["begin"], side["end"]) for side in (on, off)) for on, off in sides
    ]
    shares = [on / off for on, off in rates]
    return {
        "with window, images/s": round(statistics.median(on for on, _ in rates)),
        "without window, images/s": round(statistics.median(off for _, off in rates)),
        "share": statistics.median(shares),
        "share_of_each_pair": shares,
        "main_thread_share": statistics.median(on["main"] for on, _ in sides),
        **percentiles(late),
        "ends_of_epochs": epochs,
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def percentiles(late: list[float]) -> dict[str, float]:
    shares = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    return {
        **{f"late_{name}_ms": late[int(len(late) * share)] for name, share in shares},
        "late_maximum_ms": late[-1],
        "ticks": len(late),
    }


def fresh(batch_size: int, *_: float) -> dict[str, Any]:
    """Train pressed in the first second of a fresh window: the delays until 6 s after the first step."""
    from PySide6.QtCore import QTimer

    app, window = open_window(batch_size)
    clock, probe = StepClock(window), TimerProbe()
    process_events(app, lambda: window._is_painted)
    probe.start()
    pressed = time.perf_counter() + PRESS_AFTER_SECONDS
    QTimer.singleShot(round(1000 * PRESS_AFTER_SECONDS), window.tool_bar.train_action.trigger)
    process_events(app, lambda: bool(clock.steps))
    first = time.perf_counter()
    process_events(app, lambda: time.perf_counter() - first > SETTLE_SECONDS)
    late = probe.stop()
    window.session.shutdown()
    return {**percentiles(late), "longest_stops_ms": late[:-6:-1], "seconds_to_first_step": first - pressed}


SIDES = {"compare": compare, "fresh": fresh}


def measure(side: str, *values: float) -> dict[str, Any]:
    """One measurement in a fresh process, with a home folder of its own."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "CNNSTUDIO_HOME": home}
        command = [sys.executable, __file__, "--side", side, "--values", *map(str, values)]
        finished = subprocess.run(command, env=environment, capture_output=True, text=True)
    if finished.returncode or "Traceback" in finished.stderr:
        # An error in a method that Qt calls does not end the process.
        raise SystemExit(f"{side} ended with status {finished.returncode}:\n{finished.stderr}")
    return dict(json.loads(finished.stdout.splitlines()[-1]))


def report(batch_size: int, found: dict[str, Any]) -> None:
    print(f"batch {batch_size}")
    print(f"  images/s without window {found['without window, images/s']:8,}")
    print(f"  images/s with window    {found['with window, images/s']:8,}")
    print(f"  share                   {found['share']:8.1%}   (goal: at least {GOAL_SHARE:.0%})")
    print(f"  main thread busy        {found['main_thread_share']:8.1%} of the time")
    print(f"  timer delay, p50        {found['late_p50_ms']:8.1f} ms")
    print(f"  timer delay, p95        {found['late_p95_ms']:8.1f} ms")
    print(f"  timer delay, p99        {found['late_p99_ms']:8.1f} ms (goal: at most {GOAL_LATE_P99:.0f})")
    latest = found["late_maximum_ms"]
    print(f"  timer delay, maximum    {latest:8.1f} ms (goal: at most {GOAL_LATE_MAXIMUM:.0f})")
    print(f"  during {found['ends_of_epochs']} ends of epochs", flush=True)


def report_fresh(rows: list[dict[str, Any]]) -> None:
    print("Train pressed in the first second of a fresh window")
    for row in rows:
        stops = ", ".join(f"{stop:.0f}" for stop in row["longest_stops_ms"])
        print(f"  longest stops {stops} ms; first step after {row['seconds_to_first_step']:.1f} s")
    longest = statistics.median(row["late_maximum_ms"] for row in rows)
    print(f"  longest stop, median    {longest:8.1f} ms (goal: at most {GOAL_LONGEST_STOP:.0f})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch-sizes", type=int, nargs="*", default=[32, 128])
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--block", type=float, default=10.0, help="seconds of a block")
    parser.add_argument("--fresh", type=int, default=5, help="number of fresh windows")
    parser.add_argument("--page", choices=PAGES, default="train", help="the page whose views are open")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--values", type=float, nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        batch_size, pairs, block, page = options.values
        print(json.dumps(SIDES[options.side](int(batch_size), int(pairs), block, int(page))))
        return
    result: dict[str, Any] = {}
    for batch_size in options.batch_sizes:
        result[str(batch_size)] = measure(
            "compare", batch_size, options.pairs, options.block, PAGES[options.page]
        )
        report(batch_size, result[str(batch_size)])
    if options.fresh:
        rows = [measure("fresh", 32, 0, 0, 0) for _ in range(options.fresh)]
        result["fresh"] = rows
        report_fresh(rows)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
