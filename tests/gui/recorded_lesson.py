"""The main job from start to end by mouse and keys: an empty list, the lesson's network, Train, Stop, Export.

    python tests/gui/recorded_lesson.py FOR_THE_EXPORT [IMAGES]

Needs the data of `$CNNSTUDIO_HOME` only; prints what it saw as one JSON object. `test_recorded_lesson.py`
runs it on a virtual screen.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from hand import Hand
from pyqtgraph import PlotWidget
from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QCheckBox,
    QComboBox,
    QDialog,
    QLineEdit,
    QListWidget,
    QMessageBox,
    QTreeView,
    QWidget,
)

from cnnstudio.gui.shell.app import application, create_window
from cnnstudio.gui.shell.main_window import MainWindow

# As the lesson lists them: it forgets the Flatten.
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
    hand = Hand(window, images)
    hand.wait_for(window.windowHandle().isExposed, "the window")
    # A screen without a window manager gives the focus only to who asks for it.
    window.windowHandle().requestActivate()
    hand.wait_for(window.isActiveWindow, "the focus")
    hand.image("first-launch")
    seen = {"problem": draw(hand, window)}
    seen |= train(hand, window)
    seen["export"] = export(hand, window, folder)
    close_without_saving(hand, window)
    print(json.dumps(seen))


def close_without_saving(hand: Hand, window: MainWindow) -> None:
    """Closes the window; the question about the unsaved design is answered by a click."""

    def answer() -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        hand.image("unsaved")
        hand.click(box.button(QMessageBox.StandardButton.Discard))

    QTimer.singleShot(300, answer)
    assert window.close()


def draw(hand: Hand, window: MainWindow) -> str:
    """Builds the lesson's network from nothing; gives the sentence about the missing Flatten."""
    hand.press(window, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    assert not window.project.network.nodes
    hand.image("empty")
    for number, (name, values) in enumerate(LESSON):
        add(hand, name, number)
        assert window.project.network.nodes[-1].layer.type_name() == name, window.project.network
        for parameter, value in values.items():
            set_parameter(hand, f"param_{parameter}", value)
    hand.image("missing-flatten")
    problem = window.project.analysis.problems[0].sentence
    tree = hand.find(QTreeView, "layerList")
    faulty = window.project.analysis.problems[0].node_id
    hand.click(tree.viewport(), tree.fix_rect(faulty).center())
    assert not window.project.analysis.problems
    hand.image("fixed")
    return problem


def add(hand: Hand, name: str, count: int) -> None:
    """Drags a layer from the palette to the end of the list; by Enter where the platform cannot drag."""
    types = hand.find(QListWidget, "paletteList")
    assert isinstance(types, QListWidget)
    item = next(types.item(row) for row in range(types.count()) if types.item(row).text() == name)
    types.scrollToItem(item)
    start = types.visualItemRect(item).center()
    tree = hand.find(QTreeView, "layerList")
    assert isinstance(tree, QTreeView)
    if not hand.can_drag:
        hand.click(types.viewport(), start)
        hand.press(types, Qt.Key.Key_Return)
        return
    last = tree.visualRect(tree.model().index(count, 0))
    hand.drag(types.viewport(), start, tree.viewport(), QPoint(200, last.bottom() + 3))


def set_parameter(hand: Hand, name: str, value: str) -> None:
    """Fills one field of the inspector by keys."""
    fields = [field for field in hand.window.findChildren(QWidget, name) if field.isVisible()]
    assert len(fields) == 1, f"{len(fields)} fields {name}"
    field = fields[0]
    if isinstance(field, QComboBox):
        field.setFocus()
        hand.press(field, Qt.Key.Key_Home)
        while field.currentText() != value:
            before = field.currentIndex()
            hand.press(field, Qt.Key.Key_Down)
            assert field.currentIndex() > before, f"{name} does not offer {value}"
    else:
        hand.write(field, value)


def train(hand: Hand, window: MainWindow) -> dict[str, object]:
    """Trains on the built-in set until curves and maps have moved, edits meanwhile, and stops."""
    tree = hand.find(QTreeView, "layerList")
    assert isinstance(tree, QTreeView)
    third = tree.visualRect(tree.model().index(3, 0))
    hand.click(tree.viewport(), third.center())
    steps: list[int] = []
    maps: list[np.ndarray] = []
    window.session.events.connect(lambda events: keep(events, steps, maps))
    hand.click_button("Train")
    hand.wait_for(lambda: len(maps) > 1, "feature maps")
    hand.wait_for(lambda: points_drawn(hand) > 0, "a curve")
    points = [points_drawn(hand)]
    hand.wait_for(lambda: points_drawn(hand) > points[0], "a curve that grows")
    points.append(points_drawn(hand))
    hand.image("training")
    hand.press(window, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    assert len(window.project.network) == len(LESSON) + 2, "a layer more, while it trains"
    hand.image("edited-while-training")
    hand.press(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    hand.click_button("Stop")
    hand.wait_for(lambda: window.run_folder is not None and window.session.state.value == "idle", "the end")
    hand.image("stopped")
    return {
        "steps": sum(steps),
        "maps_moved": bool((maps[0] != maps[-1]).any()),
        "points": points,
        "run": str(window.run_folder),
    }


def points_drawn(hand: Hand) -> int:
    """Points of the longest curve that the loss plot shows."""
    plot = hand.find(QWidget, "lossPlot")
    assert isinstance(plot, PlotWidget)
    curves = [item.getData()[0] for item in plot.listDataItems()]
    return max((len(curve) for curve in curves if curve is not None), default=0)


def keep(events: tuple[object, ...], steps: list[int], maps: list[np.ndarray]) -> None:
    for event in events:
        if type(event).__name__ == "Progress":
            steps.append(len(event.losses))
        elif type(event).__name__ == "SnapshotTaken":
            maps.append(event.payload.maps)


def export(hand: Hand, window: MainWindow, folder: Path) -> str:
    """Exports ONNX, checked against torch; gives the line about the comparison."""
    hand.click_button("Export")
    dialog = hand.find(QDialog, "exportDialog")
    hand.wait_for(dialog.isVisible, "the dialog")
    for name in ("safetensors", "onnx", "pytorch"):
        box = dialog.findChild(QCheckBox, f"format_{name}")
        assert isinstance(box, QAbstractButton)
        if box.isChecked() != (name == "onnx"):
            hand.click(box, QPoint(8, box.height() // 2))
    field = dialog.findChild(QLineEdit, "exportFolder")
    assert field is not None
    hand.write(field, str(folder))
    hand.image("export")
    hand.click_button("Export", dialog)
    hand.wait_for(lambda: any("✓" in line for line in lines(dialog)), "the export")
    hand.image("exported")
    result = next(line for line in lines(dialog) if "✓" in line)
    hand.press(dialog, Qt.Key.Key_Escape)
    return result


def lines(dialog: QWidget) -> list[str]:
    return [child.text() for child in dialog.findChildren(QWidget) if hasattr(child, "text")]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
