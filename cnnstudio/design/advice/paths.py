"""The paths that values take through a network, for rules about neighboring layers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from cnnstudio.design.analysis.analysis import Analysis, LayerReport
from cnnstudio.design.network import Node
from cnnstudio.layers.base import Group, Role

LayerPath = list[LayerReport]
"""The reports of active layers in the order in which values pass through them."""


@dataclass(frozen=True)
class Paths:
    """The network without its nesting, as straight paths.

    Groups that run their layers in sequence are replaced by their contents. A group with branches or a
    shortcut remains on the path like a layer, and its contents form paths of their own.
    """

    analysis: Analysis
    main: LayerPath
    """From the input to the output."""
    all: list[LayerPath]
    """`main`, the paths inside groups, and for each repeated body one through two consecutive copies."""

    @cached_property
    def layers(self) -> LayerPath:
        """All layers that are not groups, each once."""
        found = {report.node.id: report for path in self.all for report in path if not report.node.is_group}
        return list(found.values())

    @cached_property
    def linear_layers(self) -> LayerPath:
        """Those of `layers` that are dense layers or convolutions."""
        return [report for report in self.layers if report.node.layer.role is Role.LINEAR]

    @cached_property
    def output_layers(self) -> LayerPath:
        """From the last linear layer to the output; empty if a group is among them."""
        tail: LayerPath = []
        for report in reversed(self.main):
            if report.node.is_group:
                return []
            tail.insert(0, report)
            if report.node.layer.role is Role.LINEAR:
                return tail
        return []


def find_paths(analysis: Analysis) -> Paths:
    """All paths through the active layers of the network."""
    inner: list[LayerPath] = []

    def path_through(nodes: Iterable[Node]) -> LayerPath:
        path: LayerPath = []
        for node in nodes:
            if node.is_active:
                path += path_into(node, node.layer) if isinstance(node.layer, Group) else [analysis[node.id]]
        return path

    def path_into(node: Node, group: Group) -> LayerPath:
        if group.has_branches:
            inner.extend(path_through([child]) for child in node.children)
            return [analysis[node.id]]
        body = path_through(node.children)
        if group.has_shortcut:
            inner.append(body)
            return [analysis[node.id]]
        if group.copies() > 1:
            # The end of one copy is the neighbor of the start of the next.
            inner.append(body + body)
        return body

    main = path_through(analysis.network.nodes)
    return Paths(analysis, main, [main, *inner])
