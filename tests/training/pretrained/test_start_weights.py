"""Start weights from files: what fits is taken, and nothing but safetensors is opened."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch

from cnnstudio.design import edits
from cnnstudio.training.model import build_model
from cnnstudio.training.pretrained.catalog import PretrainedError
from cnnstudio.training.pretrained.start_weights import from_file
from tests.training.networks import small_resnet, tiny


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise AssertionError('the file was loaded')",)


def _save(path: Path, tensors: dict[str, torch.Tensor]) -> Path:
    safetensors.torch.save_file({name: value.contiguous() for name, value in tensors.items()}, path)
    return path


def test_a_file_with_the_same_names_and_shapes_fits_completely(tmp_path: Path) -> None:
    state = build_model(small_resnet()).state_dict()
    start = from_file(_save(tmp_path / "w.safetensors", state), small_resnet())
    assert not start.fresh
    # How many batches a normalization has seen says nothing about its weights.
    weights = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    assert start.weights.keys() == weights.keys()
    assert all(torch.equal(start.weights[name], weights[name]) for name in weights)


def test_a_count_of_batches_of_another_shape_does_not_matter(tmp_path: Path) -> None:
    state = build_model(small_resnet()).state_dict()
    counts = {name: torch.zeros(2) for name in state if name.endswith("num_batches_tracked")}
    assert counts
    start = from_file(_save(tmp_path / "w.safetensors", state | counts), small_resnet())
    assert not start.fresh
    build_model(small_resnet()).load_state_dict(start.weights, strict=False)


def test_other_names_fit_by_position_and_shape(tmp_path: Path) -> None:
    state = build_model(tiny()).state_dict()
    # Ten comes after two: names are sorted in files, but programs number layers.
    names = {"conv2d_1": "features.2", "batch_normalization_1": "features.3", "conv2d_2": "features.10"}
    renamed = {
        f"{names.get(layer, 'classifier.0')}.{end}": value
        for name, value in state.items()
        for layer, _, end in [name.rpartition(".")]
        if end != "num_batches_tracked"
    }
    start = from_file(_save(tmp_path / "w.safetensors", renamed), tiny())
    assert not start.fresh
    assert all(torch.equal(start.weights[name], state[name]) for name in start.weights)
    assert len(start.weights) == len(renamed)


def test_a_layer_of_another_shape_starts_afresh_as_a_whole(tmp_path: Path) -> None:
    state = build_model(tiny(classes=5)).state_dict()
    start = from_file(_save(tmp_path / "w.safetensors", state), tiny(classes=3))
    assert start.fresh == ("dense_1",)
    assert start.kept == ("conv2d_1", "batch_normalization_1", "conv2d_2")
    assert not any(name.startswith("dense_1") for name in start.weights)
    assert start.lines[0].endswith("3 layers of 4 (Conv2D, BatchNormalization, Conv2D)")
    assert start.lines[1].startswith("Starts afresh: Dense (layer 6)")


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".pkl", ".h5", ".bin", ""])
def test_files_that_can_contain_programs_are_refused_without_being_opened(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(pickle.dumps(_Bomb()))
    monkeypatch.setattr("cnnstudio.training.pretrained.start_weights.read_regular", None)
    with pytest.raises(PretrainedError, match="can contain programs"):
        from_file(path, tiny())


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 64, pickle.dumps(_Bomb())], ids=["empty", "noise", "pickle"]
)
def test_a_damaged_file_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(
        PretrainedError, match=r"w\.safetensors: this is not a \.safetensors file, or it is damaged"
    ):
        from_file(path, tiny())


def test_values_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    path = _save(tmp_path / "w.safetensors", {"conv2d_1.weight": torch.full((8, 3, 3, 3), torch.nan)})
    with pytest.raises(PretrainedError, match="NaN or infinite"):
        from_file(path, tiny())


def test_complex_numbers_are_refused(tmp_path: Path) -> None:
    path = _save(
        tmp_path / "w.safetensors", {"conv2d_1.weight": torch.ones((8, 3, 3, 3), dtype=torch.complex64)}
    )
    with pytest.raises(PretrainedError, match="complex numbers"):
        from_file(path, tiny())


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = _save(tmp_path / "w.safetensors", {"something.weight": torch.zeros(7, 7)})
    with pytest.raises(PretrainedError, match="No layer of Tiny fits"):
        from_file(path, tiny())
    with pytest.raises(PretrainedError, match="there is no such file"):
        from_file(tmp_path / "missing.safetensors", tiny())


def test_locked_layers_take_weights_as_well(tmp_path: Path) -> None:
    state = build_model(tiny()).state_dict()
    locked = edits.set_trainable(tiny(), ["conv2d_1"], False)
    assert "conv2d_1" in from_file(_save(tmp_path / "w.safetensors", state), locked).kept


@pytest.mark.parametrize(
    "metadata",
    [
        {"normalization": '{"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.1]}'},
        # As an exported model has them.
        {"mean": "[0.5, 0.4, 0.3]", "std": "[0.2, 0.2, 0.1]"},
    ],
)
def test_a_file_says_how_images_are_normalized_and_under_which_terms_it_is(
    tmp_path: Path, metadata: dict[str, str]
) -> None:
    path = tmp_path / "w.safetensors"
    terms = {"notice": "pretrained on ImageNet,\nunder Apache-2.0\x1b[31m"}
    safetensors.torch.save_file(build_model(tiny()).state_dict(), path, metadata | terms)
    start = from_file(path, tiny())
    assert start.normalization == ((0.5, 0.4, 0.3), (0.2, 0.2, 0.1))
    assert start.notice.startswith("pretrained on ImageNet")
    assert start.notice.isprintable()
    assert start.lines[-1] == f"P{start.notice[1:]}"


@pytest.mark.parametrize("mean", ["0.5", "[0.5, NaN, 0.5]", "[[0.5]]", "[0.5, 0.5]", "{}", "["])
def test_a_normalization_in_a_file_that_is_none_does_not_count(tmp_path: Path, mean: str) -> None:
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file(
        build_model(tiny()).state_dict(), path, {"mean": mean, "std": "[0.2, 0.2, 0.1]"}
    )
    assert from_file(path, tiny()).normalization is None
