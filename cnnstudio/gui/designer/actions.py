"""The designer's actions, made once for a project and shared by the menus and the layer list."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from cnnstudio.design import edits
from cnnstudio.design.findings import Problem
from cnnstudio.gui.designer import commands
from cnnstudio.gui.designer.quick_fix.advice_service import advice_service
from cnnstudio.gui.designer.quick_fix.apply import apply_fix
from cnnstudio.gui.designer.quick_fix.targets import preview_target
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.actions import ActionSet, ActionSpec
from cnnstudio.gui.widgets.plain_text import plain_entry
from cnnstudio.layers.base import Group
from cnnstudio.layers.catalog import layer_types, snake_case

_IN_LIST = "in the layer list"
_ON_PAGE = "on the Design page"
"""For keys that fields and buttons need as well, such as Delete and Space."""


class DesignActions(ActionSet[Project]):
    """The designer's actions for one project.

    The layer list implements those that concern its rows: renaming, quick insert, selecting all rows, and
    expanding and collapsing groups. Errors are shown as messages of the project.
    """

    def __init__(self, project: Project) -> None:
        signals = (
            project.selection_changed,
            project.analysis_changed,
            project.undo_stack.indexChanged,
            advice_service(project).changed,
        )
        super().__init__(project, _table(), project, signals, project.run_command)


def design_actions(project: Project, widget: QWidget) -> DesignActions:
    """The project's design actions, created on first use; their shortcuts work in the widget's window."""
    existing = project.findChild(DesignActions)
    if existing is None:
        existing = DesignActions(project)
    existing.add_to(widget)
    return existing


# Callbacks


def _undo(project: Project) -> None:
    project.undo_stack.undo()


def _redo(project: Project) -> None:
    project.undo_stack.redo()


def _cut(project: Project) -> None:
    _copy(project)
    commands.delete(project, "cut")


def _copy(project: Project) -> None:
    nodes = edits.outermost(project.network, project.selection)
    if nodes:
        QGuiApplication.clipboard().setMimeData(commands.to_mime(nodes))


def _paste(project: Project) -> None:
    data = QGuiApplication.clipboard().mimeData()
    if commands.has_layers(data):
        commands.insert_from_mime(project, data, verb="paste")
    else:
        from cnnstudio.gui.designer.paste_code import paste_text

        paste_text(project, data.text())


def _fix(project: Project) -> None:
    problem = fixable_problem(project)
    if problem is not None:
        apply_fix(project, problem)


def fixable_problem(project: Project) -> Problem | None:
    """The problem that the Fix action would fix: a selected layer's, else the first one that has a fix."""
    problems = [project.analysis[node_id].problem for node_id in project.selection]
    fixable = [problem for problem in (*problems, *project.analysis.problems) if problem and problem.fix]
    return fixable[0] if fixable else None


# When they are enabled


def _is_selected(project: Project) -> bool:
    return bool(project.selection)


def _is_one_selected(project: Project) -> bool:
    return len(project.selection) == 1


def _is_group_selected(project: Project) -> bool:
    return _is_one_selected(project) and project.network.node(project.selection[0]).is_group


def _is_in_group(project: Project) -> bool:
    return any(project.network.place(node_id).parent for node_id in project.selection)


def _are_all_disabled(project: Project) -> bool:
    nodes = [project.network.node(node_id) for node_id in project.selection]
    return bool(nodes) and not any(node.enabled for node in nodes)


def _has_advice(project: Project) -> bool:
    service = advice_service(project)
    return bool(service.shown or service.dismissed)


def _is_problem_selected(project: Project) -> bool:
    return any(project.analysis[node_id].problem for node_id in project.selection)


def _is_finding_selected(project: Project) -> bool:
    service = advice_service(project)
    return _is_problem_selected(project) or any(map(service.for_node, project.selection))


# Titles that depend on the state


def _with_step(verb: str, step: str) -> str:
    return f"{verb} {plain_entry(step)}".rstrip()


def _fix_title(project: Project) -> str:
    problem = fixable_problem(project)
    if problem is None or problem.fix is None:
        return "&Fix"
    return f"&Fix: {plain_entry(problem.fix.label)}"


# The table

_FIXES: tuple[ActionSpec[Project], ...] = (
    ActionSpec(
        "actionFix",
        "&Fix",
        _fix,
        menu="Network",
        tooltip="Apply the best fix for the selected layer’s problem, or else for the first problem",
        shortcuts=("F8", "Ctrl+M"),
        icon="check",
        enabled=lambda project: fixable_problem(project) is not None,
        dynamic_title=_fix_title,
        separator_before=True,
        context_rank=1,
        context_if=_is_problem_selected,
    ),
    ActionSpec(
        "actionPreviewFixes",
        "Preview fi&xes…",
        None,
        menu="Network",
        tooltip="Compare what each possible fix would change before applying one",
        shortcuts=("Shift+F8",),
        enabled=lambda project: preview_target(project) is not None,
        context_rank=2,
        context_if=_is_finding_selected,
    ),
    ActionSpec(
        "actionAdvice",
        "&Tips…",
        None,
        menu="Network",
        tooltip="Show tips for improving the design",
        shortcuts=("F7",),
        icon="advice",
        enabled=_has_advice,
    ),
)

_EDIT: tuple[ActionSpec[Project], ...] = (
    ActionSpec(
        "actionUndo",
        "&Undo",
        _undo,
        menu="Edit",
        tooltip="Undo the last change to the design or recipe",
        shortcuts=("Ctrl+Z",),
        icon="undo",
        enabled=lambda project: project.undo_stack.canUndo(),
        dynamic_title=lambda project: _with_step("&Undo", project.undo_stack.undoText()),
    ),
    ActionSpec(
        "actionRedo",
        "&Redo",
        _redo,
        menu="Edit",
        tooltip="Redo the last undone change",
        shortcuts=("Ctrl+Shift+Z", "Ctrl+Y"),
        icon="redo",
        enabled=lambda project: project.undo_stack.canRedo(),
        dynamic_title=lambda project: _with_step("&Redo", project.undo_stack.redoText()),
    ),
    ActionSpec(
        "actionCut",
        "Cu&t",
        _cut,
        menu="Edit",
        tooltip="Move the selected layers to the clipboard",
        shortcuts=("Ctrl+X",),
        icon="cut",
        enabled=_is_selected,
        separator_before=True,
        context_rank=14,
    ),
    ActionSpec(
        "actionCopy",
        "&Copy",
        _copy,
        menu="Edit",
        tooltip="Copy the selected layers to the clipboard",
        shortcuts=("Ctrl+C",),
        icon="copy",
        enabled=_is_selected,
        context_rank=12,
    ),
    ActionSpec(
        "actionPaste",
        "&Paste",
        _paste,
        menu="Edit",
        tooltip="Paste layers, or Keras or PyTorch code, below the selection",
        shortcuts=("Ctrl+V",),
        icon="paste",
        context_rank=13,
    ),
    ActionSpec(
        "actionDuplicate",
        "&Duplicate",
        commands.duplicate,
        menu="Edit",
        tooltip="Duplicate the selected layers",
        shortcuts=("Ctrl+D",),
        icon="duplicate",
        enabled=_is_selected,
        separator_before=True,
        context_rank=7,
    ),
    ActionSpec(
        "actionDelete",
        "De&lete",
        commands.delete,
        menu="Edit",
        tooltip="Delete the selected layers",
        shortcuts=("Delete", "Backspace"),
        shortcut_scope=_IN_LIST,
        icon="delete",
        enabled=_is_selected,
        context_rank=4,
    ),
)

_LAYERS: tuple[ActionSpec[Project], ...] = (
    ActionSpec(
        "actionInsert",
        "Quick &insert…",
        None,
        menu="Network",
        tooltip="Insert layers below the selection by typing, for example conv 32 3 relu",
        shortcuts=("Insert", "Ctrl+Return"),
        shortcut_scope=_ON_PAGE,
        context_rank=3,
    ),
    ActionSpec(
        "actionRename",
        "Re&name",
        None,
        menu="Network",
        tooltip="Rename the selected layer",
        shortcuts=("F2",),
        shortcut_scope=_IN_LIST,
        enabled=_is_one_selected,
        context_rank=10,
    ),
    ActionSpec(
        "actionToggleEnabled",
        "&Disable",
        commands.toggle_enabled,
        menu="Network",
        tooltip="Disable or enable the selected layers; a disabled layer passes its input through unchanged",
        shortcuts=("Space",),
        shortcut_scope=_IN_LIST,
        enabled=_is_selected,
        dynamic_title=lambda project: "&Enable" if _are_all_disabled(project) else "&Disable",
        context_rank=5,
    ),
    ActionSpec(
        "actionToggleLocked",
        "&Lock",
        commands.toggle_locked,
        menu="Network",
        tooltip="Lock or unlock the selected layers; training leaves locked weights as they are",
        shortcuts=("Ctrl+L",),
        shortcut_scope=_IN_LIST,
        icon="lock",
        enabled=_is_selected,
        dynamic_title=lambda project: "Un&lock" if commands.are_all_locked(project) else "&Lock",
        context_rank=6,
    ),
    ActionSpec(
        "actionMoveUp",
        "Move &up",
        commands.move_up,
        menu="Network",
        tooltip="Move the selected layers up one row",
        shortcuts=("Alt+Up",),
        shortcut_scope=_IN_LIST,
        enabled=_is_selected,
        separator_before=True,
    ),
    ActionSpec(
        "actionMoveDown",
        "Move do&wn",
        commands.move_down,
        menu="Network",
        tooltip="Move the selected layers down one row",
        shortcuts=("Alt+Down",),
        shortcut_scope=_IN_LIST,
        enabled=_is_selected,
    ),
    ActionSpec(
        "actionIndent",
        "Move into grou&p",
        commands.indent,
        menu="Network",
        tooltip="Move the selected layers into the group above or below them",
        shortcuts=("Ctrl+]",),
        shortcut_scope=_IN_LIST,
        enabled=_is_selected,
    ),
    ActionSpec(
        "actionOutdent",
        "&Move out of group",
        commands.outdent,
        menu="Network",
        tooltip="Move the selected layers out of their group",
        shortcuts=("Ctrl+[",),
        shortcut_scope=_IN_LIST,
        enabled=_is_in_group,
        context_rank=11,
    ),
)

_GROUPS: tuple[ActionSpec[Project], ...] = (
    ActionSpec(
        "actionUnwrap",
        "Unw&rap",
        commands.unwrap,
        menu="Network",
        tooltip="Replace the selected group with the layers inside it",
        shortcuts=("Ctrl+0", "Ctrl+Shift+G"),
        enabled=_is_group_selected,
        context_rank=8,
    ),
    ActionSpec(
        "actionSelectAll",
        "Select &all",
        None,
        menu="Network",
        tooltip="Select all layers",
        shortcuts=("Ctrl+A",),
        shortcut_scope=_IN_LIST,
        enabled=lambda project: bool(project.network.nodes),
        separator_before=True,
        context_rank=15,
    ),
    ActionSpec(
        "actionOpenGroups",
        "Expand all &groups",
        None,
        menu="Network",
        tooltip="Show the layers inside all groups",
        shortcuts=("Shift+Right",),
        shortcut_scope=_IN_LIST,
        context_rank=16,
    ),
    ActionSpec(
        "actionCloseGroups",
        "&Collapse all groups",
        None,
        menu="Network",
        tooltip="Show each group as a single row",
        shortcuts=("Shift+Left",),
        shortcut_scope=_IN_LIST,
        context_rank=17,
    ),
)


def _table() -> tuple[ActionSpec[Project], ...]:
    return (*_EDIT, *_LAYERS, *_wraps(), *_GROUPS, *_FIXES)


def _wraps() -> Iterator[ActionSpec[Project]]:
    """One action for each type of group."""
    kinds = [kind for kind in layer_types().values() if issubclass(kind, Group)]
    for number, kind in enumerate(kinds, start=1):
        name = kind.type_name()
        yield ActionSpec(
            f"actionWrap{name}",
            f"Wrap in {name}",
            partial(_wrap, kind),
            menu="Network",
            tooltip=f"Wrap the selected layers in a new {name} group",
            shortcuts=(f"Ctrl+Alt+{number}",),
            icon=snake_case(name),
            enabled=_is_selected,
            separator_before=number == 1,
            context_rank=9,
            context_submenu="&Wrap in a group",
        )


def _wrap(kind: type[Group], project: Project) -> None:
    commands.wrap(project, kind)
