"""Views that stay at an epoch, and do so again in the next window."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cnnstudio.gui.dashboard.views.pins import pins_from_text, pins_to_text
from cnnstudio.gui.runs.record import RunRecord
from cnnstudio.gui.theme.theme import theme
from tests.gui.canned import started
from tests.gui.dashboard.views.canned_readings import FOLDER, Harness, record

MakeHarness = Callable[[], Harness]


@pytest.fixture
def new_window(qtbot: QtBot) -> Iterator[MakeHarness]:
    theme().apply(QApplication.instance())  # type: ignore[arg-type]  # the QApplication of pytest-qt
    made: list[Harness] = []

    def make() -> Harness:
        made.append(Harness(qtbot))
        return made[-1]

    yield make
    for harness in made:
        harness.close()


def remembered(new_window: MakeHarness) -> str:
    """The pins of a window in which one view stays at the second of three epochs."""
    harness = new_window()
    harness.show_run()
    view = harness.panel("viewCalibration").view
    said: list[str] = []
    harness.group.pins_changed.connect(lambda: said.append(harness.group.pins))
    view.pin(2)
    (text,) = said
    return text


def test_a_pinned_view_is_pinned_in_the_next_window_once_its_run_is_shown(new_window: MakeHarness) -> None:
    text = remembered(new_window)
    harness = new_window()
    harness.group.restore_pins(text)
    view = harness.panel("viewCalibration").view
    harness.settle()
    assert view.pinned_epoch == 2
    harness.show_run()
    harness.settle()
    assert view.secondary.startswith("pinned · epoch 2")
    assert harness.group.view("viewConfusion").pinned_epoch is None


def test_a_pin_stays_while_the_timeline_goes_to_epochs_of_the_run_that_was_continued(
    new_window: MakeHarness,
) -> None:
    harness = new_window()
    first = record(folder=Path("first"))
    second = RunRecord(first.network)
    second.continue_from(first)
    second.feed([dataclasses.replace(started(run=str(FOLDER)), first_epoch=3)])
    harness.cursor.show(second, is_live=False)
    view = harness.panel("viewCalibration").view
    view.pin(3)
    harness.cursor.move_to(1)
    assert harness.cursor.moment.folder == Path("first")
    view.refresh()
    assert view.pinned_epoch == 3


def test_the_pins_of_another_run_are_forgotten(new_window: MakeHarness) -> None:
    harness = new_window()
    harness.group.restore_pins(remembered(new_window))
    view = harness.panel("viewCalibration").view
    harness.cursor.show(record(folder=Path("another")), is_live=False)
    harness.settle()
    assert view.pinned_epoch is None
    assert harness.group.pins == ""


def test_a_view_that_is_made_later_is_pinned_too(new_window: MakeHarness) -> None:
    harness = new_window()
    harness.group.restore_pins(pins_to_text({"viewFeatureMaps": (FOLDER, 1)}))
    assert harness.group.view("viewFeatureMaps").pinned_epoch == 1


def test_a_run_without_a_folder_is_not_remembered() -> None:
    assert pins_to_text({"viewCalibration": (None, 2), "viewConfusion": (FOLDER, None)}) == ""


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "[" * 5_000,
        "[1]",
        "null",
        *map(
            json.dumps, ({"viewCalibration": pin} for pin in (2, [], ["run"], [2, 2], ["", 2], ["a\0b", 2]))
        ),
        *map(json.dumps, ({"viewCalibration": ["run", epoch]} for epoch in (-1, True, 1.5, 10**9, "2"))),
    ],
)
def test_what_is_no_pin_is_left_out(text: str) -> None:
    assert pins_from_text(text) == {}
