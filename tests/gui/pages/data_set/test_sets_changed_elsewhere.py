"""The command line beside the open window: what it does to the list of data sets is said and shown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from cnnstudio.core import files
from cnnstudio.core.paths import datasets_folder
from cnnstudio.data.sources.folder_list import RegisteredSet, last_written, register_set
from cnnstudio.gui.data.dialog import DataDialog
from cnnstudio.gui.data.source_row import SourceRow
from cnnstudio.gui.pages.data_page import DataPage
from cnnstudio.gui.shell.main_window import MainWindow
from tests.gui.pages.data_set.adding import add


def elsewhere(*arguments: str | Path) -> None:
    """Runs `cnnstudio data` in another process."""
    command = [sys.executable, "-m", "cnnstudio", "data", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, timeout=600)


def wait_for_message(qtbot: QtBot, window: MainWindow, text: str) -> None:
    qtbot.waitUntil(lambda: window.message_bar.isVisible() and window.message_bar.text == text)


def listed(page: DataPage) -> list[str]:
    rows = (page.sets.list.item(row) for row in range(page.sets.list.count()))
    return [str(item.data(Qt.ItemDataRole.UserRole)) for item in rows]


def test_a_removed_set_in_use_is_gone_from_the_page_and_has_to_be_replaced(
    window: MainWindow, balls: Path, qtbot: QtBot
) -> None:
    page = add(qtbot, window, balls)
    assert window.project.dataset_name == "balls"

    elsewhere("remove", "balls")

    text = "Another program removed balls from the data sets: choose other images to train on."
    wait_for_message(qtbot, window, text)
    assert "balls" not in listed(page)
    assert page.images.grid.hint == "Choose a data set"
    assert page.overlay is None, "nothing of it can be corrected"
    qtbot.waitUntil(lambda: page.details.sets.findChild(SourceRow, "source_balls") is None)
    assert window.tool_bar.data.currentText() == "balls"
    page.sets.list.choose("shapes")
    window.project.set_dataset("shapes", None)
    qtbot.waitUntil(lambda: not window.message_bar.isVisible())


def test_a_removed_set_that_is_only_looked_at_makes_room_for_the_one_in_use(
    window: MainWindow, balls: Path, qtbot: QtBot
) -> None:
    page = add(qtbot, window, balls)
    window.project.set_dataset("shapes", None)
    page.sets.list.choose("balls")

    elsewhere("remove", "balls")

    wait_for_message(qtbot, window, "Another program removed balls from the data sets.")
    assert page.sets.list.chosen == "shapes"
    assert window.project.dataset_name == "shapes"
    assert window.tool_bar.data.findData("balls") < 0


def test_a_renamed_set_stays_in_use_and_in_sight(window: MainWindow, balls: Path, qtbot: QtBot) -> None:
    page = add(qtbot, window, balls)

    elsewhere("add", balls, "--name", "marbles")

    wait_for_message(qtbot, window, "Another program renamed balls to marbles.")
    qtbot.waitUntil(lambda: page.looks_at("marbles") and page.images.grid.counts == [10, 10, 12])
    assert window.project.dataset_name == "marbles"
    assert page.sets.list.chosen == "marbles"
    assert window.tool_bar.data.currentText() == "marbles"
    qtbot.waitUntil(lambda: window.project.classes == 3)


def test_only_what_another_program_has_added_is_said(window: MainWindow, balls: Path, qtbot: QtBot) -> None:
    said: list[str] = []
    window.set_watcher.message.connect(lambda message: said.append(message.text))
    page = add(qtbot, window, balls)
    window.dialogs.show_data_sets()

    elsewhere("add", balls / "train", "--name", "marbles")

    qtbot.waitUntil(lambda: bool(said))
    assert said == ["Another program added marbles to the data sets."]
    assert "marbles" in listed(page)
    assert page.sets.list.chosen == "balls"
    assert window.tool_bar.data.findData("marbles") >= 0
    dialog = window.findChild(DataDialog)
    assert dialog.findChild(SourceRow, "source_marbles") is not None
    dialog.close()


def test_a_damaged_list_is_not_taken_for_one_from_which_everything_was_removed(
    window: MainWindow, balls: Path, qtbot: QtBot
) -> None:
    said: list[str] = []
    window.set_watcher.message.connect(lambda message: said.append(message.text))
    page = add(qtbot, window, balls)
    path = datasets_folder() / "folders.json"
    sound = path.read_bytes()
    path.write_bytes(sound[:-5])
    qtbot.wait(1_500)
    path.write_bytes(sound)
    elsewhere("add", balls / "train", "--name", "marbles")
    qtbot.waitUntil(lambda: bool(said))
    assert said == ["Another program added marbles to the data sets."]
    assert page.sets.list.chosen == "balls"


def test_a_set_in_use_that_is_split_in_another_way_is_shown_so(
    window: MainWindow, balls: Path, qtbot: QtBot
) -> None:
    page = add(qtbot, window, balls)
    assert page.images.grid.counts == [10, 10, 12]

    elsewhere("add", balls, "--size", "8")

    wait_for_message(qtbot, window, "Another program changed balls.")
    qtbot.waitUntil(lambda: page.overlay is not None)
    assert window.project.dataset_name == "balls"
    qtbot.waitUntil(lambda: str(window.project.image_shape) == "3 × 8 × 8")


def test_a_set_in_use_that_is_removed_in_the_window_is_gone_from_the_page(
    window: MainWindow, balls: Path, qtbot: QtBot
) -> None:
    said: list[str] = []
    window.set_watcher.message.connect(lambda message: said.append(message.text))
    page = add(qtbot, window, balls)
    row = page.details.sets.findChild(SourceRow, "source_balls")
    assert isinstance(row, SourceRow)
    qtbot.mouseClick(row.findChild(QPushButton, "remove"), Qt.MouseButton.LeftButton)
    assert page.images.grid.hint == "Choose a data set"
    assert page.overlay is None
    elsewhere("add", balls / "train", "--name", "marbles")
    qtbot.waitUntil(lambda: bool(said))
    assert said == ["Another program added marbles to the data sets."]


def test_what_the_window_is_still_writing_is_not_taken_for_that_of_another_program(
    window: MainWindow, balls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    window.set_watcher.message.connect(lambda message: said.append(message.text))
    timer = window.set_watcher.findChild(QTimer)
    looked: list[bool] = []

    def look(folder: Path) -> None:
        """The new list is there, but not yet safe from a power failure."""
        timer.timeout.emit()
        looked.append(True)

    monkeypatch.setattr(files, "fsync_folder", look)
    register_set("balls", RegisteredSet(balls))
    assert looked
    assert said == []


def test_a_list_that_could_not_be_written_is_not_what_was_written_last(
    balls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_set("balls", RegisteredSet(balls))
    before = last_written()
    with monkeypatch.context() as patched:
        patched.setattr(files.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(files.FileError):
            register_set("marbles", RegisteredSet(balls / "train"))
    assert last_written() is before
