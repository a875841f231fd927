"""Commands that do not need torch, and what all commands share: errors, help, exit statuses."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cnnstudio import __version__
from cnnstudio.cli.command import commands
from cnnstudio.cli.main import main
from cnnstudio.data.sources import find_source
from cnnstudio.data.sources.file_source import FileSource
from cnnstudio.data.storage.decoded_cache import cache_key, get_or_create
from cnnstudio.design.file import read_design, write_design
from cnnstudio.design.network import IdGenerator, Network
from cnnstudio.design.templates import template, templates
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.pooling.max_pooling2d import MaxPooling2D
from tests.training.images import colors

Output = pytest.CaptureFixture[str]
START = b'{"format": "cnnstudio.design", "version": 1, "input": '
"""The start of a design file."""


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """A design without its Flatten."""
    ids = IdGenerator()
    path = tmp_path / "faulty.cnn.json"
    write_design(path, Network(Shape.of(3, 32, 32), (ids.node(Conv2D(8)), ids.node(Dense(10))), "Faulty"))
    return path


def json_of(output: Output) -> Any:
    """The one JSON object that was printed."""
    text = output.readouterr().out
    assert text.count("\n") == 1
    return json.loads(text)


def error_line(output: Output) -> str:
    """The only line on standard error; standard output is empty."""
    out, err = output.readouterr()
    assert out == ""
    assert err.startswith("cnnstudio: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


# summary


def test_summary_json_has_the_promised_keys(capsys: Output) -> None:
    assert main(["summary", "lesson-32", "--json"]) == 0
    summary = json_of(capsys)
    assert summary["parameters"] == 315_722
    assert summary["macs"] == sum(layer["macs"] for layer in summary["layers"])
    assert summary["problems"] == []
    first = summary["layers"][0]
    assert {**first, "name": None} == {
        "id": "conv2d_1",
        "type": "Conv2D",
        "name": None,
        "enabled": True,
        "trainable": True,
        "depth": 0,
        "output": [32, 30, 30],
        "parameters": 896,
        "trainable_parameters": 896,
        "macs": 777_600,
        "receptive_field": [3, 3],
        "problem": None,
    }


@pytest.mark.parametrize(("options", "ground"), [([], "#FFFFFF"), (["--dark"], "#1E2126")])
def test_summary_draws_the_network(capsys: Output, tmp_path: Path, options: list[str], ground: str) -> None:
    path = tmp_path / "drawing.svg"
    assert main(["summary", "lesson-32", "--drawing", str(path), *options]) == 0
    assert "315,722 parameters" in capsys.readouterr().out
    text = path.read_text("utf-8")
    assert text.startswith("<svg")
    assert f'fill="{ground}"' in text
    assert "64 × 13 × 13" in text


def test_summary_draws_only_svg_files(capsys: Output, tmp_path: Path) -> None:
    assert main(["summary", "lesson-32", "--drawing", str(tmp_path / "drawing.png")]) == 2
    assert "--drawing: must be a file that ends in .svg" in error_line(capsys)
    assert list(tmp_path.glob("*.png")) == []


def test_summary_of_a_faulty_design_shows_the_problem_and_its_fix_and_exits_with_2(
    faulty: Path, capsys: Output
) -> None:
    assert main(["summary", str(faulty), "--json"]) == 2
    out, err = capsys.readouterr()
    (problem,) = json.loads(out)["problems"]
    assert (
        problem.items()
        >= {
            "layer": "dense_1",
            "message": "Dense takes a flat vector, but gets 8 × 30 × 30 from Conv2D",
            "fix": "insert Flatten before it",
        }.items()
    )
    assert json.loads(out)["layers"][1]["problem"].endswith(": insert Flatten before it")
    assert err.count("\n") == 1


def test_summary_shows_reasons_alternative_fixes_and_advice(capsys: Output, tmp_path: Path) -> None:
    layers = (MaxPooling2D(), MaxPooling2D(), Dense(10))
    ids, path = IdGenerator(), tmp_path / "poor.cnn.json"
    write_design(path, Network(Shape.of(3, 32, 32), tuple(map(ids.node, layers))))
    assert main(["summary", str(path)]) == 2
    out = capsys.readouterr().out
    assert "insert Flatten before it\n    or insert GlobalAveragePooling2D before it\n    Each unit" in out
    assert "\nAdvice\n  MaxPooling2D directly follows MaxPooling2D" in out
    main(["summary", str(path), "--json"])
    found = json_of(capsys)
    assert found["problems"][0]["fixes"] == [
        "insert Flatten before it",
        "insert GlobalAveragePooling2D before it",
    ]
    assert found["problems"][0]["why"].endswith(".")
    assert [advice["key"] for advice in found["advice"]] == ["pooling-twice:max_pooling2d_2"]


def test_summary_compares_two_designs(capsys: Output) -> None:
    assert main(["summary", "lesson-32", "--compare", "lesson-64"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "Images: 3 × 32 × 32 → 3 × 64 × 64" in lines
    assert main(["summary", "lesson-32", "--compare", "lesson-32", "--json"]) == 0
    assert json_of(capsys)["same"]
    assert main(["summary", "lesson-32", "--compare", "lenet-5", "--json"]) == 0
    found = json_of(capsys)
    assert found["parameters"][0] == 315_722
    assert {entry["status"] for entry in found["entries"]} <= {"added", "removed", "changed", "moved"}
    assert found["lines"][: len(found["entries"])] == [entry["text"] for entry in found["entries"]]
    assert main(["summary", "lesson-32", "--compare", "nothing"]) == 2


def test_the_columns_of_the_summary_are_aligned(capsys: Output) -> None:
    assert main(["summary", "lesson-32"]) == 0
    lines = capsys.readouterr().out.splitlines()
    numbers = [line for line in lines if line.startswith(("Conv2D", "Dense", "Max", "Flatten"))]
    assert len({len(line) for line in numbers}) == 1
    assert "7 layers · 315,722 parameters · 4.2 M multiply-adds per image" in lines


def test_summary_shows_layers_in_groups_and_disabled_layers(capsys: Output, tmp_path: Path) -> None:
    inside = [{"type": "Dropout", "enabled": False}, {"type": "Activation"}]
    content = {
        "format": "cnnstudio.design",
        "version": 1,
        "input": [1, 8, 8],
        "layers": [{"type": "Repeat", "times": 3, "layers": inside}, {"type": "Flatten"}],
    }
    path = tmp_path / "nested.cnn.json"
    path.write_text(json.dumps(content))
    assert main(["summary", str(path)]) == 0
    out = capsys.readouterr().out
    assert "\n  Dropout" in out
    assert "(disabled)" in out


# template


def test_every_template_is_listed_and_can_be_written_and_read(capsys: Output, tmp_path: Path) -> None:
    assert main(["template", "list", "--json"]) == 0
    names = [entry["name"] for entry in json_of(capsys)["templates"]]
    assert names == list(templates())
    for name in names:
        path = tmp_path / "new folder" / f"{name}.cnn.json"
        assert main(["template", "write", name, "--out", str(path)]) == 0
        assert read_design(path) == template(name).network


def test_an_unknown_template_is_refused_with_the_list_of_templates(capsys: Output, tmp_path: Path) -> None:
    assert main(["template", "write", "alexnet", "--out", str(tmp_path / "a.cnn.json")]) == 2
    assert "lesson-32" in error_line(capsys)
    assert list(tmp_path.iterdir()) == []


def test_a_template_is_not_written_to_a_folder(capsys: Output, tmp_path: Path) -> None:
    assert main(["template", "write", "lenet-5", "--out", str(tmp_path)]) == 2
    assert "is a folder" in error_line(capsys)


def test_a_path_that_cannot_be_written_is_named(capsys: Output, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    path = tmp_path / "file" / "a.cnn.json"
    assert main(["template", "write", "lenet-5", "--out", str(path)]) == 2
    assert str(path) in error_line(capsys)


# data


def test_data_list_shows_the_data_sets_and_their_folder(capsys: Output, home: Path) -> None:
    assert main(["data", "list", "--json"]) == 0
    listing = json_of(capsys)
    assert [(entry["name"], entry["available"]) for entry in listing["datasets"]] == [
        ("cifar10", False),
        ("cifar100", False),
        ("fashion_mnist", False),
        ("mnist", False),
        ("shapes", True),
        ("shapes-easy", True),
        ("shapes-hard", True),
        ("stl10", False),
    ]
    assert all(entry["license"] for entry in listing["datasets"] if entry["can_download"])
    assert listing["folder"] == str(home / "datasets")
    assert main(["data", "list"]) == 0
    assert "not downloaded" in capsys.readouterr().out


def test_data_clear_deletes_the_copies_that_data_list_counts(capsys: Output) -> None:
    get_or_create("here", "key", lambda writer: writer.write(colors()))
    assert main(["data", "list", "--json"]) == 0
    size = json_of(capsys)["decoded_bytes"]
    assert size > 144 * 3 * 8 * 8
    assert main(["data", "list"]) == 0
    assert "cnnstudio data clear" in capsys.readouterr().out
    assert main(["data", "clear", "--json"]) == 0
    assert json_of(capsys) == {"freed_bytes": size, "decoded_bytes": 0}
    assert main(["data", "clear"]) == 0
    assert capsys.readouterr().out == "Deleted 0 B of decoded images.\n"
    assert main(["data", "list"]) == 0
    assert "data clear" not in capsys.readouterr().out


def test_data_add_adds_a_folder_and_data_info_describes_it(capsys: Output, tmp_path: Path) -> None:
    assert main(["data", "add", str(two_of_each(tmp_path / "pets")), "--json"]) == 0
    assert json_of(capsys)["classes"] == ["cat", "dog"]
    assert main(["data", "info", "pets"]) == 0
    out = capsys.readouterr().out
    assert "2: cat (2), dog (2)" in out
    assert "20.0% of each class, held out from the training images" in out


def test_sizes_of_images_are_all_said_in_the_same_order(capsys: Output, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in (1, 3):
            Image.new("RGB", (8, 6)).save(tmp_path / "pets" / name / f"{number}.png")
    assert main(["data", "add", str(tmp_path / "pets"), "--size", "12x20"]) == 0
    out = capsys.readouterr().out
    assert "6 × 8 (height × width)" in out
    assert "12 × 20 (height × width), as chosen" in out
    Image.new("RGB", (16, 10)).save(tmp_path / "pets" / "cat" / "2.png")
    assert main(["data", "info", "pets"]) == 0
    assert "from 6 × 8 to 10 × 16, most often 6 × 8 (height × width)" in capsys.readouterr().out
    assert main(["data", "add", str(tmp_path / "pets"), "--size", "0"]) == 2
    assert "--size: must be an integer from 1 to 1,024, HEIGHTxWIDTH or auto" in capsys.readouterr().err


def test_images_without_classes_come_with_the_command_that_classifies_them(
    capsys: Output, tmp_path: Path
) -> None:
    for name in ("train/cat/1.png", "train/cat/2.png", "train/dog/1.png", "train/dog/2.png", "test/1.png"):
        path = tmp_path / "my pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path)
    assert main(["data", "add", str(tmp_path / "my pets")]) == 0
    noted = capsys.readouterr().err
    assert f"cnnstudio predict RUN '{tmp_path / 'my pets' / 'test'}' --out FILE.csv" in noted
    assert main(["data", "info", "my pets", "--json"]) == 0
    assert json_of(capsys)["unlabeled"] == [str(tmp_path / "my pets" / "test")]


def test_data_add_says_that_a_class_has_only_damaged_images(capsys: Output, tmp_path: Path) -> None:
    """Their headers tell nothing of it."""
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(3):
            Image.effect_noise((40, 40), 50).save(tmp_path / "pets" / name / f"{number}.jpg")
    for path in (tmp_path / "pets" / "dog").iterdir():
        path.write_bytes(path.read_bytes()[:600])
    reason = "None of the training images of class dog in pets can be read."
    assert main(["data", "add", str(tmp_path / "pets")]) == 2
    out, err = capsys.readouterr()
    assert err.splitlines()[-1] == f"cnnstudio: pets was added, but cannot be used yet: {reason}"
    assert "ready" not in out
    assert main(["data", "add", str(tmp_path / "pets"), "--json"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["problem"] == reason
    assert err == f"cnnstudio: pets was added, but cannot be used yet: {reason}\n"
    assert main(["data", "info", "pets", "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert (about["available"], about["problem"], about["unreadable"]) == (False, reason, 3)


def test_scripts_are_told_by_the_status_that_a_data_set_cannot_be_used(
    capsys: Output, tmp_path: Path
) -> None:
    pets = two_of_each(tmp_path / "pets")
    assert main(["data", "add", str(pets), "--json"]) == 0
    shutil.rmtree(pets)
    for action in ("list", "info"):
        assert main(["data", action, *(["pets"] if action == "info" else [])]) == 0, "what only looks"
    for action in ("download", "check", "label"):
        capsys.readouterr()
        options = ["--set", "cat/1.png=dog"] if action == "label" else []
        assert main(["data", action, "pets", *options]) == 2, action
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("cnnstudio: ")
        assert "pets" in line
    assert main(["data", "remove", "pets"]) == 0


def two_of_each(folder: Path) -> Path:
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number in (1, 2):
            Image.new("RGB", (8, 8)).save(folder / name / f"{number}.png")
    return folder


def test_data_add_says_what_a_table_was_understood_to_be(capsys: Output, tmp_path: Path) -> None:
    for number in range(8):
        Image.new("RGB", (8 + number, 8), (number, 0, 0)).save(tmp_path / f"{number}.png")
    (tmp_path / "7.png").write_bytes(b"no image")
    lines = [f"{number}.png,{'cat' if number % 2 else 'dog'}" for number in range(8)]
    (tmp_path / "pets.csv").write_text("\n".join(["file,label", *lines, "gone.png,cat"]))
    assert main(["data", "add", str(tmp_path / "pets.csv"), "--name", "animals"]) == 0
    out, err = capsys.readouterr()
    assert "2: cat (3), dog (4)" in out
    assert "from 8 × 8 to 8 × 14" in out
    assert "1 file, not counted: 7.png (cannot be read as an image" in out
    assert "gone.png" in err
    assert main(["data", "info", "animals", "--json"]) == 0
    found = json_of(capsys)
    assert (found["counts"], found["unreadable"]) == ({"cat": 3, "dog": 4}, 1)
    assert found["skipped"][0]["file"] == "7.png"


def test_labels_are_corrected_and_the_change_is_undone(capsys: Output, tmp_path: Path) -> None:
    for number in range(12):
        path = tmp_path / "pets" / ("cat" if number < 6 else "dog") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(path)
    pets = str(tmp_path / "pets")
    assert main(["data", "add", pets]) == 0
    assert main(["data", "label", "pets", "--set", "cat/1.png=dog", "--exclude", "dog/7.png"]) == 0
    assert "pets has 2 corrections. Your files are as they were." in capsys.readouterr().out
    assert main(["data", "label", "pets", "--json"]) == 0
    found = json_of(capsys)
    assert (found["labels"], found["excluded"]) == ({"cat/1.png": "dog"}, ["dog/7.png"])
    assert main(["data", "info", "pets", "--json"]) == 0
    assert json_of(capsys)["counts"] == {"cat": 5, "dog": 6}
    assert main(["data", "label", "pets", "--undo"]) == 0
    assert "has no corrections" in capsys.readouterr().out
    assert main(["data", "label", "pets", "--undo", "--exclude", "cat/1.png"]) == 2
    assert "--undo" in error_line(capsys)
    assert main(["data", "label", "pets", "--set", "cat/1.png"]) == 2
    assert "--set takes FILE=CLASS" in error_line(capsys)
    assert main(["data", "label", "shapes", "--exclude", "x"]) == 2
    assert "no files of yours" in error_line(capsys)


def test_a_class_may_have_an_equals_sign_in_its_name(capsys: Output, tmp_path: Path) -> None:
    for name in ("a=b/1=2.png", "a=b/3.png", "a=b/5.png", "c/1.png", "c/2.png"):
        path = tmp_path / "sums" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path)
    changes = ["c/1.png=a=b", "a=b/1=2.png=c"]
    assert main(["data", "label", str(tmp_path / "sums"), "--json", "--set", *changes]) == 0
    assert json_of(capsys)["labels"] == {"c/1.png": "a=b", "a=b/1=2.png": "c"}


def test_a_removed_set_is_off_the_list_with_all_its_copies(
    capsys: Output, tmp_path: Path, home: Path
) -> None:
    for number in range(8):
        path = tmp_path / "pets" / ("cat" if number < 4 else "dog") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(path)
    assert main(["data", "add", str(tmp_path / "pets"), "--json"]) == 0
    source = find_source("pets")
    assert isinstance(source, FileSource)
    source.load()
    get_or_create(cache_key("corrected", str(source.path)), "key", lambda writer: writer.write(colors()))
    assert main(["data", "remove", "pets"]) == 0
    assert "pets was removed from the list. Your files are as they were." in capsys.readouterr().out
    assert not list((home / "datasets" / "decoded").rglob("*.pixels"))
    assert len(list((tmp_path / "pets").rglob("*.png"))) == 8
    assert main(["data", "remove", str(tmp_path / "pets")]) == 2
    assert "is not in the list" in error_line(capsys)


def test_an_empty_argument_is_not_the_current_folder(capsys: Output) -> None:
    assert main(["data", "add", ""]) == 2
    assert "it is empty" in error_line(capsys)


def test_data_info_does_not_count_unreadable_files(capsys: Output, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "pets" / name / "1.png")
    whole = (tmp_path / "pets" / "cat" / "1.png").read_bytes()
    (tmp_path / "pets" / "cat" / "2.png").write_bytes(whole[:-35])
    (tmp_path / "pets" / "cat" / "3.png").write_bytes(b"no image")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pets" / "dog" / "4.png")
    assert main(["data", "info", str(tmp_path / "pets"), "--json"]) == 0
    found = json_of(capsys)
    assert (found["train"], found["unreadable"]) == (2, 3 if hasattr(os, "mkfifo") else 2)
    assert main(["data", "info", str(tmp_path / "pets")]) == 0
    assert "files, not counted" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no names that are not Unicode")
@pytest.mark.parametrize("name", [b"my pets", b"pets\xff", b"it's", b"$(pets)"])
def test_the_printed_name_of_a_data_set_can_be_pasted(capsys: Output, tmp_path: Path, name: bytes) -> None:
    folder = tmp_path / os.fsdecode(name)
    for each in ("cat", os.fsdecode(b"dog\xe9")):
        (folder / each).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (8, 8)).save(folder / each / f"{number}.png")
    assert main(["data", "add", str(folder)]) == 0
    printed = capsys.readouterr().out.encode("utf-8", "backslashreplace").decode()
    pasted = shlex.split(printed.partition("To train on it: ")[2])[-1]
    assert main(["data", "info", pasted, "--json"]) == 0
    assert os.fsencode(json_of(capsys)["folder"]) == os.fsencode(folder)
    assert main(["data", "list", "--json"]) == 0
    assert os.fsdecode(name) in [entry["name"] for entry in json_of(capsys)["datasets"]]


def test_data_add_of_an_empty_folder_shows_the_expected_structure(capsys: Output, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["data", "add", str(tmp_path / "empty")]) == 2
    assert "train/<class>/" in error_line(capsys)


def test_data_info_of_an_unknown_data_set_lists_the_known_ones(capsys: Output) -> None:
    assert main(["data", "info", "mnisst"]) == 2
    assert "cifar10, cifar100" in error_line(capsys)


def test_a_wrong_archive_is_refused(capsys: Output, tmp_path: Path) -> None:
    archive = tmp_path / "wrong.tar.gz"
    archive.write_bytes(b"x")
    assert main(["data", "download", "cifar10", "--archive", str(archive)]) == 2
    assert "is not the whole archive of CIFAR-10" in error_line(capsys)


def test_downloading_an_available_data_set_is_not_an_error(capsys: Output) -> None:
    assert main(["data", "download", "shapes"]) == 0
    assert "is ready" in capsys.readouterr().out


# Errors


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["frobnicate"], "there is no command or file “frobnicate”"),
        (["summary"], "required: DESIGN"),
        (["summary", "nothing.cnn.json"], "there is no file or template “nothing.cnn.json”"),
        (["summary", "lesson-32", "--jsno"], "unrecognized arguments: --jsno"),
        (["template"], "COMMAND"),
        (["template", "delete"], "invalid choice: 'delete'"),
        (["gui", "nothing.cnn.json"], "there is no design or run “nothing.cnn.json”"),
        (["nothing.cnn.json"], "there is no design or run “nothing.cnn.json”"),
    ],
)
def test_an_invalid_command_line_prints_one_line_and_exits_with_2(
    arguments: list[str], expected: str, capsys: Output
) -> None:
    assert main(arguments) == 2
    assert expected in error_line(capsys)


@pytest.mark.parametrize(
    "arguments",
    [
        ["summary", "LONG"],
        ["LONG/design.json"],
        ["gui", "LONG"],
        ["train", "lesson-32", "--data", "LONG"],
        ["train", "lesson-32", "--data", "shapes", "--run", "LONG"],
        ["train", "lesson-32", "--data", "~nobody-of-this-name"],
        ["train", "lesson-32", "--recipe", "LONG"],
        ["train", "lesson-32", "--run", "LONG", "--resume"],
        ["evaluate", "LONG"],
        ["predict", "LONG", "a.png"],
        ["export", "LONG", "--format", "onnx", "--out", "model"],
        ["runs", "show", "LONG"],
        ["data", "info", "LONG"],
        ["data", "add", "LONG"],
        ["data", "download", "cifar10", "--archive", "LONG"],
        ["template", "write", "lenet-5", "--out", "LONG"],
    ],
    ids=" ".join,
)
def test_an_impossible_file_name_is_invalid_input(
    arguments: list[str], capsys: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([word.replace("LONG", "x" * 300) for word in arguments]) == 2
    error_line(capsys)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\xff", "so it is not a design"),
        (START + b"[3, 32", "line 1, column"),
        (START + b'[3, 8, 8], "layers": [{"type": "Conv3D"}]}', "Conv2D?"),
        (START + b'[3, 8, 8], "layers": [{"type": "Dense", "units": 1e99}]}', "layers[0].units"),
        (b"[" * 100_000, "brackets"),
    ],
)
def test_a_damaged_design_is_named_with_the_location(
    content: bytes, expected: str, capsys: Output, tmp_path: Path
) -> None:
    path = tmp_path / "damaged.cnn.json"
    path.write_bytes(content)
    assert main(["summary", str(path)]) == 2
    message = error_line(capsys)
    assert "damaged.cnn.json" in message
    assert expected in message


def test_a_folder_is_not_a_design(capsys: Output, tmp_path: Path) -> None:
    assert main(["summary", str(tmp_path)]) == 2
    assert "is a folder" in error_line(capsys)


def test_ctrl_c_exits_with_130(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(options: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands()["summary"], "run", interrupted)
    assert main(["summary", "lesson-32"]) == 130
    assert error_line(capsys) == "cnnstudio: stopped\n"


def run_failing_command(home: Path) -> subprocess.CompletedProcess[str]:
    """Runs a command that raises an unexpected exception."""
    code = (
        "import sys; from cnnstudio.cli.command import commands; from cnnstudio.cli.main import main\n"
        "commands()['summary'].run = lambda options: {}['no such key']\n"
        "sys.exit(main(['summary', 'lenet-5']))"
    )
    return run("-c", code, CNNSTUDIO_HOME=str(home))


def test_an_unexpected_exception_prints_one_line_and_the_traceback_is_in_the_log(home: Path) -> None:
    done = run_failing_command(home)
    assert done.returncode == 1
    assert done.stderr == (
        "cnnstudio: Stopped by an unexpected error: KeyError: 'no such key'. "
        f"See {home / 'cnnstudio.log'} for details.\n"
    )
    assert "Traceback" in (home / "cnnstudio.log").read_text()


def test_an_unexpected_exception_prints_one_line_without_a_log_too(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = run_failing_command(tmp_path / "file" / "home")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.endswith("'no such key'.\n")


# Help


def test_help_and_version_exit_with_0(capsys: Output) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"cnnstudio {__version__}\n"
    assert main(["--help"]) == 0
    overview = capsys.readouterr().out
    for name in commands():
        assert f"    {name} " in overview
        assert main([name, "--help"]) == 0
        assert "examples:" in capsys.readouterr().out


# In other processes


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name not in environment or environment[name]}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=env | environment, timeout=240
    )


def test_commands_that_do_not_need_torch_do_not_import_it() -> None:
    code = (
        "import sys; from cnnstudio.cli.main import main\n"
        "for line in sys.argv[1:]:\n"
        "    main(line.split())\n"
        "    assert not {'torch', 'PySide6'} & set(sys.modules), line"
    )
    done = run("-c", code, "summary lesson-32", "template list", "data list", "summary nothing", "--help")
    assert done.returncode == 0, done.stderr


def test_a_closed_pipe_is_not_an_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m cnnstudio template list --json | true"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.stderr == ""


def test_characters_that_the_terminal_lacks_are_escaped() -> None:
    done = run("-m", "cnnstudio", "summary", "lesson-32", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0
    assert "3 \\xd7 32 \\xd7 32" in done.stdout
