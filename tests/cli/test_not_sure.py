"""`predict` with “not sure” and the nearest training images, and what is kept of it."""

from __future__ import annotations

import csv
import json
import re
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnstudio.cli.main import main
from cnnstudio.core.files import read_json, write_json
from cnnstudio.insight.instruments.not_sure import NotSureReading
from cnnstudio.runs.epochs.inspection import resolve_epoch
from cnnstudio.runs.epochs.kept_readings import find_reading, readings_folder
from cnnstudio.runs.epochs.run_images import load_run_images
from cnnstudio.runs.epochs.thresholds import choose_threshold, chosen_threshold, thresholds_file
from cnnstudio.runs.run import Run
from cnnstudio.training.frozen.store import features_folder

Output = pytest.CaptureFixture[str]
OLD_KEYS = {"image", "class", "probability", "probabilities"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def image(images: Path) -> Path:
    return images / "test" / "bright" / "0.png"


def predict(output: Output, *arguments: object) -> dict[str, Any]:
    output.readouterr()
    assert main(["predict", *map(str, arguments), "--json", "--device", "cpu", "--threads", "1"]) == 0
    found: dict[str, Any] = json.loads(output.readouterr().out)
    return found


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_without_options_nothing_is_added_and_nothing_kept(
    trained: Path, image: Path, capsys: Output
) -> None:
    found = predict(capsys, trained, image)
    assert set(found) == {"run", "predictions"}
    assert set(found["predictions"][0]) == OLD_KEYS
    assert not readings_folder().exists()


def test_it_says_how_sure_it_is_and_why_not(trained: Path, image: Path, capsys: Output) -> None:
    before = files(trained)
    sure = predict(capsys, trained, image, "--threshold", "0")
    entry = sure["predictions"][0]
    assert entry["answer"] == entry["class"] == "bright"
    assert (entry["not_sure"], entry["reason"]) == (False, None)
    unsure = predict(capsys, trained, image, "--threshold", "1")
    entry = unsure["predictions"][0]
    assert (entry["answer"], entry["class"], entry["not_sure"]) == (None, "bright", True)
    assert entry["reason"] == f"confidence {100 * entry['confidence']:.1f}% is below 100%"
    assert unsure["not_sure"]["images"] == "10 test images"
    assert unsure["not_sure"]["distance_limit"] > 0
    assert files(trained) == before


def test_in_words_and_as_a_table(trained: Path, image: Path, tmp_path: Path, capsys: Output) -> None:
    arguments = ["predict", str(trained), str(image), "--threshold", "1", "--device", "cpu"]
    assert main([*arguments, "--nearest", "2"]) == 0
    first, *similar = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{image}: not sure (bright ")
    assert first.endswith("is below 100%")
    assert [line.split(" similar: train/bright/")[0].startswith("  0.9") for line in similar] == [True, True]
    target = tmp_path / "out.csv"
    assert main([*arguments, "--out", str(target)]) == 0
    assert "most often not sure (1)" in capsys.readouterr().out
    head, row = csv.reader(target.read_text().splitlines())
    assert head == ["file", "label", "probability", "bright", "dark", "answer", "confidence", "reason"]
    assert (row[1], row[5]) == ("bright", "not sure")


def test_the_nearest_training_images_are_named_with_their_classes(
    trained: Path, images: Path, capsys: Output
) -> None:
    own = images / "train" / "dark" / "7.png"
    entry = predict(capsys, trained, own, "--nearest", 3)["predictions"][0]
    assert set(entry) == OLD_KEYS | {"nearest"}
    assert len(entry["nearest"]) == 3
    assert entry["nearest"][0] == {
        "file": "train/dark/7.png",
        "index": entry["nearest"][0]["index"],
        "class": "dark",
        "similarity": pytest.approx(1, abs=1e-5),
    }
    assert {each["class"] for each in entry["nearest"]} == {"dark"}


def test_the_files_are_looked_for_once_for_all_images(
    trained: Path, images: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    loads: list[object] = []

    def load(*arguments: Any) -> Any:
        loads.append(arguments)
        return load_run_images(*arguments)

    monkeypatch.setattr("cnnstudio.runs.epochs.run_images.load_run_images", load)
    monkeypatch.setattr("cnnstudio.runs.predicting._BATCH", 1)
    folder = images / "train" / "dark"
    found = predict(capsys, trained, folder, "--nearest", 1)["predictions"]
    assert [each["nearest"][0]["file"] for each in found] == [
        f"train/dark/{Path(each['image']).name}" for each in found
    ]
    assert len(found) > len(loads) <= 2


def test_what_was_computed_is_kept_and_serves_when_the_images_are_gone(
    trained: Path, images: Path, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    run, data = tmp_path / "run", tmp_path / "data"
    shutil.copytree(trained, run)
    shutil.copytree(images, data)
    metadata = read_json(run / "run.json")
    metadata["data"]["source"] = str(data)
    write_json(run / "run.json", metadata)
    first = predict(capsys, run, image, "--not-sure")
    assert len(list(features_folder().iterdir())) == 1
    monkeypatch.setattr("cnnstudio.insight.confidence.references.usual_distance", None)
    assert predict(capsys, run, image, "--not-sure") == first
    shutil.rmtree(data)
    again = predict(capsys, run, image, "--not-sure")
    assert again["predictions"] == first["predictions"]
    assert main(["predict", str(run), str(image), "--not-sure", "--device", "cpu"]) == 0
    assert "Note: Images are not compared with the training images. " in capsys.readouterr().err
    assert main(["predict", str(run), str(image), "--nearest", "1", "--device", "cpu"]) == 2
    assert capsys.readouterr().err.startswith("cnnstudio: --nearest: ")


def test_without_images_and_without_what_was_kept_a_threshold_is_needed(
    trained: Path, image: Path, tmp_path: Path, capsys: Output
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    metadata = read_json(run / "run.json")
    metadata["data"]["source"] = str(tmp_path / "gone")
    write_json(run / "run.json", metadata)
    assert main(["predict", str(run), str(image), "--not-sure", "--device", "cpu"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("cnnstudio: --not-sure: ")
    assert error.endswith("Set a --threshold to go without.\n")
    entry = predict(capsys, run, image, "--threshold", "0.2")["predictions"][0]
    assert entry["confidence"] == pytest.approx(entry["probability"])


def test_changed_images_are_not_compared_with(
    trained: Path, images: Path, image: Path, tmp_path: Path, capsys: Output
) -> None:
    run, data = tmp_path / "run", tmp_path / "data"
    shutil.copytree(trained, run)
    shutil.copytree(images, data)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(data / "train" / "dark" / "0.png")
    metadata = read_json(run / "run.json")
    metadata["data"]["source"] = str(data)
    write_json(run / "run.json", metadata)
    assert main(["predict", str(run), str(image), "--not-sure", "--device", "cpu"]) == 2
    assert "have changed since the run was trained on them" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["62", "-0.1", "nan", "much"])
def test_a_threshold_that_is_none_is_refused(trained: Path, image: Path, value: str, capsys: Output) -> None:
    assert main(["predict", str(trained), str(image), f"--threshold={value}"]) == 2
    assert re.search("must be (a number from 0 to 1|between 0 and 1), got", capsys.readouterr().err)


def test_the_chosen_threshold_is_remembered_for_that_run_alone(
    trained: Path, image: Path, capsys: Output
) -> None:
    run = Run.open(trained)
    proposed = predict(capsys, trained, image, "--not-sure")["not_sure"]["threshold"]
    assert chosen_threshold(run.folder, run.created) is None
    choose_threshold(run.folder, run.created, 0.77)
    choose_threshold(Path("other"), None, 0.5)
    assert predict(capsys, trained, image, "--not-sure")["not_sure"]["threshold"] == 0.77
    # Another run in the same folder.
    assert chosen_threshold(run.folder, datetime(2020, 1, 1).astimezone()) is None
    choose_threshold(run.folder, run.created, None)
    assert predict(capsys, trained, image, "--not-sure")["not_sure"]["threshold"] == proposed
    assert chosen_threshold(Path("other"), None) == 0.5


@pytest.mark.parametrize(
    "content", ["", "[]", '{"thresholds": [1, {"run": "x"}, {"run": 1, "created": "", "threshold": 0.5}]}']
)
def test_a_damaged_file_of_thresholds_counts_as_empty(content: str, tmp_path: Path) -> None:
    thresholds_file().parent.mkdir(parents=True)
    thresholds_file().write_text(content)
    assert chosen_threshold(tmp_path, None) is None
    choose_threshold(tmp_path, None, 0.25)
    assert chosen_threshold(tmp_path, None) == 0.25


def test_a_damaged_kept_reading_is_computed_again(trained: Path, image: Path, capsys: Output) -> None:
    first = predict(capsys, trained, image, "--not-sure")
    (kept,) = readings_folder().iterdir()
    run = Run.open(trained)
    epoch = resolve_epoch(run)
    assert isinstance(find_reading(run, epoch, "not_sure", "validation"), NotSureReading)
    assert find_reading(run, epoch + 1, "not_sure", "validation") is None
    assert find_reading(run, epoch, "not_sure", "validation", "other images") is None
    kept.write_bytes(kept.read_bytes()[:100])
    assert find_reading(run, epoch, "not_sure", "validation") is None
    assert predict(capsys, trained, image, "--not-sure") == first


def test_inspect_prints_the_same(trained: Path, image: Path, capsys: Output) -> None:
    arguments = ["inspect", str(trained), "--json", "--device", "cpu", "--instrument"]
    assert main([*arguments, "not_sure"]) == 0
    data = json.loads(capsys.readouterr().out)["data"]
    assert data["threshold"] == predict(capsys, trained, image, "--not-sure")["not_sure"]["threshold"]
    assert main([*arguments, "nearest", "--image", str(image)]) == 0
    assert json.loads(capsys.readouterr().out)["data"]["labels"]["values"] == [[0] * 5]
