"""A small data set, a design and a run, for commands that need a trained network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnstudio.cli.main import main
from cnnstudio.design.file import write_design
from cnnstudio.design.network import IdGenerator, Network
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.layers.pooling.max_pooling2d import MaxPooling2D
from tests.shapes_once import draw_once


@pytest.fixture(autouse=True)
def _shapes_are_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    draw_once(monkeypatch)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bright and dark images of 8 × 8 pixels: 20 training and 5 test images of each."""
    folder = tmp_path_factory.mktemp("data") / "brightness"
    random = np.random.default_rng(0)
    for part, count in (("train", 20), ("test", 5)):
        for name, level in (("bright", 170), ("dark", 20)):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(level, level + 60, (8, 8, 3), np.uint8)
                Image.fromarray(pixels).save(folder / part / name / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def design(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that learns them within seconds."""
    ids = IdGenerator()
    layers = (Conv2D(4), BatchNormalization(), MaxPooling2D(), Flatten(), Dense(2, activation="softmax"))
    path = tmp_path_factory.mktemp("design") / "small.cnn.json"
    write_design(path, Network(Shape.of(3, 8, 8), tuple(map(ids.node, layers)), "Small"))
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, design: Path, images: Path) -> Path:
    """The folder of a run of three epochs. Tests must not change it."""
    root = tmp_path_factory.mktemp("run")
    folder = root / "first-run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNSTUDIO_HOME", str(root / "home"))
        recipe = ["--recipe", "lesson", "--epochs", "3", "--batch-size", "8", "--learning-rate", "0.02"]
        arguments = ["train", str(design), "--data", str(images), *recipe, "--device", "cpu"]
        assert main([*arguments, "--run", str(folder), "--json"]) == 0
    return folder
