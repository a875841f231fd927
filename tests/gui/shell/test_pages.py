"""The pages of the window: turning them, what they remember, keys, and how they fit the window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import shiboken6
from PySide6.QtCore import QEvent, QObject, QPoint, QSize, Qt
from PySide6.QtGui import QAction, QFontMetrics
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QFileDialog,
    QPushButton,
    QSplitter,
    QToolButton,
    QTreeView,
    QWidget,
)
from pytestqt.qtbot import QtBot

from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.data.sources import register
from cnnstudio.data.sources.image_folder import ImageFolder
from cnnstudio.design.templates import template
from cnnstudio.gui.compute.session import State
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.pages.layer_strip import LayerStrip
from cnnstudio.gui.pages.page import focus_panel
from cnnstudio.gui.runs.follower import read_run
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.gui.theme.theme import theme
from cnnstudio.layers.base import Family
from cnnstudio.training.recipe.built_in import LESSON
from tests.gui.canned import run_events
from tests.gui.data.test_data_dialog import image_folder
from tests.gui.user_input import Keyboard
from tests.runs.written import WrittenRun

OpenWindow = Callable[..., MainWindow]
CTRL, ALT, SHIFT = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.AltModifier,
    Qt.KeyboardModifier.ShiftModifier,
)
NONE = Qt.KeyboardModifier.NoModifier
TITLES = ("Data", "Design", "Train", "Explore", "Use")


@pytest.fixture
def open_window(qtbot: QtBot) -> Iterator[OpenWindow]:
    """Opens windows that never load torch, and closes them at the end."""
    windows: list[MainWindow] = []

    def start(width: int = 1280, height: int = 720) -> MainWindow:
        window = create_window()
        window.session.preload = lambda: None  # type: ignore[method-assign]  # nothing computes here
        window.session.fetch = lambda *arguments: None  # type: ignore[method-assign, assignment, return-value]  # nor here
        windows.append(window)
        window.message_bar.hide()
        window.resize(width, height)
        with qtbot.waitActive(window):
            window.show()
            window.activateWindow()
        return window

    yield start
    for window in windows:
        close(window)


def close(window: MainWindow) -> None:
    if shiboken6.isValid(window):
        window.session._set_state(State.IDLE)
        if window.isWindowModified():
            window.project.mark_saved(Path("elsewhere.cnn.json"))
        window.close()
        shiboken6.delete(window)


def switch_button(window: MainWindow, title: str) -> QAbstractButton:
    found = window.findChild(QAbstractButton, f"pageButton{title}")
    assert isinstance(found, QAbstractButton)
    return found


def begin_training(window: MainWindow) -> None:
    """As the session reports it."""
    session = window.session
    session.network, session.dataset_name = window.project.network, window.project.dataset_name
    session._set_state(State.LOADING)
    session.events.emit(tuple(run_events(epochs=3)))
    session._set_state(State.RUNNING)


@pytest.fixture
def run(tmp_path: Path) -> WrittenRun:
    run = WrittenRun(tmp_path / "run")
    run.update_metadata(status="stopped", reason="Stopped in epoch 4.")
    run.append(*run_events(epochs=3))
    return run


def drag(qtbot: QtBot, widget: QWidget, distance: QPoint) -> None:
    start = widget.rect().center()
    qtbot.mousePress(widget, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(widget, start + distance)
    qtbot.mouseRelease(widget, Qt.MouseButton.LeftButton, pos=start + distance)


# Turning pages


def test_the_switch_and_its_keys_turn_the_pages(open_window: OpenWindow, qtbot: QtBot) -> None:
    window = open_window()
    assert window.pages.current.title == "Design"
    for title in TITLES:
        qtbot.mouseClick(switch_button(window, title), Qt.MouseButton.LeftButton)
        assert window.findChild(QWidget, f"page{title}").isVisible()
    for number, title in enumerate(TITLES):
        Keyboard(window).press(Qt.Key(Qt.Key.Key_1 + number), CTRL)
        assert window.pages.current.title == title
        assert switch_button(window, title).isChecked()


def test_no_page_opens_a_window_of_its_own(open_window: OpenWindow, qtbot: QtBot) -> None:
    window = open_window()
    opened, application = _Opened(window), QApplication.instance()
    assert application is not None
    application.installEventFilter(opened)
    for title in TITLES:
        qtbot.mouseClick(switch_button(window, title), Qt.MouseButton.LeftButton)
    application.removeEventFilter(opened)
    assert opened.names == []
    assert window.isActiveWindow()


class _Opened(QObject):
    """Notes what is shown as a window."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.names: list[str] = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
            self.names.append(f"{type(watched).__name__} {watched.objectName()}")
        return False


def test_turning_a_page_changes_nothing_else(open_window: OpenWindow) -> None:
    window = open_window()
    window.project.select(["conv2d_2"])
    begin_training(window)
    window.shown_run.cursor.move_to(2)
    before = (window.project.network, window.project.selection, window.project.dataset_name)
    for number in range(5):
        window.pages.turn_to(number)
        assert (window.project.network, window.project.selection, window.project.dataset_name) == before
        assert window.shown_run.cursor.epoch == 2
        assert window.shown_run.selection.layer == "conv2d_2"


def test_a_page_is_built_when_it_is_first_shown(open_window: OpenWindow) -> None:
    window = open_window()
    assert len(window.findChildren(QWidget, "layerStrip")) == 1
    late = ("thumbnails", "exportPanel", "codeFile", "fieldView", "drawingView")
    assert [name for name in late if window.findChild(QWidget, name) is not None] == []
    for number in range(5):
        window.pages.turn_to(number)
    assert [name for name in late[:2] if window.findChild(QWidget, name) is None] == []
    assert len(window.findChildren(QWidget, "layerStrip")) == 2


def test_pressing_train_turns_to_the_curves_and_a_user_who_turns_back_stays(open_window: OpenWindow) -> None:
    window = open_window()
    begin_training(window)
    assert window.pages.current.title == "Train"

    window.pages.turn_to(window.pages.DESIGN)
    window.session.events.emit(tuple(run_events(epochs=4)[-2:]))
    window.session._set_state(State.PAUSED)
    window.session._set_state(State.RUNNING)
    assert window.pages.current.title == "Design"


def test_after_a_click_on_train_the_focus_is_in_the_list_of_layers(
    open_window: OpenWindow, qtbot: QtBot
) -> None:
    window = open_window()
    window.session.start = lambda *_, **__: begin_training(window)  # type: ignore[method-assign]
    button = next(
        each for each in window.tool_bar.findChildren(QPushButton) if each.text().strip() == "Train"
    )
    button.setFocus()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert window.pages.current.title == "Train"
    strip = window.pages.train.strip.view
    assert QApplication.focusWidget() is strip
    # No row is chosen: the list itself shows that it has the focus.
    focused = strip.grab().toImage()
    window.pages.train.curves.show_button.setFocus()
    assert strip.grab().toImage() != focused


@pytest.mark.parametrize("panel", ["palette", "inspector"])
def test_insert_types_a_layer_wherever_the_focus_is_on_the_page(panel: str, open_window: OpenWindow) -> None:
    window = open_window()
    page = window.pages.design
    focus_panel(page.layer_types if panel == "palette" else page.inspector)
    assert not page.layers.isAncestorOf(QApplication.focusWidget())
    Keyboard(window).press(Qt.Key.Key_Insert)
    focused = QApplication.focusWidget()
    assert focused is not None
    assert focused.objectName() == "quickInsert"


def test_each_page_remembers_its_own_places_and_rail(open_window: OpenWindow, qtbot: QtBot) -> None:
    first = open_window()
    first.pages.turn_to(first.pages.TRAIN)
    handle = first.pages.train.findChild(QSplitter, "trainColumns").handle(1)
    drag(qtbot, handle, QPoint(60, 0))
    first.pages.turn_to(first.pages.EXPLORE)
    strip = first.pages.explore.strip
    assert strip.is_rail
    qtbot.mouseClick(strip.findChild(QWidget, "stripFold"), Qt.MouseButton.LeftButton)
    assert not strip.is_rail
    close(first)

    second = open_window()
    assert second.pages.current.title == "Explore"
    assert not second.pages.explore.strip.is_rail
    second.pages.turn_to(second.pages.TRAIN)
    assert not second.pages.train.strip.is_rail
    assert abs(second.pages.train.strip.width() - 300) <= 2

    second.findChild(QAction, "actionResetLayout").trigger()
    assert abs(second.pages.train.strip.width() - 240) <= 2


def test_the_last_design_recipe_data_set_and_run_come_back(
    open_window: OpenWindow, run: WrittenRun, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_window()
    first.project.open_network(template("resnet-20").network, None)
    first.project.set_recipe(LESSON.replace(name="custom", epochs=3))
    first.open_run(run.folder)
    close(first)

    opened, open_network = [], Project.open_network
    monkeypatch.setattr(
        Project, "open_network", lambda *arguments: (opened.append(arguments), open_network(*arguments))
    )
    second = open_window()
    assert len(opened) == 1
    assert second.project.network == template("resnet-20").network
    assert second.project.recipe == LESSON.replace(name="custom", epochs=3)
    assert not second.project.undo_stack.canUndo()
    qtbot.waitUntil(lambda: second.run_folder == run.folder)
    assert second.project.network == template("resnet-20").network


def test_what_is_gone_is_left_out_at_the_next_start(
    open_window: OpenWindow, run: WrittenRun, tmp_path: Path, home: Path
) -> None:
    first = open_window()
    first.project.mark_saved(tmp_path / "gone.cnn.json")
    first.open_run(run.folder)
    close(first)
    (run.folder / "run.json").unlink()
    (home / "last.cnn.json").write_text("not a design")

    second = open_window()
    assert second.project.network == template("lesson-32").network
    assert second.message_bar.text == ""
    assert second.run_folder is None


def test_an_empty_design_does_not_come_back(open_window: OpenWindow) -> None:
    first = open_window()
    assert first.documents.new()
    close(first)
    assert open_window().project.network == template("lesson-32").network


# Data


def data_set(name: str = "shapes", count: int = 6) -> Dataset:
    def split(total: int) -> Split:
        images = np.arange(total * 3 * 64, dtype=np.uint64).astype(np.uint8).reshape(total, 3, 8, 8)
        return Split(images, np.arange(total, dtype=np.int64) % 3)

    return Dataset(name, "Shapes", ("cat", "dog", "frog"), split(count), split(3))


def test_the_images_of_a_training_are_shown_while_it_runs(open_window: OpenWindow, qtbot: QtBot) -> None:
    window, found = open_window(), data_set()
    begin_training(window)
    window.session.dataset_loaded.emit(("shapes", found))

    window.pages.turn_to(window.pages.DATA)

    page = window.pages.data
    assert page.images.grid.counts == [2, 2, 2]
    assert page.images.head.secondary.full_text == "6 images · 8 × 8 · color"
    assert page.images.balance.full_text == (
        "Balanced: 2 images per class · in use by the running training; changes apply to the next run"
    )
    row = page.details.sets.findChild(QWidget, "source_shapes")
    use = row.findChild(QPushButton, "use")
    assert (use.text(), use.isEnabled()) == ("In use", False)
    page.images.split.setCurrentIndex(1)
    assert page.images.grid.counts == [1, 1, 1]


def test_a_class_alone_and_an_image_are_chosen_by_mouse_and_keys(
    open_window: OpenWindow, qtbot: QtBot
) -> None:
    window, found = open_window(), data_set()
    window.session.dataset_loaded.emit(("shapes", found))
    window.pages.turn_to(window.pages.DATA)
    grid, keys = window.pages.data.images.grid, Keyboard(window)

    qtbot.mouseClick(grid.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(30, 6 + 46 + 10))
    assert window.pages.data.images.all_classes.isVisible()
    grid.setFocus()
    keys.press(Qt.Key.Key_Right)
    keys.press(Qt.Key.Key_Right)
    assert "dog, image 2" in grid.accessibleDescription()
    keys.press(Qt.Key.Key_Escape)
    assert not window.pages.data.images.all_classes.isVisible()


def test_a_hidden_data_page_loads_nothing_and_stays_with_what_is_looked_at(
    open_window: OpenWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    window, fetched = open_window(), list[str]()
    window.session.fetch = lambda name, *_: fetched.append(name)  # type: ignore[method-assign, assignment, return-value, func-returns-value]
    flowers = register(ImageFolder(image_folder(tmp_path / "flowers")))
    window.dialogs.data_sets_changed.emit()
    window.pages.turn_to(window.pages.DATA)
    page = window.pages.data
    page.sets.list.choose(flowers.name)
    assert fetched == ["shapes"]
    qtbot.waitUntil(lambda: page.images.grid.counts == [2, 2])

    # What becomes known about the data set in use does not turn the page to it.
    window.project.set_dataset("shapes", 10, "Shapes in color")
    assert page.sets.list.chosen == "flowers"

    window.pages.turn_to(window.pages.DESIGN)
    window.project.set_dataset("flowers", 2)
    window.project.set_dataset("shapes", 10)
    assert fetched == ["shapes"]
    window.pages.turn_to(window.pages.DATA)
    assert fetched == ["shapes", "shapes"]


def test_data_sets_that_are_added_appear_on_the_data_page(
    open_window: OpenWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window()
    window.pages.turn_to(window.pages.DATA)
    page = window.pages.data
    register(ImageFolder(image_folder(tmp_path / "flowers")))
    window.dialogs.data_sets_changed.emit()
    page.sets.list.choose("flowers")
    assert page.sets.list.chosen == "flowers"

    folder = image_folder(tmp_path / "birds")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *arguments: str(folder))
    page.sets.add_menu.actions()[0].trigger()
    qtbot.waitUntil(page.adding.add_and_use.isEnabled)
    qtbot.mouseClick(page.adding.add_and_use, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.sets.list.chosen == "birds")
    assert window.project.dataset_name == "birds"
    qtbot.waitUntil(lambda: page.runner.report is not None)


# Before there is a run


def test_without_a_run_the_layers_are_those_of_the_open_design(open_window: OpenWindow) -> None:
    window = open_window()
    for number in (window.pages.TRAIN, window.pages.EXPLORE):
        window.pages.turn_to(number)
        strip = window.pages.current.findChild(LayerStrip)
        assert strip._model.layers == tuple(node.id for node in window.project.network.walk())
    window.project.open_network(template("lenet-5").network, None)
    assert strip._model.layers == tuple(node.id for node in window.project.network.walk())

    window.pages.turn_to(window.pages.TRAIN)
    begin_training(window)
    strip = window.pages.train.strip
    trained = strip._model.layers
    window.project.open_network(template("lesson-32").network, None)
    assert strip._model.layers == trained


def test_without_a_run_explore_says_what_it_shows_and_leads_to_the_runs(
    open_window: OpenWindow, qtbot: QtBot, run: WrittenRun
) -> None:
    window = open_window()
    window.pages.turn_to(window.pages.EXPLORE)
    button, panel = window.findChild(QPushButton, "openRun"), window.pages.explore.view_panels[0]
    middle = button.mapTo(window, button.rect().center()).x()
    assert abs(middle - panel.mapTo(window, panel.rect().center()).x()) <= 1
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert window.runs_overlay.isVisible()
    window.runs_overlay.close_table()
    window.open_run(run.folder)
    assert not button.isVisible()


def test_without_a_run_use_leads_to_the_runs(open_window: OpenWindow, qtbot: QtBot) -> None:
    window = open_window()
    window.pages.turn_to(window.pages.USE)
    button = window.findChild(QPushButton, "openRunToTry")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert window.runs_overlay.isVisible()


# The run on show


def test_looking_at_a_run_leaves_the_open_design_and_the_folder_as_they_are(
    open_window: OpenWindow, run: WrittenRun
) -> None:
    window = open_window()
    window.project.open_network(template("resnet-20").network, None)
    window.project.select(["conv2d_1"])
    network, files = window.project.network, sorted(path.name for path in run.folder.rglob("*"))

    window.open_run(run.folder)

    assert window.run_folder == run.folder
    assert window.project.network is network
    assert window.project.selection == ("conv2d_1",)
    assert sorted(path.name for path in run.folder.rglob("*")) == files
    assert window.shown_run_button.full_text.startswith(f"{read_run(run.folder).record.network.name} · ")
    assert "not the open design" in window.shown_run_button.toolTip()


def test_the_design_of_the_run_is_opened_by_its_own_action(open_window: OpenWindow, run: WrittenRun) -> None:
    window = open_window()
    window.open_run(run.folder)

    window.findChild(QAction, "actionOpenRunDesign").trigger()

    assert window.project.network == read_run(run.folder).record.network
    assert window.pages.current.title == "Design"


def test_a_training_that_cannot_start_leaves_the_run_on_show(
    open_window: OpenWindow, run: WrittenRun
) -> None:
    window = open_window()
    window.open_run(run.folder)
    title = window.shown_run_button.full_text
    session = window.session
    session.network = window.project.network
    session._set_state(State.LOADING)
    assert window.run_folder is None
    session.failed.emit("There is no folder of images.")
    session._set_state(State.IDLE)
    assert window.run_folder == run.folder
    assert window.shown_run.record.last_epoch == 3
    assert window.shown_run.follower.record is not None
    assert window.shown_run_button.full_text == title
    assert window.message_bar.text == "There is no folder of images."

    # The next attempt takes what was said with it.
    begin_training(window)
    assert window.message_bar.text == ""
    assert window.shown_run.is_own
    assert window.shown_run.follower.record is None


def test_a_run_can_be_looked_at_while_another_one_trains(
    open_window: OpenWindow, run: WrittenRun, qtbot: QtBot
) -> None:
    window = open_window()
    begin_training(window)
    window.open_run(run.folder)
    assert window.run_folder == run.folder
    assert not window.shown_run.is_live

    window.session.events.emit(tuple(run_events(epochs=4)[-2:]))
    window.shown_run.show_own()

    assert window.shown_run.is_live
    assert window.shown_run.record.last_epoch == 4


# Keys


def test_arrows_move_over_the_epochs_unless_the_focus_needs_them(open_window: OpenWindow) -> None:
    window = open_window()
    begin_training(window)
    cursor, keys = window.shown_run.cursor, Keyboard(window)
    window.pages.train.strip.view.setFocus()
    for key, epoch in ((Qt.Key.Key_Home, 0), (Qt.Key.Key_L, None)):
        # The list of layers uses Home itself.
        window.setFocus()
        keys.press(key)
        assert cursor.epoch == epoch
    keys.press(Qt.Key.Key_Left)
    keys.press(Qt.Key.Key_Left)
    assert cursor.epoch == 1

    window.pages.turn_to(window.pages.DESIGN)
    window.layers.tree.setFocus()
    keys.press(Qt.Key.Key_Down)
    keys.press(Qt.Key.Key_Home)
    assert cursor.epoch == 1
    keys.press(Qt.Key.Key_Right, ALT)
    assert cursor.epoch == 2

    # Data has no timeline, on which the move could be seen.
    window.pages.turn_to(window.pages.DATA)
    window.setFocus()
    for key, modifier in ((Qt.Key.Key_Home, NONE), (Qt.Key.Key_Space, NONE), (Qt.Key.Key_Right, ALT)):
        keys.press(key, modifier)
    assert (cursor.epoch, cursor.is_playing) == (2, False)


def test_space_plays_the_epochs(open_window: OpenWindow, qtbot: QtBot) -> None:
    window = open_window()
    begin_training(window)
    cursor = window.shown_run.cursor
    cursor._timer.setInterval(1)
    window.setFocus()

    Keyboard(window).press(Qt.Key.Key_Space)

    qtbot.waitUntil(lambda: cursor.is_playing or cursor.epoch is None)
    qtbot.waitUntil(lambda: not cursor.is_playing)
    assert cursor.epoch is None


def test_f6_goes_through_the_panels_the_list_first(open_window: OpenWindow) -> None:
    window = open_window()
    keys = Keyboard(window)
    assert QApplication.focusWidget() is window.layers.tree

    seen = []
    for _ in range(3):
        keys.press(Qt.Key.Key_F6)
        focused = QApplication.focusWidget()
        seen.append(
            next(n for n, panel in enumerate(window.pages.current.panels) if panel.isAncestorOf(focused))
        )
    assert seen == [1, 2, 0]
    keys.press(Qt.Key.Key_F6, SHIFT)
    assert window.pages.current.panels[2].isAncestorOf(QApplication.focusWidget())


def test_f6_leads_to_the_contents_of_a_panel_not_to_the_buttons_of_its_head(
    open_window: OpenWindow,
) -> None:
    window = open_window()
    begin_training(window)
    keys = Keyboard(window)
    # A view on Explore that has nothing to show yet has only its head.
    for number in (window.pages.TRAIN, window.pages.DATA):
        window.pages.turn_to(number)
        assert window.pages.current.panels[0].isAncestorOf(QApplication.focusWidget())
        for _ in range(2):
            assert not isinstance(QApplication.focusWidget(), QAbstractButton), window.pages.current.title
            keys.press(Qt.Key.Key_F6)


def test_the_layer_list_is_the_first_tab_stop_after_the_tool_bar(open_window: OpenWindow) -> None:
    window = open_window()
    last = window.shown_run_button
    last.setFocus()
    Keyboard(window).press(Qt.Key.Key_Tab)
    assert QApplication.focusWidget() is window.layers.tree


# Places


@pytest.mark.parametrize(("height", "rows"), [(720, 15), (686, 14), (646, 14)])
def test_so_many_rows_of_the_layer_list_are_visible(open_window: OpenWindow, height: int, rows: int) -> None:
    window = open_window(1280, height)
    window.project.open_network(template("resnet-20").network, None)
    tree = window.layers.tree
    tree.expandAll()
    QApplication.processEvents()
    assert isinstance(tree, QTreeView)
    viewport = tree.viewport()
    index, whole = tree.indexAt(QPoint(5, 5)), 0
    while index.isValid() and tree.visualRect(index).bottom() <= viewport.height():
        whole, index = whole + 1, tree.indexBelow(index)
    assert whole >= rows


@pytest.mark.parametrize("size", [QSize(1024, 700), QSize(1280, 720), QSize(1920, 1080)])
def test_nothing_is_cut_off_or_moves_when_a_run_starts(open_window: OpenWindow, size: QSize) -> None:
    window = open_window(size.width(), size.height())
    assert window.size() == size
    for number in range(5):
        window.pages.turn_to(number)
        QApplication.processEvents()
        for panel in window.pages.current.panels:
            if panel.isVisible():
                place = panel.mapTo(window, QPoint(0, 0))
                assert place.x() >= 8
                assert place.x() + panel.width() <= size.width() - 8
                assert place.y() + panel.height() <= size.height() - 40
    window.pages.turn_to(window.pages.TRAIN)
    QApplication.processEvents()
    before = [panel.geometry() for panel in (*window.pages.train.panels, window.tool_bar, window.bottom_bar)]

    begin_training(window)
    QApplication.processEvents()

    assert window.size() == size
    after = [panel.geometry() for panel in (*window.pages.train.panels, window.tool_bar, window.bottom_bar)]
    assert after == before


@pytest.mark.parametrize(
    ("key", "inside"),
    [
        (Qt.Key.Key_2, "inspector"),
        (Qt.Key.Key_3, "codeFile"),
        (Qt.Key.Key_4, "receptiveField"),
        (Qt.Key.Key_5, "drawingPanel"),
    ],
)
def test_a_key_shows_each_panel_of_the_design_page_from_any_page(
    qtbot: QtBot, open_window: OpenWindow, key: Qt.Key, inside: str
) -> None:
    window = open_window()
    keys = Keyboard(window)
    window.pages.turn_to(window.pages.TRAIN)
    keys.press(key, ALT)
    assert window.pages.current is window.pages.design
    panel = window.findChild(QWidget, inside)
    assert panel is not None
    qtbot.waitUntil(panel.isVisible)
    if key is Qt.Key.Key_5:
        keys.press(key, ALT)
        assert not panel.isVisible()


def test_in_a_narrow_window_the_palette_and_the_layers_are_rails(open_window: OpenWindow) -> None:
    window = open_window(1024, 700)
    assert window.pages.design.layer_types.width() == 48
    window.pages.turn_to(window.pages.TRAIN)
    assert window.pages.train.strip.width() == 48
    window.resize(1280, 720)
    assert window.pages.train.strip.width() > 48


def test_a_wide_window_becomes_narrow_at_once_on_every_page(open_window: OpenWindow) -> None:
    window = open_window(1920, 1080)
    for number in range(5):
        window.pages.turn_to(number)
        QApplication.processEvents()
        window.resize(1024, 700)
        QApplication.processEvents()
        assert (window.width(), window.height()) == (1024, 700)
        for panel in window.pages.current.panels:
            if panel.isVisible():
                assert panel.mapTo(window, QPoint(panel.width(), 0)).x() <= 1024 - 8
        window.resize(1920, 1080)
        QApplication.processEvents()


def test_a_large_window_has_wider_curves_and_they_stay_as_the_user_drags_them(
    open_window: OpenWindow, qtbot: QtBot
) -> None:
    window = open_window(1280, 720)
    window.pages.turn_to(window.pages.TRAIN)
    page = window.pages.train
    assert page.curves.width() == 418
    window.resize(1920, 1080)
    QApplication.processEvents()
    assert page.curves.width() == pytest.approx(418 + 640 / 3, abs=1)
    assert page.view_panel.width() == pytest.approx(582 + 640 * 2 / 3, abs=1)

    handle = page.findChild(QSplitter, "trainColumns").handle(2)
    middle = handle.rect().center()
    qtbot.mousePress(handle, Qt.MouseButton.LeftButton, pos=middle)
    qtbot.mouseMove(handle, middle + QPoint(100, 0))
    qtbot.mouseRelease(handle, Qt.MouseButton.LeftButton, pos=middle + QPoint(100, 0))
    dragged = page.curves.width()
    assert dragged > 700
    page.refit()
    assert page.curves.width() == dragged


@pytest.mark.parametrize("width", [1000, 1024, 1280])
def test_the_names_of_the_pages_are_whole_beside_what_training_starts_from(
    open_window: OpenWindow, width: int
) -> None:
    window = open_window(width, 700)
    window.tool_bar.start.restore('{"source": "/runs/head@3", "title": "Head, epoch 3"}')
    QApplication.processEvents()
    assert window.tool_bar.start_chip.isVisible()
    strong = QFontMetrics(theme().font("strong"))
    for button in window.page_switch.buttons:
        assert button.width() >= strong.horizontalAdvance(button.text()) + 8
    button = window.shown_run_button
    assert button.mapTo(window, QPoint(button.width(), 0)).x() == width - 12
    bar = window.tool_bar.bar
    assert 12 <= bar.width() <= button.x() - bar.x()


@pytest.mark.parametrize("width", [1024, 1280])
def test_the_controls_of_the_tool_bar_are_in_its_middle(open_window: OpenWindow, width: int) -> None:
    window = open_window(width, 700)
    bar = window.tool_bar
    for control in (window.page_switch, bar.data, bar.recipe, window.shown_run_button):
        top = control.mapTo(bar, QPoint()).y()
        assert (top, control.height()) == (8, 32)
    assert window.page_switch.mapTo(window, QPoint()).x() == 12
    button = window.shown_run_button
    assert button.mapTo(window, QPoint(button.width(), 0)).x() == width - 12


def test_the_palette_stays_as_the_user_folded_it_in_windows_of_that_width(open_window: OpenWindow) -> None:
    window = open_window(1024, 700)
    palette = window.pages.design.layer_types
    palette.findChild(QToolButton, "paletteFold").click()
    palette.findChild(QPushButton, "familyGroup").click()
    assert palette.width() > 180

    again = open_window(1024, 700).pages.design.layer_types
    assert again.width() > 180
    assert again.families.folded == {Family.REGULARIZATION}
