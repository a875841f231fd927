"""Readings of a run at its epochs, and the service that takes them between the steps of a training."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import write_json
from cnnstudio.data.dataset import DataError, Dataset
from cnnstudio.insight.catalog import instrument, instruments
from cnnstudio.insight.instrument import Instrument, InstrumentError, Need, Subject, Taking, finish
from cnnstudio.insight.instruments.calibration import CalibrationReading
from cnnstudio.insight.instruments.confusion import ConfusionReading
from cnnstudio.insight.instruments.embedding import Embedding, EmbeddingReading
from cnnstudio.insight.instruments.filters import FiltersReading
from cnnstudio.insight.instruments.histograms import HistogramsReading
from cnnstudio.insight.instruments.mistakes import MistakesReading
from cnnstudio.insight.instruments.predictions import UNKNOWN, PredictionsReading
from cnnstudio.insight.maps import FeatureMaps
from cnnstudio.insight.reading import Reading
from cnnstudio.runs import snapshot_recorder
from cnnstudio.runs.epochs import snapshot_budget
from cnnstudio.runs.epochs.inspection import (
    Inspector,
    OwnImages,
    ReadingRequest,
    default_layer,
    images_of,
    inspectable_epochs,
    reference_epoch,
    resolve_epoch,
)
from cnnstudio.runs.epochs.reading_service import ReadingService
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.run import Run
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.control import Control
from cnnstudio.training.events import EpochEnded, Event, Paused, Warned
from cnnstudio.training.model import Model
from cnnstudio.training.recipe.recipe import Recipe
from tests.training.images import colors
from tests.training.listeners import Listener
from tests.training.networks import tiny

DATA = colors(test=60, noise=140)
RECIPE = Recipe(epochs=2, batch_size=16, learning_rate=0.01, validation_share=0.25)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        # As for all tests, whose fixtures come later than this one.
        patch.setattr(snapshot_budget, "GRACE_SECONDS", 1e9)
        start_run(tiny(), DATA, RECIPE, RunOptions(folder=folder))
    return folder


@pytest.fixture
def run(folder: Path) -> Run:
    return Run.open(folder)


def load(run: Run) -> Dataset:
    return DATA


def take(request: ReadingRequest) -> Reading:
    return finish(Inspector(load).take(request))


@pytest.mark.parametrize("name", instruments())
@pytest.mark.parametrize("epoch", [0, 2])
def test_every_instrument_works_at_every_kept_epoch(run: Run, name: str, epoch: int) -> None:
    reading = take(ReadingRequest(run.folder, epoch, name))
    assert isinstance(reading, instrument(name).reading)


def test_a_snapshot_has_what_instruments_showed_at_the_epochs_end(run: Run) -> None:
    for epoch, name in ((1, "confusion"), (2, "confusion"), (2, "calibration"), (2, "predictions")):
        recorded = run.snapshot(epoch).reading(instrument(name))
        now = take(ReadingRequest(run.folder, epoch, name))
        assert recorded is not None
        for key, value in now.pack().items():
            np.testing.assert_allclose(recorded.pack()[key], value, atol=0.02)


def test_the_recorded_confusion_has_the_recorded_accuracy(run: Run) -> None:
    for ended in run.history:
        confusion = run.snapshot(ended.epoch).reading(instrument("confusion"))
        assert isinstance(confusion, ConfusionReading)
        assert confusion.accuracy == pytest.approx(ended.validation.accuracy)
        assert confusion.classes == DATA.classes


def test_the_recorded_histograms_tell_of_gradients(run: Run) -> None:
    histograms = run.snapshot(2).reading(instrument("histograms"))
    assert isinstance(histograms, HistogramsReading)
    assert histograms.layers == ("conv2d_1", "batch_normalization_1", "conv2d_2", "dense_1")
    assert histograms.gradient_counts is not None
    assert histograms.gradient_counts.any(axis=1).all()


def test_before_training_there_are_no_validation_figures(run: Run) -> None:
    assert run.snapshot(0).reading(instrument("confusion")) is None
    assert isinstance(run.snapshot(0).reading(instrument("histograms")), HistogramsReading)


def test_a_damaged_reading_in_a_snapshot_is_an_error(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "epoch-001.npz"
    np.savez(path, **{"reading of confusion.classes": np.zeros(3), "reading of confusion.counts": np.ones(2)})
    from cnnstudio.runs.snapshots import Snapshot

    with pytest.raises(RunError, match="snapshot of epoch 1 is damaged"):
        Snapshot(path, 1).reading(instrument("confusion"))


def test_a_reading_can_be_of_a_layer_an_image_a_cell_and_a_split(run: Run) -> None:
    maps = take(ReadingRequest(run.folder, 2, "feature_maps", layer="conv2d_2", image=3))
    assert isinstance(maps, FeatureMaps)
    assert (maps.node_id, maps.image) == ("conv2d_2", 3)
    confusion = take(ReadingRequest(run.folder, 2, "confusion", split="test"))
    assert isinstance(confusion, ConfusionReading)
    assert confusion.total == 60
    # The cell with the most images, so that there are some.
    truth, predicted = np.unravel_index(confusion.counts.argmax(), confusion.counts.shape)
    cell = take(ReadingRequest(run.folder, 2, "mistakes", split="test", cell=(int(truth), int(predicted))))
    assert isinstance(cell, MistakesReading)
    assert cell.total == cell.mistake_count == confusion.counts.max()
    assert set(cell.mistake_truth) == {truth}
    assert set(cell.mistake_predicted) == {predicted}
    np.testing.assert_array_equal(cell.mistake_images, DATA.test.images[cell.mistake_index])


def test_the_training_images_are_those_that_were_trained_on(run: Run) -> None:
    confusion = take(ReadingRequest(run.folder, 2, "confusion", split="train"))
    assert isinstance(confusion, ConfusionReading)
    held_out = len(images_of(DATA, run, "validation"))
    assert held_out > 0
    assert confusion.total == len(DATA.train) - held_out


def test_own_images_have_predictions_without_a_data_set(run: Run) -> None:
    def gone(run: Run) -> Dataset:
        raise DataError("The images are gone.")

    images = OwnImages(DATA.test.images[:2])
    reading = finish(Inspector(gone).take(ReadingRequest(run.folder, 1, "predictions", own_images=images)))
    assert isinstance(reading, PredictionsReading)
    assert list(reading.labels) == [UNKNOWN, UNKNOWN]


def test_without_the_data_set_the_example_images_come_from_a_snapshot(run: Run) -> None:
    def gone(run: Run) -> Dataset:
        raise DataError("The images are gone.")

    inspector = Inspector(gone)
    reading = finish(inspector.take(ReadingRequest(run.folder, 1, "predictions")))
    assert isinstance(reading, PredictionsReading)
    np.testing.assert_array_equal(reading.labels, run.snapshot(2).labels)
    with pytest.raises(UserError, match="The images are gone"):
        finish(inspector.take(ReadingRequest(run.folder, 1, "confusion")))


def test_filters_tell_how_far_they_moved_since_another_epoch(run: Run) -> None:
    moved = take(ReadingRequest(run.folder, 2, "filters", other_epoch=0))
    same = take(ReadingRequest(run.folder, 1, "filters", other_epoch=1))
    assert isinstance(moved, FiltersReading)
    assert isinstance(same, FiltersReading)
    assert moved.change is not None
    assert same.change is not None
    assert moved.change.min() > 0.001
    assert same.change.max() < 0.001


def test_an_unknown_layer_or_epoch_is_a_sentence(run: Run) -> None:
    with pytest.raises(InstrumentError, match="no layer “dense_9”"):
        take(ReadingRequest(run.folder, 2, "filters", layer="dense_9"))
    with pytest.raises(InstrumentError, match="dense_1 has no kernels"):
        take(ReadingRequest(run.folder, 2, "filters", layer="dense_1"))
    with pytest.raises(RunError, match="epoch 9 were not kept"):
        take(ReadingRequest(run.folder, 9, "filters"))


def test_the_default_layer_is_the_first_convolution(run: Run) -> None:
    assert default_layer(run) == "conv2d_1"
    assert inspectable_epochs(run) == [0, 1, 2]


def test_the_best_epoch_of_a_run_that_was_killed_is_read_from_its_checkpoint(
    run: Run, tmp_path: Path
) -> None:
    best = run.best_epoch
    killed = tmp_path / "killed"
    shutil.copytree(run.folder, killed)
    description = json.loads((killed / "run.json").read_text())
    write_json(killed / "run.json", {**description, "status": "running", "best_epoch": None})
    assert resolve_epoch(Run.open(killed)) == best
    (killed / "checkpoints" / "best.json").unlink()
    assert resolve_epoch(Run.open(killed)) == 2
    with pytest.raises(RunError, match=r"epoch 9 were not kept; there are those of epochs 0, 1, 2\."):
        resolve_epoch(Run.open(killed), 9)
    shutil.rmtree(killed / "weights")
    with pytest.raises(RunError, match="no saved weights"):
        resolve_epoch(Run.open(killed))


def test_an_instrument_for_which_memory_is_short_is_left_out_of_the_snapshots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(*arguments: object) -> Taking:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
        yield 0.0

    monkeypatch.setattr(type(instrument("histograms")), "take", take)
    listener = Listener()
    finished = start_run(tiny(), DATA, RECIPE, RunOptions(folder=tmp_path / "run"), emit=listener)
    assert finished.outcome == "completed"
    snapshot = Run.open(tmp_path / "run").snapshot(2)
    assert snapshot.reading(instrument("histograms")) is None
    assert snapshot.reading(instrument("confusion")) is not None
    assert [each.message for each in listener.of(Warned) if "memory" in each.message] == [
        "There is not enough memory for “Histograms”; training continues without it."
    ]


def test_without_memory_for_feature_maps_training_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise MemoryError

    monkeypatch.setattr(snapshot_recorder, "collect_feature_maps", fail)
    finished = start_run(tiny(), DATA, RECIPE, RunOptions(folder=tmp_path / "run"))
    assert finished.outcome == "completed"
    assert Run.open(tmp_path / "run").snapshot_epochs == []


def test_what_is_too_large_for_a_snapshot_is_computed_and_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_recorder, "_MAX_READING_BYTES", 300)
    calls: list[str] = []
    histograms = type(instrument("histograms"))
    take = histograms.take

    def counting(self: Instrument, model: Model, subject: Subject) -> Taking:
        calls.append(self.name)
        return (yield from take(self, model, subject))

    monkeypatch.setattr(histograms, "take", counting)
    listener = Listener()
    start_run(tiny(), DATA, RECIPE, RunOptions(folder=tmp_path / "run"), emit=listener)
    assert calls == ["histograms"]
    told = [each.message for each in listener.of(Warned) if "Histograms" in each.message]
    assert told == [
        "“Histograms” is too large to be saved after each epoch: it is computed when you look at it."
    ]


def test_equal_own_images_are_equal_requests(run: Run) -> None:
    pixels = DATA.test.images[:2]
    one, other = (
        ReadingRequest(run.folder, 1, "predictions", own_images=OwnImages(each))
        for each in (pixels, pixels.copy())
    )
    assert one == other
    assert len({one, other}) == 1
    different = OwnImages(255 - pixels)
    assert one != ReadingRequest(run.folder, 1, "predictions", own_images=different)


def test_the_reference_is_the_last_kept_epoch_up_to_a_power_of_two() -> None:
    assert reference_epoch(range(7)) == 4
    assert reference_epoch([0, 1]) == 1
    assert reference_epoch([0, 8, 16, 24, 27]) == 16
    assert reference_epoch([0, 3, 5]) == 3
    assert reference_epoch([6, 7]) == 7
    assert reference_epoch([0]) == 0


def test_epochs_are_brought_into_line_whatever_is_looked_at_first(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[object] = []
    original = Embedding.take

    def watched(self: Embedding, model: Model, subject: Subject) -> Taking:
        taken.append(subject.reference)
        assert subject.probabilities is None, "all images of the split were evaluated for some of them"
        return original(self, model, subject)

    monkeypatch.setattr(Embedding, "take", watched)

    def points(order: tuple[int, ...]) -> dict[int, np.ndarray]:
        inspector = Inspector(load)
        found = {}
        for epoch in order:
            reading = finish(inspector.take(ReadingRequest(run.folder, epoch, "embedding", split="test")))
            assert isinstance(reading, EmbeddingReading)
            found[epoch] = reading.points
        return found

    forward = points((0, 1, 2))
    assert sum(reference is None for reference in taken) == 2, "the reference was not remembered"
    backward = points((2, 1, 0))
    for epoch in (0, 1, 2):
        # Slices are as large as their time allows, and sums of other sizes are rounded in another way.
        np.testing.assert_allclose(forward[epoch], backward[epoch], atol=1e-5)


def test_chosen_images_are_listed_by_their_numbers(run: Run) -> None:
    rows = (3, 41, 7, 4_000)
    reading = take(ReadingRequest(run.folder, 2, "mistakes", split="test", rows=rows))
    assert isinstance(reading, MistakesReading)
    assert (reading.total, reading.mistake_count) == (3, 3)
    assert sorted(reading.mistake_index) == sorted(reading.unsure_index) == [3, 7, 41]
    np.testing.assert_array_equal(reading.mistake_images, DATA.test.images[reading.mistake_index])
    confidence = reading.mistake_probabilities.max(1)
    assert list(confidence) == sorted(confidence, reverse=True)
    wrong = int((reading.mistake_truth != reading.mistake_predicted).sum())
    if 0 < wrong < 3:
        assert f"3 images listed, {wrong} of them misclassified" in reading.summary()


# The service

Results = dict[str, Reading | str]


def make_service(results: Results) -> ReadingService:
    return ReadingService(
        Inspector(load), lambda request, found: results.__setitem__(request.instrument, found)
    )


def test_the_service_serves_everything_that_is_wanted_in_order(run: Run) -> None:
    results: Results = {}
    service = make_service(results)
    assert not service.is_pending
    service.want(ReadingRequest(run.folder, 2, name) for name in instruments())
    assert service.is_pending
    service.run(lambda: False)
    assert not service.is_pending
    assert list(results) == list(instruments())
    assert not any(isinstance(found, str) for found in results.values())


def test_the_latest_wish_wins_also_over_what_is_being_computed(run: Run) -> None:
    seen: list[int] = []
    service = ReadingService(Inspector(load), lambda request, found: seen.append(request.epoch))
    service.want([ReadingRequest(run.folder, 0, "confusion")])
    service.advance()
    service.advance()
    service.want([ReadingRequest(run.folder, 1, "confusion")])
    service.want([ReadingRequest(run.folder, 2, "confusion")])
    service.run(lambda: False)
    assert seen == [2]


def test_what_is_not_wanted_any_more_is_not_computed(run: Run) -> None:
    results: Results = {}
    service = make_service(results)
    service.want([ReadingRequest(run.folder, 2, "confusion")])
    service.advance()
    service.want([])
    assert not service.is_pending
    service.run(lambda: False)
    service.advance()
    assert results == {}


def test_wanting_the_same_again_continues_it(run: Run) -> None:
    seen: list[float] = []
    service = ReadingService(
        Inspector(load), lambda request, found: None, lambda request, done: seen.append(done)
    )
    for _ in range(40):
        service.want([ReadingRequest(run.folder, 2, "confusion")])
        service.advance()
        if not service.is_pending:
            break
    assert not service.is_pending
    assert seen == sorted(seen)


def test_a_failure_is_a_sentence_and_the_next_request_is_served(run: Run, tmp_path: Path) -> None:
    results: Results = {}
    service = make_service(results)
    service.want([ReadingRequest(tmp_path, 2, "confusion"), ReadingRequest(run.folder, 2, "calibration")])
    service.run(lambda: False)
    assert str(results["confusion"]).startswith("There is no run in")
    assert isinstance(results["calibration"], CalibrationReading)


def test_the_next_call_continues_what_was_begun(run: Run) -> None:
    results: Results = {}
    service = make_service(results)
    service.want([ReadingRequest(run.folder, 2, "confusion")])
    turns = iter([False, False, True])
    service.run(lambda: next(turns))
    assert results == {}
    service.run(lambda: False)
    assert isinstance(results["confusion"], ConfusionReading)


def test_a_training_serves_requests_between_its_steps(run: Run, tmp_path: Path) -> None:
    results: Results = {}
    threads: set[str] = set()
    finished = threading.Event()

    def on_result(request: ReadingRequest, found: Reading | str) -> None:
        threads.add(threading.current_thread().name)
        results[request.instrument] = found
        finished.set()

    service = ReadingService(Inspector(load), on_result)

    def listen(event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == 1:
            service.want([ReadingRequest(run.folder, 2, "confusion")])
        if isinstance(event, EpochEnded) and finished.is_set():
            control.request_stop()

    control = Control()
    start_run(
        tiny(),
        DATA,
        RECIPE.replace(epochs=2_000),
        RunOptions(folder=tmp_path / "run", keep_weights=False),
        control=control,
        emit=listen,
        background=service,
    )
    assert isinstance(results["confusion"], ConfusionReading)
    assert threads == {threading.current_thread().name}


def test_a_paused_training_serves_requests_at_once(run: Run, tmp_path: Path) -> None:
    control = Control()
    results: Results = {}

    def on_result(request: ReadingRequest, found: Reading | str) -> None:
        results[request.instrument] = found
        control.request_stop()

    service = ReadingService(Inspector(load), on_result)

    def listen(event: Event) -> None:
        if isinstance(event, EpochEnded):
            control.request_pause()
        if isinstance(event, Paused):
            service.want([ReadingRequest(run.folder, 2, "mistakes")])

    start_run(
        tiny(),
        DATA,
        RECIPE,
        RunOptions(folder=tmp_path / "run", keep_weights=False),
        control=control,
        emit=listen,
        background=service,
    )
    assert isinstance(results["mistakes"], MistakesReading)


def test_requests_do_not_change_what_is_trained(run: Run, tmp_path: Path) -> None:
    class Busy(ReadingService):
        is_pending = True  # type: ignore[assignment]  # always

        def advance(self) -> None:
            self.want([ReadingRequest(run.folder, 2, "histograms")])
            super().advance()

    service = Busy(Inspector(load), lambda request, found: None)
    for name, background in (("with", service), ("without", None)):
        start_run(tiny(dropout=True), DATA, RECIPE, RunOptions(folder=tmp_path / name), background=background)
    one, other = (Run.open(tmp_path / name).model("last").state_dict() for name in ("with", "without"))
    assert all((value == other[key]).all() for key, value in one.items())


def test_every_need_is_provided_for(run: Run) -> None:
    for found in instruments().values():
        assert found.needs <= {Need.LAYER, Need.IMAGES, Need.EXAMPLES, Need.SPLIT, Need.TRAINING}
