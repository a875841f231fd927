"""The inspector: the selected layer with its parameters, and its output always in sight."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSize, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from cnnstudio.core.parameters import parameters
from cnnstudio.gui.designer import commands
from cnnstudio.gui.designer.quick_fix.advice_service import advice_service
from cnnstudio.gui.designer.quick_fix.finding_cards import AdviceColumn, ProblemCard
from cnnstudio.gui.designer.selection_info import InputSize, SelectionInfo, selection_info
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.fields.parameter_form import ParameterForm
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Line, NameLabel, Panel, WrappedParts
from cnnstudio.gui.widgets.scroll_area import scroll_area

if TYPE_CHECKING:
    from cnnstudio.design.findings import Advice


class Inspector(Panel):
    """Shows and edits the selection: layers, the input, or else the whole network."""

    def __init__(self, project: Project) -> None:
        super().__init__("inspector")
        self._project = project
        self._forms: dict[type[Any], ParameterForm] = {}
        self._form: ParameterForm | None = None
        self._shows_more = False
        self._edit_session = 0
        """Edits of one parameter within a session merge into one undo step; see `_on_edited`."""
        self._icon = QLabel()
        self._title = NameLabel(role="title")
        self._place = ElidedLabel(role="help", tone="secondary")
        self._description = Label(role="help", tone="secondary", wrap=True)
        self._problem = ProblemCard(project)
        self._advice = AdviceColumn(project)
        self._form_area = QVBoxLayout()
        self._result = WrappedParts(role="help")
        self._later = QTimer(self)
        self._shown: tuple[object, ...] = ()
        self._compose()
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._show)
        project.selection_changed.connect(self._on_selection_changed)
        project.network_changed.connect(self._show_later)
        project.analysis_changed.connect(self._show_later)
        advice_service(project).changed.connect(self._show_later)
        theme().changed.connect(self._show)
        self._show()

    def sizeHint(self) -> QSize:
        return QSize(320, 480)

    def minimumSizeHint(self) -> QSize:
        return QSize(280, 220)

    def _compose(self) -> None:
        self._title.setObjectName("inspectorTitle")
        self._place.setObjectName("inspectorPlace")
        self._result.setObjectName("inspectorResult")
        self._description.setObjectName("inspectorDescription")
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(self._icon)
        head.addWidget(self._title)
        head.addWidget(self._place, 1)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(16, 10, 16, 12)
        column.setSpacing(9)
        column.addLayout(head)
        column.addWidget(self._description)
        column.addWidget(self._problem)
        column.addWidget(self._advice)
        column.addLayout(self._form_area)
        column.addStretch()
        scroll = scroll_area(content)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(1, 1, 1, 1)
        outer.setSpacing(0)
        outer.addWidget(scroll, 1)
        outer.addWidget(Line())
        self._result.setContentsMargins(16, 8, 16, 8)
        self._result.setMinimumHeight(48)
        outer.addWidget(self._result)

    def _on_selection_changed(self, _: object) -> None:
        self._edit_session += 1
        if self._form is not None:
            self._form.clear_errors()
        if not self._later.isActive():
            self._show()

    def _show_later(self, *_: object) -> None:
        """Updates once the event loop has drawn the layer list, which comes first after an edit."""
        self._later.start(0)

    def _show(self, *_: object) -> None:
        self._later.stop()
        self._shown = self._selected()
        self._show_info(selection_info(self._project))
        if self._project.input_selected:
            self._show_form(InputSize, [InputSize.of(self._project.network.input)])
            return
        layers = [self._project.network.node(node_id).layer for node_id in self._project.selection]
        kinds = {type(layer) for layer in layers}
        kind = kinds.pop() if len(kinds) == 1 else None
        self._show_form(kind if kind and parameters(kind) else None, layers)

    def _show_info(self, info: SelectionInfo) -> None:
        self._icon.setPixmap(theme().pixmap(info.icon, info.token, 17, self.devicePixelRatioF()))
        self._title.set_full_text(info.title)
        self._place.set_full_text(info.subtitle)
        self._description.setText(info.description)
        self._result.setText(info.result)
        self._problem.show_problem(info.problem)
        self._advice.show_advice(() if self._project.input_selected else self._advice_of_selection())

    def _advice_of_selection(self) -> tuple[Advice, ...]:
        """Advice on the selected layer, or on the network as a whole if no layer is selected."""
        service, selection = advice_service(self._project), self._project.selection
        return service.for_node(selection[0] if selection else None) if len(selection) < 2 else ()

    def _show_form(self, kind: type[Any] | None, instances: Sequence[Any]) -> None:
        """Shows the form of a type with values. Forms are cached: creating one takes longer than a frame."""
        form = None if kind is None else self._forms.get(kind)
        if kind is not None and form is None:
            form = self._forms[kind] = self._new_form(kind)
        if form is not self._form:
            for each, is_shown in ((self._form, False), (form, True)):
                if each is not None:
                    each.set_named(is_shown)
                    each.setVisible(is_shown)
            self._form = form
        if form is not None:
            form.more.setChecked(self._shows_more)
            form.show_values(instances)

    def _new_form(self, kind: type[Any]) -> ParameterForm:
        form = ParameterForm(kind)
        form.edited.connect(self._on_edited)
        form.finished.connect(self._on_finished)
        form.more_toggled.connect(self._on_more_toggled)
        self._form_area.addWidget(form)
        # Tab follows the reading order: without this a form created later would come last in the window.
        for before, after in pairwise((self._advice.tab_stops[-1], *form.tab_stops)):
            self.setTabOrder(before, after)
        return form

    def _on_more_toggled(self, shows_more: bool) -> None:
        self._shows_more = shows_more

    def _selected(self) -> tuple[object, ...]:
        return self._project.selection, self._project.input_selected

    def _on_edited(self, edit: tuple[str, Any]) -> None:
        if self._shown != self._selected():
            # The form still belongs to the previous selection.
            self._show()
            return
        name, value = edit
        # Typing a number or stepping through values sends many edits; they merge until the field is left.
        # A choice or a flag is one deliberate edit, and so one undo step each.
        merge = None if isinstance(value, bool | str) else ("inspector", self._edit_session, name)
        self._project.run_command(lambda: self._change(name, value, merge))

    def _change(self, name: str, value: Any, merge: Hashable | None) -> None:
        if self._project.input_selected:
            shape = InputSize.of(self._project.network.input).with_value(name, value)
            commands.set_input(self._project, shape, merge)
        else:
            commands.set_parameter(self._project, self._project.selection, name, value, merge)

    def _on_finished(self, _: object) -> None:
        self._edit_session += 1
