"""The window as a whole: what it starts with, its files, its notices, and how it closes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QAction, QDropEvent, QGuiApplication
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QFileDialog,
    QLabel,
    QMenu,
    QMessageBox,
    QTabBar,
    QWidget,
)
from pytestqt.qtbot import QtBot

from cnnstudio.design import edits
from cnnstudio.design.file import read_design, write_design
from cnnstudio.design.templates import templates
from cnnstudio.gui.compute.session import State
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.docks import Dock
from cnnstudio.gui.shell.excepthook import tell_mistakes
from cnnstudio.gui.shell.main_window import MainWindow
from tests.gui.user_input import Hand

OpenWindow = Callable[..., MainWindow]

# What other programs find the parts of the window by.
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
    """Opens windows, and closes them without a question at the end."""
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
        # Loading torch cannot be called off.
        qtbot.waitUntil(lambda session=window.session: not session.is_busy, timeout=60_000)
        window.close()
        shiboken6.delete(window)


def answer(monkeypatch: pytest.MonkeyPatch, button: QMessageBox.StandardButton) -> None:
    """Whatever the window asks, it gets this answer."""
    monkeypatch.setattr(QMessageBox, "exec", lambda box: button)
    monkeypatch.setattr(QMessageBox, "question", lambda *arguments: button)


def change(window: MainWindow) -> None:
    first = window.project.network.nodes[0].id
    window.project.edit("delete Conv2D", edits.remove(window.project.network, [first]))


def test_parts_and_actions_are_found_by_their_names(open_window: OpenWindow) -> None:
    window = open_window()
    assert window.objectName() == "mainWindow"
    assert [name for name in WIDGETS if window.findChild(QWidget, name) is None] == []
    assert [name for name in ACTIONS if window.findChild(QAction, name) is None] == []


def test_the_first_launch_can_train_with_one_click(open_window: OpenWindow) -> None:
    window = open_window()
    assert window.project.network == templates()["lesson-32"].network
    assert window.project.dataset_name == "shapes"
    assert window.project.recipe.name == "studio"
    assert not window.project.analysis.problems
    assert not window.project.undo_stack.canUndo()


def test_new_gives_an_empty_list(open_window: OpenWindow) -> None:
    window = open_window()
    Hand(window).press(window, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    assert window.project.network.nodes == ()


def test_saving_writes_the_file_and_the_title_says_so(
    open_window: OpenWindow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    window = open_window()
    change(window)
    assert window.isWindowModified()
    path = tmp_path / "mine"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *arguments: (str(path), ""))
    Hand(window).press(window, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    assert read_design(tmp_path / "mine.cnn.json") == window.project.network
    assert not window.isWindowModified()
    assert window.windowTitle().startswith("mine.cnn.json")


def test_a_save_that_fails_says_so_and_keeps_the_design(open_window: OpenWindow, tmp_path: Path) -> None:
    window = open_window()
    (tmp_path / "file").write_text("where a folder would have to be")
    window.project.mark_saved(tmp_path / "file" / "mine.cnn.json")
    change(window)
    drawn = window.project.network
    Hand(window).press(window, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    assert "not saved. Cannot write" in window.notice.text
    assert window.project.network is drawn
    assert window.isWindowModified()


def test_closing_with_unsaved_changes_can_be_called_off(
    open_window: OpenWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window()
    change(window)
    answer(monkeypatch, QMessageBox.StandardButton.Cancel)
    assert not window.close()
    assert window.isVisible()


def test_an_open_design_comes_from_its_file_and_stands_among_the_recent(
    open_window: OpenWindow, tmp_path: Path
) -> None:
    path = tmp_path / "small.cnn.json"
    write_design(path, templates()["lenet-5"].network)
    window = open_window(path)
    assert window.project.network == templates()["lenet-5"].network
    assert window.settings.recent_files == [path]


def test_a_damaged_file_is_a_sentence_and_the_design_stays(open_window: OpenWindow, tmp_path: Path) -> None:
    path = tmp_path / "broken.cnn.json"
    path.write_text(
        '{"format": "cnnstudio.design", "version": 1, "input": [3, 32, 32], "layers": [{"type": "Conv9D"}]}'
    )
    window = open_window(path)
    assert "layers[0].type" in window.notice.text
    assert window.project.network == templates()["lesson-32"].network


def test_a_design_dropped_on_the_window_is_opened(open_window: OpenWindow, tmp_path: Path) -> None:
    path = tmp_path / "small.cnn.json"
    write_design(path, templates()["vgg-11-small"].network)
    window = open_window()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    window.dropEvent(
        QDropEvent(
            QPointF(5, 5),
            Qt.DropAction.CopyAction,
            data,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
    )
    assert window.project.network == templates()["vgg-11-small"].network


def test_unsaved_work_comes_back_after_a_crash(open_window: OpenWindow, home: Path) -> None:
    crashed = templates()["lenet-5"].network
    home.mkdir(parents=True, exist_ok=True)
    write_design(home / "unsaved-1.cnn.json", crashed)
    window = open_window()
    assert window.project.network == crashed
    assert window.isWindowModified()
    assert "did not end properly" in window.notice.text


def test_a_safety_copy_is_kept_while_there_are_unsaved_changes(open_window: OpenWindow, home: Path) -> None:
    window = open_window()
    change(window)
    window.documents._timer.timeout.emit()
    assert read_design(home / "unsaved-1.cnn.json") == window.project.network
    window.project.mark_saved(home / "mine.cnn.json")
    window.close()
    assert not (home / "unsaved-1.cnn.json").exists()


def test_train_with_a_faulty_design_explains_and_points(open_window: OpenWindow) -> None:
    window = open_window()
    flatten = next(node.id for node in window.project.network.nodes if node.layer.type_name() == "Flatten")
    window.project.edit("delete Flatten", edits.remove(window.project.network, [flatten]))
    Hand(window).click_button("Train")
    assert "insert Flatten before it" in window.notice.text
    assert window.project.selection == ("dense_1",)
    assert window.session.state is State.IDLE


def test_a_paste_of_very_many_layers_is_asked_about_and_answered_by_keys(
    open_window: OpenWindow, qtbot: QtBot
) -> None:
    window = open_window()
    before = len(window.project.network)
    QGuiApplication.clipboard().setText(json.dumps([{"type": "Dropout"}] * 1_500))
    window.layers.tree.setFocus()
    qtbot.keyClick(window.layers.tree, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert "1,500 layers" in window.notice.text
    assert len(window.project.network) == before
    qtbot.keyClick(window.focusWidget(), Qt.Key.Key_Space)
    assert len(window.project.network) == before + 1_500
    assert window.layers.tree.hasFocus()


def test_export_without_a_model_says_what_to_do(open_window: OpenWindow) -> None:
    window = open_window()
    Hand(window).click_button("Export")
    assert "press Train" in window.notice.text


def test_closing_while_it_trains_asks_stops_and_keeps_the_run(
    open_window: OpenWindow, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot, home: Path
) -> None:
    window = open_window()
    Hand(window).click_button("Train")
    qtbot.waitUntil(lambda: window.session.state is State.RUNNING, timeout=120_000)
    answer(monkeypatch, QMessageBox.StandardButton.No)
    assert not window.close()
    answer(monkeypatch, QMessageBox.StandardButton.Yes)
    assert window.close()
    (run,) = (home / "runs").iterdir()
    assert json.loads((run / "run.json").read_text())["status"] == "stopped"


def test_the_fields_of_the_recipe_set_the_recipe(open_window: OpenWindow) -> None:
    window = open_window()
    epochs, optimizer = (
        window.findChild(QAbstractSpinBox, "epochsField"),
        window.findChild(QComboBox, "optimizerField"),
    )
    epochs.setValue(3)
    optimizer.setCurrentText("adamw")
    assert (window.project.recipe.epochs, window.project.recipe.optimizer) == (3, "adamw")


def test_the_panels_return_to_where_the_user_left_them(open_window: OpenWindow) -> None:
    first = open_window()
    first.docks[1].hide()
    first.close()
    second = open_window()
    assert second.docks[1].isHidden()
    second.reset_layout()
    assert not second.docks[1].isHidden()


def test_a_tab_that_was_in_front_is_in_front_again(open_window: OpenWindow, qtbot: QtBot) -> None:
    first = open_window()
    dock(first, "drawingDock").action.trigger()
    first.close()
    second = open_window()
    qtbot.waitUntil(lambda: dock(second, "drawingDock").action.isChecked())
    assert not second.dashboard.isVisible()


def test_after_a_reset_every_panel_has_one_tab(open_window: OpenWindow, qtbot: QtBot) -> None:
    window = open_window()
    for name in ("drawingDock", "codeDock"):
        dock(window, name).action.trigger()
        qtbot.waitUntil(lambda name=name: dock(window, name).action.isChecked())
    dock(window, "inspectorDock").close()
    window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock(window, "fieldDock"))
    QApplication.processEvents()
    window.reset_layout()
    wanted = ["Code", "Dashboard", "Drawing", "Inspector", "Receptive field"]
    qtbot.waitUntil(lambda: tabs(window) == wanted)
    assert dock(window, "inspectorDock").action.isChecked()


def tabs(window: MainWindow) -> list[str]:
    """The texts of all tabs of panels that can be seen."""
    bars = window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)
    return sorted(
        bar.tabText(number)
        for bar in bars
        if bar.isVisible() and window.rect().intersects(bar.geometry())
        for number in range(bar.count())
    )


def test_what_stands_behind_is_not_made_for_the_start(open_window: OpenWindow, qtbot: QtBot) -> None:
    window = open_window()
    qtbot.waitUntil(lambda: dock(window, "inspectorDock").action.isChecked())
    behind = ("codeFile", "fieldView", "drawingView")
    assert [name for name in behind if window.findChild(QWidget, name) is not None] == []
    assert not dock(window, "codeDock").action.isChecked()


def test_panels_come_by_their_keys(open_window: OpenWindow, qtbot: QtBot) -> None:
    window = open_window()
    Hand(window).press(window, Qt.Key.Key_3, Qt.KeyboardModifier.AltModifier)
    assert dock(window, "codeDock").content.isVisible()
    Hand(window).press(window, Qt.Key.Key_2, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: not dock(window, "codeDock").content.isVisible())


def test_no_two_actions_share_a_key(open_window: OpenWindow) -> None:
    window = open_window()
    keys = [key.toString() for action in window.findChildren(QAction) for key in action.shortcuts()]
    assert sorted(keys) == sorted(set(keys))


def test_every_panel_is_in_the_view_menu(open_window: OpenWindow) -> None:
    window = open_window()
    view = next(menu for menu in window.menuBar().findChildren(QMenu) if menu.title() == "&View")
    assert {each.action for each in window.docks} <= set(view.actions())


def test_the_drawing_is_saved_from_the_file_menu(
    open_window: OpenWindow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    window = open_window()
    path = tmp_path / "net.svg"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *arguments: (str(path), ""))
    window.findChild(QAction, "actionSaveDrawing").trigger()
    assert path.read_text("utf-8").startswith("<svg")


def test_the_list_says_what_memory_a_batch_takes(open_window: OpenWindow) -> None:
    window = open_window()
    words = window.findChild(QLabel, "designMemory")
    before = words.text()
    assert before.startswith("A batch of 128 takes ")
    window.project.set_recipe(window.project.recipe.replace(batch_size=512))
    assert words.text().startswith("A batch of 512 takes ")
    assert words.text() != before.replace("128", "512")
    assert "optimizer" in words.toolTip()


def dock(window: MainWindow, name: str) -> Dock:
    return next(each for each in window.docks if each.objectName() == name)


@pytest.mark.skipif(os.name != "posix", reason="runs a second process by fork-free exec on POSIX only")
def test_the_window_needs_no_torch_to_appear(home: Path) -> None:
    import subprocess

    code = (
        "import sys; from cnnstudio.gui.shell.app import create_window; w = create_window(); w.show(); "
        "assert 'torch' not in sys.modules; print('free'); import os; os._exit(0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.stdout.strip() == "free", done.stderr


def test_an_error_of_the_program_is_a_sentence_and_the_window_lives_on(
    open_window: OpenWindow, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    window = open_window()
    tell_mistakes(lambda sentence: window.notice.show_sentence(sentence, wrong=True))
    sys.excepthook(ZeroDivisionError, ZeroDivisionError("a mistake"), None)
    assert "ZeroDivisionError" in window.notice.text
    assert "Traceback" not in window.notice.text
    assert "a mistake" in caplog.text


def test_a_design_on_the_command_line_leaves_unsaved_work_for_the_next_start(
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


def test_saving_under_a_short_name_asks_before_it_replaces_the_file(
    open_window: OpenWindow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    there = tmp_path / "mine.cnn.json"
    write_design(there, templates()["vgg-11-small"].network)
    window = open_window()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *arguments: (str(tmp_path / "mine"), ""))
    answer(monkeypatch, QMessageBox.StandardButton.No)
    assert not window.documents.save_as()
    assert read_design(there) == templates()["vgg-11-small"].network
    answer(monkeypatch, QMessageBox.StandardButton.Yes)
    assert window.documents.save_as()
    assert read_design(there) == window.project.network


def test_a_data_folder_that_takes_no_files_is_told_and_the_window_works(
    open_window: OpenWindow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("where the folder would have to be")
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path / "file"))
    window = open_window()
    assert "Nothing can be written" in window.notice.text
    change(window)
    window.documents._timer.timeout.emit()
    assert window.isWindowModified()


def test_the_first_launch_offers_real_photographs_once(open_window: OpenWindow) -> None:
    first = open_window()
    assert "CIFAR-10" in first.notice.text
    Hand(first).click_button("Get CIFAR-10")
    dialog = first.findChild(QDialog)
    assert dialog is not None
    assert dialog.isVisible()
    dialog.close()
    assert open_window().notice.text == ""


def test_a_run_that_cannot_be_read_is_a_sentence_and_the_design_stays(
    open_window: OpenWindow, tmp_path: Path
) -> None:
    window = open_window(tmp_path)
    assert window.notice.text
    assert window.project.network == templates()["lesson-32"].network
