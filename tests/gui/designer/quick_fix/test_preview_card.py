"""What a fix would do, shown before it is done: by mouse, by focus, by key."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QRadioButton, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.design import edits
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.findings import Problem
from cnnstudio.design.network import Network
from cnnstudio.design.quick_fixes import preview
from cnnstudio.gui.designer.actions import actions
from cnnstudio.gui.designer.inspector.inspector import Inspector
from cnnstudio.gui.designer.layer_list.layer_list import LayerList
from cnnstudio.gui.designer.layer_list.layer_tree import LayerTree
from cnnstudio.gui.designer.quick_fix.preview_access import present_preview
from cnnstudio.gui.designer.quick_fix.preview_card import FixPreview
from cnnstudio.gui.designer.quick_fix.preview_text import amounts, effect, sentence, shape_rows
from cnnstudio.gui.designer.quick_fix.shape_table import ShapeTable
from cnnstudio.gui.document.project import Project

LEFT, KEY = Qt.MouseButton.LeftButton, Qt.Key


@pytest.fixture
def project(faulty: Network) -> Project:
    return Project(faulty)


@pytest.fixture
def tree(project: Project, show: Callable[[Project], LayerList]) -> LayerTree:
    return show(project).tree


def card(widget: QWidget, qtbot: QtBot) -> FixPreview:
    """The preview, once it is there."""

    def is_there() -> bool:
        found = present_preview(widget)
        return found is not None and found.isVisible()

    qtbot.waitUntil(is_there)
    found = present_preview(widget)
    assert found is not None
    return found


def hover(qtbot: QtBot, tree: LayerTree, place: QPoint) -> None:
    qtbot.mouseMove(tree.viewport(), QPoint(2, 2))
    qtbot.mouseMove(tree.viewport(), place)


def fault(project: Project) -> Problem:
    problem = project.analysis["dense_1"].problem
    assert problem is not None
    return problem


def titles(shown: FixPreview) -> list[str]:
    return [label.text() for label in shown.findChildren(QLabel) if label.isVisible() and label.text()]


# By mouse


def test_the_mouse_over_a_fix_shows_what_it_would_do(tree: LayerTree, project: Project, qtbot: QtBot) -> None:
    hover(qtbot, tree, tree.fix_rect("dense_1").center())
    shown = card(tree, qtbot)
    assert "Dense gets 2,304 numbers instead of 64 × 6 × 6." in titles(shown)
    assert {"20,682", "315,722"} <= set(titles(shown))
    assert project.undo_stack.count() == 0


def test_the_card_goes_with_the_mouse(tree: LayerTree, qtbot: QtBot) -> None:
    hover(qtbot, tree, tree.fix_rect("dense_1").center())
    shown = card(tree, qtbot)
    qtbot.mouseMove(tree.viewport(), QPoint(2, 2))
    qtbot.waitUntil(lambda: not shown.isVisible())


def test_a_mouse_that_only_passes_by_brings_no_card(
    tree: LayerTree, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnstudio.gui.designer.quick_fix.preview_card._COMES_AFTER_MS", 60_000)
    hover(qtbot, tree, tree.fix_rect("dense_1").center())
    qtbot.wait(20)
    found = present_preview(tree)
    assert found is not None
    assert not found.isVisible()
    qtbot.mouseMove(tree.viewport(), QPoint(2, 2))


def test_the_arrow_beside_a_fix_opens_all_of_them(tree: LayerTree, project: Project, qtbot: QtBot) -> None:
    qtbot.mouseClick(tree.viewport(), LEFT, pos=tree.button_rect("dense_1", "more").center())
    shown = card(tree, qtbot)
    offered = [button.text() for button in shown.findChildren(QRadioButton)]
    assert offered == [fix.label for fix in fault(project).fixes]
    assert len(offered) > 1


def test_the_card_stays_inside_the_window_and_off_the_button(tree: LayerTree, qtbot: QtBot) -> None:
    for height in (700, 460):
        tree.window().resize(700, height)
        QApplication.processEvents()
        qtbot.mouseClick(tree.viewport(), LEFT, pos=tree.button_rect("dense_1", "more").center())
        shown = card(tree, qtbot)
        assert tree.window().rect().contains(shown.geometry())
        shown.leave()


def test_a_card_about_something_else_has_nothing_of_the_one_before(
    tree: LayerTree, project: Project, qtbot: QtBot
) -> None:
    layer = project.network.node("dense_2").layer
    more = dataclasses.replace(layer, units=12)  # type: ignore[call-arg]  # a Dense
    project.edit("change units", edits.replace(project.network, "dense_2", layer=more))
    project.set_dataset("shapes", 10)
    qtbot.mouseClick(tree.viewport(), LEFT, pos=tree.button_rect("dense_1", "more").center())
    shown = card(tree, qtbot)
    second = project.analysis["dense_2"].problem
    assert second is not None
    assert second.fix is not None
    shown.peek(second, second.fix, tree.viewport(), tree.fix_rect("dense_2"))
    assert [each.text() for each in shown.findChildren(QRadioButton) if each.isVisible()] == []
    assert "Set units to 10" in titles(shown)
    first = fault(project)
    shown.peek(first, first.fix, tree.viewport(), tree.fix_rect("dense_1"))
    table = shown.findChild(ShapeTable)
    assert table.height() == table.sizeHint().height()
    assert shown.rect().contains(table.geometry())


# By keys


def test_the_card_is_opened_and_used_by_keys(tree: LayerTree, project: Project, qtbot: QtBot) -> None:
    tree.setFocus()
    qtbot.keyClick(tree, KEY.Key_F8, Qt.KeyboardModifier.ShiftModifier)
    shown = card(tree, qtbot)
    assert project.selection == ("dense_1",)
    first = QApplication.focusWidget()
    assert isinstance(first, QRadioButton)
    qtbot.keyClick(first, KEY.Key_Down)
    second = QApplication.focusWidget()
    assert isinstance(second, QRadioButton)
    assert second.isChecked()
    assert any("Dense gets 64 numbers" in text for text in titles(shown))
    qtbot.keyClick(second, KEY.Key_Return)
    assert not shown.isVisible()
    assert project.undo_stack.undoText() == "insert GlobalAveragePooling2D"
    assert "global_average_pooling2d_1" in project.network
    assert project.analysis.problems == ()
    project.undo_stack.undo()
    assert project.analysis.problems


def test_escape_leaves_the_network_and_gives_the_focus_back(
    tree: LayerTree, project: Project, qtbot: QtBot
) -> None:
    tree.setFocus()
    actions(project, tree)["actionPreviewFix"].trigger()
    shown = card(tree, qtbot)
    qtbot.keyClick(QApplication.focusWidget(), KEY.Key_Escape)
    assert not shown.isVisible()
    assert tree.hasFocus()
    assert project.undo_stack.count() == 0


def test_a_card_that_goes_by_itself_gives_the_focus_back(
    tree: LayerTree, project: Project, qtbot: QtBot
) -> None:
    tree.setFocus()
    actions(project, tree)["actionPreviewFix"].trigger()
    shown = card(tree, qtbot)
    project.edit("switch off", edits.replace(project.network, "dense_1", enabled=False))
    assert not shown.isVisible()
    assert tree.hasFocus(), "and not what comes next, such as the name of the design"


def test_tab_stays_in_the_card(tree: LayerTree, project: Project, qtbot: QtBot) -> None:
    actions(project, tree)["actionPreviewFix"].trigger()
    shown = card(tree, qtbot)
    seen = []
    for _ in range(4):
        seen.append(QApplication.focusWidget())
        qtbot.keyClick(seen[-1], KEY.Key_Tab)
    assert all(shown.isAncestorOf(widget) for widget in seen)
    assert len(set(seen)) == 2


def test_the_card_goes_when_the_focus_goes_elsewhere(tree: LayerTree, project: Project, qtbot: QtBot) -> None:
    actions(project, tree)["actionPreviewFix"].trigger()
    shown = card(tree, qtbot)
    tree.setFocus()
    assert not shown.isVisible()
    assert tree.hasFocus()


def test_the_button_of_the_card_does_the_chosen_fix_once(
    tree: LayerTree, project: Project, qtbot: QtBot
) -> None:
    actions(project, tree)["actionPreviewFix"].trigger()
    shown = card(tree, qtbot)
    qtbot.mouseClick(shown.findChild(QPushButton, "applyFix"), LEFT)
    assert project.undo_stack.count() == 1
    assert "flatten_1" in project.network


def test_there_is_nothing_to_preview_where_nothing_is_wrong(
    tree: LayerTree, project: Project, lesson: Network
) -> None:
    assert actions(project, tree)["actionPreviewFix"].isEnabled()
    project.open_network(edits.with_input(Network(), lesson.input), None)
    assert not actions(project, tree)["actionPreviewFix"].isEnabled()


def test_a_card_about_another_network_is_taken_away(tree: LayerTree, project: Project, qtbot: QtBot) -> None:
    actions(project, tree)["actionPreviewFix"].trigger()
    shown = card(tree, qtbot)
    project.edit("delete Conv2D", edits.remove(project.network, ["conv2d_1"]))
    assert not shown.isVisible()


# In the inspector


@pytest.fixture
def inspector(project: Project, qtbot: QtBot) -> Inspector:
    inspector = Inspector(project)
    qtbot.addWidget(inspector)
    inspector.resize(480, 700)
    with qtbot.waitActive(inspector):
        inspector.show()
    project.select(["dense_1"])
    return inspector


def test_the_inspector_offers_every_fix_and_says_why(
    inspector: Inspector, project: Project, qtbot: QtBot
) -> None:
    buttons = [button for button in inspector.findChildren(QPushButton) if button.property("role") == "fix"]
    qtbot.waitUntil(lambda: all(button.isVisible() for button in buttons))
    assert [button.text() for button in buttons] == [fix.label for fix in fault(project).fixes]
    assert fault(project).why in [label.text() for label in inspector.findChildren(QLabel)]


def test_the_focus_on_a_fix_shows_it_and_enter_does_it(
    inspector: Inspector, project: Project, qtbot: QtBot
) -> None:
    second = inspector.findChild(QPushButton, "fixButton2")
    second.setFocus(Qt.FocusReason.TabFocusReason)
    shown = card(inspector, qtbot)
    assert any("Dense gets 64 numbers" in text for text in titles(shown))
    assert second.hasFocus()
    qtbot.keyClick(second, KEY.Key_Return)
    assert "global_average_pooling2d_1" in project.network
    assert not shown.isVisible()


# In words


def test_the_faulty_layer_is_among_the_shapes(project: Project) -> None:
    seen = preview(project.network, fault(project), None, project.analysis)
    rows = shape_rows(project.analysis, "dense_1", seen)
    assert [(row.title, row.status, row.before, row.after) for row in rows] == [
        ("Flatten", "added", "", "2304"),
        ("Dense", "changed", "not known", "128"),
    ]


def test_the_numbers_are_those_of_the_whole_network(project: Project) -> None:
    seen = preview(project.network, fault(project), None, project.analysis)
    told = {each.name: (each.before, each.after, each.is_better) for each in amounts(seen)}
    assert told["Parameters"] == ("20,682", "315,722", False)
    assert told["Problems"] == ("1", "0", True)


def test_all_of_it_can_be_heard(project: Project) -> None:
    seen = preview(project.network, fault(project), None, project.analysis)
    told = effect("dense_1", project.analysis, seen.analysis)
    heard = sentence("Insert Flatten", told, seen)
    assert heard.startswith("Insert Flatten. Dense gets 2,304 numbers instead of 64 by 6 by 6.")
    assert "Problems 1 to 0" in heard
    assert "×" not in heard


def test_a_layer_that_goes_or_gives_something_else_is_told(lesson: Network) -> None:
    before = analyze(lesson)
    without = analyze(edits.remove(lesson, ["dense_2"]))
    assert effect("dense_2", before, without) == "Dense goes."
    layer = lesson.node("dense_2").layer
    fewer = edits.replace(lesson, "dense_2", layer=dataclasses.replace(layer, units=4))  # type: ignore[call-arg]  # a Dense
    assert effect("dense_2", before, analyze(fewer)) == "Dense gives 4 numbers instead of 10 numbers."
    assert effect(None, before, without) == ""
