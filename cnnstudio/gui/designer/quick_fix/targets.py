"""What in the layer list a fix or a tip belongs to: a layer, and a button of its row."""

from __future__ import annotations

from typing import Literal, NamedTuple

from cnnstudio.gui.designer.quick_fix.advice_service import advice_service
from cnnstudio.gui.document.project import Project

PREVIEW_OBJECT_NAME = "fixPreview"
"""The object name of the window's one preview card."""

RowButton = Literal["fix", "more", "advice"]
"""A button in a row: the best fix, the arrow that opens all fixes, the light bulb of a tip."""


class FixTarget(NamedTuple):
    """A button in the row of a layer."""

    node_id: str
    button: RowButton


def preview_target(project: Project) -> FixTarget | None:
    """What a preview would show: fixes or advice of a selected layer, else the first problem with a fix."""
    service, analysis = advice_service(project), project.analysis
    for node_id in project.selection:
        problem = analysis[node_id].problem
        if problem is not None and problem.fixes:
            return FixTarget(node_id, "fix" if project.is_error(problem) else "advice")
        if problem is None and service.for_node(node_id):
            return FixTarget(node_id, "advice")
    fixable = (problem for problem in analysis.problems if problem.fixes and problem.node_id)
    first = next(fixable, None)
    if first is None or first.node_id is None:
        return None
    return FixTarget(first.node_id, "fix" if project.is_error(first) else "advice")
