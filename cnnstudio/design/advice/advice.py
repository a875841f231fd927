"""Advice on a network that can be trained but could learn better."""

from __future__ import annotations

from cnnstudio.design.advice.paths import find_paths
from cnnstudio.design.advice.rules import RULES
from cnnstudio.design.analysis.analysis import Analysis
from cnnstudio.design.findings import Advice

__all__ = ["advise"]


def advise(analysis: Analysis) -> tuple[Advice, ...]:
    """All advice, in the order of the layer list; advice on the whole network comes last."""
    paths = find_paths(analysis)
    # A layer inside a repeated body is on several paths, so a rule may report it more than once.
    found = {advice.key: advice for rule in RULES for advice in rule(paths)}
    positions = {report.node.id: index for index, report in enumerate(analysis.reports)}
    last = len(positions)
    return tuple(sorted(found.values(), key=lambda advice: positions.get(advice.node_id or "", last)))
