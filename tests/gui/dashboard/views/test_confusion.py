"""The confusion matrix by mouse and keys."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cnnstudio.gui.compute.questions import Answer
from cnnstudio.gui.dashboard.views.confusion import ConfusionView
from cnnstudio.gui.dashboard.views.mistakes import MistakesView
from cnnstudio.gui.dashboard.views.parts.confusion_list import ConfusionLine
from cnnstudio.gui.dashboard.views.parts.matrix import painter as painter_module
from cnnstudio.gui.dashboard.views.parts.matrix.content import Cell
from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.theme.tints import tint
from cnnstudio.insight.instruments.confusion import ConfusionReading
from tests.gui.canned import CLASSES
from tests.gui.dashboard.views.canned_readings import Harness, confusion, names
from tests.gui.theme.test_theme import contrast

CAT, DOG = 0, 1


@pytest.fixture
def harness(qtbot: QtBot) -> Iterator[Harness]:
    theme().apply(QApplication.instance())  # type: ignore[arg-type]  # the QApplication of pytest-qt
    harness = Harness(qtbot)
    harness.show_run()
    yield harness
    harness.close()


def shown(harness: Harness) -> ConfusionView:
    view = harness.panel("viewConfusion").view
    harness.settle()
    assert isinstance(view, ConfusionView)
    return view


def click(harness: Harness, view: ConfusionView, cell: Cell) -> None:
    point = view.matrix.center_of(cell).toPoint()
    harness.qtbot.mouseClick(view.matrix, Qt.MouseButton.LeftButton, pos=point)
    harness.settle()


def test_a_click_on_a_cell_shows_its_images_and_a_second_click_puts_them_away(harness: Harness) -> None:
    view = shown(harness)
    click(harness, view, (DOG, CAT))

    assert harness.selection.classes == (DOG, CAT)
    assert view._foot_title.text() == "Actual dog, predicted cat"
    assert view._foot_details.full_text.startswith("34 images · ")
    assert view.images.isVisible()
    assert view.images.count == 12
    assert view.matrix.accessibleDescription().startswith("dog predicted as cat: 34 of ")

    click(harness, view, (DOG, CAT))
    assert harness.selection.classes == (None, None)
    assert view.top_list.isVisible()


def test_the_top_confusions_stand_below_in_words_and_choose_their_cell(harness: Harness) -> None:
    view = shown(harness)
    first = view.top_list.item(0)
    assert first.text().startswith("dog → cat: 34 of ")

    harness.qtbot.mouseClick(
        view.top_list.viewport(), Qt.MouseButton.LeftButton, pos=view.top_list.visualItemRect(first).center()
    )
    assert harness.selection.classes == (DOG, CAT)


def test_arrow_keys_start_at_the_worst_cell_and_escape_goes_back(harness: Harness) -> None:
    view = shown(harness)
    harness.window.activateWindow()
    view.matrix.setFocus()

    harness.qtbot.keyClick(view.matrix, Qt.Key.Key_Right)
    assert harness.selection.classes == (DOG, CAT)
    harness.qtbot.keyClick(view.matrix, Qt.Key.Key_Right)
    harness.qtbot.keyClick(view.matrix, Qt.Key.Key_Up)
    assert harness.selection.classes == (CAT, DOG)
    harness.qtbot.keyClick(view.matrix, Qt.Key.Key_Escape)
    assert harness.selection.classes == (None, None)


def test_enter_goes_to_the_images_of_the_cell_and_escape_back_to_the_matrix(harness: Harness) -> None:
    view = shown(harness)
    harness.window.activateWindow()
    click(harness, view, (DOG, CAT))
    view.matrix.setFocus()

    harness.qtbot.keyClick(view.matrix, Qt.Key.Key_Return)
    assert view.images.hasFocus()
    assert view.images.index == 0
    harness.qtbot.keyClick(view.images, Qt.Key.Key_Right)
    assert harness.selection.images == (1,)
    harness.qtbot.keyClick(view.images, Qt.Key.Key_Escape)
    assert view.matrix.hasFocus()


def test_enter_on_an_image_opens_it_where_there_is_one_panel_and_escape_leads_back(harness: Harness) -> None:
    panel = harness.panel("viewConfusion")
    harness.settle()
    view = panel.view
    assert isinstance(view, ConfusionView)
    harness.window.activateWindow()
    click(harness, view, (DOG, CAT))
    harness.qtbot.keyClick(view.matrix, Qt.Key.Key_Return)
    harness.qtbot.keyClick(view.images, Qt.Key.Key_Right)
    harness.qtbot.keyClick(view.images, Qt.Key.Key_Return)
    harness.settle()

    mistakes = panel.view
    assert isinstance(mistakes, MistakesView)
    assert mistakes.lists.buttons[2].isChecked()
    assert mistakes.list.hasFocus()
    assert mistakes.list.current is not None
    assert mistakes.list.current.index == harness.selection.images[0] == 1

    harness.qtbot.keyClick(mistakes.list, Qt.Key.Key_Escape)
    assert panel.view is view
    assert view.images.hasFocus()
    assert view.images.index == 1


def test_a_double_click_on_an_image_opens_it_in_the_panel_that_shows_mistakes(harness: Harness) -> None:
    panel, beside = harness.panel("viewConfusion"), harness.panel("viewMistakes")
    harness.settle()
    view, mistakes = panel.view, beside.view
    assert isinstance(view, ConfusionView)
    assert isinstance(mistakes, MistakesView)
    harness.window.activateWindow()
    click(harness, view, (DOG, CAT))

    where = view.images.rect_of(2).center().toPoint()
    harness.qtbot.mouseClick(view.images, Qt.MouseButton.LeftButton, pos=where)
    harness.qtbot.mouseDClick(view.images, Qt.MouseButton.LeftButton, pos=where)
    harness.settle()
    assert (panel.view, beside.view) == (view, mistakes)
    assert mistakes.list.hasFocus()
    assert mistakes.list.current is not None
    assert mistakes.list.current.index == 2

    harness.qtbot.keyClick(mistakes.list, Qt.Key.Key_Escape)
    assert view.images.hasFocus()


def test_cells_show_counts_or_the_percentage_of_their_row(harness: Harness) -> None:
    reading = ConfusionReading(("cat", "dog"), np.array([[3, 1], [0, 400]], np.int64))
    harness.answers.respond = lambda question: Answer(reading, 3)
    view = shown(harness)
    assert [view.matrix.text_in(cell) for cell in ((0, 0), (0, 1), (1, 0))] == ["3", "1", "·"]

    harness.qtbot.mouseClick(view.mode.buttons[1], Qt.MouseButton.LeftButton)
    assert [view.matrix.text_in(cell) for cell in ((0, 0), (0, 1), (1, 0))] == ["75", "25", "·"]


def test_the_chosen_cell_is_described_with_the_counts_that_are_shown(harness: Harness) -> None:
    view = shown(harness)
    harness.selection.choose_classes(1, 0)
    harness.settle()
    assert "predicted as cat: 34 of" in view.matrix.accessibleDescription()
    counts = np.diag(np.full(len(CLASSES), 5)).astype(np.int64)
    counts[1, 0] = 5
    other = ConfusionReading(CLASSES, counts)
    harness.answers.respond = lambda question: Answer(other, 3)
    harness.answers.changed.emit()
    harness.settle()
    assert view.matrix.accessibleDescription() == "dog predicted as cat: 5 of 10 (50.0%)"


def test_the_scores_of_each_class_can_be_sorted_and_lead_to_a_cell(harness: Harness) -> None:
    view = shown(harness)
    harness.qtbot.mouseClick(view.mode.buttons[2], Qt.MouseButton.LeftButton)
    table = view.class_table
    assert table.isVisible()

    def texts(column: int) -> list[str]:
        return [str(table.model().index(row, column).data()) for row in range(len(CLASSES))]

    assert texts(0) == list(CLASSES)
    table.sortByColumn(2, Qt.SortOrder.AscendingOrder)
    recalls = [float(text.rstrip("%")) for text in texts(2)]
    assert recalls == sorted(recalls)
    assert texts(0)[0] == "dog"

    row = table.visualRect(table.model().index(0, 0)).center()
    harness.qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=row)
    assert harness.selection.classes == (DOG, CAT)


def test_classes_without_images_have_no_scores(harness: Harness) -> None:
    reading = ConfusionReading(("cat", "dog"), np.array([[4, 0], [0, 0]], np.int64))
    harness.answers.respond = lambda question: Answer(reading, 3)
    view = shown(harness)
    harness.qtbot.mouseClick(view.mode.buttons[2], Qt.MouseButton.LeftButton)

    row = [view.class_table.model().index(1, column).data() for column in range(5)]
    assert row == ["dog", "–", "–", "–", "0"]
    assert view.table()[2] == ["dog", 0, 0, "", "", "", 0]


def test_the_classes_can_be_ordered_by_recall(harness: Harness) -> None:
    view = shown(harness)
    view.order_button.choose("recall")
    harness.settle()

    assert view.matrix.center_of((DOG, DOG)).y() < view.matrix.center_of((CAT, CAT)).y()


def test_many_classes_are_a_list_and_a_matrix_that_can_be_zoomed(harness: Harness) -> None:
    reading = confusion(names(200))
    harness.answers.respond = lambda question: Answer(reading, 3)
    panel = harness.panel("viewConfusion")
    harness.settle()
    view = panel.view
    assert isinstance(view, ConfusionView)
    assert view.long_list.isVisible()
    assert view.long_list.count() == 100
    assert not view.is_zoomed

    middle = QPointF(view.matrix.rect().center())
    cell = view.matrix.cell_at(middle)
    for _ in range(8):
        event = QWheelEvent(
            middle,
            QPointF(view.matrix.mapToGlobal(middle.toPoint())),
            QPoint(),
            QPoint(0, 120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(view.matrix, event)
    assert view.is_zoomed
    assert view.matrix.cell_at(middle) == cell

    reset = next(action for action in panel.view_actions(panel) if action.objectName() == "resetZoom")
    assert reset.isEnabled()
    reset.trigger()
    assert not view.is_zoomed


def test_dragging_a_zoomed_matrix_moves_it_and_chooses_nothing(harness: Harness) -> None:
    reading = confusion(names(200))
    harness.answers.respond = lambda question: Answer(reading, 3)
    view = shown(harness)
    harness.window.activateWindow()
    view.matrix.setFocus()
    for _ in range(6):
        harness.qtbot.keyClick(view.matrix, "+")
    middle = view.matrix.rect().center()
    before = view.matrix.cell_at(QPointF(middle))

    harness.qtbot.mousePress(view.matrix, Qt.MouseButton.LeftButton, pos=middle)
    harness.qtbot.mouseMove(view.matrix, middle - QPoint(40, 30))
    harness.qtbot.mouseRelease(view.matrix, Qt.MouseButton.LeftButton, pos=middle - QPoint(40, 30))

    after = view.matrix.cell_at(QPointF(middle))
    assert before is not None
    assert after is not None
    assert after[0] > before[0]
    assert after[1] > before[1]
    assert harness.selection.classes == (None, None)


def test_the_images_of_a_cell_are_awaited_or_missing_without_hiding_the_matrix(harness: Harness) -> None:
    answers = harness.answers
    answers.respond = lambda question: (
        Answer(problem="The weights of this epoch were not kept.")
        if question.instrument == "mistakes"
        else Answer(answers.cached(question), question.epoch)
    )
    view = shown(harness)
    click(harness, view, (DOG, CAT))

    assert view.message == ""
    assert view._foot_details.full_text == "The weights of this epoch were not kept."


def texts_of(monkeypatch: pytest.MonkeyPatch, view: ConfusionView) -> list[str]:
    """What is painted centered: names of columns, and scores."""
    found: list[str] = []
    monkeypatch.setattr(painter_module, "_draw_centered", lambda *arguments: found.append(arguments[2]))
    view.matrix.grab()
    return found


def test_names_that_are_wider_than_their_columns_stand_in_two_rows(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    reading = confusion(classes)
    harness.answers.respond = lambda question: Answer(reading, 3)
    view = shown(harness)
    assert view.matrix._cells.has_two_heads
    assert set(classes) <= set(texts_of(monkeypatch, view))

    harness.group.panels[0].resize(1_000, 588)
    harness.settle()
    assert not view.matrix._cells.has_two_heads
    assert set(classes) <= set(texts_of(monkeypatch, view))


def test_room_that_the_matrix_has_no_use_for_is_for_more_confusions(harness: Harness) -> None:
    view = shown(harness)
    usual = view.top_list.height()
    harness.group.panels[0].resize(584, 940)
    harness.settle()
    assert view.top_list.height() > 2 * usual
    assert view.top_list.count() == 20
    click(harness, view, (DOG, CAT))
    assert view.images.height() > 2 * usual


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("token", ["good", "validation"])
def test_the_number_in_the_strongest_cell_has_contrast(harness: Harness, scheme: str, token: str) -> None:
    try:
        theme().set_scheme(scheme)  # type: ignore[arg-type]  # one of the two
        text, ground = QColor(theme().color("text")), tint(token, 1.0)
    finally:
        theme().set_scheme("light")

    assert contrast(text, ground) >= 5.5


@pytest.mark.parametrize("width", [180, 232, 320, 900])
def test_a_confusion_in_a_narrow_list_names_both_classes(width: int) -> None:
    metrics = text_metrics(theme().font("help"))
    long = "telephone booth and streetcar"
    for actual, predicted in (("cat", "dog"), (long, "dog"), ("cat", long), (long, f"{long}s")):
        line = ConfusionLine((0, 1), actual, predicted, 34, 200)
        text = line.fitting(metrics, width)
        assert metrics.width(text) <= width
        names, _, numbers = text.partition(": ")
        for shown_name, name in zip(names.split(" → "), (actual, predicted), strict=True):
            begin = shown_name.rstrip("…")
            assert begin
            assert name.startswith(begin)
        assert numbers.startswith("34 of 200")
    assert ConfusionLine((0, 1), long, long, 34, 200).fitting(metrics, 900) == (
        f"{long} → {long}: 34 of 200 (17.0%)"
    )


def test_the_list_of_confusions_grows_with_the_view(harness: Harness) -> None:
    reading = confusion(names(200))
    harness.answers.respond = lambda question: Answer(reading, 3)
    view = harness.panel("viewConfusion").view
    harness.settle()
    assert isinstance(view, ConfusionView)
    widths = []
    for width in (500, 700, 2_000):
        view.resize(width, 500)
        widths.append(view.long_list.width())
    assert widths[0] < widths[1] < widths[2] <= 340
    assert view.long_list.item(0).toolTip()


def test_the_list_of_confusions_has_its_width_when_it_is_first_shown(harness: Harness) -> None:
    reading = confusion(names(200))
    harness.answers.respond = lambda question: Answer(reading, 3)
    view = harness.panel("viewConfusion", width=1_000).view
    harness.settle()
    assert isinstance(view, ConfusionView)
    assert view.long_list.width() == 340


def test_a_matrix_of_many_classes_fills_its_room_until_there_are_names(harness: Harness) -> None:
    reading = confusion(names(100))
    harness.answers.respond = lambda question: Answer(reading, 3)
    view = shown(harness)
    harness.window.activateWindow()
    cells = view.matrix._cells
    room = min(view.matrix.width(), view.matrix.height())
    assert cells.area().width() > 0.85 * room
    assert cells.area().width() == pytest.approx(cells.area().height())
    assert not cells.has_names
    # The cell in the middle stays where it is when names take their room.
    view.matrix.setFocus()
    harness.qtbot.keyClick(view.matrix, Qt.Key.Key_Down)
    while not cells.has_names:
        cell, before = view.matrix.cell, cells.pitch()[0]
        harness.qtbot.keyClick(view.matrix, "+")
        assert cells.pitch()[0] > before
    assert cell is not None
    assert view.matrix.cell_at(view.matrix.center_of(cell)) == cell
    assert cells.area().left() > cells.labels
    # To the last class, and not past it.
    for _ in range(100):
        harness.qtbot.keyClick(view.matrix, Qt.Key.Key_Right)
        harness.qtbot.keyClick(view.matrix, Qt.Key.Key_Down)
    assert view.matrix.cell == (99, 99)
    corner = view.matrix.center_of((99, 99))
    assert cells.area().contains(corner)
    assert view.matrix.cell_at(corner) == (99, 99)


def test_the_matrix_of_many_classes_is_above_the_list_where_the_view_is_tall(harness: Harness) -> None:
    reading = confusion(names(100))
    harness.answers.respond = lambda question: Answer(reading, 3)
    panel = harness.panel("viewConfusion")
    view, sides = panel.view, list[float]()
    assert isinstance(view, ConfusionView)
    for height in (588, 980):
        panel.resize(584, height)
        harness.settle()
        sides.append(view.matrix._cells.area().width())
        assert view.long_list.height() >= 120
    assert view.matrix.mapTo(panel, QPoint()).y() < view.long_list.mapTo(panel, QPoint()).y()
    assert sides[0] > 250
    assert sides[1] > 480
