"""The palette by mouse and keyboard: all layer types, searching them, adding them after the selection."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QLabel, QListWidgetItem, QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from cnnstudio.design import edits
from cnnstudio.design.file import layers_from_text
from cnnstudio.design.network import Network, Place
from cnnstudio.gui.designer import commands
from cnnstudio.gui.designer.palette.palette import Palette
from cnnstudio.gui.document.project import Project
from cnnstudio.layers.base import Family
from cnnstudio.layers.catalog import layer_types

KEY = Qt.Key


@pytest.fixture
def project(lesson: Network) -> Project:
    return Project(lesson)


@pytest.fixture
def palette(project: Project, qtbot: QtBot) -> Palette:
    palette = Palette(project)
    qtbot.addWidget(palette)
    palette.resize(220, 600)
    with qtbot.waitActive(palette):
        palette.show()
    return palette


def shown(palette: Palette) -> list[str]:
    items = [palette.types.item(row) for row in range(palette.types.count())]
    return [item.text() for item in items if not item.isHidden()]


def item(palette: Palette, name: str) -> QListWidgetItem:
    return palette.types.findItems(name, Qt.MatchFlag.MatchExactly)[0]


def ids(project: Project) -> list[str]:
    return [node.id for node in project.network.nodes]


def test_every_type_is_listed_under_its_family(palette: Palette) -> None:
    palette.families.set_folded(())
    families: list[str] = []
    for name, kind in layer_types().items():
        if kind.family.value not in families:
            families += [kind.family.value]
        families += [name]
    assert shown(palette) == families


def test_a_double_click_adds_after_the_selection(qtbot: QtBot, project: Project, palette: Palette) -> None:
    project.select(["conv2d_1"])
    entry = item(palette, "BatchNormalization")
    palette.types.scrollToItem(entry)
    at = palette.types.visualItemRect(entry).center()
    qtbot.mouseClick(palette.types.viewport(), Qt.MouseButton.LeftButton, pos=at)
    qtbot.mouseDClick(palette.types.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert ids(project)[:2] == ["conv2d_1", "batch_normalization_1"]
    assert project.selection == ("batch_normalization_1",)
    assert project.undo_stack.undoText() == "add BatchNormalization"


def test_enter_adds_the_type_chosen_by_arrow_keys(qtbot: QtBot, project: Project, palette: Palette) -> None:
    palette.types.setFocus()
    qtbot.keyClick(palette.types, KEY.Key_Home)
    palette.types.setCurrentItem(item(palette, "MaxPooling2D"))
    qtbot.keyClick(palette.types, KEY.Key_Down)
    qtbot.keyClick(palette.types, KEY.Key_Return)
    assert ids(project)[-1] == "average_pooling2d_1"


def test_each_added_layer_goes_after_the_previous_one(
    qtbot: QtBot, project: Project, palette: Palette
) -> None:
    project.select(["conv2d_1"])
    palette.search.setFocus()
    for name in ("batchnorm", "activation relu"):
        palette.search.clear()
        qtbot.keyClicks(palette.search, name)
        qtbot.keyClick(palette.search, KEY.Key_Return)
    assert ids(project)[:3] == ["conv2d_1", "batch_normalization_1", "activation_1"]


def test_search_matches_names_and_descriptions(qtbot: QtBot, palette: Palette) -> None:
    qtbot.keyClicks(palette.search, "POOL")
    assert "Pooling" in shown(palette)
    assert "MaxPooling2D" in shown(palette)
    assert "Dense" not in shown(palette)
    palette.search.clear()
    qtbot.keyClicks(palette.search, "random values")
    assert shown(palette)[:2] == [Family.REGULARIZATION.value, "Dropout"]
    assert "Conv2D" not in shown(palette)


def test_enter_adds_the_first_match(qtbot: QtBot, project: Project, palette: Palette) -> None:
    qtbot.keyClicks(palette.search, "drop")
    qtbot.keyClick(palette.search, KEY.Key_Return)
    assert ids(project)[-1] == "dropout_1"


def test_arrow_keys_in_the_search_field_move_in_the_list(qtbot: QtBot, palette: Palette) -> None:
    qtbot.keyClicks(palette.search, "pooling")
    first = palette.types.current_type()
    qtbot.keyClick(palette.search, KEY.Key_Down)
    assert palette.types.current_type() not in (None, first)


def test_a_search_without_matches_says_so_and_adds_nothing(
    qtbot: QtBot, project: Project, palette: Palette
) -> None:
    qtbot.keyClicks(palette.search, "transformer")
    assert shown(palette) == []
    texts = [label.text() for label in palette.findChildren(QLabel) if label.isVisible()]
    assert any("transformer" in text for text in texts)
    qtbot.keyClick(palette.search, KEY.Key_Return)
    assert project.undo_stack.count() == 0
    qtbot.keyClick(palette.search, KEY.Key_Escape)
    assert "Conv2D" in shown(palette)


def test_letters_typed_in_the_list_start_a_search(qtbot: QtBot, palette: Palette) -> None:
    palette.types.setFocus()
    qtbot.keyClick(palette.types, KEY.Key_F)
    qtbot.keyClick(palette.search, KEY.Key_L)
    assert palette.search.text() == "fl"
    assert "Flatten" in shown(palette)


def test_the_help_describes_the_current_or_hovered_type(qtbot: QtBot, palette: Palette) -> None:
    help_label = palette.findChild(QLabel, "paletteHelp")
    palette.types.setCurrentItem(item(palette, "Flatten"))
    assert help_label.text() == layer_types()["Flatten"].description
    entry = item(palette, "MaxPooling2D")
    palette.types.scrollToItem(entry)
    qtbot.mouseMove(palette.types.viewport(), palette.types.visualItemRect(entry).center())
    palette.types.itemEntered.emit(entry)
    assert help_label.text() == layer_types()["MaxPooling2D"].description
    assert layer_types()["MaxPooling2D"].usage_hint in entry.toolTip()


def test_a_dragged_type_is_a_layer_as_the_palette_adds_it(palette: Palette) -> None:
    data = palette.types.mimeData([item(palette, "Conv2D")])
    assert data.hasFormat(commands.MIME)
    nodes = layers_from_text(bytes(data.data(commands.MIME).data()).decode(), Network())
    assert [node.layer for node in nodes] == [layer_types()["Conv2D"]().with_values({"activation": "relu"})]


def test_without_a_selection_layers_are_appended_and_with_the_input_selected_prepended(
    project: Project, palette: Palette
) -> None:
    palette.types.type_chosen.emit("Dropout")
    project.select_input()
    palette.types.type_chosen.emit("Dropout")
    assert (ids(project)[0], ids(project)[-1]) == ("dropout_2", "dropout_1")


def test_a_selected_empty_group_takes_the_added_layer(project: Project, palette: Palette) -> None:
    palette.types.type_chosen.emit("Residual")
    palette.types.type_chosen.emit("Conv2D")
    palette.types.type_chosen.emit("Activation")
    inside = [node.id for node in project.network.children("residual_1")]
    assert inside == ["conv2d_3", "activation_1"]
    project.select(["residual_1"])
    palette.types.type_chosen.emit("Flatten")
    assert project.network.place("flatten_2").parent is None


def test_a_layer_that_cannot_be_added_is_explained(qtbot: QtBot, project: Project, palette: Palette) -> None:
    network = Network()
    for depth in range(24):
        node = network.fresh_ids().node(layer_types()["Repeat"]())
        network = edits.insert(network, Place(f"repeat_{depth}" if depth else None, 0), [node])
    project.open_network(network, None)
    project.select([node.id for node in network.walk()][-1:])
    palette.types.type_chosen.emit("Repeat")
    with qtbot.waitSignal(project.message) as message:
        palette.types.type_chosen.emit("Repeat")
    assert "24 deep" in message.args[0]


def test_screen_readers_get_type_family_and_help(palette: Palette) -> None:
    assert QAccessible.queryAccessibleInterface(palette.types).text(QAccessible.Text.Name) == "Layer types"
    entry = item(palette, "Conv2D")
    assert entry.data(Qt.ItemDataRole.AccessibleTextRole) == "Conv2D, Convolution"
    assert layer_types()["Conv2D"].description in entry.data(Qt.ItemDataRole.AccessibleDescriptionRole)


def test_new_layers_have_the_activation_that_suits_their_place(project: Project) -> None:
    project.open_network(Network(), None)
    project.set_dataset("birds", 37)
    for name in ("Conv2D", "Flatten", "Dense"):
        commands.add_type(project, layer_types()[name])
    project.select(["flatten_1"])
    commands.insert_from_mime(project, commands.new_layer_mime([layer_types()["Dense"]]))

    layers = [node.layer for node in project.network.nodes]
    assert [layer.summary() for layer in layers] == [
        "32 filters 3 × 3, relu", "to a flat vector", "128 units, relu", "37 units, softmax"
    ]  # fmt: skip
    assert project.analysis.problems == ()


def test_a_dragged_copy_keeps_its_own_values(project: Project) -> None:
    commands.insert_from_mime(project, commands.to_mime([project.network.node("dense_1")]))
    assert project.network.nodes[-1].layer == project.network.node("dense_1").layer


def test_the_last_families_are_folded_until_they_are_wanted_or_searched_for(
    qtbot: QtBot, palette: Palette
) -> None:
    assert "Dropout" not in shown(palette)
    qtbot.keyClicks(palette.search, "drop")
    assert "Dropout" in shown(palette)
    palette.search.clear()
    assert "Dropout" not in shown(palette)

    button = palette.findChild(QPushButton, "familyRegularization")
    assert button.accessibleName() == "Regularization, 2 layer types, collapsed"
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert "Dropout" in shown(palette)
    assert "Residual" not in shown(palette)
    assert palette.types.visualItemRect(item(palette, "SpatialDropout2D")).bottom() < palette.types.height()
    assert palette.families.folded == {Family.GROUP}


@pytest.mark.parametrize("height", [500, 507, 519])
def test_no_row_is_cut_off_however_far_the_list_is_scrolled(palette: Palette, height: int) -> None:
    palette.resize(220, height)
    types = palette.types
    for position in range(types.verticalScrollBar().maximum() + 1):
        types.verticalScrollBar().setValue(position)
        rects = [types.visualItemRect(types.item(row)) for row in range(types.count())]
        visible = [rect for rect in rects if rect.height() and rect.intersects(types.viewport().rect())]
        assert all(types.viewport().rect().contains(rect.adjusted(0, 0, -1, 0)) for rect in visible)


def test_the_rail_shows_every_type_and_the_chevron_folds_it(qtbot: QtBot, palette: Palette) -> None:
    chevron = palette.findChild(QToolButton, "paletteFold")
    with qtbot.waitSignal(palette.rail_changed):
        qtbot.mouseClick(chevron, Qt.MouseButton.LeftButton)
    assert (palette.width(), palette.is_rail) == (48, True)
    assert shown(palette) == list(layer_types())
    assert chevron.accessibleName() == "Show the names of the layers"
    qtbot.mouseClick(chevron, Qt.MouseButton.LeftButton)
    assert not palette.is_rail
    assert "Dropout" not in shown(palette)


def test_a_second_classifier_makes_the_first_one_hidden_unless_it_was_changed(project: Project) -> None:
    dense = layer_types()["Dense"]
    project.open_network(Network(), None)
    project.set_dataset("birds", 37)
    for kind in (layer_types()["Flatten"], dense, dense):
        commands.add_type(project, kind)
    assert summaries(project) == ["to a flat vector", "128 units, relu", "37 units, softmax"]
    project.undo_stack.undo()
    assert summaries(project) == ["to a flat vector", "37 units, softmax"]

    commands.set_parameter(project, ["dense_1"], "units", 64, None)
    commands.add_type(project, dense)
    assert summaries(project) == ["to a flat vector", "64 units, softmax", "37 units, softmax"]


def summaries(project: Project) -> list[str]:
    return [node.layer.summary() for node in project.network.nodes]
