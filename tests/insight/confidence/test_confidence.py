"""Calibrated confidence, the threshold that is proposed, and how unlike the training images an image is."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
import torch

from cnnstudio.data.dataset import Split, Subset
from cnnstudio.insight.confidence import references as module
from cnnstudio.insight.confidence.judging import Rule, format_threshold, judge
from cnnstudio.insight.confidence.reference_images import NO_LIMIT, References
from cnnstudio.insight.confidence.references import (
    Description,
    choose_references,
    describe_training,
    last_features,
    search,
    usual_distance,
)
from cnnstudio.insight.confidence.temperature import calibrated, fit_temperature
from cnnstudio.insight.instrument import Subject, finish
from cnnstudio.insight.instruments.calibration import calibrate
from cnnstudio.insight.instruments.nearest import Nearest, NearestReading
from cnnstudio.insight.instruments.not_sure import STEPS, NotSure, NotSureReading
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.training.model import Model, build_model
from tests.training.images import colors
from tests.training.networks import network, tiny

DATA = colors(train=60, test=12)


def result(work: Generator[float, None, Any]) -> Any:
    while True:
        try:
            next(work)
        except StopIteration as ended:
            return ended.value


def softmax(logits: np.ndarray) -> np.ndarray:
    scores = np.exp(logits - logits.max(1, keepdims=True))
    return (scores / scores.sum(1, keepdims=True)).astype(np.float32)


def overconfident(count: int = 2_000, factor: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities whose logits are `factor` times those that the classes were drawn from."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (count, 4))
    labels = np.array([rng.choice(4, p=row / row.sum()) for row in softmax(logits).astype(np.float64)])
    return softmax(factor * logits), labels


@pytest.fixture
def model() -> Model:
    torch.manual_seed(3)
    return build_model(tiny()).eval()


def reading(confidences: list[float], right: list[bool]) -> NotSureReading:
    thresholds = np.arange(STEPS + 1) / STEPS
    values, correct = np.array(confidences), np.array(confidences)[np.array(right)]
    counts = [np.array([(each >= t).sum() for t in thresholds]) for each in (values, correct)]
    return NotSureReading(1.0, *counts, 0.1, 0.1, "validation images")


def test_the_temperature_undoes_what_made_scores_overconfident() -> None:
    probabilities, labels = overconfident()
    found = result(fit_temperature(probabilities, labels))
    assert found == pytest.approx(3.0, rel=0.1)
    is_right = probabilities.argmax(1) == labels
    confident = calibrate(calibrated(probabilities, found).max(1), is_right)
    assert confident.ece < calibrate(probabilities.max(1), is_right).ece / 3


def test_a_temperature_changes_no_prediction_and_1_changes_nothing() -> None:
    probabilities, _ = overconfident(200)
    scaled = calibrated(probabilities, 2.5)
    np.testing.assert_array_equal(scaled.argsort(1), probabilities.argsort(1))
    np.testing.assert_allclose(scaled.sum(1), 1, atol=1e-5)
    assert calibrated(probabilities, 1.0) is probabilities
    assert np.isfinite(calibrated(np.array([[1, 0]], np.float32), 0.05)).all()


def test_where_images_do_not_tell_it_the_temperature_is_1() -> None:
    probabilities, labels = overconfident(200)
    assert result(fit_temperature(probabilities[:20], labels[:20])) == 1.0
    assert result(fit_temperature(probabilities, probabilities.argmax(1))) == 1.0
    assert result(fit_temperature(probabilities, probabilities.argmin(1))) == 1.0
    assert result(fit_temperature(np.ones((200, 1), np.float32), np.zeros(200, np.int64))) == 1.0
    # The more often it is wrong, the flatter it should be, without end.
    wrong = np.where(np.arange(200) < 199, probabilities.argmin(1), probabilities.argmax(1))
    assert result(fit_temperature(probabilities, wrong)) == 1.0


def test_the_proposed_threshold_halves_the_error_rate() -> None:
    found = reading([0.9] * 50 + [0.6] * 30 + [0.3] * 20, [True] * 50 + [True] * 20 + [False] * 30)
    # 30% errors; from 31% on 12.5%.
    assert found.proposed == 0.31
    assert found.coverage(0.31) == 0.8
    assert found.accuracy(0.31) == pytest.approx(70 / 80)
    assert found.accuracy(0.0) == 0.7
    assert found.accuracy(1.0) is None
    assert "80.0% of 100 validation images are answered, 87.5% of those correctly" in found.summary()


def test_the_proposed_threshold_leaves_a_fifth_and_without_mistakes_is_one_half() -> None:
    hopeless = reading([0.9] * 10 + [0.5] * 90, [True, False] * 50)
    assert hopeless.proposed == 0.5
    assert reading([0.9, 0.2], [True, True]).proposed == 0.5


def test_the_proposed_threshold_leaves_twenty_images_of_few() -> None:
    right = [True] * 4 + [False] * 2 + [True] * 9 + [False] * 5 + [True] * 8 + [False] * 2
    found = reading([0.9] * 6 + [0.5] * 14 + [0.3] * 10, right)
    # Nothing halves the 30% of errors. Only six images have more than 0.5.
    assert found.proposed == 0.5


def test_a_reading_that_does_not_add_up_is_refused() -> None:
    sound = reading([0.9, 0.2], [True, False])
    arrays = sound.pack()
    for name, value in (("correct", 3), ("answered", 0)):
        with pytest.raises(ValueError, match="does not count its images"):
            NotSureReading.unpack({**arrays, name: np.full(STEPS + 1, value)})


def test_the_curve_is_that_of_the_images(model: Model) -> None:
    found = finish(NotSure().take(model, Subject(classes=DATA.classes, split=DATA.train)))
    assert isinstance(found, NotSureReading)
    assert found.total == 60
    with torch.inference_mode():
        logits = model(model.normalize(np.ascontiguousarray(DATA.train.images))).numpy()
    confidences = calibrated(softmax(logits), found.temperature).max(1)
    for threshold in (0.0, 0.34, 0.4, 0.5, 1.0):
        assert found.answered[found.place(threshold)] == (confidences >= threshold).sum()
    assert found.correct[0] == (logits.argmax(1) == DATA.train.labels).sum()


def test_an_image_is_not_sure_below_the_threshold_or_too_far_away() -> None:
    probabilities = np.array([[0.8, 0.2], [0.45, 0.55], [0.9, 0.1], [0.55, 0.45]], np.float32)
    rule = Rule(0.62, limit=0.5)
    verdicts = judge(probabilities, rule, np.array([0.1, 0.1, 0.6, 0.6], np.float32))
    assert [each.is_sure for each in verdicts] == [True, False, False, False]
    assert [each.reason for each in verdicts] == [
        "",
        "confidence 55.0% is below 62%",
        "unlike any training image",
        "confidence 55.0% is below 62%, and unlike any training image",
    ]
    assert [each.predicted for each in verdicts] == [0, 1, 0, 0]
    assert all(each.is_sure for each in judge(probabilities, Rule(0.0)))
    assert format_threshold(0.625) == "62.5%"


def test_the_search_finds_the_most_similar_whatever_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(700, 5)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    queries = features[:70]
    expected = np.argsort(-(queries @ features.T), axis=1, kind="stable")[:, :3]
    monkeypatch.setattr(module, "_BLOCK_MACS", 1)
    found = result(search(queries, features, 3))
    np.testing.assert_array_equal(found.at, expected)
    np.testing.assert_allclose(found.similarities[:, 0], 1, atol=1e-6)
    others = result(search(queries, features, 2, own=np.arange(70)))
    np.testing.assert_array_equal(others.at, expected[:, 1:])


def test_the_limit_is_the_distance_of_all_but_a_hundredth() -> None:
    rng = np.random.default_rng(2)
    features = rng.normal(size=(400, 3)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    limit = result(usual_distance(features))
    distances = np.sort(1 - features @ features.T, axis=1)[:, 5]
    assert np.mean(distances > limit) == pytest.approx(0.01, abs=0.005)
    assert result(usual_distance(features[:2])) == NO_LIMIT


def test_the_nearest_training_image_of_a_training_image_is_itself(model: Model) -> None:
    rows = np.arange(10, 40)
    subject = Subject(
        classes=DATA.classes, images=DATA.train.images[[12, 30]], training=Subset(DATA.train, rows)
    )
    found = finish(Nearest().take(model, subject))
    assert isinstance(found, NearestReading)
    assert found.rows[:, 0].tolist() == [12, 30]
    assert found.labels[:, 0].tolist() == DATA.train.labels[[12, 30]].tolist()
    np.testing.assert_array_equal(found.thumbnails[:, 0], DATA.train.images[[12, 30]])
    assert found.rows.shape == (2, 5)
    assert (found.searched, found.total) == (30, 30)
    assert not found.is_unlike.any()


def test_an_image_that_no_training_image_resembles_is_unlike_them(model: Model) -> None:
    features = last_features(model, np.ascontiguousarray(DATA.train.images))
    places = np.arange(len(features))
    far = References(features, places, places, DATA.train.labels, -1.0, len(features))
    subject = Subject(classes=DATA.classes, images=DATA.test.images[:2], training=DATA.train, references=far)
    with pytest.raises(ValueError, match="limit"):
        finish(Nearest().take(model, subject))
    near = References(features, places, places, DATA.train.labels, 0.0, len(features))
    subject = Subject(classes=DATA.classes, images=DATA.test.images[:2], training=DATA.train, references=near)
    found = finish(Nearest().take(model, subject))
    assert isinstance(found, NearestReading)
    assert found.is_unlike.all()
    assert "unlike any training image" in found.summary()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_training_images_are_enough(model: Model, count: int) -> None:
    training = Split(DATA.train.images[:count], DATA.train.labels[:count])
    found = finish(
        Nearest().take(model, Subject(DATA.classes, images=DATA.test.images[:1], training=training))
    )
    assert isinstance(found, NearestReading)
    assert found.rows.shape == (1, max(count - 1, 1))
    assert found.limit == NO_LIMIT or count == 3


def test_describing_goes_on_where_it_was_left(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    described: list[int] = []

    def count(model: Model, pixels: np.ndarray) -> np.ndarray:
        described.append(len(pixels))
        return last_features(model, pixels)

    monkeypatch.setattr(module, "last_features", count)
    description = Description(60)
    begun = describe_training(model, DATA.train, description)
    next(begun)
    begun.close()
    found = result(describe_training(model, DATA.train, description))
    assert sum(described) == 60
    np.testing.assert_allclose(found.features, last_features(model, DATA.train.images), atol=1e-5)


def test_of_expensive_networks_fewer_training_images_are_described() -> None:
    training = Split(np.empty((60_000, 1, 1, 1), np.uint8).transpose(0, 1, 2, 3), np.zeros(60_000, np.int64))
    assert len(choose_references(training, 1)) == 50_000
    assert len(choose_references(training, 10**8)) == 10_000
    assert len(choose_references(training, 10**12)) == 5_000


def test_gray_and_1_by_1_images_have_neighbors() -> None:
    torch.manual_seed(0)
    model = build_model(network(Flatten(), Dense(2), input=Shape.of(1, 1, 1))).eval()
    images = np.arange(20, dtype=np.uint8).reshape(20, 1, 1, 1)
    training = Split(images, np.arange(20, dtype=np.int64) % 2)
    found = finish(Nearest().take(model, Subject(("a", "b"), images=images[:3], training=training)))
    assert isinstance(found, NearestReading)
    assert found.thumbnails.shape == (3, 5, 1, 1, 1)
    assert found.draw().ndim == 3
