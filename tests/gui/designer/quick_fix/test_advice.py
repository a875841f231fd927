"""Advice: separate from problems, dismissible, with dismissals stored in the window's settings."""

from __future__ import annotations

import os
import sys
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
from cnnstudio.gui.designer.actions import design_actions
from cnnstudio.gui.designer.inspector.inspector import Inspector
from cnnstudio.gui.designer.layer_list.layer_list import LayerList
from cnnstudio.gui.designer.layer_list.layer_tree import LayerTree
from cnnstudio.gui.designer.quick_fix.advice_panel import AdvicePanel
from cnnstudio.gui.designer.quick_fix.advice_service import AdviceService, advice_service
from cnnstudio.gui.designer.quick_fix.finding_cards import AdviceCard
from cnnstudio.gui.designer.quick_fix.preview_access import existing_preview_card
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.document.settings import Settings
from cnnstudio.layers.base import SetParameters

LEFT, KEY = Qt.MouseButton.LeftButton, Qt.Key
FEWER = SetParameters({"units": 64}, "set units to 64")


@pytest.fixture(autouse=True)
def _fixed_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tips on the lesson's network, independent of the real rules."""

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
def service(project: Project) -> AdviceService:
    service = advice_service(project)
    QApplication.processEvents()
    return service


@pytest.fixture
def layers(service: AdviceService, project: Project, show: Callable[[Project], LayerList]) -> LayerList:
    layers = show(project)
    QApplication.processEvents()
    return layers


@pytest.fixture
def tree(layers: LayerList) -> LayerTree:
    return layers.tree


def keys(advice: tuple[Advice, ...]) -> list[str]:
    return [each.key for each in advice]


# What is shown


def test_advice_follows_the_network(service: AdviceService, project: Project) -> None:
    assert keys(service.shown) == ["small:conv2d_1", "heavy:dense_1"]
    project.edit("delete Conv2D", edits.remove(project.network, ["conv2d_1"]))
    QApplication.processEvents()
    assert keys(service.shown) == ["heavy:dense_1"]
    assert service.for_node("conv2d_1") == ()
    project.undo_stack.undo()
    QApplication.processEvents()
    assert keys(service.for_node("conv2d_1")) == ["small:conv2d_1"]


def test_advice_is_not_a_problem(service: AdviceService, project: Project, layers: LayerList) -> None:
    assert project.analysis.problems == ()
    assert not layers.findChild(QPushButton, "fixButton")


def test_the_header_counts_the_tips(layers: LayerList, service: AdviceService) -> None:
    button = layers.findChild(QPushButton, "adviceCount")
    assert (button.isVisible(), button.text()) == (True, "2 tips")
    service.dismiss(service.shown[0])
    assert button.text() == "1 tip"
    service.dismiss(service.shown[0])
    assert not button.isVisible()


def test_a_row_with_advice_shows_a_light_bulb_and_says_so(tree: LayerTree, service: AdviceService) -> None:
    index = tree.model().index_of("dense_1")  # type: ignore[attr-defined]  # our model
    text = index.data(Qt.ItemDataRole.AccessibleTextRole)
    assert text.endswith("no problems, tip: Dense holds nearly all")
    assert not tree.button_rect("dense_1", "advice").isEmpty()
    assert tree.button_rect("flatten_1", "advice").isEmpty()


def test_hovering_the_light_bulb_shows_the_tip_and_its_effect(
    tree: LayerTree, project: Project, qtbot: QtBot
) -> None:
    qtbot.mouseMove(tree.viewport(), QPoint(2, 2))
    qtbot.mouseMove(tree.viewport(), tree.button_rect("dense_1", "advice").center())
    qtbot.waitUntil(
        lambda: existing_preview_card(tree) is not None and existing_preview_card(tree).isVisible()
    )
    card = existing_preview_card(tree)
    assert card is not None
    texts = [label.text() for label in card.findChildren(QLabel) if label.isVisible()]
    assert {"Dense holds nearly all.", "It learns by heart.", "315,722", "167,562"} <= set(texts)
    qtbot.mouseClick(card.findChild(QPushButton, "applyFix"), LEFT)
    assert project.undo_stack.undoText() == "set units to 64"
    assert project.undo_stack.count() == 1


def test_clicking_the_light_bulb_selects_the_row(tree: LayerTree, project: Project, qtbot: QtBot) -> None:
    qtbot.mouseClick(tree.viewport(), LEFT, pos=tree.button_rect("dense_1", "advice").center())
    assert project.selection == ("dense_1",)


def test_the_preview_action_opens_the_advice_of_the_selected_layer(
    tree: LayerTree, project: Project, service: AdviceService, qtbot: QtBot
) -> None:
    project.select(["conv2d_1"])
    design_actions(project, tree)["actionPreviewFixes"].trigger()
    card = existing_preview_card(tree)
    assert card is not None
    assert card.isVisible()
    # Without a fix, dismissing is the only choice.
    assert QApplication.focusWidget().objectName() == "dismissAdvice"
    qtbot.keyClick(QApplication.focusWidget(), KEY.Key_Return)
    assert keys(service.shown) == ["heavy:dense_1"]


def test_the_inspector_shows_the_advice_of_the_selected_layer(
    project: Project, service: AdviceService, qtbot: QtBot
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


# The panel with all advice


def panel(layers: LayerList, project: Project) -> AdvicePanel:
    design_actions(project, layers)["actionAdvice"].trigger()
    found = layers.window().findChild(AdvicePanel)
    assert isinstance(found, AdvicePanel)
    assert found.isVisible()
    return found


def buttons(parent: QWidget, name: str) -> list[QPushButton]:
    return [each for each in parent.findChildren(QPushButton, name) if each.isVisible()]


def test_the_panel_lists_all_tips_and_selects_their_layers(
    layers: LayerList, project: Project, qtbot: QtBot
) -> None:
    shown = panel(layers, project)
    labels = [each.text() for each in shown.findChildren(QPushButton) if "layer" in each.text()]
    assert labels == ["Conv2D, layer 1", "Dense, layer 6"]
    first = QApplication.focusWidget()
    assert isinstance(first, QPushButton)
    assert first.text() == "Conv2D, layer 1"
    qtbot.keyClick(first, KEY.Key_Space)
    assert project.selection == ("conv2d_1",)
    qtbot.keyClick(first, KEY.Key_Escape)
    assert not shown.isVisible()


def test_dismissed_advice_can_be_restored(
    layers: LayerList, project: Project, service: AdviceService, qtbot: QtBot
) -> None:
    shown = panel(layers, project)
    for remaining in (1, 0):
        qtbot.mouseClick(buttons(shown, "dismissAdvice")[0], LEFT)
        assert len(service.shown) == remaining
    assert shown.isVisible()
    restore = buttons(shown, "restoreAdvice")[0]
    assert restore.text() == "Restore 2 dismissed tips"
    qtbot.mouseClick(restore, LEFT)
    assert keys(service.shown) == ["small:conv2d_1", "heavy:dense_1"]
    assert service.dismissed == ()


def test_the_panel_shows_only_the_first_of_many_tips(
    layers: LayerList, project: Project, service: AdviceService, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = tuple(Advice("dense_1", f"rule-{number}:dense_1", "A tip", "A reason") for number in range(300))
    monkeypatch.setattr("cnnstudio.design.advice.advice.advise", lambda analysis: many)
    project.edit("delete Conv2D", edits.remove(project.network, ["conv2d_1"]))
    QApplication.processEvents()
    shown = panel(layers, project)
    assert len(buttons(shown, "dismissAdvice")) == 20
    texts = [label.text() for label in shown.findChildren(QLabel) if not label.isHidden()]
    assert "And 280 more tips; a light bulb marks the layers that have one." in texts


# Storing dismissals


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "window.ini")


@pytest.mark.skipif(sys.platform != "linux", reason="file names are Unicode")
def test_tips_are_dismissed_in_a_design_whose_name_is_not_utf_8(
    service: AdviceService, project: Project, settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.cnn.json")
    network = project.network
    service.use_settings(settings)
    project.open_network(network, path)
    QApplication.processEvents()
    service.dismiss(service.shown[0])
    assert keys(service.shown) == ["heavy:dense_1"]
    project.open_network(network, tmp_path / "other.cnn.json")
    project.open_network(network, path)
    QApplication.processEvents()
    assert keys(service.shown) == ["heavy:dense_1"]


def test_dismissals_belong_to_the_file_of_the_design(
    service: AdviceService, project: Project, settings: Settings, lesson: Network, tmp_path: Path
) -> None:
    service.use_settings(settings)
    project.open_network(lesson, tmp_path / "a.cnn.json")
    QApplication.processEvents()
    service.dismiss(service.shown[0])
    project.open_network(lesson, tmp_path / "b.cnn.json")
    QApplication.processEvents()
    assert len(service.shown) == 2
    project.open_network(lesson, tmp_path / "a.cnn.json")
    QApplication.processEvents()
    assert keys(service.shown) == ["heavy:dense_1"]


def test_dismissals_survive_a_restart(
    service: AdviceService, project: Project, settings: Settings, lesson: Network, tmp_path: Path
) -> None:
    service.use_settings(settings)
    project.open_network(lesson, tmp_path / "a.cnn.json")
    QApplication.processEvents()
    service.dismiss(service.shown[0])
    settings.save()
    later = Project(lesson)
    later.open_network(lesson, tmp_path / "a.cnn.json")
    again = advice_service(later)
    again.use_settings(Settings(tmp_path / "window.ini"))
    QApplication.processEvents()
    assert keys(again.shown) == ["heavy:dense_1"]
    assert keys(again.dismissed) == ["small:conv2d_1"]


def test_dismissals_of_an_unsaved_design_are_stored_when_it_is_saved(
    service: AdviceService, project: Project, settings: Settings, lesson: Network, tmp_path: Path
) -> None:
    service.use_settings(settings)
    service.dismiss(service.shown[0])
    project.mark_saved(tmp_path / "saved.cnn.json")
    project.open_network(lesson, None)
    QApplication.processEvents()
    assert len(service.shown) == 2
    project.open_network(lesson, tmp_path / "saved.cnn.json")
    QApplication.processEvents()
    assert keys(service.shown) == ["heavy:dense_1"]


def test_restoring_all_advice_removes_the_stored_dismissals(
    service: AdviceService, project: Project, settings: Settings, lesson: Network, tmp_path: Path
) -> None:
    service.use_settings(settings)
    project.open_network(lesson, tmp_path / "a.cnn.json")
    QApplication.processEvents()
    service.dismiss(service.shown[0])
    service.restore_dismissed()
    settings.set_text("dataset", "shapes")
    settings.save()
    assert "dismissed_advice" not in (tmp_path / "window.ini").read_text()
