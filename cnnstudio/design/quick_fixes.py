"""Quick fixes: turns a fix into an edit of the network, and previews what it would change."""

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
    Fix,
    InsertBefore,
    MoveAfter,
    Remove,
    Replace,
    SetParameters,
    SetParametersInside,
    Shape,
    Unlock,
)
from cnnstudio.layers.catalog import layer_type
from cnnstudio.layers.groups.block import Block


@dataclass(frozen=True)
class FixPreviewRow:
    """A layer that a fix would add, remove or change, be it in its parameters or in its output shape."""

    node_id: str
    title: str
    before: Shape | None
    """The output shape now; None if the layer does not exist or the shape is unknown."""
    after: Shape | None
    status: Literal["added", "changed", "removed"]


@dataclass(frozen=True)
class FixPreview:
    """The network after a fix, compared with the one before."""

    network: Network
    analysis: Analysis
    rows: tuple[FixPreviewRow, ...]
    """In the order of the list, removed layers at their old position."""
    parameters_before: int
    parameters_after: int
    macs_before: int
    macs_after: int
    problems_before: int
    problems_after: int
    is_exact_before: bool
    """Whether the totals are exact: not if an error hides the costs of some layers."""
    is_exact_after: bool


def apply_fix(network: Network, finding: Problem | Advice, fix: Fix | None = None) -> Network:
    """The network with `fix` applied, one of the finding's fixes; None for the best one.

    Raises EditError if the finding has no fix, or if it does not belong to this network.
    """
    fix, node_id = fix or finding.fix, finding.node_id
    if isinstance(fix, Append):
        fresh = network.fresh_ids()
        added = [fresh.node(layer_type(name)(**values)) for name, values in fix.layers]
        return edits.insert(network, Place(None, len(network.nodes)), added)
    if node_id is None or node_id not in network:
        raise edits.EditError("there is no quick fix for this; change the layers by hand")
    place = network.place(node_id)
    if isinstance(fix, InsertBefore):
        if place.parent is not None and network.node(place.parent).has_branches:
            # Inserted as a sibling, the layer would become a new branch: a Block makes both one branch.
            network, _ = edits.wrap(network, [node_id], Block())
            place = network.place(node_id)
        added = [network.fresh_ids().node(layer_type(fix.layer_type)(**fix.values))]
        return edits.insert(network, place, added)
    if isinstance(fix, SetParameters):
        node = network.node(node_id)
        for each in node.walk_active() if isinstance(fix, SetParametersInside) else [node]:
            network = edits.replace(network, each.id, layer=each.layer.with_values(fix.values))
        return network
    if isinstance(fix, Remove):
        return edits.remove(network, [node_id])
    if isinstance(fix, Unlock):
        return edits.set_trainable(network, [node_id], True)
    if isinstance(fix, Replace) and fix.node_id in network:
        added = [network.fresh_ids().node(layer_type(fix.layer_type)())]
        place = network.place(fix.node_id)
        return edits.insert(edits.remove(network, [fix.node_id]), place, added)
    if isinstance(fix, MoveAfter) and fix.node_id in network:
        target = network.place(fix.node_id)
        return edits.move(network, [node_id], Place(target.parent, target.index + 1))
    raise edits.EditError("there is no quick fix for this; change the layers by hand")


def preview_fix(
    network: Network,
    finding: Problem | Advice,
    fix: Fix | None = None,
    analysis: Analysis | None = None,
    classes: int | None = None,
) -> FixPreview:
    """What `apply_fix` with the same arguments would change.

    `analysis` is that of `network`, if there is one already. Raises EditError if the fix cannot be applied.
    """
    before = analysis or analyze(network, classes=classes)
    after = analyze(apply_fix(network, finding, fix), before, classes=classes)
    return FixPreview(
        after.network,
        after,
        tuple(_rows(before, after)),
        before.parameters,
        after.parameters,
        before.macs,
        after.macs,
        len(before.problems),
        len(after.problems),
        before.has_known_costs,
        after.has_known_costs,
    )


def _rows(before: Analysis, after: Analysis) -> Iterator[FixPreviewRow]:
    waiting = iter(before.reports)
    for report in after.reports:
        old = before.by_id.get(report.node.id)
        if old is None:
            yield _row(None, report)
            continue
        # Removed layers are listed before the next remaining layer, which is where they were.
        for gone in waiting:
            if gone.node.id == report.node.id:
                break
            if gone.node.id not in after.by_id:
                yield _row(gone, None)
        if _changed(old, report):
            yield _row(old, report)
    yield from (_row(gone, None) for gone in waiting if gone.node.id not in after.by_id)


def _row(old: LayerReport | None, new: LayerReport | None) -> FixPreviewRow:
    node = (new or old).node  # type: ignore[union-attr]  # one of the two is there
    status: Literal["added", "changed", "removed"] = "changed"
    if old is None or new is None:
        status = "added" if old is None else "removed"
    shapes = [report.output if report is not None else None for report in (old, new)]
    return FixPreviewRow(node.id, node.title, shapes[0], shapes[1], status)


def _changed(old: LayerReport, new: LayerReport) -> bool:
    """Whether the layer itself or its output shape differs; a group's contents have their own rows."""
    if old.node is new.node and old.output == new.output:
        return False
    same = dataclasses.replace(old.node, children=()) == dataclasses.replace(new.node, children=())
    return not same or old.output != new.output
