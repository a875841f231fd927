"""When a training has ended, the window holds neither its model nor its images, without a collection."""

from __future__ import annotations

import gc
from collections import Counter
from pathlib import Path

import pytest
import torch
from PySide6.QtWidgets import QMainWindow
from pytestqt.qtbot import QtBot
from torch import Tensor, nn

from cnnstudio.data.dataset import Dataset
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.tool_bar import TrainingToolBar
from cnnstudio.training.preflight.prepare import PreparedTraining
from cnnstudio.training.recipe.recipe import Recipe
from tests.gui.fakes import TINY, image_folder
from tests.gui.run_stage import RunStage

RECIPE = Recipe("memory", epochs=2, batch_size=8, learning_rate=0.01)
LARGE = (Tensor, nn.Module, torch.optim.Optimizer, Dataset, PreparedTraining)


def in_memory() -> Counter[str]:
    classes = (type(each) for each in gc.get_objects())
    return Counter(each.__name__ for each in classes if issubclass(each, LARGE))


def test_a_training_on_a_folder_leaves_nothing_in_memory(
    qtbot: QtBot, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    data = image_folder(tmp_path / "data")
    # The data set has a note, which is shown.
    (data / "train" / "dark" / "broken.png").write_bytes(b"no image")
    project, session, window = Project(TINY), TrainingSession(), QMainWindow()
    qtbot.addWidget(window)
    window.addToolBar(TrainingToolBar(project, session))
    window.setCentralWidget(RunStage(project, session))
    window.show()
    request.addfinalizer(lambda: session.shutdown(60))
    loaded: list[int] = []
    session.dataset_loaded.connect(lambda pair: loaded.append(len(pair[1].notes)))

    def train() -> None:
        session.start(TINY, str(data), RECIPE)
        qtbot.waitUntil(lambda: session.state is State.RUNNING, timeout=60_000)
        qtbot.waitUntil(lambda: session.state is State.IDLE and not session.is_busy, timeout=60_000)

    before = in_memory()
    train()
    assert loaded == [1]
    assert in_memory() - before == Counter()
