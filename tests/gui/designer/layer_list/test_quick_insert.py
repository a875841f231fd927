"""Quick insert: what the field suggests, previews, adds and rejects, and where."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QLabel, QLineEdit, QListWidget, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.design import edits
from cnnstudio.design.network import Network
from cnnstudio.gui.designer.layer_list.layer_list import LayerList
from cnnstudio.gui.document.project import Project
from cnnstudio.layers.catalog import layer_type

KEY = Qt.Key
NONE, CTRL, ALT = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.AltModifier,
)


@pytest.fixture
def project(nested: Network) -> Project:
    return Project(nested)


@pytest.fixture
def layers(project: Project, show: Callable[[Project], LayerList]) -> LayerList:
    layers = show(project)
    layers.tree.setFocus()
    return layers


def field_of(layers: LayerList) -> QLineEdit:
    field = layers.window().findChild(QLineEdit, "quickInsert")
    assert field is not None
    return field


def preview(layers: LayerList) -> str:
    return layers.window().findChild(QLabel, "quickInsertPreview").text()


def suggested(layers: LayerList) -> list[str]:
    found = layers.window().findChild(QListWidget, "quickInsertTypes")
    return [found.item(row).text() for row in range(found.count())]


def types(project: Project, parent: str | None = None) -> list[str]:
    return [node.layer.type_name() for node in project.network.children(parent)]


@pytest.mark.parametrize(
    ("key", "modifier"), [(KEY.Key_Insert, NONE), (KEY.Key_Return, CTRL), (KEY.Key_Plus, NONE)]
)
def test_a_key_opens_an_empty_field(
    qtbot: QtBot, layers: LayerList, key: Qt.Key, modifier: Qt.KeyboardModifier
) -> None:
    qtbot.keyClick(layers.tree, key, modifier)
    assert field_of(layers).hasFocus()
    assert field_of(layers).text() == ""
    assert "conv 64 3 relu same" in preview(layers)


def test_typing_a_letter_opens_the_field(qtbot: QtBot, project: Project, layers: LayerList) -> None:
    project.select(["conv2d_1"])
    qtbot.keyClick(layers.tree, KEY.Key_C)
    field = field_of(layers)
    qtbot.keyClicks(field, "onv 64 3 relu same")
    assert preview(layers) == "Conv2D · 64 filters 3 × 3, same, relu → 64 × 32 × 32 · 18,496 parameters"
    qtbot.keyClick(field, KEY.Key_Return)
    added = project.network.nodes[1].layer
    assert added == layer_type("Conv2D")(filters=64, kernel_size=3, padding="same", activation="relu")
    assert project.undo_stack.undoText() == "add Conv2D"
    assert project.undo_stack.count() == 1


def test_the_field_stays_open_for_more_layers_until_escape(
    qtbot: QtBot, project: Project, layers: LayerList
) -> None:
    project.select(["conv2d_1"])
    qtbot.keyClick(layers.tree, KEY.Key_Insert)
    field = field_of(layers)
    for text in ("bn", "relu", "pool"):
        qtbot.keyClicks(field, text)
        qtbot.keyClick(field, KEY.Key_Return)
    assert types(project)[:4] == ["Conv2D", "BatchNormalization", "Activation", "MaxPooling2D"]
    qtbot.keyClick(field, KEY.Key_Escape)
    assert not field.isVisible()
    assert layers.tree.hasFocus()


def test_enter_in_an_empty_field_closes_it(qtbot: QtBot, project: Project, layers: LayerList) -> None:
    qtbot.keyClick(layers.tree, KEY.Key_Insert)
    qtbot.keyClick(field_of(layers), KEY.Key_Return)
    assert not field_of(layers).isVisible()
    assert layers.tree.hasFocus()
    assert project.undo_stack.count() == 0


def test_layers_go_into_a_new_group_until_a_key_leaves_it(
    qtbot: QtBot, project: Project, layers: LayerList
) -> None:
    project.select(["flatten_1"])
    qtbot.keyClick(layers.tree, KEY.Key_Insert)
    field = field_of(layers)
    for text in ("residual", "dense 8", "dense 9"):
        qtbot.keyClicks(field, text)
        qtbot.keyClick(field, KEY.Key_Return)
    assert types(project, "residual_2") == ["Dense", "Dense"]
    qtbot.keyClick(field, KEY.Key_BracketLeft, CTRL)
    qtbot.keyClicks(field, "dense 10")
    qtbot.keyClick(field, KEY.Key_Return)
    assert types(project)[2:5] == ["Flatten", "Residual", "Dense"]


def test_a_group_with_layers_is_one_undo_step(qtbot: QtBot, project: Project, layers: LayerList) -> None:
    project.select(["conv2d_1"])
    qtbot.keyClick(layers.tree, KEY.Key_Insert)
    qtbot.keyClicks(field_of(layers), "residual(conv 32 same, bn, relu)")
    assert preview(layers).startswith("4 layers → 32 × 32 × 32 · ")
    qtbot.keyClick(field_of(layers), KEY.Key_Return)
    assert types(project, "residual_2") == ["Conv2D", "BatchNormalization", "Activation"]
    assert project.undo_stack.count() == 1
    project.undo_stack.undo()
    assert "residual_2" not in project.network


def test_names_are_suggested_and_completed(qtbot: QtBot, project: Project, layers: LayerList) -> None:
    qtbot.keyClick(layers.tree, KEY.Key_Insert)
    field = field_of(layers)
    qtbot.keyClicks(field, "pool")
    names = suggested(layers)
    assert names[0] == "MaxPooling2D"
    qtbot.keyClick(field, KEY.Key_Down)
    qtbot.keyClick(field, KEY.Key_Tab)
    assert field.text() == f"{names[1]} "
    assert field.hasFocus()
    assert suggested(layers) == []
    field.clear()
    qtbot.keyClicks(field, "pool")
    qtbot.keyClick(field, KEY.Key_Up)
    qtbot.keyClick(field, KEY.Key_Return)
    assert project.network.nodes[-1].layer.type_name() == names[-1]


def test_invalid_text_adds_nothing_and_says_why(qtbot: QtBot, project: Project, layers: LayerList) -> None:
    qtbot.keyClick(layers.tree, KEY.Key_Insert)
    qtbot.keyClicks(field_of(layers), "conv 64 xyzzy")
    assert preview(layers).startswith("Conv2D has no parameter “xyzzy”; it takes filters")
    with qtbot.waitSignal(project.message):
        qtbot.keyClick(field_of(layers), KEY.Key_Return)
    assert project.undo_stack.count() == 0
    assert field_of(layers).text() == "conv 64 xyzzy"


def test_a_problem_is_shown_before_the_layer_is_added(
    qtbot: QtBot, project: Project, layers: LayerList
) -> None:
    project.select(["conv2d_1"])
    qtbot.keyClick(layers.tree, KEY.Key_Insert)
    qtbot.keyClicks(field_of(layers), "dense 10")
    assert "Dense takes a flat vector" in preview(layers)
    assert field_of(layers).accessibleDescription().startswith("Dense, 10 units: Dense takes a flat vector")


def test_costs_behind_an_error_are_unknown(qtbot: QtBot, project: Project, layers: LayerList) -> None:
    big = edits.replace(project.network, "conv2d_1", layer=layer_type("Conv2D")(kernel_size=(40, 40)))
    project.open_network(big, None)
    project.select(["conv2d_1"])
    qtbot.keyClick(layers.tree, KEY.Key_Insert)
    qtbot.keyClicks(field_of(layers), "conv 8")
    assert preview(layers) == "Conv2D · 8 filters 3 × 3 → unknown until the error before it is fixed"


def test_an_unfinished_network_is_not_a_problem(qtbot: QtBot, project: Project, layers: LayerList) -> None:
    project.open_network(Network(), None)
    qtbot.keyClick(layers.tree, KEY.Key_Insert)
    qtbot.keyClicks(field_of(layers), "conv 8")
    assert preview(layers) == "Conv2D · 8 filters 3 × 3 → 8 × 30 × 30 · 224 parameters"


def test_the_card_opens_below_the_selected_row(qtbot: QtBot, project: Project, layers: LayerList) -> None:
    project.select(["conv2d_1"])
    qtbot.keyClick(layers.tree, KEY.Key_C)
    card = field_of(layers).parentWidget()
    row = layers.tree.visualRect(layers.tree.model().index_of("conv2d_1"))  # type: ignore[attr-defined]  # our model
    top = layers.tree.viewport().mapTo(layers.window(), row.bottomLeft()).y()
    assert top < card.y() < top + row.height()
    assert card.height() == card.heightForWidth(card.width())


def test_the_field_stays_inside_the_window(qtbot: QtBot, project: Project, layers: LayerList) -> None:
    layers.resize(420, 260)
    project.select(["repeat_2"])
    qtbot.keyClick(layers.tree, KEY.Key_Insert)
    qtbot.keyClicks(field_of(layers), "pool")
    card = field_of(layers).parentWidget()
    assert layers.rect().contains(card.geometry())


def test_losing_the_focus_closes_the_field(qtbot: QtBot, layers: LayerList) -> None:
    qtbot.keyClick(layers.tree, KEY.Key_Insert)
    layers.findChild(QLineEdit, "designName").setFocus()
    assert not field_of(layers).isVisible()
    assert layers.findChild(QLineEdit, "designName").hasFocus()


def foot_field(layers: LayerList) -> QLineEdit:
    field = layers.findChild(QLineEdit, "insertField")
    assert field is not None
    return field


def test_the_field_at_the_foot_adds_layers_and_stays_there(
    qtbot: QtBot, project: Project, layers: LayerList
) -> None:
    project.select(["conv2d_1"])
    field = foot_field(layers)
    assert field.isVisible()
    assert field.mapTo(layers, field.rect().topLeft()).y() > layers.height() - 45
    qtbot.mouseClick(field, Qt.MouseButton.LeftButton)
    qtbot.keyClicks(field, "pool")
    cards = [each for each in layers.window().findChildren(QFrame, "quickInsertCard") if each.isVisible()]
    assert len(cards) == 1
    assert cards[0].geometry().bottom() < field.mapTo(layers.window(), field.rect().topLeft()).y()
    assert cards[0].height() < 220
    qtbot.keyClick(field, KEY.Key_Return)
    assert types(project)[:2] == ["Conv2D", "MaxPooling2D"]
    qtbot.keyClick(field, KEY.Key_Escape)
    assert field.isVisible()
    assert layers.tree.hasFocus()
    assert not cards[0].isVisible()


def test_in_a_low_list_the_field_is_in_its_head(qtbot: QtBot, layers: LayerList) -> None:
    layers.resize(700, 500)
    field = foot_field(layers)
    qtbot.waitUntil(field.isVisible)
    assert field.mapTo(layers, field.rect().bottomLeft()).y() < 40
    layers.resize(700, 700)
    qtbot.waitUntil(field.isVisible)
    assert field.mapTo(layers, field.rect().topLeft()).y() > 600


def test_tab_leaves_the_field_at_the_foot_unless_it_completes_a_name(qtbot: QtBot, layers: LayerList) -> None:
    field = foot_field(layers)
    field.setFocus()
    qtbot.keyClicks(field, "flat")
    qtbot.keyClick(field, KEY.Key_Tab)
    assert (field.text(), field.hasFocus()) == ("Flatten ", True)
    qtbot.keyClick(field, KEY.Key_Tab)
    assert not field.hasFocus()


def test_an_empty_list_offers_templates_that_suit_the_data_and_can_be_undone(
    qtbot: QtBot, project: Project, layers: LayerList
) -> None:
    hint = layers.findChild(QWidget, "emptyHint")
    assert not hint.isVisible()
    project.open_network(Network(), None)
    project.set_dataset("birds", 37)
    assert hint.isVisible()
    qtbot.mouseClick(layers.findChild(QPushButton, "template_lesson-32"), Qt.MouseButton.LeftButton)
    assert not hint.isVisible()
    assert layers.tree.hasFocus()
    assert project.analysis.problems == ()
    project.undo_stack.undo()
    assert project.network == Network()
    assert hint.isVisible()
