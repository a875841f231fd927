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


def notes_of(text: str) -> list[tuple[int, str]]:
    return [(note.line, note.text) for note in read_keras(text).notes]


@pytest.mark.parametrize(
    ("setting", "image"),
    [
        ("K.set_image_data_format('channels_first')\n", "input_shape=(3, 20, 30)"),
        ("K.set_image_dim_ordering('th')\n", "input_shape=(3, 20, 30)"),
        ("", "data_format='channels_first', input_shape=(3, 20, 30)"),
        ("", "dim_ordering='th', input_shape=(3, 20, 30)"),
        ("", "input_shape=(20, 30, 3) if K.image_data_format() == 'channels_last' else (3, 20, 30)"),
    ],
)
def test_either_order_of_the_axes_gives_the_same_input(setting: str, image: str) -> None:
    text = f"from keras import backend as K\n{setting}m = Sequential([Conv2D(4, (3, 3), {image})])"
    found = read_keras(text)
    assert found.network.input == Shape.of(3, 20, 30)
    assert found.notes == ()


def test_a_shape_that_can_only_be_channels_first_is_read_so_with_a_note() -> None:
    text = "m = Sequential()\nm.add(Conv2D(4, 3, input_shape=(3, 32, 32)))"
    assert read_keras(text).network.input == Shape.of(3, 32, 32)
    assert notes_of(text) == [(1, "the input shape (3, 32, 32) is read as channels × height × width")]


def test_the_axis_of_the_channels_needs_no_note_and_another_axis_does() -> None:
    def notes(axis: int, order: str) -> list[tuple[int, str]]:
        size = (3, 8, 9) if order == "channels_first" else (8, 9, 3)
        return notes_of(
            f"m = Sequential([Conv2D(2, 3, data_format='{order}', input_shape={size}),\n"
            f"BatchNormalization(axis={axis})])"
        )

    assert notes(3, "channels_last") == notes(-1, "channels_last") == notes(1, "channels_first") == []
    assert notes(1, "channels_last") == [(2, "BatchNormalization: axis is not supported and is ignored")]


def test_a_kernel_that_versions_of_keras_read_differently_has_a_note() -> None:
    old = "from keras.layers import *\nm = Sequential([Convolution2D(8, 3, 5)])"
    assert layers_of(old) == [Conv2D(8, (3, 5))]
    assert [line for line, _ in notes_of(old)] == [2, 2]
    new = "from keras.layers import *\nm = Sequential([Conv2D(8, 3, 2, input_shape=(9, 9, 3))])"
    assert layers_of(new) == [Conv2D(8, strides=(2, 2))]
    assert [line for line, _ in notes_of(new)] == [2]
    assert notes_of(new.replace("from keras", "from tensorflow.keras")) == []


def test_a_layer_that_is_applied_twice_has_a_note() -> None:
    text = """
import keras
from keras.layers import *
same = Conv2D(3, 3, padding="same")
pool = MaxPooling2D()
start = keras.Input((16, 16, 3))
x = pool(same(start))
x = pool(same(x))
model = keras.Model(start, x)
"""
    assert notes_of(text) == [
        (8, "Conv2D of line 4 is used again with the same weights; in the design each copy has its own")
    ]


def test_a_layer_that_a_loop_applies_again_and_again_has_a_note() -> None:
    text = """
import keras
from keras.layers import *
x = start = keras.Input((16, 16, 3))
same = Conv2D(3, 3, padding="same")
for _ in range(4):
    x = same(x)
    x = Conv2D(3, 1)(x)
model = keras.Model(start, x)
"""
    assert notes_of(text) == [
        (6, "Conv2D of line 5 is used 4 times with the same weights; in the design each copy has its own")
    ]


def test_layers_of_which_nothing_is_known_have_a_note_and_the_known_ones_stay() -> None:
    found = read_keras(
        "from keras import Sequential\nfrom keras.layers import *\nimport elsewhere\n"
        "more = [Conv2D(4, 3, input_shape=(8, 8, 3))]\nfor each in elsewhere.plan:\n    more.append(each)\n"
        "model = Sequential(more)\nmodel.add(Sequential(elsewhere.layers))\nmodel.add(Flatten())\n"
        "model.add(Reshape((elsewhere.size, 2)))\n"
        "model.add(Dense(3, kernel_initializer='identity', kernel_regularizer='l2'))"
    )
    layers = [node.layer for node in found.network.nodes if not node.is_group]
    assert layers == [Conv2D(4), Flatten(), Dense(3, kernel_l2=0.01)]
    lines = {note.line: note.text for note in found.notes}
    assert "only known at run time" in lines[7]
    assert "only known at run time" in lines[8]
    assert lines[10] == "Reshape to a shape only known at run time is not supported and is skipped"
    assert "for convolutions only" in lines[11]


def test_arguments_of_a_lambda_layer_are_passed_on() -> None:
    text = """
import keras
from keras.layers import *
def change(x, factor=1.0):
    return x if factor == 1.0 else factor * x
start = keras.Input((16, 16, 3))
x = Conv2D(3, 3)(start)
x = Lambda(change, arguments={"factor": 0.5})(x)
model = keras.Model(start, x)
"""
    assert [layer.type_name() for layer in layers_of(text)] == ["Conv2D", "Scale"]


def test_what_is_applied_or_joined_unknown_is_named_and_the_rest_stays() -> None:
    text = """
import keras
from keras.layers import *
from own import Attention
start = keras.Input((16, 16, 3))
x = Conv2D(3, 3)(start)
x = Attention(8)(x)
x = given[0](x)
model = keras.Model(start, Dense(2)(Flatten()(x)))
"""
    assert layers_of(text) == [Conv2D(3), Flatten(), Dense(2)]
    assert [line for line, _ in notes_of(text)] == [7, 8]


@pytest.mark.parametrize(
    ("expression", "shape"),
    [
        ("images.shape[1:]", (3, 32, 32)),
        ("(*images.shape[1:3], 1)", (1, 32, 32)),
        ("images[..., 0, np.newaxis].shape[1:]", (1, 32, 32)),
        ("np.expand_dims(images[:, :, :, 0], -1).astype('float32').shape[1:]", (1, 32, 32)),
        ("(images[:100] / 255.0).reshape(-1, 32, 32, 3).shape[1:]", (3, 32, 32)),
    ],
)
def test_shapes_of_known_data_are_followed(expression: str, shape: tuple[int, int, int]) -> None:
    text = (
        "import numpy as np\nfrom tensorflow.keras import *\n"
        "(images, labels), test = datasets.cifar10.load_data()\n"
        f"m = Sequential([layers.Conv2D(4, 3, input_shape={expression})])"
    )
    found = read_keras(text.replace("import *", "import Sequential, datasets, layers"))
    assert found.network.input == Shape.of(*shape)
    assert found.notes == ()


def test_the_images_that_a_model_is_called_with_give_its_input() -> None:
    text = """
import tensorflow as tf
model = tf.keras.Sequential([tf.keras.layers.Conv2D(2, 3), tf.keras.layers.Flatten()])
(x, y), _ = tf.keras.datasets.fashion_mnist.load_data()
batches = tf.data.Dataset.from_tensor_slices((x[..., tf.newaxis] / 255, y)).shuffle(1000).batch(32)
for images, labels in batches:
    scores = model(images, training=True)
"""
    found = read_keras(text)
    assert found.network.input == Shape.of(1, 28, 28)
    assert found.notes == ()


def test_the_model_that_is_trained_is_imported_also_inside_another() -> None:
    text = (
        "import keras\nfrom keras.layers import *\n"
        "m = keras.Sequential([Flatten(input_shape=(4, 4)), Dense(3)])\n"
        "m.compile('sgd')\nwith_softmax = keras.Sequential([m, Softmax()])"
    )
    assert layers_of(text) == [Flatten(), Dense(3)]


def test_a_class_that_cannot_be_followed_is_named_with_its_lines() -> None:
    text = """
import keras
from keras.layers import *
class Own(Layer):
    def call(self, x):
        return self.matrix @ secret
m = keras.Sequential([Input((8, 8, 3)), Own(), Flatten()])
"""
    assert layers_of(text) == [Flatten()]
    assert [line for line, _ in notes_of(text)] == [7]
    assert "line 4" in notes_of(text)[0][1]


def test_a_product_that_is_no_layer_names_the_lines_that_are_lost_with_it() -> None:
    text = """
import keras
from keras.layers import *
start = keras.Input((16, 16, 3))
x = Conv2D(3, 3)(start)
y = Conv2D(3, 1)(x)
y = Activation("tanh")(y)
x = multiply([x, y])
model = keras.Model(start, Dense(2)(Flatten()(x)))
"""
    assert layers_of(text) == [Conv2D(3), Flatten(), Dense(2)]
    assert notes_of(text) == [
        (8, "this product of tensors is not supported; one factor is skipped with the layers of line 6, 7")
    ]


def test_functions_that_are_layers_are_read_as_these() -> None:
    text = """
import tensorflow as tf
from tensorflow import keras
start = keras.Input((8, 8, 3))
x = tf.nn.relu(keras.layers.Conv2D(4, 3)(start))
y = tf.reduce_mean(x, axis=[1, 2])
y = tf.nn.dropout(y, rate=0.3)
y = tf.reshape(y, [-1, 4])
model = keras.Model(start, keras.layers.Dense(2)(y))
"""
    assert [layer.type_name() for layer in layers_of(text)] == [
        *("Conv2D", "Activation", "GlobalAveragePooling2D", "Dropout", "Flatten", "Dense")
    ]
    assert notes_of(text) == []


def test_a_sum_over_other_axes_is_named() -> None:
    text = (
        "import keras\nfrom keras import ops\nstart = keras.Input((8, 8, 3))\n"
        "x = ops.mean(start, axis=(2, 3))\nmodel = keras.Model(start, keras.layers.Flatten()(x))"
    )
    assert notes_of(text) == [(4, "mean is not a layer and is skipped")]


@pytest.mark.parametrize(
    ("statement", "note"),
    [
        ("x = Maximum()([x, Conv2D(4, 1)(x)])",
         "Maximum is not supported; all but its first tensor is skipped with the layers of line 6"),
        ("x = ops.stack([x, Conv2D(4, 1)(x)])",
         "stack is not a layer; all but its first tensor is skipped with the layers of line 6"),
        ("x, y = ops.split(x, 2, axis=1)",
         "split splits the channels, which no layer does; each part is read as all of them"),
        ("x = x[:, 1:-1, 1:-1]",
         "this takes a part of the image, which no layer does; all of it is used"),
        ("x = x[..., ::2]",
         "this takes some of the channels, in a way that cannot be read; all of them are used"),
        ("x = ops.pad(x, [[0, 0], [0, 0], [0, 0], [1, 1]])", "pad is not a layer and is skipped"),
        ("x = ops.maximum(x, 0.5)", "maximum is not a layer and is skipped"),
    ],
)  # fmt: skip  # the cases are easier to compare
def test_operations_without_a_layer_are_named_and_the_rest_stays(statement: str, note: str) -> None:
    text = (
        "import keras\nfrom keras import ops\nfrom keras.layers import *\n"
        f"start = keras.Input((8, 8, 3))\nx = Conv2D(4, 3)(start)\n{statement}\n"
        "model = keras.Model(start, Dense(2)(Flatten()(x)))"
    )
    assert layers_of(text) == [Conv2D(4), Flatten(), Dense(2)]
    assert notes_of(text) == [(6, note)]


SEVERAL = """import keras
from keras.layers import *
def tiny():
    return keras.Sequential([Flatten(input_shape=(4, 4, 3)), Dense(2)])
large = keras.Sequential([Flatten(input_shape=(4, 4, 3)), Dense(8), Dense(3)])
small = keras.Sequential([Flatten(input_shape=(4, 4, 3)), Dense(3)], name="named")
small = keras.Sequential([Flatten(input_shape=(4, 4, 3)), Dense(5)])
large.compile("sgd")
"""


def test_several_networks_are_named_and_the_trained_one_is_read() -> None:
    found = read_keras(SEVERAL)
    assert found.networks == ("large", "named", "small")
    assert [note.line for note in found.notes] == [6, 7]
    assert "“named”" in found.notes[0].text


@pytest.mark.parametrize(("name", "units"), [("large", 3), ("named", 3), ("small", 5), ("tiny", 2)])
def test_a_network_is_read_by_its_name(name: str, units: int) -> None:
    found = read_code(SEVERAL, name)
    assert found.network.nodes[-1].layer == Dense(units)
    assert found.networks[0] == name


def test_an_unknown_network_is_refused_with_the_names() -> None:
    with pytest.raises(CodeError, match="no network “other” in the code; there is large, named, small"):
        read_code(SEVERAL, "other")


def test_code_without_a_model_is_refused() -> None:
    with pytest.raises(CodeError, match="no Keras model"):
        read_keras("import keras\nx = keras.layers.Dense(3)")


@pytest.mark.parametrize(
    "condition",
    [
        "if sys.argv[1]:\n    model.add(Dropout(0.5))",
        "if sys.argv[1]:\n    pass\nelse:\n    model.add(Dropout(0.5))",
        "if MODE == 'deep':\n    model.add(Dropout(0.5))",
        "while len(sys.argv) > 2:\n    model.add(Dropout(0.5))",
        "for _ in range(int(sys.argv[1])):\n    model.add(Dropout(0.5))",
    ],
)
def test_a_condition_or_count_that_is_not_known_has_a_note_if_layers_depend_on_it(condition: str) -> None:
    head = "import sys\nfrom config import MODE\nfrom keras.layers import *\nmodel = Sequential([Dense(3)])\n"
    assert any(
        note.line == 5 and "only known at run time" in note.text
        for note in read_keras(head + condition).notes
    )


@pytest.mark.parametrize(
    "statement",
    ["tf.stack(values)", "tf.stack([1, 2])", "tf.split(values, 2)", "tf.unstack(value=[])", "tf.stack()"],
)
def test_what_is_no_tensor_of_the_network_may_be_stacked_and_split(statement: str) -> None:
    text = (
        "import tensorflow as tf\nfrom tensorflow.keras.layers import *\n"
        f"parts = {statement}\n"
        "model = tf.keras.Sequential([Flatten(input_shape=(4, 4, 3)), Dense(2)])"
    )
    assert layers_of(text) == [Flatten(), Dense(2)]
    assert read_keras(text).notes == ()
