"""The graph of layers that a program builds, before it is turned into the nodes of a design.

Code builds a network in one of two ways. In a list (`nn.Sequential`, `model.add`) the items follow each
other. In the functional style (functional Keras, a module's `forward`) an image passes from call to call. To
read the latter without running it, the image is represented by a `SymbolicTensor`, which records what was
done to it, and each call returns a new one. The result is a directed graph with a single source.

A design, however, is a list of layers with groups, not an arbitrary graph: it can express sequences, and
branches that start at one tensor and are joined again. `items_between` converts the graph to that form. It
works with dominators: a tensor d dominates t if every path from the input to t passes through d. The branches
of a join can only start at the join's nearest common dominator, and between two consecutive dominators
everything else must belong to those branches. A graph in which branches share a tensor in between, or end
without being joined, has no such form and raises `UnsupportedTopology`; guessing would give a network other
than the one in the code.

For example, `y = conv(x); z = relu(y + pool(y))` becomes the tensors x → y, y → pool(y), and a join of y and
pool(y). The join's dominator is y. Between y and the join lie the branches () and (pool), and between x and y
the sequence (conv). The result is conv and a Join of () and (pool), with the activation relu.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from cnnstudio.design.network import MAXIMUM_NODES
from cnnstudio.interchange.chain import CodeError
from cnnstudio.layers.base import Group
from cnnstudio.layers.code import Call

_MAXIMUM_ITEMS = 4 * MAXIMUM_NODES
"""The most calls and groups that are looked through; a design leaves out groups that change nothing."""


@dataclass(frozen=True)
class LayerCall:
    """A call that creates a layer or a part of one, with the name that the code gives it."""

    call: Call
    name: str = ""


@dataclass(frozen=True)
class LoopBody:
    """What a loop or a list of parts adds: (items, number of copies) for each run of equal iterations.

    If all iterations are equal, they become one group of copies. `counted`: the loop only counts, so that
    even a single iteration is a group. `separate`: iterations that differ become blocks of their own.
    """

    copies: tuple[tuple[Items, int], ...]
    line: int
    counted: bool = False
    separate: bool = False


@dataclass(frozen=True)
class Join:
    """Branches with the same input, joined by `mode` "add" or "concat".

    `activation` is the call that is applied to the sum in the same expression.
    """

    mode: str
    branches: tuple[Items, ...]
    line: int
    activation: Call | None = None


@dataclass(frozen=True)
class SubModel:
    """A model inside a model, such as a Sequential inside a Sequential."""

    items: Items
    line: int
    name: str = ""


@dataclass(frozen=True)
class ExplicitGroup:
    """A group that the code creates by a call of its own, with its parameters and its body or branches."""

    layer: Group
    bodies: tuple[Items, ...]
    line: int


Item = LayerCall | LoopBody | Join | SubModel | ExplicitGroup
Items = tuple[Item, ...]


class UnsupportedTopology(Exception):
    """The layers form a graph that groups cannot express; see the module's description."""


# Compared by identity: two tensors to which the same was done are still two, and comparing by value would
# follow the whole graph at each comparison.
@dataclass(frozen=True, eq=False)
class SymbolicTensor:
    """An image inside a network: one input with `items` applied, or several inputs joined by `mode`.

    Without inputs it is the input of a model.
    """

    inputs: tuple[SymbolicTensor, ...] = ()
    items: Items = ()
    mode: str = ""
    line: int = 0
    activation: Call | None = None
    dominator: SymbolicTensor | None = field(init=False)
    """The immediate dominator: the nearest tensor through which every path from the input passes."""
    depth: int = field(init=False)
    """The number of dominators, which is the depth in the dominator tree."""

    def __post_init__(self) -> None:
        # A new tensor is always a leaf of the graph, so that its dominator follows from those of its inputs
        # and never changes. The tree of dominators is thus built along the way, without a separate algorithm.
        # This is one step of the algorithm of Cooper, Harvey and Kennedy 2001 (A Simple, Fast Dominance
        # Algorithm), which has to iterate only where a graph has cycles.
        dominator = self.inputs[0] if self.inputs else None
        for other in self.inputs[1:]:
            dominator = _common_dominator(dominator, other)
        object.__setattr__(self, "dominator", dominator)
        object.__setattr__(self, "depth", dominator.depth + 1 if dominator else 0)

    def then(self, *items: Item) -> SymbolicTensor:
        """The tensor after these items have been applied to it."""
        return SymbolicTensor((self,), tuple(items))


def _common_dominator(one: SymbolicTensor | None, other: SymbolicTensor | None) -> SymbolicTensor | None:
    """The nearest tensor that dominates both (or is one of them); None if they have different inputs.

    This is the lowest common ancestor in the dominator tree: the deeper one moves up until both meet.
    """
    while one is not other:
        if one is None or other is None:
            return None
        # At equal depth neither can be above the other, so it does not matter which one moves first.
        if one.depth >= other.depth:
            one = one.dominator
        else:
            other = other.dominator
    return one


def items_between(start: SymbolicTensor, end: SymbolicTensor) -> Items:
    """The sequence of items that turns `start` into `end`. Raises UnsupportedTopology.

    Takes time linear in the number of tensors: each is visited once.
    """
    # Ids of tensors, which live as long as `end` refers to them. Shared by all branches, so that a tensor in
    # two of them is noticed, and so that the time stays linear: without it, a chain of shared joins would be
    # followed 2^n times.
    seen: set[int] = set()
    return tuple(_sequence(start, end, seen))


def _sequence(start: SymbolicTensor, end: SymbolicTensor, seen: set[int]) -> list[Item]:
    """Follows the dominators from `end` back to `start`; at a join, each branch is a sequence of its own."""
    backwards: list[Items] = []
    tensor: SymbolicTensor | None = end
    while tensor is not start:
        if tensor is None or tensor.dominator is None or tensor.depth <= start.depth:
            raise UnsupportedTopology  # `start` does not dominate `end`
        # A tensor without items, to which only something without effect was done, adds nothing by appearing
        # twice.
        if id(tensor) in seen and (tensor.mode or tensor.items):
            raise UnsupportedTopology  # two branches share this tensor, which would appear twice
        seen.add(id(tensor))
        dominator = tensor.dominator
        # The branches recurse, the sequence between them does not: only nested joins cost depth.
        if tensor.mode:
            branches = tuple(tuple(_sequence(dominator, each, seen)) for each in _joined_first(tensor))
            backwards.append((Join(tensor.mode, branches, tensor.line, tensor.activation),))
        else:
            backwards.append(tensor.items)
        tensor = dominator
    return [item for items in reversed(backwards) for item in items]


def _joined_first(join: SymbolicTensor) -> list[SymbolicTensor]:
    """The inputs of a join, of which those that have layers in common are joined with each other first.

    So a + b(a) + c, where a is a layer, becomes (a + b(a)) + c: the inner join starts at a. A concatenation
    has to keep the order, so that only neighbors are joined first.
    """
    if join.mode not in ("add", "concat"):
        return list(join.inputs)
    groups: list[tuple[SymbolicTensor | None, list[SymbolicTensor]]] = []
    for each in join.inputs:
        first = _first_after(join.dominator, each)
        candidates = groups if join.mode == "add" else groups[-1:]
        same = next((group for other, group in candidates if other is first and first is not None), None)
        if same is None:
            groups.append((first, [each]))
        else:
            same.append(each)
    return [
        group[0] if len(group) == 1 else SymbolicTensor(tuple(group), (), join.mode, join.line)
        for _, group in groups
    ]


def _first_after(dominator: SymbolicTensor | None, tensor: SymbolicTensor) -> SymbolicTensor | None:
    """The first tensor below `dominator` that dominates `tensor`; None if that is `dominator` itself."""
    found: SymbolicTensor | None = None
    each: SymbolicTensor | None = tensor
    while each is not dominator and each is not None:
        found, each = each, each.dominator
    return found


def iter_calls(items: Sequence[Item]) -> Iterator[Call]:
    """All calls in a sequence of items, in order, including those in groups. Raises CodeError."""
    return (item.call for item in iter_items(items) if isinstance(item, LayerCall))


def iter_items(items: Sequence[Item]) -> Iterator[Item]:
    """All items, each group before what is in it.

    Raises CodeError if there are many more than a design can have: a model that contains the one before
    twice, that one the one before it twice, and so on, soon has billions.
    """
    visited = 0
    nested: list[Iterator[Item]] = [iter(items)]
    while nested:
        item = next(nested[-1], None)
        if item is None:
            nested.pop()
            continue
        visited += 1
        if visited > _MAXIMUM_ITEMS:
            raise CodeError(f"the code creates more than {MAXIMUM_NODES:,} layers, the limit of a design")
        yield item
        if not isinstance(item, LayerCall):
            nested.append(inner_items(item))


def inner_items(item: LoopBody | Join | SubModel | ExplicitGroup) -> Iterator[Item]:
    """The items inside a group, those of all its copies or branches."""
    match item:
        case LoopBody(copies=copies):
            return chain.from_iterable(body for body, _ in copies)
        case Join(branches=branches):
            return chain.from_iterable(branches)
        case SubModel(items=items):
            return iter(items)
        case ExplicitGroup(bodies=bodies):
            return chain.from_iterable(bodies)


def ancestors(tensor: SymbolicTensor) -> Iterator[SymbolicTensor]:
    """The tensor, and all tensors that it was computed from."""
    pending, seen = [tensor], {id(tensor)}
    while pending:
        each = pending.pop()
        yield each
        for other in each.inputs:
            if id(other) not in seen:
                seen.add(id(other))
                pending.append(other)
