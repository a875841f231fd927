"""The table of runs, driven by mouse and keys as a user does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import QAbstractItemModel, QPoint, Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtTest import QAbstractItemModelTester, QTest
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot
from send2trash import TrashPermissionError

from cnnstudio.core.locking import FileLock
from cnnstudio.gui.compute.session import State
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.runs.table import column_sets, reader
from cnnstudio.gui.runs.table.choices import TableChoices
from cnnstudio.gui.runs.table.label_box import LabelBox
from cnnstudio.gui.runs.table.overlay import RunsOverlay
from cnnstudio.gui.runs.table.panel import RunsTable
from cnnstudio.gui.runs.table.run_commands import RunCommands
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.gui.widgets.message_box import MessageBox
from cnnstudio.gui.widgets.number_box import NumberBox
from cnnstudio.runs.archive.unpacking import open_archive
from cnnstudio.runs.library import trash as system_trash
from cnnstudio.runs.library.finding import runs_folder
from cnnstudio.runs.library.label import RunLabel, change_label, read_label
from cnnstudio.runs.run import Run
from cnnstudio.training.recipe.recipe import Recipe
from tests.gui.fakes import TINY, FakeSession
from tests.runs.library.listed import ended, progress
from tests.runs.written import WrittenRun, trained
from tests.training.networks import tiny

LEFT = Qt.MouseButton.LeftButton
KEY = Qt.Key


class Opened:
    """The table in a window, with all that it has emitted."""

    def __init__(self, qtbot: QtBot) -> None:
        self.window = QWidget()
        self.page = QPushButton("a page")
        layout = QVBoxLayout(self.window)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.page)
        self.window.resize(1280, 620)
        self.session = FakeSession()
        self.session.setParent(self.window)
        self.commands = RunCommands(self.session, self.window)
        self.table = RunsTable(self.commands, Settings())
        self.overlay = RunsOverlay(self.table, self.page, self.window)
        self.messages: list[Message] = []
        self.commands.message.connect(self.messages.append)
        self.shown: list[Path] = []
        self.table.run_chosen.connect(self.shown.append)
        self.compared: list[tuple[Path, Path]] = []
        self.table.compared.connect(self.compared.append)
        self.designs: list[object] = []
        self.commands.design_requested.connect(self.designs.append)
        self.qtbot = qtbot
        self.page.setSizePolicy(self.overlay.sizePolicy())
        with qtbot.waitActive(self.window):
            self.window.show()

    @property
    def view(self) -> QWidget:
        return self.table.view

    def open(self, shown: Path | None = None) -> None:
        self.page.setFocus()
        self.overlay.open_table(shown)
        self.wait_listed()

    def wait_listed(self) -> None:
        self.qtbot.waitUntil(lambda: not self.table._reader.is_reading, timeout=60_000)

    def titles(self) -> list[str]:
        """The texts of the first column; groups in brackets."""
        found = []
        for row in self.table.model.arrangement.rows:
            found.append(row.run.id if row.run is not None else f"[{row.group.title}]" if row.group else "")
        return found

    def press(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        focused = QApplication.focusWidget()
        assert focused is not None
        QTest.keyClick(focused, key, modifiers)

    def button(self, name: str) -> QPushButton:
        found = self.table.findChild(QPushButton, name)
        assert isinstance(found, QPushButton)
        return found

    def row_point(self, row: int, x: int = 200) -> QPoint:
        rect = self.table.view.visualRect(self.table.model.index(row, 0))
        return QPoint(x, rect.center().y())

    def click_row(self, row: int, x: int = 200) -> None:
        QTest.mouseClick(
            self.table.view.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, self.row_point(row, x)
        )

    def choose(self, name: str, data: str) -> None:
        """Chooses an entry of one of the two lists in the head by keys."""
        choice = self.table.findChild(QComboBox, name)
        assert isinstance(choice, QComboBox)
        choice.setFocus()
        wanted = choice.findData(data)
        assert wanted >= 0
        while choice.currentIndex() != wanted:
            QTest.keyClick(choice, KEY.Key_Down if choice.currentIndex() < wanted else KEY.Key_Up)

    def count_text(self) -> str:
        return self.table.head.count_text


@pytest.fixture
def opened(qtbot: QtBot) -> Iterator[Opened]:
    opened = Opened(qtbot)
    yield opened
    opened.table.close_tasks()
    opened.overlay.hide()
    opened.window.close()
    shiboken6.delete(opened.window)


@pytest.fixture
def three() -> None:
    """mine-0, mine-1 and mine-2, each started a minute after the one before, with these accuracies."""
    trained(runs_folder(), tiny(), (0.5, 0.7, 0.6))
    for number, accuracy in enumerate((0.52, 0.72, 0.62)):
        run = runs_folder() / f"mine-{number}"
        content = json.loads((run / "run.json").read_text()) | {
            "created": f"2026-11-23T08:0{number}:00+00:00"
        }
        (run / "run.json").write_text(json.dumps(content))
        later = progress(20, 1.0), ended(2, 1.5, accuracy / 2)
        with open(run / "events.jsonl", "wb") as file:
            for event in (progress(10, 2.0), ended(1, 2.0, accuracy, best=True), *later):
                file.write(json.dumps(event.to_json()).encode() + b"\n")


@pytest.mark.usefixtures("three")
def test_the_runs_are_listed_newest_first_with_the_shown_one_in_focus(opened: Opened) -> None:
    opened.open(runs_folder() / "mine-1")
    assert opened.titles() == ["mine-2", "mine-1", "mine-0"]
    assert opened.table.view.hasFocus()
    current = opened.table.view.current_run()
    assert current is not None
    assert current.id == "mine-1"
    assert opened.count_text() == "3 runs on Shapes"


@pytest.mark.usefixtures("three")
def test_the_model_keeps_qts_rules_while_everything_changes(opened: Opened) -> None:
    tester = QAbstractItemModelTester(
        opened.table.model, QAbstractItemModelTester.FailureReportingMode.Fatal, opened.window
    )
    opened.open()
    for group in ("recipe", "", "training"):
        opened.choose("runsGroup", group)
    opened.view.setFocus()
    for key in (KEY.Key_Home, KEY.Key_Left, KEY.Key_Right, KEY.Key_Down, KEY.Key_Space, KEY.Key_A):
        opened.press(key, Qt.KeyboardModifier.ControlModifier if key == KEY.Key_A else Qt.KeyboardModifier(0))
    opened.choose("runsColumns", column_sets.ALL)
    opened.choose("runsColumns", column_sets.RESULTS)
    assert isinstance(tester.model(), QAbstractItemModel)


@pytest.mark.usefixtures("three")
def test_enter_and_a_double_click_show_a_run(opened: Opened) -> None:
    opened.open()
    opened.press(KEY.Key_Down)
    opened.press(KEY.Key_Return)
    assert opened.shown == [runs_folder() / "mine-1"]
    place = opened.row_point(2)
    QTest.mouseClick(opened.table.view.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, place)
    QTest.mouseDClick(opened.table.view.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, place)
    assert opened.shown[1:] == [runs_folder() / "mine-0"]


@pytest.mark.usefixtures("three")
def test_space_and_the_check_box_choose_and_two_runs_can_be_compared(opened: Opened) -> None:
    opened.open()
    compare = opened.button("compareRuns")
    assert not compare.isEnabled()
    opened.press(KEY.Key_Space)
    opened.click_row(2, x=24)
    assert [run.id for run in opened.table.model.chosen] == ["mine-2", "mine-0"]
    assert opened.count_text() == "3 runs on Shapes · 2 chosen"
    assert compare.isEnabled()
    QTest.mouseClick(compare, LEFT)
    assert opened.compared == [(runs_folder() / "mine-2", runs_folder() / "mine-0")]
    opened.click_row(1, x=24)
    assert not compare.isEnabled()
    opened.click_row(1, x=200)
    assert len(opened.table.model.chosen) == 3
    opened.view.setFocus()
    opened.press(KEY.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert opened.table.model.chosen == ()


@pytest.mark.usefixtures("three")
def test_slash_filters_and_escape_goes_back_one_level_at_a_time(opened: Opened, qtbot: QtBot) -> None:
    change_label(runs_folder() / "mine-0", tags=("keep",))
    opened.open()
    opened.press(KEY.Key_Slash)
    search = opened.table.findChild(QLineEdit, "runsFilter")
    assert isinstance(search, QLineEdit)
    assert search.hasFocus()
    QTest.keyClicks(search, "keep")
    qtbot.waitUntil(lambda: opened.titles() == ["mine-0"])
    assert opened.count_text() == "1 of 3 runs on Shapes"
    QTest.keyClicks(search, " nothing")
    state = opened.table.findChild(QLabel, "runsState")
    assert isinstance(state, QLabel)
    qtbot.waitUntil(state.isVisible)
    assert "No run matches" in state.text()
    opened.press(KEY.Key_Escape)
    assert len(opened.titles()) == 3
    assert opened.view.hasFocus()
    assert opened.overlay.isVisible()
    opened.press(KEY.Key_Escape)
    assert not opened.overlay.isVisible()
    assert opened.page.hasFocus()


@pytest.mark.usefixtures("three")
def test_a_click_on_a_head_sorts_and_a_second_one_reverses(opened: Opened) -> None:
    opened.open()
    header = opened.table.view.header()
    keys = [each.key for each in opened.table.model.columns]
    place = QPoint(header.sectionViewportPosition(keys.index("best")) + 30, 10)
    QTest.mouseClick(header.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, place)
    assert opened.titles() == ["mine-1", "mine-2", "mine-0"]
    assert opened.table.model.headerData(keys.index("best"), Qt.Orientation.Horizontal) == "Best ↓"
    QTest.mouseClick(header.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, place)
    assert opened.titles() == ["mine-0", "mine-2", "mine-1"]
    assert opened.table.model.headerData(keys.index("best"), Qt.Orientation.Horizontal) == "Best ↑"


@pytest.mark.usefixtures("three")
def test_groups_are_made_folded_and_chosen_as_a_whole(opened: Opened) -> None:
    trained(runs_folder(), TINY, (0.9,), Recipe("other", epochs=2))
    opened.open()
    opened.choose("runsGroup", "recipe")
    assert opened.titles() == [
        "[mine, 8 epochs]",
        "mine-2",
        "mine-1",
        "mine-0",
        "[other, 2 epochs]",
        "other-0",
    ]
    opened.view.setFocus()
    opened.press(KEY.Key_Home)
    opened.press(KEY.Key_Left)
    assert opened.titles() == ["[mine, 8 epochs]", "[other, 2 epochs]", "other-0"]
    opened.press(KEY.Key_Right)
    opened.press(KEY.Key_Down)
    opened.press(KEY.Key_Left)
    assert opened.table.view.currentIndex().row() == 0
    opened.press(KEY.Key_Space)
    assert {run.id for run in opened.table.model.chosen} == {"mine-0", "mine-1", "mine-2"}
    opened.click_row(0)
    assert len(opened.titles()) == 3
    assert len(opened.table.model.chosen) == 3
    spoken = opened.table.model.index(0, 0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == "mine, 8 epochs, 3 runs, validation 62.0% ± 10.0 points, collapsed"


@pytest.mark.usefixtures("three")
def test_only_columns_that_differ_are_shown_unless_asked_for(opened: Opened) -> None:
    trained(
        runs_folder(),
        tiny(),
        (0.9,),
        Recipe("mine", epochs=8, learning_rate=0.5, seed=0).replace(name="fast"),
    )
    # Both columns fit, also beside accuracies that say that the test images chose the best epoch.
    opened.window.resize(1440, 620)
    opened.open()
    keys = {each.key for each in opened.table.model.columns}
    assert {"recipe.learning_rate", "recipe.seed"} <= keys
    assert not keys & {"recipe.optimizer", "recipe.epochs", "data", "note"}
    opened.choose("runsColumns", column_sets.RESULTS)
    assert not any(each.key.startswith("recipe.") for each in opened.table.model.columns)
    opened.choose("runsColumns", column_sets.ALL)
    assert {"data", "note", "recipe.learning_rate"} <= {each.key for each in opened.table.model.columns}


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("width", [1024, 1280, 1920])
def test_what_differs_fits_into_the_window(width: int, opened: Opened) -> None:
    for number, recipe in enumerate((Recipe("a", optimizer="sgd", shift=2), Recipe("b", schedule="cosine"))):
        trained(runs_folder(), TINY if number else tiny(), (0.9,), recipe.replace(batch_size=64 + number))
    opened.window.resize(width, 620)
    opened.open()
    view = opened.table.view
    assert view.horizontalScrollBar().maximum() == 0
    assert view.header().length() <= view.viewport().width()
    columns = [each.key for each in opened.table.model.columns]
    assert columns[:4] == ["run", "loss", "best", "test"]
    assert columns[-1] == "started"


@pytest.mark.parametrize("columns", [column_sets.DIFFERENCES, column_sets.RESULTS, column_sets.ALL])
def test_runs_of_the_same_title_are_told_apart_in_a_small_window(columns: str, opened: Opened) -> None:
    for seed, second in enumerate((5, 7)):
        trained(runs_folder(), tiny(), (0.9,), Recipe(f"lesson-{seed}", seed=seed, shift=2 * seed))
        path = runs_folder() / f"lesson-{seed}-0" / "run.json"
        moment = f"2026-11-23T08:00:0{second}+00:00"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"created": moment}))
    opened.window.resize(1024, 560)
    opened.open()
    opened.choose("runsColumns", columns)
    table, keys = opened.table, [each.key for each in opened.table.model.columns]
    section = keys.index("started")
    header = table.view.header()
    end = header.sectionViewportPosition(section) + header.sectionSize(section)
    assert end <= table.view.viewport().width()
    texts = {table.model.index(row, section).data() for row in range(2)}
    assert {text[-3:] for text in texts} == {":05", ":07"}


@pytest.mark.usefixtures("three")
def test_f2_renames_a_run_and_escape_leaves_its_title(opened: Opened, qtbot: QtBot) -> None:
    opened.open()
    before = {path.name: path.read_bytes() for path in (runs_folder() / "mine-2").iterdir()}
    opened.press(KEY.Key_F2)
    field = opened.table.findChild(QLineEdit, "runTitle")
    assert isinstance(field, QLineEdit)
    QTest.keyClicks(field, "Other")
    QTest.keyClick(field, KEY.Key_Escape)
    assert opened.table.isVisible()
    qtbot.waitUntil(opened.view.hasFocus)
    opened.press(KEY.Key_F2)
    field = opened.table.findChildren(QLineEdit, "runTitle")[-1]
    assert field.text() == "Tiny"
    QTest.keyClicks(field, "Baseline")
    QTest.keyClick(field, KEY.Key_Return)
    qtbot.waitUntil(lambda: opened.table.model.index(0, 0).data() == "Baseline")
    assert read_label(runs_folder() / "mine-2").title == "Baseline"
    assert {path.name: path.read_bytes() for path in (runs_folder() / "mine-2").iterdir()} == {
        **before,
        "label.json": (runs_folder() / "mine-2" / "label.json").read_bytes(),
        "label.lock": b"",
    }
    assert opened.shown == []


@pytest.mark.usefixtures("three")
def test_tags_and_note_are_edited_in_a_box(
    opened: Opened, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(box: LabelBox) -> int:
        for name, kind, text in (
            ("labelTitle", QLineEdit, "Mine"),
            ("labelTags", QLineEdit, "good, keep,, good"),
            ("labelNote", QPlainTextEdit, "First try."),
        ):
            field = box.findChild(kind, name)
            assert field is not None
            QTest.keyClicks(field, text)
        QTest.mouseClick(box.buttons["save"], LEFT)
        return 0

    monkeypatch.setattr(LabelBox, "exec", fill)
    opened.open()
    menu = context_menu(opened)
    entry(menu, "Title, tags and note…").trigger()
    qtbot.waitUntil(lambda: opened.table.runs[0].title == "Mine")
    assert read_label(runs_folder() / "mine-2") == RunLabel("Mine", ("good", "keep"), "First try.")
    assert "First try." in opened.table.model.index(0, 0).data(Qt.ItemDataRole.ToolTipRole)


def context_menu(opened: Opened) -> QMenu:
    """The context menu of the row with the focus, closed again."""
    opened.table.view.menu_requested.emit(QPoint(10, 10))
    menus = [menu for menu in opened.table.findChildren(QMenu) if menu.isVisible()]
    assert menus
    assert len([each for each in menus[-1].actions() if not each.isSeparator()]) <= 9
    menus[-1].setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    menus[-1].close()
    return menus[-1]


def entry(menu: QMenu, text: str):  # type: ignore[no-untyped-def]  # a QAction
    return next(each for each in menu.actions() if each.text() == text)


@pytest.mark.usefixtures("three")
def test_delete_moves_the_chosen_runs_to_the_trash(opened: Opened, qtbot: QtBot, trash: Path) -> None:
    opened.open()
    opened.press(KEY.Key_Space)
    opened.press(KEY.Key_Down)
    opened.press(KEY.Key_Space)
    opened.press(KEY.Key_Delete)
    assert opened.titles() == ["mine-0"]
    assert opened.table.model.chosen == ()
    assert opened.table.view.currentIndex().row() == 0
    message = opened.messages[-1]
    assert (message.text, message.button) == ("Moving 2 runs to the trash.", "Undo")
    assert message.holds is not None
    assert message.holds()

    opened.commands.deletion._timer.start(0)
    qtbot.waitUntil(lambda: trash.exists() and len(list(trash.iterdir())) == 2, timeout=60_000)
    assert sorted(path.name for path in trash.iterdir()) == ["mine-1", "mine-2"]
    assert not message.holds()
    opened.wait_listed()
    assert opened.titles() == ["mine-0"]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("by_key", [True, False])
def test_a_deletion_can_be_undone(by_key: bool, opened: Opened, qtbot: QtBot, trash: Path) -> None:
    opened.open()
    opened.press(KEY.Key_Delete)
    assert opened.titles() == ["mine-1", "mine-0"]
    if by_key:
        opened.press(KEY.Key_Z, Qt.KeyboardModifier.ControlModifier)
    else:
        assert opened.messages[-1].action is not None
        opened.messages[-1].action()
    assert opened.titles() == ["mine-2", "mine-1", "mine-0"]
    assert not opened.commands.deletion._timer.isActive()
    assert not trash.exists()


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("answer", ["cancel", "delete"])
def test_without_a_trash_the_user_is_asked_first(
    answer: str, opened: Opened, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise TrashPermissionError("")

    asked: list[MessageBox] = []

    def ask(box: MessageBox) -> str:
        asked.append(box)
        return answer

    monkeypatch.setattr("cnnstudio.runs.library.trash._send", refuse)
    monkeypatch.setattr(MessageBox, "ask", ask)
    opened.open()
    opened.press(KEY.Key_Delete)
    opened.commands.deletion.finish()
    qtbot.waitUntil(lambda: opened.messages[-1].button == "Delete permanently…", timeout=60_000)
    opened.wait_listed()
    qtbot.waitUntil(lambda: opened.titles() == ["mine-2", "mine-1", "mine-0"])
    assert not asked
    assert opened.messages[-1].action is not None
    opened.messages[-1].action()
    assert len(asked) == 1
    if answer == "delete":
        qtbot.waitUntil(lambda: not (runs_folder() / "mine-2").exists(), timeout=60_000)
        opened.wait_listed()
        # From now on it is known, and asked at once.
        opened.press(KEY.Key_Delete)
        assert len(asked) == 2
        qtbot.waitUntil(lambda: opened.titles() == ["mine-0"], timeout=60_000)
    else:
        assert (runs_folder() / "mine-2" / "run.json").exists()
        assert opened.titles() == ["mine-2", "mine-1", "mine-0"]


def refuse_some(monkeypatch: pytest.MonkeyPatch, trash: Path, names: set[str], error: OSError) -> None:
    """The trash takes all runs but these; it is where the program looks for what it has moved there."""
    send = system_trash._send

    def move(path: Path) -> None:
        if path.name in names:
            raise error
        send(path)

    monkeypatch.setattr(system_trash, "_send", move)
    monkeypatch.setattr(system_trash, "_trash_folders", lambda path: [trash])


@pytest.mark.usefixtures("three")
def test_a_deletion_that_fails_in_part_says_so_and_can_be_undone(
    opened: Opened, qtbot: QtBot, trash: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_some(monkeypatch, trash, {"mine-0", "mine-2"}, OSError(16, "Device or resource busy"))
    opened.open()
    opened.press(KEY.Key_A, Qt.KeyboardModifier.ControlModifier)
    opened.press(KEY.Key_Delete)
    opened.commands.deletion.finish()
    qtbot.waitUntil(lambda: opened.titles() == ["mine-2", "mine-0"], timeout=60_000)
    message = opened.messages[-1]
    assert message.text == (
        "Moved 1 of 3 runs to the trash. The run mine-2 cannot be moved to the trash: another program is "
        "using its files. 1 other failed, too."
    )
    assert (message.is_error, message.button) == (True, "Undo")
    restored: list[object] = []
    opened.commands.deletion.restored.connect(restored.append)
    assert message.action is not None
    message.action()
    qtbot.waitUntil(lambda: opened.titles() == ["mine-2", "mine-1", "mine-0"], timeout=60_000)
    assert restored == [(runs_folder() / "mine-1",)]
    assert (runs_folder() / "mine-1" / "run.json").exists()


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("number", "reason"), [(13, "permission"), (30, "read-only"), (16, "another program")]
)
def test_what_is_no_missing_trash_is_not_taken_for_one(
    number: int, reason: str, opened: Opened, qtbot: QtBot, trash: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_some(monkeypatch, trash, {"mine-2"}, OSError(number, "refused"))
    opened.open()
    opened.press(KEY.Key_Delete)
    opened.commands.deletion.finish()
    qtbot.waitUntil(lambda: opened.messages[-1].is_error, timeout=60_000)
    assert reason in opened.messages[-1].text
    assert opened.messages[-1].button == ""
    qtbot.waitUntil(lambda: len(opened.titles()) == 3)
    # The next run is moved to the trash as ever, without a question.
    opened.press(KEY.Key_Down)
    opened.press(KEY.Key_Delete)
    opened.commands.deletion.finish()
    qtbot.waitUntil(lambda: len(opened.titles()) == 2 and trash.exists(), timeout=60_000)
    opened.wait_listed()


@pytest.mark.usefixtures("three")
def test_a_new_list_waits_until_a_title_has_been_typed(opened: Opened) -> None:
    opened.open()
    opened.press(KEY.Key_F2)
    field = opened.table.view.findChild(QLineEdit, "runTitle")
    assert isinstance(field, QLineEdit)
    QTest.keyClicks(field, "Half a ti")
    trained(runs_folder(), tiny(), (0.9,), Recipe("newer", epochs=1))
    opened.table.read()
    opened.wait_listed()
    assert field.isVisible()
    assert field.text() == "Half a ti"
    assert "newer-0" not in opened.titles()
    opened.press(KEY.Key_Escape)
    assert "newer-0" in opened.titles()


@pytest.mark.usefixtures("three")
def test_curves_of_chosen_runs_are_laid_over(opened: Opened) -> None:
    overlaid: list[object] = []
    opened.table.overlaid.connect(overlaid.append)
    opened.open()
    opened.press(KEY.Key_Space)
    opened.press(KEY.Key_Down)
    opened.press(KEY.Key_Space)
    QTest.mouseClick(opened.button("showInCurves"), LEFT)
    assert overlaid == [(runs_folder() / "mine-2", runs_folder() / "mine-1")]


@pytest.mark.usefixtures("three")
def test_a_run_in_training_shows_its_progress_and_can_only_be_looked_at(opened: Opened, qtbot: QtBot) -> None:
    run = WrittenRun(runs_folder() / "running")
    run.update_metadata(created="2026-11-24T08:00:00+00:00")
    run.append(progress(10, 2.0), ended(1, 2.0, 0.3, best=True))
    opened.table._reader._later.setInterval(10)
    with FileLock(run.folder / "lock"):
        opened.open()
        assert opened.titles()[0] == "running"
        assert "epoch 1 of 8" in opened.table.model.index(0, 0).data(Qt.ItemDataRole.AccessibleTextRole)
        for name in ("resumeRun", "packRun", "deleteRuns"):
            assert not opened.button(name).isEnabled()
        opened.press(KEY.Key_Delete)
        run.append(ended(2, 1.5, 0.4, best=True))
        qtbot.waitUntil(lambda: opened.table.runs[0].last_epoch == 2, timeout=60_000)
        assert opened.table.view.current_run() == opened.table.runs[0]
        opened.press(KEY.Key_Escape)
        assert not opened.table._reader._later.isActive()
    assert (run.folder / "run.json").exists()


@pytest.mark.usefixtures("three")
def test_another_seed_trains_the_same_with_the_next_one(opened: Opened, qtbot: QtBot) -> None:
    opened.open()
    QTest.mouseClick(opened.button("anotherSeed"), LEFT)
    qtbot.waitUntil(lambda: bool(opened.session.calls))
    run = Run.open(runs_folder() / "mine-2")
    assert opened.session.calls == [(run.network, run.dataset_name, run.recipe.replace(seed=3))]


@pytest.mark.usefixtures("three")
def test_resume_asks_for_epochs_of_a_complete_run(
    opened: Opened, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NumberBox, "ask_number", lambda box: 4)
    resumed: list[tuple[object, ...]] = []
    monkeypatch.setattr(opened.session, "resume_run", lambda *arguments: resumed.append(arguments))
    opened.open()
    QTest.mouseClick(opened.button("resumeRun"), LEFT)
    qtbot.waitUntil(lambda: bool(resumed))
    folder, _, _, recipe = resumed[0]
    assert folder == runs_folder() / "mine-2"
    assert isinstance(recipe, Recipe)
    assert recipe.epochs == 12


@pytest.mark.usefixtures("three")
def test_nothing_trains_beside_a_training(opened: Opened) -> None:
    opened.open()
    assert opened.button("anotherSeed").isEnabled()
    opened.session.show_state(State.RUNNING)
    opened.press(KEY.Key_Down)
    assert not opened.button("anotherSeed").isEnabled()
    assert not opened.button("resumeRun").isEnabled()
    opened.session.show_state(State.IDLE)


@pytest.mark.usefixtures("three")
def test_a_runs_design_and_folder_are_opened(
    opened: Opened, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", urls.append)
    opened.open()
    QTest.mouseClick(opened.button("openRunDesign"), LEFT)
    qtbot.waitUntil(lambda: bool(opened.designs))
    assert opened.designs == [tiny()]
    QTest.mouseClick(opened.button("showRunFolder"), LEFT)
    assert [Path(url.toLocalFile()) for url in urls] == [runs_folder() / "mine-2"]


@pytest.mark.usefixtures("three")
def test_a_run_is_packed_into_a_zip_file(
    opened: Opened, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "packed"), ""))
    opened.open()
    QTest.mouseClick(opened.button("packRun"), LEFT)
    qtbot.waitUntil(lambda: opened.messages and opened.messages[-1].text.startswith("Packed Tiny into"))
    assert open_archive(tmp_path / "packed.zip").name == "mine-2"


def test_without_runs_the_table_says_what_to_do(opened: Opened) -> None:
    opened.open()
    state = opened.table.findChild(QLabel, "runsState")
    assert isinstance(state, QLabel)
    assert state.isVisible()
    assert state.text() == "No runs yet. Press Train (F5), or open a run (Run ▸ Open run…)."
    assert not any(button.isEnabled() for button in opened.table._acts._buttons.values())
    opened.press(KEY.Key_Escape)
    assert not opened.overlay.isVisible()


@pytest.mark.usefixtures("three")
def test_what_cannot_be_read_is_said(opened: Opened) -> None:
    (runs_folder() / "damaged").mkdir()
    (runs_folder() / "damaged" / "run.json").write_text("{")
    opened.open()
    assert "1 folder cannot be read" in opened.count_text()


@pytest.mark.usefixtures("three")
def test_hostile_names_are_shown_as_text(opened: Opened) -> None:
    hostile = "<b>bold</b> & \x1b[31m\u202e\n" + "x" * 5000
    run = WrittenRun(runs_folder() / "hostile")
    run.update_metadata(status="completed", name=hostile, data={"source": hostile, "fingerprint": ""})
    change_label(run.folder, tags=(hostile,), note=hostile)
    opened.open()
    opened.choose("runsGroup", "network")
    opened.choose("runsColumns", column_sets.ALL)
    model = opened.table.model
    for row in range(model.rowCount()):
        for column in range(model.columnCount()):
            for role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
                text = model.index(row, column).data(role)
                assert text is None or (len(text) <= 210 and "\x1b" not in text and "\n" not in text)
    opened.window.grab()


@pytest.fixture
def dark() -> Iterator[None]:
    theme().set_scheme("dark")
    yield
    theme().set_scheme("light")


@pytest.mark.usefixtures("three", "dark")
def test_rows_are_painted_in_the_colors_of_the_theme(opened: Opened) -> None:
    opened.open(runs_folder() / "mine-1")
    opened.table.view.setStyleSheet(theme().style_sheet())
    for scheme in ("dark", "light"):
        theme().set_scheme("dark" if scheme == "dark" else "light")
        opened.table.view.setStyleSheet(theme().style_sheet())
        image = opened.table.view.viewport().grab().toImage()
        rect = opened.table.view.visualRect(opened.table.model.index(2, 1))
        found = {
            image.pixelColor(x, y).getRgb()[:3]
            for x in range(rect.left(), rect.right())
            for y in range(rect.top(), rect.bottom())
        }
        assert theme().color("panel").getRgb()[:3] in found
        for token in ("training", "validation"):
            wanted = theme().color(token).getRgb()[:3]
            nearest = min(
                sum(abs(one - other) for one, other in zip(wanted, each, strict=True)) for each in found
            )
            assert nearest < 90, (scheme, token)


@pytest.mark.usefixtures("three")
def test_tab_stays_in_the_table_and_a_click_beside_it_closes_it(opened: Opened) -> None:
    opened.open()
    visited = set()
    for _ in range(14):
        opened.press(KEY.Key_Tab)
        focused = QApplication.focusWidget()
        assert focused is not None
        assert opened.table.isAncestorOf(focused)
        visited.add(focused.objectName())
    assert {"runsFilter", "runsGroup", "runsColumns", "runRows", "showRunFolder"} <= visited
    QTest.mouseClick(opened.overlay, LEFT, Qt.KeyboardModifier.NoModifier, QPoint(5, 5))
    assert not opened.overlay.isVisible()
    assert opened.page.hasFocus()


@pytest.mark.usefixtures("three")
def test_the_table_follows_the_size_of_the_window(opened: Opened) -> None:
    opened.open()
    assert opened.overlay.geometry() == opened.page.geometry()
    assert opened.table.geometry().left() == 128
    opened.window.resize(1024, 560)
    QApplication.processEvents()
    assert opened.overlay.geometry() == opened.page.geometry()
    assert opened.table.geometry().left() == 24
    assert opened.table.geometry().width() == 976


def test_ten_thousand_rows_are_made_only_where_they_are_seen(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnnstudio.runs.library.listing import RunListing
    from tests.runs.library.listed import NOON, summary

    runs = tuple(summary(f"run-{number}", created=NOON + number) for number in range(10_000))
    monkeypatch.setattr(reader, "list_summaries", lambda *_: RunListing(runs))
    opened.open()
    assert opened.table.model.rowCount() == 10_000
    asked = 0
    paint: Callable[..., None] = type(opened.table.view).drawRow

    def counted(view: object, *arguments: object) -> None:
        nonlocal asked
        asked += 1
        paint(view, *arguments)

    monkeypatch.setattr(type(opened.table.view), "drawRow", counted)
    opened.press(KEY.Key_End)
    opened.table.view.viewport().grab()
    assert opened.table.view.currentIndex().row() == 9_999
    assert asked < 200


# What is remembered


def click_head(opened: Opened, key: str) -> None:
    header = opened.table.view.header()
    section = [each.key for each in opened.table.model.columns].index(key)
    middle = header.sectionViewportPosition(section) + header.sectionSize(section) // 2
    QTest.mouseClick(header.viewport(), LEFT, pos=QPoint(middle, header.height() // 2))


@pytest.mark.usefixtures("three")
def test_the_next_window_has_the_same_order_groups_and_columns(opened: Opened, qtbot: QtBot) -> None:
    opened.open()
    click_head(opened, "best")
    click_head(opened, "best")
    assert opened.titles() == ["mine-0", "mine-2", "mine-1"]
    opened.choose("runsColumns", column_sets.RESULTS)
    opened.choose("runsGroup", "recipe.seed")
    opened.table.findChild(QLineEdit, "runsFilter").setText("mine-1")
    QTest.keyClick(opened.table.findChild(QLineEdit, "runsFilter"), KEY.Key_Return)

    later = Opened(qtbot)
    later.open()
    assert later.table.findChild(QComboBox, "runsColumns").currentData() == column_sets.RESULTS
    assert later.table.findChild(QComboBox, "runsGroup").currentData() == "recipe.seed"
    assert [each for each in later.titles() if each[0] != "["] == ["mine-0", "mine-2", "mine-1"]
    assert "recipe.seed" not in [each.key for each in later.table.model.columns]
    later.choose("runsGroup", "")
    head = later.table.view.header()
    texts = [
        later.table.model.headerData(section, Qt.Orientation.Horizontal) for section in range(head.count())
    ]
    assert "Best ↑" in texts
    later.table.close_tasks()
    later.window.close()
    shiboken6.delete(later.window)


@pytest.mark.usefixtures("three")
def test_a_field_in_which_runs_differed_groups_nothing_once_they_do_not(qtbot: QtBot) -> None:
    settings = Settings()
    settings.set_text("runsTable", '{"group": "recipe.dropout", "sort": "recipe.unknown", "columns": "odd"}')
    settings.save()
    opened = Opened(qtbot)
    opened.open()
    assert opened.titles() == ["mine-2", "mine-1", "mine-0"]
    assert opened.table.findChild(QComboBox, "runsColumns").currentData() == column_sets.DIFFERENCES
    assert opened.table.findChild(QComboBox, "runsGroup").currentData() == ""
    opened.table.close_tasks()
    opened.window.close()
    shiboken6.delete(opened.window)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"sort": 3, "is_reversed": "yes", "group": []}', "[" * 9999]
)
def test_choices_that_cannot_be_read_are_as_by_default(text: str) -> None:
    assert TableChoices.from_text(text) == TableChoices()


@pytest.mark.usefixtures("three")
def test_sorting_and_grouping_does_not_look_anew_at_what_is_the_same_for_all_runs(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 10,000 runs the window would stop meanwhile."""
    opened.open()
    asked: list[object] = []
    for name in ("columns.distinct_starts", "listing.started_column", "listing.differing"):
        monkeypatch.setattr(f"cnnstudio.runs.library.{name}", lambda *values: asked.append(values))
    monkeypatch.setattr(column_sets, "differing", lambda *values: asked.append(values))
    monkeypatch.setattr(
        type(opened.table.view._painter), "column_width", lambda *values: asked.append(values)
    )
    for key in ("best", "started"):
        click_head(opened, key)
    opened.choose("runsGroup", "recipe")
    assert asked == []
