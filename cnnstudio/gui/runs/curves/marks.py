"""Marks on the axis of epochs: pauses, changes, resumes, trouble, and the best epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from cnnstudio.core.formatting import format_duration
from cnnstudio.core.parameters import shorten

MAX_MARKS = 100
_MAX_LABEL, _MAX_TEXT = 60, 240
"""Characters."""

Kind = Literal["change", "rate", "pause", "resume", "trouble", "best"]
_IMPORTANCE: tuple[Kind, ...] = ("trouble", "best", "change", "rate", "pause", "resume")
"""Of marks at one place, the most important one names the flag."""


@dataclass(frozen=True)
class Mark:
    """A place on the axis with a word for its flag, and a sentence that the flag opens to."""

    epoch: float
    label: str
    text: str
    kind: Kind


class Marks:
    """The marks of a run in the order in which they were set, at most the last MAX_MARKS."""

    def __init__(self) -> None:
        self._marks: list[Mark] = []

    def __iter__(self) -> Iterator[Mark]:
        return iter(tuple(self._marks))

    def __len__(self) -> int:
        return len(self._marks)

    def add(self, epoch: float, label: str, text: str, kind: Kind) -> None:
        """Sets a mark. Simultaneous ones share a flag: two would cover each other."""
        last = self._marks[-1] if self._marks else None
        if last is not None and last.epoch == epoch:
            self._marks.pop()
            text = f"{last.text} {text}"
            if last.kind == kind:
                label = f"{last.label}, {label}"
            elif _IMPORTANCE.index(last.kind) < _IMPORTANCE.index(kind):
                label, kind = last.label, last.kind
        self._marks.append(Mark(epoch, shorten(label, _MAX_LABEL), shorten(text, _MAX_TEXT), kind))
        del self._marks[:-MAX_MARKS]

    def begin_pause(self, epoch: float, step: int, *, goes_on: bool) -> None:
        """A pause begins; if it `goes_on`, because a single step was taken in it, its mark moves."""
        if goes_on and self._marks and self._marks[-1].kind == "pause":
            self._marks.pop()
        self.add(epoch, "paused", f"Paused after step {step:,}.", "pause")

    def end_pause(self, seconds: float | None) -> None:
        """Says how long the last pause was, if that is known."""
        if seconds is not None and self._marks and self._marks[-1].kind == "pause":
            last, duration = self._marks[-1], format_duration(seconds)
            label = shorten(last.label.replace("paused", f"paused {duration}"), _MAX_LABEL)
            text = shorten(last.text.replace("Paused", f"Paused for {duration}"), _MAX_TEXT)
            self._marks[-1] = replace(last, label=label, text=text)

    def has(self, kind: Kind) -> bool:
        """Whether there is a mark of that kind."""
        return any(mark.kind == kind for mark in self._marks)

    def truncate(self, epoch: float) -> None:
        """Removes the marks from `epoch` on."""
        self._marks = [mark for mark in self._marks if mark.epoch < epoch]
