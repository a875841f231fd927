"""From a dropped folder to a trained network by mouse and keys, with a check and a review between them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from cnnstudio.data.sources import find_source
from cnnstudio.gui.compute.session import State
from cnnstudio.gui.pages.data_page import DataPage
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.gui.training.controls import ActionButton
from cnnstudio.runs.run import Run
from tests.gui.pages.data_set.adding import add, click
from tests.gui.user_input import drag_and_drop

_PATIENCE_MS = 60_000


@pytest.mark.timeout(240)
def test_a_dropped_folder_is_understood_checked_reviewed_trained_on_and_tried(
    computing_window: MainWindow, balls: Path, qtbot: QtBot
) -> None:
    window = computing_window
    drag_and_drop(window, balls)
    page = window.pages.data
    qtbot.waitUntil(
        lambda: bool(page.panels) and page.adding.settings.skipped.isVisible(), timeout=_PATIENCE_MS
    )
    # Without the broken one, which is known a moment later than the others.
    expected = "3 classes, 44 images: 32 for training, 12 for testing."
    qtbot.waitUntil(lambda: page.adding.summary.text() == expected, timeout=_PATIENCE_MS)
    assert page.adding.sizes.text() == "All images are 16 × 16."
    assert page.adding.settings.skipped.text().startswith("train/blue/broken.png: cannot be read as an image")
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
