"""Layers typed in one line: names, numbers, words and names of parameters; and what cannot be understood."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnstudio.core.parameters import values_to_json
from cnnstudio.design.network import IdMaker, Node
from cnnstudio.design.text.shorthand import PhraseError, beginning, read_phrase
from cnnstudio.layers.base import Layer
from cnnstudio.layers.catalog import layer_type, layer_types


def read(text: str) -> list[Node]:
    return read_phrase(text, IdMaker())


def layer(name: str, **values: object) -> Layer:
    return layer_type(name)(**values)


def refusal(text: str) -> str:
    with pytest.raises(PhraseError) as caught:
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
def test_a_layer_with_its_values(text: str, expected: Layer) -> None:
    assert [node.layer for node in read(text)] == [expected]


@pytest.mark.parametrize("name", layer_types())
def test_every_type_with_every_value_of_its_own_names(name: str) -> None:
    layer = layer_types()[name]()
    words = " ".join(
        f"{key}={value}"
        for key, value in values_to_json(layer).items()
        if isinstance(value, int | float | str)
    )
    assert [node.layer for node in read(f"{name} {words}")] == [layer]


def test_several_layers_follow_each_other() -> None:
    nodes = read("conv 8, bn; relu → pool")
    types = ["Conv2D", "BatchNormalization", "Activation", "MaxPooling2D"]
    assert [node.layer.type_name() for node in nodes] == types
    assert [node.id for node in nodes] == [
        "conv2d_1",
        "batch_normalization_1",
        "activation_1",
        "max_pooling2d_1",
    ]


def test_groups_hold_what_stands_in_their_brackets() -> None:
    first, second = read('repeat 2 "stage" (residual (conv 8 (3, 3), bn), relu), flatten')
    assert (first.name, first.layer) == ("stage", layer("Repeat", times=2))
    assert [child.layer.type_name() for child in first.children] == ["Residual", "Activation"]
    assert [child.layer.type_name() for child in first.children[0].children] == [
        "Conv2D",
        "BatchNormalization",
    ]
    assert second.layer == layer("Flatten")


def test_a_bracket_that_is_still_open_closes_at_the_end() -> None:
    assert read("residual(conv, bn") == read("residual(conv, bn)")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("xyzzy", "there is no layer “xyzzy”"),
        ("12", "there is no layer “12”"),
        ("conv 64 xyzzy", "Conv2D has no parameter “xyzzy”; it takes filters, kernel size"),
        ("conv size=3x3x3", "kernel size: "),
        ("conv color=3", "Conv2D has no parameter “color”"),
        ("conv 0", "filters: 0 is out of range: 1 to 65,536 is possible"),
        ("conv 64 -3", "kernel size: -3 is out of range"),
        ("conv " + "9" * 5_000, "filters: a number of more than 18 digits is out of range"),
        ("dropout 3", "rate: 3 is out of range"),
        ("flatten 3", "Flatten takes no number"),
        ("conv 64 stride", "the value of strides is missing"),
        ("conv padding=odd", "padding: “odd” is not possible; one of valid, same is"),
        ("conv 3 (bn)", "Conv2D is no group and cannot hold layers"),
        ("(conv)", "a layer begins with its name"),
        ("conv)", "closing bracket too many"),
        ("repeat(" * 40, "at most 24 deep"),
    ],
)
def test_what_cannot_be_understood_is_named(text: str, words: str) -> None:
    assert words in refusal(text)


@given(st.text(alphabet='conv 64x,()="→.-é\n3', max_size=60))
def test_nothing_that_is_typed_is_more_than_refused(text: str) -> None:
    beginning(text)
    said = "understood"
    try:
        read(text)
    except PhraseError as error:
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
def test_the_name_that_is_being_typed_may_become_these(text: str, start: int, best: str) -> None:
    found = beginning(text)
    assert found is not None
    assert (found.start, found.kinds[0].type_name()) == (start, best)


@pytest.mark.parametrize("text", ["", "conv ", "conv 6", "conv, ", "xyzzy", "dense re", "conv 3x"])
def test_after_the_name_nothing_is_suggested(text: str) -> None:
    assert beginning(text) is None
