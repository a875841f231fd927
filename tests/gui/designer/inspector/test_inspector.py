"""The inspector: a form for the parameters, one undo step per edit, and the network as text and code."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

from cnnstudio.core.parameters import parameters
from cnnstudio.design import edits
from cnnstudio.design.network import Network
from cnnstudio.gui.designer import commands
from cnnstudio.gui.designer.inspector.inspector import Inspector
from cnnstudio.gui.designer.layer_list.layer_list import LayerList
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.fields.parameter_form import ParameterForm

KEY = Qt.Key
CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def project(lesson: Network) -> Project:
    return Project(lesson)


@pytest.fixture
def inspector(project: Project, qtbot: QtBot) -> Inspector:
    inspector = Inspector(project)
    qtbot.addWidget(inspector)
    inspector.resize(480, 700)
    with qtbot.waitActive(inspector):
        inspector.show()
    return inspector


def text(inspector: Inspector, name: str) -> str:
    QApplication.processEvents()
    label = inspector.findChild(QLabel, name)
    breaking = {"\N{NO-BREAK SPACE}": " ", "\N{NON-BREAKING HYPHEN}": "-"}
    return (label.accessibleName() or label.text()).translate(str.maketrans(breaking))


def field(inspector: Inspector, name: str) -> QWidget:
    """The only field of that name."""
    QApplication.processEvents()
    found = inspector.findChildren(QWidget, f"param_{name}")
    assert len(found) == 1
    assert found[0].isVisible()
    return found[0]


def retype(qtbot: QtBot, spin_box: QWidget, typed: str) -> None:
    spin_box.setFocus()
    line = spin_box.findChild(QLineEdit)
    line.selectAll()
    qtbot.keyClicks(line, typed)


def show_more(qtbot: QtBot, inspector: Inspector) -> None:
    button = next(
        each for each in inspector.findChildren(QAbstractButton, "moreParameters") if each.isVisible()
    )
    if not button.isChecked():
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_a_layer_is_described(project: Project, inspector: Inspector) -> None:
    project.select(["conv2d_2"])
    assert text(inspector, "inspectorTitle") == "Conv2D"
    assert text(inspector, "inspectorPlace") == "third layer"
    assert text(inspector, "inspectorDescription").startswith("Slides small filters over the image")
    assert text(inspector, "inspectorResult") == (
        "Output 64 × 13 × 13 · 18,496 parameters · 3.1 M multiply-adds · receptive field 8 × 8"
    )


def test_every_parameter_has_a_field_with_its_value(
    qtbot: QtBot, project: Project, inspector: Inspector
) -> None:
    project.select(["conv2d_1"])
    show_more(qtbot, inspector)
    for node in project.network.nodes:
        project.select([node.id])
        for parameter in parameters(node.layer):
            shown = field(inspector, parameter.name)
            assert shown.value() == getattr(node.layer, parameter.name)  # type: ignore[attr-defined]  # a Field
            assert shown.accessibleName()


def test_parameters_that_few_need_are_folded_with_their_values_in_words(
    qtbot: QtBot, project: Project, inspector: Inspector
) -> None:
    commands.set_parameter(project, ["conv2d_2"], "groups", 4, None)
    project.select(["conv2d_2"])
    QApplication.processEvents()
    button = inspector.findChild(QAbstractButton, "moreParameters")
    assert button.accessibleName() == (
        "More settings, collapsed: groups 4, dilation rate 1 by 1, initial weights auto, L2 penalty 0"
    )
    assert not inspector.findChild(QWidget, "param_groups").isVisible()
    show_more(qtbot, inspector)
    assert field(inspector, "groups").y() > field(inspector, "use_bias").y()

    project.select(["dense_1"])
    assert field(inspector, "kernel_l2").isVisible(), "what is shown for one layer is shown for all"


def test_fields_of_other_types_are_not_found(project: Project, inspector: Inspector) -> None:
    project.select(["conv2d_1"])
    project.select(["dense_1"])
    assert inspector.findChild(QWidget, "param_filters") is None
    assert field(inspector, "activation").isVisible()


def test_typing_a_number_is_one_undo_step(qtbot: QtBot, project: Project, inspector: Inspector) -> None:
    project.select(["conv2d_2"])
    retype(qtbot, field(inspector, "filters"), "128")
    assert project.network.node("conv2d_2").layer.filters == 128  # type: ignore[attr-defined]  # a Conv2D
    assert project.undo_stack.count() == 1
    assert project.undo_stack.undoText() == "change filters of Conv2D"
    project.undo_stack.undo()
    assert field(inspector, "filters").value() == 64  # type: ignore[attr-defined]  # an IntegerField


def test_editing_a_field_twice_is_two_undo_steps(
    qtbot: QtBot, project: Project, inspector: Inspector
) -> None:
    project.select(["conv2d_2"])
    for typed in ("32", "48"):
        retype(qtbot, field(inspector, "filters"), typed)
        qtbot.keyClick(field(inspector, "filters"), KEY.Key_Return)
    assert project.undo_stack.count() == 2


def test_editing_two_fields_is_two_undo_steps(qtbot: QtBot, project: Project, inspector: Inspector) -> None:
    project.select(["conv2d_2"])
    qtbot.keyClick(field(inspector, "filters"), KEY.Key_Up)
    qtbot.keyClick(field(inspector, "filters"), KEY.Key_Up)
    qtbot.keyClick(field(inspector, "strides").findChild(QSpinBox), KEY.Key_Up)
    assert project.undo_stack.count() == 2


def test_each_change_of_a_choice_or_flag_is_an_undo_step(
    qtbot: QtBot, project: Project, inspector: Inspector
) -> None:
    project.select(["conv2d_2"])
    padding, bias = field(inspector, "padding"), field(inspector, "use_bias")
    assert isinstance(padding, QComboBox)
    assert isinstance(bias, QCheckBox)
    padding.setCurrentText("same")
    padding.setCurrentText("valid")
    qtbot.keyClick(bias, KEY.Key_Space)
    assert project.undo_stack.count() == 3
    assert not project.network.node("conv2d_2").layer.use_bias  # type: ignore[attr-defined]  # a Conv2D


def test_undo_in_a_field_undoes_the_design(
    qtbot: QtBot, project: Project, show: Callable[[Project], LayerList]
) -> None:
    layers = show(project)
    inspector = Inspector(project)
    inspector.setParent(layers)
    inspector.show()
    project.select(["conv2d_2"])
    retype(qtbot, field(inspector, "filters"), "96")
    qtbot.keyClick(field(inspector, "filters").findChild(QLineEdit), KEY.Key_Z, CTRL)
    assert project.network.node("conv2d_2").layer.filters == 64  # type: ignore[attr-defined]  # a Conv2D


def test_an_invalid_value_is_explained_below_its_field(
    qtbot: QtBot, project: Project, inspector: Inspector
) -> None:
    project.select(["conv2d_2"])
    retype(qtbot, field(inspector, "filters"), "70000")
    messages = [label.text() for label in inspector.findChildren(QLabel) if label.isVisible()]
    assert "Must be between 1 and 65,536, got 70,000." in messages
    qtbot.keyClick(field(inspector, "filters"), KEY.Key_Return)
    assert project.network.node("conv2d_2").layer.filters == 65_536  # type: ignore[attr-defined]  # a Conv2D
    project.select(["conv2d_1"])
    assert not any(
        "Must be between" in label.text() for label in inspector.findChildren(QLabel) if label.isVisible()
    )


@pytest.mark.parametrize("key", [KEY.Key_Tab, KEY.Key_Return])
def test_a_note_says_what_became_of_an_invalid_value_until_it_is_changed(
    qtbot: QtBot, project: Project, inspector: Inspector, key: Qt.Key
) -> None:
    def notes() -> list[str]:
        texts = [label.text() for label in inspector.findChildren(QLabel) if label.isVisible()]
        return [text for text in texts if text.startswith(("Must be", "At least"))]

    project.select(["conv2d_2"])
    spin_box = field(inspector, "filters")
    retype(qtbot, spin_box, "0")
    assert notes() == ["Must be between 1 and 65,536, got 0."]

    qtbot.keyClick(spin_box.findChild(QLineEdit), key)
    assert spin_box.text() == "1"  # type: ignore[attr-defined]  # an IntegerField
    assert notes() == ["At least 1."]
    assert project.network.node("conv2d_2").layer.filters == 1  # type: ignore[attr-defined]  # a Conv2D

    project.undo_stack.undo()
    qtbot.waitUntil(lambda: not notes())
    assert spin_box.text() == "64"  # type: ignore[attr-defined]  # an IntegerField
    assert not project.undo_stack.canUndo(), "the number and what became of it are one step"


def test_tab_goes_through_the_form_for_every_type(
    qtbot: QtBot, project: Project, inspector: Inspector
) -> None:
    after = QPushButton("What comes next")
    column = QVBoxLayout()
    column.addWidget(after)
    inspector.layout().addLayout(column)
    for node_id in ("conv2d_1", "max_pooling2d_1"):
        project.select([node_id])
        if node_id == "conv2d_1":
            show_more(qtbot, inspector)
        declared = parameters(project.network.node(node_id).layer)
        names = [parameter.name for parameter in sorted(declared, key=lambda each: each.is_rare)]
        field(inspector, names[0]).setFocus()
        seen: list[QWidget] = []
        while inspector.focusWidget() is not after:
            seen.append(inspector.focusWidget())
            assert len(seen) < 30
            qtbot.keyClick(inspector.focusWidget(), KEY.Key_Tab)
        fields = [field(inspector, name) for name in names]
        seen = [stop for stop in seen if stop.objectName() != "moreParameters"]
        reached = [next(each for each in fields if each in (stop, stop.parent())) for stop in seen]
        assert list(dict.fromkeys(reached)) == fields


def test_an_edit_does_not_disturb_the_field_being_typed_in(
    qtbot: QtBot, project: Project, inspector: Inspector
) -> None:
    project.select(["conv2d_2"])
    spin_box = field(inspector, "filters")
    retype(qtbot, spin_box, "12")
    line = spin_box.findChild(QLineEdit)
    line.setCursorPosition(1)
    qtbot.keyClicks(line, "0")
    assert line.text() == "102"


def test_several_layers_of_one_type_are_edited_together(
    qtbot: QtBot, project: Project, inspector: Inspector
) -> None:
    project.select(["conv2d_1", "conv2d_2"])
    assert text(inspector, "inspectorTitle") == "2 layers"
    assert text(inspector, "inspectorPlace") == "all Conv2D"
    assert text(inspector, "inspectorResult").startswith("Total: 19,392 parameters")
    assert any(label.text() == "currently 32, 64" for label in inspector.findChildren(QLabel))
    padding = field(inspector, "padding")
    assert isinstance(padding, QComboBox)
    padding.setCurrentText("same")
    layers = [project.network.node(node_id).layer for node_id in ("conv2d_1", "conv2d_2")]
    assert [(layer.filters, layer.padding) for layer in layers] == [(32, "same"), (64, "same")]  # type: ignore[attr-defined]  # Conv2D
    assert project.undo_stack.count() == 1
    assert project.undo_stack.undoText() == "change padding of 2 layers"


def test_layers_of_different_types_have_no_form(project: Project, inspector: Inspector) -> None:
    project.select(["conv2d_1", "flatten_1", "dense_1"])
    assert text(inspector, "inspectorTitle") == "3 layers"
    assert text(inspector, "inspectorPlace") == "Conv2D, Flatten, Dense"
    assert inspector.findChild(QWidget, "param_activation") is None


def test_layers_in_a_selected_group_are_not_counted_twice(
    project: Project, inspector: Inspector, nested: Network
) -> None:
    project.open_network(nested, None)
    project.select(["residual_1", "conv2d_2"])
    assert text(inspector, "inspectorResult").startswith("Total: 9,248 parameters")


def test_the_input_shape_can_be_changed(qtbot: QtBot, project: Project, inspector: Inspector) -> None:
    project.select_input()
    assert text(inspector, "inspectorTitle") == "Input"
    channels = field(inspector, "channels")
    assert isinstance(channels, QComboBox)
    channels.setCurrentText("1")
    retype(qtbot, field(inspector, "height"), "28")
    assert project.network.input.dims == (1, 28, 32)
    assert project.undo_stack.count() == 2
    assert project.undo_stack.undoText() == "change input size"
    assert project.input_selected


def test_without_a_selection_the_network_is_described(project: Project, inspector: Inspector) -> None:
    assert text(inspector, "inspectorTitle") == "Lesson CNN"
    result = text(inspector, "inspectorResult")
    assert result == "Output 10 · 7 layers · 315,722 parameters (1.3 MB) · 4.2 M multiply-adds"


def test_costs_behind_an_error_are_not_counted_as_none(
    project: Project, inspector: Inspector, faulty: Network
) -> None:
    project.open_network(faulty, None)
    project.select([])
    result = text(inspector, "inspectorResult")
    assert "at least 20,682 parameters (83 kB) · at least 3.9 M multiply-adds" in result
    project.select(["conv2d_1", "conv2d_2"])
    assert text(inspector, "inspectorResult").startswith("Total: 19,392 parameters")
    project.select(["conv2d_1", "dense_1"])
    assert text(inspector, "inspectorResult").startswith("Total: at least 896 parameters")


def test_the_shape_of_a_last_layer_that_costs_nothing_is_known(
    project: Project, inspector: Inspector, lesson: Network
) -> None:
    project.open_network(edits.remove(lesson, ["flatten_1", "dense_1", "dense_2"]), None)
    project.select(["max_pooling2d_2"])
    assert "Output 64 × 6 × 6 · 0 parameters" in text(inspector, "inspectorResult")


def test_the_subtitle_has_type_position_group_and_state(
    project: Project, inspector: Inspector, nested: Network
) -> None:
    project.open_network(edits.replace(nested, "conv2d_2", name="inner", enabled=False), None)
    project.select(["conv2d_2"])
    assert text(inspector, "inspectorTitle") == "inner"
    assert text(inspector, "inspectorPlace") == "Conv2D, first layer in Residual, disabled"
    assert text(inspector, "inspectorResult").startswith("Disabled")


def test_a_problem_is_fixed_from_the_inspector(
    qtbot: QtBot, project: Project, inspector: Inspector, faulty: Network
) -> None:
    project.open_network(faulty, None)
    project.select(["dense_1"])
    button = inspector.findChild(QPushButton, "fixButton")
    assert "Output shape unknown" in text(inspector, "inspectorResult")
    assert (button.isVisible(), button.text()) == (True, "Insert Flatten")
    qtbot.keyClick(button, KEY.Key_Space)
    assert project.analysis.problems == ()
    qtbot.waitUntil(lambda: not button.isVisible())


def test_fields_of_the_previous_selection_change_nothing(project: Project, inspector: Inspector) -> None:
    project.select(["conv2d_2"])
    stale = field(inspector, "filters")
    project.edit("delete", edits.remove(project.network, ["conv2d_2"]), select=["flatten_1"])
    stale.setValue(5)  # type: ignore[attr-defined]  # an IntegerField, before the event loop runs
    assert project.undo_stack.count() == 1
    assert text(inspector, "inspectorTitle") == "Flatten"


def test_an_empty_network_is_described(project: Project, inspector: Inspector) -> None:
    project.open_network(Network(), None)
    assert text(inspector, "inspectorResult").startswith("Output 3 × 32 × 32 · 0 layers · 0 parameters")


def test_the_mouse_wheel_does_not_change_a_field_without_focus(
    project: Project, inspector: Inspector
) -> None:
    project.select(["conv2d_2"])
    assert all(box.focusPolicy() == Qt.FocusPolicy.StrongFocus for box in inspector.findChildren(QSpinBox))


def test_the_help_is_below_the_field_with_the_focus(
    qtbot: QtBot, project: Project, inspector: Inspector
) -> None:
    inspector.resize(320, 600)
    project.select(["conv2d_2"])
    form = inspector.findChild(ParameterForm)
    qtbot.waitUntil(lambda: not any(label.isVisible() for label in form._helps.values()))

    field(inspector, "padding").setFocus()

    qtbot.waitUntil(lambda: form._helps["padding"].isVisible())
    assert [name for name, label in form._helps.items() if label.isVisible()] == ["padding"]
    assert form._helps["padding"].width() > 120
    assert form._helps["padding"].y() > form.fields["padding"].geometry().bottom()


def test_the_fields_fit_again_at_once_when_a_wide_panel_becomes_narrow(
    project: Project, inspector: Inspector
) -> None:
    project.select(["conv2d_1"])
    inspector.show()
    inspector.resize(720, 500)
    QApplication.processEvents()
    inspector.resize(316, 500)
    QApplication.processEvents()
    scroll = inspector.findChild(QScrollArea)
    assert isinstance(scroll, QScrollArea)
    assert scroll.widget().width() == scroll.viewport().width()
