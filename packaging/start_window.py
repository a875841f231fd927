"""Starts the program as a user does, takes its window's image from the screen and closes it.

    python packaging/start_window.py IMAGE.png [DESIGN]

Ends with status 1 and a sentence where the window shows nothing or lacks a part that it promises.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QMainWindow, QWidget

from cnnstudio.gui.shell import app

PARTS = (
    "palette",
    "layerList",
    "inspector",
    "datasetSelector",
    "lossPlot",
    "accuracyPlot",
    "trainingProgress",
    "statusMessage",
)
SETTLE_MILLISECONDS = 3000
"""Long enough for the first data set to be found and for torch to be loaded behind the window."""
FEWEST_COLORS = 50
LARGEST_SHARE = 0.97


def main(image: str, design: str | None = None) -> int:
    app.application()
    QTimer.singleShot(SETTLE_MILLISECONDS, lambda: look(Path(image)))
    return app.main(design)


def look(path: Path) -> None:
    """Saves the image of the window, says what is wrong with it and closes it, which ends the program."""
    (window,) = (widget for widget in QApplication.topLevelWidgets() if isinstance(widget, QMainWindow))
    image = take_image(window)
    problems = [*missing_parts(window), *emptiness(image)]
    path.parent.mkdir(parents=True, exist_ok=True)
    if not image.save(str(path)):
        problems.append(f"{path} cannot be written")
    for problem in problems:
        print(f"The window: {problem}", file=sys.stderr)
    if not problems:
        size = f"{image.width()} × {image.height()}"
        print(f"The window came up on {QApplication.platformName()}; its image, {size}: {path}")
    sys.stdout.flush()
    window.close()
    QApplication.exit(1 if problems else 0)


def take_image(window: QMainWindow) -> QImage:
    """What the screen really shows of the window; what the window draws where the screen may not be read."""
    image = window.screen().grabWindow(window.winId())
    return (window.grab() if image.isNull() else image).toImage()


def missing_parts(window: QMainWindow) -> list[str]:
    """A sentence for each promised part that is not there or not to be seen."""
    parts = {name: window.findChild(QWidget, name) for name in PARTS}
    hidden = [name for name, part in parts.items() if part is None or not part.isVisible()]
    return [f"{name} is not to be seen" for name in hidden]


def emptiness(image: QImage) -> list[str]:
    """A sentence where the image is one plain area, as of a window that was never painted."""
    rgb = image.convertToFormat(QImage.Format.Format_RGB32)
    width, height = rgb.width(), rgb.height()
    colors = Counter(rgb.pixel(x, y) for y in range(0, height, 4) for x in range(0, width, 4))
    if not colors:
        return ["its image is empty"]
    share = max(colors.values()) / colors.total()
    if len(colors) < FEWEST_COLORS or share > LARGEST_SHARE:
        return [f"it is blank: {len(colors)} colors, {share:.0%} of it in one of them"]
    return []


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
