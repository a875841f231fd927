"""Runs in the window: opened by hand, followed while another program trains them, gone on with."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QAction, QDropEvent
from PySide6.QtWidgets import QFileDialog, QLabel
from pytestqt.qtbot import QtBot

from cnnstudio.design.file import write_design
from cnnstudio.gui.runs import follower, run_controller
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.runs.heartbeat import this_host
from cnnstudio.runs.watching import Following, Look
from cnnstudio.training.events import Diagnosed, Recovered, Warned
from tests.gui.canned import finished, progress, run_events
from tests.gui.fakes import TINY, image_folder
from tests.gui.user_input import Hand
from tests.runs.written import WrittenRun
from tests.training.networks import tiny

OpenWindow = Callable[..., MainWindow]
PATIENCE_MS = 90_000
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def open_window(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenWindow]:
    """Opens windows that never get to load torch, and closes them at the end."""
    monkeypatch.setattr(follower, "EVERY_MS", 10)
    monkeypatch.setattr(follower, "SELDOM_MS", 10)
    windows: list[MainWindow] = []

    def start(path: Path | None = None) -> MainWindow:
        window = create_window(path)
        window.session.preload = lambda: None  # type: ignore[method-assign]  # nothing computes here
        windows.append(window)
        window.show()
        return window

    yield start
    for window in windows:
        window.close()
        shiboken6.delete(window)


@pytest.fixture
def run(tmp_path: Path) -> WrittenRun:
    run = WrittenRun(tmp_path / "run")
    run.beat()
    run.say(*run_events(epochs=1))
    return run


def status(window: MainWindow) -> str:
    found = window.findChild(QLabel, "statusMessage")
    assert isinstance(found, QLabel)
    return found.text()


def test_a_run_on_the_command_line_is_there_with_the_window(open_window: OpenWindow, run: WrittenRun) -> None:
    window = open_window(run.folder)
    assert window.project.network == tiny()
    assert window.run_folder == run.folder
    sentence = "Epoch 2 of 8 · 1 m 12 s left · 2,410 images/s · validation accuracy 51.2%"
    assert window.panel.sentence.whole == f"{sentence} · running elsewhere (host gpu-3)"
    assert status(window).startswith("Running elsewhere (host gpu-3) · ")
    assert window.panel.bar.value() == 125


def test_a_run_is_opened_from_the_menu_and_by_a_drop(
    open_window: OpenWindow, run: WrittenRun, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    window = open_window()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *arguments: str(run.folder))
    action = window.findChild(QAction, "actionOpenRun")
    assert isinstance(action, QAction)
    action.trigger()
    assert window.run_folder == run.folder
    other = open_window()
    for dropped in (run.folder, run.folder / "run.json"):
        drop(other, dropped)
        assert other.run_folder == run.folder
        other.dashboard.close_run()
    drop(other, run.folder.parent)
    assert "There is no run in" in other.notice.text


def drop(window: MainWindow, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    buttons, modifiers = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    window.dropEvent(QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, buttons, modifiers))


def test_the_end_of_a_run_elsewhere_is_said(open_window: OpenWindow, run: WrittenRun, qtbot: QtBot) -> None:
    window = open_window(run.folder)
    run.describe(status="completed", reason="All 8 epochs are done.")
    run.say(progress(11, 70), finished())
    qtbot.waitUntil(lambda: window.notice.text.startswith("The run has ended. Done: 8 epochs in "))
    assert window.panel.sentence.whole.startswith("Done: 8 epochs in 2 m 40 s · test accuracy 71.2%")
    assert status(window).startswith("Ready")


def test_what_is_recognized_in_a_run_elsewhere_is_said_and_taken_back(
    open_window: OpenWindow, run: WrittenRun, qtbot: QtBot
) -> None:
    window = open_window(run.folder)
    run.say(Diagnosed("rate_too_low", 1.0, "Nothing is learned.", "Try a higher rate."))
    qtbot.waitUntil(lambda: window.notice.text == "Nothing is learned. Try a higher rate.")
    assert window.notice._button.isHidden(), "nothing can be done about it from here"
    run.say(Recovered("rate_too_low", 2.0))
    qtbot.waitUntil(lambda: window.notice.text == "")
    run.say(Warned("The disk is full."))
    qtbot.waitUntil(lambda: window.notice.text == "The disk is full.")


def test_a_run_that_another_program_trains_is_not_continued(open_window: OpenWindow, run: WrittenRun) -> None:
    window = open_window(run.folder)
    action = window.findChild(QAction, "actionGoOn")
    assert isinstance(action, QAction)
    action.trigger()
    assert window.notice.text == "Another program trains this run now, on gpu-3: it can only be watched."
    assert not window.panel.pause_action.isEnabled()
    assert not window.panel.stop_action.isEnabled()
    assert window.panel.train_action.isEnabled()


def test_a_run_that_was_broken_off_here_can_be_gone_on_with(
    open_window: OpenWindow, run: WrittenRun, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnnstudio.runs.heartbeat import RunLock

    run.describe(host=this_host())
    with RunLock(run.folder):
        window = open_window(run.folder)
        assert "running in another program" in window.panel.sentence.whole
    qtbot.waitUntil(lambda: window.notice.text.startswith("The run was broken off"))
    assert window.panel.sentence.whole == "Interrupted · Epoch 2 of 8"
    taken_up: list[Path] = []
    monkeypatch.setattr(window.session, "go_on", lambda folder, *rest: taken_up.append(folder))
    Hand(window).click_button("Go on with the run")
    assert taken_up == [run.folder]


def test_a_drive_that_hangs_does_not_hold_up_the_window(
    open_window: OpenWindow, run: WrittenRun, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_controller, "_AT_ONCE_SECONDS", 0.01)
    answers, look = threading.Event(), Following.look

    def slow(self: Following) -> Look:
        answers.wait(30)
        return look(self)

    monkeypatch.setattr(Following, "look", slow)
    window = open_window()
    window.open_run(run.folder)
    assert window.notice.text == f"Reading the run in {run.folder} …"
    assert window.run_folder is None
    answers.set()
    qtbot.waitUntil(lambda: window.run_folder == run.folder)
    assert window.notice.text == ""


def test_a_real_training_of_a_second_program_is_followed_to_its_end(
    open_window: OpenWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    write_design(tmp_path / "tiny.cnn.json", TINY)
    images = image_folder(tmp_path / "images")
    command = [sys.executable, "-m", "cnnstudio", "train", str(tmp_path / "tiny.cnn.json")]
    command += ["--data", str(images), "--recipe", "lesson", "--batch-size", "1", "--epochs", "400"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    folder = tmp_path / "run"
    with subprocess.Popen([*command, "--run", str(folder)], env=env, stdout=subprocess.DEVNULL) as program:
        try:
            qtbot.waitUntil((folder / "run.json").exists, timeout=PATIENCE_MS)
            window = open_window(folder)
            history = lambda: window.dashboard.record.history  # noqa: E731  # it becomes another one
            qtbot.waitUntil(lambda: len(history().epochs) > 1, timeout=PATIENCE_MS)
            assert window.dashboard.is_live
            assert "running in another program" in window.panel.sentence.whole
            heading = window.dashboard.feature_maps.heading
            qtbot.waitUntil(lambda: "4 maps" in heading.remark, timeout=PATIENCE_MS)
            assert heading.remark.startswith("after epoch ")
            program.terminate()
            qtbot.waitUntil(lambda: not window.dashboard.is_live, timeout=PATIENCE_MS)
            assert window.notice.text.startswith("The run has ended. Stopped in epoch ")
        finally:
            program.kill()
