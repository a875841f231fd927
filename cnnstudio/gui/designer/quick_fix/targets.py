"""What in the layer list a fix or a tip belongs to: a layer, and the part of its row that stands for it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from cnnstudio.gui.designer.quick_fix.advice_service import advice_desk
from cnnstudio.gui.document.project import Project

PREVIEW_CARD = "fixPreview"
"""The object name of the window's one preview of fixes."""

Part = Literal["fix", "more", "advice"]
"""A button in a row: the best fix, the arrow to all of them, the sign that there is advice."""


class Spot(NamedTuple):
    """A button of a row."""

    node_id: str
    part: Part


def chosen_spot(project: Project) -> Spot | None:
    """What there is to preview: a selected layer's fixes or advice, else the first problem with a fix."""
    desk, analysis = advice_desk(project), project.analysis
    for node_id in project.selection:
        problem = analysis[node_id].problem
        if problem is not None and problem.fixes:
            return Spot(node_id, "fix")
        if problem is None and desk.of(node_id):
            return Spot(node_id, "advice")
    fixable = (problem.node_id for problem in analysis.problems if problem.fixes and problem.node_id)
    first = next(fixable, None)
    return None if first is None else Spot(first, "fix")
