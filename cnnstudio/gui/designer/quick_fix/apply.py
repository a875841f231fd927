"""Fixes as undo steps: of problems, which stop the training, and of advice, which does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnstudio.gui.document.project import Project
from cnnstudio.layers.base import Fix

if TYPE_CHECKING:
    from cnnstudio.design.findings import Advice, Problem

    Finding = Problem | Advice


def fix(project: Project, finding: Finding, chosen: Fix | None = None) -> None:
    """Does one of a finding's fixes, else the best; what it added or changed is selected then."""
    from cnnstudio.design.quick_fixes import fixed

    before = project.network
    network = fixed(before, finding, chosen)
    added = [node.id for node in network.walk() if node.id not in before]
    best = chosen or finding.fix
    label = best.label if best is not None else "fix"
    project.edit(label[:1].lower() + label[1:], network, select=added or (finding.node_id or "",))
