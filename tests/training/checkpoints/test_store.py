"""Checkpoints survive killed processes and full disks, and damage is reported."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from cnnstudio.core import files
from cnnstudio.core.files import FileError
from cnnstudio.training.checkpoints import store as store_module
from cnnstudio.training.checkpoints.store import (
    Checkpoint,
    CheckpointError,
    CheckpointStore,
    restore_weights,
    with_checksum,
)
from cnnstudio.training.model import build_model
from tests.training.networks import lesson, tiny


def example(epoch: int) -> Checkpoint:
    weights = {"conv2d_1.weight": torch.full((4, 3, 3, 3), float(epoch)), "count_1": torch.tensor(epoch)}
    return Checkpoint(weights, {"epoch": epoch}, {"rng.cpu": torch.arange(9, dtype=torch.uint8)})


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    store = CheckpointStore(tmp_path)
    for epoch in (1, 2, 3):
        store.save(f"epoch-{epoch:05d}", example(epoch), best=epoch == 1)
    return store


def test_a_checkpoint_survives_a_round_trip(store: CheckpointStore) -> None:
    found = store.load("last", with_state=True)
    assert found.info == {"epoch": 3}
    assert torch.equal(found.weights["conv2d_1.weight"], example(3).weights["conv2d_1.weight"])
    assert found.weights["count_1"].shape == ()
    assert torch.equal(found.state["rng.cpu"], example(3).state["rng.cpu"])


def test_only_last_previous_and_best_are_kept(store: CheckpointStore) -> None:
    assert [store.load(name).info["epoch"] for name in ("last", "previous", "best")] == [3, 2, 1]
    weights = {path.name for path in store.folder.glob("*.safetensors") if ".state." not in path.name}
    assert weights == {"epoch-00001.safetensors", "epoch-00002.safetensors", "epoch-00003.safetensors"}
    store.save("epoch-00004", example(4), best=True)
    assert not (store.folder / "epoch-00001.safetensors").exists()
    assert not (store.folder / "epoch-00002.safetensors").exists()


def test_channels_last_weights_are_restored_correctly(tmp_path: Path) -> None:
    model = build_model(tiny())
    model.to(memory_format=torch.channels_last)
    CheckpointStore(tmp_path).save("epoch-00001", Checkpoint(model.state_dict(), {}), best=True)
    other = build_model(tiny())
    restore_weights(other, CheckpointStore(tmp_path).load("best").weights)
    images = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(other.eval()(images), model.eval()(images))


def test_a_process_killed_at_any_write_leaves_complete_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    writes = {"left": 0}

    def dying(original: Any) -> Any:
        def write(path: Path, content: Any) -> None:
            if not writes["left"]:
                path.with_name(f".{path.name}.12345678.tmp").write_text("half")
                raise Killed
            writes["left"] -= 1
            original(path, content)

        return write

    monkeypatch.setattr(store_module, "write_atomically", dying(store_module.write_atomically))
    monkeypatch.setattr(store_module, "write_json", dying(store_module.write_json))
    died = 0
    for moment in range(10):
        store = CheckpointStore(tmp_path / str(moment))
        writes["left"] = 1000
        store.save("epoch-00001", example(1), best=True)
        store.save("epoch-00002", example(2))
        writes["left"] = moment
        try:
            store.save("epoch-00003", example(3), best=True)
        except Killed:
            died += 1
        for name in ("last", "previous", "best"):
            found = store.load(name, with_state=name != "best")
            assert torch.all(found.weights["conv2d_1.weight"] == found.info["epoch"])
        writes["left"] = 1000
        store.save("epoch-00003", example(3), best=True)
        assert store.load("last").info == store.load("best").info == {"epoch": 3}
        assert not list(store.folder.glob(".*.tmp"))
    assert died == 5


@pytest.mark.parametrize("place", [0, 8, 60, -1, -50])
def test_a_flipped_bit_is_detected(store: CheckpointStore, place: int) -> None:
    path = store.folder / "epoch-00003.safetensors"
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"“last” is damaged: .*SHA-256"):
        store.load("last")
    assert store.load("previous").info == {"epoch": 2}


def test_changed_metadata_is_detected(store: CheckpointStore) -> None:
    path = store.folder / "last.json"
    path.write_text(path.read_text().replace('"epoch": 3', '"epoch": 2'))
    with pytest.raises(CheckpointError, match=r"“last” is damaged: last.json does not match its SHA-256"):
        store.load("last")


def test_the_same_weights_always_give_the_same_file(store: CheckpointStore) -> None:
    other = Checkpoint(example(3).weights, {"epoch": 3, "seconds": 7.5}, example(3).state)
    before = json.loads((store.folder / "last.json").read_text())
    store.save("epoch-00003", other)
    after = json.loads((store.folder / "last.json").read_text())
    assert (after["weights"], after["state"]) == (before["weights"], before["state"])


def test_a_checkpoint_of_version_1_is_read(store: CheckpointStore) -> None:
    tensors = example(4).weights
    data = safetensors.torch.save(tensors, {"info": json.dumps({"epoch": 4})})
    (store.folder / "old.safetensors").write_bytes(data)
    weights = {"file": "old.safetensors", "sha256": hashlib.sha256(data).hexdigest()}
    manifest = {"format": "cnnstudio.checkpoint", "version": 1, "weights": weights}
    (store.folder / "best.json").write_text(json.dumps(manifest))
    found = store.load("best")
    assert found.info == {"epoch": 4}
    assert torch.equal(found.weights["conv2d_1.weight"], tensors["conv2d_1.weight"])


@pytest.mark.parametrize("size", [0, 7, 100])
def test_a_truncated_file_is_detected(store: CheckpointStore, size: int) -> None:
    path = store.folder / "epoch-00001.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CheckpointError, match="“best” is damaged"):
        store.load("best")


def test_a_truncated_manifest_is_detected(store: CheckpointStore) -> None:
    path = store.folder / "last.json"
    path.write_text(path.read_text()[:40])
    with pytest.raises(CheckpointError, match=r"“last” is damaged: .*not valid JSON"):
        store.load("last")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 3}, "newer CNN Studio"),
        ({"format": "something"}, "is not a CNN Studio checkpoint"),
        ({"version": "1"}, "is not a CNN Studio checkpoint"),
        ({"weights": None}, "the manifest names no data file"),
        ({"weights": {"file": "../../secret.safetensors", "sha256": ""}}, "the manifest names no data file"),
        (
            {"weights": {"file": "gone.safetensors", "sha256": ""}},
            "incomplete: gone.safetensors cannot be read",
        ),
    ],
)
def test_an_invalid_manifest_is_refused_in_one_sentence(
    store: CheckpointStore, change: dict[str, Any], reason: str
) -> None:
    path = store.folder / "last.json"
    path.write_text(json.dumps(with_checksum(json.loads(path.read_text()) | change)))
    with pytest.raises(CheckpointError, match=reason) as caught:
        store.load("last")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("weight", "moment", "damaged"),
    [(math.nan, 0.0, "conv2d_1.weight"), (-math.inf, 0.0, "conv2d_1.weight"), (1.0, math.nan, "optimizer.a")],
)
def test_nan_and_infinite_weights_are_damage(
    store: CheckpointStore, weight: float, moment: float, damaged: str
) -> None:
    weights, state = {"conv2d_1.weight": torch.tensor([0.0, weight])}, {"optimizer.a": torch.tensor(moment)}
    store.save("epoch-00004", Checkpoint(weights, {}, state))
    with pytest.raises(
        CheckpointError, match=f"“last” is damaged: {damaged} contains NaN or infinite values"
    ):
        store.load("last", with_state=True)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.complex64, torch.float64, torch.float16])
@pytest.mark.parametrize("part", ["weights", "state"])
def test_types_that_no_training_saves_are_damage(tmp_path: Path, dtype: torch.dtype, part: str) -> None:
    tensors = {"conv2d_1.weight": torch.ones(4).to(dtype)}
    store = CheckpointStore(tmp_path)
    state = tensors if part == "state" else {}
    store.save("epoch-00001", Checkpoint(tensors if part == "weights" else {}, {"epoch": 1}, state))
    if part == "state" and dtype in (torch.float64, torch.float16):
        assert store.load("last", with_state=True).state
        return
    with pytest.raises(CheckpointError, match=r"damaged: conv2d_1\.weight has values of type"):
        store.load("last", with_state=True)


def test_optimizer_state_may_be_infinite(store: CheckpointStore) -> None:
    store.save("epoch-00004", Checkpoint({}, {}, {"optimizer.a": torch.tensor(math.inf)}))
    assert store.load("last", with_state=True).state["optimizer.a"] == math.inf


def test_missing_metadata_is_damage(store: CheckpointStore) -> None:
    path = store.folder / "last.json"
    path.write_text(json.dumps(with_checksum(json.loads(path.read_text()) | {"info": [3]})))
    with pytest.raises(CheckpointError, match="“last” is damaged: metadata is missing"):
        store.load("last")


def test_a_disk_full_at_any_write_leaves_complete_checkpoints_and_no_partial_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [1_000_000]

    class Small:
        """A file on a disk with little space left."""

        def __init__(self, path: Path, mode: str) -> None:
            self._file = open(path, mode)  # noqa: SIM115  # closed by __exit__

        def __enter__(self) -> Small:
            return self

        def __exit__(self, *ending: object) -> None:
            self._file.close()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

        def write(self, data: bytes) -> None:
            self._file.write(data[: left[0]])
            left[0] -= len(data)
            if left[0] < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "open", Small, raising=False)
    failed = 0
    for space in range(0, 3000, 150):
        store = CheckpointStore(tmp_path / str(space))
        left[0] = 1_000_000
        for epoch in (1, 2):
            store.save(f"epoch-{epoch:05d}", example(epoch), best=epoch == 1)
        left[0] = space
        try:
            store.save("epoch-00003", example(3), best=True)
        except FileError as error:
            failed += 1
            assert "No space left on device" in str(error)  # noqa: PT017  # only while there is too little space
        named = set()
        for name in ("last", "previous", "best"):
            found = store.load(name, with_state=name != "best")
            assert torch.all(found.weights["conv2d_1.weight"] == found.info["epoch"])
            manifest = json.loads((store.folder / f"{name}.json").read_text())
            named |= {
                f"{name}.json",
                *(manifest[part]["file"] for part in ("weights", "state") if part in manifest),
            }
        assert {path.name for path in store.folder.iterdir()} == named
    assert 10 < failed < 20


def test_a_missing_checkpoint_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no checkpoint “best”"):
        CheckpointStore(tmp_path / "nowhere").load("best")
    assert "best" not in CheckpointStore(tmp_path)


def test_a_folder_that_is_not_writable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError):
        CheckpointStore(tmp_path / "file").save("epoch-00001", example(1))


def test_weights_of_another_design_are_refused_naming_the_first_difference() -> None:
    weights = build_model(tiny()).state_dict()
    with pytest.raises(CheckpointError, match=r"belongs to another design: this one has no batch_normal"):
        restore_weights(build_model(lesson()), weights)
    with pytest.raises(CheckpointError, match=r"its dense_1.weight is 3 × 72, this one's is 4 × 72"):
        restore_weights(build_model(tiny(4)), weights)
    del weights["conv2d_2.bias"]
    with pytest.raises(CheckpointError, match=r"it has no conv2d_2.bias"):
        restore_weights(build_model(tiny()), weights)
