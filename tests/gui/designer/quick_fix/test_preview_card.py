"""The preview of a fix: by mouse, by focus, by key, and its texts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QEnterEvent
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QRadioButton, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.design import edits
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.findings import Problem
from cnnstudio.design.network import Network
from cnnstudio.design.quick_fixes import preview_fix
from cnnstudio.gui.designer.actions import design_actions
from cnnstudio.gui.designer.inspector.inspector import Inspector
from cnnstudio.gui.designer.layer_list.layer_list import LayerList
from cnnstudio.gui.designer.layer_list.layer_tree import LayerTree
from cnnstudio.gui.designer.quick_fix.apply import apply_fix
from cnnstudio.gui.designer.quick_fix.preview_access import existing_preview_card
from cnnstudio.gui.designer.quick_fix.preview_card import FixPreviewCard
from cnnstudio.gui.designer.quick_fix.preview_text import (
    describe_effect,
    describe_preview,
    shape_rows,
    total_changes,
)
from cnnstudio.gui.designer.quick_fix.shape_table import ShapeTable
from cnnstudio.gui.document.project import Project

LEFT, KEY = Qt.MouseButton.LeftButton, Qt.Key


@pytest.fixture
def project(faulty: Network) -> Project:
    return Project(faulty)


@pytest.fixture
def tree(project: Project, show: Callable[[Project], LayerList]) -> LayerTree:
    return show(project).tree


def card(widget: QWidget, qtbot: QtBot) -> FixPreviewCard:
    """The preview card, once it is visible."""

    def is_shown() -> bool:
        found = existing_preview_card(widget)
        return found is not None and found.isVisible()

    qtbot.waitUntil(is_shown)
    found = existing_preview_card(widget)
    assert found is not None
    return found


def hover(qtbot: QtBot, tree: LayerTree, point: QPoint) -> None:
    qtbot.mouseMove(tree.viewport(), QPoint(2, 2))
    qtbot.mouseMove(tree.viewport(), point)


def problem_of_dense(project: Project) -> Problem:
    problem = project.analysis["dense_1"].problem
    assert problem is not None
    return problem


def texts(shown: FixPreviewCard) -> list[str]:
    return [label.text() for label in shown.findChildren(QLabel) if label.isVisible() and label.text()]


# By mouse


def test_hovering_a_fix_shows_its_effect(tree: LayerTree, project: Project, qtbot: QtBot) -> None:
    hover(qtbot, tree, tree.fix_rect("dense_1").center())
    shown = card(tree, qtbot)
    assert "Dense now takes 2,304 values instead of 64 × 6 × 6." in texts(shown)
    assert {"at least 20,682", "315,722"} <= set(texts(shown))
    assert project.undo_stack.count() == 0


def test_the_card_hides_when_the_mouse_leaves(tree: LayerTree, qtbot: QtBot) -> None:
    hover(qtbot, tree, tree.fix_rect("dense_1").center())
    shown = card(tree, qtbot)
    qtbot.mouseMove(tree.viewport(), QPoint(2, 2))
    qtbot.waitUntil(lambda: not shown.isVisible())


@pytest.fixture
def _late_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards that a busy machine does not show before the test says what keeps them away."""
    monkeypatch.setattr("cnnstudio.gui.designer.quick_fix.preview_card._SHOW_DELAY_MS", 60_000)


@pytest.mark.usefixtures("_late_cards")
def test_the_mouse_passing_over_a_fix_shows_no_card(tree: LayerTree, qtbot: QtBot) -> None:
    hover(qtbot, tree, tree.fix_rect("dense_1").center())
    qtbot.wait(20)
    found = existing_preview_card(tree)
    assert found is not None
    assert not found.isVisible()
    qtbot.mouseMove(tree.viewport(), QPoint(2, 2))


def pending_previews(widget: QWidget) -> list[QTimer]:
    found = existing_preview_card(widget)
    assert found is not None
    assert not found.isVisible()
    return [timer for timer in found.findChildren(QTimer) if timer.isActive()]


@pytest.mark.usefixtures("_late_cards")
def test_a_window_that_closes_under_the_mouse_cancels_the_preview(
    tree: LayerTree, project: Project, qtbot: QtBot
) -> None:
    hover(qtbot, tree, tree.fix_rect("dense_1").center())
    assert len(pending_previews(tree)) == 1
    tree.window().close()
    assert pending_previews(tree) == []


@pytest.mark.usefixtures("_late_cards")
def test_an_inspector_that_closes_under_the_mouse_cancels_the_preview(project: Project, qtbot: QtBot) -> None:
    inspector = Inspector(project)
    qtbot.addWidget(inspector)
    inspector.show()
    project.select(["dense_1"])
    qtbot.waitUntil(lambda: not inspector.findChild(QPushButton, "fixButton").isHidden())
    button = inspector.findChild(QPushButton, "fixButton")
    QApplication.sendEvent(button, QEnterEvent(QPointF(2, 2), QPointF(2, 2), QPointF(2, 2)))
    assert len(pending_previews(inspector)) == 1
    inspector.close()
    assert pending_previews(inspector) == []


@pytest.mark.usefixtures("_late_cards")
def test_a_changed_network_cancels_the_preview(tree: LayerTree, project: Project, qtbot: QtBot) -> None:
    hover(qtbot, tree, tree.fix_rect("dense_1").center())
    assert len(pending_previews(tree)) == 1
    project.edit("rename", edits.rename(project.network, "renamed"))
    assert pending_previews(tree) == []


def test_the_arrow_beside_a_fix_opens_all_fixes(tree: LayerTree, project: Project, qtbot: QtBot) -> None:
    qtbot.mouseClick(tree.viewport(), LEFT, pos=tree.button_rect("dense_1", "more").center())
    shown = card(tree, qtbot)
    offered = [button.text() for button in shown.findChildren(QRadioButton)]
    assert offered == [fix.label for fix in problem_of_dense(project).fixes]
    assert len(offered) > 1


def test_the_card_stays_inside_the_window(tree: LayerTree, qtbot: QtBot) -> None:
    for height in (700, 460):
        tree.window().resize(700, height)
        QApplication.processEvents()
        qtbot.mouseClick(tree.viewport(), LEFT, pos=tree.button_rect("dense_1", "more").center())
        shown = card(tree, qtbot)
        assert tree.window().rect().contains(shown.geometry())
        shown.dismiss()


def test_a_card_for_another_problem_shows_nothing_of_the_previous_one(
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
    assert "Set units to 10" in texts(shown)
    first = problem_of_dense(project)
    shown.peek(first, first.fix, tree.viewport(), tree.fix_rect("dense_1"))
    table = shown.findChild(ShapeTable)
    assert table.height() == table.sizeHint().height()
    assert shown.rect().contains(table.geometry())


# By keys


def test_the_card_can_be_used_by_keyboard(tree: LayerTree, project: Project, qtbot: QtBot) -> None:
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
    assert any("Dense now takes 64 values" in text for text in texts(shown))
    qtbot.keyClick(second, KEY.Key_Return)
    assert not shown.isVisible()
    assert project.undo_stack.undoText() == "insert GlobalAveragePooling2D"
    assert "global_average_pooling2d_1" in project.network
    assert project.analysis.problems == ()
    project.undo_stack.undo()
    assert project.analysis.problems


def test_escape_changes_nothing_and_returns_the_focus(
    tree: LayerTree, project: Project, qtbot: QtBot
) -> None:
    tree.setFocus()
    design_actions(project, tree)["actionPreviewFixes"].trigger()
    shown = card(tree, qtbot)
    qtbot.keyClick(QApplication.focusWidget(), KEY.Key_Escape)
    assert not shown.isVisible()
    assert tree.hasFocus()
    assert project.undo_stack.count() == 0


def test_a_card_that_hides_itself_returns_the_focus(tree: LayerTree, project: Project, qtbot: QtBot) -> None:
    tree.setFocus()
    design_actions(project, tree)["actionPreviewFixes"].trigger()
    shown = card(tree, qtbot)
    project.edit("disable", edits.replace(project.network, "dense_1", enabled=False))
    assert not shown.isVisible()
    assert tree.hasFocus(), "not the next widget, such as the name of the design"


def test_tab_stays_in_the_card(tree: LayerTree, project: Project, qtbot: QtBot) -> None:
    design_actions(project, tree)["actionPreviewFixes"].trigger()
    shown = card(tree, qtbot)
    seen = []
    for _ in range(4):
        seen.append(QApplication.focusWidget())
        qtbot.keyClick(seen[-1], KEY.Key_Tab)
    assert all(shown.isAncestorOf(widget) for widget in seen)
    assert len(set(seen)) == 2


def test_the_card_hides_when_it_loses_the_focus(tree: LayerTree, project: Project, qtbot: QtBot) -> None:
    design_actions(project, tree)["actionPreviewFixes"].trigger()
    shown = card(tree, qtbot)
    tree.setFocus()
    assert not shown.isVisible()
    assert tree.hasFocus()


def test_the_button_of_the_card_applies_the_chosen_fix_once(
    tree: LayerTree, project: Project, qtbot: QtBot
) -> None:
    design_actions(project, tree)["actionPreviewFixes"].trigger()
    shown = card(tree, qtbot)
    qtbot.mouseClick(shown.findChild(QPushButton, "applyFix"), LEFT)
    assert project.undo_stack.count() == 1
    assert "flatten_1" in project.network


def test_the_preview_action_is_disabled_without_problems(
    tree: LayerTree, project: Project, lesson: Network
) -> None:
    assert design_actions(project, tree)["actionPreviewFixes"].isEnabled()
    project.open_network(edits.set_input(Network(), lesson.input), None)
    assert not design_actions(project, tree)["actionPreviewFixes"].isEnabled()


def test_the_card_hides_when_the_network_changes(tree: LayerTree, project: Project, qtbot: QtBot) -> None:
    design_actions(project, tree)["actionPreviewFixes"].trigger()
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
    assert [button.text() for button in buttons] == [fix.label for fix in problem_of_dense(project).fixes]
    assert problem_of_dense(project).why in [label.text() for label in inspector.findChildren(QLabel)]


def test_focusing_a_fix_previews_it_and_enter_applies_it(
    inspector: Inspector, project: Project, qtbot: QtBot
) -> None:
    second = inspector.findChild(QPushButton, "fixButton2")
    second.setFocus(Qt.FocusReason.TabFocusReason)
    shown = card(inspector, qtbot)
    assert any("Dense now takes 64 values" in text for text in texts(shown))
    assert second.hasFocus()
    qtbot.keyClick(second, KEY.Key_Return)
    assert "global_average_pooling2d_1" in project.network
    assert not shown.isVisible()


def test_a_second_click_on_a_fix_does_nothing_and_what_moves_under_the_mouse_is_not_previewed(
    tree: LayerTree, project: Project, qtbot: QtBot
) -> None:
    point, problem = tree.fix_rect("dense_1").center(), problem_of_dense(project)
    hover(qtbot, tree, point)
    shown = card(tree, qtbot)
    qtbot.mouseClick(tree.viewport(), Qt.MouseButton.LeftButton, pos=point)
    assert not shown.isVisible()
    apply_fix(project, problem)
    assert [node.layer.type_name() for node in project.network.nodes].count("Flatten") == 1

    # Undone, the same button is under the mouse again, which has not left it.
    project.undo_stack.undo()
    qtbot.mouseMove(tree.viewport(), point + QPoint(1, 0))
    assert pending_previews(tree) == []
    hover(qtbot, tree, point)
    assert card(tree, qtbot) is shown


# Texts


def test_the_shapes_include_the_faulty_layer(project: Project) -> None:
    preview = preview_fix(project.network, problem_of_dense(project), None, project.analysis)
    rows = shape_rows(project.analysis, "dense_1", preview)
    assert [(row.title, row.status, row.before, row.after) for row in rows] == [
        ("Flatten", "added", "", "2304"),
        ("Dense", "changed", "unknown", "128"),
    ]


def test_the_totals_are_those_of_the_whole_network(project: Project) -> None:
    preview = preview_fix(project.network, problem_of_dense(project), None, project.analysis)
    totals = {each.name: (each.before, each.after, each.is_better) for each in total_changes(preview)}
    assert totals["Parameters"] == ("at least 20,682", "315,722", False)
    assert totals["Problems"] == ("1", "0", True)


def test_the_accessible_text_describes_the_whole_preview(project: Project) -> None:
    preview = preview_fix(project.network, problem_of_dense(project), None, project.analysis)
    effect = describe_effect("dense_1", project.analysis, preview.analysis)
    text = describe_preview("Insert Flatten", effect, preview)
    assert text.startswith("Insert Flatten. Dense now takes 2,304 values instead of 64 by 6 by 6.")
    assert "Problems 1 to 0" in text
    assert "×" not in text


def test_the_effect_names_a_removed_layer_and_another_output(lesson: Network) -> None:
    before = analyze(lesson)
    without = analyze(edits.remove(lesson, ["dense_2"]))
    assert describe_effect("dense_2", before, without) == "Removes Dense."
    layer = lesson.node("dense_2").layer
    fewer = edits.replace(lesson, "dense_2", layer=dataclasses.replace(layer, units=4))  # type: ignore[call-arg]  # a Dense
    assert (
        describe_effect("dense_2", before, analyze(fewer))
        == "Dense now outputs 4 values instead of 10 values."
    )
    assert describe_effect(None, before, without) == ""
