"""Where images and tables are saved."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.gui.widgets.images.saving import choose_file
from cnnstudio.gui.widgets.message_box import MessageBox


@pytest.mark.parametrize("answer", ["replace", "cancel"])
def test_a_file_is_replaced_only_if_the_user_says_so_although_the_suffix_was_not_typed(
    answer: str, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent, asked = QWidget(), list[MessageBox]()
    qtbot.addWidget(parent)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "run 1.5 scores"), ""))
    monkeypatch.setattr(MessageBox, "ask", lambda box: asked.append(box) or answer)
    path = tmp_path / "run 1.5 scores.csv"
    assert choose_file(parent, "Scores", "", ".csv") == path
    path.touch()
    chosen = choose_file(parent, "Scores", "", ".csv")
    assert len(asked) == 1
    assert chosen == (path if answer == "replace" else None)
