"""Advice on a network that can be trained, but could learn better. Unlike problems it stops nothing."""

from __future__ import annotations

from cnnstudio.design.advice.paths import lines_of
from cnnstudio.design.advice.rules import RULES
from cnnstudio.design.analysis.analysis import Analysis
from cnnstudio.design.findings import Advice

__all__ = ["advise"]


def advise(analysis: Analysis) -> tuple[Advice, ...]:
    """What is advised, from the top of the list down; what is about the whole network comes last."""
    lines = lines_of(analysis)
    found = {advice.key: advice for rule in RULES for advice in rule(lines)}
    places = {report.node.id: number for number, report in enumerate(analysis.reports)}
    return tuple(sorted(found.values(), key=lambda advice: places.get(advice.node_id or "", len(places))))
