"""A window that is asked to end from outside saves its training first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from cnnstudio.gui.shell.shutdown_signals import SignalWatch
from cnnstudio.runs.run import Run
from cnnstudio.training.checkpoints.store import Checkpoints

ROOT = Path(__file__).resolve().parents[3]

SCRIPT = """
import sys
from PySide6.QtCore import QTimer
from cnnstudio.gui import app

made = app.create_window


def create_window(path=None):
    window = made(path)
    window.project.set_dataset("shapes", None)
    window.session.events.connect(lambda events: print(window.session.run, flush=True))
    QTimer.singleShot(0, window.panel.train_action.trigger)
    return window


app.create_window = create_window
sys.exit(app.main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without asking it")
def test_a_training_in_the_window_is_saved_before_the_program_ends(home: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
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
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert Run.open(Path(folder)).status == "stopped"
    assert Checkpoints(Path(folder) / "checkpoints").load("last", with_state=True).info["batch"] > 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without asking it")
def test_signals_come_to_an_idle_window_and_are_put_back(qtbot: QtBot) -> None:
    before = signal.getsignal(signal.SIGTERM)
    heard: list[int] = []
    watch = SignalWatch(heard.append)
    os.kill(os.getpid(), signal.SIGTERM)
    qtbot.waitUntil(lambda: heard == [signal.SIGTERM])
    watch.close()
    assert signal.getsignal(signal.SIGTERM) is before
