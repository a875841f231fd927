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


KERAS_CLASSES = """
import tensorflow as tf
import tensorflow_datasets as tfds
from tensorflow.keras.layers import *
{load}
model = tf.keras.Sequential([Conv2D(4, 3, input_shape=(8, 8, 3)), Flatten(), Dense({count})])
"""
FOLDER_DATA = "train = tf.keras.utils.image_dataset_from_directory(folder)"


@pytest.mark.parametrize(
    ("load", "count", "classes", "reason"),
    [
        (
            "data, metadata = tfds.load('tf_flowers', with_info=True)",
            "metadata.features['label'].num_classes",
            5,
            "as tf_flowers has so many classes",
        ),
        (
            "url = 'https://example.org/rps.zip'\n"
            f"folder = tf.keras.utils.get_file(origin=url, extract=True)\n{FOLDER_DATA}",
            "len(train.class_names)",
            3,
            "as rps has so many classes",
        ),
        (
            f"folder = tf.keras.utils.get_file('flower_photos.tar.gz', origin=url)\n{FOLDER_DATA}",
            "len(train.class_names)",
            5,
            "as flower_photos has so many classes",
        ),
        (FOLDER_DATA, "len(train.class_names)", 10, "10 is used instead"),
    ],
)
def test_a_number_of_classes_that_only_the_data_tells_is_that_of_the_data_set(
    load: str, count: str, classes: int, reason: str
) -> None:
    imported = read_code(KERAS_CLASSES.format(load=load, count=count))
    assert imported.network.nodes[-1].layer == Dense(classes)
    (note,) = imported.notes
    assert "only known at run time" in note.text
    assert note.text.endswith(reason)
    assert with_classes(imported, 7).notes == ()


def test_in_pytorch_too() -> None:
    text = (
        "import torch.nn as nn\nfrom torchvision import datasets\ntrain = datasets.CIFAR100('.')\n"
        "net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(3600, len(train.classes)))\n"
    )
    imported = read_code(text)
    assert imported.network.nodes[-1].layer == Dense(100)
    assert imported.notes[0].text.endswith("100 is used, as cifar100 has so many classes")


def test_a_hidden_layer_keeps_its_own_note() -> None:
    text = KERAS_CLASSES.format(load="", count="4").replace("Flatten(),", "Flatten(),\n Dense(width),\n")
    imported = read_code(text)
    assert imported.network.nodes[-1].layer == Dense(4)
    assert (
        imported.notes[0].text
        == "Dense: units is “width”, which is only known at run time; 128 is used instead"
    )
