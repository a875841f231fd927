"""The figures of instruments: computed in another way, and on cases that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import metrics

from cnnstudio.data.dataset import Split, Subset
from cnnstudio.insight.instrument import InstrumentError, Subject, finish
from cnnstudio.insight.instruments.calibration import CalibrationReading, calibrate
from cnnstudio.insight.instruments.confusion import MAX_CLASSES, Confusion, ConfusionReading, count_confusions
from cnnstudio.insight.instruments.filters import Filters, FiltersReading
from cnnstudio.insight.instruments.histograms import BINS, Histograms, HistogramsReading
from cnnstudio.insight.instruments.mistakes import Mistakes, MistakesReading
from cnnstudio.insight.instruments.predictions import Predictions, PredictionsReading
from cnnstudio.insight.reading import MAX_BYTES
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.activation import Activation
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.convolutional.separable_conv2d import SeparableConv2D
from cnnstudio.training.model import Model, build_model
from tests.training.images import colors
from tests.training.networks import network, small_resnet, tiny

NAMES = ("a", "b", "c", "d")


def drawn(seed: int, classes: int = 4, count: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities that are right more often than not; classes of different sizes."""
    random = np.random.default_rng(seed)
    labels = random.choice(classes, count, p=(weights := np.arange(1, classes + 1)) / weights.sum())
    logits = random.normal(0, 1.5, (count, classes)) + 2 * np.eye(classes)[labels]
    exponents = np.exp(logits)
    return labels.astype(np.int64), (exponents / exponents.sum(1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_confusion_precision_recall_and_f1_are_those_of_scikit_learn(seed: int) -> None:
    labels, probabilities = drawn(seed)
    predicted = probabilities.argmax(1)
    reading = ConfusionReading(NAMES, count_confusions(labels, predicted, 4))
    every = range(4)
    np.testing.assert_array_equal(reading.counts, metrics.confusion_matrix(labels, predicted, labels=every))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=every, zero_division=np.nan
    )
    np.testing.assert_allclose(reading.precision, precision)
    np.testing.assert_allclose(reading.recall, recall)
    np.testing.assert_allclose(reading.f1, f1)
    np.testing.assert_array_equal(reading.support, support)
    assert reading.accuracy == pytest.approx(metrics.accuracy_score(labels, predicted))


def test_more_classes_than_a_matrix_can_have_are_said() -> None:
    """One of 10,000 classes takes 800 MB."""
    assert count_confusions(np.array([0]), np.array([0]), MAX_CLASSES).nbytes <= MAX_BYTES
    expected = r"^Confusions are counted for up to 2,896 classes, and there are 10,000\.$"
    with pytest.raises(InstrumentError, match=expected):
        count_confusions(np.array([0]), np.array([0]), 10_000)
    with pytest.raises(InstrumentError, match=expected):
        finish(Confusion().take(build_model(tiny()), Subject(tuple("c" * 10_000), split=DATA.test)))


def test_classes_that_never_occur_or_are_never_predicted_are_undefined() -> None:
    labels, predicted = np.array([0, 0, 1]), np.array([0, 2, 0])
    reading = ConfusionReading(NAMES, count_confusions(labels, predicted, 4))
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        labels, predicted, labels=range(4), zero_division=np.nan
    )
    np.testing.assert_allclose(reading.precision, precision)
    np.testing.assert_allclose(reading.recall, recall)
    np.testing.assert_allclose(reading.f1, f1)
    scores = reading.per_class()
    assert scores["d"] == {"accuracy": None, "precision": None, "recall": None, "f1": None, "support": 0}
    assert scores["b"] == {"accuracy": 0.0, "precision": None, "recall": 0.0, "f1": 0.0, "support": 1}


def ece_by_definition(labels: np.ndarray, probabilities: np.ndarray, bins: int) -> float:
    """Guo et al. 2017, equation 3, image by image."""
    total = 0.0
    for index in range(bins):
        members = [
            (float(row.max()), int(row.argmax()) == label)
            for row, label in zip(probabilities.astype(np.float64), labels, strict=True)
            if index / bins < row.max() <= (index + 1) / bins
        ]
        if members:
            confidence = sum(each for each, _ in members) / len(members)
            accuracy = sum(right for _, right in members) / len(members)
            total += len(members) / len(labels) * abs(accuracy - confidence)
    return total


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("bins", [5, 10, 15])
def test_the_calibration_error_is_that_of_its_definition(seed: int, bins: int) -> None:
    labels, probabilities = drawn(seed)
    reading = calibrate(probabilities.max(1), probabilities.argmax(1) == labels, bins)
    assert reading.ece == pytest.approx(ece_by_definition(labels, probabilities, bins))
    assert reading.counts.sum() == len(labels)
    assert reading.mean_accuracy == pytest.approx((probabilities.argmax(1) == labels).mean())
    assert reading.mean_confidence == pytest.approx(probabilities.max(1).mean())


def test_the_bins_of_the_reliability_diagram_are_those_of_scikit_learn() -> None:
    from sklearn.calibration import calibration_curve

    labels, probabilities = drawn(1)
    right = probabilities.argmax(1) == labels
    reading = calibrate(probabilities.max(1), right)
    accuracy, confidence = calibration_curve(right, probabilities.max(1), n_bins=10)
    filled = reading.counts > 0
    np.testing.assert_allclose(reading.accuracy[filled], accuracy)
    np.testing.assert_allclose(reading.confidence[filled], confidence)


def test_certain_predictions_are_in_the_last_bin() -> None:
    reading = calibrate(np.array([1.0, 1.0, 0.1]), np.array([True, False, True]))
    assert reading.counts.tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    assert reading.ece == pytest.approx((2 * 0.5 + 0.9) / 3)
    assert "overconfident" not in calibrate(np.array([0.5, 0.5]), np.array([True, False])).summary()
    assert "overconfident" in calibrate(np.array([0.9, 0.9]), np.array([True, False])).summary()
    assert "underconfident" in calibrate(np.array([0.6, 0.6]), np.array([True, True])).summary()


def test_the_top_confusions_are_told_in_words() -> None:
    counts = np.array([[5, 3, 0, 0], [1, 9, 0, 0], [0, 3, 0, 0], [0, 0, 0, 4]], np.int64)
    reading = ConfusionReading(NAMES, counts)
    assert reading.top_confusions() == [(0, 1, 3), (2, 1, 3), (1, 0, 1)]
    assert reading.top_confusions(1) == [(0, 1, 3)]
    assert reading.summary() == (
        "18 of 25 images are classified correctly (72.0%); the most frequent mistake is a predicted as b, "
        "3 times."
    )
    perfect = ConfusionReading(NAMES, np.diag([1, 2, 3, 4]).astype(np.int64))
    assert perfect.top_confusions() == []


def test_a_thousand_classes_have_top_confusions_too() -> None:
    random = np.random.default_rng(0)
    names = tuple(map(str, range(1000)))
    counts = random.poisson(0.2, (1000, 1000)).astype(np.int64)
    reading = ConfusionReading(names, counts)
    found = reading.top_confusions(50)
    off_diagonal = counts - np.diag(counts.diagonal())
    assert [count for *_, count in found] == sorted(off_diagonal.ravel().tolist(), reverse=True)[:50]
    assert all(counts[actual, predicted] == count for actual, predicted, count in found)


# Of a model

DATA = colors(test=60, noise=140)


@pytest.fixture
def model() -> Model:
    torch.manual_seed(1)
    model = build_model(tiny())
    model.set_normalization([0.4, 0.4, 0.4], [0.2, 0.2, 0.2])
    return model.eval()


def probabilities_of(model: Model, split: Split) -> np.ndarray:
    with torch.no_grad():
        return model(model.normalize(split.images)).softmax(1).numpy()


def test_confusion_counts_each_image_of_a_subset(model: Model) -> None:
    rows = np.arange(3, 50, 2)
    subject = Subject(classes=DATA.classes, split=Subset(DATA.test, rows))
    reading = finish(Confusion().take(model, subject))
    expected = metrics.confusion_matrix(
        DATA.test.labels[rows], probabilities_of(model, DATA.test)[rows].argmax(1), labels=range(3)
    )
    assert isinstance(reading, ConfusionReading)
    np.testing.assert_array_equal(reading.counts, expected)


def test_mistakes_are_sorted_by_confidence_and_doubt(model: Model) -> None:
    found = finish(Mistakes().take(model, Subject(classes=DATA.classes, split=DATA.test)))
    assert isinstance(found, MistakesReading)
    probabilities, labels = probabilities_of(model, DATA.test), DATA.test.labels
    wrong = np.flatnonzero(probabilities.argmax(1) != labels)
    assert (found.total, found.mistake_count) == (60, len(wrong))
    confidence = probabilities.max(1)
    np.testing.assert_allclose(
        confidence[found.mistake_index], sorted(confidence[wrong], reverse=True)[:48], rtol=1e-5
    )
    assert set(found.mistake_index) <= set(wrong)
    np.testing.assert_array_equal(found.mistake_truth, labels[found.mistake_index])
    np.testing.assert_allclose(found.mistake_probabilities, probabilities[found.mistake_index], atol=1e-6)
    np.testing.assert_array_equal(found.mistake_images, DATA.test.images[found.mistake_index])
    ranked = np.sort(probabilities, axis=1)
    margin = ranked[:, -1] - ranked[:, -2]
    np.testing.assert_allclose(margin[found.unsure_index], np.sort(margin)[:48], atol=1e-6)


def test_predictions_are_averaged_over_mirror_images_if_the_run_does_so(model: Model) -> None:
    images = DATA.test.images[:3]
    plain, flipped = (
        finish(Predictions().take(model, Subject(classes=DATA.classes, images=images, flip=flip)))
        for flip in (False, True)
    )
    assert isinstance(plain, PredictionsReading)
    assert isinstance(flipped, PredictionsReading)
    with torch.no_grad():
        pixels = model.normalize(images)
        expected = ((model(pixels) + model(pixels.flip(3))) / 2).softmax(1).numpy()
    np.testing.assert_allclose(flipped.probabilities, expected, atol=1e-6)
    assert not np.allclose(plain.probabilities, flipped.probabilities, atol=1e-4)


def filters_of(model: Model, layer: str, **options: object) -> FiltersReading:
    reading = finish(Filters().take(model, Subject(layer=layer, **options)))  # type: ignore[arg-type]
    assert isinstance(reading, FiltersReading)
    return reading


def test_filters_are_the_kernels_of_the_layer(model: Model) -> None:
    first, second = filters_of(model, "conv2d_1"), filters_of(model, "conv2d_2")
    weights = model.get_parameter("conv2d_1.weight").detach().numpy()
    np.testing.assert_array_equal(first.kernels, weights)
    np.testing.assert_allclose(first.norms, np.linalg.norm(weights.reshape(8, -1), axis=1), rtol=1e-5)
    assert (first.is_color, second.is_color) == (1, 0)
    assert first.images().shape == (8, 3, 3, 3)
    assert second.images().shape == (8, 8, 3, 3)


def test_the_drawing_of_a_filter_is_gray_at_zero_and_extreme_at_its_largest_weight(model: Model) -> None:
    with torch.no_grad():
        weights = model.get_parameter("conv2d_1.weight")
        weights.zero_()
        weights[0, 1, 2, 0] = -0.5
        weights[1, 0, 0, 0] = 5.0
    images = filters_of(model, "conv2d_1").images()
    assert images[0, 2, 0].tolist() == [128, 1, 128]
    assert images[1, 0, 0].tolist() == [255, 128, 128]
    shared = filters_of(model, "conv2d_1").images(shared_scale=True)
    assert shared[0, 2, 0].tolist() == [128, 115, 128]


def test_the_change_of_filters_is_relative_to_their_norm_before(model: Model) -> None:
    before = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    with torch.no_grad():
        model.get_parameter("conv2d_1.weight")[2] *= 1.5
    change = filters_of(model, "conv2d_1", other_weights=before).change
    assert change is not None
    np.testing.assert_allclose(change, [0, 0, 0.5, 0, 0, 0, 0, 0], atol=1e-6)


def test_filters_of_a_separable_convolution_are_those_that_see_more_than_a_pixel() -> None:
    layers = (SeparableConv2D(6, kernel_size=(3, 3)), Flatten(), Dense(2))
    reading = filters_of(build_model(network(*layers, input=Shape.of(3, 8, 8))), "separable_conv2d_1")
    assert reading.kernels.shape[2:] == (3, 3)


def test_the_last_copy_in_a_repeat_is_shown() -> None:
    model = build_model(small_resnet())
    layer = next(node.id for node in model.network.walk() if node.id.startswith("repeat"))
    inside = [name for name in model.node_weights()[layer] if name.endswith("weight")]
    conv = next(node_id for node_id in model.node_weights() if any(f"1.{node_id}" in name for name in inside))
    found = filters_of(model, conv)
    name = next(name for name in model.node_weights()[conv] if name.endswith("weight"))
    assert ".1." in name
    np.testing.assert_array_equal(found.kernels, model.get_parameter(name).detach().numpy()[:, :64])


def histograms_of(model: Model, labels: np.ndarray | None = DATA.test.labels[:8]) -> HistogramsReading:
    subject = Subject(images=DATA.test.images[:8], labels=labels)
    reading = finish(Histograms().take(model, subject))
    assert isinstance(reading, HistogramsReading)
    return reading


def test_histograms_count_weights_gradients_and_activations(model: Model) -> None:
    reading = histograms_of(model)
    assert reading.layers == ("conv2d_1", "batch_normalization_1", "conv2d_2", "dense_1")
    assert reading.units.tolist() == [8, 8, 8, 3]
    weights = model.get_parameter("conv2d_2.weight").detach().numpy()
    expected, edges = np.histogram(weights, BINS)
    assert reading.weight_counts[2].sum() == expected.sum() == weights.size
    assert np.abs(np.cumsum(reading.weight_counts[2]) - np.cumsum(expected)).max() <= 2
    assert (reading.weight_low[2], reading.weight_high[2]) == pytest.approx((edges[0], edges[-1]))
    assert reading.activation_counts[3].sum() == 8 * 3
    model.zero_grad()
    logits = model.eval()(model.normalize(DATA.test.images[:8]))
    torch.nn.functional.cross_entropy(logits, torch.tensor(DATA.test.labels[:8]), reduction="sum").backward()
    gradient = model.get_parameter("dense_1.weight").grad
    assert gradient is not None
    assert reading.gradient_low is not None
    assert reading.gradient_high is not None
    assert reading.gradient_low[3] == pytest.approx(gradient.min().item(), rel=1e-4)
    assert reading.gradient_high[3] == pytest.approx(gradient.max().item(), rel=1e-4)


def test_without_labels_there_are_no_gradients(model: Model) -> None:
    assert histograms_of(model, None).gradient_counts is None


def test_dead_and_saturated_units_are_counted() -> None:
    layers = (Conv2D(4), Activation("relu"), Conv2D(5), Activation("tanh"), Flatten(), Dense(3))
    model = build_model(network(*layers, input=Shape.of(3, 8, 8)))
    with torch.no_grad():
        model.get_parameter("conv2d_1.bias").copy_(torch.tensor([0.0, -1e3, -1e3, 1.0]))
        model.get_parameter("conv2d_2.bias").copy_(torch.tensor([0.0, 1e3, -1e3, 1e3, 0.0]))
    reading = histograms_of(model)
    by_layer = dict(zip(reading.layers, zip(reading.dead, reading.saturated, strict=True), strict=True))
    assert by_layer["activation_1"] == (2, 0)
    assert by_layer["activation_2"] == (0, 3)
    assert by_layer["dense_1"] == (0, 0)
    assert reading.summary() == (
        "5 layers: 2 units dead, most in activation_1 (2 of 4) and 3 units saturated, most in activation_2 "
        "(3 of 5)."
    )


def test_constant_weights_have_a_histogram_too(model: Model) -> None:
    with torch.no_grad():
        model.get_parameter("dense_1.weight").fill_(0.25)
    reading = histograms_of(model)
    assert reading.weight_counts[3].sum() == model.get_parameter("dense_1.weight").numel()
    assert reading.weight_low[3] == reading.weight_high[3] == 0.25


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_broken_weights_are_left_out_of_histograms(model: Model, bad: float) -> None:
    with torch.no_grad():
        model.get_parameter("dense_1.weight")[0, 0] = bad
    assert histograms_of(model).weight_counts[3].sum() == model.get_parameter("dense_1.weight").numel() - 1


def test_an_empty_calibration_says_so() -> None:
    zeros = np.zeros(10, np.int64)
    assert CalibrationReading(zeros, zeros, np.zeros(10)).summary() == "The calibration has no images."
