"""A network is trained in the window, keys and mouse move the timeline, and views show that epoch's numbers.

What was recorded has to be exact. What views show is also computed anew from the kept weights, by another way
than the window's; half precision may change it by 0.1 points.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shiboken6
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from cnnstudio.data.sources import find_source
from cnnstudio.design.file import write_design
from cnnstudio.gui.dashboard.timeline import UNITS_PER_EPOCH, TimeSlider
from cnnstudio.gui.dashboard.views.base import Table, View
from cnnstudio.gui.dashboard.views.catalog import view_types
from cnnstudio.gui.dashboard.views.panel import ViewPanel
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.insight.instrument import finish
from cnnstudio.runs.epochs.inspection import Inspector, ReadingRequest
from cnnstudio.training.recipe.recipe import Recipe
from tests.gui.fakes import TINY, image_folder

KEY = Qt.Key
EPOCHS = 3
TOLERANCE = 1e-3
"""0.1 points."""


@pytest.fixture
def window(qtbot: QtBot, tmp_path: Path) -> Iterator[MainWindow]:
    """The real window with a small network and a folder of images, trained for three epochs with F5."""
    design = tmp_path / "tiny.cnn.json"
    write_design(design, TINY)
    images = image_folder(tmp_path / "images", count=120)
    for part in ("train", "test"):
        mislabel(images / part)
    window = create_window(design)
    window.resize(1280, 720)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    window.project.set_dataset(str(images), 2)
    window.project.set_recipe(Recipe("quick", epochs=EPOCHS, batch_size=8, learning_rate=0.0006))
    qtbot.waitUntil(lambda: window.tool_bar.train_action.isEnabled(), timeout=60_000)
    QTest.keyClick(window, KEY.Key_F5)
    qtbot.waitUntil(lambda: window.shown_run.record.history.finished is not None, timeout=60_000)
    qtbot.waitUntil(lambda: not window.session.is_busy, timeout=60_000)
    yield window
    window.project.mark_saved(design)
    qtbot.waitUntil(lambda: not window.session.is_busy, timeout=60_000)
    window.close()
    shiboken6.delete(window)


def mislabel(folder: Path) -> None:
    """Exchanges every third image of the two classes, so that there are misclassified ones."""
    for bright in sorted((folder / "bright").iterdir())[::3]:
        dark = folder / "dark" / bright.name
        content = dark.read_bytes()
        dark.write_bytes(bright.read_bytes())
        bright.write_bytes(content)


def choose(panel: ViewPanel, name: str, qtbot: QtBot) -> View:
    """Chooses a view in the menu of a panel by mouse."""
    QTest.mouseClick(panel.head.chooser, Qt.MouseButton.LeftButton)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    (action,) = (each for each in menu.actions() if each.objectName() == f"choose_{name}")
    QTest.mouseClick(
        menu, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, menu.actionGeometry(action).center()
    )
    qtbot.waitUntil(lambda: panel.view.name == name)
    # The offscreen platform does not give the focus back when a menu closes.
    qtbot.waitUntil(lambda: not shiboken6.isValid(menu))
    with qtbot.waitActive(panel.window()):
        panel.window().activateWindow()
    return panel.view


def reading(window: MainWindow, epoch: int, instrument: str, **options: Any) -> Any:
    """The reading computed anew from the kept weights."""
    folder = window.run_folder
    assert folder is not None
    dataset = find_source(window.project.dataset_name).load()
    inspector = Inspector(lambda run: dataset, "cpu")
    return finish(inspector.take(ReadingRequest(folder, epoch, instrument, **options)))


def column(table: Table, name: str) -> list[Any]:
    place = table[0].index(name)
    return [row[place] for row in table[1:]]


def check_confusion(table: Table, window: MainWindow, epoch: int) -> None:
    counts = np.array([row[1:3] for row in table[1:]], dtype=np.int64)
    recorded = next(each for each in window.shown_run.record.history.epochs if each.epoch == epoch)
    assert counts.trace() / counts.sum() == pytest.approx(recorded.validation.accuracy, abs=1e-9)
    again = reading(window, epoch, "confusion").counts
    assert abs(counts - again).max() <= TOLERANCE * counts.sum()


def check_calibration(table: Table, window: MainWindow, epoch: int) -> None:
    again = reading(window, epoch, "calibration")
    bins = again.bins()
    assert column(table, "count") == [each["count"] for each in bins]
    np.testing.assert_allclose(
        column(table, "confidence"), [each["confidence"] for each in bins], atol=TOLERANCE
    )


def check_mistakes(table: Table, window: MainWindow, epoch: int) -> None:
    again = reading(window, epoch, "mistakes")
    assert column(table, "image") == [int(index) + 1 for index in again.mistake_index]


def check_predictions(table: Table, window: MainWindow, epoch: int) -> None:
    shown = [row[3:] for row in table[1:] if row[1] == epoch]
    again = reading(window, epoch, "predictions").probabilities[: len(shown)]
    np.testing.assert_allclose(np.array(shown, dtype=np.float64), again, atol=TOLERANCE)


def check_histograms(table: Table, window: MainWindow, epoch: int) -> None:
    again = reading(window, epoch, "histograms")
    (shown,) = (row[3:] for row in table[1:] if row[0] == epoch)
    counts = again.weight_counts[again.layers.index("conv2d_1")]
    # A weight next to the edge of a bin may change sides.
    assert abs(np.array(shown) - counts).sum() <= 0.05 * counts.sum()


def check_filters(table: Table, window: MainWindow, epoch: int) -> None:
    again = reading(window, epoch, "filters", layer="conv2d_1")
    weights = np.array([row[3:] for row in table[1:]])
    np.testing.assert_allclose(weights, again.kernels.reshape(len(weights), -1), atol=TOLERANCE)


def check_feature_maps(table: Table, window: MainWindow, epoch: int) -> None:
    maps = reading(window, epoch, "feature_maps", layer="conv2d_1")
    again = maps.low + maps.maps.mean(axis=(1, 2)) / 255 * (maps.high - maps.low)
    np.testing.assert_allclose(column(table, "mean"), again, atol=0.01 * (maps.high - maps.low))


def check_robustness(table: Table, window: MainWindow, epoch: int) -> None:
    again = reading(window, epoch, "robustness")
    expected = [[again.clean, *accuracy] for accuracy in again.accuracy]
    np.testing.assert_allclose(column(table, "accuracy"), np.ravel(expected), atol=TOLERANCE)


def check_image_map(table: Table, window: MainWindow, epoch: int) -> None:
    again = reading(window, epoch, "embedding")
    assert column(table, "image") == [int(index) + 1 for index in again.index]
    np.testing.assert_allclose(column(table, "x"), again.points[:, 0], atol=TOLERANCE)
    np.testing.assert_allclose(column(table, "y"), again.points[:, 1], atol=TOLERANCE)


CHECKS: dict[str, Callable[[Table, MainWindow, int], None]] = {
    "viewConfusion": check_confusion,
    "viewCalibration": check_calibration,
    "viewMistakes": check_mistakes,
    "viewImageMap": check_image_map,
    "viewPredictions": check_predictions,
    "viewHistograms": check_histograms,
    "viewFilters": check_filters,
    "viewFeatureMaps": check_feature_maps,
    "viewRobustness": check_robustness,
}


def shows(view: View, epoch: int) -> None:
    """Fails until the view says that it shows that epoch."""
    assert (view.name, view.message) == (view.name, "")
    assert re.search(rf"\bepoch {epoch}\b", view.secondary), (view.name, view.secondary)


def click_epoch(window: MainWindow, epoch: int) -> None:
    """Clicks the dot of an epoch on the timeline."""
    timeline = window.findChild(TimeSlider, "timeline")
    place = QPoint(round(timeline._x(epoch * UNITS_PER_EPOCH)), timeline.height() // 2)
    QTest.mouseClick(timeline, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)


def test_every_view_is_tried() -> None:
    assert set(view_types()) == set(CHECKS)


def test_each_view_shows_the_numbers_of_the_epoch_that_keys_and_mouse_move_to(
    window: MainWindow, qtbot: QtBot
) -> None:
    QTest.keyClick(window, KEY.Key_4, Qt.KeyboardModifier.ControlModifier)
    explore = window.pages.explore
    qtbot.waitUntil(lambda: explore.isVisible())
    window.shown_run.selection.choose_layer("conv2d_1")
    first, second = (each.validation.accuracy for each in window.shown_run.record.history.epochs[:2])
    assert first != second, "the epochs could be mistaken for each other"
    names = list(CHECKS)
    # An odd one is shown beside the first.
    for first, second in zip(names[::2], [*names[1::2], names[0]], strict=False):
        views = [
            choose(panel, name, qtbot)
            for panel, name in zip(explore.view_panels, (first, second), strict=False)
        ]
        QTest.keyClick(window, KEY.Key_L)
        for epoch in (2, 1):
            if epoch == 2:
                QTest.keyClick(window, KEY.Key_Left, Qt.KeyboardModifier.AltModifier)
            else:
                click_epoch(window, epoch)
            assert window.shown_run.cursor.epoch == epoch
            for view in views:
                qtbot.waitUntil(partial(shows, view, epoch), timeout=60_000)
                CHECKS[view.name](view.table(), window, epoch)
