"""Short trainings on a few of the built-in shapes, and what is reported of them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from cnnstudio.data.dataset import Dataset
from cnnstudio.data.images.resizing import resize
from cnnstudio.data.sources import find_source
from cnnstudio.design.network import Network
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.events import Diagnosed, DiagnosisKind, Event, Finished
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.trainer import train
from tests.advice.bases import SIZE

SEEDS = (1, 2, 3)
TEST_IMAGES = 400


@cache
def shapes(images: int) -> Dataset:
    """So many training images of the built-in shapes, small, and always the same test images."""
    whole = find_source("shapes").load()
    random = np.random.default_rng(0)
    train, test = (random.permutation(len(split)) for split in (whole.train, whole.test))
    splits = {"train": whole.train.select(train[:images]), "test": whole.test.select(test[:TEST_IMAGES])}
    return resize(whole.with_splits(splits), (3, SIZE, SIZE))


def accuracy(network: Network, recipe: Recipe, images: int) -> float:
    """On the test images, of the epoch that was best on them; 0 if the training failed."""
    finished = train(network, shapes(images), recipe, device="cpu", threads=1, emit=lambda event: None)
    return finished.test.accuracy if finished.test is not None else 0.0


@dataclass(frozen=True)
class Outcome:
    """How a run ended, and everything that was said of it."""

    accuracy: float
    diagnosed: tuple[DiagnosisKind, ...]
    has_completed: bool


def diagnosed_run(network: Network, recipe: Recipe, images: int) -> Outcome:
    """A run as a user starts it, with its folder, because some diagnoses need the feature maps."""
    events: list[Event] = []
    with tempfile.TemporaryDirectory() as folder:
        options = RunOptions(folder=Path(folder) / "run", device="cpu", threads=1)
        finished = start_run(network, shapes(images), recipe, options, emit=events.append)
    return Outcome(_test_accuracy(finished), tuple(_kinds(events)), finished.outcome == "completed")


def _test_accuracy(finished: Finished) -> float:
    return finished.test.accuracy if finished.test is not None else 0.0


def _kinds(events: list[Event]) -> Iterator[DiagnosisKind]:
    return (event.kind for event in events if isinstance(event, Diagnosed))
