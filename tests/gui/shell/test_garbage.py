"""Garbage is collected on the main thread alone while a window is open."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from cnnstudio.design import edits
from cnnstudio.design.templates import templates
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.shell import garbage
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.garbage import GarbageCollector
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.training.recipe.recipe import Recipe
from tests.gui.fakes import TINY, image_folder

LONG = Recipe("long", epochs=10_000, batch_size=8, learning_rate=0.01)


class Cycle:
    """Garbage that only a collection frees, once nothing else refers to it."""

    def __init__(self) -> None:
        self.itself = self


def make_garbage(count: int = 5_000) -> weakref.ref[Cycle]:
    """Creates more garbage than Python tolerates; returns a reference to the last piece."""
    for _ in range(count):
        last = Cycle()
    return weakref.ref(last)


@contextmanager
def collecting_threads() -> Iterator[list[int]]:
    """The threads in which Python has collected inside."""
    found: list[int] = []

    def record(phase: str, _: object) -> None:
        if phase == "start":
            found.append(threading.get_ident())

    gc.callbacks.append(record)
    try:
        yield found
    finally:
        gc.callbacks.remove(record)


@pytest.fixture(autouse=True)
def _as_in_the_program(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Automatic collections are on, which other tests of the window have off."""
    monkeypatch.setattr(garbage, "TICK_MS", 20)
    # What exists by then would never be freed again, in any later test.
    monkeypatch.setattr(gc, "freeze", lambda: None)
    gc.enable()
    yield
    assert gc.collect is garbage._collect
    gc.disable()


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[MainWindow]:
    window = create_window()
    qtbot.addWidget(window)
    window.show()
    yield window
    window.project.mark_saved(Path("elsewhere.cnn.json"))
    window.session.stop()
    qtbot.waitUntil(lambda: not window.session.is_busy, timeout=60_000)
    window.close()


def run_on_compute_thread(window: MainWindow, qtbot: QtBot, function: Callable[[], object]) -> object:
    results: list[object] = []
    window.session.run_task(lambda progress, cancelled: function(), results.append)
    qtbot.waitUntil(lambda: bool(results), timeout=60_000)
    return results[0]


def test_while_a_network_trains_garbage_is_freed_and_only_the_main_thread_collects(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    data = str(image_folder(tmp_path / "data"))
    with collecting_threads() as threads:
        window.session.start(TINY, data, LONG)
        qtbot.waitUntil(lambda: window.session.state is State.RUNNING, timeout=60_000)
        last = make_garbage()
        qtbot.waitUntil(lambda: last() is None)
        assert window.session.state is State.RUNNING
        window.session.stop()
        qtbot.waitUntil(lambda: window.session.state is State.IDLE, timeout=60_000)
    assert set(threads) == {threading.main_thread().ident}


def test_garbage_of_the_compute_thread_is_freed_by_the_main_thread(window: MainWindow, qtbot: QtBot) -> None:
    def task() -> bool:
        last, deadline = make_garbage(), time.monotonic() + 30
        while last() is not None and time.monotonic() < deadline:
            time.sleep(0.01)
        return last() is None

    with collecting_threads() as threads:
        assert run_on_compute_thread(window, qtbot, task)
    assert set(threads) == {threading.main_thread().ident}


@pytest.mark.parametrize("generation", [0, 1, 2])
def test_a_collection_that_the_compute_thread_wants_is_done_by_the_main_thread_meanwhile(
    window: MainWindow, qtbot: QtBot, generation: int
) -> None:
    """Such as that after a batch for which the memory was too small."""

    def task() -> bool:
        last = make_garbage(10)
        gc.collect(generation)
        return last() is None

    with collecting_threads() as threads:
        assert run_on_compute_thread(window, qtbot, task)
    assert set(threads) == {threading.main_thread().ident}


def test_closing_does_not_wait_for_a_collection_that_waits_for_the_main_thread(
    qtbot: QtBot, tmp_path: Path
) -> None:
    window = create_window()
    qtbot.addWidget(window)
    window.show()
    window.project.mark_saved(Path("elsewhere.cnn.json"))
    begun, ended = threading.Event(), threading.Event()

    def task(progress: object, cancelled: Callable[[], bool]) -> None:
        begun.set()
        while not cancelled():
            time.sleep(0.001)
        gc.collect()
        ended.set()

    window.session.run_task(task, lambda _: None)
    qtbot.waitUntil(begun.is_set, timeout=60_000)
    assert window.close()
    assert ended.is_set()


def test_closing_the_last_window_gives_the_collections_back_to_python(qtbot: QtBot) -> None:
    project, session, owner = Project(TINY), TrainingSession(), QObject()
    first, second = (GarbageCollector(project, session, owner) for _ in range(2))
    first.start()
    second.start()
    assert not gc.isenabled()
    first.stop()
    assert not gc.isenabled()
    second.stop()
    assert gc.isenabled()


# Full collections


@pytest.fixture
def collections(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The generations that are collected."""
    calls: list[int] = []

    def collect(generation: int = 2) -> int:
        calls.append(generation)
        return 0

    monkeypatch.setattr(garbage, "_collect", collect)
    monkeypatch.setattr(gc, "collect", collect)
    monkeypatch.setattr(garbage, "IDLE_MS", 20)
    return calls


@pytest.fixture
def project() -> Project:
    return Project(templates()["lesson-32"].network)


@pytest.fixture
def session() -> TrainingSession:
    return TrainingSession()


@pytest.fixture
def collector(
    qtbot: QtBot, project: Project, session: TrainingSession, collections: list[int]
) -> Iterator[GarbageCollector]:
    owner = QObject()
    collector = GarbageCollector(project, session, owner)
    collector.start()
    yield collector
    collector.stop()


def edit(project: Project) -> None:
    project.edit("rename", edits.rename(project.network, project.network.name + "a"))


def test_a_full_collection_waits_until_the_user_has_stopped_editing(
    qtbot: QtBot, collector: GarbageCollector, project: Project, collections: list[int]
) -> None:
    collector._young_collections = 100
    edit(project)
    edit(project)
    assert 2 not in collections
    qtbot.waitUntil(lambda: 2 in collections)
    assert collections.count(2) == 1


def test_little_garbage_is_not_worth_a_full_collection(
    qtbot: QtBot, collector: GarbageCollector, project: Project, collections: list[int]
) -> None:
    edit(project)
    qtbot.waitUntil(lambda: not collector._idle_timer.isActive())
    assert 2 not in collections


def test_a_full_collection_follows_a_training(
    qtbot: QtBot, collector: GarbageCollector, session: TrainingSession, collections: list[int]
) -> None:
    """The model of the run is few objects, but much memory."""
    session.state_changed.emit(State.IDLE)
    qtbot.waitUntil(lambda: 2 in collections)


def test_a_full_collection_does_not_wait_for_ever(
    qtbot: QtBot, collector: GarbageCollector, collections: list[int]
) -> None:
    collector._young_collections = 1_000
    qtbot.waitUntil(lambda: 2 in collections)


def test_nothing_is_collected_while_torch_is_imported(
    qtbot: QtBot,
    collector: GarbageCollector,
    session: TrainingSession,
    collections: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(TrainingSession, "is_busy", True)
    kept = make_garbage()
    qtbot.wait(100)
    assert collections == []
    session.devices = {"cpu": "CPU"}
    qtbot.waitUntil(lambda: 0 in collections)
    assert kept() is not None  # the collections of this test free nothing
