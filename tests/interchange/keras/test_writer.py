"""The Keras code of a design. Keras is not installed; the code is parsed and its calls are checked."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings

from cnnstudio.design.network import IdGenerator, Network, Node
from cnnstudio.design.templates import template
from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.keras.writer import layer_code, write_model
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.groups.residual import Residual
from tests.interchange.networks import networks


def layer_calls(source: str) -> list[str]:
    """The names of all `layers.…` calls, in order."""
    called = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    named = [function for function in called if isinstance(function, ast.Attribute)]
    named.sort(key=lambda function: (function.lineno, function.col_offset))
    return [function.attr for function in named if ast.unparse(function.value) == "layers"]


@settings(max_examples=40, deadline=None)
@given(networks())
def test_the_script_of_any_network_is_valid_python(network: Network) -> None:
    compile(write_model(network), "model.py", "exec")


def test_a_plain_list_is_written_like_the_lesson() -> None:
    assert [line for _, line in layer_code(template("lesson-32").network)] == [
        "keras.Input((32, 32, 3)),",
        'layers.Conv2D(32, (3, 3), activation="relu"),',
        "layers.MaxPooling2D((2, 2)),",
        'layers.Conv2D(64, (3, 3), activation="relu"),',
        "layers.MaxPooling2D((2, 2)),",
        "layers.Flatten(),",
        'layers.Dense(128, activation="relu"),',
        'layers.Dense(10, activation="softmax"),',
    ]


def test_nested_residual_groups_have_separate_shortcuts() -> None:
    ids = IdGenerator()
    inner = Node("residual_1", Residual(activation="linear"), children=(ids.node(Conv2D(3, padding="same")),))
    outer = Node("residual_2", Residual(), children=(inner,))
    assert layer_code(Network(Shape.of(3, 8, 8), (outer,)))[2:] == [
        ("residual_2", "shortcut = x"),
        ("residual_1", "shortcut_2 = x"),
        ("conv2d_1", 'x = layers.Conv2D(3, (3, 3), padding="same")(x)'),
        ("residual_1", "x = layers.add([x, shortcut_2])"),
        ("residual_2", 'x = layers.Activation("relu")(layers.add([x, shortcut]))'),
    ]


def test_empty_copies_are_not_written() -> None:
    off = Node("conv2d_1", Conv2D(4), enabled=False)
    empty = Node("repeat_1", Repeat(2), children=(off,))
    nodes = (Node("repeat_2", Repeat(3), children=(empty,)), Node("flatten_1", Flatten()))
    source = write_model(Network(Shape.of(3, 8, 8), nodes))
    assert layer_calls(source) == ["Flatten"]


def test_equal_copies_are_a_loop() -> None:
    ids = IdGenerator()
    nodes = (Node("repeat_1", Repeat(5), children=(ids.node(Conv2D(3, padding="same")),)),)
    assert layer_code(Network(Shape.of(3, 8, 8), nodes))[2:] == [
        ("repeat_1", "for _ in range(5):"),
        ("conv2d_1", '    x = layers.Conv2D(3, (3, 3), padding="same")(x)'),
    ]


@pytest.mark.parametrize(("activation", "from_logits"), [("softmax", False), ("linear", True)])
def test_the_loss_expects_logits_or_probabilities_as_the_design_gives(
    activation: str, from_logits: bool
) -> None:
    ids = IdGenerator()
    nodes = (ids.node(Flatten()), ids.node(Dense(10, activation=activation)))
    assert f"from_logits={from_logits}" in write_model(Network(Shape.of(1, 8, 8), nodes))


def test_a_layer_with_an_error_is_a_comment_and_its_network_has_no_script() -> None:
    ids = IdGenerator()
    network = Network(Shape.of(3, 32, 32), (ids.node(Conv2D(4)), ids.node(Dense(10))))
    problem = "Dense takes a flat vector, but gets 4 × 30 × 30 from Conv2D: insert Flatten before it"
    assert layer_code(network)[-1] == ("dense_1", f"# {problem}")
    with pytest.raises(CodeError, match="insert Flatten before it"):
        write_model(network)


def test_a_repeat_behind_an_error_is_written_as_a_comment() -> None:
    """Nothing is known of its body there."""
    repeat = Node("repeat_1", Repeat(2), children=(Node("conv2d_1", Conv2D(8)),))
    network = Network(Shape.of(3, 32, 32), (Node("dense_1", Dense(5)), Node("conv2d_2", Conv2D(4)), repeat))
    lines = layer_code(network)
    assert [line for node, line in lines if node == "repeat_1" and "#" not in line] == []
