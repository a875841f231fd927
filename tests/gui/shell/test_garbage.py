"""Garbage is collected on the main thread alone while a window is open."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent, QObject
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
    """Python's own collections are on, which other tests of the window have off."""
    monkeypatch.setattr(garbage, "TICK_MS", 20)
    gc.enable()
    yield
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    gc.disable()


# Who collects


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[MainWindow]:
    window = create_window()
    qtbot.addWidget(window)
    window.show()
    with qtbot.waitSignal(window.session.devices_changed, timeout=60_000):
        window.session.preload()
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


@pytest.mark.slow
def test_torch_does_not_collect_after_compiling_either() -> None:
    """Otherwise it does, on the thread that compiles."""
    script = """
from cnnstudio.gui.shell.app import create_window
window = create_window()
import torch._dynamo.config
print(torch._dynamo.config.run_gc_after_compile)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert ended.stdout.strip() == "False", ended.stderr


# From the first window to the last


def make_collector(owner: QObject) -> GarbageCollector:
    return GarbageCollector(Project(TINY), TrainingSession(), owner)


def test_python_collects_again_when_the_last_window_has_been_closed(qtbot: QtBot) -> None:
    owner = QObject()
    first, second = make_collector(owner), make_collector(owner)
    assert not gc.isenabled()
    first.stop()
    first.stop()
    assert not gc.isenabled()
    second.stop()
    assert gc.isenabled()


def delete_at_once(owner: QObject) -> None:
    shiboken6.delete(owner)


def delete_later(owner: QObject) -> None:
    owner.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


@pytest.mark.parametrize("delete", [delete_at_once, delete_later])
def test_python_collects_again_when_the_last_window_was_deleted_without_being_closed(
    qtbot: QtBot, delete: Callable[[QObject], None]
) -> None:
    owner, other = QObject(), QObject()
    kept = make_collector(owner)
    delete(owner)
    assert gc.isenabled()
    assert not shiboken6.isValid(kept)
    last = make_collector(other)
    assert not gc.isenabled()
    last.stop()
    assert gc.isenabled()


def test_python_collects_again_when_the_last_window_was_itself_garbage(qtbot: QtBot) -> None:
    owner = QObject()
    owner.itself = owner  # type: ignore[attr-defined]  # makes it garbage
    make_collector(owner)
    del owner
    assert not gc.isenabled()
    gc.collect()
    assert gc.isenabled()


def test_collections_that_were_off_before_the_first_window_stay_off(qtbot: QtBot) -> None:
    owner = QObject()
    gc.disable()
    make_collector(owner).stop()
    assert not gc.isenabled()
    gc.enable()


def test_what_exists_when_torch_is_loaded_is_exempt_until_the_last_window_is_closed(qtbot: QtBot) -> None:
    owner = QObject()
    project, session = Project(TINY), TrainingSession()
    first, second = (GarbageCollector(project, session, owner) for _ in range(2))
    session.devices_changed.emit()
    assert gc.get_freeze_count() > 1_000
    first.stop()
    assert gc.get_freeze_count() > 1_000
    second.stop()
    assert gc.get_freeze_count() == 0


# Full collections


@pytest.fixture
def collections(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The generations that are collected."""
    calls: list[int] = []

    def collect(generation: int = 2) -> int:
        calls.append(generation)
        return 0

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
    yield collector
    collector.stop()


def edit(project: Project) -> None:
    project.edit("rename", edits.rename(project.network, project.network.name + "a"))


def test_a_full_collection_waits_until_the_user_has_stopped_editing(
    qtbot: QtBot, collector: GarbageCollector, project: Project, collections: list[int]
) -> None:
    collector._new_objects = 1_000_000
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
    session.state_changed.emit(State.IDLE)
    qtbot.waitUntil(lambda: 2 in collections)


def test_a_full_collection_does_not_wait_for_ever(
    qtbot: QtBot, collector: GarbageCollector, collections: list[int]
) -> None:
    collector._new_objects = 100_000_000
    qtbot.waitUntil(lambda: 2 in collections)


def test_a_collector_that_was_stopped_collects_no_more(
    qtbot: QtBot, collector: GarbageCollector, project: Project
) -> None:
    collector._new_objects = 100_000_000
    edit(project)
    collector.stop()
    assert not collector._tick_timer.isActive()
    assert not collector._idle_timer.isActive()


def test_nothing_is_collected_while_torch_is_imported(
    qtbot: QtBot,
    collector: GarbageCollector,
    session: TrainingSession,
    collections: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(TrainingSession, "is_busy", True)
    make_garbage()
    for _ in range(2):
        with qtbot.waitSignal(collector._tick_timer.timeout):
            pass
    assert collections == []
    session.devices = {"cpu": "CPU"}
    qtbot.waitUntil(lambda: 0 in collections)
