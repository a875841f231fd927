"""ResNet-9 from an empty design with the keyboard alone: palette, quick insert, fields, wrap, copy and paste.

    python tests/gui/recorded_resnet9.py [IMAGES]

Every key goes to the window, as the system sends it; nothing is clicked, and no focus is set by the program.
Prints what the window has in the end as one JSON object. `test_recorded_resnet9.py` runs it on a virtual
screen.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from hand import Hand, Keyboard
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QTreeView

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
    hand, keys = Hand(window, images), Keyboard(window)
    hand.wait_for(window.windowHandle().isExposed, "the window")
    # A screen without a window manager gives the focus only to who asks for it.
    window.windowHandle().requestActivate()
    hand.wait_for(window.isActiveWindow, "the focus")
    keys.press(KEY.Key_N, CTRL)
    assert not window.project.network.nodes
    first_layers_from_the_palette(hand, keys, window)
    second_stage_by_typing(hand, keys)
    first_residual_by_wrapping(hand, keys, window)
    keys.tab_to("layerList")
    keys.type("conv 256 3 same no bias, bn, relu, pool")
    keys.press(KEY.Key_Return)
    keys.type("conv 512 3 same no bias, bn, relu, pool")
    keys.press(KEY.Key_Return)
    keys.press(KEY.Key_Escape)
    second_residual_by_copying(hand, keys, window)
    keys.tab_to("layerList")
    keys.press(KEY.Key_End)
    # From the last layer of the group to the group, after which comes what is typed.
    keys.press(KEY.Key_Left)
    keys.type("pool 4, flatten, dense 10")
    keys.press(KEY.Key_Return)
    keys.press(KEY.Key_Escape)
    hand.image("complete")
    print(json.dumps(seen(hand, window)))
    # Nobody is asked about the unsaved design.
    window.project.mark_saved(Path("resnet9.cnn.json"))
    assert window.close()


def first_layers_from_the_palette(hand: Hand, keys: Keyboard, window: MainWindow) -> None:
    """Convolution, norm and activation by the palette's search; the convolution's fields by Tab."""
    keys.tab_to("paletteSearch")
    keys.type("conv")
    hand.image("search")
    keys.press(KEY.Key_Return)
    keys.tab_to("param_filters")
    keys.press(KEY.Key_A, CTRL)
    keys.type("64")
    keys.tab_to("param_padding")
    keys.type("s")
    keys.tab_to("param_use_bias")
    keys.press(KEY.Key_Space)
    hand.image("fields")
    keys.tab_to("paletteSearch")
    for words in ("batch norm", "activation"):
        keys.press(KEY.Key_A, CTRL)
        keys.type(words)
        keys.press(KEY.Key_Return)
    assert len(window.project.network.nodes) == 3


def second_stage_by_typing(hand: Hand, keys: Keyboard) -> None:
    """One layer after the other in the field that the first letter opens."""
    keys.tab_to("layerList")
    for line in ("conv 128 3 same no bias", "bn", "relu", "pool"):
        keys.type(line)
        hand.image("typing")
        keys.press(KEY.Key_Return)
    keys.press(KEY.Key_Escape)


def first_residual_by_wrapping(hand: Hand, keys: Keyboard, window: MainWindow) -> None:
    """Three layers, a copy of them, and a group around the six; the sum has no activation of its own."""
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
    hand.image("selected")
    keys.press(KEY.Key_1, CTRL)
    assert [node.layer.type_name() for node in window.project.network.nodes][-1] == "Residual"
    assert len(window.project.network.nodes[-1].children) == 6, window.project.network.nodes[-1]
    hand.image("wrapped")
    keys.tab_to("param_activation")
    keys.type("lin")


def second_residual_by_copying(hand: Hand, keys: Keyboard, window: MainWindow) -> None:
    """The first one again, with other numbers in both convolutions at once."""
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
    hand.image("both-convolutions")
    keys.tab_to("param_filters")
    keys.press(KEY.Key_A, CTRL)
    keys.type("512")
    keys.press(KEY.Key_Return)


def seen(hand: Hand, window: MainWindow) -> dict[str, object]:
    """The design, its totals, and the row that has the focus, as a screen reader tells it."""
    analysis, stack = window.project.analysis, window.project.undo_stack
    tree = hand.find(QTreeView, "layerList")
    interface = QAccessible.queryAccessibleInterface(tree)
    rows = [interface.child(number).text(QAccessible.Text.Name) for number in range(interface.childCount())]
    return {
        "layers": nodes_to_json(window.project.network.nodes),
        "parameters": analysis.parameters,
        "macs": analysis.macs,
        "problems": [problem.sentence for problem in analysis.problems],
        "steps": [stack.text(number) for number in range(stack.count())],
        "rows": [row for row in rows if row],
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
