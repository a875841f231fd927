"""Two versions of a data set are compared in the window."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from cnnstudio.data.sources import find_source
from cnnstudio.data.sources.file_source import FileSource
from cnnstudio.data.versions.relabeling import relabel
from cnnstudio.gui.data.versions import comparing
from cnnstudio.gui.data.versions.dialog import VersionsDialog
from cnnstudio.gui.pages.data_page import DataPage
from cnnstudio.gui.shell.main_window import MainWindow
from tests.gui.pages.data_set.adding import add, click

_PATIENCE_MS = 60_000


def compare(qtbot: QtBot, page: DataPage) -> VersionsDialog:
    """Presses Compare… and waits for the versions."""
    click(qtbot, page, "compareVersions")
    qtbot.waitUntil(lambda: page.findChild(VersionsDialog) is not None)
    dialog = page.findChild(VersionsDialog)
    assert isinstance(dialog, VersionsDialog)
    qtbot.waitUntil(lambda: not dialog.summary.text().endswith("…"), timeout=_PATIENCE_MS)
    return dialog


def rows(dialog: VersionsDialog) -> list[str]:
    changes = dialog.changes
    return [str(changes.item(row).data(Qt.ItemDataRole.AccessibleTextRole)) for row in range(changes.count())]


def test_one_version_alone_is_said(window: MainWindow, balls: Path, qtbot: QtBot) -> None:
    dialog = compare(qtbot, add(qtbot, window, balls))
    assert dialog.summary.text().startswith("There is one version so far.")
    assert not dialog.before.isVisible()
    assert not dialog.copy.isEnabled()
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


def test_what_was_corrected_a_moment_ago_is_compared_with_what_was_used(
    window: MainWindow, balls: Path, qtbot: QtBot
) -> None:
    source = find_source(str(balls))
    assert isinstance(source, FileSource)
    source.load()
    page = add(qtbot, window, balls)
    overlay = page.overlay
    assert overlay is not None
    overlay.set_label("train/red/zgreen.png", "green")
    overlay.exclude(["test/red/red0.png"])
    dialog = compare(qtbot, page)
    assert dialog.after.currentText().startswith("Now · 43 images · 2 corrections")
    assert dialog.summary.text() == "1 label is another one and 1 image is excluded now."
    assert rows(dialog) == [
        "Images in train: green +1, red -1.",
        "Images in test: red -1.",
        "1 label is another one",
        "train/red/zgreen.png: red → green",
        "1 image is excluded now",
        "test/red/red0.png: was red",
    ]
    assert dialog.before.hasFocus()
    assert dialog._found is not None
    assert dialog._found.thumbnails.keys() == {"train/red/zgreen.png", "test/red/red0.png"}
    button = dialog.findChild(QPushButton, "copyVersionDifferences")
    assert isinstance(button, QPushButton)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    copied = QGuiApplication.clipboard().text().splitlines()
    assert copied[0].startswith("balls: ")
    assert "  train/red/zgreen.png: red → green" in copied

    # By keys alone: the same version on both sides, and back.
    qtbot.keyClick(dialog.before, Qt.Key.Key_Up)
    qtbot.waitUntil(lambda: dialog.summary.text() == "Both are the same version.")
    assert not dialog.changes.isVisible()
    qtbot.keyClick(dialog.before, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: dialog.summary.text().startswith("1 label"))
    dialog.close()


def test_a_folder_that_is_gone_still_has_versions(
    window: MainWindow, balls: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = find_source(str(balls))
    assert isinstance(source, FileSource)
    source.load()
    relabel(source, {"train/red/zgreen.png": "green"})
    source.load()
    monkeypatch.setattr(comparing, "MAX_SHOWN", 0)
    page = add(qtbot, window, balls)
    shutil.rmtree(balls)
    dialog = compare(qtbot, page)
    assert dialog.summary.text().startswith("1 label is another one. What the images are now is not known: ")
    assert rows(dialog)[-1] == "and 1 more image"
    assert not dialog.after.currentText().startswith("Now")
    dialog.close()
