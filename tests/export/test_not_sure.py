"""Exports carry the threshold of “not sure”, and give the same scores as without it."""

from __future__ import annotations

import json
import runpy
import sys
from ast import literal_eval
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from cnnstudio.data.sources import find_source
from cnnstudio.export import exporters
from cnnstudio.export.examples import onnx_example, pytorch_example
from cnnstudio.export.training_features import distance_in
from cnnstudio.export.weights import model_metadata
from cnnstudio.insight.predictions import predict
from cnnstudio.interchange.reading import read_code
from cnnstudio.runs.epochs.thresholds import choose_threshold
from cnnstudio.runs.run import Run
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.recipe.recipe import Recipe
from tests.training.images import colors, image_folder
from tests.training.networks import tiny


@pytest.fixture(params=[8, 6], ids=["as-large-as-the-input", "resized"])
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Run:
    """A run whose images can be found, with files of the size of its input or of another one."""
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path / "home"))
    images = image_folder(tmp_path / "images", side=request.param)
    options = RunOptions(folder=tmp_path / "run", threads=1, source=str(images))
    start_run(tiny(2), find_source(str(images)).load(), Recipe("quick", epochs=1, batch_size=8), options)
    return Run.open(tmp_path / "run")


def test_weights_and_code_say_when_the_network_is_not_sure(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    choose_threshold(run.folder, run.created, 1.0)
    out = tmp_path / "out"
    result = exporters()["pytorch"].export(run, out)
    assert "“Not sure” below 100% confidence, or where an image is unlike any" in result.message
    assert result.largest_difference is not None
    assert result.largest_difference < 1e-4
    with safe_open(out / "model.safetensors", framework="pt") as file:
        found = json.loads(file.metadata()["not_sure"])
    assert found == model_metadata(run, run.model(), distance_in(out))["not_sure"]
    assert found["threshold"] == 1.0
    assert set(found) == {"threshold", "temperature", "accuracy", "coverage", "images", "distance"}
    image = next((tmp_path / "images" / "test").rglob("*.png"))
    monkeypatch.setattr("sys.argv", ["model.py", str(image)])
    capsys.readouterr()
    runpy.run_path(str(out / "model.py"), run_name="__main__")
    assert capsys.readouterr().out.startswith(f"{image}: not sure, ")
    code = runpy.run_path(str(out / "model.py"))
    assert (code["THRESHOLD"], code["TEMPERATURE"]) == (1.0, found["temperature"])
    pixels = torch.rand(3, *run.network.input.dims)
    probabilities = code["classify"](code["load"](), pixels)
    expected = run.model()(code["normalize"](pixels)).softmax(1).detach()
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    np.testing.assert_allclose(code["calibrate"](probabilities).sum(1), 1, atol=1e-5)


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_the_example_for_pytorch_is_not_sure_where_the_run_is(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    threshold: float,
) -> None:
    choose_threshold(run.folder, run.created, threshold)
    exporters()["pytorch"].export(run, tmp_path, verify=False)
    Image.new("RGB", run.network.input.dims[:0:-1], (90, 90, 90)).save(tmp_path / "image.png")
    monkeypatch.chdir(tmp_path)
    exec(pytorch_example(tmp_path / "model.py"), {})
    label, confidence = literal_eval(capsys.readouterr().out)
    assert label in (["not sure"] if threshold else run.classes)
    assert 0.5 <= confidence < 1


def test_a_run_that_averages_mirror_images_is_exported_so(tmp_path: Path) -> None:
    recipe = Recipe("flip", epochs=1, batch_size=16, test_time_flip=True)
    start_run(tiny(), colors(), recipe, RunOptions(folder=tmp_path / "run", threads=1))
    run = Run.open(tmp_path / "run")
    result = exporters()["pytorch"].export(run, tmp_path / "out", verify=False)
    assert "mean scores of each image and its mirror image" in result.message
    assert model_metadata(run, run.model())["test_time_flip"] is True
    code = runpy.run_path(str(tmp_path / "out" / "model.py"))
    pixels = np.random.default_rng(0).integers(0, 256, (4, *run.network.input.dims), np.uint8)
    found = code["classify"](code["load"](), torch.from_numpy(pixels).float() / 255)
    model = run.model()
    np.testing.assert_allclose(found, predict(model, pixels, flip=True), atol=1e-5)
    assert np.abs(found.numpy() - predict(model, pixels)).max() > 1e-4
    imported = read_code((tmp_path / "out" / "model.py").read_text())
    assert (imported.network.nodes, list(imported.notes)) == (run.network.nodes, [])


def example_for_onnx(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    flip: bool,
    **about: str,
) -> tuple[str, float]:
    """What it prints for a network whose scores are two pixels, 1 and 0."""

    class Session:
        def __init__(self, *arguments: object, **options: object) -> None: ...

        def get_modelmeta(self) -> SimpleNamespace:
            return SimpleNamespace(custom_metadata_map={"classes": '["left", "right"]', **about})

        def get_inputs(self) -> list[SimpleNamespace]:
            return [SimpleNamespace(shape=["batch", 3, 2, 2])]

        def run(self, names: object, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            return [inputs["pixels"][:, 0, 0, :]]

    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace(InferenceSession=Session))
    monkeypatch.chdir(folder)
    Image.fromarray(np.full((2, 2, 3), [[[255], [0]]], np.uint8)).save("image.png")
    exec(onnx_example(folder / "model.onnx", "stretch", flip=flip), {})
    label, confidence = literal_eval(capsys.readouterr().out)
    return label, confidence


@pytest.mark.parametrize("flip", [False, True])
def test_the_example_for_onnx_averages_mirror_images_where_the_run_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], flip: bool
) -> None:
    label, confidence = example_for_onnx(monkeypatch, tmp_path, capsys, flip)
    assert (label, confidence) == ("left", pytest.approx(0.5 if flip else 1 / (1 + np.exp(-1))))


@pytest.mark.parametrize(("threshold", "answer"), [(0.62, "left"), (0.63, "not sure")])
def test_the_example_for_onnx_is_not_sure_where_the_run_is(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    threshold: float,
    answer: str,
) -> None:
    rule = json.dumps({"temperature": 2.0, "threshold": threshold})
    label, confidence = example_for_onnx(monkeypatch, tmp_path, capsys, False, not_sure=rule)
    assert (label, confidence) == (answer, pytest.approx(1 / (1 + np.exp(-0.5))))


def test_without_the_images_an_export_says_nothing_about_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    out = tmp_path / "out"
    assert "Not sure" not in exporters()["pytorch"].export(run, out, verify=False).message
    assert "THRESHOLD" not in (out / "model.py").read_text()
    assert "not_sure" not in model_metadata(run, run.model())
