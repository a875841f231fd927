"""The dialog of the data sets."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QLabel, QPushButton, QRadioButton
from pytestqt.qtbot import QtBot

from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction, raise_if_cancelled
from cnnstudio.data.dataset import DataError
from cnnstudio.data.sources import add_folder, find_source, sources
from cnnstudio.data.sources.published.cifar10 import Cifar10
from cnnstudio.data.sources.published.fashion_mnist import FashionMnist
from cnnstudio.data.transfer.download import part_file
from cnnstudio.gui.data.adding.panel import AddImages
from cnnstudio.gui.data.data_sets import DataSets
from cnnstudio.gui.data.dialog import DataDialog
from cnnstudio.gui.data.source_row import SourceRow
from cnnstudio.gui.widgets.progress import ProgressLine

BUILT_IN = ["cifar10", "cifar100", "fashion_mnist", "mnist", "shapes"]
BUILT_IN += ["shapes-easy", "shapes-hard", "stl10"]


@pytest.fixture
def dialog(qtbot: QtBot) -> Iterator[DataDialog]:
    dialog = DataDialog()
    qtbot.addWidget(dialog)
    dialog.show()
    yield dialog
    dialog.close()


def row(dialog: DataDialog, name: str) -> SourceRow:
    found = dialog.findChild(SourceRow, f"source_{name}")
    assert isinstance(found, SourceRow)
    return found


def press(qtbot: QtBot, dialog: DataDialog, source: str, button: str) -> None:
    qtbot.mouseClick(row(dialog, source).findChild(QPushButton, button), Qt.MouseButton.LeftButton)


def shown(dialog: DataDialog, source: str) -> str:
    """All visible texts of the row."""
    labels = row(dialog, source).findChildren(QLabel)
    return "\n".join(label.text() for label in labels if label.isVisible())


def buttons(dialog: DataDialog, source: str) -> set[str]:
    found = row(dialog, source).findChildren(QPushButton)
    return {button.objectName() for button in found if button.isVisible()}


def image_folder(folder: Path, classes: int = 2) -> Path:
    for number in range(classes):
        place = folder / f"kind-{number}"
        place.mkdir(parents=True)
        for index in range(3):
            Image.new("RGB", (8, 8), (40 * index, 0, 0)).save(place / f"{index}.png")
    return folder


def test_every_source_has_a_row_with_its_actions(dialog: DataDialog, qtbot: QtBot) -> None:
    assert buttons(dialog, "shapes") == {"use"}
    assert buttons(dialog, "cifar10") == {"download", "archive"}
    qtbot.waitUntil(lambda: "10 classes · 10,000 training images" in shown(dialog, "shapes"))
    assert "Ready" in shown(dialog, "shapes")
    assert "Not downloaded" in shown(dialog, "cifar10")


def test_use_chooses_the_data_set_and_closes(dialog: DataDialog, qtbot: QtBot) -> None:
    with qtbot.waitSignal(dialog.chosen) as chosen:
        press(qtbot, dialog, "shapes", "use")
    assert chosen.args == ["shapes"]
    assert not dialog.isVisible()


def test_a_download_shows_its_progress_and_its_end(
    dialog: DataDialog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, downloaded = threading.Event(), threading.Event()

    def download(self: Cifar10, progress: ProgressFunction, cancelled: CancelFunction) -> None:
        progress(Progress(41, 170, "Downloading CIFAR-10: 41 of 170 MB"))
        release.wait(60)
        downloaded.set()

    monkeypatch.setattr(Cifar10, "download", download)
    monkeypatch.setattr(Cifar10, "available", lambda self: downloaded.is_set())
    press(qtbot, dialog, "cifar10", "download")
    qtbot.waitUntil(lambda: "41 of 170 MB" in shown(dialog, "cifar10"))
    assert buttons(dialog, "cifar10") == {"pause", "cancel"}
    assert not row(dialog, "shapes").findChild(QPushButton, "use").isEnabled()
    release.set()
    qtbot.waitUntil(lambda: buttons(dialog, "cifar10") == {"use"})
    assert "CIFAR-10 is ready." in shown(dialog, "cifar10")
    assert row(dialog, "shapes").findChild(QPushButton, "use").isEnabled()


def test_a_failed_download_is_explained_and_can_be_tried_again(
    dialog: DataDialog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(self: Cifar10, progress: ProgressFunction, cancelled: CancelFunction) -> None:
        raise DataError("example.org answers 404 (Not Found)")

    monkeypatch.setattr(Cifar10, "download", download)
    press(qtbot, dialog, "cifar10", "download")
    qtbot.waitUntil(lambda: "example.org answers 404 (Not Found)" in shown(dialog, "cifar10"))
    qtbot.waitUntil(lambda: buttons(dialog, "cifar10") == {"download", "archive"})


def hanging_download(started: threading.Event, ended: threading.Event) -> object:
    """A download that lasts until it is cancelled."""

    def download(self: Cifar10, progress: ProgressFunction, cancelled: CancelFunction) -> None:
        started.set()
        try:
            while True:
                raise_if_cancelled(cancelled)
                threading.Event().wait(0.01)
        finally:
            ended.set()

    return download


def test_cancel_ends_the_download_without_an_error(
    dialog: DataDialog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, ended = threading.Event(), threading.Event()
    monkeypatch.setattr(Cifar10, "download", hanging_download(started, ended))
    press(qtbot, dialog, "cifar10", "download")
    assert started.wait(60)
    press(qtbot, dialog, "cifar10", "cancel")
    qtbot.waitUntil(lambda: buttons(dialog, "cifar10") == {"download", "archive"})
    assert ended.is_set()
    assert not row(dialog, "cifar10").findChild(QLabel, "message").isVisible()


def part_of_cifar(size: int) -> Path:
    part = part_file(Cifar10().folder / Cifar10().archive_name)
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(bytes(size))
    return part


def test_a_download_is_paused_and_resumed_where_it_was(
    dialog: DataDialog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, ended, found = threading.Event(), threading.Event(), list[int]()

    def download(self: Cifar10, progress: ProgressFunction, cancelled: CancelFunction) -> None:
        found.append(self.info()["downloaded_bytes"])
        part_of_cifar(3_000_000)
        hanging_download(started, ended)(self, progress, cancelled)

    monkeypatch.setattr(Cifar10, "download", download)
    press(qtbot, dialog, "cifar10", "download")
    assert started.wait(10)
    press(qtbot, dialog, "cifar10", "pause")
    assert "Pausing…" in shown(dialog, "cifar10")
    qtbot.waitUntil(lambda: "Paused: 3 MB of 170 MB downloaded." in shown(dialog, "cifar10"))
    assert ended.is_set()
    assert row(dialog, "fashion_mnist").findChild(QPushButton, "download").isEnabled()
    started.clear()
    press(qtbot, dialog, "cifar10", "pause")
    assert started.wait(10)
    assert found == [0, 3_000_000]
    assert row(dialog, "cifar10").findChild(QPushButton, "pause").text() == "Pause"


def test_what_is_done_about_a_paused_download_leaves_another_one_alone(
    dialog: DataDialog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, ended = threading.Event(), threading.Event()
    for source in (Cifar10, FashionMnist):
        monkeypatch.setattr(source, "download", hanging_download(started, ended))
    press(qtbot, dialog, "cifar10", "download")
    assert started.wait(10)
    press(qtbot, dialog, "cifar10", "pause")
    qtbot.waitUntil(lambda: "Paused" in shown(dialog, "cifar10"))
    started.clear()
    ended.clear()
    press(qtbot, dialog, "fashion_mnist", "download")
    assert started.wait(10)
    resume = row(dialog, "cifar10").findChild(QPushButton, "pause")
    assert resume.text() == "Resume"
    assert not resume.isEnabled()
    press(qtbot, dialog, "cifar10", "cancel")
    assert "cancel" not in buttons(dialog, "cifar10")
    found = dialog.findChild(DataSets)
    assert found is not None
    assert found._task is not None
    assert not found._task.is_cancelled
    press(qtbot, dialog, "fashion_mnist", "cancel")
    assert ended.wait(10)


def test_a_paused_download_can_be_left_and_is_resumed_or_discarded_in_another_window(
    dialog: DataDialog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, ended = threading.Event(), threading.Event()
    monkeypatch.setattr(Cifar10, "download", hanging_download(started, ended))
    press(qtbot, dialog, "cifar10", "download")
    assert started.wait(10)
    part = part_of_cifar(3_000_000)
    press(qtbot, dialog, "cifar10", "pause")
    qtbot.waitUntil(lambda: "Paused" in shown(dialog, "cifar10"))
    press(qtbot, dialog, "cifar10", "cancel")
    qtbot.waitUntil(lambda: "3 MB of 170 MB downloaded" in shown(dialog, "cifar10"))
    dialog.close()

    again = DataDialog()
    qtbot.addWidget(again)
    again.show()
    qtbot.waitUntil(lambda: buttons(again, "cifar10") == {"download", "discard", "archive"})
    assert row(again, "cifar10").findChild(QPushButton, "download").text() == "Resume download"
    press(qtbot, again, "cifar10", "discard")
    qtbot.waitUntil(lambda: buttons(again, "cifar10") == {"download", "archive"})
    assert not part.exists()
    again.close()


def test_closing_the_dialog_cancels_the_download(
    dialog: DataDialog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, ended = threading.Event(), threading.Event()
    monkeypatch.setattr(Cifar10, "download", hanging_download(started, ended))
    press(qtbot, dialog, "cifar10", "download")
    assert started.wait(60)
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert ended.is_set()
    assert not dialog.isVisible()


def test_a_wrong_archive_is_rejected_with_a_message(
    dialog: DataDialog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    archive = tmp_path / "wrong.tar.gz"
    archive.write_bytes(b"no archive")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *arguments: (str(archive), ""))
    press(qtbot, dialog, "cifar10", "archive")
    qtbot.waitUntil(lambda: "is not the whole archive of CIFAR-10" in shown(dialog, "cifar10"))


def test_a_folder_of_images_is_added_and_can_be_used_and_removed(
    dialog: DataDialog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = image_folder(tmp_path / "flowers")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *arguments: str(folder))
    add(qtbot, dialog)
    qtbot.waitUntil(lambda: dialog.findChild(SourceRow, "source_flowers") is not None)
    qtbot.waitUntil(
        lambda: "2 classes · 6 images, some of them held out as the test set" in shown(dialog, "flowers")
    )
    qtbot.waitUntil(lambda: row(dialog, "flowers").findChild(QPushButton, "remove").isEnabled())
    assert buttons(dialog, "flowers") == {"use", "change", "remove"}
    press(qtbot, dialog, "flowers", "remove")
    assert [source.name for source in sources()] == BUILT_IN
    assert len(list(folder.rglob("*.png"))) == 6


def test_scanning_a_folder_can_be_cancelled(
    dialog: DataDialog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = image_folder(tmp_path / "flowers")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *arguments: str(folder))
    scanning, scandir = threading.Event(), os.scandir

    def endless(place: str | int) -> Any:
        # Each folder seems to have the subfolders of the first one.
        scanning.set()
        time.sleep(0.01)
        # Whoever removes folders gives numbers of open ones.
        is_inside = isinstance(place, str) and place.startswith(str(folder))
        return scandir(folder if is_inside else place)

    monkeypatch.setattr(os, "scandir", endless)
    qtbot.mouseClick(dialog.findChild(QPushButton, "addFolder"), Qt.MouseButton.LeftButton)
    adding = dialog.findChild(ProgressLine, "adding")
    assert scanning.wait(60)
    assert (adding.isVisible(), adding.text) == (True, "Scanning flowers")

    qtbot.mouseClick(dialog.findChild(QPushButton, "cancelAdding"), Qt.MouseButton.LeftButton)

    qtbot.waitUntil(lambda: not adding.isVisible())
    assert [source.name for source in sources()] == BUILT_IN
    assert not dialog.findChild(QLabel, "addingMessage").isVisible()
    assert dialog.findChild(QPushButton, "addFolder").isVisible()


def grouped_folder(folder: Path) -> Path:
    """Two groups of two classes each."""
    for level, place in enumerate(("animals/cat", "animals/dog", "plants/oak", "plants/rose")):
        (folder / place).mkdir(parents=True)
        for index in range(2):
            Image.new("RGB", (8, 8), (60 * level, 40 * index, 0)).save(folder / place / f"{index}.png")
    return folder


def look_at_folder(qtbot: QtBot, dialog: DataDialog) -> AddImages:
    """Chooses a folder and waits until it is said what it was understood to be."""
    qtbot.mouseClick(dialog.findChild(QPushButton, "addFolder"), Qt.MouseButton.LeftButton)
    page = dialog.findChild(AddImages)
    qtbot.waitUntil(page.add.isEnabled)
    return page


def add(qtbot: QtBot, dialog: DataDialog) -> None:
    qtbot.mouseClick(look_at_folder(qtbot, dialog).add, Qt.MouseButton.LeftButton)


def test_the_set_in_use_stays_in_use_when_its_name_is_changed(
    dialog: DataDialog, qtbot: QtBot, tmp_path: Path
) -> None:
    add_folder(image_folder(tmp_path / "flowers"))
    dialog.data_sets.show_used("flowers")
    dialog.data_sets.refresh()
    press(qtbot, dialog, "flowers", "change")
    page = dialog.adding
    qtbot.waitUntil(page.add.isEnabled)
    page.name.setText("roses")
    with qtbot.waitSignal(dialog.chosen) as chosen:
        qtbot.mouseClick(page.add, Qt.MouseButton.LeftButton)
    assert chosen.args == ["roses"]
    assert dialog.isVisible()
    assert "roses was changed." in shown(dialog, "roses")
    assert row(dialog, "roses").findChild(QPushButton, "use").text() == "In use"


def test_a_doubtful_folder_is_asked_about(
    dialog: DataDialog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = grouped_folder(tmp_path / "nature")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *arguments: str(folder))
    page = look_at_folder(qtbot, dialog)
    texts = [label.text() for label in page.findChildren(QLabel) if label.isVisible()]
    assert "animals and plants hold folders in turn. What are they?" in texts
    assert "animals and plants are the classes" in texts
    assert "2 classes" in page.summary.text()

    qtbot.mouseClick(page.findChild(QRadioButton, "layout_subfolders"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "4 classes" in page.summary.text())
    qtbot.mouseClick(page.add, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(
        lambda: "4 classes · 8 images, some of them held out as the test set" in shown(dialog, "nature")
    )
    assert find_source("nature").load().classes == ("cat", "dog", "oak", "rose")


def test_enter_takes_what_is_likely_and_uses_it(
    dialog: DataDialog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = grouped_folder(tmp_path / "nature")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *arguments: str(folder))
    page = look_at_folder(qtbot, dialog)
    with qtbot.waitSignal(dialog.chosen) as chosen:
        qtbot.keyClick(page, Qt.Key.Key_Return)
    assert chosen.args == ["nature"]
    assert find_source("nature").info()["classes"] == ["animals", "plants"]


def test_a_folder_is_not_added_after_cancel(
    dialog: DataDialog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = grouped_folder(tmp_path / "nature")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *arguments: str(folder))
    page = look_at_folder(qtbot, dialog)
    qtbot.mouseClick(page.cancel_button, Qt.MouseButton.LeftButton)
    assert dialog.findChild(QPushButton, "addFolder").isVisible()
    assert [source.name for source in sources()] == BUILT_IN


def test_what_was_noticed_about_a_folder_is_shown(
    dialog: DataDialog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = image_folder(tmp_path / "box" / "flowers")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *arguments: str(folder.parent))
    add(qtbot, dialog)
    qtbot.waitUntil(lambda: dialog.findChild(SourceRow, "source_box") is not None)
    qtbot.waitUntil(lambda: "The images are in flowers." in shown(dialog, "box"))


def test_a_folder_that_is_not_a_data_set_is_explained(
    dialog: DataDialog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = image_folder(tmp_path / "one", classes=1)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *arguments: str(folder))
    qtbot.mouseClick(dialog.findChild(QPushButton, "addFolder"), Qt.MouseButton.LeftButton)
    message = dialog.findChild(QLabel, "addingMessage")
    qtbot.waitUntil(message.isVisible)
    assert "has only one class" in message.text()


def test_a_missing_folder_is_reported(dialog: DataDialog, qtbot: QtBot, tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "flowers")
    add_folder(folder)
    folder.rename(tmp_path / "elsewhere")
    reopened = DataDialog()
    qtbot.addWidget(reopened)
    reopened.show()
    assert "Folder not found" in shown(reopened, "flowers")
    assert buttons(reopened, "flowers") == {"remove"}
    qtbot.waitUntil(lambda: "There is no folder" in shown(reopened, "flowers"))
    reopened.close()
