"""What views ask about a run, and what is known about it at the moment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cnnstudio.runs.epochs.inspection import OwnImages

Option = str | int | tuple[int, ...] | OwnImages | None


@dataclass(frozen=True)
class Question:
    """What is asked of an instrument. `options` are pairs of names and values, sorted by name.

    The names are those of `runs.epochs.inspection.ReadingRequest`: layer, image, own_images, cell, rows,
    split; and `since`, the epoch to compare with.
    """

    folder: Path | None
    epoch: int
    instrument: str
    options: tuple[tuple[str, Option], ...] = ()

    @property
    def own_images(self) -> OwnImages | None:
        """The images that it asks about, where they are the user's own."""
        return next((value for _, value in self.options if isinstance(value, OwnImages)), None)


@dataclass(frozen=True, eq=False)
class Answer:
    """What is known now: a reading, or how far it is, or why there will be none."""

    reading: object | None = None
    epoch: int | None = None
    """The epoch of the reading: the latest that has one, so it may be before the one asked for."""
    progress: float | None = None
    """The fraction done, from 0 to 1, while a reading is computed or read."""
    problem: str = ""
    """Why there is no reading and will be none, one sentence."""

    @property
    def is_pending(self) -> bool:
        return self.reading is None and not self.problem
