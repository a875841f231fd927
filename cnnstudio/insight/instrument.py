"""What an instrument is: one way to look into a model, with the same result for every view and command.

An instrument is one file in `cnnstudio/insight/instruments/`, with a class for it and one for its readings,
and is found there (`catalog`). Importing it does not import torch: views draw readings before torch has been
loaded, and `take` imports it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from cnnstudio.core.errors import UserError
from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    ignore_progress,
    never_cancelled,
    raise_if_cancelled,
)
from cnnstudio.data.dataset import Labels, Pixels, Split, Subset
from cnnstudio.insight.reading import Array, Reading

if TYPE_CHECKING:
    from cnnstudio.insight.confidence.reference_images import References
    from cnnstudio.insight.layer_statistics import LayerStatistics
    from cnnstudio.training.model import Model

_Result = TypeVar("_Result")

Probabilities = npt.NDArray[np.float32]

Taking = Generator[float, None, Reading]
"""Yields the fraction done, from 0 to 1, after each slice of work, and returns the reading."""

SLICE_SECONDS = 0.008
"""What a slice aims at; it should not take more than 0.01 s, because a training waits meanwhile."""
LONG_SLICE_SECONDS = 0.1
"""The same while nothing waits: few images at a time take longer, above all on a busy machine."""

_seconds = ContextVar("seconds", default=SLICE_SECONDS)


def slice_seconds() -> float:
    """What a slice aims at now."""
    return _seconds.get()


@contextmanager
def long_slices() -> Iterator[None]:
    """Slices that are worked on meanwhile are long ones: no training waits for them."""
    token = _seconds.set(LONG_SLICE_SECONDS)
    try:
        yield
    finally:
        _seconds.reset(token)


class InstrumentError(UserError):
    """What was asked for cannot be shown of this model; the message says why."""


class When(Enum):
    """When an instrument's readings are taken."""

    STEPS = "each few steps"
    EPOCH = "at each epoch's end"
    DEMAND = "on demand"


class Need(Enum):
    """What an instrument needs besides a model."""

    LAYER = "a layer"
    IMAGES = "a few images to show"
    EXAMPLES = "example images"
    """More than are shown, so that it can be told which units are dead."""
    SPLIT = "labeled images"
    TRAINING = "training images"


@dataclass(frozen=True, eq=False)
class Subject:
    """What an instrument looks at. Which of these it needs, it says itself; the others may be missing."""

    classes: tuple[str, ...] = ()
    """The names of the model's classes."""
    layer: str | None = None
    """The id of a node of the design."""
    images: Pixels | None = None
    """A few images, uint8 (N, C, H, W), of the model's input size."""
    image: int = 0
    """The index of the one that is shown, where only one is."""
    labels: Labels | None = None
    """The classes of these images, int64 (N,), where they are known."""
    split: Split | Subset | None = None
    """Images with known classes, of the model's input size."""
    split_title: str = "validation images"
    """What these are, for people."""
    training: Split | Subset | None = None
    """The images that the model was trained on, of its input size."""
    references: References | None = None
    """What the model makes of those, if already known."""
    cell: tuple[int, int] | None = None
    """Only images of the first class that are predicted as the second."""
    rows: tuple[int, ...] | None = None
    """Only these images of the split, by number."""
    flip: bool = False
    """Whether predictions are averaged over each image and its mirror image, as the run's evaluation does."""
    probabilities: Probabilities | None = None
    """The model's probabilities for the images of `split`, float32 (N, classes), if already known."""
    statistics: LayerStatistics | None = None
    """Of the outputs of all layers for `images`, if they were collected already."""
    other_weights: Mapping[str, Array] | None = None
    """The weights of another epoch to compare with: name -> array, as in the model's state dict."""
    reference: Reading | None = None
    """The same instrument's reading of the run's reference epoch; None if this is of that epoch itself."""


class Instrument(ABC):
    """One way to look into a model."""

    name: ClassVar[str]
    """As `cnnstudio inspect --instrument` and files name it. Never change it."""
    title: ClassVar[str]
    """As people read it."""
    reading: ClassVar[type[Reading]]
    when: ClassVar[frozenset[When]] = frozenset({When.DEMAND})
    needs: ClassVar[frozenset[Need]]
    needs_probabilities: ClassVar[bool] = True
    """Whether, if it needs a split, it takes the model's probabilities for all images of it."""
    is_aligned: ClassVar[bool] = False
    """Whether its readings follow the one of the run's reference epoch: see `Subject.reference`."""
    evaluates_anew: ClassVar[bool] = False
    """Whether it finds out more about a split's accuracy than an evaluation does."""
    is_kept: ClassVar[bool] = False
    """Whether its readings are small, take long, and are kept on disk for the next time."""
    order: ClassVar[int] = 0
    """Sort key in lists."""

    @abstractmethod
    def take(self, model: Model, subject: Subject) -> Taking:
        """Takes a reading in slices of about SLICE_SECONDS, after each of which it yields.

        The model may be used for something else between two slices: its mode and its weights are then as
        they were, and it has no hooks. Raises InstrumentError.
        """

    def unpack(self, arrays: Mapping[str, Array]) -> Reading:
        """The reading that its `pack` gave. Raises ValueError, in one sentence."""
        return self.reading.unpack(arrays)


def labels_of(images: Split | Subset) -> Labels:
    """The classes, int64 (N,)."""
    return images.split.labels[images.rows] if isinstance(images, Subset) else images.labels


def pixels_of(images: Split | Subset, rows: npt.NDArray[np.intp] | slice) -> Pixels:
    """Some of the images, uint8 (n, C, H, W)."""
    if isinstance(images, Subset):
        return images.split.images[images.rows[rows]]
    return images.images[rows]


def part_of(
    work: Generator[float, None, _Result], first: float, last: float
) -> Generator[float, None, _Result]:
    """The same work, whose fraction done is that of a part of a larger one, from `first` to `last`."""
    try:
        while True:
            yield first + (last - first) * next(work)
    except StopIteration as ended:
        result: _Result = ended.value
        return result
    finally:
        work.close()


def finish(
    work: Generator[float, None, _Result],
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
    text: str = "Computing",
) -> _Result:
    """Runs all slices at once, and returns what they lead to. Raises InstrumentError, and Cancelled."""
    try:
        while True:
            raise_if_cancelled(cancelled)
            done = next(work)
            progress(Progress(round(1000 * done), 1000, f"{text}: {100 * done:.0f}%"))
    except StopIteration as ended:
        result: _Result = ended.value
        return result
    finally:
        work.close()
