"""Search for layer types by name (here, in Keras and in PyTorch), by initials, and by what they do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from cnnstudio.core.parameters import Choice, parameters
from cnnstudio.layers.base import Group, Layer, Shape, ShapeError
from cnnstudio.layers.catalog import layer_types

NO_MATCH = 11
"""The rank of a type that does not match; 0 is the best rank."""

NAME_MATCH = 8
"""Ranks below this are matches of a type's name; from here on only its family or help texts match."""

# Every layer takes at least one of these inputs; the classes in its code do not depend on which.
_EXAMPLES = (Shape.of(64, 32, 32), Shape.of(64))
_CLASS_IN_CODE = re.compile(r"\b(?:nn\.)?([A-Z]\w+)\(")


@dataclass(frozen=True)
class _Entry:
    """The lowercase texts by which one type is found."""

    name: str
    initials: frozenset[str]
    classes: tuple[str, ...]
    """The names of its PyTorch classes."""
    values: frozenset[str]
    """The choices of its first parameter, if that is a choice: `relu` finds Activation."""
    family: str
    help: str

    def rank(self, word: str) -> int:
        """0 if `word` is the name, higher for weaker matches, NO_MATCH for none."""
        matches = (
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
        return next((rank for rank, is_match in enumerate(matches) if is_match), NO_MATCH)


def search_layer_types(text: str) -> list[type[Layer]]:
    """The types that match all words of `text`, best first; without words all types, in palette order."""
    words = text.lower().split()
    ranked = [(match_rank(kind, words), kind) for kind in layer_types().values()]
    return [kind for rank, kind in sorted(ranked, key=lambda pair: pair[0]) if rank < NO_MATCH]


def match_rank(kind: type[Layer], words: Sequence[str]) -> float:
    """How well lowercase words match a type, from 0, the best, to NO_MATCH."""
    if not words:
        return 0
    entry = _entries()[kind.type_name()]
    ranks = [entry.rank(word) for word in words]
    # All words have to match, so the worst one decides; the others only break ties: their part is below 1.
    separately = max(ranks) + sum(ranks) / (NO_MATCH * len(words) + 1)
    # "max pool" also means "maxpool".
    return min(entry.rank("".join(words)), separately, NO_MATCH)


def type_values(kind: type[Layer]) -> frozenset[str]:
    """The words that stand for this type because its first parameter takes them: `relu` for Activation."""
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
        f" {kind.description} {kind.usage_hint} ".lower(),
    )


def _pytorch_names(kind: type[Layer]) -> tuple[str, ...]:
    """The lowercase names of the classes in the PyTorch code of a layer with default parameters."""
    if issubclass(kind, Group):
        return ()
    for shape in _EXAMPLES:
        try:
            code = " ".join(line for _, line in kind().pytorch_code(shape))
        except ShapeError:
            continue
        return tuple(name.lower() for name in _CLASS_IN_CODE.findall(code))
    return ()
