"""Long trainings keep the computer awake and tell when they end while nobody looks."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtWidgets import QApplication, QSystemTrayIcon, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.gui.compute.session import State
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.runs import long_runs
from cnnstudio.gui.runs.keep_awake import KeepAwake
from cnnstudio.gui.runs.long_runs import LongRuns
from cnnstudio.training.events import Finished, Outcome, Scores
from tests.gui.canned import started
from tests.gui.fakes import TINY, FakeSession

Made = Callable[[], tuple[LongRuns, FakeSession]]


class FakeSystem:
    """Counts how often it keeps the computer awake at a time."""

    def __init__(self) -> None:
        self.held = 0
        self.asked = 0
        self.released = threading.Event()

    @contextmanager
    def keep_running(self) -> Iterator[None]:
        self.held += 1
        self.asked += 1
        yield
        self.held -= 1
        self.released.set()


@pytest.fixture
def system() -> FakeSystem:
    return FakeSystem()


@pytest.fixture
def notices(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The notices that the desktop shows."""
    found: list[tuple[str, str]] = []
    monkeypatch.setattr(QSystemTrayIcon, "isSystemTrayAvailable", lambda: True)
    monkeypatch.setattr(QSystemTrayIcon, "supportsMessages", lambda: True)
    monkeypatch.setattr(QSystemTrayIcon, "show", lambda tray: None)
    monkeypatch.setattr(
        QSystemTrayIcon, "showMessage", lambda tray, title, text, *_: found.append((title, text))
    )
    return found


@pytest.fixture
def made(qtbot: QtBot, tmp_path: Path, system: FakeSystem, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    monkeypatch.setattr(long_runs, "AWAKE_DELAY_MS", 0)
    windows: list[tuple[QWidget, LongRuns]] = []

    def make() -> tuple[LongRuns, FakeSession]:
        window = QWidget()
        session = FakeSession()
        session.setParent(window)
        session.network = TINY
        long = LongRuns(session, Settings(tmp_path / "w.ini"), window, KeepAwake(system.keep_running))
        windows.append((window, long))
        return long, session

    yield make
    for window, long in windows:
        long.close()
        shiboken6.delete(window)


def end(session: FakeSession, outcome: Outcome = "completed", test: Scores | None = None) -> None:
    session.events.emit((Finished(outcome, "Completed 3 epochs.", test, 75.0, None, 3),))
    session.show_state(State.IDLE)


def test_the_computer_is_kept_awake_while_a_training_runs(
    made: Made, system: FakeSystem, qtbot: QtBot
) -> None:
    long, session = made()
    session.show_state(State.LOADING)
    assert system.asked == 0
    session.show_state(State.RUNNING)
    qtbot.waitUntil(lambda: system.held == 1)
    session.show_state(State.PAUSED)
    qtbot.waitUntil(lambda: system.held == 0)
    session.show_state(State.RUNNING)
    qtbot.waitUntil(lambda: system.held == 1)
    end(session)
    qtbot.waitUntil(lambda: system.held == 0)
    assert long.keeps_awake


def test_a_short_training_does_not_ask_the_system(
    made: Made, system: FakeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_runs, "AWAKE_DELAY_MS", 60_000)
    _, session = made()
    session.show_state(State.RUNNING)
    QApplication.processEvents()
    end(session)
    assert system.asked == 0


def test_keeping_awake_can_be_switched_off_at_any_time(made: Made, system: FakeSystem, qtbot: QtBot) -> None:
    long, session = made()
    session.show_state(State.RUNNING)
    qtbot.waitUntil(lambda: system.held == 1)
    long.toggle_keeping_awake()
    assert not long.keeps_awake
    qtbot.waitUntil(lambda: system.held == 0)
    end(session)
    session.show_state(State.RUNNING)
    QApplication.processEvents()
    assert system.asked == 1
    long.toggle_keeping_awake()
    qtbot.waitUntil(lambda: system.held == 1)


def test_a_system_that_refuses_does_not_disturb_the_training(caplog: pytest.LogCaptureFixture) -> None:
    def refuse() -> None:
        raise OSError("no bus")

    awake = KeepAwake(refuse)  # type: ignore[arg-type]  # it raises
    awake.start()
    awake.stop()
    for thread in threading.enumerate():
        if thread.name == "keep awake":
            thread.join(60)
    assert "cannot be kept awake" in caplog.text


def test_the_end_of_a_training_is_told_while_the_window_is_not_in_front(
    made: Made, notices: list[tuple[str, str]]
) -> None:
    _, session = made()
    session.show_state(State.RUNNING)
    end(session, test=Scores(1.0, 0.765))
    assert notices == [("Tiny is trained", "Completed 3 epochs. Test accuracy: 76.5%. Time: 1 m 15 s.")]
    session.show_state(State.RUNNING)
    session.events.emit((dataclasses.replace(started(3), validation="test"),))
    end(session, test=Scores(1.0, 0.765))
    assert "Test accuracy of the best epoch on the test images: 76.5%." in notices.pop()[1]
    session.show_state(State.RUNNING)
    end(session, "failed")
    assert notices[-1][0] == "Tiny failed"
    # Nothing was trained in between.
    session.show_state(State.LOADING)
    session.show_state(State.IDLE)
    assert len(notices) == 2


def test_nothing_is_told_to_a_user_who_looks_or_does_not_want_it(
    made: Made, notices: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    long, session = made()
    long.toggle_notice()
    session.show_state(State.RUNNING)
    end(session)
    long.toggle_notice()
    assert long.notifies
    monkeypatch.setattr(LongRuns, "_is_in_front", lambda _: True)
    session.show_state(State.RUNNING)
    end(session)
    assert notices == []


def test_settings_are_remembered(made: Made) -> None:
    long, _ = made()
    long.toggle_notice()
    long.toggle_keeping_awake()
    other, _ = made()
    assert (other.notifies, other.keeps_awake) == (False, False)
