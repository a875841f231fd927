"""The embedding: points, groups, choosing by mouse and keys, and what other views get of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cnnstudio.gui.compute.questions import Answer
from cnnstudio.gui.dashboard.views.image_map import ImageMapView
from cnnstudio.gui.dashboard.views.mistakes import MistakesView
from cnnstudio.gui.dashboard.views.parts.image_map import widget as widget_module
from cnnstudio.gui.dashboard.views.parts.image_map.groups import Groups
from cnnstudio.gui.dashboard.views.parts.image_map.legend import GroupLegend
from cnnstudio.gui.dashboard.views.parts.image_map.picking import nearest, next_in_direction, within
from cnnstudio.gui.dashboard.views.parts.image_map.viewport import MAX_ZOOM, MapViewport
from cnnstudio.gui.dashboard.views.parts.image_map.widget import ImageMap
from cnnstudio.gui.theme.theme import theme
from cnnstudio.insight.instruments.embedding import EmbeddingReading
from cnnstudio.insight.scatter import SHAPES, paint_points
from tests.gui.dashboard.views.canned_readings import CLASSES, Harness, embedding, record

Keys, Buttons, Modifiers = Qt.Key, Qt.MouseButton, Qt.KeyboardModifier


@pytest.fixture
def harness(qtbot: QtBot) -> Iterator[Harness]:
    theme().apply(QApplication.instance())  # type: ignore[arg-type]  # the QApplication of pytest-qt
    harness = Harness(qtbot)
    harness.show_run()
    yield harness
    harness.close()


@pytest.fixture
def view(harness: Harness) -> ImageMapView:
    view = harness.panel("viewImageMap").view
    harness.settle()
    assert isinstance(view, ImageMapView)
    return view


@pytest.fixture(autouse=True)
def _without_animations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(widget_module, "animations_enabled", lambda: False)


def point(position: QPointF) -> QPoint:
    return position.toPoint()


def drag(area: ImageMap, path: list[QPoint], modifiers: Qt.KeyboardModifier = Modifiers.NoModifier) -> None:
    QTest.mousePress(area, Buttons.LeftButton, modifiers, path[0])
    for each in path[1:]:
        QTest.mouseMove(area, each)
    QTest.mouseRelease(area, Buttons.LeftButton, modifiers, path[-1])


def around(area: ImageMap, row: int, reach: int = 6) -> list[QPoint]:
    """A closed path around a point."""
    middle = point(area.place_of(row))
    corners = [(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]
    return [middle + reach * QPoint(x, y) for x, y in corners]


def numbers_within(reading: EmbeddingReading, area: ImageMap, path: list[QPoint]) -> set[int]:
    outline = np.array([(each.x(), each.y()) for each in path], np.float64)
    places = np.array([area.place_of(row).toTuple() for row in range(area.count)])
    return {int(reading.index[row]) for row in np.flatnonzero(within(outline, places))}


def reading_of(view: ImageMapView) -> EmbeddingReading:
    assert view._reading is not None
    return view._reading


# Another run


def test_a_point_under_the_mouse_that_another_run_does_not_have_is_forgotten(qtbot: QtBot) -> None:
    area = ImageMap()
    qtbot.addWidget(area)
    area.resize(300, 300)
    area.show()
    zooms: list[float] = []
    area.zoom_changed.connect(lambda: zooms.append(area.zoom))

    def show(count: int) -> None:
        points = np.random.default_rng(0).normal(size=(count, 2)).astype(np.float32)
        thumbnails = np.zeros((count, 3, 4, 4), np.uint8)
        area.show_points(np.arange(count), points, thumbnails, lambda row: (f"Image {row}",))
        area.show_groups(Groups("class", ("a",), np.zeros(count, np.intp)))

    show(20)
    area._hover(19)
    area._zoom_by(2, QPointF(9, 9))
    area.forget()
    assert zooms[-1] == 1
    show(5)
    area.grab()
    assert area._hovered == -1


# Choosing


def test_a_lasso_chooses_images_for_all_views(harness: Harness, view: ImageMapView) -> None:
    path = around(view.map, 7, 30)
    drag(view.map, path)
    harness.settle()
    expected = numbers_within(reading_of(view), view.map, path)
    assert 21 in expected
    assert len(expected) > 1
    assert set(harness.selection.images) == expected
    assert view.details.full_text.startswith(f"{len(expected)} images chosen, ")


def test_shift_adds_and_control_and_alt_remove(harness: Harness, view: ImageMapView) -> None:
    view.tools.buttons[1].click()
    first, second = around(view.map, 0, 5), around(view.map, 5, 5)
    box = [first[0], first[2]], [second[0], second[2]]
    drag(view.map, box[0])
    ones = set(harness.selection.images)
    assert 0 in ones
    drag(view.map, box[1], Modifiers.ShiftModifier)
    both = set(harness.selection.images)
    assert both > ones
    assert 15 in both
    drag(view.map, box[0], Modifiers.ControlModifier)
    assert set(harness.selection.images) == both - ones
    drag(view.map, box[1], Modifiers.AltModifier)
    assert harness.selection.images == ()
    drag(view.map, box[0])
    drag(view.map, box[1])
    assert set(harness.selection.images) == both - ones


def test_a_click_chooses_a_point_and_beside_them_none(harness: Harness, view: ImageMapView) -> None:
    QTest.mouseClick(view.map, Buttons.LeftButton, Modifiers.NoModifier, point(view.map.place_of(3)))
    assert harness.selection.images == (9,)
    assert view.map.current == 3
    QTest.mouseClick(view.map, Buttons.LeftButton, Modifiers.ShiftModifier, point(view.map.place_of(1)))
    assert harness.selection.images == (3, 9)
    QTest.mouseClick(view.map, Buttons.LeftButton, Modifiers.ShiftModifier, QPoint(2, 2))
    assert harness.selection.images == (3, 9)
    QTest.mouseClick(view.map, Buttons.LeftButton, Modifiers.NoModifier, QPoint(2, 2))
    assert harness.selection.images == ()


def test_what_another_view_chooses_is_marked(harness: Harness, view: ImageMapView) -> None:
    harness.selection.choose_images((6, 7, 30))
    harness.settle()
    assert view.map.chosen_rows == (2, 10)
    assert harness.selection.images == (6, 7, 30)


def test_escape_cancels_a_lasso_then_chooses_none_then_leaves(harness: Harness, view: ImageMapView) -> None:
    left: list[bool] = []
    view.left.connect(lambda: left.append(True))
    QTest.mouseClick(view.map, Buttons.LeftButton, Modifiers.NoModifier, point(view.map.place_of(3)))
    path = around(view.map, 0, 20)
    QTest.mousePress(view.map, Buttons.LeftButton, Modifiers.NoModifier, path[0])
    QTest.mouseMove(view.map, path[2])
    QTest.keyClick(view.map, Keys.Key_Escape)
    QTest.mouseRelease(view.map, Buttons.LeftButton, Modifiers.NoModifier, path[3])
    assert harness.selection.images == (9,)
    QTest.keyClick(view.map, Keys.Key_Escape)
    assert harness.selection.images == ()
    for _ in range(2):
        QTest.keyClick(view.map, Keys.Key_Escape)
    assert left == [True]


def test_everything_is_chosen_by_keys_too(harness: Harness, view: ImageMapView) -> None:
    wanted: list[object] = []
    view.details_wanted.connect(wanted.append)
    area = view.map
    QTest.keyClick(area, Keys.Key_Right)
    first = area.current
    assert first >= 0
    QTest.keyClick(area, Keys.Key_Right)
    second = area.current
    assert area.place_of(second).x() > area.place_of(first).x()
    QTest.keyClick(area, Keys.Key_Space)
    assert area.chosen_rows == (second,)
    assert area.accessibleDescription().startswith(f"Image {3 * second + 1}")
    QTest.keyClick(area, Keys.Key_Up, Modifiers.ShiftModifier)
    assert len(area.chosen_rows) == 2
    QTest.keyClick(area, Keys.Key_Space)
    assert area.chosen_rows == (second,)
    QTest.keyClick(area, Keys.Key_A, Modifiers.ControlModifier)
    assert len(harness.selection.images) == 200
    QTest.keyClick(area, Keys.Key_Return)
    assert wanted == ["viewMistakes"]


def test_arrows_reach_every_point_of_a_grid() -> None:
    places = np.array([(x, y) for y in range(4) for x in range(4)], np.float64)
    every = np.ones(16, bool)
    reached, waiting = {0}, [0]
    while waiting:
        start = waiting.pop()
        for across, down in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            found = next_in_direction(places, start, across, down, every)
            if found >= 0 and found not in reached:
                reached.add(found)
                waiting.append(found)
    assert reached == set(range(16))
    assert next_in_direction(places, 0, -1, 0, every) == -1
    assert next_in_direction(places, 0, 1, 0, every & (np.arange(16) != 1)) == 2


def test_a_lasso_takes_what_is_within_it_by_the_even_odd_rule() -> None:
    ring = np.array(
        [(0, 0), (10, 0), (10, 10), (0, 10), (0, 0), (3, 3), (3, 7), (7, 7), (7, 3), (3, 3)], float
    )
    places = np.array([(1.5, 5), (5, 5), (11, 5), (9, 9)], float)
    assert within(ring, places).tolist() == [True, False, False, True]
    assert not within(ring[:2], places).any()
    assert nearest(places, 5, 6, np.ones(4, bool), 2) == 1
    assert nearest(places, 5, 6, np.array([True, False, True, True]), 2) == -1
    assert nearest(places, 5, 6, np.zeros(4, bool), 99) == -1


# Groups


def test_hidden_groups_are_neither_seen_nor_chosen(harness: Harness, view: ImageMapView) -> None:
    legend = view.legend
    assert legend.count() == 10
    assert legend.item(0).text() == f"{CLASSES[0]} · 20"
    QTest.mouseClick(
        legend.viewport(),
        Buttons.LeftButton,
        Modifiers.NoModifier,
        legend.visualItemRect(legend.item(0)).center(),
    )
    assert legend.hidden == {0}
    QTest.keyClick(view.map, Keys.Key_A, Modifiers.ControlModifier)
    assert len(harness.selection.images) == 180
    legend.setCurrentRow(4)
    QTest.keyClick(legend, Keys.Key_Return)
    assert legend.hidden == set(range(10)) - {4}
    QTest.keyClick(legend, Keys.Key_Return)
    assert legend.hidden == frozenset()
    QTest.keyClick(legend, Keys.Key_Space)
    assert legend.hidden == {4}
    assert view.show_all.isEnabled()
    view.show_all.click()
    assert legend.hidden == frozenset()
    assert not view.show_all.isEnabled()


def test_hidden_classes_stay_hidden_from_epoch_to_epoch_but_not_in_other_colors(
    harness: Harness, view: ImageMapView
) -> None:
    view.legend._toggle(2)
    harness.cursor.move_to(1)
    harness.settle()
    assert view.legend.hidden == {2}
    assert not view.map._visible[reading_of(view).truth == 2].any()
    view.color.choose("error")
    assert [view.legend.item(row).text() for row in range(2)] == ["correct · 160", "misclassified · 40"]
    assert view.map._visible.all()
    view.color.choose("confidence")
    assert [view.legend.item(row).text() for row in range(2)] == ["below 50% · 40", "80 to 95% · 160"]


@pytest.mark.parametrize("kind", ["class", "error", "confidence"])
def test_points_have_the_color_of_their_group(view: ImageMapView, kind: str) -> None:
    view.color.choose(kind)
    groups = view.map._groups
    styles = groups.styles()
    image = view.map.grab().toImage()
    ratio = image.devicePixelRatio()
    places = view.map._places
    distances = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1)) + 1e9 * np.eye(len(places))
    row = int(distances.min(1).argmax())  # nothing hides the one that is farthest from all others
    x, y = (int(each * ratio) for each in view.map.place_of(row).toTuple())
    assert image.pixel(x, y) & 0xFFFFFF == styles[groups.members[row]][0]


def test_a_thousand_classes_have_a_legend(harness: Harness, view: ImageMapView) -> None:
    classes = tuple(f"class {number}" for number in range(1_000))
    reading = embedding(classes, count=2_000)
    harness.answers.respond = lambda question: Answer(reading, question.epoch)
    harness.answers.changed.emit()
    harness.settle()
    assert view.legend.count() == 1_000
    assert not view.map.grab().isNull()


# Moving, zooming, painting


def test_points_move_from_epoch_to_epoch_unless_motion_is_reduced(
    harness: Harness, view: ImageMapView, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.cursor.move_to(1)
    harness.settle()
    assert not view.map.is_moving
    monkeypatch.setattr(widget_module, "animations_enabled", lambda: True)
    before = view.map.place_of(0)
    harness.cursor.move_to(2)
    harness.settle()
    assert view.map.is_moving
    view.map._animation.setCurrentTime(60)
    between = view.map.place_of(0)
    view.map._animation.setCurrentTime(view.map._animation.duration())
    after = view.map.place_of(0)
    assert before != between != after
    assert not view.map.is_moving
    np.testing.assert_array_equal(view.map._drawn, reading_of(view).points)


def test_a_hidden_map_neither_moves_nor_paints(
    harness: Harness, view: ImageMapView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(widget_module, "animations_enabled", lambda: True)
    harness.cursor.move_to(1)
    harness.settle()
    assert view.map.is_moving
    harness.group.panels[0].hide()
    assert not view.map.is_moving
    monkeypatch.setattr(widget_module.MapPainter, "points", lambda *_: pytest.fail("painted while hidden"))
    harness.cursor.move_to(2)
    harness.settle()


def test_the_wheel_zooms_where_it_is_and_the_way_back_is_seen(view: ImageMapView) -> None:
    spot = view.map.place_of(5)
    assert not view.reset.isEnabled()
    wheel = QWheelEvent(
        spot,
        QPointF(view.map.mapToGlobal(spot)),
        QPoint(),
        QPoint(0, 360),
        Buttons.NoButton,
        Modifiers.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view.map, wheel)
    assert view.map.zoom > 1.5
    assert (view.map.place_of(5) - spot).manhattanLength() < 1
    assert view.is_zoomed
    assert view.reset.isEnabled()
    view.tools.buttons[2].click()
    before = view.map.place_of(5)
    drag(view.map, [QPoint(100, 100), QPoint(90, 95), QPoint(80, 90)])
    assert view.map.place_of(5).x() < before.x()
    view.reset.click()
    assert view.map.zoom == 1
    assert (view.map.place_of(5) - spot).manhattanLength() < 1
    QTest.keyClicks(view.map, "++")
    assert view.map.zoom > 1
    QTest.keyClicks(view.map, "0")
    assert view.map.zoom == 1


def test_the_map_stays_within_its_bounds_and_grows_only() -> None:
    viewport = MapViewport()
    viewport.resize(400, 300)
    corners = np.array([(-2, -1), (2, 1)], np.float32)
    viewport.include(corners)
    places = viewport.to_pixels(corners)
    assert (places >= 0).all()
    assert (places <= (400, 300)).all()
    assert places[0, 1] > places[1, 1], "y points up"
    scale = viewport.scale
    viewport.include(corners / 10)
    assert viewport.scale == scale
    viewport.zoom_by(1e9, QPointF(0, 0))
    assert viewport.zoom == MAX_ZOOM
    viewport.move(1e9, 1e9)
    assert np.abs(viewport._center).max() <= 2
    viewport.zoom_by(1e-9, QPointF(7, 7))
    np.testing.assert_allclose(viewport.to_pixels(corners), places)
    viewport.forget()
    viewport.include(np.zeros((3, 2), np.float32))
    assert np.isfinite(viewport.to_pixels(np.zeros((3, 2), np.float32))).all()


def test_the_map_fills_its_place_wherever_its_points_are() -> None:
    viewport = MapViewport()
    viewport.resize(428, 328)
    corners = np.array([(10, 1), (18, 7)], np.float32)
    viewport.include(corners)
    np.testing.assert_allclose(viewport.to_pixels(corners), [(14, 314), (414, 14)], atol=1e-6)


def test_a_wide_map_is_turned_where_there_is_more_height_than_width() -> None:
    viewport, corners = MapViewport(), np.array([(-4, -1), (4, 1)], np.float32)
    viewport.resize(400, 300)
    viewport.include(corners)
    scale = viewport.scale
    viewport.resize(300, 800)
    assert viewport.scale > 2 * scale
    places = viewport.to_pixels(corners)
    assert np.ptp(places[:, 1]) > 3 * np.ptp(places[:, 0])
    assert (places >= 0).all()
    assert (places <= (300, 800)).all()
    spot = QPointF(120, 500)
    viewport.zoom_by(8, spot)
    seen = viewport.to_pixels(corners)
    viewport.resize(400, 300)
    viewport.resize(300, 800)
    np.testing.assert_allclose(viewport.to_pixels(corners), seen)


def test_a_long_legend_below_the_map_scrolls_down_and_not_sideways(qtbot: QtBot) -> None:
    legend = GroupLegend()
    qtbot.addWidget(legend)
    legend.resize(560, 110)
    legend.show_in_columns(True)
    long = [f"a {'rather ' * (number % 5)}long name {number}" for number in range(100)]
    legend.show_groups(Groups("class", tuple(long), np.arange(100)))
    legend.show()
    assert legend.horizontalScrollBar().maximum() == 0
    assert legend.verticalScrollBar().maximum() > 0
    rects = [legend.visualItemRect(legend.item(row)) for row in range(100)]
    assert len({rect.width() for rect in rects}) == 1
    assert max(rect.right() for rect in rects) <= legend.viewport().width()
    # In the order of the list, from left to right.
    assert rects[0].y() == rects[1].y()
    legend.resize(1_200, 110)
    assert legend.visualItemRect(legend.item(3)).y() == legend.visualItemRect(legend.item(0)).y()


def test_the_legend_is_beside_the_map_or_below_it_where_the_view_is_tall(harness: Harness) -> None:
    panel = harness.panel("viewImageMap", 584, 588)
    view = panel.view
    assert isinstance(view, ImageMapView)
    harness.settle()
    assert view.legend.mapTo(view, QPoint()).x() > view.map.geometry().right()
    beside = view.map.width()
    panel.resize(584, 900)
    harness.window.resize(584, 900)
    harness.settle()
    assert view.legend.mapTo(view, QPoint()).y() > view.map.geometry().bottom()
    assert view.map.width() > beside + 100
    bars = view.legend.horizontalScrollBar(), view.legend.verticalScrollBar()
    assert not any(bar.isVisible() for bar in bars), "ten classes have room"
    for item in map(view.legend.item, range(10)):
        needed = view.legend.fontMetrics().horizontalAdvance(item.text()) + view.legend.iconSize().width()
        assert view.legend.visualItemRect(item).width() > needed


def test_thumbnails_are_shown_where_there_is_room(view: ImageMapView) -> None:
    assert not view.map._shows_thumbnails
    view.map._zoom_by(40, view.map.place_of(5))
    assert view.map._shows_thumbnails
    image = view.map.grab().toImage()
    place, ratio = view.map.place_of(5), image.devicePixelRatio()
    area = view.map._painter.thumbnail_rect(np.array(place.toTuple()))
    corner = reading_of(view).thumbnails[5][:, 0, 0]
    found = QColor(image.pixel(int((area.left() + 2) * ratio), int((area.top() + 2) * ratio)))
    others = [row for row in view.map._seen.tolist() if row > 5]
    hidden = any(
        view.map._painter.thumbnail_rect(view.map._places[row])
        .adjusted(-2, -2, 2, 2)
        .contains(area.topLeft())
        for row in others
    )
    assert hidden or found.getRgb()[:3] == tuple(corner.tolist())


def test_the_mouse_over_a_point_shows_its_image_in_words_too(view: ImageMapView) -> None:
    QTest.mouseMove(view.map, point(view.map.place_of(4)))
    row = view.map._hovered
    assert row >= 0
    reading = reading_of(view)
    actual, predicted = (CLASSES[int(each[row])] for each in (reading.truth, reading.predicted))
    assert view.details.full_text.startswith(
        f"Image {3 * row + 1}: actual: {actual}, predicted: {predicted} ("
    )
    QTest.mouseMove(view.map, QPoint(2, 2))
    assert view.map._hovered == -1
    assert view.details.full_text.startswith("Draw around images")


def test_points_are_painted_in_order_and_cut_off_at_the_edges() -> None:
    for shape in SHAPES:
        image = np.full((20, 30), 0xFFFFFFFF, np.uint32)
        places = np.array([(10, 10), (10, 10), (0, 0), (29.9, 19.9), (-50, 5), (5, 4000)], float)
        groups = np.array([0, 1, 0, 0, 0, 0])
        paint_points(image, places, groups, [(0x112233, shape), (0x445566, shape)], 3.0, 0xFFFFFF)
        assert image[10, 10] == 0xFF445566
        assert image[0, 0] == image[19, 29] == 0xFF112233
        assert (image >> 24 == 0xFF).all()
        assert (image == 0xFFFFFFFF).mean() > 0.8
    paint_points(image, np.zeros((0, 2)), np.zeros(0, int), [], 3.0, 0xFFFFFF)


def test_another_run_has_a_map_of_its_own_size(harness: Harness, view: ImageMapView) -> None:
    view.map._zoom_by(4, QPointF(50, 50))
    scale = view.map._viewport.scale / view.map.zoom
    small = embedding(count=30)
    reading = EmbeddingReading(**{**_fields(small), "points": small.points / 10})
    harness.answers.respond = lambda question: Answer(reading, question.epoch)
    harness.cursor.show(record(folder=harness.cursor.record.folder.with_name("other")), is_live=False)  # type: ignore[union-attr]  # the canned run has one
    harness.settle()
    assert view.map.zoom == 1
    assert view.map._viewport.scale > 5 * scale
    assert view.map.count == 30


def _fields(reading: EmbeddingReading) -> dict[str, object]:
    names = (
        "classes",
        "total",
        "index",
        "truth",
        "predicted",
        "confidence",
        "points",
        "explained",
        "thumbnails",
    )
    return {name: getattr(reading, name) for name in names}


# What other views get


def test_the_chosen_images_can_be_reviewed(harness: Harness, view: ImageMapView) -> None:
    assert view.images_to_review() is None
    harness.selection.choose_images((9, 12))
    harness.settle()
    wanted = view.images_to_review()
    assert wanted is not None
    reading = reading_of(view)
    assert [each.number for each in wanted.images] == [9, 12]
    assert wanted.images[0].suggested is None
    assert wanted.images[1].suggested == CLASSES[int(reading.predicted[4])]
    texts = [each.text() for each in harness.group.panels[0].view_actions(view)]
    assert texts[0] == "Review these 2 images…"


def test_the_table_has_all_images(harness: Harness, view: ImageMapView) -> None:
    harness.selection.choose_images((9,))
    harness.settle()
    head, *rows = view.table()
    assert len(rows) == 200
    assert dict(zip(head, rows[3], strict=True))["chosen"] == 1
    assert [row[0] for row in rows[:3]] == [1, 4, 7]


def test_enter_lists_the_chosen_images_and_escape_leads_back(harness: Harness, view: ImageMapView) -> None:
    panel = harness.group.panels[0]
    harness.selection.choose_images((9, 12, 30))
    harness.settle()
    view.map.setFocus()
    QTest.keyClick(view.map, Keys.Key_Return)
    harness.settle()
    mistakes = panel.view
    assert isinstance(mistakes, MistakesView)
    asked = [question for question in harness.answers.wanted if question.instrument == "mistakes"]
    assert [dict(question.options)["rows"] for question in asked] == [(9, 12, 30)]
    assert mistakes.lists.buttons[mistakes.lists.index].text() == "3 chosen"
    mistakes.list.setCurrentIndex(mistakes.list.model().index(1, 0))
    QTest.keyClick(mistakes.list, Keys.Key_Down)
    assert harness.selection.images == (9, 12, 30), "looking at one of them lost the others"
    QTest.keyClick(mistakes.list, Keys.Key_Escape)
    harness.settle()
    assert panel.view is view
    assert view.map.chosen_rows == (3, 4, 10)
