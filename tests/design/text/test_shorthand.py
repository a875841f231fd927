"""Shorthand: names, numbers, values, parameter names and groups; errors; completions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnstudio.core.parameters import values_to_json
from cnnstudio.design.network import IdGenerator, Node
from cnnstudio.design.text.shorthand import ShorthandError, find_completion, parse_shorthand
from cnnstudio.layers.base import Layer
from cnnstudio.layers.catalog import layer_type, layer_types


def read(text: str) -> list[Node]:
    return parse_shorthand(text, IdGenerator())


def layer(name: str, **values: object) -> Layer:
    return layer_type(name)(**values)


def error_message(text: str) -> str:
    with pytest.raises(ShorthandError) as caught:
        read(text)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 300
    return message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("conv", layer("Conv2D")),
        (
            "conv 64 3 relu same",
            layer("Conv2D", filters=64, kernel_size=(3, 3), activation="relu", padding="same"),
        ),
        ("dropout 0,3", layer("Dropout", rate=0.3)),
        ("dropout rate=0,25", layer("Dropout", rate=0.25)),
        ("conv 1,024 5", layer("Conv2D", filters=1024, kernel_size=(5, 5))),
        ("conv 64 3,5", layer("Conv2D", filters=64, kernel_size=(3, 5))),
        ("conv 64,5 relu", layer("Conv2D", filters=64, kernel_size=(5, 5), activation="relu")),
        ("conv 64 strides=2,1", layer("Conv2D", filters=64, strides=(2, 1))),
        ("conv 64 s2,1", layer("Conv2D", filters=64, strides=(2, 1))),
        ("pool 2,3", layer("MaxPooling2D", pool_size=(2, 3))),
        ("dense 64 l2 0,01", layer("Dense", units=64, kernel_l2=0.01)),
        ("conv relu 64", layer("Conv2D", filters=64, activation="relu")),
        ("Conv2D 16 5x7", layer("Conv2D", filters=16, kernel_size=(5, 7))),
        ("conv 16 (5, 7)", layer("Conv2D", filters=16, kernel_size=(5, 7))),
        ("conv 16 5 × 7", layer("Conv2D", filters=16, kernel_size=(5, 7))),
        ("conv 16 3 2", layer("Conv2D", filters=16, strides=(2, 2))),
        ("conv 16 s2", layer("Conv2D", filters=16, strides=(2, 2))),
        ("conv 16 stride 2", layer("Conv2D", filters=16, strides=(2, 2))),
        ("conv filters=16 strides = 2", layer("Conv2D", filters=16, strides=(2, 2))),
        ("conv k5 16", layer("Conv2D", filters=16, kernel_size=(5, 5))),
        ("conv 16 groups 4 dilation 2", layer("Conv2D", filters=16, groups=4, dilation_rate=(2, 2))),
        ("conv no bias", layer("Conv2D", use_bias=False)),
        ("conv nobias", layer("Conv2D", use_bias=False)),
        ("conv without bias", layer("Conv2D", use_bias=False)),
        ("conv use_bias=false", layer("Conv2D", use_bias=False)),
        ("conv bias", layer("Conv2D", use_bias=True)),
        ("max pool 3 2", layer("MaxPooling2D", pool_size=(3, 3), strides=(2, 2))),
        ("bn", layer("BatchNormalization")),
        ("bn momentum 0.8", layer("BatchNormalization", momentum=0.8)),
        ("relu", layer("Activation", activation="relu")),
        ("activation tanh", layer("Activation", activation="tanh")),
        ("sig", layer("Activation", activation="sigmoid")),
        ("dropout .3", layer("Dropout", rate=0.3)),
        ("linear 10 softmax", layer("Dense", units=10, activation="softmax")),
        ("repeat 3", layer("Repeat", times=3)),
        ("projection", layer("Residual", shortcut="projection")),
        ("parallel add", layer("Parallel", mode="add")),
    ],
)
def test_a_layer_is_parsed_with_its_values(text: str, expected: Layer) -> None:
    assert [node.layer for node in read(text)] == [expected]


@pytest.mark.parametrize("name", layer_types())
def test_every_type_is_parsed_with_named_values(name: str) -> None:
    layer = layer_types()[name]()
    words = " ".join(
        f"{key}={value}"
        for key, value in values_to_json(layer).items()
        if isinstance(value, int | float | str)
    )
    assert [node.layer for node in read(f"{name} {words}")] == [layer]


def test_several_layers_are_parsed_in_order() -> None:
    nodes = read("conv 8, bn; relu → pool")
    types = ["Conv2D", "BatchNormalization", "Activation", "MaxPooling2D"]
    assert [node.layer.type_name() for node in nodes] == types
    assert [node.id for node in nodes] == [
        "conv2d_1",
        "batch_normalization_1",
        "activation_1",
        "max_pooling2d_1",
    ]


def test_groups_contain_the_layers_in_their_parentheses() -> None:
    first, second = read('repeat 2 "stage" (residual (conv 8 (3, 3), bn), relu), flatten')
    assert (first.name, first.layer) == ("stage", layer("Repeat", times=2))
    assert [child.layer.type_name() for child in first.children] == ["Residual", "Activation"]
    assert [child.layer.type_name() for child in first.children[0].children] == [
        "Conv2D",
        "BatchNormalization",
    ]
    assert second.layer == layer("Flatten")


def test_an_open_parenthesis_is_closed_at_the_end() -> None:
    assert read("residual(conv, bn") == read("residual(conv, bn)")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("xyzzy", "unknown layer “xyzzy”"),
        ("12", "unknown layer “12”"),
        ("conv 8 1,2,3", "“1,2,3” is not a number; leave a space between two numbers"),
        ("dense 64,5", "units: must be an integer from 1 to 1,048,576, got 64.5"),
        ("conv 64 xyzzy", "Conv2D has no parameter “xyzzy”; it takes filters, kernel size"),
        ("conv size=3x3x3", "kernel size: "),
        ("conv color=3", "Conv2D has no parameter “color”"),
        ("conv 0", "filters: must be between 1 and 65,536, got 0"),
        ("conv 64 -3", "kernel size: must be between 1 and 255, got -3"),
        (
            "conv " + "9" * 5_000,
            "filters: must be between 1 and 65,536, got a number with more than 18 digits",
        ),
        ("dropout 3", "rate: must be between 0 and 0.99, got 3"),
        ("flatten 3", "Flatten has no parameter left for “3”"),
        ("conv 64 stride", "the value of strides is missing"),
        ("conv padding=odd", "padding: “odd” is not valid; choose valid or same"),
        ("conv 3 (bn)", "Conv2D is not a group and cannot contain layers"),
        ("(conv)", "a layer must start with its name"),
        ("conv)", "unmatched closing parenthesis"),
        ("repeat(" * 40, "at most 24 deep"),
    ],
)
def test_an_error_names_the_word_that_is_wrong(text: str, words: str) -> None:
    assert words in error_message(text)


@given(st.text(alphabet='conv 64x,()="→.-é\n3', max_size=60))
def test_no_text_raises_another_exception(text: str) -> None:
    find_completion(text)
    said = "understood"
    try:
        read(text)
    except ShorthandError as error:
        said = str(error)
    assert said


@pytest.mark.parametrize(
    ("text", "start", "best"),
    [
        ("c", 0, "Conv2D"),
        ("max p", 0, "MaxPooling2D"),
        ("conv 64, dro", 9, "Dropout"),
        ("residual(conv, b", 15, "BatchNormalization"),
    ],
)
def test_an_incomplete_name_is_completed(text: str, start: int, best: str) -> None:
    found = find_completion(text)
    assert found is not None
    assert (found.start, found.kinds[0].type_name()) == (start, best)


@pytest.mark.parametrize("text", ["", "conv ", "conv 6", "conv, ", "xyzzy", "dense re", "conv 3x"])
def test_a_complete_name_has_no_completions(text: str) -> None:
    assert find_completion(text) is None
