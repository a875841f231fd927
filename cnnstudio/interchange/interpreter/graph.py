"""What reading finds before it is made of layers: calls in a row, loops, joins and named rows among them.

A program that passes an image from call to call (functional Keras, a module's forward) gives a graph of
`Tensor`s. `between` turns it into rows with branches: the graph of everything that groups can draw.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cnnstudio.layers.base import Group
from cnnstudio.layers.code import Call


@dataclass(frozen=True)
class Piece:
    """One call that makes a layer or a part of one, under the name that the code gives it."""

    call: Call
    name: str = ""


@dataclass(frozen=True)
class Rounds:
    """The rounds of a loop, or rows one after the other: each body so many times.

    All alike they are one group of copies. `counted`: a loop that does nothing but count, so that even a
    single round is one. `rows`: each body is a row of its own where they differ.
    """

    bodies: tuple[tuple[Items, int], ...]
    line: int
    counted: bool = False
    rows: bool = False


@dataclass(frozen=True)
class Join:
    """Branches that all get the same input, put together again by "add" or "concat".

    `activation` is the call that was applied to the sum in the same expression.
    """

    mode: str
    branches: tuple[Items, ...]
    line: int
    activation: Call | None = None


@dataclass(frozen=True)
class Nest:
    """A row of its own within a row: a Sequential in a Sequential."""

    items: Items
    line: int
    name: str = ""


@dataclass(frozen=True)
class Grouped:
    """A group whose kind and parameters the code says itself, with its body or its branches."""

    layer: Group
    bodies: tuple[Items, ...]
    line: int


Item = Piece | Rounds | Join | Nest | Grouped
Items = tuple[Item, ...]


class Tangled(Exception):
    """Branches that share more than their input, or do not come from one place."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """An image on its way: what `items` make of one input, or several inputs joined by `mode`."""

    inputs: tuple[Tensor, ...] = ()
    items: Items = ()
    mode: str = ""
    line: int = 0
    activation: Call | None = None
    fork: Tensor | None = field(init=False)
    """The nearest tensor that everything on the way here came through."""
    depth: int = field(init=False)

    def __post_init__(self) -> None:
        fork = self.inputs[0] if self.inputs else None
        for other in self.inputs[1:]:
            fork = _common(fork, other)
        object.__setattr__(self, "fork", fork)
        object.__setattr__(self, "depth", fork.depth + 1 if fork else 0)

    def then(self, *items: Item) -> Tensor:
        """What the items make of it."""
        return Tensor((self,), tuple(items))


def _common(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    """The nearest tensor that both came through; None where they have no origin in common."""
    while one is not other:
        if one is None or other is None:
            return None
        if one.depth >= other.depth:
            one = one.fork
        else:
            other = other.fork
    return one


def between(start: Tensor, end: Tensor) -> Items:
    """What makes `end` of `start`, as a row. Raises Tangled."""
    seen: set[int] = set()
    return tuple(_row(start, end, seen))


def _row(start: Tensor, end: Tensor, seen: set[int]) -> list[Item]:
    backwards: list[Items] = []
    tensor: Tensor | None = end
    while tensor is not start:
        if tensor is None or tensor.fork is None or tensor.depth <= start.depth:
            raise Tangled
        if id(tensor) in seen and (tensor.mode or tensor.items):
            raise Tangled
        seen.add(id(tensor))
        fork = tensor.fork
        if tensor.mode:
            branches = tuple(tuple(_row(fork, each, seen)) for each in tensor.inputs)
            backwards.append((Join(tensor.mode, branches, tensor.line, tensor.activation),))
        else:
            backwards.append(tensor.items)
        tensor = fork
    return [item for items in reversed(backwards) for item in items]


def calls(items: Sequence[Item]) -> Iterator[Call]:
    """All calls of a row, from top to bottom."""
    for item in items:
        match item:
            case Piece(call=call):
                yield call
            case Rounds(bodies=bodies):
                for body, _ in bodies:
                    yield from calls(body)
            case Join(branches=branches):
                for branch in branches:
                    yield from calls(branch)
            case Nest(items=inner):
                yield from calls(inner)
            case Grouped(bodies=rows):
                for row in rows:
                    yield from calls(row)
