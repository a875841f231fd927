"""Keras code by other people, read as a design."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cnnstudio.core.resources import resource
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.quick_fixes import apply_fix
from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.keras.reader import read_keras
from cnnstudio.interchange.reading import read_code
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.groups.residual import Residual
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.layers.pooling.max_pooling2d import MaxPooling2D
from tests.interchange.test_round_trips import layers_in

LESSON = [
    Conv2D(32, activation="relu"),
    MaxPooling2D(),
    Conv2D(64, activation="relu"),
    MaxPooling2D(),
    Dense(128, activation="relu"),
    Dense(10, activation="softmax"),
]


def layers_of(text: str) -> list[Any]:
    return [layer for layer, _ in layers_in(read_keras(text).network.nodes)]


@pytest.mark.parametrize(("name", "side"), [("keras-lesson-64", 64), ("keras-lesson-32", 32)])
def test_the_lesson_listing_is_read_and_its_missing_flatten_found(name: str, side: int) -> None:
    found = read_code(Path(resource(f"lessons/{name}.py")).read_text(encoding="utf-8"))
    assert [node.layer for node in found.network.nodes] == LESSON
    assert found.network.input == Shape.of(3, side, side)
    assert found.notes == ()
    (problem,) = analyze(found.network).problems
    assert problem.full_message.endswith("insert Flatten before it")
    whole = apply_fix(found.network, problem)
    assert isinstance(whole.nodes[4].layer, Flatten)
    assert analyze(whole).problems == ()


def test_the_training_settings_of_the_listing_become_the_recipe() -> None:
    found = read_code(Path(resource("lessons/keras-lesson-32.py")).read_text(encoding="utf-8"))
    assert found.recipe == {"optimizer": "adam", "learning_rate": 0.001, "epochs": 10, "batch_size": 32}


@pytest.mark.parametrize(
    "text",
    [
        "import keras\nm = keras.Sequential([keras.layers.Dense(7)])",
        "import keras.layers as kl, keras\nm = keras.models.Sequential()\nm.add(kl.Dense(units=7))",
        "import tensorflow as tf\nm = tf.keras.Sequential([tf.keras.layers.Dense(7)])",
        "from tensorflow.keras import layers as L, models\nm = models.Sequential(layers=[L.Dense(7,)])",
        "from keras.layers import *\nfrom keras import Sequential as S\nm = S([Dense(7)])",
        "from tensorflow.keras.layers import Dense as Fully\nfrom keras.models import Sequential\n"
        "m = Sequential()\nm.add(Fully(7))",
        "from keras.layers.core import Dense\nfrom keras.models import Sequential\n"
        "m = Sequential([Dense(7)])",
        "m = Sequential()\nm.add(Dense(7))",
        "import keras\nclass Config:\n    size = 7\n"
        "def make(units=Config.size):\n    m = keras.Sequential()\n"
        "    m.add(keras.layers.Dense(units))\n    return m\nmodel = make()",
        "import keras\nwith strategy.scope():\n    m = keras.Sequential([keras.layers.Dense(3 + 2 ** 2)])",
        "%matplotlib inline\n!pip install keras\nimport keras\nm = keras.Sequential([keras.layers.Dense(7)])",
        "import keras\ndef unused():\n    return keras.Sequential([keras.layers.Dense(7)])",
    ],
)
def test_imports_aliases_and_styles(text: str) -> None:
    assert layers_of(text) == [Dense(7)]


def test_positional_and_keyword_arguments_integers_and_tuples() -> None:
    text = """
import keras
from keras.layers import *
base, size = 16, (3, 5)
model = keras.Sequential([
    Input((28, 28)),
    Conv2D(base * 2, 3, 2, "SAME", activation=keras.activations.relu),
    Conv2D(filters=base, kernel_size=size, kernel_initializer=keras.initializers.HeNormal(),
           kernel_regularizer=keras.regularizers.l2(1e-4), use_bias=False),
    BatchNormalization(),
    MaxPool2D(2, strides=1),
])
"""
    found = read_keras(text)
    assert found.network.input == Shape.of(1, 28, 28)
    assert [node.layer for node in found.network.nodes] == [
        Conv2D(32, strides=(2, 2), padding="same", activation="relu"),
        Conv2D(16, (3, 5), use_bias=False, kernel_initializer="he_normal", kernel_l2=0.0001),
        BatchNormalization(momentum=0.99),
        MaxPooling2D(strides=(1, 1)),
    ]


@pytest.mark.parametrize(
    "argument",
    [
        "input_shape=(20, 30, 3)",
        "batch_input_shape=(None, 20, 30, 3)",
        "batch_shape=(8, 20, 30, 3)",
    ],
)
def test_the_first_layer_may_specify_the_input_shape(argument: str) -> None:
    found = read_keras(f"m = Sequential()\nm.add(Conv2D(4, 3, {argument}))")
    assert found.network.input == Shape.of(3, 20, 30)
    assert found.notes == ()


def test_an_input_layer_may_specify_the_input_shape() -> None:
    found = read_keras("m = Sequential()\nm.add(InputLayer(input_shape=(8, 9, 1)))\nm.add(Conv2D(4, 3))")
    assert found.network.input == Shape.of(1, 8, 9)


def test_a_counting_loop_is_a_repeat() -> None:
    loop = "for i in range(5):\n    m.add(Conv2D(8, 3))\n    m.add(MaxPooling2D())\n"
    text = f"m = Sequential()\n{loop}m.add(Dense(2))"
    body = [(Conv2D(8), []), (MaxPooling2D(), [])]
    assert layers_in(read_keras(text).network.nodes) == [(Repeat(5), body), (Dense(2), [])]


def test_any_other_loop_is_unrolled() -> None:
    text = "m = Sequential()\nn = 4\nfor i in range(3):\n    m.add(Conv2D(n, 3))\n    n *= 2"
    assert layers_of(text) == [Conv2D(4), Conv2D(8), Conv2D(16)]
    text = "m = Sequential()\nfor n in (4, 8):\n    m.add(Conv2D(n, 3))"
    assert layers_of(text) == [Conv2D(4), Conv2D(8)]


def test_shortcuts_of_the_functional_style_are_groups() -> None:
    text = """
from tensorflow import keras
from tensorflow.keras import layers
def block(x, filters):
    y = layers.Conv2D(filters, 3, padding="same")(x)
    y = layers.Add()([x, y])
    return layers.ReLU()(y)
inputs = keras.Input((8, 8, 4))
x = block(inputs, 4)
x = layers.Flatten()(x)
model = keras.Model(inputs=inputs, outputs=layers.Dense(3)(x), name="small")
"""
    found = read_keras(text)
    body = [(Conv2D(4, padding="same"), [])]
    assert layers_in(found.network.nodes) == [(Residual(), body), (Flatten(), []), (Dense(3), [])]
    assert found.network.name == "small"


def test_unsupported_code_is_reported_by_line_and_the_rest_imported() -> None:
    text = (
        "from keras.layers import *\nm = Sequential()\nm.add(Rescaling(1/255, input_shape=(9, 9, 3)))\n"
        "m.add(LSTM(3))\nm.add(Conv2D(4, 3, kernel_constraint='max_norm'))\nm.add(Dense(classes))\n"
        "m.add(Dense(10**9))"
    )
    found = read_keras(text)
    assert [node.layer for node in found.network.nodes] == [Conv2D(4), Dense()]
    assert [note.line for note in found.notes] == [3, 4, 5, 6, 7]
    notes = " / ".join(note.text for note in found.notes)
    for part in (
        *("normalized", "LSTM is not supported", "kernel_constraint is not supported"),
        *("“classes”", "units:"),
    ):
        assert part in notes


def test_layer_names_are_kept() -> None:
    assert read_keras("m = Sequential([Dense(3, name='scores')])").network.nodes[0].name == "scores"


@pytest.mark.parametrize(
    ("call", "recipe"),
    [
        ("compile('sgd')", {"optimizer": "sgd", "learning_rate": 0.01, "momentum": 0.0, "weight_decay": 0.0}),
        (
            "compile(optimizer=keras.optimizers.SGD(0.1, momentum=0.9))",
            {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.0},
        ),
        ("compile(optimizer=keras.optimizers.Adam(lr=1e-2))", {"optimizer": "adam", "learning_rate": 0.01}),
        ("fit(x, y, 64, 20)", {"batch_size": 64, "epochs": 20}),
        ("fit(x, y, epochs=3, validation_split=0.1)", {"epochs": 3, "validation_share": 0.1}),
        ("fit(x, y, epochs=some)", {}),
    ],
)
def test_training_settings_become_a_recipe(call: str, recipe: dict[str, Any]) -> None:
    assert (
        read_keras(f"import keras\nm = keras.Sequential([keras.layers.Dense(3)])\nm.{call}").recipe == recipe
    )


def test_code_without_a_model_is_refused() -> None:
    with pytest.raises(CodeError, match="no Keras model"):
        read_keras("import keras\nx = keras.layers.Dense(3)")
