"""Starts the program as a user does, saves a screenshot of its window and closes it.

    python packaging/start_window.py IMAGE.png [DESIGN]

Exits with status 1 and an error message if the window is blank or one of its parts is not visible.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QAbstractButton, QApplication, QMainWindow, QWidget

from cnnstudio.gui.shell import app

PARTS = {
    "Data": ("sourceList", "thumbnails"),
    "Train": ("lossPlot", "accuracyPlot", "featureMaps"),
    "Explore": ("layerStrip",),
    "Use": ("tryPanel", "exportPanel"),
    "Design": ("palette", "layerList", "inspector", "datasetSelector", "trainingProgress", "statusMessage"),
}
"""The parts of each page; the screenshot is of the last one."""
SETTLE_MILLISECONDS = 3000
"""Long enough to find the first data set, and to load torch in the background."""
MIN_COLORS = 50
MAX_SHARE_OF_ONE_COLOR = 0.97


def main(image: str, design: str | None = None) -> int:
    app.application()
    QTimer.singleShot(SETTLE_MILLISECONDS, lambda: check_window(Path(image)))
    return app.main(design)


def check_window(path: Path) -> None:
    """Saves a screenshot of the window, prints its problems and closes it, which ends the program."""
    (window,) = (widget for widget in QApplication.topLevelWidgets() if isinstance(widget, QMainWindow))
    problems = missing_parts(window)
    image = screenshot(window)
    problems += blank_areas(image)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not image.save(str(path)):
        problems.append(f"cannot write {path}")
    for problem in problems:
        print(f"Window: {problem}", file=sys.stderr)
    if not problems:
        size = f"{image.width()} × {image.height()}"
        print(f"The window opened on {QApplication.platformName()}; screenshot ({size}): {path}")
    sys.stdout.flush()
    window.close()
    QApplication.exit(1 if problems else 0)


def screenshot(window: QMainWindow) -> QImage:
    """What the screen shows of the window, or what the window draws if the screen cannot be read."""
    image = window.screen().grabWindow(window.winId())
    return (window.grab() if image.isNull() else image).toImage()


def missing_parts(window: QMainWindow) -> list[str]:
    """A message for each part that is missing or not visible on its page."""
    problems = []
    for page, names in PARTS.items():
        button = window.findChild(QAbstractButton, f"pageButton{page}")
        if button is None:
            problems.append(f"there is no page {page}")
            continue
        button.click()
        QApplication.processEvents()
        # Train and Explore have a list of layers each, of the same name.
        places = (window.findChild(QWidget, f"page{page}") or window, window)
        parts = {
            name: next(filter(None, (at.findChild(QWidget, name) for at in places)), None) for name in names
        }
        hidden = [name for name, part in parts.items() if part is None or not part.isVisible()]
        problems += [f"{name} is not visible on the page {page}" for name in hidden]
    return problems


def blank_areas(image: QImage) -> list[str]:
    """A message if the image is mostly one color, like that of a window that was never painted."""
    rgb = image.convertToFormat(QImage.Format.Format_RGB32)
    width, height = rgb.width(), rgb.height()
    colors = Counter(rgb.pixel(x, y) for y in range(0, height, 4) for x in range(0, width, 4))
    if not colors:
        return ["the screenshot is empty"]
    share = max(colors.values()) / colors.total()
    if len(colors) < MIN_COLORS or share > MAX_SHARE_OF_ONE_COLOR:
        return [f"the screenshot is blank: {len(colors)} colors, {share:.0%} of it in one of them"]
    return []


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
