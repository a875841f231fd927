"""Run folders written by hand, event by event, as another program would write them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cnnstudio.core.files import write_json
from cnnstudio.design.file import write_design
from cnnstudio.design.network import Network
from cnnstudio.training.events import Event
from cnnstudio.training.recipe.recipe import Recipe
from tests.training.networks import tiny

ELSEWHERE = "gpu-3"
RECIPE = Recipe("mine", epochs=8)


class WrittenRun:
    """A run that claims to be running on another machine, whose lock is not visible here."""

    def __init__(self, folder: Path, network: Network | None = None, recipe: Recipe = RECIPE) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.events = folder / "events.jsonl"
        network = network or tiny()
        write_design(folder / "design.cnn.json", network)
        write_json(folder / "recipe.json", recipe.to_json())
        (folder / "lock").touch()
        self.metadata: dict[str, Any] = {
            "format": "cnnstudio.run",
            "version": 1,
            "name": network.name,
            "status": "running",
            "host": ELSEWHERE,
            "created": "2026-11-23T08:00:00.000001+00:00",
            "data": {"source": "shapes", "fingerprint": "abc", "test": 1000},
            "classes": ["a", "b", "c"],
        }
        self.update_metadata()

    def update_metadata(self, **changes: object) -> None:
        """Writes `run.json` with these values changed."""
        self.metadata |= changes
        write_json(self.folder / "run.json", self.metadata)

    def append(self, *events: Event) -> None:
        """Appends whole lines."""
        self.append_bytes(lines(events))

    def append_bytes(self, data: bytes) -> None:
        with open(self.events, "ab") as file:
            file.write(data)

    def beat(self, seconds_ago: float = 0.0) -> None:
        """A heartbeat, by the clock of the drive."""
        moment = time.time() - seconds_ago
        os.utime(self.folder / "lock", (moment, moment))


def lines(events: Iterable[Event]) -> bytes:
    return b"".join(json.dumps(event.to_json()).encode() + b"\n" for event in events)


def trained(folder: Path, network: Network, accuracies: Iterable[float], recipe: Recipe = RECIPE) -> None:
    """Completed runs of the design with these accuracies and consecutive seeds."""
    for seed, accuracy in enumerate(accuracies):
        run = WrittenRun(folder / f"{recipe.name}-{seed}", network, recipe.replace(seed=seed))
        run.update_metadata(status="completed", test={"loss": 1.0, "accuracy": accuracy})
