"""What every view has to do, whichever it is; the views are found by the catalog."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QImage
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.gui.compute.questions import Answer, Question
from cnnstudio.gui.dashboard.views.base import View
from cnnstudio.gui.dashboard.views.catalog import view_types
from cnnstudio.gui.dashboard.views.feature_maps import FeatureMapsInPanel
from cnnstudio.gui.dashboard.views.panel import HEAD_HEIGHT, ViewPanel
from cnnstudio.gui.theme.theme import theme
from cnnstudio.insight.instruments.calibration import CalibrationReading
from cnnstudio.insight.instruments.confusion import ConfusionReading
from cnnstudio.insight.instruments.filters import FiltersReading
from tests.gui import shown_texts
from tests.gui.canned import CLASSES, feature_maps
from tests.gui.dashboard.views.canned_readings import (
    NETWORK,
    Harness,
    calibration,
    confusion,
    embedding,
    filters,
    histograms,
    mistakes,
    names,
    nearest,
    predictions,
    record,
    robustness,
)

CONTRACT = {
    "viewFeatureMaps",
    "viewFilters",
    "viewConfusion",
    "viewMistakes",
    "viewCalibration",
    "viewImageMap",
    "viewRobustness",
    "viewPredictions",
    "viewHistograms",
}
ASKING = sorted(CONTRACT - {"viewFeatureMaps"})
"""The views that ask instruments; feature maps are asked for by their widget."""


@pytest.fixture
def harness(qtbot: QtBot) -> Iterator[Harness]:
    theme().apply(QApplication.instance())  # type: ignore[arg-type]  # the QApplication of pytest-qt
    harness = Harness(qtbot)
    yield harness
    harness.close()


def shown(harness: Harness, name: str) -> tuple[ViewPanel, View]:
    """The view in a panel, with a run of three epochs."""
    harness.show_run()
    harness.selection.choose_layer("conv2d_1")
    panel = harness.panel(name)
    harness.settle()
    return panel, panel.view


def test_the_catalog_finds_the_views_of_the_contract() -> None:
    assert set(view_types()) == CONTRACT


@pytest.mark.parametrize("name", sorted(CONTRACT))
def test_a_view_explains_itself_in_three_sentences(name: str) -> None:
    kind = view_types()[name]

    assert kind.help.count(". ") == 2
    assert kind.help.endswith(".")
    assert kind.title
    assert kind.empty


def test_each_name_of_the_contract_exists_once_from_the_start(harness: Harness) -> None:
    train = Harness(harness.qtbot, page="train")
    harness.panel("viewConfusion")
    # A view that is chosen away from its home must not have the name a second time.
    train.panel("viewFeatureMaps").choose("viewConfusion")
    harness.panel("viewFeatureMaps")

    windows = (harness.window, train.window)
    found = Counter(each.objectName() for window in windows for each in window.findChildren(QWidget))
    expected = dict.fromkeys((*CONTRACT, "featureMaps"), 1)
    assert {name: found[name] for name in expected} == expected
    train.close()


@pytest.mark.parametrize("name", ASKING)
def test_a_view_that_was_never_shown_has_no_content_and_asks_nothing(harness: Harness, name: str) -> None:
    view = harness.group.view(name)
    harness.show_run()
    harness.settle()

    assert view.layout().count() == 0
    assert harness.answers.asked == []


def test_tab_goes_through_one_panel_after_the_other(harness: Harness) -> None:
    first = harness.panel("viewMistakes")
    harness.panel("viewConfusion")
    harness.show_run()
    harness.settle()
    with harness.qtbot.waitActive(harness.window):
        harness.window.activateWindow()
    first.head.chooser.setFocus()
    visited = list[bool]()
    while True:
        focused = QApplication.focusWidget()
        assert focused is not None
        if visited and focused is first.head.chooser:
            break
        visited.append(first.isAncestorOf(focused))
        harness.qtbot.keyClick(focused, Qt.Key.Key_Tab)
    in_first, in_second = visited.count(True), visited.count(False)
    assert visited == [True] * in_first + [False] * in_second
    assert min(in_first, in_second) > 3


def test_feature_maps_are_described_as_they_are_shown(harness: Harness) -> None:
    view = harness.panel("viewFeatureMaps").view
    assert isinstance(view, FeatureMapsInPanel)
    harness.show_run()
    view.maps.show_maps(feature_maps("conv2d_1", dead=(1,)), NETWORK, CLASSES, "after epoch 3")
    assert view.summary() == "Feature maps of Conv2D (layer 1): after epoch 3 · 8 maps, 1 dead"
    view.maps.show_nothing(NETWORK, "conv2d_2", "No feature maps were saved for this layer")
    assert view.summary() == "No feature maps were saved for this layer"


def test_layers_are_named_as_in_the_list(harness: Harness) -> None:
    _, view = shown(harness, "viewFilters")
    assert view.summary().startswith("Conv2D (layer 1): ")
    _, view = shown(harness, "viewHistograms")
    assert "conv2d_" not in view.summary()
    assert "(layer " in view.summary()


@pytest.mark.parametrize("name", ASKING)
def test_a_hidden_view_asks_nothing_any_more(harness: Harness, name: str) -> None:
    panel, _ = shown(harness, name)
    assert harness.answers.wanted

    panel.hide()
    harness.answers.asked.clear()
    harness.cursor.move_to(1)
    harness.answers.changed.emit()
    harness.settle()

    assert harness.answers.wanted == frozenset()
    assert harness.answers.asked == []


@pytest.mark.parametrize("name", ASKING)
def test_a_visible_view_wants_what_it_shows_and_nothing_else(harness: Harness, name: str) -> None:
    shown(harness, name)
    harness.cursor.move_to(1)
    harness.settle()

    epochs = {question.epoch for question in harness.answers.wanted}
    assert epochs == ({0, 1, 2, 3} if name in ("viewHistograms", "viewPredictions") else {1})


@pytest.mark.parametrize("name", ASKING)
def test_without_a_run_a_view_says_what_there_will_be_to_see(harness: Harness, name: str) -> None:
    panel = harness.panel(name)
    harness.settle()

    assert panel.view.message == view_types()[name].empty
    assert panel.view.summary() == view_types()[name].empty


@pytest.mark.parametrize("name", ASKING)
def test_a_view_shows_its_reading_and_describes_it(harness: Harness, name: str) -> None:
    panel, view = shown(harness, name)

    assert view.message == ""
    assert view.secondary
    assert panel.head.secondary.full_text == view.secondary
    assert len(view.summary()) > 20
    assert view.accessibleName() == view.title
    assert view.accessibleDescription()


@pytest.mark.parametrize("name", ASKING)
def test_while_the_first_reading_is_awaited_a_view_says_for_what(harness: Harness, name: str) -> None:
    harness.answers.respond = lambda question: Answer(progress=0.42)
    _, view = shown(harness, name)

    assert view.message.endswith("42%")


@pytest.mark.parametrize("name", ASKING)
def test_the_previous_content_stays_while_the_next_one_is_awaited(harness: Harness, name: str) -> None:
    _, view = shown(harness, name)
    view._fade.setInterval(600_000)  # a busy machine may take longer for the first check than a user waits
    answers = harness.answers
    answers.respond = lambda question: Answer(
        None if question.epoch == 1 else answers.cached(question), question.epoch
    )
    harness.cursor.move_to(1)
    harness.settle()

    assert view.message == ""
    view._fade.start(0)
    harness.qtbot.waitUntil(lambda: view.message != "")
    assert view._veil.is_translucent

    answers.respond = lambda question: Answer(answers.cached(question), question.epoch)
    answers.changed.emit()
    harness.settle()
    assert view.message == ""


@pytest.mark.parametrize("name", ASKING)
def test_a_view_says_why_there_is_nothing_to_see(harness: Harness, name: str) -> None:
    harness.answers.respond = lambda question: Answer(problem="The data set was not found.")
    _, view = shown(harness, name)

    assert view.message == "The data set was not found."
    assert view.summary() == "The data set was not found."


@pytest.mark.parametrize("name", ASKING)
def test_the_content_of_another_run_does_not_stay(harness: Harness, name: str) -> None:
    _, view = shown(harness, name)
    harness.answers.respond = lambda question: Answer()
    harness.cursor.show(record(folder=Path("another")), is_live=False)
    harness.settle()

    assert view.message
    assert not view._veil.is_translucent


@pytest.mark.parametrize("name", ASKING)
def test_an_earlier_epoch_is_named(harness: Harness, name: str) -> None:
    _, view = shown(harness, name)
    harness.cursor.move_to(1)
    harness.settle()
    assert "epoch 1" in view.secondary

    answers = harness.answers
    answers.respond = lambda question: Answer(answers.cached(question), 0)
    answers.changed.emit()
    harness.settle()
    assert "latest kept: epoch 0" in view.secondary


@pytest.mark.parametrize("name", ASKING)
def test_a_reading_of_another_kind_is_refused(harness: Harness, name: str) -> None:
    other = calibration() if name != "viewCalibration" else confusion()
    assert isinstance(other, CalibrationReading | ConfusionReading)
    harness.answers.respond = lambda question: Answer(other, 3)
    _, view = shown(harness, name)

    assert view.message == "What was recorded is of another kind than this view shows."


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", sorted(CONTRACT))
def test_a_view_is_drawn_in_the_colors_of_the_scheme(harness: Harness, name: str, scheme: str) -> None:
    _, view = shown(harness, name)
    try:
        theme().set_scheme(scheme)  # type: ignore[arg-type]  # one of the two
        image = view.to_pixmap().toImage()
        ground = theme().color("panel").rgb()
    finally:
        theme().set_scheme("light")

    right, bottom = image.width() - 3, image.height() - 3
    corners = [image.pixel(x, y) for x in (2, right) for y in (2, bottom)]
    assert ground in corners
    assert len({image.pixel(x, y) for x in range(0, right, 3) for y in range(0, bottom, 3)}) > 2


@pytest.mark.parametrize("name", ASKING)
def test_what_tab_reaches_in_a_view_has_a_name(harness: Harness, name: str) -> None:
    _, view = shown(harness, name)
    harness.window.activateWindow()
    tab = Qt.FocusPolicy.TabFocus
    reachable = [each for each in view.findChildren(QWidget) if each.focusPolicy() & tab and each.isVisible()]
    assert reachable
    assert [each.objectName() for each in reachable if not each.accessibleName()] == []


@pytest.mark.parametrize("name", ASKING)
def test_the_menu_saves_what_is_seen(
    harness: Harness, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, view = shown(harness, name)
    target = iter([str(tmp_path / "view.png"), str(tmp_path / "view")])
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (next(target), ""))
    actions = {action.objectName(): action for action in panel.view_actions(panel)}
    assert all(actions[each].isEnabled() for each in ("copyImage", "savePng", "saveCsv"))

    actions["savePng"].trigger()
    actions["saveCsv"].trigger()
    actions["copyImage"].trigger()

    image = QImage(str(tmp_path / "view.png"))
    assert (image.width(), image.height()) == (view.width(), view.height())
    assert QApplication.clipboard().image().size() == image.size()
    rows = list(csv.reader(io.StringIO((tmp_path / "view.csv").read_text("utf-8"))))
    assert len(rows) > 1
    assert len({len(row) for row in rows}) == 1


def menu_entry(panel: ViewPanel, name: str) -> QAction:
    return next(action for action in panel.view_actions(panel) if action.objectName() == name)


@pytest.mark.parametrize("name", ASKING)
def test_a_pinned_view_stays_at_its_epoch_until_it_is_unpinned(harness: Harness, name: str) -> None:
    panel, view = shown(harness, name)
    harness.cursor.move_to(1)
    harness.settle()
    pin = menu_entry(panel, "pinView")
    assert pin.text() == "Pin at epoch 1"
    pin.trigger()
    harness.settle()
    assert view.secondary.startswith("pinned · epoch 1")
    assert panel.head.secondary.full_text == view.secondary
    harness.answers.asked.clear()
    harness.cursor.move_to(2)
    harness.answers.changed.emit()
    harness.settle()
    assert view.secondary.startswith("pinned · epoch 1")
    if name not in ("viewHistograms", "viewPredictions"):  # those ask about many epochs anyway
        assert {question.epoch for question in harness.answers.asked} == {1}
    menu_entry(panel, "pinView").trigger()
    harness.settle()
    assert view.secondary.startswith("epoch 2")


def test_another_run_unpins_a_view(harness: Harness) -> None:
    panel, view = shown(harness, "viewCalibration")
    menu_entry(panel, "pinView").trigger()
    assert view.pinned_epoch == 3
    harness.cursor.show(record(folder=Path("another")), is_live=False)
    harness.settle()
    assert view.pinned_epoch is None
    assert "pinned" not in view.secondary


@pytest.mark.parametrize("name", ASKING)
def test_another_run_than_the_own_one_is_named_in_the_head(harness: Harness, name: str) -> None:
    _, view = shown(harness, name)
    assert "Small" not in view.secondary
    harness.cursor.show(harness.cursor.record, is_live=False, is_other=True)
    harness.settle()
    assert view.secondary.startswith(f"epoch 3 of {harness.cursor.moment.run_name}")
    harness.cursor.move_to(1)
    harness.settle()
    assert view.secondary.startswith("epoch 1 of Small")


@pytest.mark.parametrize("name", ASKING)
def test_nothing_can_be_saved_before_there_is_anything_to_see(harness: Harness, name: str) -> None:
    panel = harness.panel(name)
    harness.settle()

    assert not any(action.isEnabled() for action in panel.view_actions(panel))


def test_a_file_that_cannot_be_written_is_a_sentence(
    harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, _ = shown(harness, "viewCalibration")
    messages: list[object] = []
    panel.message.connect(messages.append)
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "file" / "view.csv"), ""))
    {action.objectName(): action for action in panel.view_actions(panel)}["saveCsv"].trigger()

    assert [message.is_error for message in messages] == [True]  # type: ignore[attr-defined]  # a Message
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# Hostile readings: names from a stranger, very few and very many classes, layers that are gone


def hostile(question: Question) -> Answer:
    """Readings whose names are markup, control characters or very long."""
    classes = (shown_texts.MARKUP[:900], shown_texts.LONG[:900], "=HYPERLINK(1)")
    options = dict(question.options)
    cell = options.get("cell")
    return Answer(
        {
            "confusion": lambda: confusion(classes),
            "mistakes": lambda: mistakes(classes, cell if isinstance(cell, tuple) else None),  # type: ignore[arg-type]  # a pair
            "calibration": calibration,
            "robustness": lambda: robustness(classes),
            "embedding": lambda: embedding(classes),
            "nearest": lambda: nearest(classes=classes),
            "filters": filters,
            "histograms": histograms,
            "predictions": lambda: predictions(count=3, classes=classes),
        }[question.instrument](),
        question.epoch,
    )


@pytest.mark.parametrize("name", ASKING)
def test_names_from_a_stranger_are_plain_text(harness: Harness, name: str) -> None:
    harness.answers.respond = hostile
    harness.selection.choose_classes(0, 1)
    panel, view = shown(harness, name)

    assert view.message == ""
    assert shown_texts.faults(panel) == []
    assert panel.width() == 584
    assert view.to_pixmap().width() == view.width()


@pytest.mark.parametrize("count", [1, 2, 1_000])
@pytest.mark.parametrize("name", ["viewConfusion", "viewImageMap", "viewMistakes", "viewPredictions"])
def test_one_class_and_a_thousand_are_drawn(harness: Harness, name: str, count: int) -> None:
    classes = names(count)
    readings = {
        "confusion": confusion(classes),
        "mistakes": mistakes(classes),
        "nearest": nearest(classes=classes),
        "embedding": embedding(classes, count=1_000),
        "predictions": predictions(count=min(count, 5), classes=classes),
    }
    harness.answers.respond = lambda question: Answer(readings[question.instrument], question.epoch)
    _, view = shown(harness, name)

    assert view.message == ""
    assert not view.to_pixmap().isNull()


@pytest.mark.parametrize(("total", "channels", "side"), [(1, 1, 1), (256, 64, 3), (3, 2, 11)])
def test_kernels_of_any_size_and_number_are_drawn(
    harness: Harness, total: int, channels: int, side: int
) -> None:
    kernels = np.ones((total, channels, side, side), np.float32)
    reading = FiltersReading("conv2d_1", kernels, np.ones(total + 300, np.float32), 512, 0)
    harness.answers.respond = lambda question: Answer(reading, question.epoch)
    _, view = shown(harness, "viewFilters")

    assert view.message == ""
    assert not view.to_pixmap().isNull()


@pytest.mark.parametrize("name", ASKING)
def test_layers_and_classes_that_are_gone_are_no_error(harness: Harness, name: str) -> None:
    harness.show_run()
    harness.selection.choose_layer("deleted_9")
    harness.selection.choose_classes(70, 80)
    harness.selection.choose_channel(900)
    harness.selection.choose_image(12)
    panel = harness.panel(name)
    harness.settle()

    assert panel.view.message == ""


# The panel


def test_the_title_opens_a_menu_of_all_views(harness: Harness) -> None:
    panel, _ = shown(harness, "viewCalibration")
    assert panel.head.height() == HEAD_HEIGHT

    harness.qtbot.mouseClick(panel.head.chooser, Qt.MouseButton.LeftButton)
    menu = next(each for each in panel.findChildren(QMenu) if each.isVisible())
    assert [action.text() for action in menu.actions()] == [kind.title for kind in view_types().values()]
    next(action for action in menu.actions() if action.objectName() == "choose_viewMistakes").trigger()
    menu.hide()
    harness.settle()

    assert panel.view.name == "viewMistakes"
    assert panel.head.chooser.text().startswith("Misclassified images")
    assert not harness.group.view("viewCalibration").isVisible()


def test_two_panels_that_choose_the_same_view_exchange_them(harness: Harness) -> None:
    harness.show_run()
    first, second = harness.panel("viewConfusion"), harness.panel("viewMistakes")
    harness.settle()

    second.choose("viewConfusion")
    harness.settle()

    assert (first.view.name, second.view.name) == ("viewMistakes", "viewConfusion")
    assert first.view.isVisible()
    assert second.view.isVisible()
    assert second.isAncestorOf(second.view)
    assert first.isAncestorOf(first.view)


def test_the_question_mark_says_what_the_view_shows(harness: Harness) -> None:
    panel, view = shown(harness, "viewConfusion")
    harness.window.activateWindow()
    panel.head.help_button.setFocus()
    harness.qtbot.mouseClick(panel.head.help_button, Qt.MouseButton.LeftButton)

    card = panel._help
    assert card is not None
    assert card.isVisible()
    assert card.text == view.help
    harness.qtbot.keyClick(card.close_button, Qt.Key.Key_Escape)
    assert not card.isVisible()
