"""Mends as undo steps: of problems, which stop the training, and of advice, which does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnstudio.gui.document.project import Project
from cnnstudio.layers.base import Mend

if TYPE_CHECKING:
    from cnnstudio.design.findings import Advice, Problem

    Finding = Problem | Advice


def mend(project: Project, finding: Finding, chosen: Mend | None = None) -> None:
    """Does one of a finding's mends, else the best; what it added or changed is selected then."""
    from cnnstudio.design.quick_fixes import mended

    before = project.network
    network = mended(before, finding, chosen)
    added = [node.id for node in network.walk() if node.id not in before]
    best = chosen or finding.mend
    label = best.label if best is not None else "mend"
    project.edit(label[:1].lower() + label[1:], network, select=added or (finding.node_id or "",))
