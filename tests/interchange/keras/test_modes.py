"""Frozen layers, layers that are told whether they train, and classes that are functional models."""

from __future__ import annotations

import pytest

from cnnstudio.interchange.keras.reader import read_keras
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.regularization.dropout import Dropout
from cnnstudio.training.recipe.recipe import Recipe

HEAD = "import keras\nfrom keras import layers\n"


def lines_of(text: str) -> list[tuple[int, str]]:
    return [(note.line, note.text) for note in read_keras(HEAD + text).notes]


def locked_in(text: str) -> list[str]:
    """The ids of the layers that the code freezes."""
    return sorted(read_keras(HEAD + text).network.locked_ids)


MODEL = (
    "m = keras.Sequential([layers.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.Conv2D(4, 3), "
    "layers.BatchNormalization(), layers.Dropout(0.5), layers.Flatten(), layers.Dense(2)])\n"
)
"""An Input at the start of a Sequential is no layer of it."""


@pytest.mark.parametrize(
    ("statement", "ids"),
    [
        ("m.layers[0].trainable = False", ["conv2d_1"]),
        ("m.trainable = False", ["batch_normalization_1", "conv2d_1", "conv2d_2", "dense_1"]),
        ("for l in m.layers[:-1]: l.trainable = False", ["batch_normalization_1", "conv2d_1", "conv2d_2"]),
        ("setattr(m.layers[-1], 'trainable', False)", ["dense_1"]),
    ],
)
def test_frozen_layers_are_locked(statement: str, ids: list[str]) -> None:
    assert locked_in(f"{MODEL}{statement}\n") == ids
    assert lines_of(f"{MODEL}{statement}\n") == []


def test_an_argument_freezes_a_layer() -> None:
    assert locked_in(MODEL.replace("Dense(2)", "Dense(2, trainable=False)")) == ["dense_1"]
    assert lines_of(MODEL.replace("Dense(2)", "Dense(2, trainable=False)")) == []


def test_layers_that_may_be_frozen_are_named_on_the_line_that_would_do_it() -> None:
    text = "what is frozen here is only known at run time; Dense of line 3 is trained"
    assert lines_of(f"{MODEL}m.layers[-1].trainable = bool(flag)\n") == [(4, text)]
    assert locked_in(f"{MODEL}m.layers[-1].trainable = bool(flag)\n") == []


def test_layers_that_are_trained_again_or_not_imported_need_no_note() -> None:
    text = (
        "a, b = layers.Dense(4), layers.Dense(5)\n"
        "other = keras.applications.VGG16()\n"
        "other.trainable = False\n"
        "for layer in other.layers[:10]:\n    layer.trainable = False\n"
        "b.trainable = False\n"
        "a.trainable = False\n"
        "m = keras.Sequential([layers.Input((8, 8, 3)), layers.Flatten(), a])\n"
        "for layer in m.layers: layer.trainable = True\n"
    )
    assert lines_of(text) == []


def test_layers_of_a_functional_model_are_counted_with_its_input() -> None:
    text = (
        "i = keras.Input((8, 8, 3))\n"
        "x = layers.Conv2D(4, 3)(i)\n"
        "x = layers.Flatten()(x)\n"
        "m = keras.Model(i, layers.Dense(2)(x))\n"
        "m.layers[1].trainable = False\n"
    )
    assert lines_of(text) == []
    assert locked_in(text) == ["conv2d_1"]


def test_a_class_that_freezes_itself_is_locked() -> None:
    text = (
        "class Net(keras.Model):\n"
        "  def __init__(self):\n    super().__init__()\n"
        "    self.d = layers.Dense(2)\n    self.d.trainable = False\n"
        "  def call(self, x):\n    return self.d(layers.Flatten()(x))\n"
        "net = Net()\nnet.build((None, 8, 8, 3))\n"
    )
    assert lines_of(text) == []
    assert locked_in(text) == ["dense_1"]


def test_a_class_that_gives_its_base_input_and_output_is_read() -> None:
    text = (
        "class Net(keras.Model):\n"
        "  def __init__(self, units):\n"
        "    i = keras.Input((8, 8, 3))\n"
        "    x = layers.Conv2D(4, 3, activation='relu')(i)\n"
        "    super().__init__({})\n"
        "net = Net(5)\nnet.compile('adam', 'categorical_crossentropy')\n"
    )
    for arguments in ("inputs=i, outputs=layers.Dense(units)(layers.Flatten()(x))",
                      "i, layers.Dense(units)(layers.Flatten()(x))"):  # fmt: skip  # one a line
        found = read_keras(HEAD + text.format(arguments))
        assert [node.layer for node in found.network.nodes] == [
            Conv2D(4, activation="relu"),
            Flatten(),
            Dense(5),
        ]
        assert found.notes == ()
        assert found.network.name == "Net"


@pytest.mark.parametrize(
    ("call", "kept", "notes"),
    [
        ("layers.Dropout(0.5)(x, training=True)", True,
         ["in the code Dropout is also on outside of training; here it is not"]),
        ("layers.Dropout(0.5)(x, True)", True,
         ["in the code Dropout is also on outside of training; here it is not"]),
        ("layers.Dropout(0.5)(x, training=False)", False, []),
        ("layers.Dropout(0.5)(x)", True, []),
        ("layers.BatchNormalization()(x, training=False)", True,
         ["in the code BatchNormalization always uses its moving statistics; here only outside of training, "
          "or where the recipe keeps them (batch_norm_statistics)"]),
        ("keras.Sequential([layers.Dropout(0.5)])(x, training=False)", True,
         ["in the code Dropout is also off in training; here it is not"]),
    ],
)  # fmt: skip  # the cases are easier to compare
def test_layers_that_are_told_whether_they_train(call: str, kept: bool, notes: list[str]) -> None:
    text = (
        f"i = keras.Input((8, 8, 3))\nx = layers.Flatten()(i)\nx = {call}\n"
        "m = keras.Model(i, layers.Dense(2)(x))\n"
    )
    found = read_keras(HEAD + text)
    assert (len(found.network.nodes) == 3) == kept
    assert [(note.line, note.text) for note in found.notes] == [(5, each) for each in notes]


@pytest.mark.parametrize("is_locked", [True, False])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_locked_base_that_is_not_training_keeps_its_statistics_here_too(
    is_locked: bool, before: bool
) -> None:
    """As all guides to transfer learning write it."""
    lock = "base.trainable = False\n" if is_locked else ""
    base = "base = keras.Sequential([layers.Conv2D(4, 3), layers.BatchNormalization()])\n"
    use = "i = keras.Input((8, 8, 3))\nx = base(i, training=False)\n"
    end = "m = keras.Model(i, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))\n"
    found = read_keras(HEAD + base + (lock + use if before else use + lock) + end)
    assert bool(found.network.locked_ids) == is_locked
    assert ["(batch_norm_statistics)" in note.text for note in found.notes] == [True] * (not is_locked)
    assert found.recipe.get("batch_norm_statistics") == (None if is_locked else "kept")


@pytest.mark.parametrize(
    ("mode", "other", "kept"),
    [
        ("", "", None),
        (", training=True", "", None),
        (", training=False", "", "kept"),
        # The recipe's setting is of all that learn.
        (", training=False", "x = layers.BatchNormalization()(x)\n", None),
        (", training=False", "x = layers.BatchNormalization(trainable=False)(x)\n", "kept"),
    ],
)
def test_the_recipe_keeps_statistics_where_all_normalizations_that_learn_do(
    mode: str, other: str, kept: str | None
) -> None:
    text = (
        f"i = keras.Input((8, 8, 3))\nx = layers.BatchNormalization()(i{mode})\n{other}"
        "m = keras.Model(i, layers.Dense(2)(layers.Flatten()(x)))\nm.compile('adam')\n"
    )
    found = read_keras(HEAD + text).recipe
    assert found.get("batch_norm_statistics") == kept
    assert Recipe().replace(**found).optimizer == "adam"


BLOCK = """
class Block(layers.Layer):
    def __init__(self):
        super().__init__()
        self.drop = layers.Dropout(0.5)
        self.norm = layers.BatchNormalization()
    def call(self, x, training=None):
        return self.drop(self.norm(x, training=training){})
i = keras.Input((8, 8, 3))
x = Block()(i{})
m = keras.Model(i, layers.Dense(2)(layers.Flatten()(x)))
"""


@pytest.mark.parametrize(
    ("inside", "outside", "kept", "notes"),
    [
        ("", "", True, []),
        (", training=training", "", True, []),
        (
            "",
            ", training=False",
            False,
            ["in the code BatchNormalization of line 8 always uses its moving statistics"],
        ),
        (", training=True", "", True, ["in the code Dropout of line 7 is also on outside of training"]),
        (", True", "", True, ["in the code Dropout of line 7 is also on outside of training"]),
        (
            "",
            ", False",
            False,
            ["in the code BatchNormalization of line 8 always uses its moving statistics"],
        ),
    ],
)
def test_a_layer_tells_the_layers_inside_whether_they_train(
    inside: str, outside: str, kept: bool, notes: list[str]
) -> None:
    found = read_keras(HEAD + BLOCK.format(inside, outside))
    assert any(isinstance(node.layer, Dropout) for node in found.network.walk()) == kept
    assert len(found.notes) == len(notes)
    for note, text in zip(found.notes, notes, strict=True):
        assert note.text.startswith(text)


IN_USE = """
class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.flat, self.dense = layers.Flatten(), layers.Dense(2)
    def call(self, x, training=None):
        x = self.dense(self.flat(x))
        {}
m = Net()
m.build((None, 8, 8, 3))
"""


@pytest.mark.parametrize(
    "ending",
    [
        "return x if training else keras.activations.softmax(x)",
        "return x if training else self.dense(x)",
        "return x if training else x * 2",
    ],
)
def test_what_is_only_done_in_use_is_named(ending: str) -> None:
    expected = "what is only done in use, and not in training, is not imported"
    assert lines_of(IN_USE.format(ending)) == [(10, expected)]


def test_a_choice_that_the_code_itself_makes_needs_no_note() -> None:
    text = IN_USE.format("return self.dense(x) if training else x").replace("keras.Model", "layers.Layer")
    inputs = "i = keras.Input((8, 8, 3))\n"
    text = text.replace("m = Net()\nm.build((None, 8, 8, 3))", f"{inputs}m = keras.Model(i, Net()(i, False))")
    assert lines_of(text) == []
