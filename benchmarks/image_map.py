"""The time for one frame while the points of an embedding move, and for a frame with one image pointed at.

A map of 10,000 points, and of 2,000 as the instrument takes them, moves from one epoch to the next; each
frame is computed and painted as in the window. The rounds take turns, and the time is that of the processor.

    QT_QPA_PLATFORM=offscreen python benchmarks/image_map.py [--rounds 25] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from PySide6.QtWidgets import QApplication

from cnnstudio.gui.dashboard.views.parts.image_map.groups import Groups
from cnnstudio.gui.dashboard.views.parts.image_map.widget import ImageMap
from cnnstudio.gui.theme.theme import theme

GOAL_MS = 50.0
"""For one frame of 10,000 points: 20 frames a second."""
SIZE = 944, 560
CLASSES = 10


def create_map(count: int) -> ImageMap:
    """A map in the middle of a movement between two epochs."""
    random = np.random.default_rng(0)
    members = np.arange(count) % CLASSES
    angles = 2 * np.pi * members / CLASSES
    points = np.stack([np.cos(angles), np.sin(angles)], 1) + 0.4 * random.normal(size=(count, 2))
    images = random.integers(0, 255, (count, 3, 32, 32)).astype(np.uint8)
    area = ImageMap()
    area.resize(*SIZE)
    numbers = np.arange(count)
    area.show_points(numbers, points.astype(np.float32), images, lambda row: (f"Image {row}",))
    area.show_groups(Groups("class", tuple(f"class {number}" for number in range(CLASSES)), members))
    area.show()
    later = (points + 0.1 * random.normal(size=(count, 2))).astype(np.float32)
    area._from, area._points = area._drawn, later
    return area


def frame_ms(area: ImageMap, share: float) -> float:
    """One frame of the movement, in milliseconds of the processor."""
    began = time.process_time()
    area._on_step(share)
    area.repaint()
    return 1_000 * (time.process_time() - began)


def pointed_ms(area: ImageMap, row: int) -> float:
    """A frame in which another image is pointed at, in milliseconds of the processor."""
    began = time.process_time()
    area._hover(row)
    area.repaint()
    return 1_000 * (time.process_time() - began)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    application = QApplication(sys.argv[:1])
    theme().apply(application)
    maps = {count: create_map(count) for count in (2_000, 10_000)}
    application.processEvents()
    found: dict[str, list[float]] = {}
    for number in range(options.rounds):
        for count, area in maps.items():
            found.setdefault(f"moving, {count:,} points", []).append(frame_ms(area, 0.1 + number / 100))
            found.setdefault(f"pointed at, {count:,} points", []).append(pointed_ms(area, number))
    results = {name: {"median": statistics.median(each), "max": max(each)} for name, each in found.items()}
    for name, each in results.items():
        print(f"{name:28} {each['median']:6.1f} ms, at most {each['max']:6.1f} ms")
    print(f"The goal for 10,000 points that move is {GOAL_MS:.0f} ms.")
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=2), "utf-8")


if __name__ == "__main__":
    main()
