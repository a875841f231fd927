"""A network adapted to the classes of the data."""

from __future__ import annotations

import pytest

from cnnstudio.design.adaptation import AdaptationError, adapt_to_classes
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
