"""Mends as undo steps: of problems, which stop the training, and of advice, which does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnstudio.design.analysis import Problem
from cnnstudio.gui.project import Project
from cnnstudio.layers.base import Mend

if TYPE_CHECKING:
    from cnnstudio.design.advice import Advice

    Finding = Problem | Advice


def mends_of(finding: Finding) -> tuple[Mend, ...]:
    """What would mend it, the best first."""
    if isinstance(finding, Problem):
        return finding.mends
    return (finding.mend,) if finding.mend is not None else ()


def mend(project: Project, finding: Finding, chosen: Mend | None = None) -> None:
    """Does one of a finding's mends, else the best; what it added or changed is selected then."""
    from cnnstudio.design.fixes import mended

    before = project.network
    network = mended(before, finding, chosen)
    added = [node.id for node in network.walk() if node.id not in before]
    best = chosen or next(iter(mends_of(finding)), None)
    label = best.label if best is not None else "mend"
    project.edit(label[:1].lower() + label[1:], network, select=added or (finding.node_id or "",))
