"""From a dropped folder to a trained network by mouse and keys, with a check and a review between them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import shiboken6
from PIL import Image
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from cnnstudio.data.sources import find_source
from cnnstudio.design.file import parse_design
from cnnstudio.gui.compute.session import State
from cnnstudio.gui.pages.data_page import DataPage
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.gui.training.controls import ActionButton
from cnnstudio.runs.run import Run
from cnnstudio.training.recipe.recipe import Recipe
from tests.gui.user_input import drag_and_drop

_PATIENCE_MS = 60_000
_SMALL = """{"format": "cnnstudio.design", "version": 1, "name": "Small", "input": [3, 16, 16], "layers": [
  {"type": "Conv2D", "filters": 4, "activation": "relu"}, {"type": "GlobalAveragePooling2D"},
  {"type": "Dense", "units": 3, "activation": "softmax"}]}"""
_CLASSES = ("blue", "green", "red")


@pytest.fixture
def balls(tmp_path: Path) -> Path:
    """Noisy images of three colors, with a duplicate in test, a dark one and a wrong label."""
    random = np.random.default_rng(0)
    for part, count in (("train", 10), ("test", 4)):
        for number, name in enumerate(_CLASSES):
            folder = tmp_path / "balls" / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                _draw(random, 2 - number).save(folder / f"{name}{index}.png")
    folder = tmp_path / "balls"
    (folder / "test/red/red0.png").write_bytes((folder / "train/red/red3.png").read_bytes())
    dark = random.integers(0, 40, (16, 16, 3), np.uint8)
    Image.fromarray(dark).save(folder / "train/red/dark.png")
    _draw(random, 1).save(folder / "train/red/zgreen.png")
    (folder / "train/blue/broken.png").write_bytes(b"no image")
    return folder


def _draw(random: np.random.Generator, channel: int) -> Image.Image:
    pixels = random.integers(0, 90, (16, 16, 3), np.uint8)
    pixels[4:12, 4:12, channel] += 150
    return Image.fromarray(pixels)


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[MainWindow]:
    """One that never loads torch."""
    window = create_window()
    window.session.preload = lambda: None  # type: ignore[method-assign]  # nothing computes here
    window.session.fetch = lambda *arguments: None  # type: ignore[method-assign, assignment, return-value]  # nor here
    yield from _opened(window, qtbot)


@pytest.fixture
def computing_window(qtbot: QtBot) -> Iterator[MainWindow]:
    yield from _opened(create_window(), qtbot)


def _opened(window: MainWindow, qtbot: QtBot) -> Iterator[MainWindow]:
    window.message_bar.hide()
    window.resize(1280, 720)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    window.project.open_network(parse_design(_SMALL), None)
    window.project.set_recipe(Recipe("quick", epochs=1, batch_size=8))
    yield window
    window.project.mark_saved(Path("elsewhere.cnn.json"))
    window.close()
    assert window.session.shutdown(60)
    shiboken6.delete(window)


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


@pytest.mark.timeout(240)
def test_a_dropped_folder_is_understood_checked_reviewed_trained_on_and_tried(
    computing_window: MainWindow, balls: Path, qtbot: QtBot
) -> None:
    window = computing_window
    drag_and_drop(window, balls)
    page = window.pages.data
    qtbot.waitUntil(lambda: bool(page.panels) and page.adding.skipped.isVisible(), timeout=_PATIENCE_MS)
    assert page.adding.summary.text() == "3 classes, 45 images: 33 for training, 12 for testing."
    assert page.adding.sizes.text() == "All images are 16 × 16."
    assert page.adding.skipped.text().startswith("train/blue/broken.png: cannot be read as an image")
    click(qtbot, page, "addAndUse")
    assert_is_ready(window, page, qtbot)

    review_what_was_found(window, page, qtbot)

    train = next(each for each in window.findChildren(ActionButton) if "Train" in each.text())
    states = list[object]()
    window.session.state_changed.connect(states.append)
    qtbot.mouseClick(train, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: State.RUNNING in states and states[-1] is State.IDLE, timeout=_PATIENCE_MS)
    folder = window.session.run
    assert folder is not None
    run = Run.open(folder)
    assert run.status == "completed"
    assert run.dataset_fingerprint == find_source("balls").load().fingerprint

    drag_and_drop(window, balls / "test/green/green1.png")
    qtbot.waitUntil(lambda: window.pages.current.title == "Use")
    panel = window.pages.use.try_panel
    qtbot.waitUntil(lambda: len(dict(panel.body.bars.scores)) == 3, timeout=_PATIENCE_MS)


def assert_is_ready(window: MainWindow, page: DataPage, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: window.project.dataset_name == "balls")
    qtbot.waitUntil(lambda: page.images.grid.counts == [10, 10, 12], timeout=_PATIENCE_MS)
    qtbot.waitUntil(lambda: page.runner.report is not None, timeout=_PATIENCE_MS)


def review_what_was_found(window: MainWindow, page: DataPage, qtbot: QtBot) -> None:
    click(qtbot, page, "check_across")
    queue = page.queue
    assert queue.isVisible()
    assert queue.head.secondary.full_text == "1 of 1"
    assert queue.item_view.reason.text() == "Equal to the training image train/red/red3.png."
    assert page.images.part == "test"
    qtbot.keyClick(queue, Qt.Key.Key_Delete)
    assert page.sets.corrections.full_text == "0 labels changed, 1 excluded"

    click(qtbot, page, "check_dark")
    qtbot.keyClick(queue, Qt.Key.Key_Return)
    assert "1 kept" in queue._end.text()
    qtbot.keyClick(queue, Qt.Key.Key_Escape)
    assert not queue.isVisible()

    # The wrong label is found by eye, in its class alone, and corrected by its first letter.
    page.images.show_part("train")
    grid = page.images.grid
    qtbot.mouseClick(grid.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(30, 6 + 2 * 46 + 10))
    grid.setFocus()
    for _ in range(12):
        qtbot.keyClick(grid, Qt.Key.Key_Right)
    assert page.details.image.file == "train/red/zgreen.png"
    qtbot.keyClick(grid, Qt.Key.Key_Return)
    qtbot.keyClick(queue, Qt.Key.Key_G)
    assert page.sets.corrections.full_text == "1 label changed, 1 excluded"
    qtbot.keyClick(queue, Qt.Key.Key_Z)
    assert page.sets.corrections.full_text == "0 labels changed, 1 excluded"
    qtbot.keyClick(queue, Qt.Key.Key_2)
    assert page.sets.corrections.full_text == "1 label changed, 1 excluded"
    page.reviewing.close_tasks()
    assert find_source("balls").load().train.labels.tolist().count(1) == 11


def test_keys_without_a_meaning_and_keys_that_are_held_down_correct_nothing(
    window: MainWindow, balls: Path, qtbot: QtBot
) -> None:
    page = add(qtbot, window, balls)
    click(qtbot, page, "check_dark")
    queue = page.queue
    assert queue.isVisible()

    for key in (Qt.Key.Key_Shift, Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_Home, Qt.Key.Key_F9):
        qtbot.keyClick(queue, key)
    QApplication.sendEvent(
        queue,
        QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Delete, Qt.KeyboardModifier.NoModifier, "", autorep=True),
    )

    overlay = page.reviewing.overlay
    assert overlay is not None
    assert overlay.counts == (0, 0)


def test_corrections_are_undone_together_and_restored(window: MainWindow, balls: Path, qtbot: QtBot) -> None:
    page = add(qtbot, window, balls)
    overlay = page.reviewing.overlay
    assert overlay is not None
    overlay.set_label("train/red/zgreen.png", "green")
    overlay.exclude(["train/red/dark.png"])
    click(qtbot, page, "undoAllCorrections")
    assert page.sets.corrections.full_text == "0 labels changed, 0 excluded"
    assert not page.sets.undo_all.isVisible()
    qtbot.mouseClick(window.message_bar.findChild(QPushButton, "messageButton"), Qt.MouseButton.LeftButton)
    assert page.sets.corrections.full_text == "1 label changed, 1 excluded"


def test_images_are_searched_and_sorted(window: MainWindow, balls: Path, qtbot: QtBot) -> None:
    page = add(qtbot, window, balls)
    qtbot.waitUntil(lambda: page.images.grid.counts == [10, 10, 12])
    qtbot.keyClicks(page.images.search, "GREEN")
    qtbot.waitUntil(lambda: page.images.grid.counts == [0, 10, 1])
    page.images.search.clear()
    page.images.sort.choose("brightness")
    files = page.reviewing._viewed.files["train"]
    qtbot.waitUntil(lambda: files[int(page.images.grid.sequence[0])] == "train/red/dark.png")
    page.images.sort.choose("name")
    qtbot.waitUntil(lambda: files[int(page.images.grid.sequence[0])] == "train/blue/blue0.png")


def test_what_was_checked_is_there_when_the_data_set_is_opened_again(
    window: MainWindow, balls: Path, qtbot: QtBot
) -> None:
    page = add(qtbot, window, balls)
    report = page.runner.report
    page.sets.list.choose("shapes")
    page.sets.list.choose("balls")
    qtbot.waitUntil(lambda: page.runner.report is not None)
    assert page.runner.report == report
    assert not page.runner.is_running
