"""The map of images by last features: its plane, which images are on it, and how it is turned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cnnstudio.data.dataset import Split
from cnnstudio.insight.curation.features import describe_images
from cnnstudio.insight.instrument import Subject, finish
from cnnstudio.insight.instruments import embedding
from cnnstudio.insight.instruments.embedding import Embedding, EmbeddingReading, choose_rows, thumbnails
from cnnstudio.insight.projection import principal_plane, turned_to
from cnnstudio.training.model import Model, build_model
from tests.training.images import colors
from tests.training.networks import tiny

DATA = colors(test=40)
SUBJECT = Subject(classes=DATA.classes, split=DATA.test)


def take(model: Model, subject: Subject = SUBJECT) -> EmbeddingReading:
    reading = finish(Embedding().take(model, subject))
    assert isinstance(reading, EmbeddingReading)
    return reading


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(3)
    return build_model(tiny()).eval()


def plane(features: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    rounds = principal_plane(features.astype(np.float32))
    fractions = []
    while True:
        try:
            fractions.append(next(rounds))
        except StopIteration as ended:
            assert fractions == sorted(fractions)
            found, explained = ended.value
            return found, explained


@pytest.mark.parametrize(
    ("count", "dims", "rank"),
    [(300, 40, 40), (40, 300, 40), (50, 3, 3), (50, 2, 2), (60, 30, 2), (60, 30, 1), (50, 1, 1), (2, 5, 1)],
)
def test_the_plane_is_that_of_a_complete_decomposition(count: int, dims: int, rank: int) -> None:
    rng = np.random.default_rng(count + dims)
    features = (rng.normal(size=(count, rank)) @ rng.normal(size=(rank, dims)) + 5).astype(np.float32)
    centered = features.astype(np.float64) - features.mean(0, dtype=np.float64)
    left, strength, right = np.linalg.svd(centered, full_matrices=False)
    expected = np.zeros((count, 2))
    for axis in range(min(2, rank, len(strength))):
        sign = np.sign(right[axis, np.abs(right[axis]).argmax()])
        expected[:, axis] = left[:, axis] * strength[axis] * sign
    found, explained = plane(features)
    np.testing.assert_allclose(found, expected, atol=1e-4 * strength[0])
    shares = [*(strength[:2] ** 2 / (strength**2).sum()), 0.0]
    np.testing.assert_allclose(explained, shares[:2], atol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_equal_images_are_one_point(count: int) -> None:
    found, explained = plane(np.full((count, 6), 0.3))
    assert (found == 0).all()
    assert found.shape == (count, 2)
    assert explained == (0.0, 0.0)


def test_a_map_is_turned_and_mirrored_to_match_another_without_being_distorted() -> None:
    rng = np.random.default_rng(0)
    reference = (rng.normal(size=(50, 2)) * (3, 1)).astype(np.float32)
    reference -= reference.mean(0)
    angle = 2.1
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (reference @ turn * (1, -1)).astype(np.float32)
    np.testing.assert_allclose(turned_to(moved, reference), reference, atol=1e-5)
    noisy = moved + rng.normal(size=moved.shape).astype(np.float32) * 0.1
    turned = turned_to(noisy, reference)
    np.testing.assert_allclose(np.hypot(*turned.T), np.hypot(*noisy.T), rtol=1e-5)
    assert np.abs(turned - reference).max() < 0.5


def test_the_features_and_predictions_are_those_of_the_images(model: Model) -> None:
    reading = take(model)
    described = describe_images(model, DATA.test, False, "")
    assert (reading.index == np.arange(40)).all()
    assert (reading.truth == DATA.test.labels).all()
    assert (reading.predicted == described.probabilities.argmax(1)).all()
    np.testing.assert_allclose(reading.confidence, described.probabilities.max(1), rtol=1e-5)
    expected = plane(described.features)[0]
    np.testing.assert_allclose(reading.points, turned_to(expected, reading.points), atol=1e-4)
    assert (reading.thumbnails == DATA.test.images).all()


def test_a_reference_turns_the_map(model: Model) -> None:
    own = take(model)
    turned = replace(own, points=np.ascontiguousarray(own.points[:, ::-1] * np.float32(-1)))
    np.testing.assert_allclose(
        take(model, replace(SUBJECT, reference=turned)).points, turned.points, atol=1e-5
    )
    other = replace(turned, index=turned.index + 7)
    np.testing.assert_allclose(take(model, replace(SUBJECT, reference=other)).points, own.points, atol=1e-5)


def test_of_many_images_each_class_gives_its_share_and_always_the_same_ones(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    np.random.default_rng(1).shuffle(labels)
    rows = choose_rows(labels, 100)
    assert len(np.unique(rows)) == 100
    assert (np.diff(rows) > 0).all()
    assert np.abs(np.bincount(labels[rows]) - [60, 30, 10]).max() <= 1
    assert (rows == choose_rows(labels.copy(), 100)).all()
    assert (choose_rows(labels, 1_000) == np.arange(1_000)).all()
    monkeypatch.setattr(embedding, "MAX_IMAGES", 10)
    reading = take(model)
    assert (len(reading.index), reading.total) == (10, 40)
    assert (reading.truth == DATA.test.labels[reading.index]).all()
    assert (reading.thumbnails == DATA.test.images[reading.index]).all()
    assert "10 of 40 images" in reading.summary()


def test_thumbnails_are_small_and_average_what_they_leave_out() -> None:
    rng = np.random.default_rng(0)
    large = rng.integers(0, 255, (2, 4, 100, 150), dtype=np.uint8)
    found = thumbnails(large, 2)
    assert found.shape == (2, 3, 25, 37)
    expected = large[0, 0, :4, 1:5].mean()
    assert abs(int(found[0, 0, 0, 0]) - expected) <= 0.5
    assert thumbnails(large[:, :2], 2).shape == (2, 1, 25, 37)
    assert thumbnails(large[:, :1, :1, :1], 2).shape == (2, 1, 1, 1)
    many = thumbnails(np.zeros((3, 3, 64, 64), np.uint8), 1_000_000)
    assert many[0].size * 1_000_000 <= embedding._MAX_THUMBNAIL_BYTES


def test_epochs_share_the_memory_of_their_thumbnails(model: Model) -> None:
    instrument = Embedding()
    first, second = (finish(instrument.take(model, SUBJECT)) for _ in range(2))
    assert isinstance(first, EmbeddingReading)
    assert isinstance(second, EmbeddingReading)
    assert np.shares_memory(first.thumbnails, second.thumbnails)


def test_the_two_nearest_classes_are_named() -> None:
    points = np.array([[0, 0], [0.1, 0], [5, 5], [5, 5.5], [-9, 0]], np.float32)
    truth = np.array([0, 0, 2, 1, 3])
    reading = EmbeddingReading(
        ("cat", "dog", "deer", "ship", "unused"),
        5,
        np.arange(5),
        truth,
        truth,
        np.ones(5, np.float32),
        points,
        np.array([0.5, 0.25]),
        np.zeros((5, 1, 2, 2), np.uint8),
    )
    assert reading.nearest_classes == (1, 2)
    assert reading.summary() == (
        "Map of 5 images by their last features, which shows 75.0% of their variance; 0 are misclassified, "
        "and the classes nearest to each other are dog and deer."
    )
    with pytest.raises(ValueError, match="images twice"):
        replace(reading, index=np.array([0, 1, 1, 2, 3]))
    with pytest.raises(ValueError, match="class that does not exist"):
        replace(reading, predicted=truth + 2)


def test_one_image_and_one_class_are_no_error(model: Model) -> None:
    one = Split(DATA.test.images[:1], DATA.test.labels[:1])
    reading = take(model, replace(SUBJECT, split=one))
    assert reading.points.tolist() == [[0.0, 0.0]]
    assert reading.nearest_classes is None
    assert "1 image " in reading.summary()
    assert reading.draw().shape[2] == 3
