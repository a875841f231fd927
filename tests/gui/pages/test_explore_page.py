"""The Explore page in the window: views of the run on show, side by side, at the cursor's epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import shiboken6
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.gui.dashboard.views.confusion import ConfusionView
from cnnstudio.gui.dashboard.views.predictions import PredictionsView
from cnnstudio.gui.runs.follower import read_run
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.runs.epochs import snapshot_budget
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.recipe.recipe import Recipe
from tests.gui.fakes import TINY

OpenWindow = Callable[[], MainWindow]


@pytest.fixture
def open_window(qtbot: QtBot) -> Iterator[OpenWindow]:
    """Opens windows of 1280 × 720 on the Explore page, and closes them at the end."""
    windows: list[MainWindow] = []

    def start() -> MainWindow:
        window = create_window()
        windows.append(window)
        window.resize(1280, 720)
        with qtbot.waitActive(window):
            window.show()
            window.activateWindow()
        window.pages.turn_to(window.pages.EXPLORE)
        return window

    yield start
    for window in windows:
        close(window, qtbot)


def close(window: MainWindow, qtbot: QtBot) -> None:
    if shiboken6.isValid(window):
        window.project.mark_saved(Path("elsewhere.cnn.json"))
        # Loading torch cannot be interrupted.
        qtbot.waitUntil(lambda: not window.session.is_busy, timeout=60_000)
        window.close()
        shiboken6.delete(window)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three epochs of a real, tiny run."""
    rng = np.random.default_rng(0)

    def split(count: int) -> Split:
        labels = np.arange(count, dtype=np.int64) % 2
        images = rng.integers(0, 200, (count, 3, 8, 8)) + 55 * labels[:, None, None, None]
        return Split(images.astype(np.uint8), labels)

    dataset = Dataset("tiny", "Tiny", ("cat", "dog"), split(120), split(40))
    folder = tmp_path_factory.mktemp("explore") / "run"
    recipe = Recipe("quick", epochs=3, batch_size=8)
    with pytest.MonkeyPatch.context() as monkeypatch:
        # On a busy computer, epochs as short as these would otherwise not all have a snapshot.
        monkeypatch.setattr(snapshot_budget, "GRACE_SECONDS", 1e9)
        start_run(TINY, dataset, recipe, RunOptions(folder=folder, threads=1))
    return folder


def visible_views(window: MainWindow) -> list[str]:
    return [panel.view.name for panel in window.pages.explore.view_panels if panel.isVisible()]


@pytest.mark.parametrize(("width", "count"), [(1024, 1), (1280, 2), (1920, 3)])
def test_as_many_views_as_fit_stand_side_by_side(open_window: OpenWindow, width: int, count: int) -> None:
    window = open_window()
    window.resize(width, 720)

    assert visible_views(window) == ["viewConfusion", "viewMistakes", "viewCalibration"][:count]


def test_the_chosen_views_come_back(open_window: OpenWindow, qtbot: QtBot) -> None:
    window = open_window()
    window.pages.explore.view_panels[1].choose("viewHistograms")
    close(window, qtbot)

    assert visible_views(open_window()) == ["viewConfusion", "viewHistograms"]


def test_a_page_that_is_not_shown_asks_nothing(
    open_window: OpenWindow, run_folder: Path, qtbot: QtBot
) -> None:
    window = open_window()
    window.shown_run.show_opened(read_run(run_folder))
    qtbot.waitUntil(lambda: bool(window.pages.requests._wanted))

    # Train asks only what the network says to the image beside the feature maps.
    window.pages.turn_to(window.pages.TRAIN)
    assert {each.instrument for each in window.pages.requests._wanted} <= {"predictions"}
    window.pages.turn_to(window.pages.DESIGN)
    assert window.pages.requests._wanted == frozenset()


def test_the_timeline_moves_all_views_and_they_show_the_recorded_figures(
    open_window: OpenWindow, run_folder: Path, qtbot: QtBot
) -> None:
    window = open_window()
    explore = window.pages.explore
    explore.view_panels[1].choose("viewPredictions")
    window.shown_run.show_opened(read_run(run_folder))
    confusion, scores = (panel.view for panel in explore.view_panels[:2])
    assert isinstance(confusion, ConfusionView)
    assert isinstance(scores, PredictionsView)
    cursor = window.shown_run.cursor
    epochs = {each.epoch: each for each in cursor.record.history.epochs}
    assert sorted(epochs) == [1, 2, 3]

    for epoch in (1, 2):
        cursor.move_to(epoch)

        def both_show_it(note: str = f"epoch {epoch} · ") -> None:
            assert [view.secondary.startswith(note) for view in (confusion, scores)] == [True, True]

        qtbot.waitUntil(both_show_it)
        assert confusion._reading is not None
        assert confusion._reading.accuracy == pytest.approx(epochs[epoch].validation.accuracy)
        assert scores.charts.rows[0].epochs[scores.charts.rows[0].at] == epoch


def test_each_view_exists_once_before_and_after_all_pages_were_shown(open_window: OpenWindow) -> None:
    window = open_window()
    names = ("viewFeatureMaps", "viewFilters", "viewConfusion", "viewMistakes", "viewCalibration")
    names += ("viewPredictions", "viewHistograms", "featureMaps")
    for number in range(5):
        window.pages.turn_to(number)
    window.pages.explore.view_panels[0].choose("viewFeatureMaps")

    assert [len(window.findChildren(QWidget, name)) for name in names] == [1] * len(names)


def test_a_remembered_view_that_does_not_exist_is_no_error(open_window: OpenWindow, qtbot: QtBot) -> None:
    window = open_window()
    window.pages.train.remember("view", "viewOfTomorrow")
    window.pages.explore.remember("views", "viewOfTomorrow viewFilters viewFilters")
    close(window, qtbot)

    again = open_window()
    assert again.pages.train.view_panel.view.name == "viewFeatureMaps"
    assert visible_views(again) == ["viewFilters", "viewConfusion"]
