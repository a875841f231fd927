"""A folder of images, and a window that it can be dropped on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import shiboken6
from PIL import Image
from pytestqt.qtbot import QtBot

from cnnstudio.design.file import parse_design
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.training.recipe.recipe import Recipe

_SMALL = """{"format": "cnnstudio.design", "version": 1, "name": "Small", "input": [3, 16, 16], "layers": [
  {"type": "Conv2D", "filters": 4, "activation": "relu"}, {"type": "GlobalAveragePooling2D"},
  {"type": "Dense", "units": 3, "activation": "softmax"}]}"""
_CLASSES = ("blue", "green", "red")


@pytest.fixture
def balls(tmp_path: Path) -> Path:
    """Noisy images of three colors, with a duplicate in test, a dark one and a wrong label."""
    random = np.random.default_rng(0)
    for part, count in (("train", 10), ("test", 4)):
        for number, name in enumerate(_CLASSES):
            folder = tmp_path / "balls" / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                _draw(random, 2 - number).save(folder / f"{name}{index}.png")
    folder = tmp_path / "balls"
    (folder / "test/red/red0.png").write_bytes((folder / "train/red/red3.png").read_bytes())
    dark = random.integers(0, 40, (16, 16, 3), np.uint8)
    Image.fromarray(dark).save(folder / "train/red/dark.png")
    _draw(random, 1).save(folder / "train/red/zgreen.png")
    (folder / "train/blue/broken.png").write_bytes(b"no image")
    return folder


def _draw(random: np.random.Generator, channel: int) -> Image.Image:
    pixels = random.integers(0, 90, (16, 16, 3), np.uint8)
    pixels[4:12, 4:12, channel] += 150
    return Image.fromarray(pixels)


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[MainWindow]:
    """One that never loads torch."""
    window = create_window()
    window.session.preload = lambda: None  # type: ignore[method-assign]  # nothing computes here
    window.session.fetch = lambda *arguments: None  # type: ignore[method-assign, assignment, return-value]  # nor here
    yield from _opened(window, qtbot)


@pytest.fixture
def computing_window(qtbot: QtBot) -> Iterator[MainWindow]:
    yield from _opened(create_window(), qtbot)


def _opened(window: MainWindow, qtbot: QtBot) -> Iterator[MainWindow]:
    window.message_bar.hide()
    window.resize(1280, 720)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    window.project.open_network(parse_design(_SMALL), None)
    window.project.set_recipe(Recipe("quick", epochs=1, batch_size=8))
    yield window
    window.project.mark_saved(Path("elsewhere.cnn.json"))
    window.close()
    assert window.session.shutdown(60)
    shiboken6.delete(window)
