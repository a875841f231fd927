"""What to expect of few images, measured by cross-validation, and kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cnnstudio.core.paths import datasets_folder
from cnnstudio.core.progress import Cancelled
from cnnstudio.data.dataset import DataError, Dataset
from cnnstudio.insight.curation import expectations
from cnnstudio.insight.curation.expectations import measure_expectations
from cnnstudio.insight.curation.expected_accuracy import (
    Expectation,
    ExpectedAccuracy,
    read_expected,
    write_expected,
)
from tests.training.images import colors

VERSION = "0123456789abcdef"
EXPECTED = ExpectedAccuracy(1_000, 2_400, 5, Expectation(0.724, 0.014), Expectation(0.431, 0.0157))


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path / "home"))


@pytest.fixture
def features(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the pretrained network's: mean colors, which say everything about these images."""

    def of(dataset: Dataset, *arguments: object, **options: object) -> dict[str, np.ndarray]:
        return {"train": dataset.train.images.mean(axis=(2, 3)).astype(np.float32)}

    monkeypatch.setattr(expectations, "pretrained_features", of)
    monkeypatch.setattr(expectations, "_STEPS", 4)


def test_both_are_measured_on_the_training_images_that_are_not_left_out(
    features: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = colors(36, 6)
    labels = dataset.train.labels.copy()
    labels[:6] = -1
    seen: list[tuple[int, int]] = []
    train = expectations._train_fold

    def train_fold(network: object, part: Dataset, *rest: object) -> float:
        seen.append((len(part.train), len(part.test)))
        return train(network, part, *rest)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(expectations, "_train_fold", train_fold)
    found = measure_expectations(dataset, labels, "cpu")
    assert (found.images, found.all_images, found.folds) == (30, 30, 5)
    assert found.pretrained.accuracy > 0.9
    assert 0 <= found.empty.accuracy <= 1
    assert seen == [(24, 6)] * 5


def test_of_many_images_a_part_is_measured_and_a_class_without_two_is_refused(
    features: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expectations, "MAX_IMAGES", 30)
    rows = expectations._choose(np.arange(90) % 3, 0)
    assert np.bincount(np.arange(90)[rows] % 3).tolist() == [10, 10, 10]
    with pytest.raises(DataError, match="two images each"):
        measure_expectations(colors(36, 6), np.array([0] * 35 + [1]), "cpu")
    with pytest.raises(Cancelled):
        measure_expectations(colors(30, 6), device="cpu", cancelled=lambda: True)


def test_the_sentence_says_how_sure_and_of_how_many_images() -> None:
    assert EXPECTED.sentence == (
        "About 72% ± 1 from a new last layer of the pretrained network, about 43% ± 2 from an empty one "
        "(5-fold cross-validation on 1,000 images of your 2,400, ± standard error)."
    )


def test_what_was_measured_is_kept_and_a_damaged_file_is_none() -> None:
    assert read_expected(VERSION) is None
    write_expected(VERSION, EXPECTED)
    assert read_expected(VERSION) == EXPECTED
    path = datasets_folder() / "expected-accuracy" / f"{VERSION}.json"
    content = json.loads(path.read_text())
    for empty in ({"accuracy": 7, "error": 0}, {"accuracy": "x", "error": 0}, {}, None):
        path.write_text(json.dumps(content | {"empty": empty}))
        assert read_expected(VERSION) is None
