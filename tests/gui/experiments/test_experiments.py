"""Suspected label errors, training again with corrections, and the learning curve, by mouse and keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.data.sources import find_source, register
from cnnstudio.data.sources.file_source import FileSource
from cnnstudio.data.sources.folder_list import unregister_set
from cnnstudio.data.versions.evaluations import evaluation_count
from cnnstudio.data.versions.relabeling import relabel
from cnnstudio.data.versions.review import ReviewItem
from cnnstudio.gui.compute.session import State
from cnnstudio.gui.dashboard.views.mistakes import MistakesView
from cnnstudio.gui.experiments.before_after import BeforeAfterDialog
from cnnstudio.gui.experiments.label_errors import LabelErrorDialog
from cnnstudio.gui.experiments.learning_curve import LearningCurveDialog
from cnnstudio.gui.experiments.predict_folder import PredictFolderDialog
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.runs.run import Run
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.recipe.recipe import Recipe
from tests.gui.fakes import TINY, image_folder

W = TypeVar("W", bound=QWidget)
SECONDS = 180_000
WRONG = ["test/bright/wrong0.png", *(f"train/bright/wrong{number}.png" for number in range(6))]


@pytest.fixture
def data(tmp_path: Path) -> FileSource:
    """Bright and dark images, of which six in training and one in the test set are labeled wrongly."""
    folder = image_folder(tmp_path / "images", count=80)
    for part, count in (("train", 6), ("test", 1)):
        for number in range(count):
            image = folder / part / "dark" / f"{number}.png"
            image.rename(folder / part / "bright" / f"wrong{number}.png")
    source = find_source(str(folder))
    assert isinstance(source, FileSource)
    return register(source)


@pytest.fixture
def folder(data: FileSource, tmp_path: Path) -> Path:
    """A run of six epochs on them."""
    recipe = Recipe("quick", epochs=6, batch_size=8, learning_rate=0.02, validation_share=0.2)
    options = RunOptions(folder=tmp_path / "first", source=str(data.path), device="cpu", threads=1)
    start_run(TINY, data.load(), recipe, options)
    return tmp_path / "first"


@pytest.fixture
def window(qtbot: QtBot, folder: Path) -> Iterator[MainWindow]:
    window = create_window(folder)
    window.resize(1280, 720)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    qtbot.waitUntil(lambda: bool(window.shown_run.record.network.nodes), timeout=SECONDS)
    yield window
    qtbot.waitUntil(lambda: not window.session.is_busy, timeout=SECONDS)
    window.close()
    shiboken6.delete(window)


def action(window: MainWindow, name: str) -> QAction:
    found = window.findChild(QAction, name)
    assert isinstance(found, QAction)
    return found


def dialog(window: MainWindow, kind: type[W], qtbot: QtBot) -> W:
    qtbot.waitUntil(lambda: any(each.isVisible() for each in window.findChildren(kind)), timeout=SECONDS)
    return next(each for each in window.findChildren(kind) if each.isVisible())


def press(parent: QWidget, name: str) -> None:
    button = parent.findChild(QPushButton, name)
    assert isinstance(button, QPushButton)
    assert button.isVisible(), name
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def until(qtbot: QtBot, holds: Callable[[], bool]) -> None:
    qtbot.waitUntil(holds, timeout=SECONDS)


def test_suspected_label_errors_are_found_from_explore_and_handed_to_the_review(
    window: MainWindow, data: FileSource, qtbot: QtBot
) -> None:
    window.pages.turn_to(window.pages.EXPLORE)
    panel = window.pages.explore.view_panels[0]
    panel.choose("viewMistakes")
    view = panel.view
    assert isinstance(view, MistakesView)
    until(qtbot, lambda: bool(view.secondary))
    found: list[tuple[str, str, list[object]]] = []
    window.pages._review.found.connect(found.append)
    act = next(each for each in panel.view_actions(window) if each.objectName() == "reviewImages")
    act.trigger()
    until(qtbot, lambda: bool(found) and window.pages.data.queue.isVisible())
    assert found[0][0] == data.name
    assert window.pages.data.queue.list is not None
    assert [item.file for item in window.pages.data.queue.list.items] == [
        item.file  # type: ignore[attr-defined]  # a ReviewItem
        for item in found[0][2]
    ]
    window.pages.turn_to(window.pages.EXPLORE)
    wanted: list[tuple[str, str, list[object]]] = []
    window.experiments.review_requested.connect(wanted.append)

    press(view, "findLabelErrors")
    shown = dialog(window, LabelErrorDialog, qtbot)
    assert shown.progress.isVisible()
    until(qtbot, shown.act_button.isVisible)
    count = int(shown.act_button.text().removeprefix("Review ").removesuffix("s").removesuffix(" image"))
    assert "Labeled bright, looks like dark" in shown.result_text.text()
    QTest.keyClick(shown, Qt.Key.Key_Return)

    ((name, title, items),) = wanted
    assert (name, title) == ("images", "Suspected label errors")
    assert len(items) == count
    assert window.pages.current is window.pages.data
    queue = window.findChild(QWidget, "reviewQueue")
    assert isinstance(queue, QWidget)
    until(qtbot, queue.isVisible)
    texts = " ".join(label.text() for label in queue.findChildren(Label))
    assert "looks like dark" in texts

    again = queue.findChild(QPushButton, "trainAgain")
    assert again is not None
    assert again.isHidden()
    QTest.keyClick(queue, Qt.Key.Key_2)
    until(qtbot, again.isVisible)
    assert again.isEnabled()
    QTest.keyClick(queue, Qt.Key.Key_Escape)
    until(qtbot, lambda: window.message_bar.text == "The data set has 1 correction now.")
    button = window.message_bar.findChild(QPushButton, "messageButton")
    assert button is not None
    assert button.text() == "Train again and compare"
    assert {item.file for item in items} <= set(WRONG)  # type: ignore[attr-defined]  # ReviewItems


def test_the_search_is_cancelled_and_tried_again(window: MainWindow, qtbot: QtBot) -> None:
    action(window, "actionFindLabelErrors").trigger()
    shown = dialog(window, LabelErrorDialog, qtbot)
    press(shown, "cancel")
    assert not shown.job.is_running
    assert shown.act_button.text() == "Try again"
    press(shown, "jobAct")
    until(qtbot, lambda: shown.act_button.text().startswith("Review "))
    press(shown, "jobClose")


def test_a_run_is_trained_again_with_the_corrections(
    window: MainWindow, data: FileSource, folder: Path, qtbot: QtBot
) -> None:
    again = action(window, "actionTrainCorrected")
    again.trigger()
    until(qtbot, lambda: window.message_bar.text.startswith("Nothing has changed in images since"))

    relabel(data, dict.fromkeys(WRONG[1:], "dark"), [], [])
    # The last one is corrected in the queue, whose button trains again as soon as that is written.
    page = window.pages.data
    window.pages.turn_to(window.pages.DATA)
    page.sets.list.choose(data.name)
    until(qtbot, lambda: page.overlay is not None and page.looks_at(data.name))
    page.review(data.name, "Mine", [ReviewItem(WRONG[0], "bright", split="test")])
    QTest.keyClick(page.queue, Qt.Key.Key_2)
    until(qtbot, page.queue.train_again.isVisible)
    press(page.queue, "trainAgain")
    until(qtbot, lambda: window.session.state is not State.IDLE)
    assert not again.isEnabled()
    until(qtbot, lambda: window.message_bar.text.startswith("Trained again with 7 labels corrected: "))
    press(window.message_bar, "messageButton")
    shown = dialog(window, BeforeAfterDialog, qtbot)
    texts = [label.text() for label in shown.findChildren(Label)]
    assert "Validation accuracy" in texts
    assert "The corrected test images were evaluated 2 times." in texts
    assert any(text.startswith("With the test labels as they were, the first run had") for text in texts)
    press(shown, "beforeAfterClose")
    assert window.session.run is not None
    after = Run.open(window.session.run)
    assert after.recipe == Run.open(folder).recipe
    assert evaluation_count(after.data_version) == 2


def test_a_learning_curve_is_measured_and_kept(window: MainWindow, qtbot: QtBot) -> None:
    action(window, "actionLearningCurve").trigger()
    shown = dialog(window, LearningCurveDialog, qtbot)
    until(qtbot, shown.act_button.isVisible)
    assert shown.act_button.text() == "Measure"
    press(shown, "jobAct")
    until(qtbot, shown.result_text.isVisible)
    assert "Each size was trained once" in shown.result_text.text()
    assert shown.plot.accessibleDescription().count("validation") == 4
    verdict = shown.result_text.text()
    press(shown, "jobClose")
    until(qtbot, lambda: not window.findChildren(LearningCurveDialog))

    action(window, "actionLearningCurve").trigger()
    shown = dialog(window, LearningCurveDialog, qtbot)
    until(qtbot, shown.result_text.isVisible)
    assert shown.result_text.text() == verdict
    assert shown.act_button.isHidden()
    press(shown, "jobClose")


def test_images_without_labels_are_predicted_into_a_table(
    window: MainWindow, data: FileSource, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data.folder / "test" / "dark" / "broken.png").write_bytes(b"no image")
    target = tmp_path / "out.csv"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(data.folder / "test"))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    action(window, "actionPredictFolder").trigger()
    shown = dialog(window, PredictFolderDialog, qtbot)
    press(shown, "jobAct")
    press(shown, "cancel")
    assert not shown.job.is_running
    assert not target.exists()
    press(shown, "jobAct")
    until(qtbot, shown.result_text.isVisible)
    count = len(list((data.folder / "test").rglob("*.png"))) - 1
    assert shown.result_text.text().startswith(f"Saved out.csv: {count} images, most often ")
    assert "1 file that cannot be read was left out: broken.png." in shown.result_text.text()
    lines = target.read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "file,label,probability,bright,dark"
    assert len(lines) == count + 1
    press(shown, "jobClose")


def test_images_of_a_set_that_is_not_in_the_list_are_not_offered_for_review(
    window: MainWindow, data: FileSource, qtbot: QtBot
) -> None:
    unregister_set(data.name)
    action(window, "actionFindLabelErrors").trigger()
    shown = dialog(window, LabelErrorDialog, qtbot)
    until(qtbot, shown.result_text.isVisible)
    assert f"To review them, add {data.path} on the Data page" in shown.result_text.text()
    assert shown.act_button.isHidden()
    press(shown, "jobClose")
