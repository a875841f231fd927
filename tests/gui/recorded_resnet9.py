"""Builds ResNet-9 from an empty design by keyboard only: palette, quick insert, fields, wrap, copy and paste.

    python tests/gui/recorded_resnet9.py [SCREENSHOT_FOLDER]

Every key is sent to the window, as the system would; nothing is clicked, and the script never sets the focus.
Prints the resulting design as one JSON object. `test_recorded_resnet9.py` runs it on a virtual screen.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QGuiApplication
from PySide6.QtWidgets import QTreeView
from user_input import Keyboard, UserInput, exit_process

from cnnstudio.design.file import nodes_to_json
from cnnstudio.gui.shell.app import application, create_window
from cnnstudio.gui.shell.main_window import MainWindow

KEY = Qt.Key
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def main(images: Path | None) -> None:
    application()
    window = create_window()
    window.resize(1440, 900)
    window.show()
    user, keys = UserInput(window, images), Keyboard(window)
    user.wait_for(window.windowHandle().isExposed, "the window")
    # Without a window manager, a window only gets the focus if it requests it.
    window.windowHandle().requestActivate()
    user.wait_for(window.isActiveWindow, "the focus")
    keys.press(KEY.Key_N, CTRL)
    assert not window.project.network.nodes
    first_layers_from_the_palette(user, keys, window)
    second_stage_by_typing(user, keys)
    first_residual_by_wrapping(user, keys, window)
    keys.tab_to("layerList")
    keys.type("conv 256 3 same no bias, bn, relu, pool")
    keys.press(KEY.Key_Return)
    keys.type("conv 512 3 same no bias, bn, relu, pool")
    keys.press(KEY.Key_Return)
    keys.press(KEY.Key_Escape)
    second_residual_by_copying(user, keys, window)
    keys.tab_to("layerList")
    keys.press(KEY.Key_End)
    # From the last layer of the group to the group itself, so that typed layers go after it.
    keys.press(KEY.Key_Left)
    keys.type("pool 4, flatten, dense 10")
    keys.press(KEY.Key_Return)
    keys.press(KEY.Key_Escape)
    user.screenshot("complete")
    print(json.dumps(observations(user, window)))
    # So that closing does not ask about the unsaved design.
    window.project.mark_saved(Path("resnet9.cnn.json"))
    assert window.close()
    # Without a display, Qt itself keeps what was copied, would destroy it after Python has ended, and crash.
    QGuiApplication.clipboard().clear()


def first_layers_from_the_palette(user: UserInput, keys: Keyboard, window: MainWindow) -> None:
    """Adds convolution, normalization and activation by the palette's search; reaches the fields by Tab."""
    keys.tab_to("paletteSearch")
    keys.type("conv")
    user.screenshot("search")
    keys.press(KEY.Key_Return)
    keys.tab_to("param_filters")
    keys.press(KEY.Key_A, CTRL)
    keys.type("64")
    keys.tab_to("param_padding")
    keys.type("s")
    # The palette's convolutions come with relu; here it follows the normalization.
    keys.tab_to("param_activation")
    keys.type("lin")
    keys.tab_to("param_use_bias")
    keys.press(KEY.Key_Space)
    user.screenshot("fields")
    keys.tab_to("paletteSearch")
    for text in ("batch norm", "activation"):
        keys.press(KEY.Key_A, CTRL)
        keys.type(text)
        keys.press(KEY.Key_Return)
    assert len(window.project.network.nodes) == 3


def second_stage_by_typing(user: UserInput, keys: Keyboard) -> None:
    """Types one layer after another in the field that the first letter opens."""
    keys.tab_to("layerList")
    for line in ("conv 128 3 same no bias", "bn", "relu", "pool"):
        keys.type(line)
        user.screenshot("typing")
        keys.press(KEY.Key_Return)
    keys.press(KEY.Key_Escape)


def first_residual_by_wrapping(user: UserInput, keys: Keyboard, window: MainWindow) -> None:
    """Wraps three layers and a copy of them in a group, without an activation after the sum."""
    for line in ("conv 128 3 same no bias", "bn", "relu"):
        keys.type(line)
        keys.press(KEY.Key_Return)
    keys.press(KEY.Key_Escape)
    keys.press(KEY.Key_Up, SHIFT)
    keys.press(KEY.Key_Up, SHIFT)
    assert len(window.project.selection) == 3
    keys.press(KEY.Key_D, CTRL)
    for _ in range(5):
        keys.press(KEY.Key_Up, SHIFT)
    user.screenshot("selected")
    keys.press(KEY.Key_1, CTRL | Qt.KeyboardModifier.AltModifier)
    assert [node.layer.type_name() for node in window.project.network.nodes][-1] == "Residual"
    assert len(window.project.network.nodes[-1].children) == 6, window.project.network.nodes[-1]
    user.screenshot("wrapped")
    keys.tab_to("param_activation")
    keys.type("lin")


def second_residual_by_copying(user: UserInput, keys: Keyboard, window: MainWindow) -> None:
    """Copies the first one and changes the filters of both convolutions at once."""
    keys.press(KEY.Key_Home)
    group = next(node.id for node in window.project.network.nodes if node.is_group)
    while window.project.selection != (group,):
        keys.press(KEY.Key_Down)
    keys.press(KEY.Key_C, CTRL)
    keys.press(KEY.Key_End)
    keys.press(KEY.Key_V, CTRL)
    keys.press(KEY.Key_Down)
    for _ in range(3):
        keys.press(KEY.Key_Down, CTRL)
    keys.press(KEY.Key_Space, CTRL)
    user.screenshot("both-convolutions")
    keys.tab_to("param_filters")
    keys.press(KEY.Key_A, CTRL)
    keys.type("512")
    keys.press(KEY.Key_Return)


def observations(user: UserInput, window: MainWindow) -> dict[str, object]:
    """The design, its totals and undo steps, and the rows as screen readers get them."""
    analysis, stack = window.project.analysis, window.project.undo_stack
    tree = user.find(QTreeView, "layerList")
    interface = QAccessible.queryAccessibleInterface(tree)
    rows = [interface.child(number).text(QAccessible.Text.Name) for number in range(interface.childCount())]
    return {
        "layers": nodes_to_json(window.project.network.nodes),
        "parameters": analysis.parameters,
        "macs": analysis.macs,
        "problems": [problem.full_message for problem in analysis.problems],
        "steps": [stack.text(number) for number in range(stack.count())],
        "rows": [row for row in rows if row],
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    exit_process()
