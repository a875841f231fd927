"""The images to review, one after the other, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from cnnstudio.core.formatting import pluralize
from cnnstudio.data.versions.review import ReviewItem

Answer = Literal["kept", "labeled", "excluded"]
_TEXTS: dict[Answer, str] = {"labeled": "relabeled", "excluded": "excluded", "kept": "kept"}


class ReviewList:
    """One item is the current one; after the last one there is none."""

    def __init__(
        self, title: str, items: Sequence[ReviewItem], answers: Mapping[str, Answer] | None = None
    ) -> None:
        """`answers` are those of an earlier review, by file: the first item without one is current then."""
        self.title = title
        self.items = tuple(items)
        self.answers: dict[str, Answer] = dict(answers or {})
        """File -> what became of it."""
        self._given: list[tuple[str, Answer]] = []
        """The answers of this review, the last one at the end."""
        self.index = self._next_open(0)

    @property
    def current(self) -> ReviewItem | None:
        return self.items[self.index] if self.index < len(self.items) else None

    @property
    def answered(self) -> int:
        """How many items have an answer."""
        return sum(item.file in self.answers for item in self.items)

    @property
    def last_answer(self) -> tuple[str, Answer] | None:
        """The file and the answer that were given last in this review."""
        return self._given[-1] if self._given else None

    def _next_open(self, start: int) -> int:
        """The first item without an answer from `start` on; the end if there is none."""
        numbers = range(start, len(self.items))
        return next((n for n in numbers if self.items[n].file not in self.answers), len(self.items))

    def answer(self, answer: Answer) -> None:
        """Notes what becomes of the current item, and goes to the next one without an answer."""
        if self.current is not None:
            self.answers[self.current.file] = answer
            self._given.append((self.current.file, answer))
            self.index = self._next_open(self.index + 1)

    def skip(self) -> None:
        """Goes to the next item; from the end, to the first one without an answer."""
        self.index = self._next_open(0) if self.current is None else self.index + 1

    def back(self) -> None:
        """Goes to the item before."""
        self.index = max(self.index - 1, 0)

    def take_back(self) -> None:
        """Forgets the last answer of this review, and goes to its item."""
        if self._given:
            self.reopen(self._given.pop()[0])

    def reopen(self, file: str) -> None:
        """Goes to the item of that file, if there is one, and forgets what became of it."""
        self.answers.pop(file, None)
        self.go_to(file)

    def go_to(self, file: str) -> bool:
        """Goes to the item of that file; whether there is one."""
        found = next((n for n, item in enumerate(self.items) if item.file == file), None)
        if found is not None:
            self.index = found
        return found is not None

    def describe(self) -> str:
        """What became of all of them, as a sentence or two."""
        total, answered = len(self.items), self.answered
        if not total:
            return "There is nothing to review."
        known = [self.answers[item.file] for item in self.items if item.file in self.answers]
        counts = [f"{known.count(kind):,} {text}" for kind, text in _TEXTS.items() if kind in known]
        details = f": {', '.join(counts)}" if counts else ""
        if answered == total:
            return f"{'All ' if total > 1 else ''}{pluralize(total, 'image')} reviewed{details}."
        left = total - answered
        return (
            f"{answered:,} of {pluralize(total, 'image')} reviewed{details}. {left:,} left: press → to go on."
        )
