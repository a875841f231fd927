"""The code that a card copies works without this package, on the exported file, and gives its scores."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.design.network import IdGenerator, Network
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.export.panel import ExportPanel
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.runs.predicting import Prediction, SkippedFiles, predict_files
from cnnstudio.runs.run import Run
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.recipe.built_in import LESSON
from tests.gui.export.exporting import button, field, press

CLASSES = ("cat’s", 'a "dog"', "frog")
WITHOUT_THE_PROGRAM = "import sys; sys.modules['cnnstudio'] = None\n"


def train(folder: Path, channels: int, flip: bool) -> Run:
    ids = IdGenerator()
    nodes = (ids.node(Conv2D(4)), ids.node(Flatten()), ids.node(Dense(3)))
    shape = (24, channels, 8, 10)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    split = Split(images, np.arange(24, dtype=np.int64) % 3)
    dataset = Dataset("noise", "Noise", CLASSES, split, split)
    recipe = replace(LESSON, name="custom", epochs=1, test_time_flip=flip)
    network = Network(Shape.of(*shape[1:]), nodes, "Copied")
    start_run(network, dataset, recipe, RunOptions(folder=folder, device="cpu"))
    return Run.open(folder)


@pytest.mark.parametrize("name", ["onnx", "pytorch"])
@pytest.mark.parametrize(("channels", "flip"), [(3, False), (1, True)])
def test_the_copied_code_classifies_an_image_as_the_program_does(
    name: str, channels: int, flip: bool, qtbot: QtBot, tmp_path: Path
) -> None:
    run = train(tmp_path / "run", channels, flip)
    work = tmp_path / "user’s programs"
    work.mkdir()
    image = work / "image.png"
    # Neither the size nor the shape that the network takes.
    pixels = np.random.default_rng(1).integers(0, 256, (40, 31, 3), np.uint8)
    Image.fromarray(pixels).save(image)
    code = copied(name, run, work / "my model", qtbot)
    finished = subprocess.run(
        [sys.executable, "-P", "-c", WITHOUT_THE_PROGRAM + code], cwd=work, capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr
    label, probability = ast.literal_eval(finished.stdout.strip())
    expected = predicted(run, image)
    assert label == expected.label
    assert probability == pytest.approx(expected.probabilities[label], abs=1e-4)
    # That of another class would be noticed.
    assert max(expected.probabilities.values()) - min(expected.probabilities.values()) > 0.01


def copied(name: str, run: Run, folder: Path, qtbot: QtBot) -> str:
    """Exports in the window, and copies the code of the card."""
    session = TrainingSession()
    panel = ExportPanel(session)
    qtbot.addWidget(panel)
    panel.show_run(run.folder)
    panel.show()
    field(panel).setText(str(folder))
    press(qtbot, panel, f"export_{name}")
    qtbot.waitUntil(button(panel, f"copy_{name}").isVisible, timeout=120_000)
    press(qtbot, panel, f"copy_{name}")
    assert session.shutdown(60)
    return QGuiApplication.clipboard().text()


def predicted(run: Run, image: Path) -> Prediction:
    (found,) = predict_files(run, run.model(), [image], SkippedFiles(), required=1)
    return found
