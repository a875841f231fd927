"""Listings give the very scores that Keras gives with the same weights: equal counts hide lost shortcuts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from cnnstudio.interchange.reading import read_code
from cnnstudio.training.model import build_model
from tests.interchange.keras.reference import (
    Array,
    Keras,
    average_pool,
    flatten,
    global_average,
    max_pool,
    relu,
    sigmoid,
)

KERAS_1 = """
from keras.layers import Activation, BatchNormalization, Convolution2D, Dense, Flatten, MaxPooling2D
from keras.models import Sequential
net = Sequential()
net.add(Convolution2D(6, 3, 5, border_mode="same", subsample=(2, 2), input_shape=(11, 12, 3)))
net.add(BatchNormalization())
net.add(Activation("relu"))
net.add(Convolution2D(nb_filter=4, nb_row=2, nb_col=3, activation="relu", bias=False))
net.add(MaxPooling2D((2, 2), border_mode="same"))
net.add(Flatten())
net.add(Dense(output_dim=7, init="he_normal", activation="relu"))
net.add(Dense(5, activation="softmax"))
net.fit(x, y, nb_epoch=3)
"""


def keras_1(keras: Keras, x: Array) -> Array:
    x = relu(keras.batch_norm(keras.conv(x, 6, (3, 5), strides=2, padding="same")))
    x = relu(keras.conv(x, 4, (2, 3), bias=False))
    x = max_pool(x, padding="same")
    x = relu(keras.dense(flatten(x), 7, of_image=x.shape[1:]))
    return keras.dense(x, 5)


DATA_SHAPE = """
import numpy as np
from keras import backend as K
from keras.datasets import mnist
from keras.layers import *
from keras.models import Sequential
(images, labels), (test_images, test_labels) = mnist.load_data()
if K.image_data_format() == "channels_first":
    images = images.reshape(images.shape[0], 1, 28, 28)
    shape = (1, 28, 28)
else:
    images = images.reshape(images.shape[0], 28, 28, 1)
    shape = images.shape[1:]
images = images.astype("float32") / 255
model = Sequential([Conv2D(4, 5, strides=3, input_shape=shape), ReLU(), AveragePooling2D(), Flatten()])
model.add(Dense(len(np.unique(labels)), activation="softmax"))
"""


def data_shape(keras: Keras, x: Array) -> Array:
    x = average_pool(relu(keras.conv(x, 4, 5, strides=3)))
    return keras.dense(flatten(x), 10, of_image=x.shape[1:])


SUBCLASS = """
import tensorflow as tf
from tensorflow.keras.layers import BatchNormalization, Conv2D, Dense, Dropout, GlobalAveragePooling2D, Layer
class Unit(Layer):
    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.first = Conv2D(filters, 3, padding="same", use_bias=False)
        self.norm = BatchNormalization()
    def build(self, input_shape):
        self.change = None
        if input_shape[-1] != self.filters:
            self.change = Conv2D(self.filters, 1)
    def call(self, inputs, training=None):
        x = tf.nn.relu(self.norm(self.first(inputs), training=training))
        skip = inputs if self.change is None else self.change(inputs)
        return x + skip
class Net(tf.keras.Model):
    def __init__(self, classes=4):
        super().__init__()
        self.units = [Unit(3), Unit(5)]
        self.drop = Dropout(0.5)
        self.pool = GlobalAveragePooling2D()
        self.scores = Dense(classes)
    def call(self, x, training=False):
        for unit in self.units:
            x = unit(x)
        x = self.pool(x)
        if training:
            x = self.drop(x)
        return self.scores(x)
net = Net()
net.build((None, 9, 8, 3))
"""


def subclass(keras: Keras, x: Array) -> Array:
    x = relu(keras.batch_norm(keras.conv(x, 3, 3, padding="same", bias=False))) + x
    main = relu(keras.batch_norm(keras.conv(x, 5, 3, padding="same", bias=False)))
    x = main + keras.conv(x, 5, 1)
    return keras.dense(global_average(x), 4)


FUNCTIONAL = """
import keras
from keras import layers, ops
def unit(x, filters):
    y = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False)(x)
    y = layers.BatchNormalization()(y)
    if x.shape[-1] != filters:
        x = layers.Conv2D(filters, 1, padding="same")(x)
    return layers.Activation("relu")(layers.add([y, x]))
inputs = keras.Input(shape=(8, 8, 3))
x = layers.Rescaling(1.0 / 255)(inputs)
x = unit(x, 3)
x = unit(x, 4)
a = layers.Conv2D(2, 1, activation="relu")(x)
b = layers.MaxPooling2D(3, strides=1, padding="same")(x)
x = ops.concatenate([a, b], axis=-1)
x = layers.Flatten()(x)
model = keras.Model(inputs, layers.Dense(3)(x))
"""


def functional(keras: Keras, x: Array) -> Array:
    y = keras.batch_norm(keras.conv(keras.depthwise(x, 3, padding="same"), 3, 1, bias=False))
    x = relu(y + x)
    y = keras.batch_norm(keras.conv(keras.depthwise(x, 3, padding="same"), 4, 1, bias=False))
    x = relu(y + keras.conv(x, 4, 1))
    x = np.concatenate([relu(keras.conv(x, 2, 1)), max_pool(x, 3, strides=1, padding="same")], axis=3)
    return keras.dense(flatten(x), 3, of_image=x.shape[1:])


BUILDER = """
from tensorflow.keras import Sequential
from tensorflow.keras.layers import Conv2D, Dense, Flatten, MaxPooling2D, Reshape
class LeNet:
    @staticmethod
    def build(height=12, width=12, depth=1, classes=6):
        model = Sequential(name="lenet")
        model.add(Reshape((height, width, depth), input_shape=(height * width * depth,)))
        for filters in (3, 4):
            model.add(Conv2D(filters, (3, 3), activation="relu", padding="same"))
            model.add(MaxPooling2D(pool_size=(2, 2), strides=(2, 2)))
        model.add(Flatten())
        model.add(Dense(classes, activation="softmax"))
        return model
"""


def builder(keras: Keras, x: Array) -> Array:
    x = max_pool(relu(keras.conv(x, 3, 3, padding="same")))
    x = max_pool(relu(keras.conv(x, 4, 3, padding="same")))
    return keras.dense(flatten(x), 6, of_image=x.shape[1:])


PRODUCTS = """
import tensorflow as tf
from tensorflow.keras import layers, Model, Input
def squeeze(x, ratio):
    channels = x.shape[-1]
    y = layers.GlobalAveragePooling2D()(x)
    y = layers.Reshape((1, 1, channels))(y)
    y = layers.Dense(channels // ratio, activation="relu")(y)
    y = layers.Dense(channels, activation="sigmoid")(y)
    return layers.Multiply()([x, y])
start = Input((6, 7, 3))
x = layers.Conv2D(8, 3)(start)
x = x * tf.nn.sigmoid(x)
x = squeeze(x, 4)
x = layers.Lambda(lambda t: tf.nn.relu(0.5 * t))(x)
x = layers.Flatten()(x)
model = Model(start, layers.Dense(3)(x))
"""


def products(keras: Keras, x: Array) -> Array:
    x = keras.conv(x, 8, 3)
    x = x * sigmoid(x)
    weights = sigmoid(keras.dense(relu(keras.dense(global_average(x), 2)), 8))
    x = relu(0.5 * x * weights[:, None, None])
    return keras.dense(flatten(x), 3, of_image=x.shape[1:])


POINTWISE = """
from keras import layers, Model
start = layers.Input((6, 7, 3))
x = layers.Conv2D(8, 3)(start)
x = layers.GlobalAveragePooling2D(keepdims=True)(x)
x = layers.Conv2D(4, 1, activation="relu")(x)
x = layers.GlobalMaxPooling2D()(x)
x = layers.Reshape((1, 1, 4))(x)
x = layers.Dropout(0.1)(x)
x = layers.Conv2D(5, (1, 1))(x)
x = layers.Reshape((5,))(x)
model = Model(start, layers.Activation("softmax")(x))
"""


def pointwise(keras: Keras, x: Array) -> Array:
    x = global_average(keras.conv(x, 8, 3))[:, None, None]
    x = relu(keras.conv(x, 4, 1))
    return keras.conv(x, 5, 1)[:, 0, 0]


OPERATIONS = """
from keras import layers, ops, Model
start = layers.Input((7, 8, 3))
x = layers.Conv2D(6, 3)(start)
x = layers.Subtract()([x, layers.Conv2D(6, 1)(x)])
x = layers.Average()([x, layers.Conv2D(6, 1)(x)])
x = ops.maximum(x, 0)
x = ops.multiply(-x - 0.5 * layers.Conv2D(6, 1)(x), 3)
x = ops.clip(x, 0, 6)
x = ops.pad(x, [[0, 0], [1, 0], [0, 2], [0, 0]])
x = x[:, ::2, ::2][..., :6]
x = layers.Add()([x, x])
x = layers.Conv2D(4, 2)(x)
x = ops.max(x, axis=[1, 2])
model = Model(start, layers.Dense(3)(x))
"""


def operations(keras: Keras, x: Array) -> Array:
    x = keras.conv(x, 6, 3)
    x = x - keras.conv(x, 6, 1)
    x = relu((x + keras.conv(x, 6, 1)) / 2)
    x = np.clip(3 * (-x - 0.5 * keras.conv(x, 6, 1)), 0, 6)
    x = np.pad(x, [(0, 0), (1, 0), (0, 2), (0, 0)])[:, ::2, ::2]
    x = keras.conv(2 * x, 4, 2).max(axis=(1, 2))
    return keras.dense(x, 3)


PARTS = """
import tensorflow as tf
from tensorflow.keras.layers import *
start = Input((9, 8, 3))
x = Conv2D(8, 3)(start)
kept, changed = tf.split(x, num_or_size_splits=2, axis=-1)
changed = Conv2D(4, 3, padding="same", activation="relu")(changed)
x = Concatenate()([changed, kept])
a, b = tf.split(x, [3, 5], axis=-1)
x = Concatenate()([b, ReLU()(a)])
height, width, channels = x.shape[1:]
x = Reshape((height, width, 2, channels // 2))(x)
x = Reshape(target_shape=(height, width, channels))(Permute((1, 2, 4, 3))(x))
x = GlobalAveragePooling2D()(x[..., 2:])
net = tf.keras.Model(start, Dense(5)(x))
"""


def parts(keras: Keras, x: Array) -> Array:
    x = keras.conv(x, 8, 3)
    changed = relu(keras.conv(x[..., 4:], 4, 3, padding="same"))
    x = np.concatenate([changed, x[..., :4]], axis=3)
    x = np.concatenate([x[..., 3:], relu(x[..., :3])], axis=3)
    x = x.reshape(*x.shape[:3], 2, 4).swapaxes(3, 4).reshape(x.shape)
    return keras.dense(global_average(x[..., 2:]), 5)


@pytest.mark.parametrize(
    ("listing", "reference", "notes"),
    [
        (KERAS_1, keras_1, 0),
        (DATA_SHAPE, data_shape, 0),
        (SUBCLASS, subclass, 0),
        (FUNCTIONAL, functional, 1),
        (BUILDER, builder, 0),
        (PRODUCTS, products, 0),
        (POINTWISE, pointwise, 0),
        (OPERATIONS, operations, 0),
        (PARTS, parts, 0),
    ],
    ids=[
        *("keras-1", "data-shape", "subclass", "functional", "builder", "products", "pointwise"),
        *("operations", "parts"),
    ],
)
def test_the_scores_are_those_of_keras(
    listing: str, reference: Callable[[Keras, Array], Array], notes: int
) -> None:
    found = read_code(listing)
    channels, height, width = found.network.input.dims
    images = np.random.default_rng(1).normal(size=(3, height, width, channels))
    keras = Keras()
    expected = reference(keras, images)
    model = build_model(found.network, reorder=False).double().eval()
    keras.copy_into(model)
    with torch.no_grad():
        scores = model(torch.tensor(images.transpose(0, 3, 1, 2))).numpy()
    assert scores.shape == expected.shape
    np.testing.assert_allclose(scores, expected, atol=1e-9)
    assert len(found.notes) == notes


def test_two_classes_have_the_probabilities_of_one_sigmoid_unit() -> None:
    found = read_code(
        "import keras\nfrom keras.layers import *\n"
        "m = keras.Sequential([Flatten(input_shape=(4, 4, 3)), Dense(1, activation='sigmoid')])"
    )
    model = build_model(found.network, reorder=False).double()
    (linear,) = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    images = torch.randn(5, 3, 4, 4, dtype=torch.float64)
    with torch.no_grad():
        linear.weight[0], linear.bias[0] = 0.0, 0.0
        expected = torch.sigmoid(images.flatten(1) @ linear.weight[1] + linear.bias[1])
        assert torch.allclose(model(images).softmax(dim=1)[:, 1], expected)
