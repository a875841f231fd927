"""The design dialogs, opened from the window as by a user."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QCheckBox, QComboBox, QPlainTextEdit, QPushButton
from pytestqt.qtbot import QtBot

from cnnstudio.design import edits
from cnnstudio.design.file import read_design
from cnnstudio.design.templates import templates
from cnnstudio.gui.compare.dialog import CompareDialog
from cnnstudio.gui.compare.entry_list import EntryList
from cnnstudio.gui.designer.quick_fix.advice_service import advice_service
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.interchange.dialog import ImportDialog
from cnnstudio.gui.interchange.onnx_dialog import OnnxDialog
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.gui.templates.cards import Cards
from cnnstudio.gui.templates.dialog import TemplateDialog
from cnnstudio.gui.widgets.message_box import MessageBox
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.up_sampling2d import UpSampling2D
from cnnstudio.training.recipe.built_in import RECIPES
from tests.gui.user_input import UserInput, drag_and_drop
from tests.interchange.onnx.graphs import Graph

CTRL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[MainWindow]:
    window = create_window()
    # Otherwise torch, which these tests do not need, would be loaded after the first paint.
    window.session.preload = lambda: None  # type: ignore[method-assign]  # for this window only
    window._preload.timeout.disconnect()
    with qtbot.waitActive(window):
        window.show()
    yield window
    window.project.mark_saved(Path("elsewhere.cnn.json"))
    window.close()
    shiboken6.delete(window)


def trigger(window: MainWindow, name: str) -> None:
    window.findChild(QAction, name).trigger()


def test_a_template_is_opened_from_the_gallery(window: MainWindow, qtbot: QtBot) -> None:
    UserInput(window).press(window, Qt.Key.Key_N, CTRL_SHIFT)
    cards = window.findChild(TemplateDialog).findChild(Cards)
    cards.setCurrentRow(2)
    qtbot.keyClick(cards, Qt.Key.Key_Return)
    assert window.project.network == list(templates().values())[2].network
    assert not window.project.is_modified


def test_the_pretrained_template_fits_the_images_of_the_data_set(window: MainWindow, qtbot: QtBot) -> None:
    assert (window.project.dataset_name, window.project.image_shape) == ("shapes", Shape.of(3, 32, 32))
    trigger(window, "actionNewFromTemplate")
    cards = window.findChild(TemplateDialog).findChild(Cards)
    cards.setCurrentRow(list(templates()).index("efficientnet-lite0"))
    qtbot.keyClick(cards, Qt.Key.Key_Return)
    network = window.project.network
    assert network.input == Shape.of(3, 32, 32)
    assert network.nodes[0].layer == UpSampling2D((5, 5), "bilinear")
    assert not window.project.analysis.problems
    assert not window.project.is_modified


@pytest.mark.parametrize(("wanted", "recipe"), [(True, "fast-gpu"), (False, "lesson")])
def test_the_gallery_offers_the_recipe_of_a_template(
    window: MainWindow, qtbot: QtBot, wanted: bool, recipe: str
) -> None:
    window.project.set_recipe(RECIPES["lesson"])
    trigger(window, "actionNewFromTemplate")
    dialog = window.findChild(TemplateDialog)
    cards, offer = dialog.findChild(Cards), dialog.findChild(QCheckBox, "templateRecipe")
    assert not offer.isVisible()
    cards.setCurrentRow(list(templates()).index("airbench94"))
    assert offer.isVisible()
    assert offer.isChecked()
    if not wanted:
        qtbot.keyClick(offer, Qt.Key.Key_Space)
    qtbot.keyClick(cards, Qt.Key.Key_Return)
    assert window.project.network == templates()["airbench94"].network
    assert window.project.recipe == RECIPES[recipe]


def test_the_gallery_asks_before_discarding_unsaved_changes(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = edits.rename(window.project.network, "mine")
    window.project.edit("rename", changed)
    monkeypatch.setattr(MessageBox, "ask", lambda _: "cancel")
    trigger(window, "actionNewFromTemplate")
    cards = window.findChild(TemplateDialog).findChild(Cards)
    cards.setCurrentRow(2)
    qtbot.keyClick(cards, Qt.Key.Key_Return)
    assert window.project.network == changed


def test_a_code_file_can_be_dropped_on_the_window(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text("model = Sequential([Dense(10)])")
    drag_and_drop(window, path)
    qtbot.waitUntil(lambda: window.findChild(ImportDialog) is not None)
    dialog = window.findChild(ImportDialog)
    assert dialog.findChild(QPlainTextEdit, "importCode").toPlainText() == path.read_text()
    dialog.reject()


def test_an_onnx_file_can_be_dropped_on_the_window_and_opened_in_the_import_dialog(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    graph = Graph()
    path = graph.save(tmp_path, graph.head(graph.conv("image", 3, 4), 4))
    drag_and_drop(window, path)
    qtbot.waitUntil(lambda: window.findChild(OnnxDialog) is not None)
    dialog = window.findChild(OnnxDialog)
    ready = dialog.findChild(QPushButton, "importButton")
    qtbot.waitUntil(ready.isEnabled)
    ready.click()
    qtbot.waitUntil(lambda: window.tool_bar.start.title == "net.onnx")
    assert window.project.network.name == "net"
    window.project.undo_stack.undo()
    assert window.tool_bar.start.title == ""
    window.dialogs.show_import(path)
    qtbot.waitUntil(lambda: window.findChild(OnnxDialog) is not None)
    qtbot.waitUntil(lambda: window.findChild(ImportDialog) is None)


def test_only_one_comparison_opens_and_it_starts_with_the_saved_version(
    window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.cnn.json"
    monkeypatch.setattr("PySide6.QtWidgets.QFileDialog.getSaveFileName", lambda *_: (str(path), ""))
    assert window.documents.save()
    window.project.edit("delete", edits.remove(read_design(path), ["dense_1"]))
    trigger(window, "actionCompare")
    trigger(window, "actionCompare")
    found = window.findChildren(CompareDialog)
    assert len(found) == 1
    assert found[0].findChild(QComboBox, "compareWith").currentText() == "Saved version: mine.cnn.json"
    assert found[0].findChild(EntryList).count() == 1
    found[0].close()


def test_dismissed_tips_are_stored_in_the_settings(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    service = advice_service(window.project)
    qtbot.waitUntil(lambda: len(service.shown) > 0)
    window.project.mark_saved(tmp_path / "mine.cnn.json")
    key = service.shown[0].key
    service.dismiss(service.shown[0])
    window.settings.save()
    stored = Settings()
    names = [name for name in stored._store.allKeys() if name.startswith("dismissed_advice/")]
    assert [stored.text(name) for name in names] == [key]
