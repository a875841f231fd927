"""Designs to edit, and a simulator for drag and drop on the layer list."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cnnstudio.design import edits
from cnnstudio.design.network import IdGenerator, Network, Node
from cnnstudio.design.templates import templates
from cnnstudio.gui.designer import commands
from cnnstudio.gui.designer.layer_list.layer_list import LayerList
from cnnstudio.gui.designer.layer_list.layer_tree import LayerTree
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme
from cnnstudio.layers.catalog import layer_type

Make = Callable[..., Node]


@pytest.fixture(autouse=True)
def _theme_of_the_window(qapp: QApplication) -> None:
    theme().apply(qapp)


@pytest.fixture
def lesson() -> Network:
    """Conv2D, MaxPooling2D, Conv2D, MaxPooling2D, Flatten, Dense, Dense."""
    return templates()["lesson-32"].network


@pytest.fixture
def faulty(lesson: Network) -> Network:
    """The lesson's network without its Flatten."""
    return edits.remove(lesson, ["flatten_1"])


@pytest.fixture
def nested() -> Network:
    """conv2d_1; residual_1 with conv2d_2 and repeat_1 (with dropout_1); flatten_1; repeat_2, empty."""
    fresh = IdGenerator()

    def make(name: str, *children: Node, **values: object) -> Node:
        return fresh.node(layer_type(name)(**values), children=children)

    first = make("Conv2D", padding="same")
    inner = (make("Conv2D", padding="same"), make("Repeat", make("Dropout")))
    return Network(nodes=(first, make("Residual", *inner), make("Flatten"), make("Repeat")))


@dataclass
class DragSimulator:
    """Drags over a layer list by sending the events that Qt sends for a user's drag."""

    tree: LayerTree

    def point(self, node_id: str | None, fraction: float = 0.5, x: int = 220) -> QPoint:
        """A point in a row, at a fraction of its height from the top; in the input row for None."""
        model = self.tree.model()
        index = model.index(0, 0) if node_id is None else model.index_of(node_id)  # type: ignore[attr-defined]  # our model
        rect = self.tree.visualRect(index)
        return QPoint(x, round(rect.top() + fraction * (rect.height() - 1)))

    def drag_over(self, data: QMimeData, position: QPoint, *, copy: bool = False, move: bool = False) -> bool:
        """Moves a drag into the list and to a position; returns whether a drop there is accepted."""
        arguments = _arguments(data, copy=copy, move=move)
        QApplication.sendEvent(self.tree.viewport(), QDragEnterEvent(QPointF(position), *arguments))
        event = QDragMoveEvent(QPointF(position), *arguments)
        QApplication.sendEvent(self.tree.viewport(), event)
        return event.isAccepted()

    def drop(
        self, data: QMimeData, position: QPoint, *, copy: bool = False, move: bool = False
    ) -> Qt.DropAction:
        """Moves a drag to a position and drops it; returns the action of the drop."""
        self.drag_over(data, position, copy=copy, move=move)
        event = QDropEvent(QPointF(position), *_arguments(data, copy=copy, move=move))
        QApplication.sendEvent(self.tree.viewport(), event)
        return event.dropAction() if event.isAccepted() else Qt.DropAction.IgnoreAction

    def leave(self) -> None:
        """Moves the drag out of the list."""
        QApplication.sendEvent(self.tree.viewport(), QDragLeaveEvent())

    def layer_data(self, *ids: str) -> QMimeData:
        """The data of a drag of layers of the list."""
        model = self.tree.model()
        return model.mimeData([model.index_of(node_id) for node_id in ids])  # type: ignore[attr-defined]  # our model


def _arguments(
    data: QMimeData, *, copy: bool, move: bool
) -> tuple[Qt.DropAction, QMimeData, Qt.MouseButton, Qt.KeyboardModifier]:
    actions = Qt.DropAction.CopyAction
    if copy or move:
        actions |= Qt.DropAction.MoveAction
    copy_key = (
        Qt.KeyboardModifier.AltModifier if sys.platform == "darwin" else Qt.KeyboardModifier.ControlModifier
    )
    modifiers = copy_key if copy else Qt.KeyboardModifier.NoModifier
    return actions, data, Qt.MouseButton.LeftButton, modifiers


@pytest.fixture
def show(qtbot: QtBot) -> Callable[[Project], LayerList]:
    """Shows the layer list of a project, large enough for all rows."""
    shown = []

    def show_list(project: Project) -> LayerList:
        layers = LayerList(project)
        qtbot.addWidget(layers)
        # A test may keep a reference only to the tree inside.
        shown.append(layers)
        layers.resize(700, 700)
        with qtbot.waitActive(layers):
            layers.show()
        return layers

    return show_list


@pytest.fixture
def palette_data() -> Callable[[str], QMimeData]:
    """The data of a drag from the palette, by type name."""
    return lambda type_name: commands.new_layer_mime([layer_type(type_name)])
