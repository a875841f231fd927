"""Writing and reading code gives the same design, except for ids, names and disabled layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from cnnstudio.design.network import IdGenerator, Network, Node
from cnnstudio.design.templates import Template, templates
from cnnstudio.interchange.interpreter.names import string_literal
from cnnstudio.interchange.keras.writer import write_model
from cnnstudio.interchange.pytorch.writer import write_module
from cnnstudio.interchange.reading import ImportedDesign, detect_language, read_code
from cnnstudio.layers.base import Layer, Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.groups.block import Block
from cnnstudio.layers.groups.parallel import Parallel
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.groups.residual import Residual
from tests.interchange.networks import networks
from tests.layers.cases import LAYERS, taken

WRITERS: dict[str, Callable[[Network], str]] = {"keras": write_model, "pytorch": write_module}

by_language = pytest.mark.parametrize("language", WRITERS)


def layers_in(nodes: Iterable[Node]) -> list[Any]:
    """The enabled layers, each with those inside it."""
    return [(node.layer, layers_in(node.children)) for node in nodes if node.is_active]


def read_back(network: Network, language: str) -> ImportedDesign:
    """The network after writing and reading code."""
    text = WRITERS[language](network)
    assert detect_language(text) == language
    return read_code(text)


def assert_same(network: Network, language: str) -> None:
    found = read_back(network, language)
    assert layers_in(found.network.nodes) == layers_in(network.nodes)
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
def test_a_block_name_survives_as_a_valid_tensorflow_scope(name: str, scope: str | None) -> None:
    ids = IdGenerator()
    block = replace(ids.node(Block()), name=name, children=(ids.node(Flatten()),))
    network = Network(Shape.of(3, 8, 8), (block, ids.node(Dense(2))))
    listing = write_model(network)
    assert f'with keras.name_scope("{scope or name}"):' in listing
    assert (f"    {string_literal(name)}\n" in listing) is (scope is not None)
    assert read_code(listing).network.nodes[0].name == name


@by_language
def test_a_repeat_that_is_a_branch_of_its_own_survives(language: str) -> None:
    ids = IdGenerator()
    repeat = ids.node(Repeat(2), children=(ids.node(Conv2D(2, kernel_size=(1, 1))),))
    group = ids.node(Parallel(), children=(ids.node(Conv2D(3, kernel_size=(1, 1))), repeat))
    assert_same(Network(Shape.of(1, 9, 9), (group, ids.node(Flatten()), ids.node(Dense(3)))), language)


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
def test_every_layer_type_survives(layer: Layer, language: str) -> None:
    ids = IdGenerator()
    nodes = (ids.node(layer), ids.node(Flatten()))
    for shape in (shape for shape in taken(layer) if shape.is_image):
        network = Network(shape, nodes, "One")
        assert layers_in(read_back(network, language).network.nodes) == layers_in(nodes)


def test_copies_with_different_code_are_one_loop_in_keras() -> None:
    inner = Node("conv2d_1", Conv2D(4, padding="same", strides=(2, 2)))
    residual = Node("residual_1", Residual("projection"), children=(inner,))
    nodes = (Node("repeat_1", Repeat(4), children=(residual,)), Node("flatten_1", Flatten()))
    network = Network(Shape.of(3, 8, 8), nodes, "Copies")
    assert "for copy in range(4):" in write_model(network)
    assert_same(network, "keras")
    assert_same(network, "pytorch")
