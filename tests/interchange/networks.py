"""Hypothesis strategies for networks without problems, including groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.network import IdGenerator, Network, Node
from cnnstudio.layers.activations import ACTIVATIONS
from cnnstudio.layers.base import Group, Layer, Shape
from cnnstudio.layers.basic.activation import Activation
from cnnstudio.layers.basic.channel_padding import ChannelPadding
from cnnstudio.layers.basic.channel_shuffle import ChannelShuffle
from cnnstudio.layers.basic.channel_slice import ChannelSlice
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.basic.scale import Scale
from cnnstudio.layers.basic.squeeze_excite import SqueezeExcite
from cnnstudio.layers.basic.up_sampling2d import UpSampling2D
from cnnstudio.layers.basic.zero_padding2d import ZeroPadding2D
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.convolutional.depthwise_conv2d import DepthwiseConv2D
from cnnstudio.layers.convolutional.separable_conv2d import SeparableConv2D
from cnnstudio.layers.convolutional.whitening import Whitening
from cnnstudio.layers.groups.block import Block
from cnnstudio.layers.groups.parallel import Parallel
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.groups.residual import Residual
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.layers.normalization.group_normalization import GroupNormalization
from cnnstudio.layers.normalization.layer_normalization import LayerNormalization
from cnnstudio.layers.pooling.average_pooling2d import AveragePooling2D
from cnnstudio.layers.pooling.max_pooling2d import MaxPooling2D
from cnnstudio.layers.regularization.dropout import Dropout
from cnnstudio.layers.regularization.spatial_dropout2d import SpatialDropout2D

_sizes = st.tuples(st.integers(1, 3), st.integers(1, 3))
_paddings = st.sampled_from(["valid", "same"])
_activations = st.sampled_from(ACTIVATIONS)
_sliding: dict[str, st.SearchStrategy[Any]] = {
    "kernel_size": _sizes,
    "strides": _sizes,
    "padding": _paddings,
    "dilation_rate": _sizes,
    "activation": _activations,
    "use_bias": st.booleans(),
    "kernel_initializer": st.sampled_from(["auto", "he_normal", "orthogonal", "dirac", "zeros"]),
    "kernel_l2": st.sampled_from([0.0, 0.0005]),
}
_parts = {"center": st.booleans(), "scale": st.booleans()}
_border = st.tuples(st.integers(0, 2), st.integers(0, 2))
_layers: st.SearchStrategy[Layer] = st.one_of(
    st.builds(Conv2D, filters=st.sampled_from([2, 4]), groups=st.sampled_from([1, 2]), **_sliding),
    st.builds(DepthwiseConv2D, depth_multiplier=st.integers(1, 2), **_sliding),
    st.builds(SeparableConv2D, filters=st.just(3), depth_multiplier=st.integers(1, 2), **_sliding),
    st.builds(MaxPooling2D, pool_size=_sizes, strides=st.none() | _sizes, padding=_paddings),
    st.builds(AveragePooling2D, pool_size=_sizes, strides=st.none() | _sizes, padding=_paddings),
    st.builds(Activation, activation=_activations),
    st.builds(BatchNormalization, **_parts),
    st.builds(LayerNormalization, **_parts),
    st.builds(GroupNormalization, groups=st.integers(1, 2), **_parts),
    st.builds(SqueezeExcite, ratio=st.integers(1, 3), activation=_activations),
    st.builds(Scale, factor=st.sampled_from([-0.5, 1 / 9, 2.0]), trainable=st.booleans()),
    st.builds(Whitening, kernel_size=_sizes, use_bias=st.booleans()),
    st.builds(ChannelShuffle, groups=st.integers(1, 2)),
    st.builds(ChannelSlice, start=st.integers(0, 1), channels=st.integers(1, 3)),
    st.builds(ChannelPadding, before=st.integers(0, 2), after=st.integers(0, 2)),
    st.builds(ZeroPadding2D, padding=st.tuples(_border, _border)),
    st.builds(UpSampling2D, size=_sizes, interpolation=st.sampled_from(["nearest", "bilinear"])),
    st.just(Dropout(0.3)),
    st.just(SpatialDropout2D(0.3)),
)
_groups: st.SearchStrategy[Group] = st.one_of(
    st.builds(Repeat, times=st.integers(1, 3)),
    st.just(Block()),
    st.builds(Parallel, mode=st.sampled_from(["concat", "add"])),
    st.builds(Residual, shortcut=st.sampled_from(["identity", "projection"]), activation=_activations),
)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """A few layers and groups, some of them disabled, then Flatten and Dense."""
    ids = IdGenerator()
    shape = Shape.of(draw(st.sampled_from([1, 2, 3])), draw(st.integers(9, 12)), draw(st.integers(9, 12)))
    body = _valid_sequence(shape, [_node(draw, ids, depth=0) for _ in range(draw(st.integers(0, 5)))])
    scores = Dense(3, activation=draw(st.sampled_from(["linear", "softmax"])))
    return Network(shape, (*body, ids.node(Flatten()), ids.node(scores)), "Drawn")


def _node(draw: st.DrawFn, ids: IdGenerator, depth: int) -> Node:
    group = draw(_groups) if depth < 2 and draw(st.booleans()) else None
    if group is None:
        layer = draw(_layers)
        return Node(ids(layer), layer, enabled=draw(st.integers(0, 9)) > 0)
    fewest = 0 if group.is_transparent else 1
    make = _branch if group.has_branches and draw(st.booleans()) else _node
    children = [make(draw, ids, depth + 1) for _ in range(draw(st.integers(fewest, 3)))]
    return Node(ids(group), group, enabled=draw(st.integers(0, 9)) > 0, children=tuple(children))


def _branch(draw: st.DrawFn, ids: IdGenerator, depth: int) -> Node:
    """A branch that keeps the image size, so that it can be joined with others."""
    sliding = {**_sliding, "strides": st.just((1, 1)), "padding": st.just("same")}
    convolution = draw(st.builds(Conv2D, filters=st.just(2), **sliding))
    last = Node(ids(convolution), convolution)
    if draw(st.booleans()):
        return last
    inside = [_node(draw, ids, 2)] if draw(st.booleans()) else []
    block = draw(st.sampled_from([Block(), Repeat(2)]))
    return Node(ids(block), block, children=(*inside, last) if draw(st.booleans()) else ())


def _valid_sequence(shape: Shape, nodes: Sequence[Node]) -> list[Node]:
    """The nodes that can follow one another, without the others."""
    kept: list[Node] = []
    for node in nodes:
        fitting = Network(shape, (*kept, node, Node("flatten_99", Flatten())))
        if not analyze(fitting).problems:
            kept.append(node)
    return kept
