"""The speed of the designer with 500 layers: edits, undo, scrolling, opening, searching.

All three panels of the designer are in one window. Each time starts with the key press or drop and ends
when the layer list has been drawn. "computing" is the processor time of this program within it, which is
the figure to compare on a busy machine; "all" ends when the other panels have been drawn too. A row
inserted into a plain QTreeWidget of 500 rows, measured in the same minute, shows the time that Qt itself
takes.

    python benchmarks/designer_speed.py [--rounds 20] [--only TEXT] [--json FILE]
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLineEdit, QTreeWidget, QTreeWidgetItem, QWidget

from cnnstudio.design import edits
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.file import read_design, write_design
from cnnstudio.design.network import IdGenerator, Network, Node
from cnnstudio.gui.designer import commands
from cnnstudio.gui.designer.inspector.inspector import Inspector
from cnnstudio.gui.designer.layer_list.layer_list import LayerList
from cnnstudio.gui.designer.palette.palette import Palette
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme
from cnnstudio.layers.catalog import layer_type
from cnnstudio.layers.shape import Shape

LAYERS, GROUPS = 500, 20
EDIT, FRAME, UNDO, OPENING, KEY = 16.0, 1000 / 60, 30.0, 300.0, 10.0
"""Goals in milliseconds for the 95th percentile."""
FASTER = 20.0
"""Goal: how many times faster an analysis after one edit is than one from scratch."""

_BODY = (("Conv2D", {"padding": "same"}), ("BatchNormalization", {}), ("Activation", {}))
_CLASSIFIER = (("GlobalAveragePooling2D", {}), ("Dense", {"units": 10}))


def flat_design(layers: int = LAYERS) -> Network:
    """Convolutions, norms and activations in one list, then the classifier."""
    fresh = IdGenerator()
    return Network(Shape.of(3, 64, 64), (*_row(fresh, layers - 2), *_classifier(fresh)), "Flat")


def grouped_design(layers: int = LAYERS) -> Network:
    """The same in Residual groups."""
    fresh = IdGenerator()
    nodes = [fresh.node(layer_type("Conv2D")(padding="same"))]
    for _ in range(GROUPS):
        body = _row(fresh, layers // GROUPS - 1)
        nodes.append(fresh.node(layer_type("Residual")(), children=body))
    return Network(Shape.of(3, 64, 64), (*nodes, *_classifier(fresh)), "Groups")


def nested_design() -> Network:
    """Residual groups of four convolutions, five of them in each Repeat, then the classifier."""
    fresh = IdGenerator()
    nodes = [fresh.node(layer_type("Conv2D")(padding="same"))]
    while sum(1 for node in nodes for _ in node.walk()) < LAYERS - 2:
        residuals = []
        for _ in range(5):
            body = [fresh.node(layer_type("Conv2D")(padding="same", activation="relu")) for _ in range(4)]
            residuals.append(fresh.node(layer_type("Residual")(), children=tuple(body)))
        nodes.append(fresh.node(layer_type("Repeat")(times=2), children=tuple(residuals)))
    return Network(Shape.of(3, 64, 64), (*nodes, *_classifier(fresh)), "Nested")


def _row(fresh: IdGenerator, length: int) -> tuple[Node, ...]:
    kinds = [_BODY[number % len(_BODY)] for number in range(length)]
    return tuple(fresh.node(layer_type(name)(**values)) for name, values in kinds)


def _classifier(fresh: IdGenerator) -> tuple[Node, ...]:
    return tuple(fresh.node(layer_type(name)(**values)) for name, values in _CLASSIFIER)


@dataclass(frozen=True)
class Time:
    """Milliseconds."""

    list: float
    computing: float
    all: float


class Designer:
    """The designer's panels with one design, as in the main window."""

    def __init__(self, application: QApplication, network: Network) -> None:
        self._application = application
        self.project = Project(network)
        self.layers = LayerList(self.project)
        self.palette = Palette(self.project)
        self.window = QWidget()
        self.window.resize(1440, 500)
        row = QHBoxLayout(self.window)
        for panel, share in ((self.palette, 0), (self.layers, 1), (Inspector(self.project), 0)):
            row.addWidget(panel, share)
        self.window.show()
        self.window.activateWindow()
        self.layers.tree.setFocus()
        self.settle()

    def settle(self) -> None:
        """Waits for the code view, row animations and everything else that is delayed."""
        end = time.perf_counter() + 0.2
        while time.perf_counter() < end:
            self._application.processEvents()

    def timed(self, act: Callable[[], object]) -> Time:
        """The time from calling `act` until its effect has been drawn."""
        start, start_computing = time.perf_counter(), time.thread_time()
        act()
        # Paints now what has changed, as Qt does when control returns to the event loop.
        self._application.sendPostedEvents(self.window, QEvent.Type.UpdateRequest)
        listed, computing = time.perf_counter() - start, time.thread_time() - start_computing
        self._application.processEvents()
        return Time(listed * 1000, computing * 1000, (time.perf_counter() - start) * 1000)

    def press(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> Time:
        """Presses a key in the list."""
        return self.timed(lambda: QTest.keyClick(self.layers.tree, key, modifiers))

    def scroll_to(self, part: float) -> None:
        bar = self.layers.tree.verticalScrollBar()
        bar.setValue(round(bar.maximum() * part))
        self.settle()

    def drop(self, type_name: str, position: QPoint) -> Time:
        """Drags a layer from outside to a position of the list."""
        data = commands.to_mime([commands.new_node(layer_type(type_name))])
        viewport, where = self.layers.tree.viewport(), QPointF(position)
        left, no_key = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        arguments = (Qt.DropAction.CopyAction, data, left, no_key)
        self._application.sendEvent(viewport, QDragEnterEvent(where, *arguments))
        self._application.sendEvent(viewport, QDragMoveEvent(where, *arguments))
        self._application.processEvents()
        before = len(self.project.network)
        result = self.timed(lambda: self._application.sendEvent(viewport, QDropEvent(where, *arguments)))
        assert len(self.project.network) == before + 1
        return result


def drops(
    design: Callable[[], Network], type_name: str, part: float, application: QApplication, rounds: int
) -> Iterator[Time]:
    """Drops at `part` of the list's height, each into a newly opened design."""
    designer = Designer(application, design())
    for number in range(rounds):
        designer.project.open_network(design(), None)
        designer.settle()
        designer.scroll_to(part)
        yield designer.drop(type_name, QPoint(200, 150 + 7 * (number % 10)))
    designer.window.close()


def edits_by_key(
    key: Qt.Key,
    modifiers: Qt.KeyboardModifier,
    design: Callable[[], Network],
    application: QApplication,
    rounds: int,
) -> Iterator[Time]:
    """Presses a key on a layer in the middle, then undoes it; both count as edits."""
    designer = Designer(application, design())
    ids = [node.id for node in designer.project.network.walk() if not node.is_group]
    for number in range(rounds):
        designer.project.select([ids[len(ids) // 2 + number]])
        designer.settle()
        yield designer.press(key, modifiers)
        designer.settle()
        yield designer.timed(designer.project.undo_stack.undo)
        designer.settle()
    designer.window.close()


def changes(design: Callable[[], Network], application: QApplication, rounds: int) -> Iterator[Time]:
    """Changes the filters of a layer in the middle, which changes the numbers of the next layers too."""
    designer = Designer(application, design())
    ids = [node.id for node in designer.project.network.walk() if node.layer.type_name() == "Conv2D"]
    for number in range(rounds):
        chosen = ids[len(ids) // 2]
        designer.project.select([chosen])
        designer.settle()
        yield designer.timed(
            partial(commands.set_parameter, designer.project, [chosen], "filters", 64 + number, None)
        )
    designer.window.close()


def undone_deletes(design: Callable[[], Network], application: QApplication, rounds: int) -> Iterator[Time]:
    """Undoes the deletion of 100 layers in the middle."""
    designer = Designer(application, design())
    for _ in range(rounds):
        nodes = [node.id for node in designer.project.network.walk()]
        designer.project.select(nodes[200:300])
        commands.delete(designer.project)
        designer.settle()
        yield designer.timed(designer.project.undo_stack.undo)
        designer.settle()
    designer.window.close()


def frames(design: Callable[[], Network], application: QApplication, rounds: int) -> Iterator[Time]:
    """Draws frames while the wheel scrolls through the whole list."""
    designer = Designer(application, design())
    bar = designer.layers.tree.verticalScrollBar()
    step = max(bar.maximum() // (rounds * 10), 1)
    for value in range(0, bar.maximum(), step):
        yield designer.timed(partial(bar.setValue, value))
    designer.window.close()


def openings(design: Callable[[], Network], application: QApplication, rounds: int) -> Iterator[Time]:
    """Reads and draws a file of 1,000 layers."""
    designer = Designer(application, Network())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.cnn.json"
        write_design(path, design())
        for _ in range(rounds):
            designer.project.open_network(Network(), None)
            designer.settle()
            yield designer.timed(lambda: designer.project.open_network(read_design(path), path))
    designer.window.close()


def searches(application: QApplication, rounds: int) -> Iterator[Time]:
    """Types a search into the palette, key by key."""
    designer = Designer(application, flat_design())
    for _ in range(rounds):
        designer.palette.search.setFocus()
        for letter in "norm pool":
            yield designer.timed(partial(QTest.keyClicks, designer.palette.search, letter))
        designer.palette.search.clear()
        designer.settle()
    designer.window.close()


def typing(application: QApplication, rounds: int) -> Iterator[Time]:
    """Types a layer into the list, key by key, with its preview below."""
    designer = Designer(application, grouped_design())
    designer.project.select([designer.project.network.nodes[10].id])
    for _ in range(rounds):
        designer.layers.tree.open_quick_insert()
        field = designer.window.findChild(QLineEdit, "quickInsert")
        assert field is not None
        for letter in "conv 64 3 relu same":
            yield designer.timed(partial(QTest.keyClicks, field, letter))
        QTest.keyClick(field, Qt.Key.Key_Escape)
        designer.settle()
    designer.window.close()


def plain_insertions(application: QApplication, rounds: int) -> Iterator[Time]:
    """Inserts a row into a plain Qt tree, for comparison."""
    tree = QTreeWidget()
    tree.setColumnCount(4)
    tree.resize(640, 500)
    tree.addTopLevelItems([_plain_item() for _ in range(LAYERS)])
    tree.show()
    application.processEvents()
    for number in range(rounds):
        start, start_computing = time.perf_counter(), time.thread_time()
        tree.insertTopLevelItem(number % 10, _plain_item())
        application.processEvents()
        elapsed, computing = time.perf_counter() - start, time.thread_time() - start_computing
        yield Time(elapsed * 1000, computing * 1000, elapsed * 1000)
    tree.close()


def _plain_item() -> QTreeWidgetItem:
    return QTreeWidgetItem(["Conv2D 32 filters 3 × 3", "32 × 64 × 64", "9,248", "1%"])


def analysis_gain(design: Callable[[], Network], rounds: int) -> float:
    """How many times faster an analysis is after one edit than from scratch."""
    network, fresh, after = design(), [], []
    analysis = analyze(network)
    target = [node.id for node in network.walk() if node.layer.type_name() == "BatchNormalization"][100]
    for number in range(rounds):
        start = time.thread_time()
        analyze(network)
        fresh.append(time.thread_time() - start)
        edited = edits.replace(network, target, name=f"number {number}")
        start = time.thread_time()
        analysis = analyze(edited, analysis)
        after.append(time.thread_time() - start)
    return statistics.median(fresh) / statistics.median(after)


_NONE, _ALT, _CTRL = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.AltModifier,
    Qt.KeyboardModifier.ControlModifier,
)
_KEYS = {
    "move by Alt+Down, and undo": (Qt.Key.Key_Down, _ALT),
    "delete, and undo": (Qt.Key.Key_Delete, _NONE),
    "duplicate, and undo": (Qt.Key.Key_D, _CTRL),
    "disable, and undo": (Qt.Key.Key_Space, _NONE),
    "wrap in Residual, and undo": (Qt.Key.Key_1, _CTRL),
}
_DESIGNS = {"flat": flat_design, "groups": grouped_design}

Case = tuple[Callable[[QApplication, int], Iterator[Time]], float | None]


def cases() -> dict[str, Case]:
    """All measurements, with their goals in milliseconds."""
    found: dict[str, Case] = {
        "plain QTreeWidget, an insertion": (plain_insertions, None),
        "flat, drop BatchNormalization": (partial(drops, flat_design, "BatchNormalization", 0.5), EDIT),
        "flat, drop MaxPooling2D on top": (partial(drops, flat_design, "MaxPooling2D", 0.0), EDIT),
        "flat, drop Dense on top, a problem": (partial(drops, flat_design, "Dense", 0.0), EDIT),
        "groups, drop BatchNormalization": (partial(drops, grouped_design, "BatchNormalization", 0.5), EDIT),
        "nested, drop Conv2D, problems below": (partial(drops, nested_design, "Conv2D", 0.5), EDIT),
    }
    for name, design in _DESIGNS.items():
        for action, (key, modifiers) in _KEYS.items():
            found[f"{name}, {action}"] = partial(edits_by_key, key, modifiers, design), EDIT
        found[f"{name}, change filters"] = partial(changes, design), EDIT
        found[f"{name}, undo a delete of 100"] = partial(undone_deletes, design), UNDO
        found[f"{name}, a frame of scrolling"] = partial(frames, design), FRAME
        found[f"{name}, open 1,000 layers"] = partial(openings, partial(design, 1_000)), OPENING
    found["a key in the palette's search"] = searches, KEY
    found["a key of a layer typed in the list"] = typing, KEY
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", default="", help="only measurements whose name contains this")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    application = QApplication(sys.argv[:1])
    theme().apply(application)
    # As in the program while its window is open; here garbage is collected between the cases.
    gc.disable()
    results: dict[str, dict[str, float | None]] = {}
    print(f"{'milliseconds':40} {'median':>7} {'p95':>7} {'goal':>6} {'computing, p95':>15} {'all':>7}")
    for name, (run, goal) in cases().items():
        if arguments.only in name:
            gc.collect()
            # The first two load fonts and icons.
            results[name] = _report(name, list(run(application, arguments.rounds + 2))[2:], goal)
    for name, design in _DESIGNS.items():
        if arguments.only in "analysis":
            gain = analysis_gain(partial(design, 1_000), arguments.rounds)
            results[f"{name}, analysis after one edit"] = {"times faster": gain, "goal": FASTER}
            title = f"{name}, analysis of 1,000 layers after one edit"
            print(f"{title}: {gain:.0f} times faster than from scratch (goal {FASTER:.0f})")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2), encoding="utf-8")


def _report(name: str, times: list[Time], goal: float | None) -> dict[str, float | None]:
    result = {
        "median": statistics.median(each.list for each in times),
        "p95": _high([each.list for each in times]),
        "goal": goal,
        "computing_p95": _high([each.computing for each in times]),
        "all": statistics.median(each.all for each in times),
    }
    goal_text = "" if goal is None else f"{goal:.0f}"
    print(
        f"{name:40} {result['median']:7.1f} {result['p95']:7.1f} {goal_text:>6} "
        f"{result['computing_p95']:15.1f} {result['all']:7.1f}"
    )
    return result


def _high(values: list[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


if __name__ == "__main__":
    main()
