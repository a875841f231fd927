"""The session: states, events, jobs, and its end."""

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
from cnnstudio.data.sources.folder_list import forget_folder
from cnnstudio.data.sources.shapes import Shapes
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.training.control import Control
from cnnstudio.training.events import Event, Paused, Resumed, SnapshotTaken
from cnnstudio.training.recipe.recipe import Recipe
from tests.gui.canned import finished, progress, run_events, started
from tests.gui.fakes import TINY, image_folder

RECIPE = Recipe("quick", epochs=2, batch_size=8)


class Play:
    """A session whose training is what the test writes; what it says is kept."""

    def __init__(self, session: TrainingSession, monkeypatch: pytest.MonkeyPatch) -> None:
        self.session = session
        self.states: list[State] = []
        self.events: list[Event] = []
        self.batches: list[tuple[Event, ...]] = []
        self.failures: list[str] = []
        session.state_changed.connect(self.states.append)
        session.events.connect(self._take)
        session.failed.connect(self.failures.append)
        monkeypatch.setattr(session, "_import_torch", lambda: None)
        self._monkeypatch = monkeypatch

    def _take(self, events: tuple[Event, ...]) -> None:
        self.batches.append(events)
        self.events.extend(events)

    def script(self, act: Callable[[Callable[[Event], None], Control], None]) -> None:
        """What the training does, in its thread: gets where to send events, and the control."""

        def record(*arguments: Any) -> None:
            act(arguments[-1], arguments[-2])

        self._monkeypatch.setattr(self.session, "_load", lambda *arguments: None)
        self._monkeypatch.setattr(self.session, "_record", record)

    def start(self) -> None:
        self.session.start(TINY, "tiny", RECIPE)


@pytest.fixture
def session() -> Iterator[TrainingSession]:
    session = TrainingSession()
    yield session
    assert session.shutdown(10)


@pytest.fixture
def play(session: TrainingSession, monkeypatch: pytest.MonkeyPatch) -> Play:
    return Play(session, monkeypatch)


def until(qtbot: QtBot, play: Play, state: State) -> None:
    qtbot.waitUntil(lambda: play.session.state is state)


def test_a_run_goes_from_loading_to_running_to_idle(play: Play, qtbot: QtBot) -> None:
    def act(emit: Callable[[Event], None], control: Control) -> None:
        for event in [*run_events(epochs=2, planned=2, run="/runs/one"), finished(run="/runs/one")]:
            emit(event)

    play.script(act)
    play.start()
    until(qtbot, play, State.IDLE)

    assert play.states == [State.LOADING, State.RUNNING, State.IDLE]
    assert play.events == [*run_events(epochs=2, planned=2, run="/runs/one"), finished(run="/runs/one")]
    assert play.session.run == Path("/runs/one")
    assert play.session.network is TINY


def test_no_number_is_lost_and_only_the_newest_image_is_handed_on(play: Play, qtbot: QtBot) -> None:
    def act(emit: Callable[[Event], None], control: Control) -> None:
        emit(started())
        for step in range(1, 201):
            emit(progress(step, 1))
            emit(SnapshotTaken(step, step / 10, "feature_maps", step))
        emit(finished())

    play.script(act)
    play.start()
    until(qtbot, play, State.IDLE)

    assert sum(len(event.losses) for event in play.events if hasattr(event, "losses")) == 200
    images = [event for event in play.events if isinstance(event, SnapshotTaken)]
    assert images[-1].payload == 200
    assert all(sum(isinstance(event, SnapshotTaken) for event in batch) <= 1 for batch in play.batches)


def test_pause_resume_and_stop_reach_the_training(play: Play, qtbot: QtBot) -> None:
    def act(emit: Callable[[Event], None], control: Control) -> None:
        emit(started())
        assert control.pause.wait(5)
        emit(Paused(3))
        while control.wait_if_paused(0.01):
            pass
        emit(Resumed(3))
        assert control.stop.wait(5)
        emit(finished("stopped", "Stopped in epoch 1."))

    play.script(act)
    play.start()
    until(qtbot, play, State.RUNNING)
    play.session.pause()
    until(qtbot, play, State.PAUSED)
    play.session.resume()
    until(qtbot, play, State.RUNNING)
    play.session.stop()
    assert play.session.state is State.STOPPING
    until(qtbot, play, State.IDLE)

    assert play.failures == []


def test_stop_while_the_images_are_loaded_ends_without_a_run(
    play: Play, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str, control: Control) -> None:
        assert control.stop.wait(5)
        raise Cancelled

    play.script(lambda emit, control: pytest.fail("it trained"))
    monkeypatch.setattr(play.session, "_load", load)
    play.start()
    play.session.stop()
    until(qtbot, play, State.IDLE)

    assert play.events == []
    assert play.failures == []


def test_a_second_start_is_no_second_run(play: Play, qtbot: QtBot) -> None:
    runs = []

    def act(emit: Callable[[Event], None], control: Control) -> None:
        runs.append(control)
        emit(started())
        control.stop.wait(5)

    play.script(act)
    play.start()
    play.start()
    until(qtbot, play, State.RUNNING)
    play.session.stop()
    until(qtbot, play, State.IDLE)

    assert len(runs) == 1


def test_a_users_mistake_is_said_in_its_own_words(play: Play, qtbot: QtBot) -> None:
    def act(emit: Callable[[Event], None], control: Control) -> None:
        raise UserError("Tiny has too few images.")

    play.script(act)
    play.start()
    until(qtbot, play, State.IDLE)

    assert play.failures == ["Tiny has too few images."]


def test_an_error_of_the_program_is_a_sentence_and_a_log(
    play: Play, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    def act(emit: Callable[[Event], None], control: Control) -> None:
        raise RuntimeError("a kernel\nbroke")

    play.script(act)
    play.start()
    until(qtbot, play, State.IDLE)

    (sentence,) = play.failures
    assert "a kernel broke" in sentence
    assert "\n" not in sentence
    assert any(record.levelno == logging.ERROR and record.exc_info for record in caplog.records)


def test_a_run_that_failed_says_its_reason_once(
    play: Play, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    def act(emit: Callable[[Event], None], control: Control) -> None:
        emit(started())
        emit(finished("failed", "The disk is full."))
        raise OSError("the disk is full")

    play.script(act)
    play.start()
    until(qtbot, play, State.IDLE)

    assert play.failures == ["The disk is full."]


def test_data_that_are_not_there_are_a_sentence(play: Play, qtbot: QtBot) -> None:
    play.session.start(TINY, "nowhere", RECIPE)
    until(qtbot, play, State.IDLE)

    (sentence,) = play.failures
    assert "There is no data set or folder “nowhere”" in sentence


class Loads:
    """Loads data sets by the session, without training on them."""

    def __init__(self, play: Play, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
        self._play, self._qtbot = play, qtbot
        self._loaded: list[tuple[str, Dataset]] = []
        self.texts: list[str] = []
        play.session.dataset_loaded.connect(self._loaded.append)
        play.session.loading.connect(lambda news: self.texts.append(news.text))
        monkeypatch.setattr(play.session, "_record", lambda *arguments: None)

    def load(self, name: str) -> Dataset:
        self._play.session.start(TINY, name, RECIPE)
        until(self._qtbot, self._play, State.IDLE)
        told, dataset = self._loaded[-1]
        assert told == name
        return dataset


@pytest.fixture
def loads(play: Play, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Loads:
    return Loads(play, qtbot, monkeypatch)


def test_a_built_in_data_set_is_loaded_once(loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    split = Split(np.zeros((2, 3, 8, 8), np.uint8), np.arange(2))
    monkeypatch.setattr(
        Shapes, "load", lambda *arguments: Dataset("shapes", "Shapes", ("a", "b"), split, split)
    )

    assert loads.load("shapes") is loads.load("shapes")
    assert loads.texts


def test_a_data_set_can_be_fetched_to_look_at_and_is_there_for_the_training(
    play: Play, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    tiny = Split(np.zeros((2, 3, 8, 8), np.uint8), np.array([0, 1]))

    def load(source: Shapes, *arguments: object) -> Dataset:
        loaded.append(source.name)
        return Dataset(source.name, source.title, ("one", "two"), tiny, tiny)

    monkeypatch.setattr(Shapes, "load", load)
    given: list[Dataset] = []
    told: list[object] = []
    play.session.dataset_loaded.connect(told.append)
    play.session.fetch("shapes", given.append, play.failures.append)
    qtbot.waitUntil(lambda: bool(given))
    assert given[0].classes == ("one", "two")
    # Whoever follows the training has nothing to do with it.
    assert told == []
    assert play.states == []
    play.session.fetch("shapes", given.append, play.failures.append)
    qtbot.waitUntil(lambda: len(given) == 2)
    assert loaded == ["shapes"]


def test_what_cannot_be_fetched_is_told_to_the_one_who_asked(play: Play, qtbot: QtBot) -> None:
    refused: list[str] = []
    play.session.fetch("nothing of that name", print, refused.append)
    qtbot.waitUntil(lambda: bool(refused))
    assert "no data set" in refused[0]
    assert play.failures == []


def test_images_that_were_added_to_a_folder_are_trained_too(loads: Loads, tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "images")
    before = loads.load(str(folder))
    shutil.copy(folder / "train" / "dark" / "0.png", folder / "train" / "dark" / "new.png")

    after = loads.load(str(folder))

    assert len(after.train.labels) == len(before.train.labels) + 1


def test_another_folder_under_the_name_of_a_forgotten_one_is_another_data_set(
    loads: Loads, tmp_path: Path
) -> None:
    first, second = (image_folder(tmp_path / place / "pets") for place in ("one", "two"))
    for part in ("train", "test"):
        (second / part / "dark").rename(second / part / "cats")
    add_folder(first)
    assert loads.load("pets").classes == ("bright", "dark")

    forget_folder("pets")
    add_folder(second)

    assert loads.load("pets").classes == ("bright", "cats")


def test_a_folder_named_like_a_built_in_data_set_is_not_taken_for_it(loads: Loads, tmp_path: Path) -> None:
    loads.load("shapes")

    assert loads.load(str(image_folder(tmp_path / "shapes"))).classes == ("bright", "dark")


def test_the_layer_that_was_asked_for_last_is_shown_however_the_threads_meet(
    session: TrainingSession, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched: list[str] = []
    begun, over, asked = threading.Event(), threading.Event(), threading.Event()

    class SlowProbe:
        def watch(self, node_id: str, image: int) -> None:
            if not watched and not begun.is_set():
                begun.set()
                over.wait(0.3)
            watched.append(node_id)

    monkeypatch.setattr(session, "_import_torch", lambda: None)
    monkeypatch.setattr(session, "_load", lambda *arguments: None)
    monkeypatch.setattr("cnnstudio.insight.feature_maps.FeatureMapProbe", SlowProbe)
    # The run is not over before both have asked.
    monkeypatch.setattr("cnnstudio.runs.recorder.start_run", lambda *arguments, **options: asked.wait(10))
    session.watch("old", 0)
    session.start(TINY, "tiny", RECIPE)
    assert begun.wait(10)

    session.watch("new", 0)
    over.set()
    asked.set()

    qtbot.waitUntil(lambda: session.state is State.IDLE)
    assert watched == ["old", "new"]


def test_a_job_works_beside_the_main_thread_and_tells_its_result(play: Play, qtbot: QtBot) -> None:
    results: list[object] = []
    progress_seen: list[object] = []

    def work(tell: Callable[[object], None], cancelled: Callable[[], bool]) -> int:
        for number in range(1000):
            tell(number)
        return threading.get_ident()

    play.session.run_job(work, results.append, on_progress=progress_seen.append)
    qtbot.waitUntil(lambda: bool(results))

    assert results != [threading.get_ident()]
    assert progress_seen[-1] == 999
    assert len(progress_seen) < 1000
    qtbot.waitUntil(lambda: not play.session.is_busy)


def test_a_job_that_fails_says_so_in_a_sentence(play: Play, qtbot: QtBot) -> None:
    sentences: list[str] = []

    def work(tell: object, cancelled: object) -> None:
        raise UserError("The folder cannot be written.")

    play.session.run_job(work, lambda result: pytest.fail("it succeeded"), sentences.append)

    qtbot.waitUntil(lambda: sentences == ["The folder cannot be written."])


def test_a_cancelled_job_is_not_heard_any_more(play: Play, qtbot: QtBot) -> None:
    began, ended = threading.Event(), threading.Event()

    def work(tell: Callable[[object], None], cancelled: Callable[[], bool]) -> None:
        began.set()
        while not cancelled():
            time.sleep(0.001)
        ended.set()

    job = play.session.run_job(work, lambda result: pytest.fail("it was heard"))
    assert began.wait(5)
    job.cancel()

    qtbot.waitUntil(lambda: not play.session.is_busy)
    assert ended.is_set()


def test_a_training_waits_for_a_job_that_is_under_way(play: Play, qtbot: QtBot) -> None:
    order: list[str] = []
    go_on = threading.Event()

    def work(tell: object, cancelled: object) -> None:
        go_on.wait(5)
        order.append("job")

    play.script(lambda emit, control: order.append("training"))
    play.session.run_job(work, lambda result: None)
    play.start()
    assert play.session.state is State.LOADING
    go_on.set()
    until(qtbot, play, State.IDLE)

    assert order == ["job", "training"]


def test_a_listener_that_fails_does_not_keep_the_rest_from_the_others(play: Play, qtbot: QtBot) -> None:
    def fail(value: object) -> None:
        raise ValueError("a listener's mistake")

    with qtbot.captureExceptions() as caught:
        play.session.run_job(lambda tell, cancelled: 1, fail)
        qtbot.waitUntil(lambda: not play.session.is_busy)
        results: list[object] = []
        play.session.run_job(lambda tell, cancelled: 2, results.append)
        qtbot.waitUntil(lambda: results == [2])

    assert len(caught) == 1


def test_shutting_down_stops_what_is_under_way(monkeypatch: pytest.MonkeyPatch, qtbot: QtBot) -> None:
    session = TrainingSession()
    play = Play(session, monkeypatch)

    def act(emit: Callable[[Event], None], control: Control) -> None:
        emit(started())
        control.stop.wait(10)
        emit(finished("stopped", "Stopped in epoch 1."))

    play.script(act)
    play.start()
    until(qtbot, play, State.RUNNING)

    assert session.shutdown(5)

    assert session.state is State.IDLE
    assert play.events[-1] == finished("stopped", "Stopped in epoch 1.")


def test_shutting_down_before_anything_began_is_quick() -> None:
    assert TrainingSession().shutdown(3)


def test_torch_is_loaded_in_the_thread_and_the_main_thread_keeps_one_of_its_threads(
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
    assert "cnnstudio.runs.recorder" in sys.modules
