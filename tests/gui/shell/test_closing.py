"""Closing the window ends background work in a clean state, however the window is closed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import QTimer
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QPushButton
from pytestqt.qtbot import QtBot

from cnnstudio.core.progress import CancelFunction, ProgressFunction, raise_if_cancelled
from cnnstudio.core.temporary import discard_temporary_folders, temporary_folder
from cnnstudio.data.sources.published.cifar10 import Cifar10
from cnnstudio.design.file import read_design
from cnnstudio.export import ExportResult, exporters
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.data.dialog import DataDialog
from cnnstudio.gui.export.panel import ExportPanel
from cnnstudio.gui.shell import app, closing
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.gui.widgets.message_box import MessageBox
from cnnstudio.runs.run import Run
from tests.gui.user_input import UserInput
from tests.runs.written import WrittenRun

ROOT = Path(__file__).resolve().parents[3]


class Work:
    """An export, or the import of an archive, that notices that it was canceled when `release` is set."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.began, self.release = threading.Event(), threading.Event()

    def export(
        self, run: Run, folder: Path, verify: bool, progress: ProgressFunction, cancelled: CancelFunction
    ) -> ExportResult:
        self.write(folder, cancelled)
        raise AssertionError("it was not canceled")

    def import_archive(self, archive: Path, progress: ProgressFunction, cancelled: CancelFunction) -> None:
        self.write(self.target, cancelled)

    def write(self, folder: Path, cancelled: CancelFunction) -> None:
        with temporary_folder(folder, "export") as staging:
            (staging / "model.onnx").write_bytes(b"half")
            self.began.set()
            assert self.release.wait(60)
            raise_if_cancelled(cancelled)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    target = tmp_path / "mine"
    target.mkdir()
    (target / "notes.txt").write_text("kept")
    work = Work(target)
    monkeypatch.setattr(exporters()["onnx"], "export", work.export)
    monkeypatch.setattr(Cifar10, "import_archive", lambda self, *arguments: work.import_archive(*arguments))
    monkeypatch.setattr(closing, "_QUIET_SECONDS", 0.05)
    monkeypatch.setattr(closing, "_ASK_AGAIN_SECONDS", 0.05)
    yield work
    work.release.set()


@pytest.fixture
def open_window(qtbot: QtBot) -> Iterator[Callable[[], MainWindow]]:
    windows: list[MainWindow] = []

    def start() -> MainWindow:
        window = app.create_window()
        windows.append(window)
        window.show()
        qtbot.waitExposed(window)
        return window

    yield start
    for window in windows:
        if not window.has_closed:
            qtbot.waitUntil(lambda session=window.session: not session.is_busy, timeout=60_000)
            window.close()
        shiboken6.delete(window)


@pytest.fixture
def boxes(monkeypatch: pytest.MonkeyPatch, qtbot: QtBot) -> list[Callable[[MessageBox], object]]:
    """What the user does in each of the boxes that appear; each stays until it is closed."""
    actions: list[Callable[[MessageBox], object]] = []

    def show(box: MessageBox) -> None:
        box.show()
        QTimer.singleShot(0, box, lambda: actions.pop(0)(box))
        qtbot.waitUntil(lambda: not box.isVisible(), timeout=60_000)

    monkeypatch.setattr(MessageBox, "exec", show)
    return actions


def start_export(window: MainWindow, work: Work, tmp_path: Path, qtbot: QtBot) -> ExportPanel:
    run = tmp_path / "run"
    WrittenRun(run)
    (run / "checkpoints").mkdir(exist_ok=True)
    window.open_run(run)
    window.show_export()
    panel = window.pages.use.export
    assert panel is not None
    field = panel.findChild(QLineEdit, "exportFolder")
    assert isinstance(field, QLineEdit)
    field.setText(str(work.target))
    UserInput(panel).click(panel.findChild(QPushButton, "export_onnx"))
    qtbot.waitUntil(work.began.is_set, timeout=60_000)
    return panel


def start_import(window: MainWindow, work: Work, tmp_path: Path, qtbot: QtBot) -> DataDialog:
    dialog = DataDialog(window)
    dialog.open()
    source = dialog.data_sets._rows["cifar10"].source
    dialog.data_sets._begin(
        source, partial(source.import_archive, tmp_path / "archive"), "Checking the archive"
    )
    qtbot.waitUntil(work.began.is_set, timeout=60_000)
    return dialog


def quit_action(window: MainWindow) -> None:
    found = window.findChild(QAction, "actionQuit")
    assert isinstance(found, QAction)
    found.trigger()


def system_quits(window: MainWindow) -> None:
    """The end of a session, or the Quit command of a dock or task bar."""
    # Otherwise the last closed window asks to quit as well, later, in the middle of the next test.
    QApplication.setQuitOnLastWindowClosed(False)
    QTimer.singleShot(0, QApplication.quit)
    QApplication.exec()
    QApplication.setQuitOnLastWindowClosed(True)


def close_dialogs_first(window: MainWindow) -> None:
    for dialog in window.findChildren(DataDialog):
        dialog.reject()
    window.close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


CLOSINGS = [MainWindow.close, quit_action, system_quits, close_dialogs_first]


@pytest.mark.parametrize("close", CLOSINGS, ids=lambda close: close.__name__)
@pytest.mark.parametrize("start", [start_export, start_import], ids=["export", "import"])
def test_closing_waits_for_work_and_says_so(
    start: Callable[..., object],
    close: Callable[[MainWindow], object],
    open_window: Callable[[], MainWindow],
    work: Work,
    boxes: list[Callable[[MessageBox], object]],
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    window = open_window()
    start(window, work, tmp_path, qtbot)
    said: list[str] = []

    def read_and_wait(box: MessageBox) -> None:
        assert len(names(work.target)) == 2
        said.extend(label.text() for label in box.findChildren(QLabel) if label.text())
        work.release.set()

    boxes.append(read_and_wait)
    close(window)
    assert said[0] == "Waiting for background work to end"
    assert not window.isVisible()
    assert window.has_closed
    assert names(work.target) == ["notes.txt"]


def test_work_that_ends_soon_needs_no_box(
    open_window: Callable[[], MainWindow],
    work: Work,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    monkeypatch.setattr(closing, "_QUIET_SECONDS", 60)
    window = open_window()
    start_export(window, work, tmp_path, qtbot)
    threading.Timer(0.2, work.release.set).start()
    window.close()
    assert not window.isVisible()
    assert names(work.target) == ["notes.txt"]


def test_the_user_can_keep_waiting(
    open_window: Callable[[], MainWindow],
    work: Work,
    boxes: list[Callable[[MessageBox], object]],
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    window = open_window()
    start_export(window, work, tmp_path, qtbot)
    boxes += [lambda box: box.buttons["wait"].click(), lambda box: work.release.set()]
    window.close()
    assert boxes == []
    assert names(work.target) == ["notes.txt"]


def test_the_user_can_close_at_once_and_the_program_discards_what_was_written(
    open_window: Callable[[], MainWindow],
    work: Work,
    boxes: list[Callable[[MessageBox], object]],
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    window = open_window()
    start_export(window, work, tmp_path, qtbot)
    boxes.append(lambda box: box.buttons["close"].click())
    window.close()
    assert window.has_closed
    assert closing.is_unfinished(window.session)
    discard_temporary_folders()
    assert names(work.target) == ["notes.txt"]
    work.release.set()
    qtbot.waitUntil(lambda: not closing.is_unfinished(window.session))
    assert names(work.target) == ["notes.txt"]


def test_closing_a_second_window_leaves_the_first_ones_work_alone(
    open_window: Callable[[], MainWindow],
    work: Work,
    boxes: list[Callable[[MessageBox], object]],
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    first, second = open_window(), open_window()
    going_on, end = threading.Event(), threading.Event()
    cancelled: list[bool] = []

    def other(progress: ProgressFunction, is_cancelled: CancelFunction) -> None:
        going_on.set()
        assert end.wait(60)
        cancelled.append(is_cancelled())

    task = IoTask(other, first, writes_files=True)
    task.start()
    start_export(second, work, tmp_path, qtbot)
    boxes.append(lambda box: work.release.set())
    second.close()
    assert not second.isVisible()
    assert first.isVisible()
    assert names(work.target) == ["notes.txt"]
    with qtbot.waitSignal(task.ended):
        end.set()
    assert cancelled == [False]


def test_a_click_while_the_window_waits_does_not_close_it_twice(
    open_window: Callable[[], MainWindow],
    work: Work,
    boxes: list[Callable[[MessageBox], object]],
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    window = open_window()
    start_export(window, work, tmp_path, qtbot)

    def close_again(box: MessageBox) -> None:
        window.close()
        assert box.isVisible()
        assert not window.has_closed
        work.release.set()

    boxes.append(close_again)
    window.close()
    assert not window.isVisible()


SCRIPT = """
import sys
import time
from pathlib import Path
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QLineEdit, QPushButton
from cnnstudio.core.progress import raise_if_cancelled
from cnnstudio.core.temporary import temporary_folder
from cnnstudio.export import exporters
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.export.panel import ExportPanel
from cnnstudio.gui.shell import app, closing
from cnnstudio.design import edits

closing._QUIET_SECONDS = 0.2  # less than the export goes on
run, target, how = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
if how != "quit":
    # The export needs no torch; in one of the cases it is being imported nevertheless.
    TrainingSession.preload = lambda self: None
create = app.create_window


def export(run, folder, verify, progress, cancelled):
    with temporary_folder(folder, "export") as staging:
        (staging / "model.onnx").write_bytes(b"half")
        print("written", flush=True)
        while not cancelled():
            time.sleep(0.01)
        for number in range(20):
            (staging / str(number)).write_bytes(b"still writing")
            time.sleep(0.04)
        raise_if_cancelled(cancelled)


def create_window(path=None, **options):
    window = create(path, **options)
    first = window.project.network.nodes[0].id
    exporters()["onnx"].export = export
    panel = ExportPanel(window.session)
    panel.setParent(window)
    panel.show_run(run)
    panel.findChild(QLineEdit, "exportFolder").setText(str(target))
    QTimer.singleShot(0, panel.findChild(QPushButton, "export_onnx").click)
    if how == "signal":
        window.project.edit("delete", edits.remove(window.project.network, [first]))
    else:
        QTimer.singleShot(0, lambda: wait_and_quit(window))
    return window


def wait_and_quit(window):
    if any(target.glob(".cnnstudio-export-*/files/model.onnx")):
        QApplication.exit(0) if how == "exit" else QApplication.quit()
    else:
        QTimer.singleShot(50, lambda: wait_and_quit(window))


app.create_window = create_window
sys.exit(app.main())
"""


@pytest.mark.parametrize(
    "how",
    [
        pytest.param("signal", marks=pytest.mark.skipif(os.name == "nt", reason="there are no such signals")),
        "quit",
        "exit",
    ],
)
def test_a_program_that_ends_during_an_export_leaves_no_temporary_folder(
    how: str, home: Path, tmp_path: Path
) -> None:
    WrittenRun(tmp_path / "run")
    (tmp_path / "run" / "checkpoints").mkdir(exist_ok=True)
    target = tmp_path / "mine"
    target.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "run"), str(target), how],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    if how == "signal":
        process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert process.returncode == (128 + signal.SIGTERM if how == "signal" else 0)
    assert names(target) == []
    if how == "signal":
        # Nobody was asked, so the edit is kept.
        assert read_design(home / "unsaved-1.cnn.json").nodes
