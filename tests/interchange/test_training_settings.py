"""The training settings of listings: taken where a recipe has them, else named with their line."""

from __future__ import annotations

from typing import Any

import pytest

from cnnstudio.interchange.reading import ImportedDesign, read_code
from cnnstudio.training.recipe.recipe import split_valid_fields

KERAS = """import keras
from keras.callbacks import *
from keras.layers import *
from keras.preprocessing.image import ImageDataGenerator
m = keras.Sequential([Conv2D(4, 3, input_shape=(40, 40, 3)), Flatten(), Dense(3, activation="softmax")])
"""
TORCH = """import torch
from torch import nn, optim
import torchvision
from torchvision import transforms
m = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 30 * 30, 3))
"""
FIRST = 6
"""The line of what follows these."""


def read(text: str) -> tuple[dict[str, Any], list[tuple[int, str]]]:
    """(settings, notes on lines after the network)."""
    found = read_code(text)
    valid, errors = split_valid_fields(found.recipe)
    assert not errors
    return dict(valid), [(note.line, note.text) for note in found.notes if note.line >= FIRST]


@pytest.mark.parametrize(
    ("code", "recipe", "lost"),
    [
        (
            "more = ImageDataGenerator(horizontal_flip=True, width_shift_range=0.1, height_shift_range=0.1)\n"
            "m.fit(more.flow(x, y, batch_size=64), epochs=40, callbacks=[EarlyStopping(patience=5)])",
            {"flip": "random", "shift": 4, "batch_size": 64, "epochs": 40, "patience": 5},
            [],
        ),
        (
            "more = ImageDataGenerator(rotation_range=9, zoom_range=0.1, brightness_range=[0.8, 1.2], "
            "rescale=1 / 255)\nm.fit_generator(more.flow(x, y), steps_per_epoch=9, epochs=2)",
            {"brightness": 0.2, "batch_size": 32, "epochs": 2},
            [(6, "rotation_range"), (6, "zoom_range")],
        ),
        (
            "more = ImageDataGenerator(width_shift_range=3, height_shift_range=3, fill_mode='constant')\n"
            "m.fit(more.flow(x, y))",
            {"shift": 3, "shift_border": "zero", "batch_size": 32},
            [],
        ),
        (
            "m.fit(x, y, callbacks=[ReduceLROnPlateau(), LearningRateScheduler(f), TensorBoard(), "
            "ModelCheckpoint('best.h5')])",
            {},
            [(6, "LearningRateScheduler"), (6, "ModelCheckpoint"), (6, "ReduceLROnPlateau")],
        ),
        (
            "more = keras.Sequential([RandomFlip('horizontal'), RandomTranslation(0.1, 0.1),\n"
            "RandomContrast(0.3), RandomZoom(0.2)])",
            {"flip": "random", "shift": 4, "shift_border": "reflect", "contrast": 0.3},
            [(7, "RandomZoom")],
        ),
        ("m.compile(optimizer='adadelta')", {}, [(6, "adadelta")]),
        (
            "m.compile(keras.optimizers.SGD(0.1, momentum=0.9, clipnorm=1.0))",
            {
                "optimizer": "sgd",
                "learning_rate": 0.1,
                "momentum": 0.9,
                "weight_decay": 0.0,
                "clip_norm": 1.0,
            },
            [(6, "Nesterov")],
        ),
        (
            "rate = keras.optimizers.schedules.CosineDecay(0.01, 1000, alpha=0.1)\n"
            "m.compile(keras.optimizers.Adam(rate))",
            {"optimizer": "adam", "learning_rate": 0.01, "schedule": "cosine", "final_rate": 0.1},
            [(6, "decay_steps")],
        ),
        (
            "rate = keras.optimizers.schedules.ExponentialDecay(0.01, 1000, 0.9)\n"
            "m.compile(keras.optimizers.Adam(learning_rate=rate))",
            {"optimizer": "adam", "learning_rate": 0.01},
            [(6, "ExponentialDecay")],
        ),
        (
            "best = keras.optimizers.AdamW(0.002)\nfor epoch in range(7):\n    step(m, best)",
            {"optimizer": "adamw", "learning_rate": 0.002, "weight_decay": 0.004, "epochs": 7},
            [],
        ),
    ],
)
def test_settings_of_keras(code: str, recipe: dict[str, Any], lost: list[tuple[int, str]]) -> None:
    found, notes = read(KERAS + code)
    assert found == recipe
    assert [line for line, _ in notes] == [line for line, _ in lost]
    for (_, text), (_, part) in zip(notes, lost, strict=True):
        assert part in text


@pytest.mark.parametrize(
    ("code", "recipe", "lost"),
    [
        (
            "t = transforms.Compose([transforms.RandomCrop(32, padding=4),\n"
            "transforms.RandomHorizontalFlip(), transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])",
            {"shift": 4, "shift_border": "zero", "flip": "random"},
            [(7, "normalized")],
        ),
        (
            "t = [transforms.ColorJitter(0.1, 0.2, 0.3, 0.1), transforms.RandomRotation(9),\n"
            "transforms.RandomResizedCrop(32, scale=(0.64, 1.0))]",
            {"brightness": 0.1, "contrast": 0.2, "saturation": 0.3, "crop": 0.2},
            [(6, "hue"), (6, "RandomRotation"), (7, "proportions")],
        ),
        (
            "class Cutout:\n    def __init__(self, n_holes, length):\n        self.length = length\n"
            "t = Cutout(1, 16)",
            {"cutout": 16},
            [],
        ),
        (
            "o = optim.RMSprop(m.parameters(), lr=0.02)\ns = optim.lr_scheduler.StepLR(o, 5, gamma=0.5)",
            {"optimizer": "rmsprop", "learning_rate": 0.02, "weight_decay": 0.0, "momentum": 0.0}
            | {"schedule": "step", "step_epochs": 5, "step_factor": 0.5},
            [],
        ),
        (
            "o = optim.Adam(m.parameters(), lr=1e-7)\n# A search for the rate, then:\n"
            "o = optim.SGD(m.parameters(), lr=0.02)",
            {"optimizer": "sgd", "learning_rate": 0.02, "weight_decay": 0.0, "momentum": 0.0},
            [(6, "the optimizer Adam is not imported; that of line 8 is")],
        ),
        (
            "from tqdm.notebook import tqdm, trange\nfor epoch in trange(4, desc='epochs'):\n"
            "  for x, y in tqdm(loader):\n    pass\nfor epoch in tqdm(range(9)):\n  pass",
            {"epochs": 4},
            [],
        ),
        (
            "o = optim.SGD(m.parameters(), lr=0.02)\nfor epoch in range(3):\n    pass\n"
            "o = optim.SGD(m.parameters(), lr=0.02)",
            {"optimizer": "sgd", "learning_rate": 0.02, "weight_decay": 0.0, "momentum": 0.0, "epochs": 3},
            [],
        ),
        (
            "s = optim.lr_scheduler.MultiStepLR(o, [10, 20], 0.2)\nfor epoch in range(30):\n    s.step()",
            {"epochs": 30, "schedule": "step", "step_epochs": 10, "step_factor": 0.2},
            [],
        ),
        (
            "s = optim.lr_scheduler.MultiStepLR(o, [10, 25], 0.2)\nfor epoch in range(30):\n    s.step()",
            {"epochs": 30},
            [(6, "MultiStepLR")],
        ),
        (
            "o = optim.Adam(m.parameters(), lr=0.02)\n"
            "s = optim.lr_scheduler.OneCycleLR(o, max_lr=0.1, epochs=9, steps_per_epoch=9)",
            {"optimizer": "adam", "learning_rate": 0.1, "weight_decay": 0.0}
            | {"schedule": "one_cycle", "warm_up": 0.3},
            [],
        ),
        ("s = optim.lr_scheduler.ReduceLROnPlateau(o)", {}, [(6, "ReduceLROnPlateau")]),
        ("o = optim.Adadelta(m.parameters(), lr=1.0)", {}, [(6, "Adadelta")]),
        (
            "loader = torch.utils.data.DataLoader(data, 64)\n"
            "nn.utils.clip_grad_norm_(m.parameters(), max_norm=2.0)",
            {"batch_size": 64, "clip_norm": 2.0},
            [],
        ),
    ],
)
def test_settings_of_pytorch(code: str, recipe: dict[str, Any], lost: list[tuple[int, str]]) -> None:
    found, notes = read(TORCH + code)
    assert found == recipe
    assert [line for line, _ in notes] == [line for line, _ in lost]
    for (_, text), (_, part) in zip(notes, lost, strict=True):
        assert part in text


def test_settings_of_a_lightning_module_are_those_of_its_trainer() -> None:
    recipe, notes = read(
        "import torch\nfrom torch import nn, optim\nimport lightning as L\n"
        "class Light(L.LightningModule):\n"
        "  def __init__(self, net, rate):\n    super().__init__()\n    self.net, self.rate = net, rate\n"
        "  def forward(self, x):\n    return self.net(x)\n"
        "  def configure_optimizers(self):\n    return optim.AdamW(self.parameters(), lr=self.rate)\n"
        "m = Light(nn.Sequential(nn.Flatten(), nn.Linear(12, 3)), 0.003)\n"
        "trainer = L.Trainer(max_epochs=12, accelerator='auto')\n"
        "trainer.fit(m, loader)\n"
    )
    assert recipe == {"optimizer": "adamw", "learning_rate": 0.003, "weight_decay": 0.01, "epochs": 12}
    assert [text for _, text in notes if "input shape" not in text] == []


def test_a_shift_beyond_a_recipes_range_is_limited_with_a_note() -> None:
    text = KERAS.replace("40, 40", "200, 200") + (
        "more = ImageDataGenerator(width_shift_range=0.2, height_shift_range=0.2)\nm.fit(more.flow(x, y))"
    )
    found, notes = read(text)
    assert found["shift"] == 16
    assert notes == [(7, "shifts of 40 pixels: 16, the most possible, is used")]


@pytest.mark.parametrize(
    ("code", "name", "line"),
    [
        (KERAS + "from keras.datasets import cifar10\ndata = cifar10.load_data()", "cifar10", 7),
        (KERAS + "data = keras.datasets.fashion_mnist.load_data()", "fashion_mnist", 6),
        (KERAS + "data = keras.utils.image_dataset_from_directory('photos')", "folder", 6),
        (KERAS + "data = ImageDataGenerator().flow_from_directory('photos')", "folder", 6),
        (KERAS + "import tensorflow_datasets as tfds\ndata, info = tfds.load('svhn_cropped')", "svhn", 7),
        (TORCH + "data = torchvision.datasets.FashionMNIST('here')", "fashion_mnist", 6),
        (TORCH + "data = torchvision.datasets.ImageFolder('photos')", "folder", 6),
    ],
)
def test_the_data_set_in_the_code_is_named(code: str, name: str, line: int) -> None:
    data = read_code(code).data
    assert data is not None
    assert (data.name, data.line) == (name, line)


def test_settings_of_a_model_that_is_not_imported_are_not_taken() -> None:
    text = KERAS + (
        "other = keras.Sequential([Flatten(input_shape=(40, 40, 3)), Dense(2)])\n"
        "other.compile('sgd')\nm.compile('adam')\nm.fit(x, y, epochs=3)"
    )
    assert read(text)[0] == {"optimizer": "adam", "learning_rate": 0.001, "epochs": 3}


def imported(text: str) -> ImportedDesign:
    return read_code(text)


def test_images_read_from_a_folder_give_the_input() -> None:
    text = (
        "import keras\nfrom keras.layers import *\n"
        "data = keras.utils.image_dataset_from_directory('x', image_size=(50, 60), batch_size=8)\n"
        "m = keras.Sequential([Conv2D(2, 3), Flatten(), Dense(3)])\nm.fit(data)"
    )
    found = imported(text)
    assert found.network.input.dims == (3, 50, 60)
    assert found.recipe["batch_size"] == 8
