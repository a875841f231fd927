"""A run is written while it trains, and read back whole, whatever happened to its process."""

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
from cnnstudio.data.dataset import Dataset
from cnnstudio.design.network import Network
from cnnstudio.insight.predictions import evaluate
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.runs.event_log import EventReader
from cnnstudio.runs.heartbeat import RunLock
from cnnstudio.runs.recorder import start_run
from cnnstudio.runs.run import Run, RunError, find_run, list_runs, runs_folder
from cnnstudio.training import metrics
from cnnstudio.training.checkpoints.store import CheckpointError, Checkpoints
from cnnstudio.training.control import Control
from cnnstudio.training.events import EpochEnded, Event, Finished, Progress, Started, Warned
from cnnstudio.training.hardware.device import DeviceError
from cnnstudio.training.preflight import prepare as preflight
from cnnstudio.training.preflight.prepare import TrainingError
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
    heard = Listener(stop_at(control, step=stop_step))
    start_run(tiny(), DATA, recipe, folder=folder, control=control, emit=heard, resume=resume)
    return heard


def test_a_run_tells_later_what_it_said_while_it_trained(tmp_path: Path) -> None:
    heard = trained(tmp_path / "run")
    run = Run.open(tmp_path / "run")
    assert run.events() == heard.events
    assert [event.epoch for event in run.history] == [1, 2, 3]
    assert (run.status, run.reason, run.best_epoch) == ("completed", "All 3 epochs are done.", run.best_epoch)
    assert run.test == heard.of(Finished)[0].test
    assert (run.network, run.recipe, run.classes) == (tiny(), RECIPE, DATA.classes)
    assert (run.name, run.dataset_name, run.dataset_fingerprint) == ("Tiny", "colors", DATA.fingerprint)


def test_the_description_names_the_run(tmp_path: Path) -> None:
    trained(tmp_path / "run")
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    assert next(iter(about)) == "id"
    assert about["id"] == Run.open(tmp_path / "run").id == "run"


def test_the_weights_of_a_run_give_the_scores_that_it_told(tmp_path: Path) -> None:
    trained(tmp_path / "run")
    run = Run.open(tmp_path / "run")
    found = evaluate(run.model(), DATA.test)
    assert run.test is not None
    assert found.accuracy == run.test.accuracy
    assert found.loss == pytest.approx(run.test.loss, rel=1e-5)
    assert not run.model("last").training


def test_a_run_of_its_own_choice_stands_among_the_users_runs() -> None:
    finished = start_run(tiny(), DATA, RECIPE)
    again = start_run(tiny(), DATA, RECIPE)
    assert finished.run != again.run
    assert finished.run is not None
    assert Path(finished.run).parent == runs_folder()
    assert Path(finished.run).name.endswith("-tiny")
    assert find_run(Path(finished.run).name).folder == Path(finished.run)


def test_runs_are_listed_with_the_newest_first() -> None:
    for name, moment in (("b", "2026-01-02"), ("a", "2026-01-03"), ("c", "2026-01-01")):
        trained(runs_folder() / name)
        path = runs_folder() / name / "run.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"created": f"{moment}T10:00:00+00:00"}))
    (runs_folder() / "no run").mkdir()
    (runs_folder() / "spoilt").mkdir()
    (runs_folder() / "spoilt" / "run.json").write_text("{")
    assert [run.id for run in list_runs()] == ["a", "b", "c"]


def test_there_may_be_no_runs_at_all() -> None:
    assert list_runs() == []
    with pytest.raises(RunError, match=r"There is no run “a”: .* none yet"):
        find_run("a")


def test_a_run_knows_where_its_images_are(tmp_path: Path) -> None:
    start_run(tiny(), DATA, RECIPE, folder=tmp_path / "run", source="/photos/of mine")
    assert Run.open(tmp_path / "run").dataset_name == "/photos/of mine"


# What cannot be started leaves nothing behind


@pytest.mark.parametrize(
    ("drawn", "options", "error", "reason"),
    [
        (network(Dense(3), input=Shape.of(3, 8, 8)), {}, TrainingError, "insert Flatten before it"),
        (tiny(), {"threads": 0}, TrainingError, "threads"),
        (tiny(), {"device": "cuda:99"}, DeviceError, "device"),
        (tiny(), {"resume": True}, RunError, "There is no run in"),
    ],
    ids=["design", "threads", "device", "resume"],
)
def test_what_cannot_be_started_leaves_no_folder(
    drawn: Network, options: dict[str, Any], error: type[UserError], reason: str, tmp_path: Path
) -> None:
    heard = Listener()
    with pytest.raises(error, match=reason):
        start_run(drawn, DATA, RECIPE, folder=tmp_path / "run", emit=heard, **options)
    assert not heard.events
    assert not (tmp_path / "run").exists()


def test_a_training_that_does_not_even_start_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(*arguments: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: not enough memory")

    monkeypatch.setattr(preflight, "build_model", too_large)
    with pytest.raises(TrainingError, match="cpu has too little memory for this network"):
        trained(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written_is_one_sentence_before_the_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    heard = Listener()
    with pytest.raises(RunError, match="cannot be written to"):
        start_run(tiny(), DATA, RECIPE, folder=tmp_path / "file" / "run", emit=heard)
    with pytest.raises(RunError, match="is a file: a run needs a folder"):
        start_run(tiny(), DATA, RECIPE, folder=tmp_path / "file", emit=heard)
    assert not heard.events


def test_a_new_run_does_not_write_over_what_is_there(tmp_path: Path) -> None:
    trained(tmp_path / "run")
    before = Run.open(tmp_path / "run").events()
    with pytest.raises(RunError, match=r"There is a run in .* already"):
        trained(tmp_path / "run")
    assert Run.open(tmp_path / "run").events() == before
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("…")
    with pytest.raises(RunError, match="holds other files"):
        trained(tmp_path / "thesis")


def test_a_disk_that_fills_up_is_a_warning_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnnstudio.core.files import FileError
    from cnnstudio.runs import recorder

    def full(*arguments: object) -> None:
        raise FileError("Cannot write: No space left on device.")

    monkeypatch.setattr(recorder, "write_snapshot", full)
    heard = trained(tmp_path / "run")
    assert heard.of(Finished)[0].outcome == "completed"
    assert ["feature maps could not be kept" in event.message for event in heard.of(Warned)] == [True]


# Going on


def test_a_run_that_goes_on_reads_as_if_it_had_not_been_broken_off(
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


def test_more_epochs_can_be_added_to_a_complete_run(tmp_path: Path) -> None:
    trained(tmp_path / "run")
    trained(tmp_path / "run", recipe=RECIPE.replace(epochs=5), resume=True)
    run = Run.open(tmp_path / "run")
    assert [event.epoch for event in run.history] == [1, 2, 3, 4, 5]
    assert run.recipe.epochs == 5


def wider() -> Network:
    return network(Flatten(), Dense(9), Dense(3), input=Shape.of(3, 8, 8))


@pytest.mark.parametrize(
    ("drawn", "data", "recipe", "reason"),
    [
        (wider(), DATA, RECIPE, "trains another design"),
        (tiny(), colors(noise=10), RECIPE, "with other images"),
        (
            tiny(),
            DATA,
            RECIPE.replace(batch_size=8),
            "batch_size: .* was trained with 16, so it cannot go on with 8",
        ),
    ],
    ids=["design", "data", "recipe"],
)
def test_a_run_goes_on_only_with_what_it_began_with(
    drawn: Network, data: Dataset, recipe: Recipe, reason: str, tmp_path: Path
) -> None:
    trained(tmp_path / "run")
    before = (tmp_path / "run" / "run.json").read_bytes()
    with pytest.raises(RunError, match=reason):
        start_run(drawn, data, recipe, folder=tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "run.json").read_bytes() == before


def test_damaged_checkpoints_are_said_before_the_run_is_touched(tmp_path: Path) -> None:
    trained(tmp_path / "run")
    before = (tmp_path / "run" / "events.jsonl").read_bytes()
    for path in (tmp_path / "run" / "checkpoints").glob("*.state.safetensors"):
        path.write_bytes(b"spoilt")
    with pytest.raises(CheckpointError, match="is damaged"):
        trained(tmp_path / "run", resume=True)
    assert Run.open(tmp_path / "run").status == "completed"
    assert (tmp_path / "run" / "events.jsonl").read_bytes() == before


def test_two_programs_cannot_write_one_run(tmp_path: Path) -> None:
    trained(tmp_path / "run")
    with RunLock(tmp_path / "run"), pytest.raises(RunError, match="is being written by another program"):
        trained(tmp_path / "run", resume=True)


# Reading what is damaged, or not finished


def test_half_a_last_line_is_left_for_later(tmp_path: Path) -> None:
    heard = trained(tmp_path / "run")
    path = tmp_path / "run" / "events.jsonl"
    data = path.read_bytes()
    path.write_bytes(data[:-20])
    reader = EventReader(path)
    assert reader.read() == (heard.events[:-1], True)
    assert reader.read() == ([], False)
    path.write_bytes(data)
    assert reader.read() == (heard.events[-1:], False)


def test_lines_that_are_no_events_are_passed_over(tmp_path: Path) -> None:
    heard = trained(tmp_path / "run")
    path = tmp_path / "run" / "events.jsonl"
    path.write_bytes(b'\xff\xfe\n{"event": "Later"}\n[1]\n' + b"[" * 90_000 + b"\n" + path.read_bytes())
    assert Run.open(tmp_path / "run").events() == heard.events


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 2}, "newer CNN Studio"),
        ({"format": "x"}, "does not describe a run"),
        ({"classes": None}, "does not say “classes”"),
        ({"created": "yesterday"}, "does not say “created”"),
        ({"data": []}, "does not say “data”"),
        ({"test": {"loss": 1}}, "does not say “test”"),
        ({"test": {"loss": 1, "accuracy": "high"}}, "does not say “test”"),
        ({"test": 1}, "does not say “test”"),
        ({"best_epoch": "last"}, "does not say “best_epoch”"),
        ({"classes": ["a", "b", 3]}, "does not say “classes”"),
        ({"classes": ["a", "b"]}, "is damaged: .* 2 classes"),
        ({"mean": ["x", 0.5, 0.5]}, "does not say “mean”"),
        ({"mean": [0.5]}, "does not say “mean”"),
        ({"std": [0.2, 0.2, 0]}, "does not say “std”"),
        ({"std": [0.2, 0.2, 10**400]}, "does not say “std”"),
    ],
)
def test_a_strange_description_is_refused_in_one_sentence(
    change: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    trained(tmp_path / "run")
    path = tmp_path / "run" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))

    def read() -> object:
        run = Run.open(tmp_path / "run")
        return run.classes, run.created, run.dataset_name, run.test, run.best_epoch, run.model()

    with pytest.raises(RunError, match=reason):
        read()


def test_a_damaged_run_does_not_hide_the_others() -> None:
    for name in ("whole", "damaged"):
        trained(runs_folder() / name)
    path = runs_folder() / "damaged" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"test": {"loss": 1}}))
    assert [run.id for run in list_runs()] == ["whole"]


@pytest.mark.parametrize("file", ["design.cnn.json", "recipe.json"])
def test_a_spoilt_part_is_named(file: str, tmp_path: Path) -> None:
    trained(tmp_path / "run")
    (tmp_path / "run" / file).write_text("{")
    run = Run.open(tmp_path / "run")
    with pytest.raises(RunError, match="cannot be read"):
        _ = (run.network, run.recipe)


def test_a_run_without_weights_says_so(tmp_path: Path) -> None:
    control = Control()
    control.request_stop()
    start_run(tiny(), DATA, RECIPE, folder=tmp_path / "run", control=control)
    run = Run.open(tmp_path / "run")
    assert run.status == "stopped"
    with pytest.raises(RunError, match="has no weights yet"):
        run.model()


def test_a_run_in_this_process_reads_as_running(tmp_path: Path) -> None:
    seen: list[str] = []

    def look(event: Event) -> None:
        if isinstance(event, EpochEnded):
            seen.append(Run.open(tmp_path / "run").status)

    start_run(tiny(), DATA, RECIPE, folder=tmp_path / "run", emit=look)
    assert seen == ["running"] * 3


# Other processes

SCRIPT = """
import sys
from pathlib import Path
from cnnstudio.runs.recorder import start_run
from cnnstudio.training.recipe.recipe import Recipe
from tests.training.networks import tiny
from tests.training.images import colors

start_run(tiny(), colors(), Recipe("mine", epochs=9999, batch_size=16, seed=5), folder=Path(sys.argv[1]),
threads=1,
          emit=lambda event: print(type(event).__name__, getattr(event, "outcome", ""), flush=True))
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Any:
    """Starts a long training in a process of its own, and gives that process after the second epoch."""
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


def test_a_killed_process_leaves_a_run_that_can_be_read_and_gone_on_with(
    elsewhere: Callable[[], subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = elsewhere()
    assert Run.open(tmp_path / "run").status == "running"
    process.kill()
    process.wait()
    run = Run.open(tmp_path / "run")
    assert run.status == "interrupted"
    assert len(run.history) >= 3
    assert run.snapshot(0).feature_maps("conv2d_1") is not None
    last = Checkpoints(run.folder / "checkpoints").load("last", with_state=True).info["epoch"]
    # Of epochs as short as these, not every end is saved.
    assert last >= 1
    assert torch.isfinite(run.model()(torch.zeros(1, 3, 8, 8))).all()
    start_run(tiny(), DATA, run.recipe.replace(epochs=last + 1), folder=run.folder, resume=True)
    assert [event.epoch for event in Run.open(run.folder).history] == list(range(1, last + 2))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without asking it")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_asked_to_end_stops_its_run_in_good_order(
    number: signal.Signals, elsewhere: Callable[[], subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = elsewhere()
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert output.splitlines()[-1] == "Finished stopped"
    assert process.returncode == 0
    run = Run.open(tmp_path / "run")
    assert (run.status, run.test is not None) == ("stopped", True)


def test_a_training_in_another_thread_leaves_signals_alone(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []
    look = Listener(lambda event: seen.append(signal.getsignal(signal.SIGTERM)))
    thread = threading.Thread(
        target=start_run,
        args=(tiny(), DATA, RECIPE),
        kwargs={"folder": tmp_path / "run", "emit": look, "threads": 1},
    )
    thread.start()
    thread.join()
    assert set(seen) == {before}
