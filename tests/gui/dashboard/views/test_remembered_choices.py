"""How views are drawn is remembered for the next window: order, scale, colors and numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cnnstudio.gui.dashboard.menu_choice import MenuChoice
from cnnstudio.gui.dashboard.remembered_choices import RememberedChoices
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.segments import Choice
from tests.gui.dashboard.views.canned_readings import Harness

NewWindow = Callable[[], Harness]
VIEWS = ("viewConfusion", "viewFilters", "viewFeatureMaps", "viewHistograms")


@pytest.fixture
def kept() -> list[str]:
    """What was remembered, the latest last."""
    return [""]


@pytest.fixture
def new_window(qtbot: QtBot, kept: list[str]) -> Iterator[NewWindow]:
    theme().apply(QApplication.instance())  # type: ignore[arg-type]  # the QApplication of pytest-qt
    made: list[Harness] = []

    def make() -> Harness:
        harness = Harness(qtbot)
        made.append(harness)
        harness.group.remember_choices(RememberedChoices(kept[-1], kept.append))
        harness.show_run()
        for name in VIEWS:
            harness.panel(name)
        harness.settle()
        return harness

    yield make
    for harness in made:
        harness.close()


def choices(harness: Harness) -> dict[str, str]:
    found = [each for name in VIEWS for each in harness.group.view(name).findChildren(MenuChoice)]
    segments = [each for name in VIEWS for each in harness.group.view(name).findChildren(Choice)]
    return {each.objectName(): each.value for each in found} | {
        each.objectName(): str(each.index) for each in segments
    }


def press_last(choice: MenuChoice) -> None:
    """Chooses the last entry of the menu."""
    menu = choice.menu_of_values
    QTest.mouseClick(choice, Qt.MouseButton.LeftButton)
    QTest.mouseClick(menu, Qt.MouseButton.LeftButton, pos=menu.actionGeometry(menu.actions()[-1]).center())


def test_every_choice_of_every_view_is_the_same_in_the_next_window(new_window: NewWindow) -> None:
    first = new_window()
    usual = choices(first)
    assert {"filterOrder", "confusionOrder", "confusionNumbers", "mapOrder", "histogramValues"} <= set(usual)
    for name in VIEWS:
        view = first.group.view(name)
        for menu in view.findChildren(MenuChoice):
            press_last(menu)
        for choice in view.findChildren(Choice):
            QTest.mouseClick(choice.buttons[-1], Qt.MouseButton.LeftButton)
    chosen = choices(first)
    assert [name for name in usual if chosen[name] == usual[name]] == []
    assert choices(new_window()) == chosen


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[]", "[" * 9999),
        '{"filterOrder": 3, "confusionNumbers": "9", "mapScale": "odd"}',
        pytest.param(f'{{"confusionNumbers": "{"9" * 5000}"}}', id="a long number"),
    ],
)
def test_what_cannot_be_read_is_as_by_default(text: str, new_window: NewWindow, kept: list[str]) -> None:
    usual = choices(new_window())
    kept.append(text)
    assert choices(new_window()) == usual
