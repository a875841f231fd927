"""A network as the straight lines that values take through it, for what depends on a layer's neighbors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from cnnstudio.design.analysis.analysis import Analysis, LayerReport
from cnnstudio.design.network import Node
from cnnstudio.layers.base import Group, Role

Line = list[LayerReport]


@dataclass(frozen=True)
class Lines:
    """The reports of the active layers in the order in which values pass them.

    Groups that hold layers in a row, once or several times, are replaced by what is in them. A group that
    joins something stays, as a layer would, and what is in it makes lines of its own.
    """

    analysis: Analysis
    main: Line
    """From the input to the scores."""
    every: list[Line]
    """The main one, those inside groups, and for copies in a row one that goes through two of them."""

    @cached_property
    def layers(self) -> Line:
        """All that are no groups, each once."""
        seen = {report.node.id: report for line in self.every for report in line if not report.node.is_group}
        return list(seen.values())

    @cached_property
    def mixing(self) -> Line:
        """Those of them that learn."""
        return [report for report in self.layers if report.node.layer.role is Role.MIXES]

    @cached_property
    def ending(self) -> Line:
        """From the last layer that mixes to the scores; nothing where a group makes these."""
        tail: Line = []
        for report in reversed(self.main):
            if report.node.is_group:
                return []
            tail.insert(0, report)
            if report.node.layer.role is Role.MIXES:
                return tail
        return []


def lines_of(analysis: Analysis) -> Lines:
    """The lines of the network."""
    found: list[Line] = []

    def follow(nodes: Iterable[Node]) -> Line:
        line: Line = []
        for node in nodes:
            if node.is_active:
                line += into(node, node.layer) if isinstance(node.layer, Group) else [analysis[node.id]]
        return line

    def into(node: Node, group: Group) -> Line:
        if group.branches:
            found.extend(follow([child]) for child in node.children)
            return [analysis[node.id]]
        inside = follow(node.children)
        if group.skips:
            found.append(inside)
            return [analysis[node.id]]
        if group.copies() > 1:
            found.append(inside + inside)
        return inside

    main = follow(analysis.network.nodes)
    return Lines(analysis, main, [main, *found])
