"""`cnnstudio data check`, as text and as JSON."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cnnstudio.cli.main import main
from cnnstudio.data.dataset import Dataset
from cnnstudio.data.versions.review import ReviewItem
from cnnstudio.insight.curation import pretrained_doubts
from cnnstudio.training.pretrained.catalog import PretrainedError

Output = pytest.CaptureFixture[str]


def test_a_check_with_a_run_prints_what_was_found(
    trained: Path, images: Path, tmp_path: Path, capsys: Output
) -> None:
    data = tmp_path / "brightness"
    shutil.copytree(images, data)
    shutil.copy(data / "train" / "bright" / "3.png", data / "test" / "bright" / "copy.png")
    shutil.move(data / "train" / "dark" / "4.png", data / "train" / "bright" / "wrong.png")
    assert main(["data", "check", str(data), "--run", str(trained), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == [
        *("classes", "skipped", "duplicates", "inflated_accuracy", "doubts", "quality", "leaks", "notes")
    ]
    assert found["classes"] == {"bright": 27, "dark": 24}
    assert [each["file"] for each in found["duplicates"]["across_splits"]] == ["test/bright/copy.png"]
    assert found["doubts"][0]["file"] == "train/bright/wrong.png"
    assert (found["doubts"][0]["label"], found["doubts"][0]["suggested"]) == ("bright", "dark")
    assert [each["label"] for each in found["doubts"][0]["neighbors"]] == ["dark"] * 3
    assert {(leak["class"], leak["by"]) for leak in found["leaks"]} >= {("bright", "brightness")}
    assert main(["data", "check", str(data), "--run", str(trained)]) == 0
    text = capsys.readouterr().out
    assert "test/bright/copy.png (test) is the same as train/bright/3.png" in text
    assert "Up to 9.1% of test accuracy may come from images" in text
    assert "train/bright/wrong.png: Labeled bright, looks like dark: of the " in text
    assert "bright: by brightness alone" in text


def test_without_a_run_a_pretrained_network_doubts_labels(
    images: Path, tmp_path: Path, capsys: Output
) -> None:
    data = tmp_path / "brightness"
    shutil.copytree(images, data)
    shutil.move(data / "train" / "dark" / "4.png", data / "train" / "bright" / "wrong.png")
    assert main(["data", "check", str(data), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["notes"] == []
    # Noise may be doubted as well, depending on the last digits of its features.
    assert len(found["doubts"]) <= 3
    (doubt,) = (each for each in found["doubts"] if each["file"] == "train/bright/wrong.png")
    assert (doubt["label"], doubt["suggested"]) == ("bright", "dark")
    assert 0.9 < doubt["score"] <= 1
    assert doubt["reason"].startswith("Labeled bright, looks like dark: of the 6 most similar images, ")


def test_large_sets_and_a_missing_network_are_said_and_asking_makes_them_count(
    images: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def find(dataset: Dataset, *arguments: object, **options: object) -> list[ReviewItem]:
        asked.append(dataset.name)
        raise PretrainedError("The weights are not installed.")

    monkeypatch.setattr(pretrained_doubts, "find_label_errors", find)
    assert main(["data", "check", str(images), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["notes"] == ["Label errors were not looked for. The weights are not installed."]
    assert main(["data", "check", str(images), "--label-errors"]) == 2
    assert "The weights are not installed." in capsys.readouterr().err
    monkeypatch.setattr(pretrained_doubts, "MAX_IMAGES_UNASKED", 49)
    assert len(asked) == 2
    assert main(["data", "check", str(images)]) == 0
    assert "of up to 49 images only" in capsys.readouterr().out
    assert len(asked) == 2
    assert main(["data", "check", str(images), "--label-errors"]) == 2
    assert len(asked) == 3


def test_a_run_on_other_classes_is_refused(
    trained: Path, images: Path, tmp_path: Path, capsys: Output
) -> None:
    data = tmp_path / "other"
    shutil.copytree(images, data)
    for part in ("train", "test"):
        (data / part / "dark").rename(data / part / "black")
    assert main(["data", "check", str(data), "--run", str(trained)]) == 2
    out, err = capsys.readouterr()
    assert "the run has the classes bright, dark, but other has black, bright" in err
    assert out == ""
