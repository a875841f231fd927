"""The weights that a run keeps of its epochs: what is written, what is deleted, and what is refused."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch

from cnnstudio.core.files import FileError, is_disk_full, write_json
from cnnstudio.insight.predictions import evaluate
from cnnstudio.runs.epochs import kept_weights, weight_keeper
from cnnstudio.runs.epochs.inspection import images_of, inspectable_epochs, model_at
from cnnstudio.runs.epochs.kept_weights import epochs_to_delete, kept_epochs, read_weights, weights_path
from cnnstudio.runs.epochs.weight_keeper import WeightKeeper, halve, limit_home
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.run import Run
from cnnstudio.runs.snapshots import snapshot_path
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.checkpoints.store import CheckpointError
from cnnstudio.training.events import EpochEnded, Warned
from cnnstudio.training.model import build_model
from cnnstudio.training.recipe.recipe import Recipe
from tests.training.images import colors
from tests.training.listeners import Listener
from tests.training.networks import tiny

DATA = colors(test=60)
RECIPE = Recipe(epochs=3, batch_size=16, learning_rate=0.01, average_decay=0.9)


def owner(run: Run) -> str:
    return str(run.metadata["created"])


@pytest.fixture
def run(tmp_path: Path) -> Run:
    start_run(tiny(), DATA, RECIPE, RunOptions(folder=tmp_path / "run"))
    return Run.open(tmp_path / "run")


def test_the_weights_of_every_epoch_are_kept_beside_the_checkpoints(run: Run) -> None:
    assert kept_epochs(run.folder) == [0, 1, 2, 3]
    assert {path.name for path in (run.folder / "weights").iterdir()} == {
        f"epoch-00{epoch}.safetensors" for epoch in range(4)
    }


def test_large_tensors_are_halved_and_statistics_are_not(run: Run) -> None:
    kept = read_weights(run.folder, 2, owner(run))
    assert kept["conv2d_1.weight"].dtype == np.float16
    assert kept["batch_normalization_1.running_mean"].dtype == np.float32
    assert kept["batch_normalization_1.running_var"].dtype == np.float32
    assert kept["conv2d_1.bias"].dtype == np.float32


def test_the_evaluated_weights_are_kept_which_are_the_average(run: Run) -> None:
    kept = read_weights(run.folder, run.best_epoch or 0, owner(run))
    best = run.model("best").state_dict()
    assert set(kept) == set(best)
    for name, value in best.items():
        np.testing.assert_allclose(kept[name], value.numpy(), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    "recipe", [RECIPE, RECIPE.replace(average_decay=0.0, validation_share=0.25, test_time_flip=True)]
)
def test_recomputed_figures_are_the_recorded_ones(tmp_path: Path, recipe: Recipe) -> None:
    data = colors(test=300, noise=140)
    start_run(tiny(), data, recipe, RunOptions(folder=tmp_path / "run"))
    run = Run.open(tmp_path / "run")
    for epoch in run.history:
        found = evaluate(
            model_at(run, epoch.epoch),
            images_of(data, run, "validation"),
            run.classes,
            flip=recipe.test_time_flip,
        )
        assert found.accuracy == pytest.approx(epoch.validation.accuracy, abs=0.001)
        assert found.loss == pytest.approx(epoch.validation.loss, abs=0.001)


def test_weights_for_which_half_precision_is_too_coarse_stay_exact() -> None:
    model = build_model(tiny())
    with torch.no_grad():
        model.get_parameter("conv2d_1.weight").mul_(1e-6)
        model.get_parameter("conv2d_2.weight").mul_(1e7)
    kept = halve(model)
    for name in ("conv2d_1.weight", "conv2d_2.weight"):
        np.testing.assert_array_equal(kept[name], model.get_parameter(name).detach().numpy())


def test_kept_weights_are_copies(tmp_path: Path) -> None:
    model = build_model(tiny())
    kept = halve(model)
    before = {name: value.copy() for name, value in kept.items()}
    with torch.no_grad():
        for value in model.state_dict().values():
            value.add_(1)
    for name, value in kept.items():
        np.testing.assert_array_equal(value, before[name])


def test_writing_waits_neither_for_the_disk_nor_in_the_training_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []
    write = weight_keeper.write_weights

    def noting(*arguments: Any) -> None:
        threads.append(threading.current_thread().name)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", lambda descriptor: pytest.fail("the file was synced"))
            write(*arguments)

    write_json(tmp_path / "run.json", {"created": "x"})
    monkeypatch.setattr(weight_keeper, "write_weights", noting)
    keeper = WeightKeeper(tmp_path, "x")
    keeper.keep(1, build_model(tiny()), None)
    keeper.close()
    assert (threads, keeper.error) == (["weights"], None)
    assert kept_epochs(tmp_path) == [1]


def test_nothing_is_kept_if_it_is_switched_off(tmp_path: Path) -> None:
    start_run(tiny(), DATA, RECIPE, RunOptions(folder=tmp_path / "run", keep_weights=False))
    assert kept_epochs(tmp_path / "run") == []
    assert not (tmp_path / "run" / "weights").exists()
    # The best ones are in a checkpoint.
    assert inspectable_epochs(Run.open(tmp_path / "run")) == [Run.open(tmp_path / "run").best_epoch]


def test_the_best_epoch_is_read_in_full_precision(run: Run) -> None:
    best, found = run.model("best").state_dict(), model_at(run, run.best_epoch or 0).state_dict()
    assert all(torch.equal(value, best[name]) for name, value in found.items())


def test_a_resumed_run_forgets_the_epochs_that_it_repeats(tmp_path: Path) -> None:
    options = RunOptions(folder=tmp_path / "run")
    start_run(tiny(), DATA, RECIPE, options)
    later = weights_path(tmp_path / "run", 4)
    later.write_bytes(weights_path(tmp_path / "run", 3).read_bytes())
    stale = snapshot_path(tmp_path / "run", 7)
    stale.write_bytes(b"of a run that was longer")
    start_run(tiny(), DATA, RECIPE.replace(epochs=5), RunOptions(folder=tmp_path / "run", resume=True))
    run = Run.open(tmp_path / "run")
    assert kept_epochs(run.folder) == [0, 1, 2, 3, 4, 5]
    assert run.snapshot_epochs == [0, 1, 2, 3, 4, 5]
    read_weights(run.folder, 4, owner(run))


def test_closing_does_not_wait_for_a_thread_that_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any) -> None:
        raise RuntimeError

    def wait(*arguments: Any, **options: Any) -> None:
        pytest.fail("nothing takes this from the queue any more")

    monkeypatch.setattr(weight_keeper, "limit_home", fail)
    keeper = WeightKeeper(tmp_path, "x")
    keeper.keep(1, build_model(tiny()), None)
    thread = vars(keeper)["_thread"]
    thread.join()
    monkeypatch.setattr(vars(keeper)["_queue"], "put", wait)
    keeper.close()
    assert keeper.error is not None


# Bounds


def test_first_best_last_and_every_kth_stay() -> None:
    sizes = dict.fromkeys(range(11), 10)
    assert epochs_to_delete(sizes, 7, 110) == []
    assert epochs_to_delete(sizes, 7, 100) == [1, 3, 5, 9]
    assert epochs_to_delete(sizes, 7, 50) == [1, 2, 3, 5, 6, 9]
    assert epochs_to_delete(sizes, 7, 30) == [1, 2, 3, 4, 5, 6, 8, 9]
    assert epochs_to_delete(sizes, 7, 20) == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    assert epochs_to_delete(sizes, 7, 10) == [*range(10)]
    assert epochs_to_delete(sizes, 7, 9) == [*range(11)]
    assert epochs_to_delete({}, None, 0) == []


@pytest.mark.parametrize("best", [None, 0, 3, 500])
@pytest.mark.parametrize("budget", [0, 1, 15, 40, 100])
def test_the_budget_holds_while_epochs_come(best: int | None, budget: int) -> None:
    sizes: dict[int, int] = {}
    for epoch in range(60):
        sizes[epoch] = 9
        for doomed in epochs_to_delete(sizes, best, budget):
            del sizes[doomed]
        assert sum(sizes.values()) <= budget
        if budget >= 9:
            assert epoch in sizes
        if budget >= 27:
            assert {0, epoch} <= sizes.keys()


def test_a_run_stays_within_its_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = sum(each.nbytes for each in halve(build_model(tiny())).values())
    monkeypatch.setattr(weight_keeper, "RUN_BYTES", 6 * size)
    start_run(tiny(), DATA, RECIPE.replace(epochs=12), RunOptions(folder=tmp_path / "run"))
    run = Run.open(tmp_path / "run")
    found = kept_weights.kept_sizes(run.folder)
    assert sum(found.values()) <= 6 * size
    assert {0, run.best_epoch, 12} <= found.keys()
    assert len(found) > 3


def test_weights_that_are_too_large_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight_keeper, "RUN_BYTES", 100)
    start_run(tiny(), DATA, RECIPE, RunOptions(folder=tmp_path / "run"))
    assert kept_epochs(tmp_path / "run") == []


def fake_run(folder: Path, epochs: int, best: int, modified: float) -> Path:
    write_json(folder / "run.json", {"format": "cnnstudio.run", "version": 1, "best_epoch": best})
    os.utime(folder / "run.json", (modified, modified))
    (folder / "weights").mkdir()
    for epoch in range(epochs):
        weights_path(folder, epoch).write_bytes(bytes(100))
    return folder


def test_all_runs_together_stay_within_a_budget_and_the_oldest_lose_first(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    old, middle, new = (fake_run(runs / name, 10, 4, at) for name, at in (("b", 1.0), ("a", 2.0), ("c", 3.0)))

    def limit(budget: int) -> list[list[int]]:
        limit_home(runs, new, budget)
        return [kept_epochs(folder) for folder in (old, middle, new)]

    everything = list(range(10))
    assert limit(3_000) == [everything, everything, everything]
    kept = limit(2_600)
    assert {0, 4, 9} <= set(kept[0])
    assert len(kept[0]) <= 6
    assert kept[1:] == [everything, everything]
    kept = limit(1_600)
    assert (kept[0], kept[2]) == ([0, 4, 9], everything)
    assert {0, 4, 9} <= set(kept[1])
    assert limit(1_400)[:2] == [[], [0, 4, 9]]
    # The current run loses nothing.
    assert limit(0) == [[], [], everything]


def test_files_that_are_not_weights_and_links_are_left_alone(tmp_path: Path) -> None:
    folder = fake_run(tmp_path / "runs" / "a", 2, 1, 1.0)
    (folder / "weights" / "notes.txt").write_text("mine")
    precious = tmp_path / "precious.safetensors"
    precious.write_text("x")
    weights_path(folder, 7).symlink_to(precious)
    (tmp_path / "runs" / "link").symlink_to(folder, target_is_directory=True)
    limit_home(tmp_path / "runs", tmp_path / "other", 0)
    assert precious.exists()
    assert {path.name for path in (folder / "weights").iterdir()} == {"notes.txt", "epoch-007.safetensors"}


def test_a_full_disk_is_reported_once_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise FileError("Cannot write weights: no space is left.")

    monkeypatch.setattr(weight_keeper, "write_weights", full)
    heard = Listener()
    finished = start_run(tiny(), DATA, RECIPE, RunOptions(folder=tmp_path / "run"), emit=heard)
    assert finished.outcome == "completed"
    assert len(heard.of(EpochEnded)) == 3
    warned = [event.message for event in heard.of(Warned) if "weights of epochs" in event.message]
    assert warned == [
        "Cannot keep the weights of epochs; training continues. Cannot write weights: no space is left."
    ]
    assert heard.events[-1] is finished


def test_weights_are_kept_again_when_there_is_space_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_json(tmp_path / "run.json", {"created": "x"})
    real, full = os.replace, [True]

    def replace(source: str, target: str) -> None:
        if full[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    keeper = WeightKeeper(tmp_path, "x")
    keeper.keep(1, build_model(tiny()), None)
    keeper.close()
    assert keeper.error is not None
    assert is_disk_full(keeper.error)
    full[0] = False
    keeper.keep(2, build_model(tiny()), None)
    keeper.close()
    assert keeper.error is None
    assert kept_epochs(tmp_path) == [2]


def test_a_deleted_folder_is_not_recreated_for_weights(tmp_path: Path) -> None:
    keeper = WeightKeeper(tmp_path / "gone", "x")
    keeper.keep(1, build_model(tiny()), None)
    keeper.close()
    assert not (tmp_path / "gone").exists()
    assert keeper.error is None


def test_weights_are_not_written_into_the_folder_of_another_run(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", {"created": "later"})
    keeper = WeightKeeper(tmp_path, "x")
    keeper.keep(1, build_model(tiny()), None)
    keeper.close()
    assert kept_epochs(tmp_path) == []
    assert keeper.error is None


@pytest.mark.parametrize("recreated", [False, True])
def test_a_folder_deleted_while_weights_are_written_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recreated: bool
) -> None:
    folder, real = tmp_path / "run", os.replace
    write_json(folder / "run.json", {"created": "x"})

    def replace_in_deleted_folder(source: object, target: object) -> None:
        monkeypatch.setattr(os, "replace", real)
        shutil.rmtree(folder)
        if recreated:
            write_json(folder / "run.json", {"created": "x"})
        real(str(source), str(target))

    monkeypatch.setattr(os, "replace", replace_in_deleted_folder)
    keeper = WeightKeeper(folder, "x")
    keeper.keep(1, build_model(tiny()), None)
    keeper.close()
    assert keeper.error is None
    assert kept_epochs(folder) == [1] * recreated
    assert folder.exists() == recreated


def test_a_failed_write_leaves_nothing_behind(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(source: object, target: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(FileError, match="No space left"):
        kept_weights.write_weights(run.folder, 9, {"a": np.zeros(3, np.float16)}, "x")
    assert kept_epochs(run.folder) == [0, 1, 2, 3]
    assert not list((run.folder / "weights").glob(".*"))


# What is refused


def test_an_epoch_that_was_not_kept_is_named(run: Run) -> None:
    with pytest.raises(RunError, match=r"^The weights of epoch 7 were not kept\.$"):
        model_at(run, 7)


@pytest.mark.parametrize("keep", [0, 7, 8, 60, 400, -1])
def test_truncated_weights_are_refused(run: Run, keep: int) -> None:
    path = weights_path(run.folder, 1)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(RunError, match=r"^The kept weights in epoch-001.safetensors are damaged\.$"):
        read_weights(run.folder, 1, owner(run))


def test_any_flipped_bit_is_refused(run: Run) -> None:
    path = weights_path(run.folder, 1)
    data = path.read_bytes()
    for offset in range(0, len(data), 41):
        damaged = bytearray(data)
        damaged[offset] ^= 0x10
        path.write_bytes(damaged)
        with pytest.raises(RunError):
            read_weights(run.folder, 1, owner(run))


def test_weights_of_another_run_or_epoch_are_refused(run: Run, tmp_path: Path) -> None:
    start_run(tiny(), DATA, RECIPE, RunOptions(folder=tmp_path / "other"))
    other = Run.open(tmp_path / "other")
    weights_path(run.folder, 1).write_bytes(weights_path(other.folder, 1).read_bytes())
    with pytest.raises(RunError, match="another run or epoch"):
        read_weights(run.folder, 1, owner(run))
    weights_path(run.folder, 2).write_bytes(weights_path(run.folder, 3).read_bytes())
    with pytest.raises(RunError, match="another run or epoch"):
        read_weights(run.folder, 2, owner(run))


def hostile(about: dict[str, str], header: dict[str, Any], data: bytes = b"") -> bytes:
    text = json.dumps({"__metadata__": about, **header}).encode()
    return len(text).to_bytes(8, "little") + text + data


ABOUT = {"format": "cnnstudio.weights", "version": "1", "epoch": "1", "sha256": "0" * 64}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 16,
        (2**60).to_bytes(8, "little") + b"{}",
        hostile(ABOUT, {"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}),
        hostile(ABOUT, {"a": {"dtype": "F16", "shape": [-1], "data_offsets": [0, 0]}}),
        hostile(ABOUT, {"a": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}}, b"a"),
        hostile(ABOUT, {"a": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}, b"ab"),
        hostile({}, {"a": {"dtype": "F16", "shape": [1], "data_offsets": [0, 2]}}, b"ab"),
        hostile(ABOUT, {"a": {"dtype": "F16", "shape": [1], "data_offsets": [0, 2]}}, b"\x00\x7e"),
        b"\x80\x04pickle",
    ],
)
def test_hostile_files_are_refused_in_one_sentence(run: Run, data: bytes) -> None:
    weights_path(run.folder, 1).write_bytes(data)
    with pytest.raises(RunError, match=r"^[^\n]*\.$"):
        model_at(run, 1)


def test_weights_of_a_newer_version_ask_for_an_update(run: Run) -> None:
    data = safetensors.numpy.save({"a": np.zeros(1, np.float16)}, ABOUT | {"version": "2"})
    weights_path(run.folder, 1).write_bytes(data)
    with pytest.raises(RunError, match="newer version"):
        read_weights(run.folder, 1, owner(run))


def test_weights_of_another_design_are_refused(run: Run) -> None:
    kept_weights.write_weights(run.folder, 1, {"a": np.zeros(1, np.float16)}, owner(run))
    with pytest.raises(CheckpointError, match="another design"):
        model_at(run, 1)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_a_pipe_in_place_of_weights_is_refused(run: Run) -> None:
    weights_path(run.folder, 1).unlink()
    os.mkfifo(weights_path(run.folder, 1))
    assert kept_epochs(run.folder) == [0, 2, 3]
    with pytest.raises(RunError, match="cannot be read: it is a pipe"):
        read_weights(run.folder, 1, owner(run))


def test_old_runs_have_none(tmp_path: Path) -> None:
    assert kept_epochs(tmp_path / "anything") == []
