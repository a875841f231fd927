"""The window as a whole: its initial state, files, messages, and how it closes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDialog,
    QFileDialog,
    QLabel,
    QPushButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from cnnstudio.design import edits
from cnnstudio.design.file import read_design, write_design
from cnnstudio.design.templates import templates
from cnnstudio.gui.compute.session import State
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.errors.excepthook import install_excepthook
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.gui.widgets.message_box import MessageBox
from tests.gui.user_input import UserInput, drag_and_drop

OpenWindow = Callable[..., MainWindow]

# Object names that other programs rely on.
WIDGETS = [
    "palette",
    "layerList",
    "inspector",
    "datasetSelector",
    "epochsField",
    "batchSizeField",
    "optimizerField",
    "learningRateField",
    "lossPlot",
    "accuracyPlot",
    "featureMaps",
    "trainingProgress",
    "statusMessage",
    "timeline",
    *("pageSwitch", "pageData", "pageDesign", "pageTrain", "pageExplore", "pageUse"),
    *("viewFeatureMaps", "viewFilters", "viewConfusion", "viewMistakes", "viewCalibration"),
    *("viewPredictions", "viewHistograms", "viewImageMap", "tryPanel", "reviewQueue", "shownRun"),
]
ACTIONS = [
    "actionNew",
    "actionOpen",
    "actionSave",
    "actionSaveAs",
    "actionUndo",
    "actionRedo",
    "actionCut",
    "actionCopy",
    "actionPaste",
    "actionDuplicate",
    "actionDelete",
    "actionTrain",
    "actionPause",
    "actionStop",
    "actionExport",
]


@pytest.fixture
def open_window(qtbot: QtBot) -> Iterator[OpenWindow]:
    """Opens windows, and closes them at the end without asking."""
    windows: list[MainWindow] = []

    def start(path: Path | None = None) -> MainWindow:
        window = create_window(path)
        windows.append(window)
        with qtbot.waitActive(window):
            window.show()
            window.activateWindow()
        return window

    yield start
    for window in windows:
        window.project.mark_saved(Path("elsewhere.cnn.json"))
        window.session.stop()
        # Loading torch cannot be interrupted.
        qtbot.waitUntil(lambda session=window.session: not session.is_busy, timeout=60_000)
        window.close()
        shiboken6.delete(window)


def answer(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Gives this answer to every message box; it must be one of the box's buttons."""

    def press(box: MessageBox) -> str:
        assert name in box.buttons
        return name

    monkeypatch.setattr(MessageBox, "ask", press)


def change(window: MainWindow) -> None:
    first = window.project.network.nodes[0].id
    window.project.edit("delete Conv2D", edits.remove(window.project.network, [first]))


def test_widgets_and_actions_have_their_object_names(open_window: OpenWindow) -> None:
    window = open_window()
    assert window.objectName() == "mainWindow"
    counts = {name: len(window.findChildren(QWidget, name)) for name in WIDGETS}
    assert counts == dict.fromkeys(WIDGETS, 1)
    assert [name for name in ACTIONS if window.findChild(QAction, name) is None] == []
    for number in range(5):
        window.pages.turn_to(number)
    assert {name: len(window.findChildren(QWidget, name)) for name in WIDGETS} == counts
    # Two pages have a slim list of layers each.
    for page in (window.pages.train, window.pages.explore):
        assert len(page.findChildren(QWidget, "layerStrip")) == 1


def test_the_first_launch_can_train_with_one_click(open_window: OpenWindow) -> None:
    window = open_window()
    assert window.project.network == templates()["lesson-32"].network
    assert window.project.dataset_name == "shapes"
    assert window.project.recipe.name == "studio"
    assert not window.project.analysis.problems
    assert not window.project.undo_stack.canUndo()


def test_new_starts_an_empty_design(open_window: OpenWindow) -> None:
    window = open_window()
    UserInput(window).press(window, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    assert window.project.network.nodes == ()


def test_saving_writes_the_file_and_updates_the_title(
    open_window: OpenWindow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    window = open_window()
    change(window)
    assert window.isWindowModified()
    path = tmp_path / "mine"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *arguments: (str(path), ""))
    UserInput(window).press(window, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    assert read_design(tmp_path / "mine.cnn.json") == window.project.network
    assert not window.isWindowModified()
    assert window.windowTitle().startswith("mine.cnn.json")


def test_a_failed_save_shows_an_error_and_keeps_the_design(open_window: OpenWindow, tmp_path: Path) -> None:
    window = open_window()
    (tmp_path / "file").write_text("where a folder would have to be")
    window.project.mark_saved(tmp_path / "file" / "mine.cnn.json")
    change(window)
    network = window.project.network
    UserInput(window).press(window, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    assert "not saved. Cannot write" in window.message_bar.text
    assert window.project.network is network
    assert window.isWindowModified()


def test_closing_with_unsaved_changes_can_be_canceled(
    open_window: OpenWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window()
    change(window)
    answer(monkeypatch, "cancel")
    assert not window.close()
    assert window.isVisible()


def test_opening_a_file_shows_its_design_and_adds_it_to_the_recent_files(
    open_window: OpenWindow, tmp_path: Path
) -> None:
    path = tmp_path / "small.cnn.json"
    write_design(path, templates()["lenet-5"].network)
    window = open_window(path)
    assert window.project.network == templates()["lenet-5"].network
    assert window.settings.recent_files == [path]


def test_a_damaged_file_shows_an_error_and_keeps_the_design(open_window: OpenWindow, tmp_path: Path) -> None:
    path = tmp_path / "broken.cnn.json"
    path.write_text(
        '{"format": "cnnstudio.design", "version": 1, "input": [3, 32, 32], "layers": [{"type": "Conv9D"}]}'
    )
    window = open_window(path)
    assert "layers[0].type" in window.message_bar.text
    assert window.project.network == templates()["lesson-32"].network


def test_a_design_dropped_on_the_window_is_opened(
    open_window: OpenWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "small.cnn.json"
    write_design(path, templates()["vgg-11-small"].network)
    window = open_window()
    drag_and_drop(window, path)
    qtbot.waitUntil(lambda: window.project.network == templates()["vgg-11-small"].network)


def test_unsaved_work_is_restored_after_a_crash(open_window: OpenWindow, home: Path) -> None:
    crashed = templates()["lenet-5"].network
    home.mkdir(parents=True, exist_ok=True)
    write_design(home / "unsaved-1.cnn.json", crashed)
    window = open_window()
    assert window.project.network == crashed
    assert window.isWindowModified()
    assert "closed unexpectedly" in window.message_bar.text


def test_unsaved_changes_are_autosaved(open_window: OpenWindow, home: Path) -> None:
    window = open_window()
    change(window)
    window.documents.autosave._timer.timeout.emit()
    assert read_design(home / "unsaved-1.cnn.json") == window.project.network
    window.project.mark_saved(home / "mine.cnn.json")
    window.close()
    assert not (home / "unsaved-1.cnn.json").exists()


def test_train_with_a_problem_explains_it_and_selects_the_layer(open_window: OpenWindow) -> None:
    window = open_window()
    flatten = next(node.id for node in window.project.network.nodes if node.layer.type_name() == "Flatten")
    window.project.edit("delete Flatten", edits.remove(window.project.network, [flatten]))
    UserInput(window).click_button("Train")
    assert "insert Flatten before it" in window.message_bar.text
    assert window.project.selection == ("dense_1",)
    assert window.session.state is State.IDLE


def test_pasting_very_many_layers_asks_and_can_be_confirmed_by_keyboard(
    open_window: OpenWindow, qtbot: QtBot
) -> None:
    window = open_window()
    before = len(window.project.network)
    QGuiApplication.clipboard().setText(json.dumps([{"type": "Dropout"}] * 1_500))
    window.layers.tree.setFocus()
    qtbot.keyClick(window.layers.tree, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert "1,500 layers" in window.message_bar.text
    assert len(window.project.network) == before
    qtbot.keyClick(window.focusWidget(), Qt.Key.Key_Space)
    assert len(window.project.network) == before + 1_500
    assert window.layers.tree.hasFocus()


def test_export_without_a_model_explains_what_to_do(open_window: OpenWindow) -> None:
    window = open_window()
    window.findChild(QAction, "actionExport").trigger()
    assert window.pages.current is window.pages.use
    note = window.findChild(QLabel, "exportNote")
    assert note.isVisible()
    assert "Press Train" in note.text()
    assert not window.findChild(QPushButton, "export").isEnabled()


def test_closing_during_training_asks_and_saves_the_run(
    open_window: OpenWindow, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot, home: Path
) -> None:
    window = open_window()
    UserInput(window).click_button("Train")
    qtbot.waitUntil(lambda: window.session.state is State.RUNNING, timeout=120_000)
    answer(monkeypatch, "keep")
    assert not window.close()
    assert window.session.state is State.RUNNING
    answer(monkeypatch, "stop")
    assert window.close()
    (run,) = (home / "runs").iterdir()
    assert json.loads((run / "run.json").read_text())["status"] == "stopped"


def test_the_recipe_fields_change_the_recipe(open_window: OpenWindow) -> None:
    window = open_window()
    epochs, optimizer = (
        window.findChild(QAbstractSpinBox, "epochsField"),
        window.findChild(QComboBox, "optimizerField"),
    )
    epochs.setValue(3)
    optimizer.setCurrentText("adamw")
    assert (window.project.recipe.epochs, window.project.recipe.optimizer) == (3, "adamw")


def test_no_two_actions_share_a_shortcut(open_window: OpenWindow) -> None:
    window = open_window()
    keys = [key.toString() for action in window.findChildren(QAction) for key in action.shortcuts()]
    assert sorted(keys) == sorted(set(keys))


def test_the_drawing_is_saved_from_the_file_menu(
    open_window: OpenWindow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    window = open_window()
    path = tmp_path / "net.svg"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *arguments: (str(path), ""))
    window.findChild(QAction, "actionSaveDrawing").trigger()
    assert path.read_text("utf-8").startswith("<svg")


def test_the_layer_list_shows_the_memory_of_a_batch(open_window: OpenWindow) -> None:
    window = open_window()
    label = window.findChild(QLabel, "designMemory")
    before = label.text()
    assert before.startswith("A batch of 128 needs ")
    window.project.set_recipe(window.project.recipe.replace(batch_size=512))
    assert label.text().startswith("A batch of 512 needs ")
    assert label.text() != before.replace("128", "512")
    assert "optimizer" in label.toolTip()


@pytest.mark.skipif(os.name != "posix", reason="the subprocess call is for POSIX only")
def test_the_window_appears_without_importing_torch(home: Path) -> None:
    import subprocess

    code = (
        "import sys; from cnnstudio.gui.shell.app import create_window; w = create_window(); w.show(); "
        "assert 'torch' not in sys.modules; print('free'); import os; os._exit(0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.stdout.strip() == "free", done.stderr


def test_an_unexpected_error_is_shown_as_a_message(
    open_window: OpenWindow, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    window = open_window()
    install_excepthook(lambda message: window.message_bar.show_text(message, is_error=True))
    sys.excepthook(ZeroDivisionError, ZeroDivisionError("an example"), None)
    assert "ZeroDivisionError" in window.message_bar.text
    assert "Traceback" not in window.message_bar.text
    assert "an example" in caplog.text


def test_a_window_in_which_asking_fails_stays_open_and_says_so(
    open_window: OpenWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    window = open_window()
    window.show()
    install_excepthook(lambda message: window.message_bar.show_text(message, is_error=True))
    with monkeypatch.context() as patch:
        patch.setattr(window.documents, "confirm_discard", fail)
        window.close()
    assert window.isVisible()
    assert "ZeroDivisionError" in window.message_bar.text

    # What is done after the user has agreed does not keep it open.
    with monkeypatch.context() as patch:
        patch.setattr(window.pages, "save", fail)
        window.close()
    assert not window.isVisible()
    # As `main` does for a window that could not do it.
    window.session.shutdown()


def test_opening_a_design_leaves_the_autosave_for_the_next_start(
    open_window: OpenWindow, home: Path, tmp_path: Path
) -> None:
    crashed = templates()["lenet-5"].network
    home.mkdir(parents=True, exist_ok=True)
    write_design(home / "unsaved-1.cnn.json", crashed)
    write_design(tmp_path / "named.cnn.json", templates()["vgg-11-small"].network)
    first = open_window(tmp_path / "named.cnn.json")
    assert first.project.network == templates()["vgg-11-small"].network
    first.close()
    assert open_window().project.network == crashed


def test_saving_without_the_suffix_asks_before_replacing_a_file(
    open_window: OpenWindow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    existing = tmp_path / "mine.cnn.json"
    write_design(existing, templates()["vgg-11-small"].network)
    window = open_window()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *arguments: (str(tmp_path / "mine"), ""))
    answer(monkeypatch, "cancel")
    assert not window.documents.save_as()
    assert read_design(existing) == templates()["vgg-11-small"].network
    answer(monkeypatch, "replace")
    assert window.documents.save_as()
    assert read_design(existing) == window.project.network


def test_an_unwritable_data_folder_is_reported_and_the_window_works(
    open_window: OpenWindow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("where the folder would have to be")
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path / "file"))
    window = open_window()
    assert "is not writable" in window.message_bar.text
    change(window)
    window.documents.autosave._timer.timeout.emit()
    assert window.isWindowModified()


def test_only_the_first_launch_offers_cifar10(open_window: OpenWindow) -> None:
    first = open_window()
    assert "CIFAR-10" in first.message_bar.text
    UserInput(first).click_button("Get CIFAR-10")
    dialog = first.findChild(QDialog)
    assert dialog is not None
    assert dialog.isVisible()
    dialog.close()
    assert open_window().message_bar.text == ""


def test_the_offer_of_cifar10_goes_when_the_user_goes_on(open_window: OpenWindow) -> None:
    window = open_window()
    window.pages.turn_to(window.pages.DATA)
    assert "CIFAR-10" in window.message_bar.text
    window.pages.turn_to(window.pages.TRAIN)
    assert window.message_bar.text == ""


def test_train_shows_the_key_that_its_hints_name(open_window: OpenWindow) -> None:
    action = open_window().tool_bar.train_action
    assert action.shortcut().toString() == "F5"
    assert action.toolTip().endswith("(F5)")


def test_an_unreadable_run_shows_an_error_and_keeps_the_design(
    open_window: OpenWindow, tmp_path: Path
) -> None:
    window = open_window(tmp_path)
    assert window.message_bar.text
    assert window.project.network == templates()["lesson-32"].network


def test_the_offer_of_cifar10_goes_when_another_data_set_is_chosen(open_window: OpenWindow) -> None:
    window = open_window()
    assert "CIFAR-10" in window.message_bar.text
    window.project.set_dataset("shapes_easy", 10)
    assert window.message_bar.text == ""
