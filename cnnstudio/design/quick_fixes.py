"""Fixes: the edit that each kind of fix stands for, and what it would do before it is done."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cnnstudio.design import edits
from cnnstudio.design.analysis.analysis import Analysis, LayerReport, analyze
from cnnstudio.design.findings import Advice, Problem
from cnnstudio.design.network import Network, Place
from cnnstudio.layers.base import (
    Append,
    Exchange,
    Fix,
    InsertBefore,
    MoveBehind,
    Remove,
    SetInside,
    SetParameters,
    Shape,
)
from cnnstudio.layers.catalog import layer_type
from cnnstudio.layers.groups.block import Block


@dataclass(frozen=True)
class PreviewRow:
    """A layer that a fix would add, remove or change: its parameters, or the shape that it gives."""

    node_id: str
    title: str
    before: Shape | None
    """What it gives now; None where it is not there, or nobody knows."""
    after: Shape | None
    status: Literal["added", "changed", "removed"]


@dataclass(frozen=True)
class Preview:
    """What a fix would make of the network."""

    network: Network
    analysis: Analysis
    rows: tuple[PreviewRow, ...]
    """From top to bottom of the list; those that are removed at their old place."""
    parameters_before: int
    parameters_after: int
    macs_before: int
    macs_after: int
    problems_before: int
    problems_after: int


def fixed(network: Network, finding: Problem | Advice, fix: Fix | None = None) -> Network:
    """The network with a fix of the finding applied, its best one for None. Raises EditError without one."""
    fix, node_id = fix or finding.fix, finding.node_id
    if isinstance(fix, Append):
        fresh = network.fresh_ids()
        added = [fresh.node(layer_type(name)(**values)) for name, values in fix.layers]
        return edits.insert(network, Place(None, len(network.nodes)), added)
    if node_id is None or node_id not in network:
        raise edits.EditError("this problem has no fix; change the layers by hand")
    place = network.place(node_id)
    if isinstance(fix, InsertBefore):
        if place.parent is not None and network.node(place.parent).has_branches:
            # A neighbor would be a branch of its own.
            network, _ = edits.wrap(network, [node_id], Block())
            place = network.place(node_id)
        added = [network.fresh_ids().node(layer_type(fix.layer_type)(**fix.values))]
        return edits.insert(network, place, added)
    if isinstance(fix, SetParameters):
        node = network.node(node_id)
        for each in node.walk_active() if isinstance(fix, SetInside) else [node]:
            network = edits.replace(network, each.id, layer=each.layer.taking(fix.values))
        return network
    if isinstance(fix, Remove):
        return edits.remove(network, [node_id])
    if isinstance(fix, Exchange) and fix.node_id in network:
        added = [network.fresh_ids().node(layer_type(fix.layer_type)())]
        place = network.place(fix.node_id)
        return edits.insert(edits.remove(network, [fix.node_id]), place, added)
    if isinstance(fix, MoveBehind) and fix.node_id in network:
        target = network.place(fix.node_id)
        return edits.move(network, [node_id], Place(target.parent, target.index + 1))
    raise edits.EditError("this problem has no fix; change the layers by hand")


def preview(
    network: Network,
    finding: Problem | Advice,
    fix: Fix | None = None,
    analysis: Analysis | None = None,
    classes: int | None = None,
) -> Preview:
    """What `fixed` with the same arguments would give. `analysis` is that of `network`, if there is one.

    Raises EditError where the fix cannot be done.
    """
    before = analysis or analyze(network, classes=classes)
    after = analyze(fixed(network, finding, fix), before, classes=classes)
    return Preview(
        after.network,
        after,
        tuple(_rows(before, after)),
        before.parameters,
        after.parameters,
        before.macs,
        after.macs,
        len(before.problems),
        len(after.problems),
    )


def _rows(before: Analysis, after: Analysis) -> Iterator[PreviewRow]:
    waiting = iter(before.reports)
    for report in after.reports:
        old = before.by_id.get(report.node.id)
        if old is None:
            yield _row(None, report)
            continue
        # Those that the fix took out stood between the rows that are left.
        for gone in waiting:
            if gone.node.id == report.node.id:
                break
            if gone.node.id not in after.by_id:
                yield _row(gone, None)
        if _changed(old, report):
            yield _row(old, report)
    yield from (_row(gone, None) for gone in waiting if gone.node.id not in after.by_id)


def _row(old: LayerReport | None, new: LayerReport | None) -> PreviewRow:
    node = (new or old).node  # type: ignore[union-attr]  # one of the two is there
    status: Literal["added", "changed", "removed"] = "changed"
    if old is None or new is None:
        status = "added" if old is None else "removed"
    shapes = [report.output if report is not None else None for report in (old, new)]
    return PreviewRow(node.id, node.title, shapes[0], shapes[1], status)


def _changed(old: LayerReport, new: LayerReport) -> bool:
    """Whether the fix shows in the layer's own row: a group's contents have rows of their own."""
    if old.node is new.node and old.output == new.output:
        return False
    same = dataclasses.replace(old.node, children=()) == dataclasses.replace(new.node, children=())
    return not same or old.output != new.output
