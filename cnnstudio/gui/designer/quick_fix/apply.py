"""Applies fixes as undo steps: of problems, which prevent training, and of advice, which does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnstudio.gui.document.project import Project
from cnnstudio.layers.base import Fix

if TYPE_CHECKING:
    from cnnstudio.design.findings import Advice, Problem

    Finding = Problem | Advice


def apply_fix(project: Project, finding: Finding, chosen: Fix | None = None) -> None:
    """Applies one of a finding's fixes, by default the best, and selects what it added or changed.

    Nothing happens if a problem is solved already: a second click must not insert a second Flatten.
    """
    from cnnstudio.design import quick_fixes
    from cnnstudio.design.findings import Problem

    if isinstance(finding, Problem) and finding not in project.analysis.problems:
        return
    before = project.network
    network = quick_fixes.apply_fix(before, finding, chosen)
    added = [node.id for node in network.walk() if node.id not in before]
    applied = chosen or finding.fix
    label = applied.label if applied is not None else "fix"
    project.edit(label[:1].lower() + label[1:], network, select=added or (finding.node_id or "",))
