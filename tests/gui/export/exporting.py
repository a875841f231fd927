"""A trained run of a tiny network, and the export panel driven by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton
from pytestqt.qtbot import QtBot

from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.design.network import IdGenerator, Network
from cnnstudio.gui.export.panel import ExportPanel
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.recipe.built_in import LESSON


def train_tiny(folder: Path) -> Path:
    """Trains a run in that folder, and returns it."""
    ids = IdGenerator()
    network = Network(Shape.of(1, 4, 4), (ids.node(Flatten()), ids.node(Dense(2))), "Tiny net")
    images = np.random.default_rng(0).integers(0, 256, (8, 1, 4, 4), np.uint8)
    split = Split(images, np.arange(8, dtype=np.int64) % 2)
    dataset = Dataset("noise", "Noise", ("a", "b"), split, split)
    start_run(network, dataset, LESSON.replace(epochs=1), RunOptions(folder=folder, device="cpu"))
    return folder


def field(panel: ExportPanel) -> QLineEdit:
    found = panel.findChild(QLineEdit, "exportFolder")
    assert isinstance(found, QLineEdit)
    return found


def button(panel: ExportPanel, name: str) -> QPushButton:
    found = panel.findChild(QPushButton, name)
    assert isinstance(found, QPushButton)
    return found


def press(qtbot: QtBot, panel: ExportPanel, name: str) -> None:
    qtbot.mouseClick(button(panel, name), Qt.MouseButton.LeftButton)


def state(panel: ExportPanel, name: str) -> str:
    """The state on the card of a format."""
    return str(panel.findChild(QLabel, f"state_{name}").text())


def shown(panel: ExportPanel) -> str:
    """All visible texts of the panel."""
    return "\n".join(label.text() for label in panel.findChildren(QLabel) if label.isVisible())
