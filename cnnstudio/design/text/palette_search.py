"""Layer types found by words: their names here, in Keras and in PyTorch, their initials, what they do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from cnnstudio.core.parameters import Choice, parameters
from cnnstudio.layers.base import Group, Layer, Shape, ShapeError
from cnnstudio.layers.catalog import layer_types

NOT_FOUND = 11
"""How well words fit a type: 0 best, and from here on not at all."""

NAMED = 8
"""A fit below this is one of the type's names, not of its help."""

# Any layer takes one of these inputs; the classes in its code do not depend on which.
_EXAMPLES = (Shape.of(64, 32, 32), Shape.of(64))
_CLASS_IN_CODE = re.compile(r"\b(?:nn\.)?([A-Z]\w+)\(")


@dataclass(frozen=True)
class _Entry:
    """The words by which one type is found, in small letters."""

    name: str
    initials: frozenset[str]
    classes: tuple[str, ...]
    """What it is called in PyTorch."""
    values: frozenset[str]
    """What its first parameter can be, where that is one of a few words: `relu` means an Activation."""
    family: str
    help: str

    def fit(self, word: str) -> int:
        """0 where `word` is its name; the further from that, the more; NOT_FOUND where it is nothing here."""
        marks = (
            word in (self.name, self.name.removesuffix("2d")),
            word in self.initials,
            word in self.classes,
            word in self.values,
            self.name.startswith(word),
            len(word) > 2 and word in self.name,
            any(each.startswith(word) for each in self.classes),
            len(word) > 2 and any(each.startswith(word) for each in self.values),
            self.family.startswith(word),
            f" {word}" in self.help,
            len(word) > 2 and word in self.help,
        )
        return next((place for place, fits in enumerate(marks) if fits), NOT_FOUND)


def find_types(text: str) -> list[type[Layer]]:
    """The types that all words of `text` fit, best first; all types, in the palette's order, for no words."""
    words = text.lower().split()
    fits = [(fit_of(kind, words), kind) for kind in layer_types().values()]
    return [kind for fit, kind in sorted(fits, key=lambda pair: pair[0]) if fit < NOT_FOUND]


def fit_of(kind: type[Layer], words: Sequence[str]) -> float:
    """How well words in small letters fit a type, one by one or written as one: 0 to NOT_FOUND."""
    if not words:
        return 0
    entry = _entries()[kind.type_name()]
    singly = [entry.fit(word) for word in words]
    apart = max(singly) + sum(singly) / (NOT_FOUND * len(words) + 1)
    return min(entry.fit("".join(words)), apart, NOT_FOUND)


def values_of(kind: type[Layer]) -> frozenset[str]:
    """The words that mean this type because its first parameter can be that: `relu` means an Activation."""
    return _entries()[kind.type_name()].values


@cache
def _entries() -> dict[str, _Entry]:
    return {name: _entry(name, kind) for name, kind in layer_types().items()}


def _entry(name: str, kind: type[Layer]) -> _Entry:
    initials = "".join(re.findall(r"2D|[A-Z]", name)).lower()
    first = next(iter(parameters(kind)), None)
    return _Entry(
        name.lower(),
        frozenset(each for each in (initials, initials.removesuffix("2d")) if len(each) > 1),
        _pytorch_names(kind),
        frozenset(first.choices if isinstance(first, Choice) else ()),
        kind.family.value.lower(),
        f" {kind.description} {kind.advice} ".lower(),
    )


def _pytorch_names(kind: type[Layer]) -> tuple[str, ...]:
    """The classes of torch.nn in the code of a layer with its defaults."""
    if issubclass(kind, Group):
        return ()
    for shape in _EXAMPLES:
        try:
            code = " ".join(line for _, line in kind().pytorch(shape))
        except ShapeError:
            continue
        return tuple(name.lower() for name in _CLASS_IN_CODE.findall(code))
    return ()
