"""The search in the list of commands, keys and gestures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QTableWidget, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.gui.shell.help.shortcuts_dialog import ShortcutsDialog
from tests.gui.user_input import Keyboard


@pytest.fixture
def dialog(qtbot: QtBot) -> Iterator[ShortcutsDialog]:
    window = QWidget()
    qtbot.addWidget(window)
    dialog = ShortcutsDialog([], window)
    with qtbot.waitActive(dialog):
        dialog.show()
    yield dialog
    window.close()


def shown(dialog: ShortcutsDialog) -> list[str]:
    table = dialog.findChild(QTableWidget)
    assert table is not None
    return [table.item(row, 0).text() for row in range(table.rowCount()) if not table.isRowHidden(row)]


def test_typing_searches_titles_keys_and_places(dialog: ShortcutsDialog) -> None:
    everything, keys = shown(dialog), Keyboard(dialog)
    keys.type("wheel")
    assert shown(dialog) == ["Mouse", "Zoom into curves", "Zoom maps", "Zoom the embedding"]
    keys.type(" maps")
    assert shown(dialog) == ["Mouse", "Zoom maps"]
    keys.type("xyz")
    assert shown(dialog) == []
    keys.press(Qt.Key.Key_Escape)
    assert (shown(dialog), dialog.isVisible()) == (everything, True)
    keys.press(Qt.Key.Key_Escape)
    assert not shiboken6.isValid(dialog)
