"""Says why a network cannot be trained, with its fix on the button."""

from __future__ import annotations

from cnnstudio.design.findings import Problem
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.message_bar import Message


def problem_message(project: Project, problem: Problem) -> Message:
    """For one of the project's problems; it goes as soon as that is solved."""
    fix = problem.fix

    def holds() -> bool:
        return problem in project.analysis.problems

    def apply() -> None:
        from cnnstudio.design.quick_fixes import apply_fix

        if fix is not None and holds():
            before = project.network
            network = apply_fix(before, problem, fix)
            added = [node.id for node in network.walk() if node.id not in before]
            project.edit(
                fix.label[:1].lower() + fix.label[1:], network, select=added or (problem.node_id or "",)
            )

    return Message(
        f"This network cannot be trained yet. {problem.full_message}.",
        is_error=True,
        button="" if fix is None else fix.label,
        action=None if fix is None else lambda: project.run_command(apply),
        holds=holds,
    )
