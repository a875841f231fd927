"""A short run to export."""

from __future__ import annotations

import numpy as np
import pytest

from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.design.network import IdGenerator, Network, Node
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.groups.residual import Residual
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.layers.pooling.average_pooling2d import AveragePooling2D
from cnnstudio.layers.pooling.global_average_pooling2d import GlobalAveragePooling2D
from cnnstudio.layers.pooling.max_pooling2d import MaxPooling2D
from cnnstudio.layers.regularization.dropout import Dropout
from cnnstudio.runs.run import Run
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.recipe.built_in import LESSON
from tests.shapes_once import draw_once


def network() -> Network:
    """A network that is hard to export: uneven padding, ceiling pools, groups, copies, dropout."""
    ids = IdGenerator()
    inner = (ids.node(Conv2D(8, padding="same")), ids.node(BatchNormalization()))
    halving = ids.node(Conv2D(8, padding="same", strides=(2, 2), activation="leaky_relu"))
    nodes: tuple[Node, ...] = (
        ids.node(Conv2D(4, activation="gelu")),
        ids.node(MaxPooling2D((3, 3), (2, 2), padding="same")),
        ids.node(Residual(shortcut="projection"), children=(halving,)),
        ids.node(Repeat(2), children=(ids.node(Residual(), children=inner),)),
        ids.node(AveragePooling2D((2, 2), (1, 1), padding="same")),
        ids.node(Dropout(0.5)),
        ids.node(GlobalAveragePooling2D()),
        ids.node(Dense(3, activation="softmax")),
    )
    return Network(Shape.of(3, 12, 10), nodes, "Every kind")


@pytest.fixture(autouse=True)
def _shapes_are_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    draw_once(monkeypatch)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of that network with one epoch."""
    random = np.random.default_rng(0)

    def split(count: int) -> Split:
        images = random.integers(0, 256, (count, 3, 12, 10), np.uint8)
        return Split(images, np.arange(count, dtype=np.int64) % 3)

    dataset = Dataset("noise", "Noise", ("one", "two", "three"), split(48), split(12))
    folder = tmp_path_factory.mktemp("run") / "noise-run"
    start_run(
        network(), dataset, LESSON.replace(epochs=1, batch_size=16), RunOptions(folder=folder, device="cpu")
    )
    return Run.open(folder)
