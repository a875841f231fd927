"""The differences between two designs as readable text: layers, their parameters, and the total cost.

Layers are matched in two ways, by id and by order (matching.py), and the result with fewer differences wins.
Matching costs O((n + m) · d) for designs with n and m layers and d differences, and everything else is
linear.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cnnstudio.core.formatting import at_least, format_change, format_compact, format_count, pluralize
from cnnstudio.core.parameters import parameters
from cnnstudio.design.analysis.analysis import Analysis, analyze
from cnnstudio.design.matching import Pairs, match_by_id, match_by_order, moved_layers
from cnnstudio.design.network import Network, Node

Status = Literal[
    "added", "removed", "moved", "changed", "renamed", "switched on", "switched off", "locked", "unlocked"
]


@dataclass(frozen=True)
class ParameterChange:
    """A parameter's old and new value as text."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Entry:
    """One difference in one layer. A layer that was moved and changed has two entries."""

    status: Status
    before: Node | None
    after: Node | None
    text: str
    """A sentence without its period: `Layer 3, Conv2D: filters 32 → 64`."""
    changes: tuple[ParameterChange, ...] = ()

    @property
    def node(self) -> Node:
        """The layer in the later design, or in the earlier one if it was removed."""
        node = self.after or self.before
        assert node is not None, "an entry has at least one of the two"
        return node


@dataclass(frozen=True)
class Diff:
    """All differences, in the order of the later design; removed layers are listed at their old position."""

    before: Analysis
    after: Analysis
    entries: tuple[Entry, ...]

    @property
    def is_empty(self) -> bool:
        """Whether both are the same network, apart from ids and the name of the design."""
        old, new = self.before.network, self.after.network
        return not self.entries and (old.input, old.weights) == (new.input, new.weights)

    def lines(self) -> tuple[str, ...]:
        """The comparison as lines of text, totals at the end."""
        old, new = self.before, self.after
        lines = []
        if old.network.input != new.network.input:
            lines.append(f"Images: {old.network.input} → {new.network.input}")
        if old.network.weights != new.network.weights:
            names = (each.network.weights or "random" for each in (old, new))
            lines.append(f"Start weights: {' → '.join(names)}")
        lines += [entry.text for entry in self.entries]
        if self.is_empty:
            return ("The two designs are the same",)
        if old.output != new.output:
            lines.append(f"Output: {old.output or 'unknown'} → {new.output or 'unknown'}")
        exact = old.has_known_costs, new.has_known_costs
        lines.append(f"Parameters: {_change(old.parameters, new.parameters, exact)}")
        lines.append(f"Multiply-adds: {_change(old.macs, new.macs, exact)}")
        if len(old.problems) != len(new.problems):
            lines.append(f"Problems: {len(old.problems)} → {len(new.problems)}")
        return tuple(lines)


def diff(before: Network, after: Network) -> Diff:
    """The differences from one network to the other.

    Versions of one design are best compared by id. Two designs made independently have the same ids,
    conv2d_1 and so on, for unrelated layers; matching by order then finds fewer differences, and is used
    instead.
    """
    by_id = _entries(before, after, match_by_id(before, after))
    entries = by_id
    # Without differences there is nothing to improve. `min` returns the first of two equals: on a tie the ids
    # decide, which say for certain which layer is which, while the order only suggests it.
    if by_id:
        by_order = _entries(before, after, match_by_order(before, after))
        entries = min(by_id, by_order, key=len)
    analysis = analyze(before)
    # The later analysis reuses the results of the earlier one for the layers that both share.
    return Diff(analysis, analyze(after, analysis), tuple(entries))


def _entries(before: Network, after: Network, pairs: Pairs) -> list[Entry]:
    return list(_Comparison(before, after, pairs).entries())


class _Comparison:
    """Two networks and the pairs of their layers."""

    def __init__(self, before: Network, after: Network, pairs: Pairs) -> None:
        self._before, self._after, self._pairs = before, after, pairs
        self._moved = moved_layers(before, after, pairs)
        # As the layer list numbers them, the layers of groups included. Also the order by which `entries`
        # merges.
        self._old_numbers = {node.id: number for number, node in enumerate(before.walk(), start=1)}
        self._new_numbers = {node.id: number for number, node in enumerate(after.walk(), start=1)}

    def entries(self) -> Iterator[Entry]:
        """All differences, in the order of the later network."""
        # A merge of two lists, each in the order of its design. Each node is looked at once.
        removed = deque(self._unpaired(self._before, set(self._pairs.values())))
        added = {node.id for node in self._unpaired(self._after, set(self._pairs))}
        for node in self._after.walk():
            if node.id in added:
                yield Entry("added", None, node, f"{self._name(node)} was added{self._where(node)}")
            elif node.id in self._pairs:
                old = self._before.node(self._pairs[node.id])
                # A removed layer is listed where it was: before the next layer that still exists. Layers that
                # were moved do not mark a position.
                while removed and node.id not in self._moved and self._was_before(removed[0], old):
                    yield self._removed(removed.popleft())
                yield from self._differences(old, node)
        # What was removed after the last layer that kept its place.
        yield from map(self._removed, removed)

    def _unpaired(self, network: Network, paired: set[str]) -> Iterator[Node]:
        """The nodes without a partner, except for the contents of a group that has none either."""
        # One entry then says that a group of twenty layers was added. A layer that was moved out of a removed
        # group has a partner, so it is not swallowed.
        for node in network.walk():
            parent = network.place(node.id).parent
            if node.id not in paired and (parent is None or parent in paired):
                yield node

    def _was_before(self, node: Node, other: Node) -> bool:
        return self._old_numbers[node.id] < self._old_numbers[other.id]

    def _differences(self, old: Node, new: Node) -> Iterator[Entry]:
        subject = f"Layer {self._new_numbers[new.id]}, {new.title}"
        if new.id in self._moved:
            yield Entry("moved", old, new, f"{subject}, was moved{self._where(new)}")
        changes = tuple(_changes(old, new))
        if changes:
            values = ", ".join(f"{each.name} {each.before} → {each.after}" for each in changes)
            yield Entry("changed", old, new, f"{subject}: {values}", changes)
        if old.name != new.name:
            yield Entry("renamed", old, new, f"{subject}, was named {old.title} before")
        if old.enabled != new.enabled:
            status: Status = "switched on" if new.enabled else "switched off"
            yield Entry(status, old, new, f"{subject}, was {'enabled' if new.enabled else 'disabled'}")
        if old.trainable != new.trainable:
            status = "unlocked" if new.trainable else "locked"
            yield Entry(status, old, new, f"{subject}, was {status}")

    def _removed(self, node: Node) -> Entry:
        text = f"{node.title}{_values(node)}, formerly layer {self._old_numbers[node.id]}, was removed"
        return Entry("removed", node, None, text)

    def _name(self, node: Node) -> str:
        return f"Layer {self._new_numbers[node.id]}, {node.title}{_values(node)},"

    def _where(self, node: Node) -> str:
        """The position in the later design: ` after Conv2D`, ` to the start of Residual`."""
        place = self._after.place(node.id)
        group = "" if place.parent is None else self._after.node(place.parent).title
        if place.index:
            previous = self._after.children(place.parent)[place.index - 1].title
            return f" after {previous} in {group}" if group else f" after {previous}"
        return f" to the start of {group}" if group else " to the start"


def _values(node: Node) -> str:
    inside = sum(1 for _ in node.walk()) - 1  # `walk` begins with the node itself
    contents = f"with {pluralize(inside, 'layer')}" if inside else ""
    parts = [text for text in (node.layer.summary(), contents) if text]
    return f" ({', '.join(parts)})" if parts else ""


def _changes(old: Node, new: Node) -> Iterator[ParameterChange]:
    # Both are of one type, because both ways of matching pair only equal types. So they have the same
    # parameters.
    for parameter in parameters(new.layer):
        values = getattr(old.layer, parameter.name), getattr(new.layer, parameter.name)
        if values[0] != values[1]:
            yield ParameterChange(parameter.name, parameter.text(values[0]), parameter.text(values[1]))


def _change(before: int, after: int, exact: tuple[bool, bool]) -> str:
    if before == after and all(exact):
        return f"{format_compact(after)}, unchanged"
    percentage = f" ({format_change((after - before) / before, '.1%')})" if before and all(exact) else ""
    # Compact numbers only if the difference is still visible in them.
    is_compact = min(before, after) >= 10**6 and format_compact(before) != format_compact(after)
    format_number = format_compact if is_compact else format_count
    old, new = (at_least(format_number(n), is_exact=e) for n, e in zip((before, after), exact, strict=True))
    return f"{old} → {new}{percentage}"
