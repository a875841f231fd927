"""Two versions of a data set are compared in the window."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from cnnstudio.core.progress import never_cancelled
from cnnstudio.data.sources import find_source
from cnnstudio.data.sources.file_source import FileSource
from cnnstudio.data.sources.image_folder import ImageFolder
from cnnstudio.data.versions.relabeling import relabel
from cnnstudio.data.versions.version import read_version
from cnnstudio.gui.data.versions import comparing
from cnnstudio.gui.data.versions.change_list import ChangeList
from cnnstudio.gui.data.versions.dialog import VersionsDialog
from cnnstudio.gui.pages.data_page import DataPage
from cnnstudio.gui.shell.main_window import MainWindow
from tests.gui.pages.data_set.adding import add, click
from tests.gui.shown_texts import Painted

_PATIENCE_MS = 60_000


def compare(qtbot: QtBot, page: DataPage) -> VersionsDialog:
    """Presses Compare… and waits for the versions."""
    click(qtbot, page, "compareVersions")
    qtbot.waitUntil(lambda: page.findChild(VersionsDialog) is not None)
    dialog = page.findChild(VersionsDialog)
    assert isinstance(dialog, VersionsDialog)
    qtbot.waitUntil(lambda: not dialog.is_busy, timeout=_PATIENCE_MS)
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
    assert dialog.summary.text() == "1 label changed and 1 image is excluded now."
    assert rows(dialog) == [
        "Training images: green +1, red −1.",
        "Test images: red −1.",
        "1 label changed",
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
    assert dialog.summary.text().startswith("1 label changed. What the images are now is not known: ")
    assert rows(dialog)[-1] == "and 1 more image"
    assert not dialog.after.currentText().startswith("Now")
    # Nothing of it is cut in the smallest window, whose list has the room that is left.
    dialog.resize(1, 1)
    summary = dialog.summary
    qtbot.waitUntil(lambda: summary.height() >= summary.heightForWidth(summary.width()) > 40)
    assert dialog.changes.height() > 60
    dialog.close()


def test_images_that_differ_without_other_names_or_sizes_are_not_called_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def write(name: str) -> None:
        path = tmp_path / "noise" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # Without compression, each file has the same size.
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), np.uint8)).save(path)

    def version() -> dict[str, object]:
        return read_version(ImageFolder(tmp_path / "noise", "noise").load().version)

    for name in ("train/a/0.bmp", "train/b/0.bmp", "test/a/0.bmp", "test/b/0.bmp"):
        write(name)
    before = version()
    write("train/a/0.bmp")
    found = comparing.compare(before, version(), lambda _: None, never_cancelled)
    assert found.summary == "Some of the images differ."
    assert found.rows == ["The files have the same names and sizes, but some of the images differ."]


@pytest.mark.parametrize("width", [690, 420])
def test_sentences_of_the_list_are_whole(width: int, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    painted, changes = Painted(monkeypatch), ChangeList()
    qtbot.addWidget(changes)
    changes.resize(900, 300)
    changes.show()
    changes.show_difference(comparing.Difference("", [comparing._UNKNOWN_FILES, comparing._TOO_MANY]))
    changes.resize(width, 300)

    def row(number: int) -> QRect:
        return changes.visualItemRect(changes.item(number))

    qtbot.waitUntil(lambda: row(0).height() > 30 and row(0).bottom() < row(1).top())
    changes.grab()
    shown = {word for text in painted.texts for word in text.split()}
    assert shown >= {*comparing._UNKNOWN_FILES.split(), *comparing._TOO_MANY.split()}


def test_a_second_click_while_a_correction_is_kept_opens_no_second_dialog(
    window: MainWindow, balls: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = add(qtbot, window, balls)
    waiting: list[Callable[[], object]] = []
    monkeypatch.setattr(page.overlay, "when_kept", waiting.append)
    for _ in range(2):
        click(qtbot, page, "compareVersions")
    for act in waiting:
        act()
    (dialog,) = page.findChildren(VersionsDialog)
    assert len(waiting) == 2
    dialog.close()
