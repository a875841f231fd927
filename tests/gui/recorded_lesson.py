"""The main workflow by mouse and keyboard: build the lesson's network, train, stop, export.

    python tests/gui/recorded_lesson.py EXPORT_FOLDER [SCREENSHOT_FOLDER]

Starts from an empty design; needs only the data in `$CNNSTUDIO_HOME`. Prints its observations as one JSON
object. `test_recorded_lesson.py` runs it on a virtual screen.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from pyqtgraph import PlotWidget
from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QTreeView,
    QWidget,
)
from user_input import UserInput, exit_process

from cnnstudio.gui.shell.app import application, create_window
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.gui.widgets.message_box import MessageBox

# As the lesson lists them, without the Flatten layer that it forgets.
LESSON = (
    ("Conv2D", {"filters": "32", "activation": "relu"}),
    ("MaxPooling2D", {}),
    ("Conv2D", {"filters": "64", "activation": "relu"}),
    ("MaxPooling2D", {}),
    ("Dense", {"units": "128", "activation": "relu"}),
    ("Dense", {"units": "10", "activation": "softmax"}),
)


def main(folder: Path, images: Path | None) -> None:
    application()
    window = create_window()
    window.resize(1440, 900)
    window.show()
    user = UserInput(window, images)
    user.wait_for(window.windowHandle().isExposed, "the window")
    # Without a window manager, a window only gets the focus if it requests it.
    window.windowHandle().requestActivate()
    user.wait_for(window.isActiveWindow, "the focus")
    user.screenshot("first-launch")
    observed = {"problem": build_network(user, window)}
    observed |= train(user, window)
    observed["export"] = export(user, window, folder)
    close_without_saving(user, window)
    print(json.dumps(observed))


def close_without_saving(user: UserInput, window: MainWindow) -> None:
    """Closes the window, and discards the unsaved design in the message box."""

    def answer() -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, MessageBox)
        user.screenshot("unsaved")
        user.click(box.buttons["discard"])

    QTimer.singleShot(300, answer)
    assert window.close()


def build_network(user: UserInput, window: MainWindow) -> str:
    """Builds the lesson's network in an empty design; returns the message about the missing Flatten."""
    user.press(window, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    assert not window.project.network.nodes
    user.screenshot("empty")
    for number, (name, values) in enumerate(LESSON):
        add_layer(user, name, number)
        assert window.project.network.nodes[-1].layer.type_name() == name, window.project.network
        for parameter, value in values.items():
            set_parameter(user, f"param_{parameter}", value)
    user.screenshot("missing-flatten")
    problem = window.project.analysis.problems[0].full_message
    tree = user.find(QTreeView, "layerList")
    faulty = window.project.analysis.problems[0].node_id
    user.click(tree.viewport(), tree.fix_rect(faulty).center())
    assert not window.project.analysis.problems
    user.screenshot("fixed")
    return problem


def add_layer(user: UserInput, name: str, count: int) -> None:
    """Drags a layer from the palette to the end of the list, or presses Enter if the platform cannot drag."""
    types = user.find(QListWidget, "paletteList")
    assert isinstance(types, QListWidget)
    item = next(types.item(row) for row in range(types.count()) if types.item(row).text() == name)
    types.scrollToItem(item)
    start = types.visualItemRect(item).center()
    tree = user.find(QTreeView, "layerList")
    assert isinstance(tree, QTreeView)
    if not user.can_drag:
        user.click(types.viewport(), start)
        user.press(types, Qt.Key.Key_Return)
        return
    last = tree.visualRect(tree.model().index(count, 0))
    user.drag(types.viewport(), start, tree.viewport(), QPoint(200, last.bottom() + 3))


def set_parameter(user: UserInput, name: str, value: str) -> None:
    """Fills in a field of the inspector by keyboard."""
    fields = [field for field in user.window.findChildren(QWidget, name) if field.isVisible()]
    assert len(fields) == 1, f"{len(fields)} fields {name}"
    field = fields[0]
    if isinstance(field, QComboBox):
        field.setFocus()
        user.press(field, Qt.Key.Key_Home)
        while field.currentText() != value:
            before = field.currentIndex()
            user.press(field, Qt.Key.Key_Down)
            assert field.currentIndex() > before, f"{name} does not offer {value}"
    else:
        user.write(field, value)


def train(user: UserInput, window: MainWindow) -> dict[str, object]:
    """Trains on the built-in data set until curves and feature maps change, edits meanwhile, and stops."""
    tree = user.find(QTreeView, "layerList")
    assert isinstance(tree, QTreeView)
    third = tree.visualRect(tree.model().index(3, 0))
    user.click(tree.viewport(), third.center())
    steps: list[int] = []
    maps: list[np.ndarray] = []
    window.session.events.connect(lambda events: collect(events, steps, maps))
    user.click_button("Train")
    user.wait_for(lambda: len(maps) > 1, "feature maps")
    user.wait_for(lambda: points_drawn(user) > 0, "a curve")
    points = [points_drawn(user)]
    user.wait_for(lambda: points_drawn(user) > points[0], "a growing curve")
    points.append(points_drawn(user))
    user.screenshot("training")
    user.press(window, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    assert len(window.project.network) == len(LESSON) + 2, "one layer more, while training"
    user.screenshot("edited-while-training")
    user.press(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    user.click_button("Stop")
    user.wait_for(lambda: window.run_folder is not None and window.session.state.value == "idle", "the end")
    user.screenshot("stopped")
    return {
        "steps": sum(steps),
        "maps_moved": bool((maps[0] != maps[-1]).any()),
        "points": points,
        "run": str(window.run_folder),
    }


def points_drawn(user: UserInput) -> int:
    """The number of points of the longest curve in the loss plot."""
    plot = user.find(QWidget, "lossPlot")
    assert isinstance(plot, PlotWidget)
    curves = [item.getData()[0] for item in plot.listDataItems()]
    return max((len(curve) for curve in curves if curve is not None), default=0)


def collect(events: tuple[object, ...], steps: list[int], maps: list[np.ndarray]) -> None:
    for event in events:
        if type(event).__name__ == "Progress":
            steps.append(len(event.losses))
        elif type(event).__name__ == "SnapshotTaken":
            maps.append(event.payload.maps)


def export(user: UserInput, window: MainWindow, folder: Path) -> str:
    """Exports ONNX, verified against torch; returns what the card says of the comparison."""
    user.press(window, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    dialog = user.find(QWidget, "exportPanel")
    user.wait_for(dialog.isVisible, "the panel")
    field = dialog.findChild(QLineEdit, "exportFolder")
    assert field is not None
    user.write(field, str(folder))
    user.screenshot("export")
    export = dialog.findChild(QPushButton, "export_onnx")
    assert export is not None
    user.click(export)
    user.wait_for(lambda: any("✓" in line for line in texts(dialog)), "the export")
    user.screenshot("exported")
    return next(line for line in texts(dialog) if "✓" in line)


def texts(dialog: QWidget) -> list[str]:
    return [label.text() for label in dialog.findChildren(QLabel)]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
    exit_process()
