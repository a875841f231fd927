"""The training session: states, events, tasks, and shutting down."""

from __future__ import annotations

import logging
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from cnnstudio.core.errors import UserError
from cnnstudio.core.progress import Cancelled
from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.data.sources import add_folder
from cnnstudio.data.sources.folder_list import unregister_set
from cnnstudio.data.sources.shapes import Shapes
from cnnstudio.gui.compute.event_queue import EventQueue
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.compute.training_request import TrainingRequest
from cnnstudio.training.control import Control
from cnnstudio.training.events import Event, Finished, Paused, Resumed, SnapshotTaken
from cnnstudio.training.recipe.recipe import Recipe
from tests.gui.canned import finished, progress, run_events, started
from tests.gui.fakes import TINY, image_folder

RECIPE = Recipe("quick", epochs=2, batch_size=8)


class ScriptedSession:
    """A session whose training is a script of the test; records its signals."""

    def __init__(self, session: TrainingSession, monkeypatch: pytest.MonkeyPatch) -> None:
        self.session = session
        self.states: list[State] = []
        self.events: list[Event] = []
        self.batches: list[tuple[Event, ...]] = []
        self.failures: list[str] = []
        session.state_changed.connect(self.states.append)
        session.events.connect(self._record)
        session.failed.connect(self.failures.append)
        monkeypatch.setattr(session._torch, "_import_torch", lambda: None)
        self._monkeypatch = monkeypatch

    def _record(self, events: tuple[Event, ...]) -> None:
        self.batches.append(events)
        self.events.extend(events)

    def script(self, act: Callable[[Callable[[Event], None], Control], None]) -> None:
        """Replaces the training by `act(emit, control)`, called in the compute thread."""

        def train(*arguments: Any) -> Finished:
            act(arguments[-1], arguments[-2])
            return finished()

        self._monkeypatch.setattr(self.session._datasets, "get", lambda *arguments: None)
        self._monkeypatch.setattr(self.session, "_train", train)

    def start(self) -> None:
        self.session.start(TINY, "tiny", RECIPE)


@pytest.fixture
def session() -> Iterator[TrainingSession]:
    session = TrainingSession()
    yield session
    assert session.shutdown(60)


@pytest.fixture
def scripted(session: TrainingSession, monkeypatch: pytest.MonkeyPatch) -> ScriptedSession:
    return ScriptedSession(session, monkeypatch)


def until(qtbot: QtBot, scripted: ScriptedSession, state: State) -> None:
    # Long enough to draw the shapes on a busy machine.
    qtbot.waitUntil(lambda: scripted.session.state is state, timeout=60_000)


def test_a_run_goes_from_loading_to_running_to_idle(scripted: ScriptedSession, qtbot: QtBot) -> None:
    def act(emit: Callable[[Event], None], control: Control) -> None:
        for event in [*run_events(epochs=2, planned=2, run="/runs/one"), finished(run="/runs/one")]:
            emit(event)

    scripted.script(act)
    scripted.start()
    until(qtbot, scripted, State.IDLE)

    assert scripted.states == [State.LOADING, State.RUNNING, State.IDLE]
    assert scripted.events == [*run_events(epochs=2, planned=2, run="/runs/one"), finished(run="/runs/one")]
    assert scripted.session.run == Path("/runs/one")
    assert scripted.session.network is TINY


def test_equal_runs_in_a_row_are_numbered_by_their_places(scripted: ScriptedSession, qtbot: QtBot) -> None:
    positions: list[tuple[int, int] | None] = []
    scripted.script(lambda emit, control: emit(started()))
    scripted.session.state_changed.connect(
        lambda state: positions.append(scripted.session.position) if state is State.LOADING else None
    )
    scripted.session.start_row([TrainingRequest(TINY, "tiny", RECIPE)] * 3)
    until(qtbot, scripted, State.IDLE)

    assert positions == [(1, 3), (2, 3), (3, 3)]


def test_the_thread_is_free_once_all_results_were_delivered(scripted: ScriptedSession, qtbot: QtBot) -> None:
    told: list[object] = []
    scripted.session.became_free.connect(lambda: told.append("free"))
    for number in (1, 2):
        scripted.session.run_task(lambda progress, cancelled, number=number: number, told.append)
    qtbot.waitUntil(lambda: "free" in told)

    assert told == [1, 2, "free"]


def test_no_number_is_lost_and_only_the_newest_snapshot_is_delivered(
    scripted: ScriptedSession, qtbot: QtBot
) -> None:
    def act(emit: Callable[[Event], None], control: Control) -> None:
        emit(started())
        for step in range(1, 201):
            emit(progress(step, 1))
            emit(SnapshotTaken(step, step / 10, "feature_maps", step))
        emit(finished())

    scripted.script(act)
    scripted.start()
    until(qtbot, scripted, State.IDLE)

    assert sum(len(event.losses) for event in scripted.events if hasattr(event, "losses")) == 200
    snapshots = [event for event in scripted.events if isinstance(event, SnapshotTaken)]
    assert snapshots[-1].payload == 200
    assert all(sum(isinstance(event, SnapshotTaken) for event in batch) <= 1 for batch in scripted.batches)


def test_pause_resume_and_stop_reach_the_training(scripted: ScriptedSession, qtbot: QtBot) -> None:
    def act(emit: Callable[[Event], None], control: Control) -> None:
        emit(started())
        assert control.pause.wait(60)
        emit(Paused(3))
        while control.wait_if_paused(0.01):
            pass
        emit(Resumed(3))
        assert control.stop.wait(60)
        emit(finished("stopped", "Stopped in epoch 1."))

    scripted.script(act)
    scripted.start()
    until(qtbot, scripted, State.RUNNING)
    scripted.session.pause()
    until(qtbot, scripted, State.PAUSED)
    scripted.session.resume()
    until(qtbot, scripted, State.RUNNING)
    scripted.session.stop()
    assert scripted.session.state is State.STOPPING
    until(qtbot, scripted, State.IDLE)

    assert scripted.failures == []


def test_stop_while_loading_ends_without_a_run(
    scripted: ScriptedSession, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str, progress: object, cancelled: Callable[[], bool]) -> None:
        while not cancelled():
            time.sleep(0.001)
        raise Cancelled

    scripted.script(lambda emit, control: pytest.fail("it trained"))
    monkeypatch.setattr(scripted.session._datasets, "get", load)
    scripted.start()
    scripted.session.stop()
    until(qtbot, scripted, State.IDLE)

    assert scripted.events == []
    assert scripted.failures == []


def test_a_second_start_is_ignored(scripted: ScriptedSession, qtbot: QtBot) -> None:
    runs = []

    def act(emit: Callable[[Event], None], control: Control) -> None:
        runs.append(control)
        emit(started())
        control.stop.wait(60)

    scripted.script(act)
    scripted.start()
    scripted.start()
    until(qtbot, scripted, State.RUNNING)
    scripted.session.stop()
    until(qtbot, scripted, State.IDLE)

    assert len(runs) == 1


def test_a_user_error_is_reported_with_its_own_message(scripted: ScriptedSession, qtbot: QtBot) -> None:
    def act(emit: Callable[[Event], None], control: Control) -> None:
        raise UserError("Tiny has too few images.")

    scripted.script(act)
    scripted.start()
    until(qtbot, scripted, State.IDLE)

    assert scripted.failures == ["Tiny has too few images."]


def test_an_internal_error_is_reported_in_one_sentence_and_logged(
    scripted: ScriptedSession, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    def act(emit: Callable[[Event], None], control: Control) -> None:
        raise RuntimeError("a kernel\nbroke")

    scripted.script(act)
    scripted.start()
    until(qtbot, scripted, State.IDLE)

    (sentence,) = scripted.failures
    assert "a kernel broke" in sentence
    assert "\n" not in sentence
    assert any(record.levelno == logging.ERROR and record.exc_info for record in caplog.records)


def test_a_failed_run_reports_its_reason_once(
    scripted: ScriptedSession, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    def act(emit: Callable[[Event], None], control: Control) -> None:
        emit(started())
        emit(finished("failed", "The disk is full."))
        raise OSError("the disk is full")

    scripted.script(act)
    scripted.start()
    until(qtbot, scripted, State.IDLE)

    assert scripted.failures == ["The disk is full."]


def test_a_missing_data_set_is_reported(scripted: ScriptedSession, qtbot: QtBot) -> None:
    scripted.session.start(TINY, "nowhere", RECIPE)
    until(qtbot, scripted, State.IDLE)

    (sentence,) = scripted.failures
    assert "There is no data set or folder “nowhere”" in sentence


class Loader:
    """Loads data sets through the session, without training on them."""

    def __init__(self, scripted: ScriptedSession, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
        self._scripted, self._qtbot = scripted, qtbot
        self._loaded: list[tuple[str, Dataset]] = []
        self.texts: list[str] = []
        scripted.session.dataset_loaded.connect(self._loaded.append)
        scripted.session.loading.connect(lambda progress: self.texts.append(progress.text))
        monkeypatch.setattr(scripted.session, "_train", lambda *arguments: None)

    def load(self, name: str) -> Dataset:
        self._scripted.session.start(TINY, name, RECIPE)
        until(self._qtbot, self._scripted, State.IDLE)
        loaded_name, dataset = self._loaded[-1]
        assert loaded_name == name
        return dataset


@pytest.fixture
def loader(scripted: ScriptedSession, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Loader:
    return Loader(scripted, qtbot, monkeypatch)


def test_a_built_in_data_set_is_loaded_once(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    split = Split(np.zeros((2, 3, 8, 8), np.uint8), np.arange(2))
    monkeypatch.setattr(
        Shapes, "load", lambda *arguments: Dataset("shapes", "Shapes", ("a", "b"), split, split)
    )

    assert loader.load("shapes") is loader.load("shapes")
    assert loader.texts


def test_a_fetched_data_set_stays_in_memory_and_does_not_count_as_a_training(
    scripted: ScriptedSession, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    tiny = Split(np.zeros((2, 3, 8, 8), np.uint8), np.array([0, 1]))

    def load(source: Shapes, *arguments: object) -> Dataset:
        loaded.append(source.name)
        return Dataset(source.name, source.title, ("one", "two"), tiny, tiny)

    monkeypatch.setattr(Shapes, "load", load)
    fetched: list[Dataset] = []
    announced: list[object] = []
    scripted.session.dataset_loaded.connect(announced.append)
    scripted.session.fetch("shapes", fetched.append, scripted.failures.append)
    qtbot.waitUntil(lambda: bool(fetched))
    assert fetched[0].classes == ("one", "two")
    # `dataset_loaded` is only for trainings.
    assert announced == []
    assert scripted.states == []
    scripted.session.fetch("shapes", fetched.append, scripted.failures.append)
    qtbot.waitUntil(lambda: len(fetched) == 2)
    assert loaded == ["shapes"]


def test_a_failed_fetch_is_reported_only_to_its_caller(scripted: ScriptedSession, qtbot: QtBot) -> None:
    errors: list[str] = []
    scripted.session.fetch("nothing of that name", print, errors.append)
    qtbot.waitUntil(lambda: bool(errors))
    assert "no data set" in errors[0]
    assert scripted.failures == []


def test_images_added_to_a_folder_are_in_the_next_training(loader: Loader, tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "images")
    before = loader.load(str(folder))
    shutil.copy(folder / "train" / "dark" / "0.png", folder / "train" / "dark" / "new.png")

    after = loader.load(str(folder))

    assert len(after.train.labels) == len(before.train.labels) + 1


def test_a_new_folder_with_the_name_of_a_removed_one_is_loaded_afresh(loader: Loader, tmp_path: Path) -> None:
    first, second = (image_folder(tmp_path / place / "pets") for place in ("one", "two"))
    for part in ("train", "test"):
        (second / part / "dark").rename(second / part / "cats")
    add_folder(first)
    assert loader.load("pets").classes == ("bright", "dark")

    unregister_set("pets")
    add_folder(second)

    assert loader.load("pets").classes == ("bright", "cats")


def test_a_folder_named_like_a_built_in_data_set_is_not_confused_with_it(
    loader: Loader, tmp_path: Path
) -> None:
    loader.load("shapes")

    assert loader.load(str(image_folder(tmp_path / "shapes"))).classes == ("bright", "dark")


def test_the_last_watched_layer_wins_a_race_with_the_start_of_the_training(
    session: TrainingSession, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched: list[str] = []
    watching, proceed, both_watched = threading.Event(), threading.Event(), threading.Event()

    class SlowProbe:
        def watch(self, node_id: str, image: int) -> None:
            if not watched and not watching.is_set():
                watching.set()
                proceed.wait(0.3)
            watched.append(node_id)

    monkeypatch.setattr(session._torch, "_import_torch", lambda: None)
    monkeypatch.setattr(session._datasets, "get", lambda *arguments: None)
    monkeypatch.setattr("cnnstudio.insight.feature_maps.FeatureMapProbe", SlowProbe)
    # The run does not end before both calls of `watch`.
    monkeypatch.setattr("cnnstudio.runs.start.start_run", lambda *arguments, **options: both_watched.wait(60))
    session.watch("old", 0)
    session.start(TINY, "tiny", RECIPE)
    assert watching.wait(60)

    session.watch("new", 0)
    proceed.set()
    both_watched.set()

    qtbot.waitUntil(lambda: session.state is State.IDLE)
    assert watched == ["old", "new"]


def test_a_task_runs_in_the_compute_thread_and_delivers_its_result(
    scripted: ScriptedSession, qtbot: QtBot
) -> None:
    results: list[object] = []
    progress_seen: list[object] = []

    def work(progress: Callable[[object], None], cancelled: Callable[[], bool]) -> int:
        for number in range(1000):
            progress(number)
        return threading.get_ident()

    scripted.session.run_task(work, results.append, on_progress=progress_seen.append)
    qtbot.waitUntil(lambda: bool(results))

    assert results != [threading.get_ident()]
    assert progress_seen[-1] == 999
    assert len(progress_seen) < 1000
    qtbot.waitUntil(lambda: not scripted.session.is_busy)


def test_a_failing_task_reports_its_error(scripted: ScriptedSession, qtbot: QtBot) -> None:
    errors: list[str] = []

    def work(progress: object, cancelled: object) -> None:
        raise UserError("The folder cannot be written.")

    scripted.session.run_task(work, lambda result: pytest.fail("it succeeded"), errors.append)

    qtbot.waitUntil(lambda: errors == ["The folder cannot be written."])


def test_a_cancelled_task_calls_no_callback(scripted: ScriptedSession, qtbot: QtBot) -> None:
    began, ended = threading.Event(), threading.Event()

    def work(progress: Callable[[object], None], cancelled: Callable[[], bool]) -> None:
        began.set()
        while not cancelled():
            time.sleep(0.001)
        ended.set()

    task = scripted.session.run_task(work, lambda result: pytest.fail("a callback was called"))
    assert began.wait(60)
    task.cancel()

    qtbot.waitUntil(lambda: not scripted.session.is_busy)
    assert ended.is_set()


def test_a_training_waits_for_a_running_task(scripted: ScriptedSession, qtbot: QtBot) -> None:
    order: list[str] = []
    release = threading.Event()

    def work(progress: object, cancelled: object) -> None:
        release.wait(60)
        order.append("task")

    scripted.script(lambda emit, control: order.append("training"))
    scripted.session.run_task(work, lambda result: None)
    scripted.start()
    assert scripted.session.state is State.LOADING
    release.set()
    until(qtbot, scripted, State.IDLE)

    assert order == ["task", "training"]


def test_a_failing_listener_does_not_stop_the_delivery(scripted: ScriptedSession, qtbot: QtBot) -> None:
    def fail(value: object) -> None:
        raise ValueError("an error in a listener")

    with qtbot.captureExceptions() as caught:
        scripted.session.run_task(lambda progress, cancelled: 1, fail)
        qtbot.waitUntil(lambda: not scripted.session.is_busy)
        results: list[object] = []
        scripted.session.run_task(lambda progress, cancelled: 2, results.append)
        qtbot.waitUntil(lambda: results == [2])

    assert len(caught) == 1


def test_shutting_down_stops_the_training(monkeypatch: pytest.MonkeyPatch, qtbot: QtBot) -> None:
    session = TrainingSession()
    scripted = ScriptedSession(session, monkeypatch)

    def act(emit: Callable[[Event], None], control: Control) -> None:
        emit(started())
        control.stop.wait(60)
        emit(finished("stopped", "Stopped in epoch 1."))

    scripted.script(act)
    scripted.start()
    until(qtbot, scripted, State.RUNNING)

    assert session.shutdown(60)

    assert session.state is State.IDLE
    assert scripted.events[-1] == finished("stopped", "Stopped in epoch 1.")


def test_shutting_down_an_unused_session_is_quick() -> None:
    assert TrainingSession().shutdown(3)


def test_torch_is_imported_in_the_compute_thread_and_the_main_thread_gets_one_torch_thread(
    session: TrainingSession, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    calls: list[tuple[int, int]] = []
    real = torch.set_num_threads
    monkeypatch.setattr(
        torch, "set_num_threads", lambda count: (calls.append((threading.get_ident(), count)), real(count))
    )
    threads = torch.get_num_threads()

    session.preload()
    session.preload()
    qtbot.waitUntil(lambda: not session.is_busy)

    main = threading.get_ident()
    assert [count for ident, count in calls if ident == main] == [1]
    assert [count for ident, count in calls if ident != main] == [threads]
    assert "cnnstudio.runs.start" in sys.modules


def test_of_two_snapshots_of_the_same_step_the_newer_one_is_delivered() -> None:
    queue = EventQueue()
    delivered: list[Event] = []
    for payload in ("conv2d_1", "dense_1"):
        # Equal: the payload does not count in comparisons.
        queue.put(SnapshotTaken(7, 0.7, "feature_maps", payload))
    queue.put(Paused(7))

    queue.drain(delivered.extend)

    assert [type(event) for event in delivered] == [SnapshotTaken, Paused]
    assert [event.payload for event in delivered if isinstance(event, SnapshotTaken)] == ["dense_1"]
