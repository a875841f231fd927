"""Summaries of runs without their folders, and events, for tests of the table of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cnnstudio.runs.library.summary import RunSummary
from cnnstudio.training.events import EpochEnded, Progress, Scores

NOON = 1_790_000_000.0


def summary(name: str, **values: Any) -> RunSummary:
    """A completed run with that id."""
    defaults: dict[str, Any] = {
        "folder": Path("runs") / name,
        "name": "Lesson CNN",
        "status": "completed",
        "created": NOON,
        "data": "cifar10",
        "recipe_name": "studio",
        "seed": 0,
        "epochs": 8,
        "settings": {},
        "design": "d",
        "design_values": {"input": "3 × 32 × 32"},
    }
    return RunSummary(**defaults | values)


def progress(step: int, loss: float, steps_per_epoch: int = 10) -> Progress:
    return Progress(
        *(step, 1000, step / steps_per_epoch, (loss, loss + 1), (0.5, 0.5), step - 1),
        images_per_second=100.0,
        learning_rate=0.1,
        seconds=step / 2,
        seconds_left=None,
    )


def ended(epoch: int, loss: float, accuracy: float, best: bool = False) -> EpochEnded:
    return EpochEnded(epoch, Scores(1.0, 0.5), Scores(loss, accuracy), 100.0, 0.1, 3.0, best)
