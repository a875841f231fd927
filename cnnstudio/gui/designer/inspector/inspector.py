"""The inspector: the selected layer with its form, what comes out of it, and its code."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from cnnstudio.core.parameters import parameters
from cnnstudio.gui.designer import commands
from cnnstudio.gui.designer.inspector.code_view import CodeView
from cnnstudio.gui.designer.quick_fix.advice_service import advice_desk
from cnnstudio.gui.designer.quick_fix.finding_cards import AdviceColumn, ProblemCard
from cnnstudio.gui.designer.selection_info import InputSize, Subject, subject
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Line, Panel
from cnnstudio.gui.widgets.parameter_form import ParameterForm

if TYPE_CHECKING:
    from cnnstudio.design.findings import Advice


class Inspector(Panel):
    """Shows and changes what is selected: layers, the input; else it shows the whole network."""

    def __init__(self, project: Project) -> None:
        super().__init__("inspector")
        self._project = project
        self._forms: dict[type[Any], ParameterForm] = {}
        self._form: ParameterForm | None = None
        self._session = 0
        self._icon = QLabel()
        self._title = Label(role="title")
        self._place = ElidedLabel(role="help", tone="secondary")
        self._description = Label(role="help", tone="secondary", wrap=True)
        self._problem = ProblemCard(project)
        self._advice = AdviceColumn(project)
        self._form_area = QVBoxLayout()
        self._result = Label(role="help", wrap=True)
        self._later = QTimer(self)
        self._shown: tuple[object, ...] = ()
        self._compose()
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._show)
        project.selection_changed.connect(self._on_selection_changed)
        project.network_changed.connect(self._show_later)
        project.analysis_changed.connect(self._show_later)
        advice_desk(project).changed.connect(self._show_later)
        theme().changed.connect(self._show)
        self._show()

    def sizeHint(self) -> QSize:
        return QSize(470, 480)

    def minimumSizeHint(self) -> QSize:
        return QSize(330, 220)

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
        column.setContentsMargins(14, 10, 14, 12)
        column.setSpacing(9)
        column.addLayout(head)
        column.addWidget(self._description)
        column.addWidget(self._problem)
        column.addWidget(self._advice)
        column.addLayout(self._form_area)
        column.addWidget(Line())
        column.addWidget(self._result)
        column.addWidget(CodeView(self._project), 1)
        column.addStretch()
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(content)
        scroll.viewport().setAutoFillBackground(False)
        content.setAutoFillBackground(False)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(1, 1, 1, 1)
        outer.addWidget(scroll)

    def _on_selection_changed(self, _: object) -> None:
        self._session += 1
        if self._form is not None:
            self._form.forget_mistakes()
        if not self._later.isActive():
            self._show()

    def _show_later(self, *_: object) -> None:
        """After an edit the list comes first; this is up to date when the event loop has drawn it."""
        self._later.start(0)

    def _show(self, *_: object) -> None:
        self._later.stop()
        self._shown = self._chosen()
        about = subject(self._project)
        self._show_words(about)
        if self._project.input_selected:
            self._show_form(InputSize, [InputSize.of(self._project.network.input)])
            return
        layers = [self._project.network.node(node_id).layer for node_id in self._project.selection]
        kinds = {type(layer) for layer in layers}
        kind = kinds.pop() if len(kinds) == 1 else None
        self._show_form(kind if kind and parameters(kind) else None, layers)

    def _show_words(self, about: Subject) -> None:
        self._icon.setPixmap(theme().pixmap(about.icon, about.token, 17, self.devicePixelRatioF()))
        self._title.setText(about.title)
        self._place.set_whole(about.place)
        self._description.setText(about.description)
        self._result.setText(about.result)
        self._problem.show_problem(about.problem)
        self._advice.show_advice(() if self._project.input_selected else self._advice_of_selection())

    def _advice_of_selection(self) -> tuple[Advice, ...]:
        """Of the one layer that is selected; of the network as a whole where none is."""
        desk, selection = advice_desk(self._project), self._project.selection
        return desk.of(selection[0] if selection else None) if len(selection) < 2 else ()

    def _show_form(self, kind: type[Any] | None, instances: Sequence[Any]) -> None:
        """The form of a type with some values; forms are kept, since making one takes longer than a frame."""
        form = None if kind is None else self._forms.get(kind)
        if kind is not None and form is None:
            form = self._forms[kind] = self._new_form(kind)
        if form is not self._form:
            for other, is_shown in ((self._form, False), (form, True)):
                if other is not None:
                    other.set_named(is_shown)
                    other.setVisible(is_shown)
            self._form = form
        if form is not None:
            form.show_values(instances)

    def _new_form(self, kind: type[Any]) -> ParameterForm:
        form = ParameterForm(kind)
        form.edited.connect(self._on_edited)
        form.finished.connect(self._on_finished)
        self._form_area.addWidget(form)
        # Tab goes as one reads: a form that is made later would come after everything in the window.
        for before, after in pairwise((self._advice.stops[-1], *form.stops)):
            self.setTabOrder(before, after)
        return form

    def _chosen(self) -> tuple[object, ...]:
        return self._project.selection, self._project.input_selected

    def _on_edited(self, edit: tuple[str, Any]) -> None:
        if self._shown != self._chosen():
            # The form is still that of what was selected before.
            self._show()
            return
        name, value = edit
        # Numbers come one by one while they are typed or stepped through; a choice is made once.
        merge = None if isinstance(value, bool | str) else ("inspector", self._session, name)
        self._project.attempt(lambda: self._change(name, value, merge))

    def _change(self, name: str, value: Any, merge: Hashable | None) -> None:
        if self._project.input_selected:
            shape = InputSize.of(self._project.network.input).with_value(name, value)
            commands.set_input(self._project, shape, merge)
        else:
            commands.change(self._project, self._project.selection, name, value, merge)

    def _on_finished(self, _: object) -> None:
        self._session += 1
