"""Six sound networks of different kinds, to which faults are added; and edits that add them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cnnstudio.design import edits
from cnnstudio.design.network import Network, Node, Place
from cnnstudio.layers.base import Layer, Role
from cnnstudio.layers.basic.activation import Activation
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.convolutional.separable_conv2d import SeparableConv2D
from cnnstudio.layers.groups.residual import Residual
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.layers.pooling.average_pooling2d import AveragePooling2D
from cnnstudio.layers.pooling.global_average_pooling2d import GlobalAveragePooling2D
from cnnstudio.layers.pooling.max_pooling2d import MaxPooling2D
from cnnstudio.layers.regularization.dropout import Dropout
from tests.design.builders import Item, network

SIZE = 16
"""Width and height of the images. Everything here is trained a thousand times."""
CLASSES = 10


def conv(filters: int, activation: str = "relu", **values: object) -> Conv2D:
    """A convolution that keeps the size, unless `values` say otherwise."""
    return Conv2D(filters, activation=activation, **{"padding": "same", **values})  # type: ignore[arg-type]  # the layer checks them


def unbiased(filters: int) -> Conv2D:
    """A convolution for a normalization after it."""
    return Conv2D(filters, padding="same", use_bias=False)


def _sized(*items: Item) -> Network:
    return network(*items, input=(3, SIZE, SIZE))


LESSON = _sized(
    *(conv(10), MaxPooling2D(), conv(20), MaxPooling2D()),
    *(Flatten(), Dense(64, "relu"), Dense(CLASSES, "softmax")),
)
NORMALIZED = _sized(
    *(unbiased(10), BatchNormalization(), Activation(), MaxPooling2D()),
    *(unbiased(20), BatchNormalization(), Activation(), MaxPooling2D()),
    *(conv(20), GlobalAveragePooling2D(), Dense(CLASSES)),
)
RESIDUAL = _sized(
    *(conv(10), MaxPooling2D()),
    (Residual(), unbiased(10), BatchNormalization(), Activation(), conv(10, "linear")),
    *(conv(20), MaxPooling2D(), Flatten(), Dense(CLASSES)),
)
STRIDED = _sized(
    *(conv(10, strides=(2, 2)), conv(20, strides=(2, 2)), conv(20)),
    *(Flatten(), Dense(CLASSES)),
)
SEPARABLE = _sized(
    *(conv(10), MaxPooling2D(), SeparableConv2D(20, padding="same", activation="relu"), MaxPooling2D()),
    *(Flatten(), Dropout(0.3), Dense(CLASSES)),
)
SMOOTH = _sized(
    *(conv(10, "gelu", kernel_size=(5, 5)), AveragePooling2D(), conv(20, "gelu"), AveragePooling2D()),
    *(Flatten(), Dense(48, "gelu"), Dense(CLASSES)),
)
BASES = (LESSON, NORMALIZED, RESIDUAL, STRIDED, SEPARABLE, SMOOTH)


def _insert(value: Network, index: int, layers: Iterable[Layer]) -> Network:
    fresh = value.fresh_ids()
    return edits.insert(value, Place(None, index), [fresh.node(layer) for layer in layers])


def _index(value: Network, is_wanted: Callable[[Layer], bool]) -> int:
    return next(index for index, node in enumerate(value.nodes) if is_wanted(node.layer))


def at_start(value: Network, *layers: Layer) -> Network:
    return _insert(value, 0, layers)


def head_index(value: Network) -> int:
    """Where the feature maps become a vector."""
    return _index(value, lambda layer: isinstance(layer, Flatten | GlobalAveragePooling2D))


def before_head(value: Network, *layers: Layer) -> Network:
    return _insert(value, head_index(value), layers)


def with_head(value: Network, *layers: Layer) -> Network:
    """Everything from the first flat layer on replaced."""
    index = head_index(value)
    return _insert(edits.remove(value, [node.id for node in value.nodes[index:]]), index, layers)


def output(value: Network) -> Node:
    """The last dense layer."""
    return next(node for node in reversed(value.nodes) if isinstance(node.layer, Dense))


def before_output(value: Network, *layers: Layer) -> Network:
    return _insert(value, value.place(output(value).id).index, layers)


def at_end(value: Network, *layers: Layer) -> Network:
    return _insert(value, len(value.nodes), layers)


def after_first(value: Network, role: Role, *layers: Layer) -> Network:
    """Behind the first layer of that role."""
    return _insert(value, _index(value, lambda layer: layer.role is role) + 1, layers)


def with_output(value: Network, **values: object) -> Network:
    node = output(value)
    return edits.replace(value, node.id, layer=node.layer.with_values(values))


def with_values(value: Network, role: Role, **values: object) -> Network:
    """All layers of that role changed, except the last dense layer."""
    for node in [each for each in value.walk() if each.layer.role is role]:
        if node.id != output(value).id:
            value = edits.replace(value, node.id, layer=node.layer.with_values(values))
    return value


def without(value: Network, *roles: Role) -> Network:
    """Without the layers of those roles."""
    return edits.remove(value, [node.id for node in value.walk() if node.layer.role in roles])
