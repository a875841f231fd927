"""Figures name the images that they are from, and what is unknown is shown as unknown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cnnstudio.cli.main import main
from cnnstudio.core.files import write_json

Output = pytest.CaptureFixture[str]


def write(path: Path, *layers: dict[str, Any], size: int = 8) -> str:
    content = {"format": "cnnstudio.design", "version": 1, "name": "Test", "input": [3, size, size]}
    write_json(path, {**content, "layers": list(layers)})
    return str(path)


def test_costs_behind_an_error_are_unknown(tmp_path: Path, capsys: Output) -> None:
    layers = (
        {"type": "Conv2D", "filters": 4},
        {"type": "Conv2D", "filters": 4, "kernel_size": [9, 9]},
        {"type": "Flatten"},
        {"type": "Dense", "units": 128},
    )
    design = write(tmp_path / "broken.cnn.json", *layers)
    assert main(["summary", design, "--json"]) == 2
    content = json.loads(capsys.readouterr().out)
    assert [layer["parameters"] for layer in content["layers"]] == [112, None, None, None]
    assert [layer["macs"] for layer in content["layers"]][1:] == [None] * 3
    assert main(["summary", design]) == 2
    out = capsys.readouterr().out
    (dense,) = (line for line in out.splitlines() if line.startswith("Dense"))
    assert dense.split()[-2:] == ["–", "–"]
    assert "at least 112 parameters" in out


def test_costs_of_a_layer_with_an_error_are_unknown(tmp_path: Path, capsys: Output) -> None:
    layers = (
        {"type": "Conv2D", "filters": 4},
        {"type": "Dense", "units": 128},
        {"type": "Dense", "units": 2},
    )
    assert main(["summary", write(tmp_path / "broken.cnn.json", *layers), "--json"]) == 2
    content = json.loads(capsys.readouterr().out)
    assert [layer["parameters"] for layer in content["layers"]] == [112, None, 258]


def test_a_layer_without_weights_has_no_parameters(tmp_path: Path, capsys: Output) -> None:
    layers = ({"type": "Flatten"}, {"type": "Dense", "units": 2})
    assert main(["summary", write(tmp_path / "fine.cnn.json", *layers), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert [layer["parameters"] for layer in content["layers"]] == [0, 386]


@pytest.mark.parametrize("share", ["0", "0.2"])
def test_a_test_accuracy_that_chose_its_epoch_says_so(
    share: str, design: Path, images: Path, home: Path, capsys: Output
) -> None:
    run = str(home / "runs" / "run")
    options = ["--recipe", "lesson", "--epochs", "1", "--batch-size", "8", "--validation-share", share]
    assert main(["train", str(design), "--data", str(images), *options, "--run", run]) == 0
    trained = capsys.readouterr().out
    assert main(["runs", "show", run]) == 0
    shown = capsys.readouterr().out
    assert main(["runs", "show", run, "--json"]) == 0
    noted = capsys.readouterr().err
    for text in (trained, shown, noted):
        assert ("the best epoch is chosen on them" in text) == (share == "0")
    for text in (trained, shown):
        assert ("(weights of epoch 1, the best on the test set)" in text) == (share == "0")
    assert main(["runs", "list"]) == 0
    listed = capsys.readouterr().out
    assert (
        ("% (best)" in listed) == ("the best epoch was chosen on the test images" in listed) == (share == "0")
    )
    export = ["export", run, "--format", "safetensors", "--no-verify", "--out", str(home / "exported")]
    for command in (export, ["runs", "compare", run, run]):
        assert main(command) == 0
        assert ("best epoch on the test images" in capsys.readouterr().out) == (share == "0")


def test_training_says_that_softmax_is_applied_twice(images: Path, tmp_path: Path, capsys: Output) -> None:
    layers = (
        {"type": "Flatten"},
        {"type": "Dense", "units": 2, "activation": "softmax"},
        {"type": "Activation", "activation": "softmax"},
    )
    design = write(tmp_path / "twice.cnn.json", *layers)
    assert main(["summary", design]) == 0
    advice = "Dense applies softmax to the scores, but is not the last layer"
    assert advice in capsys.readouterr().out
    options = ["--epochs", "1", "--batch-size", "8", "--run", str(tmp_path / "run")]
    assert main(["train", design, "--data", str(images), *options]) == 0
    assert f"Note: {advice}" in capsys.readouterr().out
