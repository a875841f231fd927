"""What changed between two designs, in words: layers, their parameters, and what the whole costs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cnnstudio.core.formatting import count, plural, rounded
from cnnstudio.core.parameters import parameters
from cnnstudio.design.analysis.analysis import Analysis, analyze
from cnnstudio.design.matching import Pairs, moved, pairs_by_id, pairs_by_order
from cnnstudio.design.network import Network, Node

Status = Literal["added", "removed", "moved", "changed", "renamed", "switched on", "switched off"]


@dataclass(frozen=True)
class ParameterChange:
    """A parameter's old and new value, as people read them."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Entry:
    """One difference of one layer. A layer that was moved and changed has two entries."""

    status: Status
    before: Node | None
    after: Node | None
    text: str
    """A sentence without its end: `Layer 3, Conv2D: filters 32 → 64`."""
    changes: tuple[ParameterChange, ...] = ()

    @property
    def node(self) -> Node:
        """The layer in the later design; in the earlier one if it is gone."""
        node = self.after or self.before
        assert node is not None, "an entry is about a layer"
        return node


@dataclass(frozen=True)
class Diff:
    """All differences, from top to bottom of the later design; what is gone stands at its old place."""

    before: Analysis
    after: Analysis
    entries: tuple[Entry, ...]

    @property
    def is_empty(self) -> bool:
        """Whether both are the same network, up to names of the design and ids."""
        return not self.entries and self.before.network.input == self.after.network.input

    def lines(self) -> tuple[str, ...]:
        """The comparison as readable lines, the costs at the end."""
        old, new = self.before, self.after
        lines = []
        if old.network.input != new.network.input:
            lines.append(f"Images: {old.network.input} → {new.network.input}")
        lines += [entry.text for entry in self.entries]
        if self.is_empty:
            return ("The two designs are the same",)
        if old.output != new.output:
            lines.append(f"Output: {old.output or 'unknown'} → {new.output or 'unknown'}")
        lines.append(f"Parameters: {_change(old.parameters, new.parameters)}")
        lines.append(f"Multiply-adds: {_change(old.macs, new.macs)}")
        if len(old.problems) != len(new.problems):
            lines.append(f"Problems: {len(old.problems)} → {len(new.problems)}")
        return tuple(lines)


def diff(before: Network, after: Network) -> Diff:
    """What changed from one network to the other.

    Layers of the same id are taken for the same. Where that tells more differences than matching the layers
    by their order, as for two designs that were drawn apart from each other, the order decides.
    """
    by_id = _entries(before, after, pairs_by_id(before, after))
    entries = by_id
    if by_id:
        by_order = _entries(before, after, pairs_by_order(before, after))
        entries = min(by_id, by_order, key=len)
    analysis = analyze(before)
    return Diff(analysis, analyze(after, analysis), tuple(entries))


def _entries(before: Network, after: Network, pairs: Pairs) -> list[Entry]:
    return list(_Comparison(before, after, pairs).entries())


class _Comparison:
    """Two networks whose layers are paired."""

    def __init__(self, before: Network, after: Network, pairs: Pairs) -> None:
        self._before, self._after, self._pairs = before, after, pairs
        self._moved = moved(before, after, pairs)
        self._old_numbers = {node.id: number for number, node in enumerate(before.walk(), start=1)}
        self._new_numbers = {node.id: number for number, node in enumerate(after.walk(), start=1)}

    def entries(self) -> Iterator[Entry]:
        """All, in the order of the later list."""
        gone = deque(self._alone(self._before, set(self._pairs.values())))
        added = {node.id for node in self._alone(self._after, set(self._pairs))}
        for node in self._after.walk():
            if node.id in added:
                yield Entry("added", None, node, f"{self._name(node)} is added{self._where(node)}")
            elif node.id in self._pairs:
                old = self._before.node(self._pairs[node.id])
                # What is gone is told where it stood: before the first layer behind it that is still there.
                while gone and node.id not in self._moved and self._stood_before(gone[0], old):
                    yield self._removed(gone.popleft())
                yield from self._differences(old, node)
        yield from map(self._removed, gone)

    def _alone(self, network: Network, paired: set[str]) -> Iterator[Node]:
        """What has no partner, without what stands in a group that has none either."""
        for node in network.walk():
            parent = network.place(node.id).parent
            if node.id not in paired and (parent is None or parent in paired):
                yield node

    def _stood_before(self, node: Node, other: Node) -> bool:
        return self._old_numbers[node.id] < self._old_numbers[other.id]

    def _differences(self, old: Node, new: Node) -> Iterator[Entry]:
        subject = f"Layer {self._new_numbers[new.id]}, {new.title}"
        if new.id in self._moved:
            yield Entry("moved", old, new, f"{subject}, is moved{self._where(new)}")
        changes = tuple(_changes(old, new))
        if changes:
            words = ", ".join(f"{each.name} {each.before} → {each.after}" for each in changes)
            yield Entry("changed", old, new, f"{subject}: {words}", changes)
        if old.name != new.name:
            called = "has its type's name again" if new.name is None else f"was called {old.title}"
            yield Entry("renamed", old, new, f"{subject}, {called}")
        if old.enabled != new.enabled:
            status: Status = "switched on" if new.enabled else "switched off"
            yield Entry(status, old, new, f"{subject}, is {status}")

    def _removed(self, node: Node) -> Entry:
        text = f"{node.title}{_values(node)}, layer {self._old_numbers[node.id]} before, is removed"
        return Entry("removed", node, None, text)

    def _name(self, node: Node) -> str:
        return f"Layer {self._new_numbers[node.id]}, {node.title}{_values(node)},"

    def _where(self, node: Node) -> str:
        """Words for the place in the later design: ` behind Conv2D`, ` to the start of Residual`."""
        place = self._after.place(node.id)
        group = "" if place.parent is None else f" in {self._after.node(place.parent).title}"
        if place.index:
            return f" behind {self._after.children(place.parent)[place.index - 1].title}{group}"
        return f" at the start{group.replace(' in ', ' of ', 1)}"


def _values(node: Node) -> str:
    inside = sum(1 for _ in node.walk()) - 1
    contents = f"with {plural(inside, 'layer')}" if inside else ""
    words = [text for text in (node.layer.summary(), contents) if text]
    return f" ({', '.join(words)})" if words else ""


def _changes(old: Node, new: Node) -> Iterator[ParameterChange]:
    for parameter in parameters(new.layer):
        values = getattr(old.layer, parameter.name), getattr(new.layer, parameter.name)
        if values[0] != values[1]:
            yield ParameterChange(parameter.name, parameter.text(values[0]), parameter.text(values[1]))


def _change(before: int, after: int) -> str:
    if before == after:
        return f"{rounded(after)}, as before"
    share = f" ({(after - before) / before:+.1%})" if before else ""
    short = rounded if min(before, after) >= 10**6 and rounded(before) != rounded(after) else count
    return f"{short(before)} → {short(after)}{share}"
