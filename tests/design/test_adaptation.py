"""A network adapted to the classes of the data."""

from __future__ import annotations

import pytest

from cnnstudio.design import edits
from cnnstudio.design.adaptation import AdaptationError, adapt_to_classes, adapt_to_data
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.network import Network, Node
from cnnstudio.layers.base import Layer, Shape
from cnnstudio.layers.basic.activation import Activation
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.groups.block import Block


def network(*layers: Layer) -> Network:
    nodes = [Node(f"node_{number}", layer) for number, layer in enumerate(layers)]
    return Network(Shape.of(3, 8, 8), tuple(nodes))


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([Flatten(), Dense(10, activation="softmax")], [Flatten(), Dense(4, activation="softmax")]),
        ([Flatten(), Dense(4)], [Flatten(), Dense(4)]),
        ([Flatten(), Dense(10), Activation("softmax")], [Flatten(), Dense(4), Activation("softmax")]),
        ([Flatten(), Dense(1, activation="sigmoid")], [Flatten(), Dense(4, activation="softmax")]),
        ([Flatten(), Dense(1), Activation("sigmoid")], [Flatten(), Dense(4, activation="softmax")]),
        ([Flatten(), Dense(64, activation="relu")], [Flatten(), Dense(64, activation="relu"), Dense(4)]),
        ([Conv2D(10)], [Conv2D(10), Flatten(), Dense(4)]),
    ],
)
def test_the_end_gives_one_score_per_class(layers: list[Layer], expected: list[Layer]) -> None:
    found = adapt_to_classes(network(*layers), 4)
    assert [node.layer for node in found.nodes] == expected
    assert analyze(found, classes=4).problems == ()


def test_ten_classes_after_an_image_get_layers_of_their_own() -> None:
    found = adapt_to_classes(network(Conv2D(10)), 10)
    assert [node.layer for node in found.nodes] == [Conv2D(10), Flatten(), Dense(10)]


def test_a_unit_inside_a_block_is_found() -> None:
    block = Node("block", Block(), children=(Node("scores", Dense(1, activation="sigmoid")),))
    found = adapt_to_classes(Network(Shape.of(1, 4, 4), (Node("flat", Flatten()), block)), 3)
    assert found.nodes[1].children[0].layer == Dense(3, activation="softmax")


def test_an_end_that_is_not_known_is_refused() -> None:
    with pytest.raises(AdaptationError, match="only known once its problems are fixed"):
        adapt_to_classes(network(Flatten(), Conv2D(4)), 3)


LESSON = (Conv2D(8, padding="same"), Flatten(), Dense(10, activation="softmax"))


def test_input_and_last_layer_are_adapted_together() -> None:
    found = adapt_to_data(network(*LESSON), "Digits", 4, Shape.of(1, 12, 10))
    assert found is not None
    assert (found.network.input, analyze(found.network, classes=4).problems) == (Shape.of(1, 12, 10), ())
    assert found.network.nodes[-1].layer == Dense(4, activation="softmax")
    assert found.message == (
        "Digits has gray images of 10 × 12 and 4 classes; the network takes color images of 8 × 8 and gives "
        "10 scores."
    )


@pytest.mark.parametrize(
    ("classes", "shape", "message"),
    [
        (4, None, "Digits has 4 classes; the network gives 10 scores."),
        (10, Shape.of(1, 8, 8), "Digits has gray images; the network takes color images."),
        (None, Shape.of(3, 9, 9), "Digits has images of 9 × 9; the network takes images of 8 × 8."),
    ],
)
def test_only_what_differs_is_said_and_changed(
    classes: int | None, shape: Shape | None, message: str
) -> None:
    found = adapt_to_data(network(*LESSON), "Digits", classes, shape)
    assert found is not None
    assert found.message == message
    assert found.network.input == (shape or Shape.of(3, 8, 8))


def test_nothing_is_adapted_where_all_suits_or_nothing_can() -> None:
    assert adapt_to_data(network(*LESSON), "Digits", 10, Shape.of(3, 8, 8)) is None
    assert adapt_to_data(network(), "Digits", 4, Shape.of(1, 8, 8)) is None
    assert adapt_to_data(network(Flatten(), Conv2D(4)), "Digits", 4, Shape.of(1, 8, 8)) is None


def test_large_images_change_the_channels_alone_because_they_are_resized() -> None:
    found = adapt_to_data(network(*LESSON), "Photos", 10, Shape.of(1, 200, 200))
    assert found is not None
    assert found.network.input == Shape.of(1, 8, 8)
    assert adapt_to_data(network(*LESSON), "Photos", 10, Shape.of(3, 200, 200)) is None


def test_images_too_small_for_the_layers_do_not_change_the_size() -> None:
    found = adapt_to_data(network(Conv2D(4, kernel_size=(7, 7)), *LESSON), "Dots", 3, Shape.of(1, 4, 4))
    assert found is not None
    assert found.network.input == Shape.of(1, 8, 8)
    assert analyze(found.network, classes=3).problems == ()


def test_pretrained_weights_keep_their_input() -> None:
    pretrained = edits.set_weights(network(*LESSON), "efficientnet-lite0")
    found = adapt_to_data(pretrained, "Digits", 4, Shape.of(1, 8, 8))
    assert found is not None
    assert found.network.input == Shape.of(3, 8, 8)
    assert found.message == "Digits has 4 classes; the network gives 10 scores."
