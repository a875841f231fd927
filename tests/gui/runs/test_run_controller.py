"""Runs in the window: opened, followed while another program trains them, and resumed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFileDialog, QLabel
from pytestqt.qtbot import QtBot

from cnnstudio.core.files import write_json
from cnnstudio.design.file import write_design
from cnnstudio.gui.runs import follower, run_controller
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.gui.widgets.number_box import NumberBox
from cnnstudio.runs.heartbeat import this_host
from cnnstudio.runs.watching import RunSnapshot, RunWatcher
from cnnstudio.training.events import Diagnosed, Recovered, Warned
from tests.gui.canned import finished, progress, run_events
from tests.gui.fakes import TINY, image_folder
from tests.gui.user_input import UserInput, drag_and_drop
from tests.runs.written import RECIPE, WrittenRun
from tests.training.networks import tiny

OpenWindow = Callable[..., MainWindow]
PATIENCE_MS = 90_000
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def open_window(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenWindow]:
    """Opens windows that never load torch, and closes them at the end."""
    monkeypatch.setattr(follower, "POLL_INTERVAL_MS", 10)
    monkeypatch.setattr(follower, "IDLE_POLL_INTERVAL_MS", 10)
    windows: list[MainWindow] = []

    def start(path: Path | None = None) -> MainWindow:
        window = create_window(path)
        window.session.preload = lambda: None  # type: ignore[method-assign]  # nothing computes here
        windows.append(window)
        window.resize(1280, 720)
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
    run.append(*run_events(epochs=1))
    return run


def status(window: MainWindow) -> str:
    found = window.findChild(QLabel, "statusMessage")
    assert isinstance(found, QLabel)
    return found.accessibleName()


def test_a_run_given_on_the_command_line_opens_with_the_window(
    open_window: OpenWindow, run: WrittenRun
) -> None:
    window = open_window(run.folder)
    assert window.run_folder == run.folder
    assert window.shown_run.record.network == tiny()
    sentence = "Epoch 2 of 8 · 1 m 12 s left · 2,410 images/s · validation accuracy 51.2%"
    assert window.tool_bar.status_label.full_text == f"{sentence} · running on another computer (gpu-3)"
    assert status(window).startswith("Running on another computer (gpu-3) · ")
    assert window.tool_bar.bar.value() == 125


def test_a_run_is_opened_from_the_menu_and_by_dropping_it(
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
        drag_and_drop(other, dropped)
        qtbot.waitUntil(lambda: other.run_folder == run.folder)
        other.shown_run.close()
    drag_and_drop(other, run.folder.parent)
    qtbot.waitUntil(lambda: "it has runs in it: open one of them" in other.message_bar.text)


def test_the_end_of_a_followed_run_is_reported(
    open_window: OpenWindow, run: WrittenRun, qtbot: QtBot
) -> None:
    window = open_window(run.folder)
    run.update_metadata(status="completed", reason="Completed 8 epochs.")
    run.append(progress(11, 70), finished())
    qtbot.waitUntil(lambda: window.message_bar.text.startswith("The run has ended. Done: test accuracy "))
    assert window.tool_bar.status_label.full_text.startswith(
        "Done: test accuracy 71.2% · 8 epochs in 2 m 40 s"
    )
    assert status(window).startswith("Ready")


def test_a_diagnosis_of_a_followed_run_is_shown_until_the_run_recovers(
    open_window: OpenWindow, run: WrittenRun, qtbot: QtBot
) -> None:
    window = open_window(run.folder)
    run.append(Diagnosed("rate_too_low", 1.0, "Nothing is learned.", "Try a higher rate."))
    qtbot.waitUntil(lambda: window.message_bar.text == "Nothing is learned. Try a higher rate.")
    assert window.message_bar._button.isHidden(), "this window cannot change the run"
    run.append(Recovered("rate_too_low", 2.0))
    qtbot.waitUntil(lambda: window.message_bar.text == "")
    run.append(Warned("The disk is full."))
    qtbot.waitUntil(lambda: window.message_bar.text == "The disk is full.")


def test_a_run_that_another_program_trains_cannot_be_resumed(
    open_window: OpenWindow, run: WrittenRun
) -> None:
    window = open_window(run.folder)
    for name in ("actionGoOn", "actionMoreEpochs", "actionDeleteRun", "actionPackRun"):
        action = window.findChild(QAction, name)
        assert isinstance(action, QAction)
        assert not action.isEnabled()
    window.runs.resume()
    assert window.message_bar.text == (
        "Another program on gpu-3 is training this run, so it can only be viewed here."
    )
    assert not window.tool_bar.pause_action.isEnabled()
    assert not window.tool_bar.stop_action.isEnabled()
    assert window.tool_bar.train_action.isEnabled()


def test_a_run_with_as_many_epochs_as_a_run_can_have_is_not_extended(
    open_window: OpenWindow, run: WrittenRun
) -> None:
    write_json(run.folder / "recipe.json", RECIPE.replace(epochs=10_000).to_json())
    run.update_metadata(host=this_host(), status="completed")
    window = open_window(run.folder)
    action = window.findChild(QAction, "actionMoreEpochs")
    assert isinstance(action, QAction)
    action.trigger()
    assert window.message_bar.text.startswith("This run has 10,000 epochs, the most that a run can have.")


def test_no_more_epochs_can_be_added_than_a_run_can_have(
    open_window: OpenWindow, run: WrittenRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_json(run.folder / "recipe.json", RECIPE.replace(epochs=9_997).to_json())
    run.update_metadata(host=this_host(), status="completed")
    window = open_window(run.folder)
    # Accepts what is filled in, which is 5 for other runs.
    monkeypatch.setattr(NumberBox, "ask", lambda box: "accept")
    resumed: list[int] = []
    monkeypatch.setattr(window.session, "resume_run", lambda *given: resumed.append(given[-1].epochs))
    action = window.findChild(QAction, "actionMoreEpochs")
    assert isinstance(action, QAction)
    action.trigger()
    assert resumed == [10_000]


def test_a_run_interrupted_on_this_machine_can_be_resumed(
    open_window: OpenWindow, run: WrittenRun, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnnstudio.core.locking import FileLock
    from cnnstudio.runs.heartbeat import LOCK_FILE

    run.update_metadata(host=this_host())
    with FileLock(run.folder / LOCK_FILE):
        window = open_window(run.folder)
        assert "running in another program" in window.tool_bar.status_label.full_text
    qtbot.waitUntil(lambda: window.message_bar.text.startswith("The run was interrupted"))
    assert window.tool_bar.status_label.full_text == "Interrupted · Epoch 2 of 8"
    resumed: list[Path] = []
    monkeypatch.setattr(window.session, "resume_run", lambda folder, *rest: resumed.append(folder))
    UserInput(window).click_button("Resume run")
    assert resumed == [run.folder]


def test_a_hanging_drive_does_not_block_the_window(
    open_window: OpenWindow, run: WrittenRun, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_controller, "_BLOCKING_SECONDS", 0.01)
    respond, poll = threading.Event(), RunWatcher.poll

    def slow(self: RunWatcher) -> RunSnapshot:
        respond.wait(60)
        return poll(self)

    monkeypatch.setattr(RunWatcher, "poll", slow)
    window = open_window()
    window.open_run(run.folder)
    assert window.message_bar.text == f"Reading the run in {run.folder}…"
    assert window.run_folder is None
    respond.set()
    qtbot.waitUntil(lambda: window.run_folder == run.folder)
    assert window.message_bar.text == ""


def test_a_real_training_by_another_program_is_followed_to_its_end(
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
            history = lambda: window.shown_run.record.history  # noqa: E731  # the record is replaced
            qtbot.waitUntil(lambda: len(history().epochs) > 1, timeout=PATIENCE_MS)
            assert window.shown_run.is_live
            assert "running in another program" in window.tool_bar.status_label.full_text
            heading = window.pages.train.maps.heading
            qtbot.waitUntil(lambda: "4 maps" in heading.details, timeout=PATIENCE_MS)
            assert re.match(r"(after|latest kept:) epoch \d+ of Tiny", heading.details)
            program.terminate()
            qtbot.waitUntil(lambda: not window.shown_run.is_live, timeout=PATIENCE_MS)
            assert window.message_bar.text.startswith("The run has ended. Stopped in epoch ")
        finally:
            program.kill()
