"""The size of the thumbnails: chosen from a menu or turned with Ctrl and the wheel, and remembered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cnnstudio.data.dataset import Split
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.pages.data_page import DataPage
from cnnstudio.gui.pages.data_set.images.thumbnail_painter import SIDES
from cnnstudio.gui.pages.data_set.images.thumbnails import Thumbnails
from tests.gui.fakes import FakeSession
from tests.gui.shown_texts import Painted


def turn(grid: Thumbnails, delta: int, modifiers: Qt.KeyboardModifier) -> None:
    at = QPointF(20, 20)
    event = QWheelEvent(
        *(at, at, QPoint(), QPoint(0, delta), Qt.MouseButton.NoButton, modifiers),
        *(Qt.ScrollPhase.NoScrollPhase, False),
    )
    QApplication.sendEvent(grid.viewport(), event)


def test_larger_thumbnails_keep_the_first_image_in_sight(qtbot: QtBot) -> None:
    grid = Thumbnails()
    qtbot.addWidget(grid)
    grid.resize(500, 300)
    grid.show()
    grid.show_split(Split(np.zeros((600, 3, 4, 4), np.uint8), np.zeros(600, np.int64)), ("cat",))
    grid.show_rows([np.arange(600)], np.arange(600))
    grid.verticalScrollBar().setValue(20 * 44)
    first = 20 * grid.columns
    for name, side in SIDES.items():
        grid.set_size(name)
        shown = {row: rect for rect, row in grid.visible_images()}
        assert {rect.width() for rect in shown.values()} == {side}
        assert first in shown
        qtbot.waitUntil(lambda: grid.tiles.tile(first) is not None)
        tile = grid.tiles.tile(first)
        assert tile is not None
        assert tile[1].width() == round(side * grid.devicePixelRatioF())
    grid.tiles.close()


def test_the_wheel_with_ctrl_turns_to_the_next_size_and_is_remembered(qtbot: QtBot, tmp_path: Path) -> None:
    settings = Settings(tmp_path / "window.ini")

    def opened() -> DataPage:
        session = FakeSession()
        page = DataPage(Project(), session, settings)
        session.setParent(page)
        qtbot.addWidget(page)
        page.ensure_built()
        return page

    page = opened()
    grid = page.images.grid
    assert grid.side == SIDES["small"]
    control, none = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.NoModifier
    turn(grid, 120, none)
    turn(grid, -120, control)
    assert grid.side == SIDES["small"]
    for _ in range(4):
        turn(grid, 60, control)
    assert (grid.side, page.images.thumbnail_size.value) == (SIDES["large"], "large")
    page.close_tasks()

    again = opened()
    assert (again.images.grid.side, again.images.thumbnail_size.value) == (SIDES["large"], "large")
    again.close_tasks()


def test_the_order_of_the_images_is_remembered(qtbot: QtBot, tmp_path: Path) -> None:
    settings = Settings(tmp_path / "window.ini")

    def opened() -> DataPage:
        session = FakeSession()
        page = DataPage(Project(), session, settings)
        session.setParent(page)
        qtbot.addWidget(page)
        page.ensure_built()
        return page

    page = opened()
    assert page.images.sort.value == "label"
    page.images.sort.choose("name")
    assert opened().images.sort.value == "name"


def test_a_hint_in_place_of_the_images_is_whole(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    painted = Painted(monkeypatch)
    grid = Thumbnails()
    qtbot.addWidget(grid)
    grid.show()
    hint = "These images were used, but are not in your list: press Enter to add them"
    grid.show_hint(hint)
    for width in (900, 440, 300):
        painted.texts.clear()
        grid.resize(width, 300)
        grid.grab()
        assert {word for text in painted.texts for word in text.split()} == {*hint.split()}


def test_a_long_name_of_a_class_has_two_lines(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    painted = Painted(monkeypatch)
    grid = Thumbnails()
    qtbot.addWidget(grid)
    grid.show()
    grid.show_split(
        Split(np.zeros((4, 3, 4, 4), np.uint8), np.zeros(4, np.int64)), ("aquarium fish and cat",)
    )
    grid.show_rows([np.arange(4)])
    grid.grab()
    assert {"aquarium fish", "and cat", "4"} <= painted.texts
