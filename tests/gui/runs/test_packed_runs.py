"""A run in a zip file is looked at like its folder: opened from the menu, dropped, or given at the start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.runs.archive.opened import is_opened
from cnnstudio.runs.archive.packing import pack_run
from cnnstudio.runs.run import Run
from tests.gui.user_input import drag_and_drop
from tests.runs.library.listed import ended, progress
from tests.runs.written import WrittenRun

OpenWindow = Callable[..., MainWindow]


@pytest.fixture
def open_window(qtbot: QtBot) -> Iterator[OpenWindow]:
    """Opens windows that never load torch, and closes them at the end."""
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
def packed(tmp_path: Path) -> Path:
    written = WrittenRun(tmp_path / "from elsewhere")
    written.append(progress(10, 2.0), ended(1, 2.0, 0.5, best=True))
    written.update_metadata(status="completed", best_epoch=1)
    pack_run(Run.open(written.folder), tmp_path / "handed over.zip")
    return tmp_path / "handed over.zip"


def is_shown(window: MainWindow) -> bool:
    folder = window.run_folder
    return folder is not None and is_opened(folder) and folder.name == "from elsewhere"


def test_a_packed_run_is_opened_from_the_menu(
    packed: Path, open_window: OpenWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window()
    design = window.project.network
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([str(packed)], ""))
    action = window.findChild(QAction, "actionOpen")
    assert isinstance(action, QAction)
    action.trigger()
    qtbot.waitUntil(lambda: is_shown(window), timeout=60_000)
    assert window.project.network == design


def test_a_packed_run_is_dropped_on_the_window(packed: Path, open_window: OpenWindow, qtbot: QtBot) -> None:
    window = open_window()
    drag_and_drop(window, packed)
    qtbot.waitUntil(lambda: is_shown(window), timeout=60_000)


def test_a_packed_run_is_given_at_the_start(packed: Path, open_window: OpenWindow, qtbot: QtBot) -> None:
    window = open_window(packed)
    qtbot.waitUntil(lambda: is_shown(window), timeout=60_000)


def test_a_zip_file_without_a_run_is_one_sentence(
    tmp_path: Path, open_window: OpenWindow, qtbot: QtBot
) -> None:
    (tmp_path / "other.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    window = open_window(tmp_path / "other.zip")
    qtbot.waitUntil(lambda: "does not contain a run" in window.message_bar.text, timeout=60_000)
    assert window.run_folder is None
