"""Of several networks the one that is trained is read, with its own settings and data."""

from __future__ import annotations

import pytest

from cnnstudio.interchange.keras.reader import read_keras
from cnnstudio.layers.base import Shape

HEAD = "import keras\nfrom keras import layers\n"


@pytest.mark.parametrize("weights", ["dict(enumerate(w))", "w", "{0: w[0], 1: w[1]}"])
def test_class_weights_that_the_code_balances_are_those_of_the_recipe(weights: str) -> None:
    text = (
        "from sklearn.utils import class_weight\n"
        "w = class_weight.compute_class_weight('balanced', classes=[0, 1], y=labels)\n"
        f"m = keras.Sequential([layers.Dense(3)])\nm.fit(x, y, class_weight={weights})\n"
    )
    assert read_keras(HEAD + text).recipe == {"class_weights": "balanced"}


def test_other_class_weights_are_named_with_the_setting_that_there_is() -> None:
    text = "m = keras.Sequential([layers.Dense(3)])\nm.fit(x, y, class_weight={0: 1.0, 1: 5.0})\n"
    assert read_keras(HEAD + text).recipe == {}
    note = "class_weight is ignored: a recipe has balanced class weights or none (class_weights)"
    assert (4, note) in [(each.line, each.text) for each in read_keras(HEAD + text).notes]


SEVERAL = """
(x, y), _ = keras.datasets.mnist.load_data()
first = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10)])
first.compile("sgd", "sparse_categorical_crossentropy")
first.fit(x, y, epochs=3, batch_size=16)
first.fit(x, y, epochs=3, batch_size=16)
photos = keras.utils.image_dataset_from_directory("photos", image_size=(40, 40), batch_size=8)
second = keras.Sequential([keras.Input((40, 40, 3)), layers.RandomFlip("horizontal"), layers.Conv2D(4, 3)])
second.add(layers.Flatten())
second.add(layers.Dense(2))
second.compile("adam", "sparse_categorical_crossentropy")
second.fit(photos, epochs=5)
larger = keras.Sequential([keras.Input((9, 9, 1)), layers.Flatten(), *[layers.Dense(9) for _ in range(9)]])
"""


def test_of_several_trained_networks_the_largest_is_read_with_its_own_settings_and_data() -> None:
    found = read_keras(HEAD + SEVERAL)
    assert found.networks == ("second", "first", "larger")
    settings = {"batch_size": 8, "epochs": 5, "flip": "random", "optimizer": "adam", "learning_rate": 0.001}
    assert found.recipe == settings
    assert found.data is not None
    assert (found.data.name, found.data.line) == ("folder", 9)
    other = read_keras(HEAD + SEVERAL, "first")
    settings = {"batch_size": 16, "epochs": 3, "optimizer": "sgd", "learning_rate": 0.01}
    assert other.recipe == settings | {"momentum": 0.0, "weight_decay": 0.0}
    assert other.data is not None
    assert (other.data.name, other.data.line) == ("mnist", 4)


def test_of_equally_large_trained_networks_the_last_is_read() -> None:
    text = "".join(
        f"{name} = keras.Sequential([keras.Input((9, 9, 1)), layers.Flatten(), layers.Dense({units})])\n"
        f"{name}.compile('adam')\n{name}.fit(x, y)\n"
        for name, units in (("a", 2), ("b", 3))
    )
    assert read_keras(HEAD + text).networks == ("b", "a")


def test_tensorflow_names_of_optimizers_and_reshapes_are_read() -> None:
    text = (
        "import tensorflow as tf\n"
        "class Net(keras.Model):\n"
        "  def __init__(self):\n    super().__init__()\n    self.d = layers.Dense(10)\n"
        "  def call(self, x):\n"
        "    x = tf.reshape(x, [-1, 28, 28, 1])\n    return self.d(layers.Flatten()(x))\n"
        "net = Net()\noptimizer = tf.optimizers.Adam(0.01)\n"
    )
    found = read_keras(HEAD + text)
    assert found.network.input == Shape.of(1, 28, 28)
    assert found.recipe == {"optimizer": "adam", "learning_rate": 0.01}
    assert found.notes == ()


@pytest.mark.parametrize(
    "maker",
    [
        "layers.Conv2DTranspose(8, 5), layers.Conv2DTranspose(4, 5), layers.Conv2DTranspose(1, 5)",
        "layers.Dense(128), layers.Dense(64), layers.Dense(64), layers.Reshape((8, 8, 1))",
    ],
)
def test_of_a_gan_the_discriminator_is_read(maker: str) -> None:
    text = (
        f"generator = keras.Sequential([layers.Input((9,)), {maker}])\n"
        "discriminator = keras.Sequential([layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(1)])\n"
        "discriminator.build((None, 8, 8, 1))\n"
    )
    found = read_keras(HEAD + text)
    assert found.networks == ("discriminator", "generator")
    assert found.network.input == Shape.of(1, 8, 8)
