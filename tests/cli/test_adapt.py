"""`cnnstudio adapt`, and the options of `cnnstudio import` that concern the classes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from cnnstudio.cli.main import main
from cnnstudio.design.file import read_design
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.up_sampling2d import UpSampling2D

Output = pytest.CaptureFixture[str]


def last_layer(path: Path) -> Dense:
    layer = read_design(path).nodes[-1].layer
    assert isinstance(layer, Dense)
    return layer


def make_folder(path: Path, classes: int) -> Path:
    for number in range(classes):
        (path / f"class-{number}").mkdir(parents=True)
        for each in range(3):
            Image.new("RGB", (9, 9), (40 * number, 80 * each, 0)).save(
                path / f"class-{number}" / f"{each}.png"
            )
    return path


def test_the_last_layer_suits_a_folder_and_the_input_stays(tmp_path: Path, capsys: Output) -> None:
    out = tmp_path / "out.cnn.json"
    folder = make_folder(tmp_path / "photos", 3)
    assert main(["adapt", "lesson-32", "--data", str(folder), "--out", str(out)]) == 0
    assert last_layer(out).units == 3
    assert read_design(out).input.dims == (3, 32, 32)
    assert "units 10 → 3" in capsys.readouterr().out


def test_the_input_is_changed_where_asked(tmp_path: Path, capsys: Output) -> None:
    out = tmp_path / "out.cnn.json"
    arguments = ["adapt", "lesson-32", "--data", "shapes", "--out", str(out), "--json"]
    assert main([*arguments, "--input", "1x48x40"]) == 0
    assert read_design(out).input.dims == (1, 48, 40)
    assert json.loads(capsys.readouterr().out)["inputs"] == [[3, 32, 32], [1, 48, 40]]
    assert main([*arguments, "--input", "data"]) == 0
    assert read_design(out).input.dims == (3, 32, 32)


@pytest.mark.parametrize(
    ("design", "options", "dims", "factor"),
    [
        ("efficientnet-lite0", [], (3, 32, 32), 5),
        ("efficientnet-lite0", ["--input", "data"], (3, 32, 32), 5),
        ("efficientnet-lite0", ["--input", "3x96x96"], (3, 96, 96), None),
        ("mine.cnn.json", [], (3, 160, 160), None),
        ("mine.cnn.json", ["--input", "data"], (3, 32, 32), 5),
    ],
)
def test_the_pretrained_template_gets_a_layer_that_enlarges_small_images(
    design: str, options: list[str], dims: tuple[int, ...], factor: int | None, tmp_path: Path
) -> None:
    if design.endswith(".json"):
        design = str(tmp_path / design)
        assert main(["template", "write", "efficientnet-lite0", "--out", design]) == 0
    out = tmp_path / "out.cnn.json"
    assert main(["adapt", design, "--data", "shapes", "--out", str(out), *options]) == 0
    found = read_design(out)
    assert found.input.dims == dims
    first = found.nodes[0].layer
    assert (first.size[0] if isinstance(first, UpSampling2D) else None) == factor


def test_gray_images_leave_pretrained_weights_their_channels_the_second_time_as_well(tmp_path: Path) -> None:
    once, twice = tmp_path / "once.cnn.json", tmp_path / "twice.cnn.json"
    assert main(["adapt", "efficientnet-lite0", "--data", "mnist", "--out", str(once)]) == 0
    assert main(["adapt", str(once), "--data", "mnist", "--out", str(twice), "--input", "data"]) == 0
    assert read_design(once).input.dims == (3, 28, 28)
    assert read_design(twice) == read_design(once)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input", "64"], "--input: must be channels x height x width"),
        (["--input", "0x4x4"], "--input: must be channels x height x width"),
        (["--input", "data"], "--input: images of 3 × 9 × 9 do not fit: "),
    ],
)
def test_an_input_that_is_none_is_refused(
    arguments: list[str], message: str, tmp_path: Path, capsys: Output
) -> None:
    folder, out = make_folder(tmp_path / "photos", 2), tmp_path / "out.cnn.json"
    assert main(["adapt", "lesson-32", "--data", str(folder), "--out", str(out), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_import_sets_the_classes_and_names_the_data(tmp_path: Path, capsys: Output) -> None:
    code, out = tmp_path / "code.py", tmp_path / "out.cnn.json"
    code.write_text(
        "import keras\nfrom keras.layers import *\ndata = keras.datasets.cifar10.load_data()\n"
        "m = keras.Sequential([Flatten(input_shape=(4, 4, 3)), Dense(classes)])\nm.fit(x, y, epochs=3)\n"
    )
    assert main(["import", str(code), "--out", str(out), "--classes", "7", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert last_layer(out).units == 7
    assert content["notes"] == []
    assert content["data"] == {"name": "cifar10", "line": 3, "known": True}
    assert main(["import", str(code), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "cifar10 (line 3)" in printed
    # Only what the code says: no values that a recipe has anyway.
    assert "Training in the code: epochs 3\n" in printed


@pytest.mark.parametrize("number", ["0", "1", "-3", "many", "9" * 50])
def test_an_impossible_number_of_classes_is_refused(number: str, tmp_path: Path, capsys: Output) -> None:
    code = tmp_path / "code.py"
    code.write_text("m = Sequential([Flatten(), Dense(3)])")
    assert main(["import", str(code), "--out", str(tmp_path / "o"), f"--classes={number}"]) == 2
    assert "must be an integer from 2" in capsys.readouterr().err


def test_a_notebook_is_imported_and_another_of_its_networks(tmp_path: Path, capsys: Output) -> None:
    path, out = tmp_path / "net.ipynb", tmp_path / "out.cnn.json"
    cells = [
        "import keras\nfrom keras.layers import *",
        "first = keras.Sequential([Flatten(input_shape=(4, 4, 3)), Dense(9), Dense(3)])",
        "second = keras.Sequential([Flatten(input_shape=(4, 4, 3)), Dense(5)])",
    ]
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": each} for each in cells]}))
    assert main(["import", str(path), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "Networks in the code: first, second" in printed
    assert "cell 3, line 1: another network, “second”" in printed
    assert main(["import", str(path), "--out", str(out), "--network", "second"]) == 0
    assert last_layer(out).units == 5
    capsys.readouterr()
    assert main(["import", str(path), "--out", str(out), "--network", "third"]) == 2
    assert "there is no network “third” in the code; there is first, second" in capsys.readouterr().err
