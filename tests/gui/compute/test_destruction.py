"""What tasks refer to, which may be widgets, is destroyed in the main thread."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from functools import partial

import pytest
import shiboken6
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.gui.compute import io_task
from cnnstudio.gui.compute.compute_thread import ComputeThread
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.compute.session import TrainingSession


class Widget:
    """Records in which thread it is destroyed."""

    def __init__(self, destroyed_in: list[threading.Thread]) -> None:
        self._destroyed_in = destroyed_in

    def __del__(self) -> None:
        self._destroyed_in.append(threading.current_thread())


@pytest.fixture
def destroyed_in() -> Iterator[list[threading.Thread]]:
    threads: list[threading.Thread] = []
    yield threads
    assert set(threads) == {threading.main_thread()}


def use(widget: Widget, *arguments: object) -> None:
    """What a task does with it."""


def test_a_task_of_the_compute_thread(qtbot: QtBot, destroyed_in: list[threading.Thread]) -> None:
    thread = ComputeThread()
    for _ in range(200):
        thread.submit(partial(use, Widget(destroyed_in)))
    qtbot.waitUntil(lambda: thread.pending == 0)
    assert thread.close(60)
    assert len(destroyed_in) == 200


def test_a_task_of_the_session_with_its_callbacks(qtbot: QtBot, destroyed_in: list[threading.Thread]) -> None:
    session = TrainingSession()
    for _ in range(50):
        session.run_task(partial(use, Widget(destroyed_in)), partial(use, Widget(destroyed_in)))
    qtbot.waitUntil(lambda: not session.is_busy, timeout=60_000)
    assert session.shutdown(60)
    assert len(destroyed_in) == 100


@pytest.mark.parametrize("delete_owner", [True, False])
def test_an_io_task_even_if_its_dialog_is_deleted_before_it_ends(
    qtbot: QtBot, destroyed_in: list[threading.Thread], delete_owner: bool
) -> None:
    owner, running, release = QObject(), threading.Event(), threading.Event()

    def read(widget: Widget, progress: ProgressFunction, cancelled: CancelFunction) -> None:
        running.set()
        assert release.wait(60)

    IoTask(partial(read, Widget(destroyed_in)), owner).start()
    assert running.wait(60)
    if delete_owner:
        shiboken6.delete(owner)
    release.set()
    qtbot.waitUntil(lambda: not io_task._running)
    assert len(destroyed_in) == 1


def test_a_task_that_has_ended_is_gone_while_its_owner_lives(qtbot: QtBot) -> None:
    owner = QObject()
    ended: list[bool] = []
    alive = []
    for _ in range(5):
        task = IoTask(lambda progress, cancelled: None, owner)
        task.ended.connect(lambda: ended.append(True))
        alive.append(weakref.ref(task))
        task.start()
        del task
    qtbot.waitUntil(lambda: len(ended) == 5)
    qtbot.waitUntil(lambda: not any(each() is not None for each in alive))
    assert owner.children() == []
