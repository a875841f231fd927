"""Labels that neither a network nor similar images support."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cnnstudio.core.progress import Cancelled
from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.insight.curation.features import describe_images, find_neighbors
from cnnstudio.insight.curation.label_doubts import find_doubts, suspected_label_errors
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.pooling.global_average_pooling2d import GlobalAveragePooling2D
from cnnstudio.layers.shape import Shape
from cnnstudio.training.model import Model, build_model
from tests.training.networks import network

CLASSES = ("red", "green", "blue")


def planted() -> tuple[Dataset, dict[str, list[str]], list[str]]:
    """Images whose color is their class, their files, and the files of those that are labeled wrongly."""
    random = np.random.default_rng(0)

    def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
        truth = np.arange(count) % 3
        images = random.integers(0, 90, (count, 3, 4, 4), dtype=np.uint8)
        images[np.arange(count), truth] += 120
        return images, truth

    (train, labels), (test, test_labels) = draw(90), draw(30)
    wrong = [4, 30, 77]
    labels[wrong] = (labels[wrong] + 1) % 3
    test_labels[5] = (test_labels[5] + 1) % 3
    dataset = Dataset("colors", "Colors", CLASSES, Split(train, labels), Split(test, test_labels))
    files = {"train": [f"train/{row}.png" for row in range(90)], "test": [f"{row}.png" for row in range(30)]}
    return dataset, files, [*(files["train"][row] for row in wrong), "5.png"]


def color_model() -> Model:
    """A network that looks at the mean color alone and is right about it."""
    layers = (Conv2D(3, kernel_size=(1, 1)), GlobalAveragePooling2D(), Dense(3))
    model = build_model(network(*layers, input=Shape.of(3, 4, 4)))
    with torch.no_grad():
        for weights in model.parameters():
            weights.zero_()
            if weights.ndim > 1:
                weights.copy_((5 * torch.eye(3)).view(weights.shape))
    model.set_normalization((0.35,) * 3, (0.25,) * 3)
    return model.eval()


def test_planted_errors_are_found_with_the_right_class_and_similar_images_of_it() -> None:
    dataset, files, wrong = planted()
    items = suspected_label_errors(color_model(), dataset, files)
    assert sorted(item.file for item in items) == sorted(wrong)
    assert [item.score for item in items] == sorted((item.score for item in items), reverse=True)
    for item in items:
        part = "test" if item.split == "test" else "train"
        color = CLASSES[int(dataset.splits[part].images[item.row].mean(axis=(1, 2)).argmax())]
        assert item.suggested == color != item.label
        assert item.reason.startswith(f"Labeled {item.label}, looks like {color}: of the 7 most similar")
        assert len(item.neighbors) == 3
        assert item.file not in [neighbor.file for neighbor in item.neighbors]
        assert all(files["train"][each.row] == each.file for each in item.neighbors)
        assert sum(neighbor.label == color for neighbor in item.neighbors) >= 2


def test_the_search_can_be_cancelled_and_says_how_far_it_is() -> None:
    dataset, files, _ = planted()
    texts: list[str] = []
    suspected_label_errors(color_model(), dataset, files, progress=lambda done: texts.append(done.text))
    assert texts[0].startswith("Looking at training images: ")
    assert texts[-1] == "Comparing test images with training images: 30 of 30"
    with pytest.raises(Cancelled):
        suspected_label_errors(color_model(), dataset, files, cancelled=lambda: True)


def test_the_model_is_as_it_was_after_its_features_were_taken() -> None:
    dataset, _, _ = planted()
    model = color_model()
    model.train()
    described = describe_images(model, dataset.test, True, "Looking")
    assert model.training
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert described.features.shape == (30, 3)
    assert np.allclose(np.linalg.norm(described.features, axis=1), 1, atol=1e-5)


def test_an_image_is_not_its_own_neighbor_and_equal_ones_come_first() -> None:
    features = np.array([[1, 0], [1, 0], [0.6, 0.8], [0, 1]], np.float32)
    found = find_neighbors(features, features, np.array([0, 1, 1, 1]), 2, 2, are_references=True)
    assert found.rows.tolist()[:2] == [[1, 2], [0, 2]]
    assert found.similarities[0].tolist() == pytest.approx([1, 0.6])
    assert found.votes.sum(axis=1) == pytest.approx(1)
    assert found.votes[1, 0] > 0.5 > found.votes[0, 0] > 0
    others = find_neighbors(features[2:3], features, np.array([0, 1, 1, 1]), 2, 1, are_references=False)
    assert others.rows.tolist() == [[2]]


def test_a_label_that_either_the_network_or_similar_images_support_is_not_doubted() -> None:
    labels = np.zeros(3, np.int64)
    sure, split = (0.02, 0.98), (0.7, 0.3)
    probabilities = np.array([sure, sure, split], np.float32)
    votes = np.array([sure, split, sure], np.float32)
    assert [doubt.row for doubt in find_doubts(probabilities, votes, labels)] == [0]
    agreed = np.array([(0.98, 0.02)] * 3, np.float32)
    assert find_doubts(agreed, agreed, labels) == []


def test_without_images_there_are_no_doubts() -> None:
    empty = np.zeros((0, 3), np.float32)
    assert find_doubts(empty, empty, np.zeros(0, np.int64)) == []


def test_images_that_were_not_trained_on_are_as_doubtful_as_training_images_of_the_same_rank() -> None:
    # All ten get little support, as unseen images do; of the training images one in ten does.
    labels = np.zeros(10, np.int64)
    share = np.linspace(0.001, 0.03, 10)
    unseen = np.stack([share, 1 - share], axis=1).astype(np.float32)
    assert len(find_doubts(unseen, unseen, labels)) == 10
    trained = np.concatenate([np.linspace(0, 0.4, 90), np.linspace(0.95, 1, 10)])
    (doubt,) = find_doubts(unseen, unseen, labels, trained)
    assert doubt.row == 0
    assert doubt.score == pytest.approx(np.quantile(trained, 0.95))
