"""On a shutdown signal the window saves its training before it exits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from cnnstudio.gui.shell.shutdown_signals import ShutdownSignalWatcher
from cnnstudio.runs.run import Run
from cnnstudio.training.checkpoints.store import CheckpointStore
from tests.gui.fakes import image_folder

ROOT = Path(__file__).resolve().parents[3]

SCRIPT = """
import sys
from PySide6.QtCore import QTimer
from cnnstudio.gui.shell import app
from cnnstudio.training.recipe.recipe import Recipe
from tests.gui.fakes import TINY

create = app.create_window


def create_window(path=None, **options):
    window = create(path, **options)
    window.project.edit("open", TINY)
    window.project.set_dataset(sys.argv[1], None)
    window.project.set_recipe(Recipe("long", epochs=10_000, batch_size=8))
    window.session.events.connect(lambda events: print(window.session.run, flush=True))
    QTimer.singleShot(0, window.tool_bar.train_action.trigger)
    return window


app.create_window = create_window
sys.exit(app.main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows terminates processes without a signal")
def test_the_training_is_saved_before_the_program_exits(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(image_folder(tmp_path / "images"))],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    folder = next(line.strip() for line in process.stdout if line.strip() not in ("", "None"))
    for _ in range(3):
        next(process.stdout)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=240)
    assert process.returncode == 128 + signal.SIGTERM
    assert Run.open(Path(folder)).status == "stopped"
    saved = CheckpointStore(Path(folder) / "checkpoints").load("last", with_state=True).info
    assert (saved["epoch"], saved["batch"]) > (0, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows terminates processes without a signal")
def test_signals_reach_an_idle_window_and_handlers_are_restored(qtbot: QtBot) -> None:
    before = signal.getsignal(signal.SIGTERM)
    received: list[int] = []
    watcher = ShutdownSignalWatcher(received.append)
    os.kill(os.getpid(), signal.SIGTERM)
    qtbot.waitUntil(lambda: received == [signal.SIGTERM])
    watcher.close()
    assert signal.getsignal(signal.SIGTERM) is before
