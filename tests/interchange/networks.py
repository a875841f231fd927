"""Networks drawn by hypothesis that have no problems, groups included."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from cnnstudio.design.analysis import analyse
from cnnstudio.design.network import IdMaker, Network, Node
from cnnstudio.layers.activation import Activation
from cnnstudio.layers.activations import ACTIVATIONS
from cnnstudio.layers.average_pooling2d import AveragePooling2D
from cnnstudio.layers.base import Group, Layer, Shape
from cnnstudio.layers.batch_normalization import BatchNormalization
from cnnstudio.layers.block import Block
from cnnstudio.layers.conv2d import Conv2D
from cnnstudio.layers.dense import Dense
from cnnstudio.layers.dropout import Dropout
from cnnstudio.layers.flatten import Flatten
from cnnstudio.layers.max_pooling2d import MaxPooling2D
from cnnstudio.layers.parallel import Parallel
from cnnstudio.layers.repeat import Repeat
from cnnstudio.layers.residual import Residual

_sizes = st.tuples(st.integers(1, 3), st.integers(1, 3))
_paddings = st.sampled_from(["valid", "same"])
_activations = st.sampled_from(ACTIVATIONS)
_layers: st.SearchStrategy[Layer] = st.one_of(
    st.builds(
        Conv2D,
        filters=st.sampled_from([2, 4]),
        kernel_size=_sizes,
        strides=_sizes,
        padding=_paddings,
        dilation_rate=_sizes,
        groups=st.sampled_from([1, 2]),
        activation=_activations,
        use_bias=st.booleans(),
    ),
    st.builds(MaxPooling2D, pool_size=_sizes, strides=st.none() | _sizes, padding=_paddings),
    st.builds(AveragePooling2D, pool_size=_sizes, strides=st.none() | _sizes, padding=_paddings),
    st.builds(Activation, activation=_activations),
    st.just(BatchNormalization()),
    st.just(Dropout(0.3)),
)
_groups: st.SearchStrategy[Group] = st.one_of(
    st.builds(Repeat, times=st.integers(1, 3)),
    st.just(Block()),
    st.builds(Parallel, mode=st.sampled_from(["concat", "add"])),
    st.builds(Residual, shortcut=st.sampled_from(["identity", "projection"]), activation=_activations),
)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """A few layers and groups, some of them switched off, then Flatten and Dense."""
    ids = IdMaker()
    shape = Shape.of(draw(st.sampled_from([1, 2, 3])), draw(st.integers(9, 12)), draw(st.integers(9, 12)))
    body = _accepted(shape, [_node(draw, ids, depth=0) for _ in range(draw(st.integers(0, 5)))])
    scores = Dense(3, activation=draw(st.sampled_from(["linear", "softmax"])))
    return Network(shape, (*body, ids.node(Flatten()), ids.node(scores)), "Drawn")


def _node(draw: st.DrawFn, ids: IdMaker, depth: int) -> Node:
    group = draw(_groups) if depth < 2 and draw(st.booleans()) else None
    if group is None:
        layer = draw(_layers)
        return Node(ids(layer), layer, enabled=draw(st.integers(0, 9)) > 0)
    fewest = 0 if group.transparent else 1
    children = [_node(draw, ids, depth + 1) for _ in range(draw(st.integers(fewest, 3)))]
    return Node(ids(group), group, enabled=draw(st.integers(0, 9)) > 0, children=tuple(children))


def _accepted(shape: Shape, nodes: Sequence[Node]) -> list[Node]:
    """Those of the nodes that can follow one another; the others are left out."""
    kept: list[Node] = []
    for node in nodes:
        fitting = Network(shape, (*kept, node, Node("flatten_99", Flatten())))
        if not analyse(fitting).problems:
            kept.append(node)
    return kept
