"""Networks to train in tests."""

from __future__ import annotations

from cnnstudio.design.network import IdGenerator, Network, Node
from cnnstudio.layers.base import Layer, Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.groups.residual import Residual
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.layers.pooling.global_average_pooling2d import GlobalAveragePooling2D
from cnnstudio.layers.pooling.max_pooling2d import MaxPooling2D
from cnnstudio.layers.regularization.dropout import Dropout


def network(*layers: Layer, input: Shape | None = None, name: str = "Test") -> Network:
    """Layers in sequence."""
    ids = IdGenerator()
    return Network(input or Shape.of(3, 32, 32), tuple(map(ids.node, layers)), name)


def lesson() -> Network:
    """The lesson's network, with the Flatten that its listing forgets."""
    return network(
        *(Conv2D(32, activation="relu"), MaxPooling2D()),
        *(Conv2D(64, activation="relu"), MaxPooling2D()),
        *(Flatten(), Dense(128, activation="relu"), Dense(10, activation="softmax")),
        name="Lesson",
    )


def tiny(classes: int = 3, *, dropout: bool = False) -> Network:
    """Learns 8 × 8 images in a moment; with BatchNormalization, and with dropout if asked for."""
    return network(
        *(Conv2D(8, padding="same"), BatchNormalization()),
        *(Conv2D(8, activation="relu"), MaxPooling2D(), Flatten()),
        *([Dropout(0.3)] if dropout else []),
        Dense(classes),
        input=Shape.of(3, 8, 8),
        name="Tiny",
    )


def small_resnet() -> Network:
    """Residual groups outside and inside a Repeat."""
    ids = IdGenerator()
    stem = ids.node(Conv2D(8, padding="same"))
    halving = ids.node(Conv2D(12, padding="same", strides=(2, 2)))
    first = ids.node(Residual(shortcut="projection"), children=(halving,))
    inner = (ids.node(Conv2D(12, padding="same")), ids.node(BatchNormalization()))
    repeat = ids.node(Repeat(2), children=(ids.node(Residual(), children=inner),))
    ending: tuple[Node, ...] = (ids.node(GlobalAveragePooling2D()), ids.node(Dense(10)))
    return Network(Shape.of(3, 16, 16), (stem, first, repeat, *ending), "Small ResNet")
