"""Answers to what views ask: from memory, from a run's folder, and computed on the compute thread."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from cnnstudio.data.sources import find_source
from cnnstudio.gui.compute import instrument_requests
from cnnstudio.gui.compute.instrument_requests import InstrumentRequests, _total_bytes
from cnnstudio.gui.compute.questions import Answer, Option, Question
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.insight.instruments.confusion import Confusion, ConfusionReading
from cnnstudio.insight.instruments.embedding import EmbeddingReading
from cnnstudio.insight.instruments.filters import FiltersReading
from cnnstudio.insight.instruments.mistakes import MistakesReading
from cnnstudio.runs.epochs.inspection import OwnImages
from cnnstudio.runs.epochs.kept_weights import weights_path
from cnnstudio.runs.run import Run
from cnnstudio.runs.snapshots import snapshot_path
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.events import EpochEnded, Event
from cnnstudio.training.recipe.recipe import Recipe
from tests.gui.fakes import TINY, image_folder

RECIPE = Recipe("quick", epochs=2, batch_size=8)
PATIENCE_MS = 60_000


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return image_folder(tmp_path / "images")


@pytest.fixture
def folder(tmp_path: Path, images: Path) -> Path:
    """A run with two epochs."""
    source = find_source(str(images))
    options = RunOptions(folder=tmp_path / "run", source=str(images), threads=1)
    start_run(TINY, source.load(), RECIPE, options)
    return tmp_path / "run"


@pytest.fixture
def session() -> Iterator[TrainingSession]:
    session = TrainingSession()
    yield session
    assert session.shutdown(60)


@pytest.fixture
def requests(session: TrainingSession) -> Iterator[InstrumentRequests]:
    found = InstrumentRequests(session)
    yield found
    found.close()
    found.deleteLater()


def ask(folder: Path, epoch: int, instrument: str, **options: Option) -> Question:
    return Question(folder, epoch, instrument, tuple(sorted(options.items())))


def answers(qtbot: QtBot, requests: InstrumentRequests, *questions: Question) -> list[Answer]:
    """Waits for the answers to all of them."""
    requests.want(frozenset(questions))
    qtbot.waitUntil(
        lambda: not any(requests.answer(each).is_pending for each in questions), timeout=PATIENCE_MS
    )
    return [requests.answer(each) for each in questions]


def test_what_was_recorded_is_read_without_computing(
    qtbot: QtBot, requests: InstrumentRequests, session: TrainingSession, folder: Path, images: Path
) -> None:
    shutil.rmtree(images)
    recorded = [ask(folder, 2, name) for name in ("confusion", "calibration", "predictions", "histograms")]
    for answer in answers(qtbot, requests, *recorded):
        assert answer.epoch == 2
        assert answer.reading is not None
    assert not session.is_busy


def test_the_rest_is_computed_from_kept_weights_on_the_compute_thread(
    qtbot: QtBot, requests: InstrumentRequests, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[threading.Thread] = set()
    take = Confusion.take

    def noting(self: Confusion, model: object, subject: object) -> object:
        threads.add(threading.current_thread())
        return take(self, model, subject)  # type: ignore[arg-type]

    monkeypatch.setattr(Confusion, "take", noting)
    filters, mistakes, confusion = answers(
        qtbot,
        requests,
        ask(folder, 1, "filters", layer="conv2d_1", since=0),
        ask(folder, 2, "mistakes"),
        ask(folder, 2, "confusion", split="test"),
    )
    assert isinstance(filters.reading, FiltersReading)
    assert filters.reading.change is not None
    assert filters.epoch == 1
    assert isinstance(mistakes.reading, MistakesReading)
    assert isinstance(confusion.reading, ConfusionReading)
    assert threading.main_thread() not in threads


def test_an_answer_comes_from_memory_the_second_time(
    qtbot: QtBot, requests: InstrumentRequests, folder: Path
) -> None:
    question = ask(folder, 1, "confusion")
    (first,) = answers(qtbot, requests, question)
    shutil.rmtree(folder)
    requests.want(frozenset({question}))
    assert requests.answer(question) is first


def test_an_epoch_of_which_nothing_was_kept_is_answered_by_an_earlier_one(
    qtbot: QtBot, requests: InstrumentRequests, folder: Path
) -> None:
    for epoch in (1, 2):
        weights_path(folder, epoch).unlink()
        snapshot_path(folder, epoch).unlink()
    shutil.rmtree(folder / "checkpoints")
    histograms, filters = answers(qtbot, requests, ask(folder, 2, "histograms"), ask(folder, 1, "filters"))
    assert (histograms.epoch, filters.epoch) == (0, 0)
    assert histograms.reading is not None
    assert filters.reading is not None


def test_a_run_that_kept_nothing_says_so(qtbot: QtBot, requests: InstrumentRequests, folder: Path) -> None:
    for part in ("weights", "snapshots", "checkpoints"):
        shutil.rmtree(folder / part)
    (answer,) = answers(qtbot, requests, ask(folder, 2, "filters"))
    assert answer.problem.startswith("Nothing was kept of this epoch")


def test_a_run_that_is_gone_is_a_sentence(qtbot: QtBot, requests: InstrumentRequests, tmp_path: Path) -> None:
    (answer,) = answers(qtbot, requests, ask(tmp_path / "gone", 2, "filters"))
    assert answer.problem.startswith("There is no run in")


def test_images_that_are_gone_concern_only_what_needs_them(
    qtbot: QtBot, requests: InstrumentRequests, folder: Path, images: Path
) -> None:
    shutil.rmtree(images)
    mistakes, filters = answers(qtbot, requests, ask(folder, 2, "mistakes"), ask(folder, 2, "filters"))
    assert mistakes.reading is None
    assert mistakes.problem == f"The data set of the run was not found: {images}."
    assert filters.reading is not None


def test_images_that_changed_are_not_taken_for_those_of_the_run(
    qtbot: QtBot, requests: InstrumentRequests, folder: Path, images: Path
) -> None:
    first = min(images.rglob("*.png"))
    first.write_bytes(max(images.rglob("*.png")).read_bytes())
    (answer,) = answers(qtbot, requests, ask(folder, 2, "mistakes"))
    assert "have changed since the run was trained" in answer.problem


def test_damaged_weights_are_a_sentence(qtbot: QtBot, requests: InstrumentRequests, folder: Path) -> None:
    weights_path(folder, 1).write_bytes(b"damaged")
    shutil.rmtree(folder / "checkpoints")
    (answer,) = answers(qtbot, requests, ask(folder, 1, "filters"))
    assert answer.problem == "The kept weights in epoch-001.safetensors are damaged."


def test_nothing_is_computed_for_what_is_not_wanted_any_more(
    qtbot: QtBot, requests: InstrumentRequests, folder: Path
) -> None:
    question = ask(folder, 2, "mistakes")
    requests.want(frozenset({question}))
    requests.want(frozenset())
    (other,) = answers(qtbot, requests, ask(folder, 1, "filters"))
    assert other.reading is not None
    assert requests.answer(question).is_pending


def test_the_memory_for_answers_is_bounded(
    qtbot: QtBot, requests: InstrumentRequests, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instrument_requests, "CACHE_BYTES", 1)
    first, second = ask(folder, 1, "filters"), ask(folder, 2, "filters")
    answers(qtbot, requests, first)
    answers(qtbot, requests, second)
    assert requests.answer(first).is_pending
    assert not requests.answer(second).is_pending


def test_a_training_answers_while_it_runs(
    qtbot: QtBot, session: TrainingSession, requests: InstrumentRequests, folder: Path, images: Path
) -> None:
    session.start(TINY, str(images), RECIPE.replace(epochs=9_000))
    ended: list[EpochEnded] = []

    def listen(events: tuple[Event, ...]) -> None:
        ended.extend(event for event in events if isinstance(event, EpochEnded))

    session.events.connect(listen)
    qtbot.waitUntil(lambda: bool(ended), timeout=PATIENCE_MS)
    # Of another run, and of the one that is training.
    other, own = answers(
        qtbot, requests, ask(folder, 2, "mistakes"), ask(session.run or folder, 0, "filters")
    )
    assert isinstance(other.reading, MistakesReading)
    assert isinstance(own.reading, FiltersReading)
    assert session.state is State.RUNNING
    session.stop()
    qtbot.waitUntil(lambda: session.state is State.IDLE, timeout=PATIENCE_MS)
    assert Run.open(session.run or folder).status == "stopped"


def advance_until(
    qtbot: QtBot, session: TrainingSession, requests: InstrumentRequests, has_happened: Callable[[], bool]
) -> None:
    """Does what a training does between its steps."""

    def advance() -> bool:
        requests._service.advance()
        session._runner.drain()
        return has_happened()

    qtbot.waitUntil(advance, timeout=PATIENCE_MS)


def begin(qtbot: QtBot, requests: InstrumentRequests, question: Question) -> None:
    """Asks, and has the first slice computed."""
    requests.want(frozenset({question}))
    qtbot.waitUntil(lambda: requests._service.is_pending, timeout=PATIENCE_MS)
    requests._service.advance()
    assert requests._service.current is not None


def test_what_the_network_says_to_an_image_does_not_wait_for_what_looks_at_the_data_set(
    qtbot: QtBot, session: TrainingSession, requests: InstrumentRequests, folder: Path
) -> None:
    answers(qtbot, requests, ask(folder, 2, "mistakes"))  # the images of the data set are loaded
    one, many = (OwnImages(np.zeros((count, 3, 8, 8), np.uint8)) for count in (1, 5))
    wanted = [
        ask(folder, 2, "nearest", own_images=one),
        ask(folder, 2, "not_sure"),
        ask(folder, 2, "predictions", own_images=many),
        ask(folder, 2, "predictions", own_images=one),
    ]
    session._set_state(State.RUNNING)
    requests.want(frozenset(wanted))
    qtbot.waitUntil(lambda: len(requests._service._wanted) == len(wanted), timeout=PATIENCE_MS)
    done: list[Question] = []

    def all_done() -> bool:
        done.extend(each for each in wanted if each not in done and not requests.answer(each).is_pending)
        return len(done) == len(wanted)

    advance_until(qtbot, session, requests, all_done)
    session._set_state(State.IDLE)
    assert done == [wanted[3], wanted[0], wanted[1], wanted[2]]


def test_of_epochs_shorter_than_a_reading_a_view_shows_one_after_the_other(
    qtbot: QtBot, session: TrainingSession, requests: InstrumentRequests, folder: Path
) -> None:
    first, second = ask(folder, 1, "mistakes"), ask(folder, 2, "mistakes")
    ends = Run.open(folder).history
    session.run = folder
    session._set_state(State.RUNNING)
    session.events.emit((ends[0],))
    begin(qtbot, requests, first)
    session.events.emit((ends[1],))
    requests.want(frozenset({second}))
    assert requests.answer(second).is_pending
    advance_until(qtbot, session, requests, lambda: not requests.answer(second).is_pending)
    assert requests.answer(second).epoch == 1
    advance_until(qtbot, session, requests, lambda: requests.answer(second).epoch == 2)
    session._set_state(State.IDLE)


def test_who_looks_back_does_not_wait_for_another_epoch(
    qtbot: QtBot, session: TrainingSession, requests: InstrumentRequests, folder: Path
) -> None:
    first, second = ask(folder, 1, "mistakes"), ask(folder, 2, "mistakes")
    session.run = folder
    session._set_state(State.RUNNING)
    session.events.emit(tuple(Run.open(folder).history))
    begin(qtbot, requests, second)
    requests.want(frozenset({first}))
    advance_until(qtbot, session, requests, lambda: not requests.answer(first).is_pending)
    assert requests.answer(first).epoch == 1
    assert not requests._service.is_pending
    session._set_state(State.IDLE)
    # Where nothing trains, nothing stands in for what is not known.
    assert requests.answer(second).is_pending


def test_an_outdated_answer_is_asked_again_when_an_epoch_has_ended(
    qtbot: QtBot, session: TrainingSession, requests: InstrumentRequests, folder: Path
) -> None:
    hidden = folder / "hidden"
    hidden.mkdir()
    moved = (weights_path(folder, 2), snapshot_path(folder, 2), folder / "checkpoints")
    for path in moved:
        path.rename(hidden / path.name)
    question = ask(folder, 2, "histograms")
    assert answers(qtbot, requests, question)[0].epoch == 1
    for path in moved:
        (hidden / path.name).rename(path)
    session.events.emit((Run.open(folder).history[-1],))
    qtbot.waitUntil(lambda: requests.answer(question).epoch == 2, timeout=PATIENCE_MS)


def test_of_a_run_that_is_about_to_begin_nothing_is_said_before_it_has_a_folder(
    qtbot: QtBot, requests: InstrumentRequests, folder: Path
) -> None:
    early, known = Question(None, 2, "confusion"), ask(folder, 2, "confusion")
    requests.want(frozenset({early}))
    requests.want(frozenset({early, known}))
    qtbot.waitUntil(lambda: not requests.answer(known).is_pending, timeout=PATIENCE_MS)
    assert requests.answer(early).is_pending


def test_memory_that_answers_share_counts_once() -> None:
    thumbnails = np.zeros((1_000, 3, 16, 16), np.uint8)
    readings = [
        EmbeddingReading(
            ("cat",),
            1_000,
            np.arange(1_000),
            np.zeros(1_000, np.int64),
            np.zeros(1_000, np.int64),
            np.ones(1_000, np.float32),
            np.zeros((1_000, 2), np.float32),
            np.zeros(2),
            thumbnails,
        )
        for _ in range(3)
    ]
    cache = {Question(Path("run"), at, "embedding"): Answer(each, at) for at, each in enumerate(readings)}
    own = readings[0].nbytes - thumbnails.nbytes
    assert _total_bytes(cache) == thumbnails.nbytes + 3 * own
