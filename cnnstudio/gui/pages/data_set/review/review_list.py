"""The images to review, one after the other, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from cnnstudio.data.versions.review import ReviewItem

Answer = Literal["kept", "labeled", "excluded", "skipped"]


class ReviewList:
    """One item is the current one; after the last one there is none."""

    def __init__(self, title: str, items: Sequence[ReviewItem]) -> None:
        self.title = title
        self.items = tuple(items)
        self.index = 0
        self.answers: dict[str, Answer] = {}
        """File -> what became of it."""

    @property
    def current(self) -> ReviewItem | None:
        return self.items[self.index] if self.index < len(self.items) else None

    def answer(self, answer: Answer) -> None:
        """Notes what becomes of the current item, and goes to the next one."""
        if self.current is not None:
            self.answers[self.current.file] = answer
            self.index += 1

    def back(self) -> None:
        """Goes to the item before."""
        self.index = max(self.index - 1, 0)

    def go_to(self, file: str) -> bool:
        """Goes to the item of that file, if there is one; what became of it is open again."""
        found = next((n for n, item in enumerate(self.items) if item.file == file), None)
        if found is not None:
            self.index = found
            self.answers.pop(file, None)
        return found is not None

    def describe(self) -> str:
        """What became of all of them, in words."""
        counts = {kind: list(self.answers.values()).count(kind) for kind in ("labeled", "excluded", "kept")}
        texts = {"labeled": "relabeled", "excluded": "excluded", "kept": "kept"}
        parts = [f"{count:,} {texts[kind]}" for kind, count in counts.items() if count]
        return ", ".join(parts) or "nothing changed"
