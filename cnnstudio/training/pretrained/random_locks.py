"""Locked layers that would stay random, because nothing gives them weights. Needs no torch."""

from __future__ import annotations

from collections.abc import Collection

from cnnstudio.core.formatting import join_words, pluralize
from cnnstudio.design.analysis.analysis import Analysis

_MAX_NAMED = 3


def random_locks(analysis: Analysis, fresh: Collection[str] | None = None) -> tuple[str, ...]:
    """The ids of the locked layers with weights that start afresh, in their order.

    `fresh` has the ids of the layers that start afresh; None stands for all, as without start weights.
    """
    network = analysis.network
    locked = network.locked_ids & {node.id for top in network.nodes for node in top.walk_active()}
    found = [report for report in analysis.reports if report.node.id in locked]
    return tuple(
        report.node.id
        for report in found
        # Such as a Whitening, whose values come from the images.
        if not report.node.layer.has_trainable_parameter()
        and (
            bool(report.parameters and not report.node.children) if fresh is None else report.node.id in fresh
        )
    )


def describe_random_locks(analysis: Analysis, fresh: Collection[str] | None = None) -> str:
    """Says which locked layers stay random and what to do, in two sentences; empty if there are none."""
    ids = random_locks(analysis, fresh)
    if not ids:
        return ""
    network = analysis.network
    numbers = {node.id: number for number, node in enumerate(network.walk(), start=1)}
    names = [f"{network.node(each).title} (layer {numbers[each]})" for each in ids[:_MAX_NAMED]]
    more = len(ids) - len(names)
    titles = ", ".join(names) + f" and {more} more" if more else join_words(names)
    is_one = len(ids) == 1
    return (
        f"{pluralize(len(ids), 'locked layer')} {'starts' if is_one else 'start'} from random weights and "
        f"never {'learns' if is_one else 'learn'}: {titles}. Unlock {'it' if is_one else 'them'}, or start "
        "from weights that fit."
    )
