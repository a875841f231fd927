"""A run is written during training and read back complete, whatever happened to its process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cnnstudio.core.errors import UserError
from cnnstudio.core.locking import FileLock
from cnnstudio.data.dataset import Dataset
from cnnstudio.design.network import Network
from cnnstudio.insight.predictions import evaluate
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.runs.event_log import EventReader
from cnnstudio.runs.heartbeat import LOCK_FILE
from cnnstudio.runs.library.finding import find_run, runs_folder
from cnnstudio.runs.run import Run, RunError
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training import metrics
from cnnstudio.training.checkpoints.store import CheckpointError, CheckpointStore
from cnnstudio.training.control import Control
from cnnstudio.training.events import EpochEnded, Event, Finished, Progress, Started, Warned
from cnnstudio.training.hardware.device import DeviceError
from cnnstudio.training.preflight import prepare as preflight
from cnnstudio.training.preflight.checks import TrainingError
from cnnstudio.training.recipe.recipe import Recipe
from tests.training.images import colors
from tests.training.listeners import Listener, stop_at
from tests.training.networks import network, tiny

RECIPE = Recipe("mine", epochs=3, batch_size=16, learning_rate=0.01, seed=5)
DATA = colors()
ROOT = Path(__file__).resolve().parents[2]


def trained(
    folder: Path, *, recipe: Recipe = RECIPE, resume: bool = False, stop_step: int | None = None
) -> Listener:
    control = Control()
    listener = Listener(stop_at(control, step=stop_step))
    start_run(tiny(), DATA, recipe, RunOptions(folder=folder, resume=resume), control=control, emit=listener)
    return listener


def test_a_run_reads_back_what_it_reported_during_training(tmp_path: Path) -> None:
    listener = trained(tmp_path / "run")
    run = Run.open(tmp_path / "run")
    assert run.events() == listener.events
    assert [event.epoch for event in run.history] == [1, 2, 3]
    assert (run.status, run.reason, run.best_epoch) == ("completed", "Completed 3 epochs.", run.best_epoch)
    assert run.test == listener.of(Finished)[0].test
    assert (run.network, run.recipe, run.classes) == (tiny(), RECIPE, DATA.classes)
    assert (run.name, run.dataset_name, run.dataset_fingerprint) == ("Tiny", "colors", DATA.fingerprint)


def test_run_json_contains_the_run_id(tmp_path: Path) -> None:
    trained(tmp_path / "run")
    metadata = json.loads((tmp_path / "run" / "run.json").read_text())
    assert next(iter(metadata)) == "id"
    assert metadata["id"] == Run.open(tmp_path / "run").id == "run"


def test_the_weights_of_a_run_give_the_reported_scores(tmp_path: Path) -> None:
    trained(tmp_path / "run")
    run = Run.open(tmp_path / "run")
    found = evaluate(run.model(), DATA.test, DATA.classes)
    assert run.test is not None
    assert found.accuracy == run.test.accuracy
    assert found.loss == pytest.approx(run.test.loss, rel=1e-5)
    assert not run.model("last").training


def test_a_run_without_a_folder_goes_into_the_runs_folder() -> None:
    finished = start_run(tiny(), DATA, RECIPE)
    second = start_run(tiny(), DATA, RECIPE)
    assert finished.run != second.run
    assert finished.run is not None
    assert Path(finished.run).parent == runs_folder()
    assert Path(finished.run).name.endswith("-tiny")
    assert find_run(Path(finished.run).name).folder == Path(finished.run)


def test_a_run_stores_the_source_of_its_images(tmp_path: Path) -> None:
    start_run(tiny(), DATA, RECIPE, RunOptions(folder=tmp_path / "run", source="/photos/of mine"))
    assert Run.open(tmp_path / "run").dataset_name == "/photos/of mine"


# A run that cannot start leaves nothing behind


@pytest.mark.parametrize(
    ("design", "options", "error", "reason"),
    [
        (network(Dense(3), input=Shape.of(3, 8, 8)), {}, TrainingError, "insert Flatten before it"),
        (tiny(), {"threads": 0}, TrainingError, "threads"),
        (tiny(), {"device": "cuda:99"}, DeviceError, "device"),
        (tiny(), {"resume": True}, RunError, "There is no run in"),
    ],
    ids=["design", "threads", "device", "resume"],
)
def test_a_run_that_cannot_start_leaves_no_folder(
    design: Network, options: dict[str, Any], error: type[UserError], reason: str, tmp_path: Path
) -> None:
    listener = Listener()
    with pytest.raises(error, match=reason):
        start_run(design, DATA, RECIPE, RunOptions(folder=tmp_path / "run", **options), emit=listener)
    assert not listener.events
    assert not (tmp_path / "run").exists()


def test_a_network_that_does_not_fit_in_memory_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(*arguments: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: not enough memory")

    monkeypatch.setattr(preflight, "build_model", too_large)
    with pytest.raises(TrainingError, match="cpu does not have enough memory for this network"):
        trained(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    listener = Listener()
    with pytest.raises(RunError, match="Cannot write the run to"):
        start_run(tiny(), DATA, RECIPE, RunOptions(folder=tmp_path / "file" / "run"), emit=listener)
    with pytest.raises(RunError, match="is a file: a run needs a folder"):
        start_run(tiny(), DATA, RECIPE, RunOptions(folder=tmp_path / "file"), emit=listener)
    assert not listener.events


def test_a_new_run_does_not_overwrite_existing_files(tmp_path: Path) -> None:
    trained(tmp_path / "run")
    before = Run.open(tmp_path / "run").events()
    with pytest.raises(RunError, match="already contains a run: resume it or choose another folder"):
        trained(tmp_path / "run")
    assert Run.open(tmp_path / "run").events() == before
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("…")
    with pytest.raises(RunError, match="contains other files"):
        trained(tmp_path / "thesis")


def test_a_full_disk_is_a_warning_and_training_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnnstudio.core.files import FileError
    from cnnstudio.runs import snapshot_recorder

    def full(*arguments: object) -> None:
        raise FileError("Cannot write: No space left on device.")

    monkeypatch.setattr(snapshot_recorder, "write_snapshot", full)
    listener = trained(tmp_path / "run")
    assert listener.of(Finished)[0].outcome == "completed"
    assert [
        "Cannot save the feature maps; training continues" in event.message for event in listener.of(Warned)
    ] == [True]


# Resuming


def test_a_resumed_run_reads_like_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "INTERVAL", 0.0)
    whole = trained(tmp_path / "whole")
    trained(tmp_path / "parts", stop_step=9)
    created = Run.open(tmp_path / "parts").created
    assert Run.open(tmp_path / "parts").status == "stopped"
    trained(tmp_path / "parts", resume=True)
    run = Run.open(tmp_path / "parts")
    assert (run.status, run.created) == ("completed", created)
    losses = [loss for event in run.events() if isinstance(event, Progress) for loss in event.losses]
    assert losses == whole.losses()
    assert [event.epoch for event in run.history] == [1, 2, 3]
    assert [event.first_epoch for event in run.events() if isinstance(event, Started)] == [1, 2]
    assert len([event for event in run.events() if isinstance(event, Finished)]) == 1
    assert run.snapshot_epochs == [0, 1, 2, 3]


def test_more_epochs_can_be_added_to_a_completed_run(tmp_path: Path) -> None:
    trained(tmp_path / "run")
    trained(tmp_path / "run", recipe=RECIPE.replace(epochs=5), resume=True)
    run = Run.open(tmp_path / "run")
    assert [event.epoch for event in run.history] == [1, 2, 3, 4, 5]
    assert run.recipe.epochs == 5


def wider() -> Network:
    return network(Flatten(), Dense(9), Dense(3), input=Shape.of(3, 8, 8))


@pytest.mark.parametrize(
    ("design", "data", "recipe", "reason"),
    [
        (wider(), DATA, RECIPE, "was trained with a different design"),
        (tiny(), colors(noise=10), RECIPE, "was trained on different images"),
        (
            tiny(),
            DATA,
            RECIPE.replace(batch_size=8),
            "batch_size: .* was trained with 16 and cannot be resumed with 8",
        ),
    ],
    ids=["design", "data", "recipe"],
)
def test_a_run_resumes_only_with_its_own_design_images_and_recipe(
    design: Network, data: Dataset, recipe: Recipe, reason: str, tmp_path: Path
) -> None:
    trained(tmp_path / "run")
    before = (tmp_path / "run" / "run.json").read_bytes()
    with pytest.raises(RunError, match=reason):
        start_run(design, data, recipe, RunOptions(folder=tmp_path / "run", resume=True))
    assert (tmp_path / "run" / "run.json").read_bytes() == before


def test_damaged_checkpoints_are_reported_before_the_run_is_changed(tmp_path: Path) -> None:
    trained(tmp_path / "run")
    before = (tmp_path / "run" / "events.jsonl").read_bytes()
    for path in (tmp_path / "run" / "checkpoints").glob("*.safetensors"):
        path.write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="is damaged"):
        trained(tmp_path / "run", resume=True)
    assert Run.open(tmp_path / "run").status == "completed"
    assert (tmp_path / "run" / "events.jsonl").read_bytes() == before


def test_a_run_whose_log_has_an_impossible_number_can_be_resumed(tmp_path: Path) -> None:
    trained(tmp_path / "run", stop_step=2)
    log = tmp_path / "run" / "events.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    lines[0]["epochs"] = -1
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (finished,) = trained(tmp_path / "run", resume=True).of(Finished)
    assert finished.outcome == "completed"


def test_two_programs_cannot_write_one_run(tmp_path: Path) -> None:
    trained(tmp_path / "run")
    with (
        FileLock(tmp_path / "run" / LOCK_FILE),
        pytest.raises(RunError, match="is being written by another program"),
    ):
        trained(tmp_path / "run", resume=True)


# Reading incomplete or damaged runs


def test_an_incomplete_last_line_is_read_later(tmp_path: Path) -> None:
    listener = trained(tmp_path / "run")
    path = tmp_path / "run" / "events.jsonl"
    data = path.read_bytes()
    path.write_bytes(data[:-20])
    reader = EventReader(path)
    assert reader.read() == (listener.events[:-1], True)
    assert reader.read() == ([], False)
    path.write_bytes(data)
    assert reader.read() == (listener.events[-1:], False)


def test_lines_that_are_not_events_are_skipped(tmp_path: Path) -> None:
    listener = trained(tmp_path / "run")
    path = tmp_path / "run" / "events.jsonl"
    path.write_bytes(b'\xff\xfe\n{"event": "Later"}\n[1]\n' + b"[" * 90_000 + b"\n" + path.read_bytes())
    assert Run.open(tmp_path / "run").events() == listener.events


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 2}, "newer version of CNN Studio"),
        ({"format": "x"}, "does not describe a CNN Studio run"),
        ({"classes": None}, "“classes” in run.json is missing"),
        ({"created": "yesterday"}, "“created” in run.json is missing"),
        ({"data": []}, "“data” in run.json is missing"),
        ({"test": {"loss": 1}}, "“test” in run.json is missing"),
        ({"test": {"loss": 1, "accuracy": "high"}}, "“test” in run.json is missing"),
        ({"test": 1}, "“test” in run.json is missing"),
        ({"test": {"loss": 1, "accuracy": 1.01}}, "“test” in run.json is missing"),
        ({"test": {"loss": 1, "accuracy": -0.01}}, "“test” in run.json is missing"),
        ({"test": {"loss": -1, "accuracy": 0.5}}, "“test” in run.json is missing"),
        ({"best_epoch": 0}, "“best_epoch” in run.json is missing"),
        ({"data": {"test": -1}}, "“data” in run.json is missing"),
        ({"best_epoch": "last"}, "“best_epoch” in run.json is missing"),
        ({"classes": ["a", "b", 3]}, "“classes” in run.json is missing"),
        ({"classes": ["a", "b"]}, "is damaged: .* 2 classes"),
        ({"mean": ["x", 0.5, 0.5]}, "“mean” in run.json is missing"),
        ({"mean": [0.5]}, "“mean” in run.json is missing"),
        ({"std": [0.2, 0.2, 0]}, "“std” in run.json is missing"),
        ({"std": [0.2, 0.2, 10**400]}, "“std” in run.json is missing"),
    ],
)
def test_invalid_metadata_is_refused(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    trained(tmp_path / "run")
    path = tmp_path / "run" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))

    def read() -> object:
        run = Run.open(tmp_path / "run")
        described = run.created, run.dataset_name, run.test, run.test_images, run.best_epoch
        return described, run.classes, run.model()

    with pytest.raises(RunError, match=reason):
        read()


@pytest.mark.parametrize("file", ["design.cnn.json", "recipe.json"])
def test_a_damaged_file_is_named(file: str, tmp_path: Path) -> None:
    trained(tmp_path / "run")
    (tmp_path / "run" / file).write_text("{")
    run = Run.open(tmp_path / "run")
    with pytest.raises(RunError, match="Cannot read the run's"):
        _ = (run.network, run.recipe)


def test_a_run_without_weights_is_reported(tmp_path: Path) -> None:
    control = Control()
    control.request_stop()
    start_run(tiny(), DATA, RECIPE, RunOptions(folder=tmp_path / "run"), control=control)
    run = Run.open(tmp_path / "run")
    assert run.status == "stopped"
    with pytest.raises(RunError, match="has no saved weights"):
        run.model()


def test_a_run_in_this_process_is_running(tmp_path: Path) -> None:
    seen: list[str] = []

    def check_status(event: Event) -> None:
        if isinstance(event, EpochEnded):
            seen.append(Run.open(tmp_path / "run").status)

    start_run(tiny(), DATA, RECIPE, RunOptions(folder=tmp_path / "run"), emit=check_status)
    assert seen == ["running"] * 3


# Other processes

SCRIPT = """
import sys
from pathlib import Path
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.recipe.recipe import Recipe
from tests.training.networks import tiny
from tests.training.images import colors

start_run(tiny(), colors(), Recipe("mine", epochs=9999, batch_size=16, seed=5),
          RunOptions(folder=Path(sys.argv[1]), threads=1),
          emit=lambda event: print(type(event).__name__, getattr(event, "outcome", ""), flush=True))
"""


@pytest.fixture
def train_in_process(tmp_path: Path) -> Any:
    """A function that starts a long training in another process and returns it after the third epoch."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(tmp_path / "run")],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        epochs = 0
        for line in process.stdout:
            epochs += line.startswith("EpochEnded")
            if epochs == 3:
                return process
        raise AssertionError("the training ended too early")

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_killed_process_leaves_a_run_that_can_be_read_and_resumed(
    train_in_process: Callable[[], subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = train_in_process()
    assert Run.open(tmp_path / "run").status == "running"
    process.kill()
    process.wait()
    run = Run.open(tmp_path / "run")
    assert run.status == "interrupted"
    assert len(run.history) >= 3
    assert run.snapshot(0).feature_maps("conv2d_1") is not None
    last = CheckpointStore(run.folder / "checkpoints").load("last", with_state=True).info["epoch"]
    # With epochs as short as these, not every epoch has a checkpoint.
    assert last >= 1
    assert torch.isfinite(run.model()(torch.zeros(1, 3, 8, 8))).all()
    start_run(tiny(), DATA, run.recipe.replace(epochs=last + 1), RunOptions(folder=run.folder, resume=True))
    assert [event.epoch for event in Run.open(run.folder).history] == list(range(1, last + 2))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without a signal")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_run_with_a_checkpoint(number: signal.Signals, tmp_path: Path) -> None:
    def send_after_the_third_epoch(event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == 3:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    long, options = RECIPE.replace(epochs=9999), RunOptions(folder=tmp_path / "run", threads=1)
    ended = start_run(tiny(), DATA, long, options, emit=send_after_the_third_epoch)
    assert ended.outcome == "stopped"
    assert signal.getsignal(number) is before
    run = Run.open(tmp_path / "run")
    assert (run.status, run.test is not None) == ("stopped", True)
    assert len(run.history) >= 3
    assert CheckpointStore(run.folder / "checkpoints").load("last", with_state=True).info["epoch"] >= 3


def test_a_training_in_another_thread_leaves_signals_alone(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []
    check_handler = Listener(lambda event: seen.append(signal.getsignal(signal.SIGTERM)))
    thread = threading.Thread(
        target=start_run,
        args=(tiny(), DATA, RECIPE, RunOptions(folder=tmp_path / "run", threads=1)),
        kwargs={"emit": check_handler},
    )
    thread.start()
    thread.join()
    assert set(seen) == {before}
