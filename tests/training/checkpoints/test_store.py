"""Checkpoints survive what happens to processes and disks, and say so where they do not."""

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
from cnnstudio.training.checkpoints import store as module
from cnnstudio.training.checkpoints.store import (
    Checkpoint,
    CheckpointError,
    Checkpoints,
    restore_weights,
    sealed,
)
from cnnstudio.training.model import build_model
from tests.training.networks import lesson, tiny


def example(epoch: int) -> Checkpoint:
    weights = {"conv2d_1.weight": torch.full((4, 3, 3, 3), float(epoch)), "count_1": torch.tensor(epoch)}
    return Checkpoint(weights, {"epoch": epoch}, {"rng.cpu": torch.arange(9, dtype=torch.uint8)})


@pytest.fixture
def saved(tmp_path: Path) -> Checkpoints:
    checkpoints = Checkpoints(tmp_path)
    for epoch in (1, 2, 3):
        checkpoints.save(f"epoch-{epoch:05d}", example(epoch), best=epoch == 1)
    return checkpoints


def test_what_was_saved_comes_back(saved: Checkpoints) -> None:
    found = saved.load("last", with_state=True)
    assert found.info == {"epoch": 3}
    assert torch.equal(found.weights["conv2d_1.weight"], example(3).weights["conv2d_1.weight"])
    assert found.weights["count_1"].shape == ()
    assert torch.equal(found.state["rng.cpu"], example(3).state["rng.cpu"])


def test_last_previous_and_best_are_kept_and_nothing_else(saved: Checkpoints) -> None:
    assert [saved.load(name).info["epoch"] for name in ("last", "previous", "best")] == [3, 2, 1]
    weights = {path.name for path in saved.folder.glob("*.safetensors") if ".state." not in path.name}
    assert weights == {"epoch-00001.safetensors", "epoch-00002.safetensors", "epoch-00003.safetensors"}
    saved.save("epoch-00004", example(4), best=True)
    assert not (saved.folder / "epoch-00001.safetensors").exists()
    assert not (saved.folder / "epoch-00002.safetensors").exists()


def test_channels_last_weights_come_back_in_the_right_places(tmp_path: Path) -> None:
    model = build_model(tiny())
    model.to(memory_format=torch.channels_last)
    Checkpoints(tmp_path).save("epoch-00001", Checkpoint(model.state_dict(), {}), best=True)
    other = build_model(tiny())
    restore_weights(other, Checkpoints(tmp_path).load("best").weights)
    images = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(other.eval()(images), model.eval()(images))


def test_a_process_that_dies_in_the_middle_leaves_whole_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    writes = {"left": 0}

    def dying(real: Any) -> Any:
        def write(path: Path, content: Any) -> None:
            if not writes["left"]:
                path.with_name(f".{path.name}.12345678.tmp").write_text("half")
                raise Killed
            writes["left"] -= 1
            real(path, content)

        return write

    monkeypatch.setattr(module, "write_atomically", dying(module.write_atomically))
    monkeypatch.setattr(module, "write_json", dying(module.write_json))
    died = 0
    for moment in range(10):
        checkpoints = Checkpoints(tmp_path / str(moment))
        writes["left"] = 1000
        checkpoints.save("epoch-00001", example(1), best=True)
        checkpoints.save("epoch-00002", example(2))
        writes["left"] = moment
        try:
            checkpoints.save("epoch-00003", example(3), best=True)
        except Killed:
            died += 1
        for name in ("last", "previous", "best"):
            found = checkpoints.load(name, with_state=name != "best")
            assert torch.all(found.weights["conv2d_1.weight"] == found.info["epoch"])
        writes["left"] = 1000
        checkpoints.save("epoch-00003", example(3), best=True)
        assert checkpoints.load("last").info == checkpoints.load("best").info == {"epoch": 3}
        assert not list(checkpoints.folder.glob(".*.tmp"))
    assert died == 5


@pytest.mark.parametrize("place", [0, 8, 60, -1, -50])
def test_one_flipped_bit_is_noticed(saved: Checkpoints, place: int) -> None:
    path = saved.folder / "epoch-00003.safetensors"
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"“last” is damaged: .*SHA-256"):
        saved.load("last")
    assert saved.load("previous").info == {"epoch": 2}


def test_a_changed_note_is_noticed(saved: Checkpoints) -> None:
    path = saved.folder / "last.json"
    path.write_text(path.read_text().replace('"epoch": 3', '"epoch": 2'))
    with pytest.raises(CheckpointError, match=r"“last” is damaged: last.json is not what was written"):
        saved.load("last")


def test_the_same_weights_are_the_same_file_whenever_they_were_written(saved: Checkpoints) -> None:
    other = Checkpoint(example(3).weights, {"epoch": 3, "seconds": 7.5}, example(3).state)
    before = json.loads((saved.folder / "last.json").read_text())
    saved.save("epoch-00003", other)
    after = json.loads((saved.folder / "last.json").read_text())
    assert (after["weights"], after["state"]) == (before["weights"], before["state"])


def test_a_checkpoint_of_the_first_version_is_read(saved: Checkpoints) -> None:
    tensors = example(4).weights
    data = safetensors.torch.save(tensors, {"info": json.dumps({"epoch": 4})})
    (saved.folder / "old.safetensors").write_bytes(data)
    weights = {"file": "old.safetensors", "sha256": hashlib.sha256(data).hexdigest()}
    manifest = {"format": "cnnstudio.checkpoint", "version": 1, "weights": weights}
    (saved.folder / "best.json").write_text(json.dumps(manifest))
    found = saved.load("best")
    assert found.info == {"epoch": 4}
    assert torch.equal(found.weights["conv2d_1.weight"], tensors["conv2d_1.weight"])


@pytest.mark.parametrize("size", [0, 7, 100])
def test_a_truncated_file_is_noticed(saved: Checkpoints, size: int) -> None:
    path = saved.folder / "epoch-00001.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CheckpointError, match="“best” is damaged"):
        saved.load("best")


def test_a_truncated_manifest_is_noticed(saved: Checkpoints) -> None:
    path = saved.folder / "last.json"
    path.write_text(path.read_text()[:40])
    with pytest.raises(CheckpointError, match=r"“last” is damaged: .*not a whole JSON file"):
        saved.load("last")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 3}, "newer CNN Studio"),
        ({"format": "something"}, "no checkpoint of CNN Studio"),
        ({"version": "1"}, "no checkpoint of CNN Studio"),
        ({"weights": None}, "does not name its file"),
        ({"weights": {"file": "../../secret.safetensors", "sha256": ""}}, "does not name its file"),
        (
            {"weights": {"file": "gone.safetensors", "sha256": ""}},
            "incomplete: gone.safetensors cannot be read",
        ),
    ],
)
def test_a_strange_manifest_is_refused_in_one_sentence(
    saved: Checkpoints, change: dict[str, Any], reason: str
) -> None:
    path = saved.folder / "last.json"
    path.write_text(json.dumps(sealed(json.loads(path.read_text()) | change)))
    with pytest.raises(CheckpointError, match=reason) as caught:
        saved.load("last")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("weight", "memory", "spoilt"),
    [(math.nan, 0.0, "conv2d_1.weight"), (-math.inf, 0.0, "conv2d_1.weight"), (1.0, math.nan, "optimizer.a")],
)
def test_values_that_are_no_numbers_are_damage_too(
    saved: Checkpoints, weight: float, memory: float, spoilt: str
) -> None:
    weights, state = {"conv2d_1.weight": torch.tensor([0.0, weight])}, {"optimizer.a": torch.tensor(memory)}
    saved.save("epoch-00004", Checkpoint(weights, {}, state))
    with pytest.raises(
        CheckpointError, match=f"“last” is damaged: {spoilt} holds values that are no numbers"
    ):
        saved.load("last", with_state=True)


def test_what_an_optimizer_remembers_may_be_without_end(saved: Checkpoints) -> None:
    saved.save("epoch-00004", Checkpoint({}, {}, {"optimizer.a": torch.tensor(math.inf)}))
    assert saved.load("last", with_state=True).state["optimizer.a"] == math.inf


def test_notes_that_are_none_are_damage(saved: Checkpoints) -> None:
    path = saved.folder / "last.json"
    path.write_text(json.dumps(sealed(json.loads(path.read_text()) | {"info": [3]})))
    with pytest.raises(CheckpointError, match="“last” is damaged: its notes are none"):
        saved.load("last")


def test_a_disk_that_gets_full_at_any_write_leaves_whole_checkpoints_and_no_halves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [1_000_000]

    class Small:
        """A file on a disk with little room."""

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
    for room in range(0, 3000, 150):
        checkpoints = Checkpoints(tmp_path / str(room))
        left[0] = 1_000_000
        for epoch in (1, 2):
            checkpoints.save(f"epoch-{epoch:05d}", example(epoch), best=epoch == 1)
        left[0] = room
        try:
            checkpoints.save("epoch-00003", example(3), best=True)
        except FileError as error:
            failed += 1
            assert "No space left on device" in str(error)  # noqa: PT017  # it fails only while there is no room
        named = set()
        for name in ("last", "previous", "best"):
            found = checkpoints.load(name, with_state=name != "best")
            assert torch.all(found.weights["conv2d_1.weight"] == found.info["epoch"])
            manifest = json.loads((checkpoints.folder / f"{name}.json").read_text())
            named |= {
                f"{name}.json",
                *(manifest[part]["file"] for part in ("weights", "state") if part in manifest),
            }
        assert {path.name for path in checkpoints.folder.iterdir()} == named
    assert 10 < failed < 20


def test_a_checkpoint_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no checkpoint “best”"):
        Checkpoints(tmp_path / "nowhere").load("best")
    assert "best" not in Checkpoints(tmp_path)


def test_a_folder_that_cannot_be_written_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError):
        Checkpoints(tmp_path / "file").save("epoch-00001", example(1))


def test_weights_of_another_design_are_refused_with_the_first_difference() -> None:
    weights = build_model(tiny()).state_dict()
    with pytest.raises(CheckpointError, match=r"belongs to another design: this one has no batch_normal"):
        restore_weights(build_model(lesson()), weights)
    with pytest.raises(CheckpointError, match=r"its dense_1.weight has the shape 3 × 72, this one's 4 × 72"):
        restore_weights(build_model(tiny(4)), weights)
    del weights["conv2d_2.bias"]
    with pytest.raises(CheckpointError, match=r"it has no conv2d_2.bias"):
        restore_weights(build_model(tiny()), weights)
