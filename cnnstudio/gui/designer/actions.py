"""The designer's actions with their keys, made once for a project and shared by menus and the layer list."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence
from PySide6.QtWidgets import QWidget

from cnnstudio.design import edits
from cnnstudio.design.findings import Problem
from cnnstudio.gui.designer import commands
from cnnstudio.gui.designer.quick_fix.advice_service import advice_desk
from cnnstudio.gui.designer.quick_fix.apply import fix
from cnnstudio.gui.designer.quick_fix.targets import chosen_spot
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme
from cnnstudio.layers.base import Group
from cnnstudio.layers.catalog import layer_types, snake_case

_WITHOUT_SELECTION = {
    *("actionUndo", "actionRedo", "actionPaste", "actionFix", "actionPreviewFix", "actionInsert"),
    *("actionAdvice", "actionSelectAll", "actionOpenGroups", "actionCloseGroups"),
}
"""Actions that make sense where no layer is selected."""

_IN_LIST = Qt.ShortcutContext.WidgetWithChildrenShortcut


def actions(project: Project, parent: QWidget) -> dict[str, QAction]:
    """The designer's actions by object name, in the order of a menu; their keys work in `parent`'s window.

    Keys that a field or a button needs too, such as Delete and Space, work in the layer list alone, which
    adds them to itself. It also carries out what happens in its rows: typing a name or a new layer, choosing
    all rows, opening and closing groups.
    """
    owner = project.findChild(_Actions)
    if owner is None:
        owner = _Actions(project)
    parent.addActions([action for action in owner.by_name.values() if action.shortcutContext() != _IN_LIST])
    return owner.by_name


def chosen_problem(project: Project) -> Problem | None:
    """What the fix action would fix: the problem of a selected layer, else the first that has a fix."""
    problems = [project.analysis[node_id].problem for node_id in project.selection]
    fixable = [problem for problem in (*problems, *project.analysis.problems) if problem and problem.fix]
    return fixable[0] if fixable else None


class _Actions(QObject):
    """Makes the actions, and enables those that make sense for the selection."""

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        self._project = project
        self.by_name: dict[str, QAction] = {}
        self._make_history()
        self._make_clipboard()
        self._make_layer_actions()
        self._make_group_actions()
        self._make_view_actions()
        self._add("actionFix", "&Fix", ["F8", "Ctrl+M"], self._fix, icon="check")
        self._add("actionPreviewFix", "Preview the m&ends…", ["Shift+F8"], None)
        self._add("actionAdvice", "&Tips…", ["F7"], None, icon="advice")
        project.selection_changed.connect(self._refresh)
        project.analysis_changed.connect(self._refresh)
        advice_desk(project).changed.connect(self._refresh)
        self._refresh()

    def _make_history(self) -> None:
        stack = self._project.undo_stack
        for name, action, keys, icon in (
            ("actionUndo", stack.createUndoAction(self, "&Undo"), ["Ctrl+Z"], "undo"),
            ("actionRedo", stack.createRedoAction(self, "&Redo"), ["Ctrl+Shift+Z", "Ctrl+Y"], "redo"),
        ):
            self._register(name, action, keys, icon)

    def _make_clipboard(self) -> None:
        self._add("actionCut", "Cu&t", ["Ctrl+X"], self._cut, icon="cut")
        self._add("actionCopy", "&Copy", ["Ctrl+C"], self._copy, icon="copy")
        self._add("actionPaste", "&Paste", ["Ctrl+V"], self._paste, icon="paste")

    def _make_layer_actions(self) -> None:
        add, project = self._add, self._project
        add("actionInsert", "&Insert by typing…", ["Insert", "Ctrl+Return"], None, in_list=True)
        add(
            "actionDuplicate",
            "&Duplicate",
            ["Ctrl+D"],
            partial(commands.duplicate, project),
            icon="duplicate",
        )
        delete = partial(commands.delete, project)
        add("actionDelete", "De&lete", ["Delete", "Backspace"], delete, icon="delete", in_list=True)
        add("actionRename", "Re&name", ["F2"], None, in_list=True)
        toggle = partial(commands.toggle_enabled, project)
        add("actionToggleEnabled", "Switch &off", ["Space"], toggle, in_list=True)
        add("actionMoveUp", "Move &up", ["Alt+Up"], partial(commands.step_up, project), in_list=True)
        add("actionMoveDown", "Move do&wn", ["Alt+Down"], partial(commands.step_down, project), in_list=True)

    def _make_group_actions(self) -> None:
        add, project = self._add, self._project
        into, out = partial(commands.indent, project), partial(commands.outdent, project)
        add("actionIndent", "Move &into the group", ["Ctrl+]", "Alt+Right"], into, in_list=True)
        add("actionOutdent", "Move &out of the group", ["Ctrl+[", "Alt+Left"], out, in_list=True)
        kinds = [kind for kind in layer_types().values() if issubclass(kind, Group)]
        for number, kind in enumerate(kinds, start=1):
            name = kind.type_name()
            wrap = partial(commands.wrap, project, kind)
            add(f"actionWrap{name}", f"Wrap in {name}", [f"Ctrl+{number}"], wrap, icon=snake_case(name))
        add("actionUnwrap", "Un&wrap", ["Ctrl+0", "Ctrl+Shift+G"], partial(commands.unwrap, project))

    def _make_view_actions(self) -> None:
        self._add("actionSelectAll", "Select &all", ["Ctrl+A"], None, in_list=True)
        self._add("actionOpenGroups", "Open all &groups", ["Shift+Right"], None, in_list=True)
        self._add("actionCloseGroups", "&Close all groups", ["Shift+Left"], None, in_list=True)

    def _add(
        self,
        name: str,
        text: str,
        keys: list[str],
        run: Callable[[], None] | None,
        *,
        icon: str = "",
        in_list: bool = False,
    ) -> None:
        action = QAction(text, self)
        if in_list:
            action.setShortcutContext(_IN_LIST)
        if run is not None:
            action.triggered.connect(lambda _checked=False: self._project.attempt(run))
        self._register(name, action, keys, icon)

    def _register(self, name: str, action: QAction, keys: list[str], icon: str) -> None:
        action.setObjectName(name)
        action.setShortcuts([QKeySequence(key) for key in keys])
        if icon:
            theme().dress(action, icon)
        self.by_name[name] = action

    def _cut(self) -> None:
        self._copy()
        commands.delete(self._project, "cut")

    def _copy(self) -> None:
        nodes = edits.outermost(self._project.network, self._project.selection)
        if nodes:
            QGuiApplication.clipboard().setMimeData(commands.to_mime(nodes))

    def _paste(self) -> None:
        data = QGuiApplication.clipboard().mimeData()
        if commands.holds_layers(data):
            commands.bring(self._project, data, verb="paste")
        else:
            from cnnstudio.gui.designer.paste_code import paste_text

            paste_text(self._project, data.text())

    def _fix(self) -> None:
        problem = chosen_problem(self._project)
        if problem is not None:
            fix(self._project, problem)

    def _refresh(self, *_: object) -> None:
        network, selection = self._project.network, self._project.selection
        chosen = [network.node(node_id) for node_id in selection if node_id in network]
        one = chosen[0] if len(chosen) == 1 else None
        for name, action in self.by_name.items():
            if name not in _WITHOUT_SELECTION:
                action.setEnabled(bool(chosen))
        self.by_name["actionRename"].setEnabled(one is not None)
        self.by_name["actionUnwrap"].setEnabled(one is not None and one.is_group)
        self.by_name["actionOutdent"].setEnabled(any(network.place(node.id).parent for node in chosen))
        self.by_name["actionSelectAll"].setEnabled(bool(network.nodes))
        all_off = bool(chosen) and not any(node.enabled for node in chosen)
        self.by_name["actionToggleEnabled"].setText("Switch &on" if all_off else "Switch &off")
        problem = chosen_problem(self._project)
        action = self.by_name["actionFix"]
        action.setEnabled(problem is not None)
        action.setText(f"&Fix: {problem.fix.label}" if problem and problem.fix else "&Fix")
        desk = advice_desk(self._project)
        self.by_name["actionAdvice"].setEnabled(bool(desk.shown or desk.dismissed))
        self.by_name["actionPreviewFix"].setEnabled(chosen_spot(self._project) is not None)
