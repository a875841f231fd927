"""Labels that features contradict, and what is kept of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cnnstudio.core.paths import datasets_folder
from cnnstudio.data.checks.label_errors import LabelErrors, read_label_errors, write_label_errors
from cnnstudio.insight.curation.pretrained_doubts import EXCLUDED, doubtful_rows, doubts_by_features
from tests.insight.curation.test_linear_probe import blobs

CLASSES = ("cat", "dog", "owl")
WRONG = {"train": [6, 31], "test": [4]}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path / "home"))


def planted() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, list[str]]]:
    """Features and labels by split, three labels of which are wrong, and names."""
    features, labels = blobs(120, distance=8)
    parts = {"train": slice(0, 90), "test": slice(90, 120)}
    by_split = {part: labels[rows].copy() for part, rows in parts.items()}
    for part, rows in WRONG.items():
        by_split[part][rows] = (by_split[part][rows] + 1) % 3
    files = {part: [f"{part}/{row}.png" for row in range(len(each))] for part, each in by_split.items()}
    return {part: features[rows] for part, rows in parts.items()}, by_split, files


def test_planted_errors_of_all_splits_are_found_with_the_right_class_and_neighbors() -> None:
    features, labels, files = planted()
    items = doubts_by_features(features, labels, CLASSES, files)
    assert {(item.split, item.row) for item in items[:3]} == {
        (part, row) for part, rows in WRONG.items() for row in rows
    }
    assert [item.score for item in items] == sorted((item.score for item in items), reverse=True)
    for item in items[:3]:
        right = CLASSES[(CLASSES.index(item.label) - 1) % 3]
        assert item.suggested == right
        assert item.file == files[item.split][item.row]
        assert item.reason.startswith(
            f"Labeled {item.label}, looks like {right}: of the 10 most similar images"
        )
        # One of them may be labeled wrongly, too.
        assert sum(near.label == right for near in item.neighbors) >= 2
        assert all(files[near.split][near.row] == near.file != item.file for near in item.neighbors)


def test_images_that_are_left_out_are_neither_found_nor_neighbors() -> None:
    features, labels, files = planted()
    labels["train"][6] = EXCLUDED
    items = doubts_by_features(features, labels, CLASSES, files)
    assert ("train", 6) not in {(item.split, item.row) for item in items}
    assert ("train", 31) in {(item.split, item.row) for item in items}
    labels["train"][:] = labels["test"][:] = EXCLUDED
    assert doubts_by_features(features, labels, CLASSES, files) == []


def test_no_image_of_a_class_that_is_too_small_is_doubted() -> None:
    probabilities = np.tile(np.float32([0.01, 0.98, 0.01]), (20, 1))
    labels = np.array([0] * 6 + [2] * 4 + [1] * 10)
    assert doubtful_rows(probabilities, labels) == [0, 1, 2, 3, 4, 5]


def test_what_was_found_is_kept_and_a_damaged_file_is_none() -> None:
    features, labels, files = planted()
    found = LabelErrors("0123456789abcdef", tuple(doubts_by_features(features, labels, CLASSES, files)))
    images = "fedcba9876543210"
    assert read_label_errors(images) is None
    write_label_errors(images, found)
    assert read_label_errors(images) == found
    path = datasets_folder() / "label-errors" / f"{images}.json"
    content = json.loads(path.read_text())
    for doubts in ([1], [{"file": "x"}], {"a": 1}, None):
        path.write_text(json.dumps(content | {"doubts": doubts}))
        assert read_label_errors(images) is None
    path.write_text("[]")
    assert read_label_errors(images) is None
    assert read_label_errors("../../etc") is None
