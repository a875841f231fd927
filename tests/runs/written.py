"""A run folder that is written by hand, event by event, as another program would write it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cnnstudio.design.file import write_design
from cnnstudio.design.network import Network
from cnnstudio.files import write_json
from cnnstudio.training.events import Event
from cnnstudio.training.recipe import Recipe
from tests.training.networks import tiny

ELSEWHERE = "gpu-3"


class WrittenRun:
    """Says that it runs on another machine, whose lock does not reach this one."""

    def __init__(self, folder: Path, network: Network | None = None) -> None:
        self.folder = folder
        folder.mkdir()
        self.events = folder / "events.jsonl"
        network = network or tiny()
        write_design(folder / "design.cnn.json", network)
        write_json(folder / "recipe.json", Recipe("mine", epochs=8).to_json())
        (folder / "lock").touch()
        self.about: dict[str, Any] = {
            "format": "cnnstudio.run",
            "version": 1,
            "name": network.name,
            "status": "running",
            "host": ELSEWHERE,
            "created": "2026-11-23T08:00:00.000001+00:00",
            "data": {"source": "shapes", "fingerprint": "abc"},
            "classes": ["a", "b", "c"],
        }
        self.describe()

    def describe(self, **about: object) -> None:
        """Writes `run.json`, with these values changed."""
        self.about |= about
        write_json(self.folder / "run.json", self.about)

    def say(self, *events: Event) -> None:
        """Adds whole lines."""
        self.say_bytes(lines(events))

    def say_bytes(self, data: bytes) -> None:
        with open(self.events, "ab") as file:
            file.write(data)

    def beat(self, seconds_ago: float = 0.0) -> None:
        """A sign of life, by the clock of the drive."""
        moment = time.time() - seconds_ago
        os.utime(self.folder / "lock", (moment, moment))


def lines(events: Iterable[Event]) -> bytes:
    return b"".join(json.dumps(event.to_json()).encode() + b"\n" for event in events)
