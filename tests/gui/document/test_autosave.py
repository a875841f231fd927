"""After a crash every unsaved design is offered, once, in one window; edits are kept within seconds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QListWidget
from pytestqt.qtbot import QtBot

from cnnstudio.design.edits import rename
from cnnstudio.design.file import read_design, write_design
from cnnstudio.design.network import Network
from cnnstudio.design.templates import templates
from cnnstudio.gui.document import autosave
from cnnstudio.gui.document.unsaved_dialog import UnsavedDialog
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.gui.widgets.message_box import MessageBox
from tests.gui.user_input import UserInput

ROOT = Path(__file__).resolve().parents[3]

OpenWindow = Callable[..., MainWindow]

LENET, VGG, RESNET = (templates()[name].network for name in ("lenet-5", "vgg-11-small", "resnet-9"))


@pytest.fixture
def open_window(qtbot: QtBot) -> Iterator[OpenWindow]:
    windows: list[MainWindow] = []

    def start(path: Path | None = None) -> MainWindow:
        window = create_window(path)
        window.session.preload = lambda: None  # type: ignore[method-assign]  # nothing computes here
        windows.append(window)
        with qtbot.waitActive(window):
            window.show()
            window.activateWindow()
        return window

    yield start
    for window in windows:
        close(window)


def close(window: MainWindow) -> None:
    """Closes the window and discards its changes."""
    if shiboken6.isValid(window):
        window.project.mark_saved(Path("elsewhere.cnn.json"))
        window.close()
        shiboken6.delete(window)


def crash(home: Path, *networks: Network) -> None:
    """Leaves what a process leaves that crashes with these designs, the newest first."""
    home.mkdir(parents=True, exist_ok=True)
    for number, network in enumerate(networks, start=1):
        path = home / f"unsaved-{number}.cnn.json"
        write_design(path, network)
        os.utime(path, (time.time() - number, time.time() - number))


def unsaved(home: Path) -> list[Network]:
    """The designs that would be offered after a crash now."""
    return [read_design(path) for path in sorted(home.glob("unsaved-*.cnn.json"))]


def answer(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def press(box: MessageBox) -> str:
        assert name in box.buttons
        return name

    monkeypatch.setattr(MessageBox, "ask", press)


def delete_a_layer(window: MainWindow) -> None:
    """As a hand does it: a click on the first layer, then Delete."""
    user, tree = UserInput(window), window.layers.tree
    index = tree.model().index(1, 0)
    user.click(tree.viewport(), tree.visualRect(index).center())
    before = window.project.network
    user.press(tree, Qt.Key.Key_Delete)
    assert window.project.network != before


def dialog_of(window: MainWindow) -> UnsavedDialog:
    found = window.findChild(UnsavedDialog)
    assert isinstance(found, UnsavedDialog)
    return found


def listed(dialog: UnsavedDialog) -> list[str]:
    found = dialog.findChild(QListWidget, "unsavedDesigns")
    assert isinstance(found, QListWidget)
    return [found.item(row).text() for row in range(found.count())]


# Keeping


def test_an_edit_by_hand_is_in_the_file_after_one_interval(
    open_window: OpenWindow, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autosave, "AUTOSAVE_INTERVAL_MS", 600_000)  # only when the test says so
    window = open_window()
    delete_a_layer(window)
    assert window.isWindowModified()
    assert unsaved(home) == []
    window.documents.autosave._timer.timeout.emit()
    assert unsaved(home) == [window.project.network]


def test_the_interval_is_below_five_seconds_and_edits_do_not_postpone_it(open_window: OpenWindow) -> None:
    window = open_window()
    timer = window.documents.autosave._timer
    assert timer.isActive()
    assert not timer.isSingleShot()
    # A coarse timer may be late by a twentieth.
    assert timer.interval() * 1.05 < 5_000
    assert timer.timerType() in (Qt.TimerType.CoarseTimer, Qt.TimerType.PreciseTimer)
    fired: list[bool] = []
    timer.timeout.connect(lambda: fired.append(True))
    left = timer.remainingTime()
    delete_a_layer(window)
    # A busy machine may have taken longer than an interval.
    assert fired or timer.remainingTime() <= left


def test_a_burst_of_edits_does_not_postpone_the_autosave(
    open_window: OpenWindow, home: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autosave, "AUTOSAVE_INTERVAL_MS", 100)
    window = open_window()
    burst = QTimer(window)
    burst.setInterval(5)
    names = ["up", "down"]

    def edit() -> None:
        window.project.edit("rename", rename(window.project.network, names[0]))
        names.reverse()

    burst.timeout.connect(edit)
    burst.start()
    qtbot.waitUntil(lambda: bool(unsaved(home)))
    assert burst.isActive()
    burst.stop()


@pytest.mark.parametrize("how", ["undo", "save", "discard"])
def test_what_is_undone_saved_or_discarded_is_not_offered(
    how: str, open_window: OpenWindow, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window()
    delete_a_layer(window)
    window.documents.autosave._timer.timeout.emit()
    assert len(unsaved(home)) == 1
    if how == "undo":
        window.project.undo_stack.undo()
    elif how == "save":
        window.project.mark_saved(tmp_path / "mine.cnn.json")
    else:
        answer(monkeypatch, "discard")
        assert window.documents.new()
    assert unsaved(home) == []
    window.documents.autosave._timer.timeout.emit()
    assert unsaved(home) == []


# Offering


def test_after_a_crash_the_newest_is_restored_and_the_others_are_offered(
    open_window: OpenWindow, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash(home, LENET, VGG, RESNET)
    window = open_window()
    assert window.project.network == LENET
    assert window.isWindowModified()
    assert "There are 2 more unsaved designs of earlier sessions." in window.message_bar.text
    UserInput(window).click_button("Show unsaved designs")
    dialog = dialog_of(window)
    assert [text.split(" · ")[0] for text in listed(dialog)] == [VGG.name, RESNET.name]

    answer(monkeypatch, "discard")
    UserInput(dialog).click_button("Open")
    assert window.project.network == VGG
    assert window.isWindowModified()
    assert window.project.path is None
    # LeNet-5 was discarded, and what is open now is kept.
    assert sorted(network.name for network in unsaved(home)) == sorted([VGG.name, RESNET.name])


def test_nothing_is_lost_by_canceling_the_question_about_the_open_design(
    open_window: OpenWindow, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash(home, LENET, VGG)
    window = open_window()
    window.dialogs.show_unsaved()
    answer(monkeypatch, "cancel")
    UserInput(dialog_of(window)).click_button("Open")
    assert window.project.network == LENET
    assert dialog_of(window).isVisible()
    UserInput(dialog_of(window)).click_button("Discard")
    assert len(unsaved(home)) == 2


def test_a_discarded_design_is_gone(
    open_window: OpenWindow, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash(home, LENET, VGG)
    window = open_window()
    window.dialogs.show_unsaved()
    answer(monkeypatch, "discard")
    UserInput(dialog_of(window)).click_button("Discard")
    assert not dialog_of(window).isVisible()
    assert unsaved(home) == [LENET]
    close(window)
    assert unsaved(home) == []
    assert open_window().project.network == templates()["lesson-32"].network


def test_what_was_neither_opened_nor_discarded_is_offered_at_the_next_start(
    open_window: OpenWindow, home: Path
) -> None:
    crash(home, LENET, VGG)
    close(open_window())
    window = open_window()
    assert window.project.network == VGG
    assert "more unsaved" not in window.message_bar.text
    assert window.documents.autosave.found == []


def test_opening_a_file_offers_the_unsaved_designs_as_well(
    open_window: OpenWindow, home: Path, tmp_path: Path
) -> None:
    crash(home, LENET)
    write_design(tmp_path / "named.cnn.json", VGG)
    window = open_window(tmp_path / "named.cnn.json")
    assert window.project.network == VGG
    assert window.message_bar.text == "There is 1 unsaved design of earlier sessions."
    UserInput(window).click_button("Show unsaved designs")
    UserInput(dialog_of(window)).click_button("Open")
    assert window.project.network == LENET
    assert window.project.path is None


def test_the_menu_lists_the_unsaved_designs_or_says_that_there_are_none(
    open_window: OpenWindow, home: Path
) -> None:
    crash(home, LENET, VGG)
    window = open_window()
    action = window.findChild(QAction, "actionUnsaved")
    assert isinstance(action, QAction)
    action.trigger()
    assert len(listed(dialog_of(window))) == 1
    dialog_of(window).reject()
    other = open_window()
    found = other.findChild(QAction, "actionUnsaved")
    assert isinstance(found, QAction)
    found.trigger()
    assert "There are no unsaved designs" in other.message_bar.text


def test_a_second_window_offers_neither_living_designs_nor_those_that_the_first_offers(
    open_window: OpenWindow, home: Path
) -> None:
    crash(home, LENET, VGG)
    first = open_window()
    delete_a_layer(first)
    first.documents.autosave._timer.timeout.emit()
    edited = first.project.network
    second = open_window()
    assert second.project.network == templates()["lesson-32"].network
    assert second.documents.autosave.found == []
    delete_a_layer(second)
    second.documents.autosave._timer.timeout.emit()
    assert len(unsaved(home)) == 3
    assert edited in unsaved(home)


def test_a_design_left_twice_is_offered_once(open_window: OpenWindow, home: Path) -> None:
    crash(home, LENET, VGG, LENET)
    window = open_window()
    assert [design.network for design in window.documents.autosave.found] == [VGG]
    assert len(unsaved(home)) == 2


def test_a_file_that_cannot_be_read_or_has_another_name_stays(open_window: OpenWindow, home: Path) -> None:
    home.mkdir(parents=True)
    (home / "unsaved-1.cnn.json").write_text("{}")
    write_design(home / "unsaved-mine.cnn.json", VGG)
    window = open_window()
    assert window.documents.autosave.found == []
    delete_a_layer(window)
    window.documents.autosave._timer.timeout.emit()
    close(window)
    assert (home / "unsaved-1.cnn.json").read_text() == "{}"
    assert (home / "unsaved-mine.cnn.json").exists()


def test_a_full_disk_keeps_what_is_opened(
    open_window: OpenWindow, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash(home, LENET)
    write = autosave.write_design

    def refuse(path: Path, network: Network) -> None:
        raise autosave.FileError("the disk is full")

    monkeypatch.setattr(autosave, "write_design", refuse)
    window = open_window()
    assert window.project.network == LENET
    assert unsaved(home) == [LENET]
    monkeypatch.setattr(autosave, "write_design", write)


PROCESS = """
import sys
from cnnstudio.design.templates import templates
from cnnstudio.gui.shell.app import application, create_window
from cnnstudio.gui.shell.main_window import MainWindow

windows = [create_window() for _ in range(2)]
for window, name in zip(windows, ("lenet-5", "vgg-11-small")):
    window.project.edit("open", templates()[name].network)
    window.documents.autosave.save()
print("written", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no such signal")
def test_both_windows_of_a_killed_process_are_offered_but_none_of_a_living_one(
    open_window: OpenWindow, home: Path
) -> None:
    pipe = subprocess.PIPE
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen"}
    with subprocess.Popen(
        [sys.executable, "-c", PROCESS], stdin=pipe, stdout=pipe, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        window = open_window()
        assert window.project.network == templates()["lesson-32"].network
        assert window.documents.autosave.found == []
        assert len(unsaved(home)) == 2
        close(window)
        assert len(unsaved(home)) == 2
        process.kill()
    window = open_window()
    (other,) = window.documents.autosave.found
    assert {window.project.network.name, other.network.name} == {LENET.name, VGG.name}
