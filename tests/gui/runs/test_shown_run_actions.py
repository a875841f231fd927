"""The menu Run: what one can do with the run on show, and when."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QDesktopServices
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from cnnstudio.gui.compute.session import State
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.gui.widgets.message_box import MessageBox
from cnnstudio.gui.widgets.number_box import NumberBox
from cnnstudio.runs.library import trash
from cnnstudio.runs.library.finding import runs_folder
from cnnstudio.runs.library.label import RunLabel, read_label
from tests.gui.canned import run_events
from tests.gui.user_input import Keyboard
from tests.runs.library.listed import ended, progress
from tests.runs.written import WrittenRun

NAMES = (
    *("actionGoOn", "actionMoreEpochs", "actionAnotherSeed", "actionCompareRun", "actionOpenRunDesign"),
    *("actionOpenRunFolder", "actionLabelRun", "actionPackRun", "actionDeleteRun"),
)


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[MainWindow]:
    """A window that never loads torch, and only notes down what it would train."""
    window = create_window()
    window.session.preload = lambda: None  # type: ignore[method-assign]  # nothing computes here
    window.message_bar.hide()
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    yield window
    window.session._set_state(State.IDLE)
    window.close()
    shiboken6.delete(window)


def write_run(name: str, status: str) -> Path:
    run = WrittenRun(runs_folder() / name)
    run.append(progress(10, 2.0), ended(1, 2.0, 0.5, best=True))
    run.update_metadata(status=status, reason="", best_epoch=1)
    return run.folder


def enabled(window: MainWindow) -> set[str]:
    return {name for name in NAMES if action(window, name).isEnabled()}


def action(window: MainWindow, name: str) -> QAction:
    found = window.findChild(QAction, name)
    assert isinstance(found, QAction)
    return found


def test_each_action_is_enabled_when_it_does_something(window: MainWindow) -> None:
    assert enabled(window) == set()
    window.open_run(write_run("stopped", "stopped"))
    assert enabled(window) == set(NAMES) - {"actionMoreEpochs"}
    window.open_run(write_run("complete", "completed"))
    assert enabled(window) == set(NAMES) - {"actionGoOn"}

    # Another training leaves what needs no training.
    window.session._set_state(State.RUNNING)
    trains = {"actionGoOn", "actionMoreEpochs", "actionAnotherSeed"}
    assert enabled(window) == set(NAMES) - trains


def test_more_epochs_are_added_during_a_training_and_after_it(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed, resumed = list[object](), list[int]()
    session = window.session
    monkeypatch.setattr(session, "change", lambda **fields: changed.append(fields))
    monkeypatch.setattr(session, "resume_run", lambda *given: resumed.append(given[-1].epochs))
    monkeypatch.setattr(NumberBox, "ask_number", lambda box: 3)

    session.network, session.recipe = window.project.network, window.project.recipe
    session._set_state(State.LOADING)
    session.events.emit(tuple(run_events(epochs=2)))
    session._set_state(State.RUNNING)
    action(window, "actionMoreEpochs").trigger()
    assert changed == [{"epochs": window.project.recipe.epochs + 3}]
    assert window.message_bar.text == "Added 3 epochs to the run."
    session._set_state(State.IDLE)

    window.open_run(write_run("complete", "completed"))
    action(window, "actionMoreEpochs").trigger()
    (epochs,) = resumed
    assert epochs > 3


def test_the_files_of_the_run_are_reached_from_the_menu(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = write_run("mine", "stopped")
    window.open_run(folder)
    opened, packed = list[str](), tmp_path / "mine.zip"
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    action(window, "actionOpenRunFolder").trigger()
    assert opened == [str(folder)]

    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(packed), ""))
    action(window, "actionPackRun").trigger()
    qtbot.waitUntil(lambda: window.message_bar.text.startswith("Packed "))
    assert packed.is_file()

    def label(box: MessageBox) -> str:
        box.title.setText("Baseline")  # type: ignore[attr-defined]
        return "save"

    monkeypatch.setattr(MessageBox, "ask", label)
    action(window, "actionLabelRun").trigger()
    qtbot.waitUntil(lambda: read_label(folder) == RunLabel("Baseline"))

    trashed = list[Path]()
    monkeypatch.setattr(trash, "_send", trashed.append)
    action(window, "actionDeleteRun").trigger()
    assert window.message_bar.text.startswith("Moving ")
    window.run_commands.deletion.finish()
    qtbot.waitUntil(lambda: trashed == [folder])


def test_another_seed_is_one_that_no_run_of_the_same_training_has(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = list[int]()
    monkeypatch.setattr(window.session, "start", lambda *given: started.append(given[-1].seed))
    window.open_run(write_run("first", "completed"))
    action(window, "actionAnotherSeed").trigger()
    qtbot.waitUntil(lambda: bool(started))
    assert started == [1]


def test_the_run_on_show_is_chosen_for_a_comparison(window: MainWindow, qtbot: QtBot) -> None:
    write_run("other", "completed")
    folder = write_run("mine", "completed")
    window.open_run(folder)
    action(window, "actionCompareRun").trigger()
    table = window.runs_overlay.table
    qtbot.waitUntil(lambda: [run.folder for run in table.model.chosen] == [folder])
    Keyboard(window).press(Qt.Key.Key_Escape)
    assert not table.isVisible()
