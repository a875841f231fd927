"""Exports are not sure of what is unlike any training image, where the program is."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import safetensors.torch
import torch
from PIL import Image
from safetensors import safe_open

from cnnstudio.cli.main import main
from cnnstudio.core.progress import Progress
from cnnstudio.data.sources import find_source
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.network import Network
from cnnstudio.export import ExportFailed, exporters
from cnnstudio.export.training_features import (
    FEATURES_FILE,
    distance_in,
    estimate_features,
    write_training_features,
)
from cnnstudio.export.verification import Verification
from cnnstudio.insight.confidence.judging import UNLIKE
from cnnstudio.insight.confidence.reference_images import NEIGHBORS, References
from cnnstudio.insight.confidence.references import last_features
from cnnstudio.interchange.onnx.reader import read_onnx
from cnnstudio.interchange.pytorch.writer import write_module
from cnnstudio.interchange.reading import read_code
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.pooling.global_average_pooling2d import GlobalAveragePooling2D
from cnnstudio.runs.epochs.answering import prepare_rule
from cnnstudio.runs.epochs.thresholds import choose_threshold
from cnnstudio.runs.run import Run
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.frozen.store import features_folder
from cnnstudio.training.model import build_model
from cnnstudio.training.recipe.recipe import Recipe
from tests.runs.written import WrittenRun
from tests.training.images import image_folder
from tests.training.networks import network, tiny

AFTER = """
import glob, json, pathlib
print(json.dumps({path: predict(path) for path in sorted(glob.glob("images/*.png"))}))
"""
WITHOUT_THE_PROGRAM = "import sys; sys.modules['cnnstudio'] = None\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _in_that_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNSTUDIO_HOME", str(home))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Run:
    """A run of images in files, which answers from a confidence of 60%."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNSTUDIO_HOME", str(home))
        source = str(image_folder(folder / "images", count=60))
        options = RunOptions(folder=folder / "run", threads=1, source=source)
        recipe = Recipe("quick", epochs=3, batch_size=8, test_time_flip=True)
        start_run(tiny(2), find_source(source).load(), recipe, options)
        run = Run.open(folder / "run")
        choose_threshold(run.folder, run.created, 0.6)
    return run


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, trained: Run) -> Path:
    """A user's folder with 20 images: half of them familiar, the others noise, stripes and single colors."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "images").mkdir()
    familiar = sorted((trained.folder.parent / "images" / "test").rglob("*.png"))[::2]
    for number, path in enumerate(familiar):
        shutil.copy(path, folder / "images" / f"familiar-{number}.png")
    shutil.copy(familiar[0], folder / "image.png")
    random = np.random.default_rng(3)
    for number in range(20 - len(familiar)):
        pixels = random.integers(0, 256, (8, 8, 3)) if number % 2 else np.zeros((8, 8, 3))
        pixels[:: 1 + number % 3, :, number % 3] = 255
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "images" / f"strange-{number}.png")
    return folder


@pytest.fixture(scope="module")
def expected(trained: Run, work: Path, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the program says of these images: name -> prediction."""
    out = tmp_path_factory.mktemp("expected") / "out.json"
    environment = {**os.environ, "CNNSTUDIO_HOME": str(home)}
    command = [
        "-m",
        "cnnstudio",
        "predict",
        str(trained.folder),
        str(work / "images"),
        "--not-sure",
        "--json",
    ]
    with out.open("wb") as file:
        subprocess.run([sys.executable, *command], env=environment, stdout=file, check=True)
    predictions = json.loads(out.read_bytes())["predictions"]
    found = {Path(each["image"]).name: each for each in predictions}
    reasons = [each["reason"] or "" for each in found.values()]
    # What is compared below are all kinds of answers.
    assert {"" in reasons, UNLIKE in reasons} == {True}, reasons
    return found


@pytest.mark.parametrize("name", ["onnx", "pytorch"])
def test_the_copied_code_answers_as_the_program_does(
    name: str, trained: Run, work: Path, expected: Any, tmp_path: Path
) -> None:
    exporter = exporters()[name]
    result = exporter.export(trained, tmp_path)
    assert FEATURES_FILE in [path.name for path in result.files]
    assert "below 60% confidence, or where an image is unlike any training image." in result.message
    code = WITHOUT_THE_PROGRAM + exporter.example(tmp_path, trained) + AFTER
    finished = subprocess.run([sys.executable, "-P", "-c", code], cwd=work, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    found = json.loads(finished.stdout.splitlines()[-1])
    assert len(found) == len(expected) == 20
    for path, (answer, confidence) in found.items():
        one = expected[Path(path).name]
        assert answer == (one["answer"] or "not sure"), one
        assert confidence == pytest.approx(one["confidence"], abs=1e-4)


def test_the_file_itself_says_what_it_is_not_sure_of(
    trained: Run, work: Path, expected: Any, tmp_path: Path
) -> None:
    exporters()["pytorch"].export(trained, tmp_path)
    images = sorted((work / "images").iterdir())

    def printed() -> tuple[dict[str, str], str]:
        command = [sys.executable, "-P", str(tmp_path / "model.py"), *map(str, images)]
        finished = subprocess.run(command, cwd=work, capture_output=True, text=True, check=True)
        # Two lines for each image: one for each class.
        lines = (line.split(".png: ") for line in finished.stdout.splitlines()[::2])
        return {f"{Path(path).name}.png": text for path, text in lines}, finished.stderr

    found, errors = printed()
    assert errors == ""
    for name, each in expected.items():
        reason = each["reason"] or ""
        begin = "not sure, unlike any training image, perhaps " if UNLIKE in reason else "not sure, perhaps "
        assert found[name].startswith(begin if reason else each["answer"]), each
    (tmp_path / FEATURES_FILE).unlink()
    found, errors = printed()
    assert errors == f"{FEATURES_FILE} is missing: images are not compared with the training images.\n"
    assert not any("unlike" in text for text in found.values())


def test_features_of_another_network_are_not_taken(trained: Run, work: Path, tmp_path: Path) -> None:
    for name in ("pytorch", "onnx"):
        exporters()[name].export(trained, tmp_path, verify=False)
    data = (tmp_path / FEATURES_FILE).read_bytes()
    distance = distance_in(tmp_path)
    assert distance is not None
    (tmp_path / FEATURES_FILE).write_bytes(data.replace(distance.id.encode(), b"0" * 16))
    command = [sys.executable, "-P", str(tmp_path / "model.py"), str(work / "image.png")]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert (finished.returncode, "is damaged or of another network: images" in finished.stderr) == (0, True)
    code = exporters()["onnx"].example(tmp_path, trained)
    # Of another network, damaged, and missing.
    for content in (None, data[:100], b""):
        if content is not None:
            (tmp_path / FEATURES_FILE).write_bytes(content)
        finished = subprocess.run(
            [sys.executable, "-P", "-c", code], cwd=work, capture_output=True, text=True
        )
        assert finished.returncode == 0
        assert finished.stderr.count("\n") == 1
        assert f"{FEATURES_FILE} is missing, damaged or of another network: images" in finished.stderr
        assert finished.stdout.startswith("(")


def test_damaged_features_are_not_taken(trained: Run, tmp_path: Path) -> None:
    exporters()["pytorch"].export(trained, tmp_path, verify=False)
    own = runpy.run_path(str(tmp_path / "model.py"))
    path = tmp_path / FEATURES_FILE
    data = path.read_bytes()
    assert own["training_features"]() is not None
    other_names = data.replace(b'"features"', b'"feature_"')
    without_metadata = safetensors.torch.save({"features": torch.zeros(2, 3)})
    for damaged in (b"", data[:5], data[:100], data[:-10], b"\xff" * 64, other_names, without_metadata):
        path.write_bytes(damaged)
        assert own["training_features"]() is None
    path.unlink()
    path.mkdir()
    assert own["training_features"]() is None


def test_every_format_says_how_images_are_compared(trained: Run, tmp_path: Path) -> None:
    for name in exporters():
        exporters()[name].export(trained, tmp_path / name, verify=False)
    distance = distance_in(tmp_path / "onnx")
    assert distance is not None
    assert distance.layer in dict(trained.model().named_modules())
    with safe_open(tmp_path / "safetensors" / "model.safetensors", framework="pt") as file:
        weights = json.loads(file.metadata()["not_sure"])
    graph = onnx.load(tmp_path / "onnx" / "model.onnx")
    about = {entry.key: entry.value for entry in graph.metadata_props}
    assert weights["distance"] == json.loads(about["not_sure"])["distance"]
    assert weights["distance"]["limit"] == distance.limit
    assert [output.name for output in graph.graph.output] == ["logits", "features"]
    assert len({(tmp_path / name / FEATURES_FILE).read_bytes() for name in exporters()}) == 1
    with safe_open(tmp_path / "onnx" / FEATURES_FILE, framework="pt") as file:
        assert file.metadata()["id"] == distance.id
        torch.testing.assert_close(file.get_tensor("features").norm(dim=1).mean(), torch.tensor(1.0))
    imported = read_code((tmp_path / "pytorch" / "model.py").read_text())
    assert (imported.network.nodes, list(imported.notes)) == (trained.network.nodes, [])


def test_importing_the_onnx_file_offers_the_scores_alone(trained: Run, tmp_path: Path) -> None:
    exporters()["onnx"].export(trained, tmp_path, verify=False)
    imported = read_onnx(tmp_path / "model.onnx")
    assert imported.is_exact
    assert (list(imported.design.notes), list(imported.design.networks)) == ([], [])
    assert read_onnx(tmp_path / "model.onnx", output="features").source.output == "features"


def wide() -> Network:
    """More values before its last layer than are compared: they are averaged."""
    return network(Conv2D(8, padding="same"), Flatten(), Dense(3), input=Shape.of(3, 13, 13))


def convolutional() -> Network:
    """Its last layer with weights gets an image: the mean of its pixels is compared."""
    return network(Conv2D(9), Conv2D(3, (1, 1)), GlobalAveragePooling2D(), input=Shape.of(3, 9, 8))


@pytest.mark.parametrize("make", [wide, convolutional])
def test_features_are_the_programs_own_whatever_the_last_layer_is(
    make: Callable[[], Network], tmp_path: Path
) -> None:
    written = Run.open(WrittenRun(tmp_path / "run", make()).folder)
    model = build_model(written.network).eval()
    random = np.random.default_rng(0)
    images, others = random.integers(0, 256, (2, 20, *written.network.input.dims), np.uint8)
    places = np.arange(len(others))
    features = last_features(model, others)
    references = References(features, places, places, places % 3, 0.0123, len(others))
    write_training_features(tmp_path, model, references)
    exporters()["onnx"].write(written, model, tmp_path)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    pixels = images.astype(np.float32) / 255
    (found,) = session.run(["features"], {"pixels": pixels})
    np.testing.assert_allclose(found, last_features(model, images), atol=1e-6)
    distance = distance_in(tmp_path)
    assert distance is not None
    code = write_module(
        *(written.network, None, "model.safetensors"),
        mean=model.mean,
        std=model.std,
        answering=(1.0, 0.5),
        distance=distance,
    )
    (tmp_path / "model.py").write_text(code)
    own = runpy.run_path(str(tmp_path / "model.py"))
    expected = 1 - np.sort(last_features(model, images) @ features.T, axis=1)[:, -NEIGHBORS]
    got = own["distances"](model, torch.from_numpy(pixels), own["training_features"]())
    np.testing.assert_allclose(got, expected, atol=1e-6)
    assert expected.std() > 1e-5


def test_large_features_take_half_the_room(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporters()["pytorch"].export(trained, tmp_path / "whole")
    monkeypatch.setattr("cnnstudio.export.training_features._MAX_BYTES", 1000)
    exporters()["pytorch"].export(trained, tmp_path / "half")
    whole, half = ((tmp_path / each / FEATURES_FILE).stat().st_size for each in ("whole", "half"))
    assert half < 0.6 * whole


def test_the_estimate_of_the_size_has_the_features(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = exporters()["pytorch"]
    exporter.export(trained, tmp_path)
    written = (tmp_path / FEATURES_FILE).stat().st_size
    assert 0 < written - estimate_features(analyze(trained.network), trained.train_images) < 1_000
    weights = sum(weights.nbytes for weights in trained.model().parameters())
    assert exporter.estimate(trained) == weights + estimate_features(
        analyze(trained.network), trained.train_images
    )
    monkeypatch.setattr(exporter, "compares_images", False, raising=False)
    assert exporter.estimate(trained) == weights


def test_the_bar_moves_while_training_images_are_described(trained: Run, tmp_path: Path) -> None:
    for path in features_folder().glob("*.features"):
        path.unlink()
    shown: list[Progress] = []
    exporters()["pytorch"].export(trained, tmp_path, verify=False, progress=shown.append)
    describing = [each.done / each.total for each in shown if each.text.startswith("Describing")]
    assert len(describing) > 1
    assert describing == sorted(describing)
    assert 0.1 < describing[-1] <= 0.5, "the first of two steps"


def test_other_distances_are_refused(trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = "distances = [numpy.ones(len(batch)) for batch in batches]"
    monkeypatch.setattr("cnnstudio.export.onnx._DISTANCES", wrong)
    with pytest.raises(ExportFailed, match="compares images with the training images in another way"):
        exporters()["onnx"].export(trained, tmp_path)
    monkeypatch.setattr("cnnstudio.export.onnx._DISTANCES", "")
    with pytest.raises(ExportFailed, match="does not compare images with the training images"):
        exporters()["onnx"].export(trained, tmp_path)
    assert not list(tmp_path.iterdir())
    rule = prepare_rule(trained, lambda _: None, lambda: False)
    verification = Verification(trained, trained.model(), tmp_path, lambda: False, rule.references)
    with pytest.raises(ExportFailed, match="does not say how far"):
        verification.compare_distances(np.full(len(verification.images), np.nan, np.float32))


def test_where_the_images_are_gone_it_says_that_only_the_confidence_counts(
    trained: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare_rule(trained, lambda _: None, lambda: False)
    images = trained.folder.parent / "images"
    images.rename(images.with_name("elsewhere"))
    try:
        out = str(tmp_path / "out")
        assert main(["export", str(trained.folder), "--format", "pytorch,onnx", "--out", out]) == 0
        printed = capsys.readouterr().out
    finally:
        images.with_name("elsewhere").rename(images)
    assert printed.count("below 60% confidence; images are not compared with the training images. ") == 2
    assert not (tmp_path / "out" / FEATURES_FILE).exists()
    assert "LIMIT" not in (tmp_path / "out" / "model.py").read_text()
    (output,) = onnx.load(tmp_path / "out" / "model.onnx").graph.output
    assert output.name == "logits"
