"""From a dropped folder to a fine-tuned network, by mouse and keys.

The pretrained network is cut to its first stages and small images, and its weights are random, to be fast.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import shiboken6
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QTreeView, QWidget
from pytestqt.qtbot import QtBot
from torch import Tensor

from cnnstudio.design.adaptation import adapt_to_classes
from cnnstudio.design.network import Network
from cnnstudio.design.templates import template
from cnnstudio.gui.compute.session import State
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.layers.base import Shape
from cnnstudio.runs.run import Run
from cnnstudio.training.model import build_model
from cnnstudio.training.recipe.built_in import RECIPES
from tests.gui.user_input import drag_and_drop

PATIENCE_MS = 60_000
KEY = Qt.Key
_LEFT_OUT = {*(f"Stage {number}" for number in range(3, 8)), "Features"}
CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve images of bright and dark noise, four of them for testing."""
    random = np.random.default_rng(0)
    for split, count in (("train", 4), ("test", 2)):
        for name, low in (("bright", 150), ("dark", 0)):
            folder = tmp_path / "photos" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(low, low + 100, (20, 24, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "photos"


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The template ends after its second stage."""
    known = template("efficientnet-lite0")
    whole = known.network
    nodes = [node for node in whole.nodes if node.title not in _LEFT_OUT]
    network = dataclasses.replace(whole, input=Shape.of(3, 32, 32), nodes=tuple(nodes))
    monkeypatch.setitem(vars(known), "network", network)

    def load(name: str) -> tuple[Network, dict[str, Tensor]]:
        trained = adapt_to_classes(network, 1000)
        return trained, build_model(trained).state_dict()

    monkeypatch.setattr("cnnstudio.training.pretrained.start_weights.load_pretrained", load)
    monkeypatch.setattr("cnnstudio.gui.pages.data_set.small_sets.offer.is_installed", lambda name: True)


@pytest.fixture
def window(qtbot: QtBot, cut: None) -> Iterator[MainWindow]:
    window = create_window()
    window.resize(1280, 720)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    yield window
    window.project.mark_saved(Path("elsewhere.cnn.json"))
    window.close()
    shiboken6.delete(window)


class User:
    """Clicks on what is visible and presses keys; counts how often."""

    def __init__(self, window: MainWindow, qtbot: QtBot) -> None:
        self.window, self.qtbot = window, qtbot
        self.acts = 0

    def until(self, condition: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(condition()), timeout=PATIENCE_MS)

    def click(self, name: str) -> None:
        """Clicks on the button with that object name, as soon as it can be clicked."""

        def find() -> list[QAbstractButton]:
            found = [
                each
                for top in QApplication.topLevelWidgets()
                for each in top.findChildren(QAbstractButton, name)
            ]
            return [each for each in found if each.isVisible() and each.isEnabled()]

        self.until(find)
        QTest.mouseClick(find()[0], Qt.MouseButton.LeftButton)
        self.acts += 1

    def click_action(self, name: str) -> None:
        """Clicks on the toolbar's button for an action."""
        action = self.window.findChild(QAction, name)
        assert action is not None
        self.until(action.isEnabled)
        buttons = [
            each
            for each in self.window.tool_bar.findChildren(QAbstractButton)
            if action in each.actions() and each.isVisible()
        ]
        QTest.mouseClick(buttons[0], Qt.MouseButton.LeftButton)
        self.acts += 1

    def press(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        """To the widget with the focus, and shortcuts to the window."""
        focused = QApplication.focusWidget()
        if modifiers == Qt.KeyboardModifier.NoModifier and focused is not None:
            QTest.keyClick(focused, key)
        else:
            QTest.keyClick(self.window.windowHandle(), key, modifiers)
        self.acts += 1

    def trained(self, epochs: int) -> Run:
        """The run, once it has ended."""
        self.until(lambda: self.window.session.state is not State.IDLE)
        self.until(lambda: self.window.session.state is State.IDLE)
        folder = self.window.run_folder
        assert folder is not None
        run = Run.open(folder)
        assert run.status == "completed", run.reason
        assert run.history[-1].epoch == epochs
        return run


def _select(window: MainWindow, titles: tuple[str, ...]) -> None:
    """Clicks on the rows with these titles, with Ctrl held."""
    tree = window.findChild(QTreeView, "layerList")
    assert isinstance(tree, QTreeView)
    ids = [node.id for node in window.project.network.nodes if node.title in titles]
    assert len(ids) == len(titles)
    modifiers = Qt.KeyboardModifier.NoModifier
    for number in range(tree.model().rowCount()):
        index = tree.model().index(number, 0)
        if any(window.project.network.node(each).title == str(index.data()) for each in ids):
            tree.scrollTo(index)
            QTest.mouseClick(
                tree.viewport(), Qt.MouseButton.LeftButton, modifiers, tree.visualRect(index).center()
            )
            modifiers = CTRL
    assert set(window.project.selection) == set(ids)


@pytest.mark.timeout(200)
def test_a_dropped_folder_becomes_a_network_that_is_tried_unlocked_and_trained_on(
    window: MainWindow, photos: Path, qtbot: QtBot
) -> None:
    user = User(window, qtbot)
    # A folder is dropped and becomes a network that predicts.
    drag_and_drop(window, photos)
    user.click("addAndUse")
    user.until(lambda: window.project.classes == 2)
    user.click("startFromPretrained")
    assert window.project.network.weights == "efficientnet-lite0"
    assert window.tool_bar.start.title == "EfficientNet-Lite0, pretrained"
    # Fewer epochs than the recipe has, only to be fast.
    window.project.set_recipe(window.project.recipe.replace(epochs=2))
    user.click_action("actionTrain")
    run = user.trained(2)
    assert run.weights_notice.startswith("pretrained on ImageNet")
    drag_and_drop(window, photos / "test" / "bright" / "0.png")
    tried = window.pages.use.try_panel
    user.until(lambda: any(name in "".join(_texts(tried)) for name in ("bright", "dark")))
    # Adding the images, taking the offer, training; the image is dropped as the folder was.
    assert user.acts == 3
    # The last blocks are unlocked and the training goes on in a new run.
    user.press(KEY.Key_2, CTRL)
    _select(window, ("Stage 2",))
    user.press(KEY.Key_L, CTRL)
    assert {"Stage 2"} <= {node.title for node in window.project.network.nodes if node.trainable}
    window.project.set_recipe(RECIPES["fine-tune"].replace(epochs=3, batch_size=4))
    action = window.findChild(QAction, "actionContinueDesign")
    action.trigger()
    user.click("messageButton")
    second = user.trained(3)
    assert second.continued_from == run.id
    assert second.weights_notice == run.weights_notice
    assert len(second.network.locked_ids) < len(run.network.locked_ids)
    # The time machine has the epochs of both.
    assert window.pages.currentIndex() == window.pages.TRAIN
    cursor, timeline = window.shown_run.cursor, window.findChild(QWidget, "timeline")
    assert timeline is not None
    assert [each.epoch for each in cursor.record.history.epochs] == [1, 2, 3]
    QTest.keyClick(timeline, KEY.Key_Home)
    assert cursor.epoch == 0
    QTest.keyClick(timeline, KEY.Key_Right)
    assert cursor.epoch == 1
    assert cursor.moment.folder == run.folder
    user.until(lambda: "after epoch 1" in "".join(_texts(window.pages.train.view_panel)))
    QTest.keyClick(timeline, KEY.Key_End)
    assert cursor.epoch is None


def _texts(widget: QWidget) -> list[str]:
    return [label.text() for label in widget.findChildren(QLabel) if label.isVisible()]


def test_what_training_starts_from_survives_a_restart(qtbot: QtBot) -> None:
    for number in range(2):
        window = create_window()
        window.session.preload = lambda: None  # type: ignore[method-assign]  # nothing computes here
        qtbot.addWidget(window)
        if number:
            assert window.tool_bar.start.title == "Head, epoch 3"
            assert not window.tool_bar.start_chip.isHidden()
        else:
            window.tool_bar.start.restore('{"source": "/runs/head@3", "title": "Head, epoch 3"}')
        window.close()
