"""Advice: when it is given, when it is not, and that its fixes resolve it."""

from __future__ import annotations

import pytest
from hypothesis import given

from cnnstudio.design.advice.advice import advise
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.findings import Advice
from cnnstudio.design.network import Network
from cnnstudio.design.quick_fixes import apply_fix
from cnnstudio.layers.basic.activation import Activation
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.convolutional.depthwise_conv2d import DepthwiseConv2D
from cnnstudio.layers.groups.block import Block
from cnnstudio.layers.groups.parallel import Parallel
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.groups.residual import Residual
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.layers.normalization.layer_normalization import LayerNormalization
from cnnstudio.layers.pooling.average_pooling2d import AveragePooling2D
from cnnstudio.layers.pooling.global_average_pooling2d import GlobalAveragePooling2D
from cnnstudio.layers.pooling.max_pooling2d import MaxPooling2D
from cnnstudio.layers.regularization.dropout import Dropout
from tests.design.builders import Item, disabled, network
from tests.strategies import networks

RELU = Conv2D(8, padding="same", activation="relu")
PLAIN = Conv2D(8, padding="same")
UNBIASED = Conv2D(8, padding="same", use_bias=False)
NORM = BatchNormalization()
HEAD = (GlobalAveragePooling2D(), Dense(10))
WIDE = (
    Conv2D(8, (9, 9), padding="same", activation="relu"),
    MaxPooling2D(),
    RELU,
    MaxPooling2D(),
    RELU,
    RELU,
)


def keys(*items: Item, input: tuple[int, int, int] = (3, 32, 32)) -> list[str]:
    return [advice.key for advice in advise(analyze(network(*items, input=input), classes=10))]


CASES: list[tuple[str, tuple[Item, ...], str]] = [
    ("no-nonlinearity:conv2d_5", (*WIDE, PLAIN, RELU, *HEAD), "Set activation to relu"),
    ("no-nonlinearity:conv2d_5", (*WIDE, PLAIN, MaxPooling2D(), RELU, *HEAD), "Set activation to relu"),
    ("no-nonlinearity:conv2d_6", (*WIDE, UNBIASED, NORM, MaxPooling2D(), RELU, *HEAD), "Insert Activation"),
    ("no-nonlinearity:conv2d_6", (*WIDE, UNBIASED, NORM, RELU, *HEAD), "Insert Activation"),
    (
        "no-nonlinearity:conv2d_5",
        (*WIDE, (Repeat(3), PLAIN), MaxPooling2D(), *HEAD),
        "Set activation to relu",
    ),
    (
        "no-nonlinearity:dense_1",
        (*WIDE, GlobalAveragePooling2D(), Dense(20), Dense(10)),
        "Set activation to relu",
    ),
    (
        "bias-before-batch-normalization:conv2d_5",
        (*WIDE, PLAIN, NORM, Activation(), *HEAD),
        "Turn off its bias",
    ),
    (
        "heavy-dense:dense_1",
        (*WIDE, Flatten(), Dropout(), Dense(500, "relu"), Dense(10)),
        "Replace Flatten with GlobalAveragePooling2D",
    ),
    (
        "dropout-before-normalization:dropout_1",
        (*WIDE, Dropout(), Activation(), NORM, *HEAD),
        "Move after BatchNormalization",
    ),
    (
        "activation-on-output:dense_1",
        (*WIDE, GlobalAveragePooling2D(), Dense(10, "relu")),
        "Set activation to linear",
    ),
    ("activation-on-output:activation_1", (*WIDE, *HEAD, Activation("sigmoid")), "Remove it"),
    (
        "softmax-twice:dense_1",
        (*WIDE, GlobalAveragePooling2D(), Dense(10, "softmax"), Activation("softmax")),
        "Set activation to linear",
    ),
    ("softmax-twice:activation_1", (*WIDE, *HEAD, Activation("softmax"), Dropout()), "Remove it"),
    ("softmax-inside:conv2d_5", (*WIDE, Conv2D(8, activation="softmax"), *HEAD), "Set activation to relu"),
    ("small-receptive-field:conv2d_2", (RELU, RELU, *HEAD), ""),
    ("pooling-twice:max_pooling2d_3", (*WIDE, AveragePooling2D(), MaxPooling2D(), *HEAD), "Remove it"),
    ("high-dropout:dropout_1", (*WIDE, GlobalAveragePooling2D(), Dropout(0.8), Dense(10)), "Set rate to 0.5"),
    (
        "skipped-pixels:conv2d_5",
        (*WIDE, Conv2D(8, (1, 1), (2, 2), activation="relu"), *HEAD),
        "Enlarge its window to 2 × 2",
    ),
    (
        "skipped-pixels:max_pooling2d_3",
        (*WIDE, MaxPooling2D((2, 1), (2, 2)), *HEAD),
        "Enlarge its window to 2 × 2",
    ),
    (
        "wide-stride:conv2d_1",
        (Conv2D(8, (11, 11), (4, 4), activation="relu"), RELU, *HEAD),
        "Set strides to 2 × 2",
    ),
    ("activation-twice:activation_1", (*WIDE, Activation(), *HEAD), "Remove it"),
    ("activation-twice:activation_1", (*WIDE, (Residual(), RELU), Activation(), *HEAD), "Remove it"),
    (
        "saturating-activation:conv2d_5",
        (*WIDE, Conv2D(8, activation="tanh"), *HEAD),
        "Set activation to relu",
    ),
    ("dropout-on-scores:dropout_1", (*WIDE, *HEAD, Dropout()), "Remove it"),
    ("normalized-twice:batch_normalization_2", (*WIDE, NORM, NORM, *HEAD), "Remove it"),
    ("deep-without-normalization", (*WIDE, *[RELU] * 8, *HEAD), ""),
]


@pytest.mark.parametrize(("key", "items", "label"), CASES, ids=range(len(CASES)))
def test_advice_comes_with_its_fix(key: str, items: tuple[Item, ...], label: str) -> None:
    value = network(*items)
    found = {advice.key: advice for advice in advise(analyze(value, classes=10))}
    assert key in found, list(found)
    fix = found[key].fix
    assert (fix.label if fix else "") == label


@pytest.mark.parametrize(
    "items",
    [
        (*WIDE, *HEAD),
        (*WIDE, GlobalAveragePooling2D(), Dense(10, "softmax")),
        (*WIDE, *HEAD, Activation("softmax")),
        (*WIDE, UNBIASED, NORM, Activation(), RELU, *HEAD),
        (*WIDE, RELU, MaxPooling2D(), PLAIN, Activation("gelu"), *HEAD),
        (*WIDE, (Residual(), UNBIASED, NORM, Activation(), UNBIASED, NORM), RELU, *HEAD),
        (*WIDE, (Repeat(3), PLAIN, Activation()), *HEAD),
        (*WIDE, (Parallel(), PLAIN, (Block(), RELU, PLAIN)), NORM, *HEAD),
        (*WIDE, DepthwiseConv2D(padding="same"), RELU, *HEAD),
        (*WIDE, disabled(PLAIN), disabled(Dropout(0.9)), RELU, *HEAD),
        (*WIDE, GlobalAveragePooling2D(), Dropout(), Dense(10)),
        (*WIDE, Dropout(), UNBIASED, NORM, Activation(), *HEAD),
        (*WIDE, UNBIASED, Dropout(), LayerNormalization(), Activation(), *HEAD),
        (Conv2D(8, (17, 17), padding="same", activation="relu"), *HEAD),
        (Flatten(), Dense(10)),
        (Flatten(), Dense(20, "softmax")),
    ],
    ids=range(16),
)
def test_a_sound_network_gets_no_advice(items: tuple[Item, ...]) -> None:
    assert keys(*items) == []


def test_a_softmax_after_another_activation_is_that_of_the_classifier() -> None:
    found = keys(*WIDE, GlobalAveragePooling2D(), Dense(10, "relu"), Activation("softmax"))
    assert found == ["activation-on-output:dense_1"]


def test_layers_in_a_block_are_neighbors_of_the_layers_around_it() -> None:
    assert keys(*WIDE, (Block(), PLAIN), (Block(), (Block(),), RELU), *HEAD) == ["no-nonlinearity:conv2d_5"]


def test_a_branch_is_a_separate_path() -> None:
    found = keys(*WIDE, (Parallel(), (Block(), PLAIN, RELU), PLAIN), *HEAD)
    assert found == ["no-nonlinearity:conv2d_5"]


def test_advice_follows_the_layer_list_and_advice_on_the_network_comes_last() -> None:
    found = keys(*WIDE, MaxPooling2D(), MaxPooling2D(), *[RELU] * 7, *HEAD, Dropout(0.9))
    assert found == [
        *("pooling-twice:max_pooling2d_4", "high-dropout:dropout_1", "dropout-on-scores:dropout_1"),
        "deep-without-normalization",
    ]


def test_the_output_gets_no_advice_unless_it_is_a_vector_of_scores() -> None:
    assert keys(Conv2D(8, (9, 9), activation="relu")) == []
    assert keys() == []


@given(networks())
def test_advice_on_any_network_is_unique_stable_and_in_sentences(value: Network) -> None:
    analysis = analyze(value, classes=10)
    found = advise(analysis)
    assert len({advice.key for advice in found}) == len(found)
    assert found == advise(analyze(value, classes=10))
    for advice in found:
        assert advice.node_id is None or value.node(advice.node_id).is_active
        assert advice.why.endswith(".")
        assert advice.why.count(". ") <= 1
        assert not advice.message.endswith(".")


def is_settled(value: Network, advice: Advice) -> bool:
    return advice not in advise(analyze(apply_fix(value, advice), classes=10))


@given(networks())
def test_applying_the_fix_removes_the_advice(value: Network) -> None:
    for advice in advise(analyze(value, classes=10)):
        assert advice.fix is None or is_settled(value, advice)


@pytest.mark.parametrize(("key", "items"), [case[:2] for case in CASES if case[2]], ids=range(len(CASES) - 2))
def test_applying_the_fix_causes_no_problem(key: str, items: tuple[Item, ...]) -> None:
    value = network(*items)
    found = {advice.key: advice for advice in advise(analyze(value, classes=10))}
    assert analyze(apply_fix(value, found[key]), classes=10).problems == ()
    assert is_settled(value, found[key])
