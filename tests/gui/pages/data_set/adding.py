"""What the mouse does on the Data page."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from cnnstudio.gui.pages.data_page import DataPage
from cnnstudio.gui.shell.main_window import MainWindow
from tests.gui.user_input import drag_and_drop

_PATIENCE_MS = 60_000


def click(qtbot: QtBot, page: DataPage, name: str) -> None:
    button = page.findChild(QPushButton, name)
    assert isinstance(button, QPushButton)
    assert button.isEnabled(), name
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def add(qtbot: QtBot, window: MainWindow, folder: Path) -> DataPage:
    """Drops the folder, adds it, and waits for its check."""
    drag_and_drop(window, folder)
    page = window.pages.data
    qtbot.waitUntil(lambda: bool(page.panels) and page.adding.add.isEnabled(), timeout=_PATIENCE_MS)
    click(qtbot, page, "addAndUse")
    qtbot.waitUntil(lambda: page.runner.report is not None, timeout=_PATIENCE_MS)
    return page
