"""Creates the images of the documentation with the real window: `make screenshots`.

    python docs/make_images.py [--folder docs/images]

Trains the lesson's network on the built-in data set for a few seconds. Works with and without a display.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

_THREE_ERRORS = """{
"format": "cnnstudio.design", "version": 1, "name": "Three errors", "input": [3, 32, 32],
"layers": [
  {"type": "Conv2D", "filters": 32, "activation": "relu"},
  {"type": "MaxPooling2D"},
  {"type": "Residual", "layers": [
    {"type": "Conv2D", "filters": 64, "padding": "same"},
    {"type": "BatchNormalization"}
  ]},
  {"type": "Conv2D", "filters": 64, "groups": 5},
  {"type": "MaxPooling2D"},
  {"type": "Dense", "units": 128, "activation": "relu"},
  {"type": "Dense", "units": 10, "activation": "softmax"}
]}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "images")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    if "DISPLAY" not in os.environ:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as home:
        # Keeps the user's own designs, runs and settings out of the images.
        os.environ["CNNSTUDIO_HOME"] = home
        save_images(folder)


def save_images(folder: Path) -> None:
    """Saves the pages, light and dark: training, with an error, with groups, and with a fix preview."""
    from PySide6.QtGui import QAction
    from PySide6.QtWidgets import QApplication

    from cnnstudio.design import edits
    from cnnstudio.design.file import parse_design
    from cnnstudio.design.templates import template
    from cnnstudio.gui.compute.session import State
    from cnnstudio.gui.shell.app import create_window
    from cnnstudio.gui.theme.theme import theme

    window = create_window()
    window.show()
    window.resize(1440, 900)

    def save(name: str, prepare: Callable[[], object] = lambda: None) -> None:
        for scheme in ("dark", "light"):
            theme().set_scheme(scheme)
            prepare()
            wait(0.5)
            window.grab().save(str(folder / f"{name}-{scheme}.png"))

    def wait(seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not until():
            QApplication.processEvents()
            time.sleep(0.005)

    wait(1)
    window.message_bar.hide()
    project = window.project
    project.select(("conv2d_2",))
    epochs = 0

    def count(events: tuple[object, ...]) -> None:
        nonlocal epochs
        epochs += sum(type(event).__name__ == "EpochEnded" for event in events)

    window.session.events.connect(count)
    window.tool_bar.train_action.trigger()
    wait(300, lambda: epochs >= 5)
    save("window")
    window.pages.turn_to(window.pages.EXPLORE)
    save("explore")
    window.pages.turn_to(window.pages.DESIGN)
    project.edit("delete Flatten", edits.remove(project.network, ["flatten_1"]))
    project.select(("dense_1",))
    save("mistake")
    window.session.stop()
    wait(30, lambda: window.session.state is State.IDLE)
    for name, page in (("data", window.pages.DATA), ("use", window.pages.USE)):
        window.pages.turn_to(page)
        wait(3)
        save(name)
    window.pages.turn_to(window.pages.DESIGN)
    project.open_network(template("resnet-20").network, None)
    project.select(("residual_1",))
    window.pages.design.toggle_drawing()
    save("nested")
    window.pages.design.toggle_drawing()
    project.open_network(parse_design(_THREE_ERRORS), None)
    project.select(("conv2d_3",))
    preview = window.findChild(QAction, "actionPreviewFixes")
    assert preview is not None
    save("preview", preview.trigger)
    project.mark_saved(folder / "lesson.cnn.json")
    window.close()


if __name__ == "__main__":
    main()
