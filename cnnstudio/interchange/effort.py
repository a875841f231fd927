"""Bounds the time and memory that reading a listing takes, whatever is in it."""

from __future__ import annotations

import re
import time

from cnnstudio.interchange.chain import CodeError

TOO_COMPLEX = "the code is too complex to read: use a listing of a network, with short loops"

MAXIMUM_CHARACTERS = 1_000_000
"""The longest listing, checked before it is parsed."""
TOO_LONG = f"the code is longer than {MAXIMUM_CHARACTERS:,} characters"

MAXIMUM_WORDS = 250_000
"""The most words, signs and line ends: each takes up to 0.8 kB in a syntax tree. A megabyte of
ordinary code has fewer; one of `x=1` has a million."""
TOO_MANY_WORDS = f"the code has more than {MAXIMUM_WORDS:,} words and signs"

MAXIMUM_STEPS = 300_000
"""The most statements and expressions that are evaluated; a typical listing has a few thousand."""
MAXIMUM_ELEMENTS = 4_000_000
"""The most elements of lists and other values that are created, also those that are no longer in use."""
MAXIMUM_SECONDS = 2.5
"""The most computing time of the thread. The other limits are reached sooner by what is known to be slow."""

_STEPS_PER_CLOCK = 16
_WORD = re.compile(r"\w+|[^\w\s]|\n")


def check_length(code: str) -> None:
    """Raises CodeError if the code is too long to be parsed."""
    if len(code) > MAXIMUM_CHARACTERS:
        raise CodeError(TOO_LONG)
    if sum(1 for _ in _WORD.finditer(code)) > MAXIMUM_WORDS:
        raise CodeError(TOO_MANY_WORDS)


class Effort:
    """Counts what reading one listing takes. All methods raise CodeError if it is too much."""

    def __init__(self) -> None:
        self.steps = 0
        self._elements = 0
        self._started = time.thread_time()

    @property
    def seconds(self) -> float:
        """Computing time since the start."""
        return time.thread_time() - self._started

    def count_step(self) -> None:
        """Counts one statement or expression."""
        self.steps += 1
        if self.steps > MAXIMUM_STEPS:
            raise CodeError(TOO_COMPLEX)
        if self.steps % _STEPS_PER_CLOCK == 0:
            self.check_time()

    def count_elements(self, number: int) -> None:
        """Counts elements before they are created, or a pass over elements."""
        self._elements += number
        if self._elements > MAXIMUM_ELEMENTS:
            raise CodeError(TOO_COMPLEX)

    def check_time(self) -> None:
        if self.seconds > MAXIMUM_SECONDS:
            raise CodeError(TOO_COMPLEX)
