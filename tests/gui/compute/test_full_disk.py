"""The disk fills up while the window trains: it is said, nothing is lost, and training goes on afterwards."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from cnnstudio.core import files
from cnnstudio.gui.compute.session import State
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.runs.run import Run
from cnnstudio.training.events import Event, Warned
from cnnstudio.training.recipe.recipe import Recipe
from tests.gui.fakes import TINY, image_folder


class FullDisk:
    """While it is full, no file gets into a run folder; what is there stays."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        self._replace = os.replace
        monkeypatch.setattr(files.os, "replace", self.replace)

    def replace(self, source: Any, target: Any) -> None:
        if self.is_full and "runs" in Path(target).parts:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._replace(source, target)


@pytest.fixture
def window(qtbot: QtBot, tmp_path: Path) -> Iterator[MainWindow]:
    window = create_window()
    window.resize(1280, 720)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    window.project.open_network(TINY, None)
    window.project.set_dataset(str(image_folder(tmp_path / "images")), None)
    # A step that is too small to make the network worse: each epoch is the best so far.
    window.project.set_recipe(Recipe("quick", epochs=9_000, batch_size=4, learning_rate=1e-5))
    yield window
    window.project.mark_saved(tmp_path / "elsewhere.cnn.json")
    window.session.stop()
    qtbot.waitUntil(lambda: window.session.state is State.IDLE)
    window.close()
    assert window.session.shutdown(60)


def test_a_disk_that_fills_up_pauses_the_training_until_there_is_space(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(monkeypatch)
    warned: list[str] = []

    def listen(events: tuple[Event, ...]) -> None:
        warned.extend(each.message for each in events if isinstance(each, Warned))

    window.session.events.connect(listen)
    window.tool_bar.train_action.trigger()
    qtbot.waitUntil(lambda: len(window.shown_run.record.history.epochs) >= 1)
    design, run = window.project.network, window.session.run
    assert run is not None
    qtbot.waitUntil((run / "checkpoints" / "last.json").exists)

    disk.is_full = True
    qtbot.waitUntil(lambda: window.session.state is State.PAUSED)

    paused = "The best weights could not be saved, so training is paused: "
    qtbot.waitUntil(lambda: paused in window.message_bar.text)
    (pause,) = [each for each in warned if each.startswith(paused)]
    assert pause.endswith("No space left on device. Free some space, then resume.")
    qtbot.waitUntil(lambda: sum("space" in line for line in window.message_bar.text.splitlines()) == 1)
    assert window.project.network == design
    assert Run.open(run).model().training is False, "the weights so far can be used"

    # Resumed too early, it says so again, and is paused again.
    window.tool_bar.pause_action.trigger()
    qtbot.waitUntil(lambda: sum(each.startswith(paused) for each in warned) == 2)
    qtbot.waitUntil(lambda: window.session.state is State.PAUSED)

    disk.is_full = False
    epochs = len(window.shown_run.record.history.epochs)
    window.tool_bar.pause_action.trigger()
    qtbot.waitUntil(lambda: len(window.shown_run.record.history.epochs) >= epochs + 2)
    assert "space" not in window.message_bar.text, "it is over"
    window.tool_bar.stop_action.trigger()
    qtbot.waitUntil(lambda: window.session.state is State.IDLE)
    found = Run.open(run)
    assert found.status == "stopped"
    assert [each.epoch for each in found.history] == list(range(1, len(found.history) + 1))
