"""The table of runs in the window: opened from the tool bar and by Ctrl+T, over whatever page is shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.gui.compare.run_comparison import RunComparison
from cnnstudio.gui.interchange.dialog import ImportDialog
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.runs.library import trash as system_trash
from cnnstudio.runs.library.finding import runs_folder
from cnnstudio.runs.library.summary import RunSummary, SummaryReader
from cnnstudio.runs.run import RUN_FILE
from cnnstudio.training.recipe.recipe import Recipe
from tests.runs.written import trained
from tests.training.networks import tiny

OpenWindow = Callable[[], MainWindow]
KEY = Qt.Key
CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[MainWindow]:
    trained(runs_folder(), tiny(), (0.5, 0.6), Recipe("mine", epochs=1))
    window = create_window()
    window.session.preload = lambda: None  # type: ignore[method-assign]  # nothing computes here
    with qtbot.waitActive(window):
        window.show()
    yield window
    window.close()
    shiboken6.delete(window)


def press(key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    focused = QApplication.focusWidget()
    assert focused is not None
    QTest.keyClick(focused, key, modifiers)


def open_table(window: MainWindow, qtbot: QtBot) -> None:
    QTest.keyClick(window, KEY.Key_T, CTRL)
    table = window.runs_overlay.table
    qtbot.waitUntil(lambda: table.isVisible() and len(table.runs) == 2, timeout=60_000)
    qtbot.waitUntil(table.view.hasFocus)


def test_the_table_exists_once_and_is_read_when_it_is_opened(window: MainWindow, qtbot: QtBot) -> None:
    assert len(window.findChildren(QWidget, "runsTable")) == 1
    assert window.runs_overlay.table.runs == ()
    assert not window.runs_overlay.isVisible()
    open_table(window, qtbot)
    assert window.runs_overlay.geometry().size() == window.pages.size()


def test_a_run_is_shown_by_keys_and_the_open_design_stays(window: MainWindow, qtbot: QtBot) -> None:
    design = window.project.network
    files = {path: path.stat().st_mtime_ns for path in runs_folder().rglob("*")}
    open_table(window, qtbot)
    press(KEY.Key_Return)
    qtbot.waitUntil(lambda: window.run_folder is not None, timeout=60_000)
    assert window.run_folder in {runs_folder() / "mine-0", runs_folder() / "mine-1"}
    assert not window.runs_overlay.isVisible()
    assert window.project.network == design
    assert {path: path.stat().st_mtime_ns for path in runs_folder().rglob("*")} == files


def test_the_button_of_the_run_on_show_opens_and_closes_the_table(window: MainWindow, qtbot: QtBot) -> None:
    button = window.findChild(QPushButton, "shownRun")
    assert isinstance(button, QPushButton)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(window.runs_overlay.table.runs) == 2, timeout=60_000)
    assert window.runs_overlay.isVisible()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert not window.runs_overlay.isVisible()


def test_the_button_shows_when_the_run_was_started_also_in_a_small_window(
    window: MainWindow, qtbot: QtBot
) -> None:
    window.resize(1024, 700)
    show(window, qtbot, "mine-0")
    start = window.shown_run.record.start
    window.run_commands.rename(window_summary(), "A title that is far too long for a small button")
    qtbot.waitUntil(lambda: window.shown_run_button.full_text.startswith("A title"), timeout=60_000)
    assert window.shown_run_button.shown_text.endswith(start)
    assert "mine-0" in window.shown_run_button.toolTip()


def test_the_button_says_under_which_terms_the_start_weights_of_the_run_are(
    window: MainWindow, qtbot: QtBot
) -> None:
    path = runs_folder() / "mine-0" / RUN_FILE
    content = json.loads(path.read_text())
    content["weights"] = {
        "source": "/runs/other@3",
        "notice": "pretrained <b>elsewhere</b>, under Apache-2.0",
    }
    path.write_text(json.dumps(content))
    show(window, qtbot, "mine-0")
    assert "elsewhere&lt;/b&gt;, under Apache-2.0" in window.shown_run_button.toolTip()


def window_summary() -> RunSummary:
    return SummaryReader().read(runs_folder() / "mine-0")


def test_in_a_narrow_window_the_button_has_room_for_a_name_and_a_time(
    window: MainWindow, qtbot: QtBot
) -> None:
    window.resize(1024, 700)
    qtbot.waitUntil(lambda: window.tool_bar.is_narrow)
    window.shown_run_button.set_full_text("Lesson CNN · 14:02", tail=" · 14:02")
    qtbot.waitUntil(lambda: window.shown_run_button.shown_text == "Lesson CNN · 14:02")
    assert window.tool_bar.bar.width() >= 64


def test_messages_cover_no_run_of_the_table(window: MainWindow, qtbot: QtBot) -> None:
    open_table(window, qtbot)
    bar, view = window.message_bar, window.runs_overlay.table.view
    window.message_bar.show_text("Moving 2 runs to the trash.", button="Undo", action=lambda: None)
    rows = view.rect().translated(view.mapTo(window, view.rect().topLeft()))
    assert bar.isVisible()
    assert not bar.geometry().intersects(rows)
    press(KEY.Key_Escape)
    assert bar.isVisible()
    assert window.runs_overlay.table.message_slot.isHidden()


def test_a_page_turn_and_escape_take_the_table_away(window: MainWindow, qtbot: QtBot) -> None:
    open_table(window, qtbot)
    press(KEY.Key_Escape)
    assert not window.runs_overlay.isVisible()
    open_table(window, qtbot)
    QTest.keyClick(window, KEY.Key_1, CTRL)
    assert not window.runs_overlay.isVisible()


def test_two_chosen_runs_are_compared_side_by_side(window: MainWindow, qtbot: QtBot) -> None:
    open_table(window, qtbot)
    press(KEY.Key_Space)
    press(KEY.Key_Down)
    press(KEY.Key_Space)
    button = window.findChild(QPushButton, "compareRuns")
    assert isinstance(button, QPushButton)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    dialog = window.findChild(RunComparison)
    assert isinstance(dialog, RunComparison)
    assert dialog.isVisible()
    qtbot.waitUntil(lambda: dialog._content.isVisible(), timeout=60_000)
    assert window.runs_overlay.isVisible()
    dialog.close()


def test_the_design_of_a_run_is_opened(window: MainWindow, qtbot: QtBot) -> None:
    open_table(window, qtbot)
    button = window.findChild(QPushButton, "openRunDesign")
    assert isinstance(button, QPushButton)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.project.network == tiny(), timeout=60_000)
    assert not window.runs_overlay.isVisible()


@pytest.mark.parametrize(
    ("name", "is_on"), [("actionKeepAwake", "keeps_awake"), ("actionNotifyAtEnd", "notifies")]
)
def test_what_long_trainings_do_is_switched_off_in_the_menu(
    name: str, is_on: str, window: MainWindow
) -> None:
    action = window.findChild(QAction, name)
    assert isinstance(action, QAction)
    assert action.isChecked()
    action.trigger()
    assert not action.isChecked()
    assert not getattr(window.long_runs, is_on)


def show(window: MainWindow, qtbot: QtBot, name: str) -> None:
    window.open_run(runs_folder() / name)
    qtbot.waitUntil(lambda: window.run_folder == runs_folder() / name, timeout=60_000)


def test_a_run_that_is_deleted_while_it_is_shown_gives_its_place_to_the_next(
    window: MainWindow, qtbot: QtBot, trash: Path
) -> None:
    show(window, qtbot, "mine-0")
    open_table(window, qtbot)
    press(KEY.Key_Delete)
    qtbot.waitUntil(lambda: len(window.runs_overlay.table.runs) == 1, timeout=60_000)
    assert window.message_bar.text == "Moving Tiny to the trash."
    qtbot.waitUntil(lambda: window.run_folder == runs_folder() / "mine-1", timeout=60_000)
    assert window.runs_overlay.table.view.shown_folder == runs_folder() / "mine-1"
    window.shown_run.overlays.add([runs_folder() / "mine-0"])
    assert window.shown_run.overlays.folders
    window.run_commands.deletion.finish()
    qtbot.waitUntil(lambda: (trash / "mine-0" / "run.json").exists(), timeout=60_000)
    assert window.message_bar.text == ""
    assert window.runs_overlay.isVisible()
    qtbot.waitUntil(lambda: window.shown_run.overlays.folders == ())
    assert window.run_folder == runs_folder() / "mine-1"
    # Nothing is left of the last one: a run that is gone can neither be resumed nor explored.
    press(KEY.Key_Delete)
    qtbot.waitUntil(lambda: window.shown_run_button.full_text == "No run yet")
    window.run_commands.deletion.finish()
    qtbot.waitUntil(lambda: (trash / "mine-1" / "run.json").exists(), timeout=60_000)
    assert window.run_folder is None


def test_undo_brings_a_deleted_run_back_on_show_unless_another_was_chosen(
    window: MainWindow, qtbot: QtBot
) -> None:
    show(window, qtbot, "mine-0")
    window.run_menu.delete()
    qtbot.waitUntil(lambda: window.run_folder == runs_folder() / "mine-1", timeout=60_000)
    button = window.message_bar.findChild(QPushButton, "messageButton")
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert window.run_folder == runs_folder() / "mine-0"
    # It is followed again: another program may resume it.
    qtbot.waitUntil(lambda: window.shown_run.follower.record is window.shown_run.record, timeout=60_000)
    window.run_menu.delete()
    qtbot.waitUntil(lambda: window.run_folder == runs_folder() / "mine-1", timeout=60_000)
    show(window, qtbot, "mine-1")
    window.run_commands.deletion.undo()
    assert window.run_folder == runs_folder() / "mine-1"


def test_a_run_that_the_trash_refuses_is_shown_again(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("cnnstudio.runs.library.trash._send", refuse)
    show(window, qtbot, "mine-0")
    window.run_menu.delete()
    qtbot.waitUntil(lambda: window.run_folder == runs_folder() / "mine-1", timeout=60_000)
    window.run_commands.deletion.finish()
    qtbot.waitUntil(lambda: window.run_folder == runs_folder() / "mine-0", timeout=60_000)
    assert "read-only" in window.message_bar.text


def test_a_run_that_is_moved_back_from_the_trash_is_on_show_again(
    window: MainWindow, qtbot: QtBot, trash: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = system_trash._send

    def refuse_one(path: Path) -> None:
        if path.name == "mine-1":
            raise OSError(16, "Device or resource busy")
        send(path)

    monkeypatch.setattr(system_trash, "_send", refuse_one)
    monkeypatch.setattr(system_trash, "_trash_folders", lambda path: [trash])
    show(window, qtbot, "mine-0")
    open_table(window, qtbot)
    press(KEY.Key_A, CTRL)
    press(KEY.Key_Delete)
    assert window.run_folder is None
    window.run_commands.deletion.finish()
    qtbot.waitUntil(lambda: window.message_bar.text.startswith("Moved 1 of 2 runs"), timeout=60_000)
    assert not (runs_folder() / "mine-0").exists()
    button = window.message_bar.findChild(QPushButton, "messageButton")
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.run_folder == runs_folder() / "mine-0", timeout=60_000)
    qtbot.waitUntil(lambda: len(window.runs_overlay.table.runs) == 2, timeout=60_000)


def test_a_title_that_the_run_on_show_gets_is_its_name_at_once(window: MainWindow, qtbot: QtBot) -> None:
    window.open_run(runs_folder() / "mine-0")
    qtbot.waitUntil(lambda: window.run_folder is not None, timeout=60_000)
    open_table(window, qtbot)
    press(KEY.Key_F2)
    field = window.runs_overlay.table.findChild(QLineEdit, "runTitle")
    assert isinstance(field, QLineEdit)
    QTest.keyClicks(field, "Baseline")
    QTest.keyClick(field, KEY.Key_Return)
    qtbot.waitUntil(lambda: window.shown_run_button.full_text.startswith("Baseline · "), timeout=60_000)
    window.open_run(runs_folder() / "mine-1")
    qtbot.waitUntil(lambda: window.shown_run_button.full_text.startswith("Tiny · "), timeout=60_000)
    window.open_run(runs_folder() / "mine-0")
    qtbot.waitUntil(lambda: window.shown_run_button.full_text.startswith("Baseline · "), timeout=60_000)


def test_the_table_opens_at_the_run_on_show_each_time(window: MainWindow, qtbot: QtBot) -> None:
    table = window.runs_overlay.table
    for name in ("mine-0", "mine-1", "mine-0"):
        window.open_run(runs_folder() / name)
        qtbot.waitUntil(lambda name=name: window.run_folder == runs_folder() / name, timeout=60_000)  # type: ignore[misc]  # bound now
        open_table(window, qtbot)
        row = table.model.row_of(runs_folder() / name)
        assert table.view.currentIndex().row() == row
        press(KEY.Key_Escape)


def test_what_opens_another_design_turns_to_it(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    window.project.mark_saved(tmp_path / "saved.cnn.json")
    for key in (KEY.Key_N, KEY.Key_I):
        window.pages.turn_to(window.pages.USE)
        QTest.keyClick(window, key, CTRL)
        if key == KEY.Key_I:
            dialog = window.findChild(ImportDialog)
            assert isinstance(dialog, ImportDialog)
            dialog.accept()
        assert window.pages.current is window.pages.design
