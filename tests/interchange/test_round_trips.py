"""A design that was code is the same design, but for its ids, its names and what is switched off."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from cnnstudio.design.network import IdMaker, Network, Node
from cnnstudio.design.templates import Template, templates
from cnnstudio.interchange.interpreter.names import quoted
from cnnstudio.interchange.keras.writer import write_model
from cnnstudio.interchange.pytorch.writer import write_module
from cnnstudio.interchange.reading import Imported, language_of, read_code
from cnnstudio.layers.base import Layer, Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.groups.block import Block
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.groups.residual import Residual
from tests.interchange.networks import networks
from tests.layers.cases import LAYERS, taken

WRITERS: dict[str, Callable[[Network], str]] = {"keras": write_model, "pytorch": write_module}

by_language = pytest.mark.parametrize("language", WRITERS)


def drawn(nodes: Iterable[Node]) -> list[Any]:
    """The layers that are switched on, and those inside them."""
    return [(node.layer, drawn(node.children)) for node in nodes if node.is_active]


def read_back(network: Network, language: str) -> Imported:
    """The network after it was code."""
    text = WRITERS[language](network)
    assert language_of(text) == language
    return read_code(text)


def assert_same(network: Network, language: str) -> None:
    found = read_back(network, language)
    assert drawn(found.network.nodes) == drawn(network.nodes)
    assert found.network.input == network.input
    assert found.network.name == network.name
    assert found.notes == ()


@by_language
@pytest.mark.parametrize("each", templates().values(), ids=lambda each: each.name)
def test_a_template_survives(each: Template, language: str) -> None:
    assert_same(each.network, language)


@pytest.mark.parametrize(
    ("name", "scope"),
    [("Stage 2", "Stage_2"), ("a/b", "a_b"), ('"', "block_1"), ("_hidden", "block_1"), ("Stage-2.b", None)],
)
def test_a_blocks_name_survives_in_a_scope_that_tensorflow_takes(name: str, scope: str | None) -> None:
    ids = IdMaker()
    block = replace(ids.node(Block()), name=name, children=(ids.node(Flatten()),))
    network = Network(Shape.of(3, 8, 8), (block, ids.node(Dense(2))))
    listing = write_model(network)
    assert f'with keras.name_scope("{scope or name}"):' in listing
    assert (f"    {quoted(name)}\n" in listing) is (scope is not None)
    assert read_code(listing).network.nodes[0].name == name


@settings(max_examples=60, deadline=None)
@given(networks())
def test_any_design_survives_as_keras(network: Network) -> None:
    assert_same(network, "keras")


@settings(max_examples=60, deadline=None)
@given(networks())
def test_any_design_survives_as_pytorch(network: Network) -> None:
    assert_same(network, "pytorch")


@by_language
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_a_layer_of_any_type_survives(layer: Layer, language: str) -> None:
    ids = IdMaker()
    nodes = (ids.node(layer), ids.node(Flatten()))
    for shape in (shape for shape in taken(layer) if shape.is_image):
        network = Network(shape, nodes, "One")
        assert drawn(read_back(network, language).network.nodes) == drawn(nodes)


def test_copies_whose_code_differs_are_one_loop_in_keras() -> None:
    inner = Node("conv2d_1", Conv2D(4, padding="same", strides=(2, 2)))
    residual = Node("residual_1", Residual("projection"), children=(inner,))
    nodes = (Node("repeat_1", Repeat(4), children=(residual,)), Node("flatten_1", Flatten()))
    network = Network(Shape.of(3, 8, 8), nodes, "Copies")
    assert "for copy in range(4):" in write_model(network)
    assert_same(network, "keras")
    assert_same(network, "pytorch")
