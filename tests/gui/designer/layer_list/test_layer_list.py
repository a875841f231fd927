"""The layer list by mouse and keyboard: selecting, editing, fixing, and what it shows."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAccessible, QContextMenuEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QMenu, QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.design import edits
from cnnstudio.design.network import Network
from cnnstudio.gui.designer.layer_list.layer_list import LayerList
from cnnstudio.gui.designer.layer_list.layer_tree import LayerTree
from cnnstudio.gui.designer.layer_list.row_content import layer_row
from cnnstudio.gui.document.project import Project
from cnnstudio.layers.catalog import layer_type

Show = Callable[[Project], LayerList]

LEFT = Qt.MouseButton.LeftButton
KEY = Qt.Key
ALT, CTRL = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ControlModifier
NONE, SHIFT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def project(lesson: Network) -> Project:
    return Project(lesson)


@pytest.fixture
def tree(project: Project, show: Show) -> LayerTree:
    layers = show(project)
    layers.tree.setFocus()
    return layers.tree


def ids(project: Project) -> list[str]:
    return [node.id for node in project.network.nodes]


def point(tree: LayerTree, node_id: str) -> QPoint:
    rect = tree.visualRect(tree.model().index_of(node_id))  # type: ignore[attr-defined]  # our model
    return QPoint(200, rect.center().y())


def click(qtbot: QtBot, tree: LayerTree, node_id: str, modifier: Qt.KeyboardModifier = NONE) -> None:
    qtbot.mouseClick(tree.viewport(), LEFT, modifier, point(tree, node_id))


def press(qtbot: QtBot, tree: QWidget, key: Qt.Key, modifier: Qt.KeyboardModifier = NONE) -> None:
    qtbot.keyClick(tree, key, modifier)


def selected_rows(tree: LayerTree) -> list[str | None]:
    return sorted(index.data(Qt.ItemDataRole.UserRole) or "input" for index in tree.selectedIndexes())


def test_a_click_selects_a_layer_and_ctrl_click_adds_another(
    qtbot: QtBot, project: Project, tree: LayerTree
) -> None:
    click(qtbot, tree, "conv2d_2")
    assert project.selection == ("conv2d_2",)
    click(qtbot, tree, "dense_1", CTRL)
    assert project.selection == ("conv2d_2", "dense_1")


def test_clicking_the_input_selects_only_the_input(qtbot: QtBot, project: Project, tree: LayerTree) -> None:
    click(qtbot, tree, "conv2d_1")
    top = tree.visualRect(tree.model().index(0, 0)).center()
    qtbot.mouseClick(tree.viewport(), LEFT, NONE, top)
    assert (project.input_selected, project.selection) == (True, ())
    click(qtbot, tree, "conv2d_2", SHIFT)
    assert not project.input_selected
    assert "input" not in selected_rows(tree)


def test_clicking_below_the_rows_clears_the_selection(
    qtbot: QtBot, project: Project, tree: LayerTree
) -> None:
    click(qtbot, tree, "conv2d_1")
    qtbot.mouseClick(tree.viewport(), LEFT, NONE, QPoint(200, tree.viewport().height() - 5))
    assert project.selection == ()


def test_the_list_follows_the_selection_of_the_project(project: Project, tree: LayerTree) -> None:
    project.select(["dense_1", "dense_2"])
    assert selected_rows(tree) == ["dense_1", "dense_2"]
    assert tree.currentIndex().data(Qt.ItemDataRole.UserRole) == "dense_2"
    project.select_input()
    assert selected_rows(tree) == ["input"]


def test_arrow_keys_move_through_the_layers(qtbot: QtBot, project: Project, tree: LayerTree) -> None:
    click(qtbot, tree, "conv2d_1")
    press(qtbot, tree, KEY.Key_Down)
    assert project.selection == ("max_pooling2d_1",)
    press(qtbot, tree, KEY.Key_Down, SHIFT)
    assert project.selection == ("max_pooling2d_1", "conv2d_2")


def test_delete_removes_the_selection_and_selects_its_neighbor(
    qtbot: QtBot, project: Project, tree: LayerTree
) -> None:
    project.select(["conv2d_2", "max_pooling2d_2"])
    press(qtbot, tree, KEY.Key_Delete)
    assert "conv2d_2" not in ids(project)
    assert project.selection == ("flatten_1",)
    assert project.undo_stack.undoText() == "delete 2 layers"
    press(qtbot, tree, KEY.Key_Z, CTRL)
    assert project.selection == ("conv2d_2", "max_pooling2d_2")
    press(qtbot, tree, KEY.Key_Y, CTRL)
    assert "conv2d_2" not in ids(project)


def test_space_disables_and_enables_a_layer(qtbot: QtBot, project: Project, tree: LayerTree) -> None:
    project.select(["conv2d_2"])
    press(qtbot, tree, KEY.Key_Space)
    assert not project.network.node("conv2d_2").enabled
    press(qtbot, tree, KEY.Key_Space)
    assert project.network.node("conv2d_2").enabled


def test_f2_renames_in_place(qtbot: QtBot, project: Project, tree: LayerTree) -> None:
    project.select(["conv2d_1"])
    press(qtbot, tree, KEY.Key_F2)
    field = tree.findChild(QLineEdit, "layerName")
    assert field is not None
    assert field.text() == "Conv2D"
    qtbot.keyClicks(field, "my stem")
    press(qtbot, field, KEY.Key_Return)
    # Qt commits the edit later, from the event loop.
    qtbot.waitUntil(lambda: project.network.node("conv2d_1").name == "my stem")
    assert tree.model().index(1, 0).data() == "my stem"


def test_row_shortcuts_do_nothing_while_a_name_is_edited(
    qtbot: QtBot, project: Project, tree: LayerTree
) -> None:
    project.select(["conv2d_1"])
    press(qtbot, tree, KEY.Key_F2)
    field = tree.findChild(QLineEdit, "layerName")
    for key in (KEY.Key_Home, KEY.Key_Delete, KEY.Key_Space):
        press(qtbot, field, key)
    press(qtbot, field, KEY.Key_Escape)
    assert project.undo_stack.count() == 0


def test_double_clicking_the_name_renames(qtbot: QtBot, project: Project, tree: LayerTree) -> None:
    at = QPoint(80, point(tree, "dense_1").y())
    qtbot.mouseClick(tree.viewport(), LEFT, NONE, at)
    qtbot.mouseDClick(tree.viewport(), LEFT, NONE, at)
    assert tree.findChild(QLineEdit, "layerName") is not None


def test_alt_and_arrows_move_a_layer(qtbot: QtBot, project: Project, tree: LayerTree) -> None:
    project.select(["conv2d_2"])
    press(qtbot, tree, KEY.Key_Up, ALT)
    assert ids(project)[:3] == ["conv2d_1", "conv2d_2", "max_pooling2d_1"]
    press(qtbot, tree, KEY.Key_Down, ALT)
    press(qtbot, tree, KEY.Key_Down, ALT)
    assert ids(project)[2:4] == ["max_pooling2d_2", "conv2d_2"]
    assert project.selection == ("conv2d_2",)


def test_alt_and_arrows_move_a_layer_through_groups(qtbot: QtBot, nested: Network, show: Show) -> None:
    project = Project(nested)
    tree = show(project).tree
    tree.setFocus()
    project.select(["flatten_1"])
    parents = []
    for _ in range(6):
        press(qtbot, tree, KEY.Key_Up, ALT)
        parents.append(project.network.place("flatten_1").parent)
    assert parents == ["residual_1", "repeat_1", "repeat_1", "residual_1", "residual_1", None]
    for _ in range(6):
        press(qtbot, tree, KEY.Key_Down, ALT)
    assert project.network.place("flatten_1") == nested.place("flatten_1")


def test_copied_layers_are_json_on_the_clipboard(qtbot: QtBot, project: Project, tree: LayerTree) -> None:
    project.select(["conv2d_2", "max_pooling2d_2"])
    press(qtbot, tree, KEY.Key_C, CTRL)
    assert '"cnnstudio.layers"' in QGuiApplication.clipboard().text()
    project.select(["dense_2"])
    press(qtbot, tree, KEY.Key_V, CTRL)
    assert ids(project)[-2:] == ["conv2d_3", "max_pooling2d_3"]
    assert project.selection == ("conv2d_3", "max_pooling2d_3")
    assert project.undo_stack.undoText() == "paste 2 layers"


def test_cut_layers_can_be_pasted(qtbot: QtBot, project: Project, tree: LayerTree) -> None:
    project.select(["conv2d_1"])
    press(qtbot, tree, KEY.Key_X, CTRL)
    assert "conv2d_1" not in ids(project)
    assert project.undo_stack.undoText() == "cut Conv2D"
    project.select(["dense_2"])
    press(qtbot, tree, KEY.Key_V, CTRL)
    assert project.network.nodes[-1].layer == layer_type("Conv2D")(filters=32, activation="relu")


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "Dropout", "rate": 0.2}',
        '[{"type": "Dropout", "rate": 0.2}]',
        '    {"type": "Dropout", "id": "dropout_7", "rate": 0.2},\n    {"type": "Flatten"},\n',
        '{"format": "cnnstudio.design", "version": 1, "input": [3, 8, 8], '
        '"layers": [{"type": "Dropout", "rate": 0.2}]}',
    ],
)
def test_json_from_a_text_editor_can_be_pasted(
    qtbot: QtBot, project: Project, tree: LayerTree, text: str
) -> None:
    QGuiApplication.clipboard().setText(text)
    project.select(["conv2d_1"])
    press(qtbot, tree, KEY.Key_V, CTRL)
    assert project.network.nodes[1].layer == layer_type("Dropout")(rate=0.2)


def test_pasting_very_many_layers_asks_for_confirmation(
    qtbot: QtBot, project: Project, tree: LayerTree
) -> None:
    QGuiApplication.clipboard().setText(json.dumps([{"type": "Dropout"}] * 1_001))
    with qtbot.waitSignal(project.question) as asked:
        press(qtbot, tree, KEY.Key_V, CTRL)
    question = asked.args[0]
    assert question.text == "Paste 1,001 layers?"
    assert question.button == "Paste"
    assert project.undo_stack.count() == 0
    question.action()
    assert len(project.network) == 1_001 + 7
    assert project.undo_stack.undoText() == "paste 1,001 layers"


def test_more_layers_than_a_design_can_have_are_rejected(
    qtbot: QtBot, project: Project, tree: LayerTree
) -> None:
    QGuiApplication.clipboard().setText(json.dumps([{"type": "Dropout"}] * 100_000))
    with qtbot.waitSignal(project.message) as message:
        press(qtbot, tree, KEY.Key_V, CTRL)
    assert message.args[0] == "a design can have at most 20,000 layers"
    assert project.undo_stack.count() == 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a shopping list", "The clipboard contains no layers: copy some first."),
        ('{"eggs": 12}', "The clipboard contains no layers: copy some first."),
        ('{"format": "cnnstudio.layers", "layers": [{"type": "Odd"}]}', "Odd"),
    ],
)
def test_pasting_anything_else_shows_a_message(
    qtbot: QtBot, project: Project, tree: LayerTree, text: str, sentence: str
) -> None:
    QGuiApplication.clipboard().setText(text)
    with qtbot.waitSignal(project.message) as message:
        press(qtbot, tree, KEY.Key_V, CTRL)
    assert sentence in message.args[0]
    assert project.undo_stack.count() == 0


def test_tab_goes_to_the_list_first_then_through_its_name_and_column_headers(
    qtbot: QtBot, project: Project
) -> None:
    window, before, layers, after = QWidget(), QLineEdit(), LayerList(project), QLineEdit()
    qtbot.addWidget(window)
    column = QVBoxLayout(window)
    for part in (before, layers, after):
        column.addWidget(part)
    window.resize(700, 700)
    with qtbot.waitActive(window):
        window.show()
    before.setFocus()
    seen = []
    while window.focusWidget() is not after:
        qtbot.keyClick(window.focusWidget(), KEY.Key_Tab)
        seen.append(window.focusWidget())
    # The lesson's network has a tip.
    headers = ("insertField", "designName", "adviceCount", "amountHead", "shareHead")
    parts = [layers.findChild(QWidget, name) for name in headers]
    assert seen == [layers.tree, *parts, after]


def test_ctrl_d_duplicates(qtbot: QtBot, project: Project, tree: LayerTree) -> None:
    project.select(["conv2d_1"])
    press(qtbot, tree, KEY.Key_D, CTRL)
    assert ids(project)[:2] == ["conv2d_1", "conv2d_3"]
    assert project.selection == ("conv2d_3",)


def test_a_faulty_row_is_taller_and_fixed_by_its_button(qtbot: QtBot, faulty: Network, show: Show) -> None:
    project = Project(faulty)
    tree = show(project).tree
    height = tree.visualRect(tree.model().index_of("dense_1")).height()  # type: ignore[attr-defined]  # our model
    assert height > tree.visualRect(tree.model().index_of("dense_2")).height()  # type: ignore[attr-defined]  # our model
    qtbot.mouseClick(tree.viewport(), LEFT, NONE, tree.fix_rect("dense_1").center())
    assert [node.layer.type_name() for node in project.network.nodes][4] == "Flatten"
    assert project.analysis.problems == ()
    assert project.undo_stack.undoText() == "insert Flatten"
    assert project.selection == ("flatten_1",)
    assert tree.uniformRowHeights()


def test_releasing_outside_the_button_applies_no_fix(qtbot: QtBot, faulty: Network, show: Show) -> None:
    project = Project(faulty)
    tree = show(project).tree
    qtbot.mousePress(tree.viewport(), LEFT, NONE, tree.fix_rect("dense_1").center())
    qtbot.mouseRelease(tree.viewport(), LEFT, NONE, QPoint(100, 60))
    assert project.undo_stack.count() == 0


@pytest.mark.parametrize(("key", "modifier"), [(KEY.Key_F8, NONE), (KEY.Key_M, CTRL)])
def test_a_problem_is_fixed_from_the_keyboard(
    qtbot: QtBot, faulty: Network, show: Show, key: Qt.Key, modifier: Qt.KeyboardModifier
) -> None:
    project = Project(faulty)
    layers = show(project)
    layers.tree.setFocus()
    press(qtbot, layers.tree, key, modifier)
    assert project.analysis.problems == ()


def test_a_message_wraps_in_a_narrow_list(qtbot: QtBot, faulty: Network, show: Show) -> None:
    project = Project(faulty)
    layers = show(project)
    index = layers.tree.model().index_of("dense_1")  # type: ignore[attr-defined]  # our model
    wide = layers.tree.visualRect(index).height()
    layers.resize(430, 700)
    qtbot.waitUntil(lambda: layers.tree.visualRect(index).height() > wide)


def test_rows_are_painted_in_every_state(qtbot: QtBot, nested: Network, show: Show) -> None:
    project = Project(edits.replace(nested, "dropout_1", enabled=False))
    layers = show(project)
    layers.tree.clearFocus()
    images = [layers.grab().toImage()]
    project.select(["residual_1"])
    images.append(layers.grab().toImage())
    layers.tree.setFocus(Qt.FocusReason.TabFocusReason)
    layers.window().setAttribute(Qt.WidgetAttribute.WA_KeyboardFocusChange)
    images.append(layers.grab().toImage())
    layers.tree.collapseAll()
    images.append(layers.grab().toImage())
    layers.tree.set_quantity("macs")
    images.append(layers.grab().toImage())
    project.edit("empty", Network())
    images.append(layers.grab().toImage())
    assert all(one != other for index, one in enumerate(images) for other in images[:index])


def test_groups_start_expanded_and_stay_as_the_user_left_them(
    project: Project, nested: Network, show: Show
) -> None:
    project.open_network(nested, None)
    tree = show(project).tree
    group = tree.model().index_of("residual_1")  # type: ignore[attr-defined]  # our model
    assert tree.isExpanded(group)
    tree.collapse(group)
    project.edit("rename", edits.replace(nested, "flatten_1", name="flat"))
    assert not tree.isExpanded(tree.model().index_of("residual_1"))  # type: ignore[attr-defined]  # our model


def test_a_layer_added_to_an_empty_or_collapsed_group_is_visible(
    project: Project, nested: Network, show: Show
) -> None:
    project.open_network(nested, None)
    tree = show(project).tree
    tree.collapseAll()
    for group in ("repeat_2", "repeat_1"):
        node = project.network.fresh_ids().node(layer_type("Dropout")())
        place = edits.Place(group, len(project.network.children(group)))
        project.edit("add", edits.insert(project.network, place, [node]), select=[node.id])
        index = tree.model().index_of(node.id)  # type: ignore[attr-defined]  # our model
        assert tree.visualRect(index).isValid()


def test_an_edit_keeps_the_scroll_position(qtbot: QtBot, show: Show) -> None:
    fresh = Network().fresh_ids()
    project = Project(Network(nodes=tuple(fresh.node(layer_type("Dropout")()) for _ in range(60))))
    tree = show(project).tree
    tree.verticalScrollBar().setValue(700)
    project.edit("rename", edits.replace(project.network, "dropout_3", name="third"))
    assert tree.verticalScrollBar().value() == 700


def test_the_header_shows_the_totals(project: Project, show: Show) -> None:
    layers = show(project)
    totals = layers.findChild(QLabel, "designTotals")
    assert totals.accessibleName() == "7 layers · 315,722 parameters · 4.2 M multiply-adds"
    project.edit("delete", edits.remove(project.network, ["dense_1"]))
    assert totals.accessibleName().startswith("6 layers · ")


def test_unknown_costs_are_shown_as_unknown(faulty: Network, show: Show) -> None:
    first = edits.replace(faulty, "conv2d_1", layer=layer_type("Conv2D")(kernel_size=(40, 40)))
    layers = show(Project(first))
    totals, memory = layers.findChild(QLabel, "designTotals"), layers.findChild(QLabel, "designMemory")
    assert totals.accessibleName() == "6 layers · at least 0 parameters · 0 multiply-adds"
    assert " needs at least " in memory.text()
    rows = [
        layer_row(Project(first), report, "parameters", False, False)
        for report in Project(first).analysis.reports
    ]
    # The first says in red what is wrong.
    assert [row.amount for row in rows] == ["", *["–"] * 5]
    assert {row.share for row in rows} == {None}


def test_known_costs_beside_unknown_ones_have_no_share(faulty: Network) -> None:
    project = Project(faulty)
    rows = [layer_row(project, each, "parameters", False, False) for each in project.analysis.reports]
    assert [row.amount for row in rows] == ["896", "0", "18,496", "0", "", "1,290"]
    assert {row.share for row in rows} == {None}


def test_a_wide_list_shows_a_long_name_of_the_design(qtbot: QtBot, project: Project, show: Show) -> None:
    layers = show(project)
    name = layers.findChild(QLineEdit, "designName")
    name.setText("A name that is much longer than a narrow list has room for")
    layers.resize(500, 400)
    narrow = name.width()
    layers.resize(1_200, 400)
    assert name.width() > narrow
    assert name.width() > name.fontMetrics().horizontalAdvance(name.text())


def test_the_design_is_renamed_in_the_header(qtbot: QtBot, project: Project, show: Show) -> None:
    name = show(project).findChild(QLineEdit, "designName")
    qtbot.mouseDClick(name, LEFT)
    name.selectAll()
    qtbot.keyClicks(name, "My net")
    press(qtbot, name, KEY.Key_Return)
    assert project.network.name == "My net"
    assert project.undo_stack.undoText() == "rename design"
    name.selectAll()
    press(qtbot, name, KEY.Key_Delete)
    press(qtbot, name, KEY.Key_Return)
    assert (project.network.name, name.text()) == ("My net", "My net")


def test_the_columns_show_parameters_or_multiply_adds(qtbot: QtBot, project: Project, show: Show) -> None:
    layers = show(project)
    header, amount = layers.findChild(QPushButton, "shareHead"), layers.findChild(QPushButton, "amountHead")
    assert amount.text() == "parameters"
    qtbot.mouseClick(header, LEFT)
    assert (layers.tree.quantity, amount.text()) == ("macs", "multiply-adds")
    press(qtbot, header, KEY.Key_Space)
    assert layers.tree.quantity == "parameters"


def entries(tree: LayerTree) -> list[str]:
    """The object names of the context menu's entries, the title of a submenu."""
    actions = tree.context_menu().actions()
    assert all(action.isEnabled() for action in actions)
    return [action.objectName() or action.text() for action in actions if not action.isSeparator()]


def test_the_context_menu_has_at_most_nine_entries_that_fit_the_row(nested: Network, show: Show) -> None:
    project = Project(nested)
    tree = show(project).tree
    for node in nested.walk():
        project.select([node.id])
        assert len(entries(tree)) <= 9
        assert {"actionInsert", "actionDelete", "actionToggleEnabled", "&Wrap in a group"} <= {*entries(tree)}
        assert ("actionUnwrap" in entries(tree)) == node.is_group
    project.select(["residual_1"])
    assert "actionRename" in entries(tree)
    project.select([])
    anywhere = ["actionPaste", "actionInsert", "actionSelectAll", "actionOpenGroups", "actionCloseGroups"]
    assert entries(tree) == anywhere


def test_the_context_menu_of_a_faulty_row_begins_with_its_fixes(faulty: Network, show: Show) -> None:
    project = Project(faulty)
    tree = show(project).tree
    project.select(["dense_1"])
    assert entries(tree)[:2] == ["actionFix", "actionPreviewFixes"]
    project.select(["conv2d_1"])
    assert "actionFix" not in entries(tree)


@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)
@pytest.mark.parametrize("reason", [QContextMenuEvent.Reason.Mouse, QContextMenuEvent.Reason.Keyboard])
def test_the_context_menu_opens_by_mouse_and_by_keyboard(
    qtbot: QtBot, project: Project, tree: LayerTree, reason: QContextMenuEvent.Reason
) -> None:
    project.select(["conv2d_1"])
    at = point(tree, "conv2d_1")
    event = QContextMenuEvent(reason, at, tree.viewport().mapToGlobal(at))
    QApplication.sendEvent(tree.viewport(), event)
    menu = tree.findChild(QMenu)
    assert menu is not None
    assert menu.isVisible()
    menu.close()


def test_screen_readers_find_the_list_and_its_rows(project: Project, tree: LayerTree) -> None:
    interface = QAccessible.queryAccessibleInterface(tree)
    assert interface.text(QAccessible.Text.Name) == "Layers"
    names = [interface.child(number).text(QAccessible.Text.Name) for number in range(interface.childCount())]
    assert any(name.startswith("Layer 3, Conv2D, 64 filters 3 by 3") for name in names)
