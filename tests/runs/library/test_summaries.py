"""A run's line in the table says what its folder says, however the folder looks."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from cnnstudio.core.files import write_json
from cnnstudio.core.locking import FileLock
from cnnstudio.design.network import Network
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.library import columns
from cnnstudio.runs.library.curve import MAX_POINTS, pack_points, summarize_log, unpack_points
from cnnstudio.runs.library.label import change_label
from cnnstudio.runs.library.summary import SummaryReader, design_values
from cnnstudio.runs.run import Run
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.events import Started
from cnnstudio.training.recipe.built_in import STUDIO
from cnnstudio.training.recipe.recipe import Recipe
from tests.runs.library.listed import ended, progress
from tests.runs.written import WrittenRun
from tests.training.images import colors
from tests.training.networks import tiny

RECIPE = Recipe("mine", epochs=3, batch_size=16, learning_rate=0.01, seed=5)


def started() -> Started:
    return Started(
        *(None, "Tiny", 315_722, "cpu", 1, 8, 10, 16, 160, 40, ("a", "b"), "share"),
    )


def test_a_trained_run_is_summarized_as_its_own_files_say(tmp_path: Path) -> None:
    start_run(tiny(), colors(), RECIPE, RunOptions(folder=tmp_path / "run"))
    run, found = Run.open(tmp_path / "run"), SummaryReader().read(tmp_path / "run")
    last = run.history[-1]
    assert (found.name, found.status, found.data, found.title) == ("Tiny", "completed", "colors", "Tiny")
    assert (found.recipe_name, found.seed, found.epochs) == ("mine", 5, 3)
    assert found.settings == {"epochs": 3, "batch_size": 16, "learning_rate": 0.01, "seed": 5}
    assert found.setting("optimizer") == Recipe().optimizer
    assert run.test is not None
    assert (found.test_accuracy, found.best_epoch) == (run.test.accuracy, run.best_epoch)
    assert found.best_accuracy == run.history[(run.best_epoch or 0) - 1].validation.accuracy
    assert (found.last_epoch, found.last_accuracy) == (3, last.validation.accuracy)
    assert found.seconds == run.metadata["seconds"]
    assert found.parameters == run.metadata["parameters"]
    assert found.created == run.created.timestamp()
    assert [epoch for epoch, _ in found.validation_curve] == [1.0, 2.0, 3.0]
    for (_, loss), epoch in zip(found.validation_curve, run.history, strict=True):
        assert loss == pytest.approx(epoch.validation.loss, rel=1e-3)
    assert found.training_curve[-1][0] == 3.0


def test_the_figures_of_a_run_in_training_come_from_its_log(tmp_path: Path) -> None:
    run = WrittenRun(tmp_path / "run")
    run.append(started(), progress(10, 2.0), ended(1, 2.0, 0.3, best=True), progress(20, 1.0))
    run.append(ended(2, 1.5, 0.4, best=True), progress(30, 1.0), ended(3, 1.6, 0.35))
    run.beat()
    found = SummaryReader().read(run.folder)
    assert (found.status, found.parameters, found.seconds) == ("running", 315_722, 15.0)
    assert (found.best_epoch, found.best_accuracy) == (2, 0.4)
    assert (found.last_epoch, found.last_accuracy, found.last_loss) == (3, 0.35, 1.6)
    assert found.training_curve == ((1.0, 2.5), (2.0, 1.5), (3.0, 1.5))


def test_a_best_epoch_whose_weights_were_not_saved_has_no_figure(tmp_path: Path) -> None:
    run = WrittenRun(tmp_path / "run")
    run.append(started(), ended(1, 2.0, 0.3, best=True), ended(2, 1.5, 0.4, best=True))
    run.update_metadata(status="failed", best_epoch=1)
    found = SummaryReader().read(run.folder)
    assert (found.best_epoch, found.best_accuracy) == (1, 0.3)
    run.update_metadata(best_epoch=None)
    found = SummaryReader().read(run.folder)
    assert (found.best_epoch, found.best_accuracy) == (None, None)


def test_of_an_interrupted_run_only_the_saved_best_epoch_counts(tmp_path: Path) -> None:
    run = WrittenRun(tmp_path / "run")
    run.append(started(), ended(1, 2.0, 0.3, best=True), ended(2, 1.5, 0.4, best=True))
    run.beat(seconds_ago=1000)
    found = SummaryReader().read(run.folder)
    assert (found.status, found.best_epoch, found.best_accuracy) == ("interrupted", None, None)
    (run.folder / "checkpoints").mkdir()
    write_json(run.folder / "checkpoints" / "best.json", {"info": {"epoch": 1}})
    found = SummaryReader().read(run.folder)
    assert (found.best_epoch, found.best_accuracy) == (1, 0.3)


def test_a_long_log_gives_few_points_from_its_first_to_its_last_step(tmp_path: Path) -> None:
    run = WrittenRun(tmp_path / "run")
    run.append(*(progress(step, 1.0) for step in range(1, 5001)))
    run.append(*(ended(epoch, 1.0, 0.5) for epoch in range(1, 501)))
    found = summarize_log(run.events)
    assert 48 <= len(found.training) <= MAX_POINTS
    assert len(found.validation) == MAX_POINTS
    assert found.training[0][0] == pytest.approx(0.1)
    assert (found.training[-1][0], found.validation[-1][0], found.last_epoch) == (500.0, 500.0, 500)
    assert found.training == tuple(sorted(found.training))


def test_numbers_that_no_training_writes_are_left_out(tmp_path: Path) -> None:
    run = WrittenRun(tmp_path / "run")
    good = ended(1, 2.0, 0.3, best=True).to_json()
    run.append(ended(1, 2.0, 0.3, best=True))
    for changed in (
        {"epoch": "7"},
        {"epoch": -1},
        {"epoch": 10**300},
        {"validation": None},
        {"validation": []},
    ):
        run.append_bytes(json.dumps({**good, **changed}).encode() + b"\n")
    for scores in ({"loss": math.nan, "accuracy": 2.0}, {"loss": "x", "accuracy": None}):
        run.append_bytes(json.dumps({**good, "epoch": 2, "validation": scores}).encode() + b"\n")
    step = progress(10, 2.0).to_json()
    for changed in (
        {"losses": [math.nan, -math.inf]},
        {"losses": 7},
        {"losses": [math.inf, "a"]},
        {"epoch": None},
        {"losses": []},
    ):
        run.append_bytes(json.dumps({**step, **changed}).encode() + b"\n")
    run.append_bytes(b'{"event": "Progress", [[[\n{"event": "EpochEnded", \n\xff\xff\n{"event": "EpochEnded"')
    found = summarize_log(run.events)
    assert (found.best_epoch, found.best_accuracy) == (1, 0.3)
    assert (found.last_epoch, found.last_accuracy, found.last_loss) == (2, None, None)
    assert (found.training, found.validation) == ((), ((1.0, 2.0),))


def test_a_step_with_one_impossible_loss_keeps_the_others(tmp_path: Path) -> None:
    run = WrittenRun(tmp_path / "run")
    for losses in ([1.0, math.nan, 3.0], [2, 4.0], [-1.0, 2.0], [1e9, 5.0]):
        run.append_bytes(json.dumps({**progress(10, 1.0).to_json(), "losses": losses}).encode() + b"\n")
    assert sorted(loss for _, loss in summarize_log(run.events).training) == [2.0, 2.0, 3.0, 5.0]


def test_a_run_without_a_log_has_no_figures_yet(tmp_path: Path) -> None:
    run = WrittenRun(tmp_path / "run")
    found = SummaryReader().read(run.folder)
    assert (found.best_epoch, found.last_loss, found.seconds, found.training_curve) == (None, None, 0.0, ())


def test_reading_a_run_changes_nothing_in_its_folder(tmp_path: Path) -> None:
    run = WrittenRun(tmp_path / "run")
    run.append(progress(10, 2.0))
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in run.folder.iterdir()}
    SummaryReader().read(run.folder)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in run.folder.iterdir()} == before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("design.cnn.json", b"{"),
        ("design.cnn.json", b"\xff"),
        ("recipe.json", b"[" * 100_000),
        ("recipe.json", b"\xff"),
        ("recipe.json", b'{"format": "cnnstudio.recipe", "version": 1, "epochs": -1}'),
        ("run.json", b"{}"),
    ],
)
def test_a_damaged_file_of_a_run_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    run = WrittenRun(tmp_path / "run")
    (run.folder / name).write_bytes(content)
    with pytest.raises(RunError, match=str(run.folder)):
        SummaryReader().read(run.folder)


def test_a_folder_in_place_of_the_log_is_an_error(tmp_path: Path) -> None:
    run = WrittenRun(tmp_path / "run")
    run.events.mkdir()
    with pytest.raises(RunError, match="it is a folder"):
        SummaryReader().read(run.folder)


def test_a_run_that_this_machine_is_writing_is_running(tmp_path: Path) -> None:
    run = WrittenRun(tmp_path / "run")
    run.beat(seconds_ago=1000)
    assert SummaryReader().read(run.folder).status == "interrupted"
    with FileLock(run.folder / "lock"):
        assert SummaryReader().read(run.folder).status == "running"


def test_a_label_is_shown_and_its_absence_is_too(tmp_path: Path) -> None:
    run = WrittenRun(tmp_path / "run")
    change_label(run.folder, title="Baseline", tags=("good", "keep"), note="First try.")
    found = SummaryReader().read(run.folder)
    assert (found.title, found.name, found.label.tags) == ("Baseline", "Tiny", ("good", "keep"))
    change_label(run.folder, title="", tags=(), note="")
    assert SummaryReader().read(run.folder).title == "Tiny"
    assert not (run.folder / "label.json").exists()


def test_the_values_of_a_design_name_its_layers(tmp_path: Path) -> None:
    values = design_values(tiny())
    assert values["input"] == str(tiny().input)
    first = tiny().nodes[0]
    assert values[first.id] == first.layer.type_name()
    assert design_values(Network()) == {"input": str(Network().input)}


def test_points_survive_packing_and_damaged_ones_do_not() -> None:
    points = ((0.5, 2.25), (1.0, 1.5))
    assert unpack_points(pack_points(points)) == points
    assert unpack_points("") == ()
    for damaged in ("a", "!!!!", "AAA=", "A" * 10_000, pack_points([(math.nan, 1.0)])):
        assert unpack_points(damaged) == ()


def test_settings_are_those_that_differ_from_the_default() -> None:
    from cnnstudio.runs.library.summary import settings_of

    assert settings_of(Recipe()) == {}
    assert settings_of(STUDIO)["optimizer"] == "sgd"


def test_a_start_that_no_clock_shows_is_left_out(tmp_path: Path) -> None:
    run = WrittenRun(tmp_path / "run")
    run.update_metadata(created="0001-01-01T00:00:00+23:59")
    found = SummaryReader().read(run.folder)
    assert columns.started(found) == "–"
