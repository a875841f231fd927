"""Advice: quiet, apart from problems, dismissible, and remembered with the window's settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.design import edits
from cnnstudio.design.analysis.analysis import Analysis
from cnnstudio.design.findings import Advice
from cnnstudio.design.network import Network
from cnnstudio.gui.designer.actions import actions
from cnnstudio.gui.designer.inspector.inspector import Inspector
from cnnstudio.gui.designer.layer_list.layer_list import LayerList
from cnnstudio.gui.designer.layer_list.layer_tree import LayerTree
from cnnstudio.gui.designer.quick_fix.advice_panel import AdvicePanel
from cnnstudio.gui.designer.quick_fix.advice_service import AdviceDesk, advice_desk
from cnnstudio.gui.designer.quick_fix.finding_cards import AdviceCard
from cnnstudio.gui.designer.quick_fix.preview_access import present_preview
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.document.settings import Settings
from cnnstudio.layers.base import SetParameters

LEFT, KEY = Qt.MouseButton.LeftButton, Qt.Key
FEWER = SetParameters({"units": 64}, "set units to 64")


@pytest.fixture(autouse=True)
def _known_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tips on the lesson's network, whatever the rules are."""

    def advise(analysis: Analysis) -> tuple[Advice, ...]:
        network = analysis.network
        found = []
        if "conv2d_1" in network:
            found.append(Advice("conv2d_1", "small:conv2d_1", "Conv2D sees little", "It sees 3 pixels."))
        if "dense_1" in network and network.node("dense_1").layer.units > 64:  # type: ignore[attr-defined]  # a Dense
            found.append(
                Advice("dense_1", "heavy:dense_1", "Dense holds nearly all", "It learns by heart.", FEWER)
            )
        return tuple(found)

    monkeypatch.setattr("cnnstudio.design.advice.advice.advise", advise)


@pytest.fixture
def project(lesson: Network) -> Project:
    return Project(lesson)


@pytest.fixture
def desk(project: Project) -> AdviceDesk:
    desk = advice_desk(project)
    QApplication.processEvents()
    return desk


@pytest.fixture
def layers(desk: AdviceDesk, project: Project, show: Callable[[Project], LayerList]) -> LayerList:
    layers = show(project)
    QApplication.processEvents()
    return layers


@pytest.fixture
def tree(layers: LayerList) -> LayerTree:
    return layers.tree


def keys(found: tuple[Advice, ...]) -> list[str]:
    return [advice.key for advice in found]


# What is shown


def test_advice_follows_the_network(desk: AdviceDesk, project: Project) -> None:
    assert keys(desk.shown) == ["small:conv2d_1", "heavy:dense_1"]
    project.edit("delete Conv2D", edits.remove(project.network, ["conv2d_1"]))
    QApplication.processEvents()
    assert keys(desk.shown) == ["heavy:dense_1"]
    assert desk.of("conv2d_1") == ()
    project.undo_stack.undo()
    QApplication.processEvents()
    assert keys(desk.of("conv2d_1")) == ["small:conv2d_1"]


def test_advice_is_no_problem(desk: AdviceDesk, project: Project, layers: LayerList) -> None:
    assert project.analysis.problems == ()
    assert not layers.findChild(QPushButton, "fixButton")


def test_the_head_counts_the_tips(layers: LayerList, desk: AdviceDesk) -> None:
    button = layers.findChild(QPushButton, "adviceCount")
    assert (button.isVisible(), button.text()) == (True, "2 tips")
    desk.dismiss(desk.shown[0])
    assert button.text() == "1 tip"
    desk.dismiss(desk.shown[0])
    assert not button.isVisible()


def test_a_row_with_advice_says_so(tree: LayerTree, desk: AdviceDesk) -> None:
    index = tree.model().index_of("dense_1")  # type: ignore[attr-defined]  # our model
    spoken = index.data(Qt.ItemDataRole.AccessibleTextRole)
    assert spoken.endswith("no problems, tip: Dense holds nearly all")
    assert not tree.button_rect("dense_1", "advice").isEmpty()
    assert tree.button_rect("flatten_1", "advice").isEmpty()


def test_the_mouse_on_the_lamp_tells_it_and_what_it_would_do(
    tree: LayerTree, project: Project, qtbot: QtBot
) -> None:
    qtbot.mouseMove(tree.viewport(), QPoint(2, 2))
    qtbot.mouseMove(tree.viewport(), tree.button_rect("dense_1", "advice").center())
    qtbot.waitUntil(lambda: present_preview(tree) is not None and present_preview(tree).isVisible())
    card = present_preview(tree)
    assert card is not None
    texts = [label.text() for label in card.findChildren(QLabel) if label.isVisible()]
    assert {"Dense holds nearly all.", "It learns by heart.", "315,722", "167,562"} <= set(texts)
    qtbot.mouseClick(card.findChild(QPushButton, "applyFix"), LEFT)
    assert project.undo_stack.undoText() == "set units to 64"
    assert project.undo_stack.count() == 1


def test_a_press_on_the_lamp_selects_the_row(tree: LayerTree, project: Project, qtbot: QtBot) -> None:
    qtbot.mouseClick(tree.viewport(), LEFT, pos=tree.button_rect("dense_1", "advice").center())
    assert project.selection == ("dense_1",)


def test_the_key_opens_the_advice_of_the_selected_layer(
    tree: LayerTree, project: Project, desk: AdviceDesk, qtbot: QtBot
) -> None:
    project.select(["conv2d_1"])
    actions(project, tree)["actionPreviewFix"].trigger()
    card = present_preview(tree)
    assert card is not None
    assert card.isVisible()
    # Without a fix there is only one thing to do.
    assert QApplication.focusWidget().objectName() == "dismissAdvice"
    qtbot.keyClick(QApplication.focusWidget(), KEY.Key_Return)
    assert keys(desk.shown) == ["heavy:dense_1"]


def test_the_inspector_tells_the_advice_of_the_selected_layer(
    project: Project, desk: AdviceDesk, qtbot: QtBot
) -> None:
    inspector = Inspector(project)
    qtbot.addWidget(inspector)
    inspector.show()
    project.select(["dense_1"])
    card = inspector.findChild(AdviceCard)
    qtbot.waitUntil(card.isVisible)
    assert "Dense holds nearly all." in [label.text() for label in card.findChildren(QLabel)]
    qtbot.mouseClick(card.findChild(QPushButton, "dismissAdvice"), LEFT)
    qtbot.waitUntil(lambda: not card.isVisible())
    project.select(["flatten_1"])
    assert not card.isVisible()


# All of it in one card


def panel(layers: LayerList, project: Project) -> AdvicePanel:
    actions(project, layers)["actionAdvice"].trigger()
    found = layers.window().findChild(AdvicePanel)
    assert isinstance(found, AdvicePanel)
    assert found.isVisible()
    return found


def buttons(parent: QWidget, name: str) -> list[QPushButton]:
    return [each for each in parent.findChildren(QPushButton, name) if each.isVisible()]


def test_the_panel_lists_all_tips_and_leads_to_their_layers(
    layers: LayerList, project: Project, qtbot: QtBot
) -> None:
    shown = panel(layers, project)
    places = [each.text() for each in shown.findChildren(QPushButton) if "layer" in each.text()]
    assert places == ["Conv2D, layer 1", "Dense, layer 6"]
    first = QApplication.focusWidget()
    assert isinstance(first, QPushButton)
    assert first.text() == "Conv2D, layer 1"
    qtbot.keyClick(first, KEY.Key_Space)
    assert project.selection == ("conv2d_1",)
    qtbot.keyClick(first, KEY.Key_Escape)
    assert not shown.isVisible()


def test_what_was_dismissed_can_be_brought_back(
    layers: LayerList, project: Project, desk: AdviceDesk, qtbot: QtBot
) -> None:
    shown = panel(layers, project)
    for left in (1, 0):
        qtbot.mouseClick(buttons(shown, "dismissAdvice")[0], LEFT)
        assert len(desk.shown) == left
    assert shown.isVisible()
    back = buttons(shown, "bringAdviceBack")[0]
    assert back.text() == "Show 2 dismissed tips again"
    qtbot.mouseClick(back, LEFT)
    assert keys(desk.shown) == ["small:conv2d_1", "heavy:dense_1"]
    assert desk.dismissed == ()


def test_very_much_advice_is_told_in_part(
    layers: LayerList, project: Project, desk: AdviceDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = tuple(Advice("dense_1", f"rule-{number}:dense_1", "A tip", "A reason") for number in range(300))
    monkeypatch.setattr("cnnstudio.design.advice.advice.advise", lambda analysis: many)
    project.edit("delete Conv2D", edits.remove(project.network, ["conv2d_1"]))
    QApplication.processEvents()
    shown = panel(layers, project)
    assert len(buttons(shown, "dismissAdvice")) == 20
    texts = [label.text() for label in shown.findChildren(QLabel) if not label.isHidden()]
    assert "And 280 more tips; a lamp marks the rows that have one." in texts


# Remembering


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "window.ini")


def test_dismissals_stay_with_the_designs_file(
    desk: AdviceDesk, project: Project, settings: Settings, lesson: Network, tmp_path: Path
) -> None:
    desk.remember_in(settings)
    project.open_network(lesson, tmp_path / "a.cnn.json")
    QApplication.processEvents()
    desk.dismiss(desk.shown[0])
    project.open_network(lesson, tmp_path / "b.cnn.json")
    QApplication.processEvents()
    assert len(desk.shown) == 2
    project.open_network(lesson, tmp_path / "a.cnn.json")
    QApplication.processEvents()
    assert keys(desk.shown) == ["heavy:dense_1"]


def test_the_next_window_remembers_them(
    desk: AdviceDesk, project: Project, settings: Settings, lesson: Network, tmp_path: Path
) -> None:
    desk.remember_in(settings)
    project.open_network(lesson, tmp_path / "a.cnn.json")
    QApplication.processEvents()
    desk.dismiss(desk.shown[0])
    settings.save()
    later = Project(lesson)
    later.open_network(lesson, tmp_path / "a.cnn.json")
    again = advice_desk(later)
    again.remember_in(Settings(tmp_path / "window.ini"))
    QApplication.processEvents()
    assert keys(again.shown) == ["heavy:dense_1"]
    assert keys(again.dismissed) == ["small:conv2d_1"]


def test_a_new_designs_dismissals_go_with_it_into_its_first_file(
    desk: AdviceDesk, project: Project, settings: Settings, lesson: Network, tmp_path: Path
) -> None:
    desk.remember_in(settings)
    desk.dismiss(desk.shown[0])
    project.mark_saved(tmp_path / "saved.cnn.json")
    project.open_network(lesson, None)
    QApplication.processEvents()
    assert len(desk.shown) == 2
    project.open_network(lesson, tmp_path / "saved.cnn.json")
    QApplication.processEvents()
    assert keys(desk.shown) == ["heavy:dense_1"]


def test_nothing_is_kept_for_a_design_of_which_all_was_brought_back(
    desk: AdviceDesk, project: Project, settings: Settings, lesson: Network, tmp_path: Path
) -> None:
    desk.remember_in(settings)
    project.open_network(lesson, tmp_path / "a.cnn.json")
    QApplication.processEvents()
    desk.dismiss(desk.shown[0])
    desk.bring_back()
    settings.set_text("dataset", "shapes")
    settings.save()
    assert "dismissed_advice" not in (tmp_path / "window.ini").read_text()
