"""`cnnstudio import`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cnnstudio.cli.main import main
from cnnstudio.core.resources import resource
from cnnstudio.design.file import read_design
from cnnstudio.training.recipe.files import read_recipe

Output = pytest.CaptureFixture[str]
LESSON = str(resource("lessons/keras-lesson-32.py"))


def test_the_lesson_becomes_a_design_and_a_recipe(tmp_path: Path, capsys: Output) -> None:
    design, recipe = tmp_path / "lesson.cnn.json", tmp_path / "recipe.json"
    assert main(["import", LESSON, "--out", str(design), "--recipe", str(recipe)]) == 0
    assert [node.layer.type_name() for node in read_design(design).nodes] == [
        *("Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D", "Dense", "Dense")
    ]
    assert (read_recipe(recipe).epochs, read_recipe(recipe).batch_size) == (10, 32)
    printed = capsys.readouterr().out
    assert "insert Flatten before it" in printed
    assert "epochs 10, batch size 32" in printed


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("model = Sequential([Flatten(), Dense(10)])\n", "my network"),
        ("model = Sequential([Flatten(), Dense(10)], name='small')\n", "small"),
    ],
)
def test_a_network_without_a_name_is_named_after_its_file(code: str, name: str, tmp_path: Path) -> None:
    listing, design = tmp_path / "my network.py", tmp_path / "out.cnn.json"
    listing.write_text(code)
    assert main(["import", str(listing), "--out", str(design)]) == 0
    assert read_design(design).name == name


def test_json_has_layers_notes_and_problems_with_fixes(tmp_path: Path, capsys: Output) -> None:
    code = tmp_path / "code.py"
    code.write_text("import torch.nn as nn\nm = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GRU(8, 8))\n")
    assert main(["import", str(code), "--out", str(tmp_path / "out.cnn.json"), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["language"] == "pytorch"
    assert [layer["type"] for layer in content["layers"]] == ["Conv2D"]
    assert [note["line"] for note in content["notes"]] == [2, 2]
    assert content["problems"][0]["fix"] == "add Flatten and Dense at the end"


def test_an_invalid_recipe_value_is_reported_and_left_out(tmp_path: Path, capsys: Output) -> None:
    code, recipe = tmp_path / "code.py", tmp_path / "recipe.json"
    code.write_text("m = Sequential([Dense(3)])\nm.fit(x, y, epochs=10**6, batch_size=8)\n")
    arguments = ["import", str(code), "--out", str(tmp_path / "out.cnn.json"), "--recipe", str(recipe)]
    assert main(arguments) == 0
    assert "epochs: must be between 1 and 10,000, got 1,000,000" in capsys.readouterr().err
    assert (read_recipe(recipe).epochs, read_recipe(recipe).batch_size) == (10, 8)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"print('hello')", "neither Keras nor PyTorch"),
        (b"def (:", "line 1: this is not Python"),
        (b"\xff\xfe\x00", "it is not Python code"),
        (b"m = Sequential()\n" * 1_000_000, "longer than 1,000,000 characters"),
    ],
)
def test_invalid_code_prints_one_line_and_writes_no_design(
    content: bytes, message: str, tmp_path: Path, capsys: Output
) -> None:
    code, design = tmp_path / "code.py", tmp_path / "out.cnn.json"
    code.write_bytes(content)
    assert main(["import", str(code), "--out", str(design)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not design.exists()


@pytest.mark.parametrize("suffix", ["pt", "PTH", "pkl", "h5", "keras"])
def test_files_that_can_contain_programs_are_not_opened(suffix: str, tmp_path: Path, capsys: Output) -> None:
    model, design = tmp_path / f"model.{suffix}", tmp_path / "out.cnn.json"
    model.write_bytes(Path(LESSON).read_bytes())
    assert main(["import", str(model), "--out", str(design)]) == 2
    said = "can contain programs, so they are not opened: import the code of the network, or an ONNX file"
    assert said in capsys.readouterr().err
    assert not design.exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("net.safetensors", "has weights, but not the layers"),
        ("net.SAFETENSORS", "train --weights"),
        ("images.npz", "arrays do not say which layers"),
        ("cat.JPG", "this is an image"),
        ("my.cnn.json", "this is a design already"),
    ],
)
def test_files_without_code_are_called_what_they_are(
    name: str, said: str, tmp_path: Path, capsys: Output
) -> None:
    file, design = tmp_path / name, tmp_path / "out.cnn.json"
    file.write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    assert main(["import", str(file), "--out", str(design)]) == 2
    error = capsys.readouterr().err
    assert f"{name}: " in error
    assert said in error
    assert error.count("\n") == 1
    assert not design.exists()


@pytest.mark.parametrize(
    ("inside", "said"),
    [("run.json", "is a run, which has its design in"), ("saved_model.pb", "is a saved TensorFlow model")],
)
def test_folders_are_called_what_they_are(inside: str, said: str, tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / inside).write_text("{}")
    assert main(["import", str(tmp_path / "net"), "--out", str(tmp_path / "out.cnn.json")]) == 2
    assert said in capsys.readouterr().err


def test_missing_files_and_folders_are_refused(tmp_path: Path, capsys: Output) -> None:
    assert main(["import", str(tmp_path / "none.py"), "--out", str(tmp_path / "a.json")]) == 2
    assert "there is no file" in capsys.readouterr().err
    assert main(["import", str(tmp_path), "--out", str(tmp_path / "a.json")]) == 2
    assert "is a folder" in capsys.readouterr().err
    assert main(["import", LESSON, "--out", str(tmp_path)]) == 2
    assert "--out" in capsys.readouterr().err
