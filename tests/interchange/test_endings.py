"""One sigmoid unit at the end is read as two classes."""

from __future__ import annotations

import pytest

from cnnstudio.interchange.endings import with_classes
from cnnstudio.interchange.reading import read_code
from cnnstudio.layers.basic.dense import Dense

KERAS = "import keras\nfrom keras.layers import *\n" + (
    "m = keras.Sequential([Flatten(input_shape=(4, 4, 3)),\n{}])\n{}"
)
TORCH = "import torch\nfrom torch import nn\nm = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Flatten(),\n{})\n{}"


@pytest.mark.parametrize(
    ("text", "layers", "losses"),
    [
        (KERAS, "Dense(1, activation='sigmoid')", ""),
        (KERAS, "Dense(1), Activation('sigmoid')", ""),
        (KERAS, "Dense(1)", "m.compile(loss=keras.losses.BinaryCrossentropy(from_logits=True))"),
        (TORCH, "nn.Linear(676, 1), nn.Sigmoid()", ""),
        (TORCH, "nn.Linear(676, 1)", "loss = nn.BCEWithLogitsLoss()"),
    ],
)
def test_one_sigmoid_unit_becomes_two_units_with_softmax(text: str, layers: str, losses: str) -> None:
    found = read_code(text.format(layers, losses))
    assert found.network.nodes[-1].layer == Dense(2, activation="softmax")
    assert [note.text for note in found.notes if "sigmoid" in note.text] != []
    assert {note.line for note in found.notes if "sigmoid" in note.text} == {4}


@pytest.mark.parametrize(
    ("text", "layers", "losses"),
    [
        (KERAS, "Dense(1)", "m.compile(loss='mse')"),
        (KERAS, "Dense(3, activation='sigmoid')", "m.compile(loss='binary_crossentropy')"),
        (TORCH, "nn.Linear(676, 1)", ""),
    ],
)
def test_other_endings_stay(text: str, layers: str, losses: str) -> None:
    last = read_code(text.format(layers, losses)).network.nodes[-1].layer
    assert isinstance(last, Dense)
    assert last.units == (3 if "3" in layers else 1)


def test_the_number_of_classes_settles_the_note_on_the_last_layer_and_no_other() -> None:
    found = read_code(KERAS.format("Dense(width),\nDense(len(names))", ""))
    assert [note.line for note in found.notes] == [4, 5]
    settled = with_classes(found, 7)
    assert [note.line for note in settled.notes] == [4]
    assert settled.network.nodes[-1].layer == Dense(7)
