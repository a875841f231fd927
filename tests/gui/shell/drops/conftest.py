"""The window that things are dropped on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import shiboken6
from pytestqt.qtbot import QtBot

from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.main_window import MainWindow


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[MainWindow]:
    """A window that never loads torch."""
    window = create_window()
    window.session.preload = lambda: None  # type: ignore[method-assign]  # nothing computes here
    window.session.fetch = lambda *arguments: None  # type: ignore[method-assign, assignment, return-value]  # nor here
    window.message_bar.hide()
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    yield window
    window.project.mark_saved(Path("elsewhere.cnn.json"))
    window.close()
    shiboken6.delete(window)
