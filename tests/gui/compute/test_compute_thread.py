"""The compute thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from cnnstudio.gui.compute import compute_thread
from cnnstudio.gui.compute.compute_thread import ComputeThread


@pytest.fixture
def thread() -> Iterator[ComputeThread]:
    thread = ComputeThread()
    yield thread
    assert thread.close(60)


def test_tasks_run_in_order_on_one_thread_other_than_the_main_one(
    thread: ComputeThread, qtbot: QtBot
) -> None:
    done: list[tuple[int, int]] = []

    for number in range(5):
        thread.submit(lambda number=number: done.append((number, threading.get_ident())))

    qtbot.waitUntil(lambda: thread.pending == 0)
    assert [number for number, _ in done] == [0, 1, 2, 3, 4]
    idents = {ident for _, ident in done}
    assert len(idents) == 1
    assert threading.get_ident() not in idents


def test_a_task_that_has_ended_is_not_waited_for_before_the_main_thread_knows(thread: ComputeThread) -> None:
    found, goes_on, has_ended = list[int](), threading.Event(), threading.Event()

    def look() -> None:
        found.append(thread.waiting)
        assert goes_on.wait(60)
        found.append(thread.waiting)
        has_ended.set()

    # No event reaches the main thread meanwhile.
    thread.submit(lambda: None)
    thread.submit(look)
    thread.submit(lambda: None)
    goes_on.set()
    assert has_ended.wait(60)
    assert found[-1] == 1
    assert thread.pending == 3


def test_no_thread_runs_before_the_first_task() -> None:
    thread = ComputeThread()

    assert thread._thread is None
    assert thread.close(60)


def test_a_failing_task_is_logged_and_the_next_one_runs(
    thread: ComputeThread, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    done = threading.Event()

    thread.submit(lambda: 1 / 0)  # type: ignore[arg-type,return-value]  # the result is ignored
    thread.submit(done.set)

    qtbot.waitUntil(lambda: thread.pending == 0)
    assert done.is_set()
    assert "A task on the compute thread failed" in caplog.text


def test_closing_drops_the_queued_tasks(thread: ComputeThread) -> None:
    running, release, second = threading.Event(), threading.Event(), threading.Event()
    thread.submit(lambda: (running.set(), release.wait(60)))  # type: ignore[arg-type,return-value]  # the result is ignored
    thread.submit(second.set)
    assert running.wait(60)

    assert not thread.close(0.05)
    abandoned = compute_thread._abandoned[-1]
    assert abandoned.isRunning()
    release.set()

    assert abandoned.wait(60_000)
    assert not second.is_set()


def test_no_task_runs_after_closing() -> None:
    thread = ComputeThread()
    thread.close(60)

    thread.submit(lambda: None)

    assert thread.pending == 0
