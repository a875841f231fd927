"""The thread that computes."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from cnnstudio.gui.compute import compute_thread as worker
from cnnstudio.gui.compute.compute_thread import ComputingThread, threads_left


@pytest.fixture
def thread() -> Iterator[ComputingThread]:
    thread = ComputingThread()
    yield thread
    assert thread.close(5)


def test_tasks_are_done_in_order_on_one_thread_that_is_not_the_main_one(
    thread: ComputingThread, qtbot: QtBot
) -> None:
    done: list[tuple[int, int]] = []

    for number in range(5):
        thread.do(lambda number=number: done.append((number, threading.get_ident())))

    qtbot.waitUntil(lambda: thread.tasks == 0)
    assert [number for number, _ in done] == [0, 1, 2, 3, 4]
    idents = {ident for _, ident in done}
    assert len(idents) == 1
    assert threading.get_ident() not in idents


def test_no_thread_runs_before_there_is_something_to_do() -> None:
    thread = ComputingThread()

    assert thread._thread is None
    assert thread.close(1)


def test_a_task_that_fails_is_logged_and_the_next_one_is_done(
    thread: ComputingThread, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    done = threading.Event()

    thread.do(lambda: 1 / 0)  # type: ignore[arg-type,return-value]  # its result is of no interest
    thread.do(done.set)

    qtbot.waitUntil(lambda: thread.tasks == 0)
    assert done.is_set()
    assert "A task on the computing thread failed" in caplog.text


def test_closing_leaves_out_what_waits(thread: ComputingThread) -> None:
    going, go_on, second = threading.Event(), threading.Event(), threading.Event()
    thread.do(lambda: (going.set(), go_on.wait(5)))  # type: ignore[arg-type,return-value]  # its result is of no interest
    thread.do(second.set)
    assert going.wait(5)

    assert not thread.close(0.05)
    assert threads_left()
    go_on.set()

    assert worker._left[-1].wait(5000)
    assert not threads_left()
    assert not second.is_set()


def test_nothing_is_done_after_closing() -> None:
    thread = ComputingThread()
    thread.close(1)

    thread.do(lambda: None)

    assert thread.tasks == 0
