"""For each rule of the advice: a fault to add to sound networks, and what resembles it and is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from cnnstudio.design import edits
from cnnstudio.design.network import Network, Place
from cnnstudio.layers.base import Role
from cnnstudio.layers.basic.activation import Activation
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.convolutional.depthwise_conv2d import DepthwiseConv2D
from cnnstudio.layers.groups.residual import Residual
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.layers.normalization.group_normalization import GroupNormalization
from cnnstudio.layers.pooling.average_pooling2d import AveragePooling2D
from cnnstudio.layers.pooling.max_pooling2d import MaxPooling2D
from cnnstudio.layers.regularization.dropout import Dropout
from tests.advice.bases import (
    CLASSES,
    after_first,
    at_end,
    at_start,
    before_head,
    before_output,
    conv,
    unbiased,
    with_head,
    with_output,
    with_values,
    without,
)

Promise = Literal["accuracy", "no worse", "same accuracy for less", "less"]
"""What following a tip brings: a network that learns better, one that learns as well, one that costs less and
learns as well, or one that costs less."""

Change = Callable[[Network, int], Network]
"""A changed network. The number of the base, from 0, varies the change."""


def unchanged(value: Network, number: int) -> Network:
    return value


@dataclass(frozen=True)
class Tip:
    """One rule of the advice, and what to try it on."""

    rule: str
    promise: Promise
    fault: Change
    near_miss: Change
    by_hand: Change = unchanged
    """What the tip says, where it has no fix."""


def _plain(value: Network, number: int) -> Network:
    """Three networks without any nonlinearity, and three in which one is missing."""
    if number % 2:
        return before_head(value, conv(20, "linear"), conv(20))
    linear = with_values(without(value, Role.ACTIVATION, Role.POOLING), Role.LINEAR, activation="linear")
    return after_first(linear, Role.LINEAR, AveragePooling2D((4, 4)))


def _separately_activated(value: Network, number: int) -> Network:
    if number % 2:
        return at_start(value, DepthwiseConv2D(padding="same"), conv(8))
    return at_start(value, conv(8, "linear"), Activation(("relu", "gelu", "tanh")[number // 2]))


def _biased(value: Network, number: int) -> Network:
    layers = (conv(8 + 4 * number, "linear"), BatchNormalization(), Activation())
    return before_head(value, *layers) if number % 2 else at_start(value, *layers)


def _bias_that_counts(value: Network, number: int) -> Network:
    if number % 2:
        return at_start(value, conv(8), BatchNormalization())
    return at_start(value, unbiased(8), BatchNormalization(), Activation())


def _wide_dense(value: Network, number: int) -> Network:
    return with_head(value, Flatten(), Dense(512 + 128 * number, "relu"), Dense(CLASSES))


def _narrow_dense(value: Network, number: int) -> Network:
    return with_head(value, Flatten(), Dense(8 + 8 * number, "relu"), Dense(CLASSES))


def _dropout_first(value: Network, number: int) -> Network:
    dropout = Dropout(0.2 + 0.1 * (number % 4))
    return before_head(value, dropout, unbiased(20), dropout, BatchNormalization(), Activation())


def _dropout_last(value: Network, number: int) -> Network:
    return before_head(value, unbiased(20), BatchNormalization(), Activation(), Dropout(0.3))


def _activated_output(value: Network, number: int) -> Network:
    activation = ("relu", "sigmoid", "tanh")[number % 3]
    if number < 3:
        return with_output(value, activation=activation)
    return at_end(with_output(value, activation="linear"), Activation(activation))


def _softmax_output(value: Network, number: int) -> Network:
    if number % 2:
        return with_output(value, activation="softmax")
    return at_end(with_output(value, activation="linear"), Activation("softmax"))


def _softmax_twice(value: Network, number: int) -> Network:
    return at_end(with_output(value, activation="softmax"), Activation("softmax"))


def _softmax_inside(value: Network, number: int) -> Network:
    if number % 2:
        return before_head(value, Activation("softmax"))
    return after_first(value, Role.LINEAR, Activation("softmax"))


def _short_sighted(value: Network, number: int) -> Network:
    groups = [node.id for node in value.nodes if isinstance(node.layer, Residual)]
    plain = without(edits.remove(value, groups), Role.POOLING)
    return with_values(plain, Role.LINEAR, strides=(1, 1))


def _wide_kernel(value: Network, number: int) -> Network:
    return at_start(_short_sighted(value, number), conv(8, kernel_size=(7 + 2 * (number % 2),) * 2))


def _with_pooling(value: Network, number: int) -> Network:
    """Behind each convolution but the last, as far as the images go."""
    pooled = after_first(value, Role.LINEAR, MaxPooling2D())
    return before_head(pooled, MaxPooling2D(), conv(20))


def _pooled_twice(value: Network, number: int) -> Network:
    pooling = (AveragePooling2D, MaxPooling2D)[number % 2]()
    if any(node.layer.role is Role.POOLING for node in value.nodes):
        return after_first(value, Role.POOLING, pooling)
    return at_start(value, MaxPooling2D(), pooling)


def _pooled_apart(value: Network, number: int) -> Network:
    return at_start(value, conv(8), MaxPooling2D(), conv(8), MaxPooling2D(), conv(8))


def _too_much_dropout(value: Network, number: int) -> Network:
    return before_output(without(value, Role.DROPOUT), Dropout(0.75 + 0.03 * number))


def _usual_dropout(value: Network, number: int) -> Network:
    return before_output(without(value, Role.DROPOUT), Dropout(0.2 + 0.1 * number))


def _skipped(value: Network, number: int) -> Network:
    if number % 2:
        return at_start(value, MaxPooling2D((1, 1), (2, 2)))
    return at_start(value, Conv2D(8 + number, (1, 1), (2, 2), activation="relu"))


def _covered(value: Network, number: int) -> Network:
    if number % 2:
        return at_start(value, MaxPooling2D((2, 2), (2, 2)))
    return at_start(value, Conv2D(8 + number, (2 + number // 2,) * 2, (2, 2), activation="relu"))


def _strode(stride: int) -> Change:
    def change(value: Network, number: int) -> Network:
        first = next(node for node in value.nodes if node.layer.role is Role.LINEAR)
        side = stride + number % 3
        changed = first.layer.with_values({"strides": (stride, stride), "kernel_size": (side, side)})
        return edits.replace(value, first.id, layer=changed)

    return change


def _activated_twice(value: Network, number: int) -> Network:
    second = ("relu", "tanh", "sigmoid")[number % 3]
    return at_start(value, conv(10), Activation(second))


def _saturating(value: Network, number: int) -> Network:
    activation = ("tanh", "sigmoid")[number % 2]
    deep = before_head(value, *[conv(20) for _ in range(4 + number // 2)])
    for role in (Role.LINEAR, Role.ACTIVATION):
        deep = with_values(deep, role, activation=activation)
    return deep


def _shallow_tanh(value: Network, number: int) -> Network:
    return with_values(value, Role.LINEAR, activation="tanh")


def _dropped_scores(value: Network, number: int) -> Network:
    return at_end(with_output(value, activation="linear"), Dropout(0.2 + 0.1 * (number % 4)))


def _normalized_twice(value: Network, number: int) -> Network:
    second = (BatchNormalization(), GroupNormalization(4))[number % 2]
    return before_head(value, unbiased(20), BatchNormalization(), second, Activation())


def _normalized_once(value: Network, number: int) -> Network:
    only = (BatchNormalization(), GroupNormalization(4))[number % 2]
    return before_head(value, unbiased(20), only, Activation())


def _deep(value: Network, number: int) -> Network:
    plain = without(value, Role.NORMALIZATION)
    return before_head(plain, *[conv(10) for _ in range(9 + number)])


def _normalized(value: Network, number: int) -> Network:
    """A normalization behind each of the convolutions that were added."""
    for node in value.nodes:
        if node.layer == conv(10):
            index = value.place(node.id).index + 1
            norm = value.fresh_ids().node(BatchNormalization())
            value = edits.insert(value, Place(None, index), [norm])
    return value


def _deep_normalized(value: Network, number: int) -> Network:
    return _normalized(_deep(value, number), number)


TIPS = (
    Tip("no-nonlinearity", "accuracy", _plain, _separately_activated),
    Tip("bias-before-batch-normalization", "same accuracy for less", _biased, _bias_that_counts),
    Tip("heavy-dense", "less", _wide_dense, _narrow_dense),
    Tip("dropout-before-normalization", "no worse", _dropout_first, _dropout_last),
    Tip("activation-on-output", "accuracy", _activated_output, _softmax_output),
    Tip("softmax-twice", "accuracy", _softmax_twice, _softmax_output),
    Tip("softmax-inside", "accuracy", _softmax_inside, _softmax_output),
    Tip("small-receptive-field", "accuracy", _short_sighted, _wide_kernel, _with_pooling),
    Tip("pooling-twice", "accuracy", _pooled_twice, _pooled_apart),
    Tip("high-dropout", "accuracy", _too_much_dropout, _usual_dropout),
    Tip("skipped-pixels", "accuracy", _skipped, _covered),
    Tip("wide-stride", "accuracy", _strode(4), _strode(2)),
    Tip("activation-twice", "accuracy", _activated_twice, _separately_activated),
    Tip("saturating-activation", "accuracy", _saturating, _shallow_tanh),
    Tip("dropout-on-scores", "accuracy", _dropped_scores, _usual_dropout),
    Tip("normalized-twice", "same accuracy for less", _normalized_twice, _normalized_once),
    Tip("deep-without-normalization", "accuracy", _deep, _deep_normalized, _normalized),
)
