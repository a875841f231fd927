"""Importing an ONNX file: design and start weights are one undo step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QComboBox, QLabel, QListWidget, QPushButton, QRadioButton, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.design.templates import templates
from cnnstudio.gui.compute.compute_task import ComputeFunction, ComputeTask
from cnnstudio.gui.compute.event_queue import EventQueue
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.interchange.onnx_dialog import OnnxDialog
from cnnstudio.gui.training.start_from.choice import StartFrom
from cnnstudio.gui.training.start_from.start_choice import StartChoice
from cnnstudio.gui.widgets.fields.numbers import IntegerField
from cnnstudio.gui.widgets.labels import ElidedLabel
from cnnstudio.training.pretrained import onnx_scores
from cnnstudio.training.pretrained.start_weights import from_file
from tests.interchange.onnx.graphs import Graph, layers


class FakeStart:
    """What the dialog needs of StartFrom, which needs a session that trains."""

    def __init__(self) -> None:
        self.choice: StartChoice | None = None

    def choose(self, choice: StartChoice | None) -> None:
        self.choice = choice


class FakeSession:
    """Runs a comparison when the test wants it, in place of the compute thread."""

    state = State.IDLE

    def __init__(self) -> None:
        self.tasks: list[ComputeTask] = []

    def run_task(
        self,
        function: ComputeFunction,
        on_done: Callable[[Any], object],
        on_error: Callable[[str], object],
    ) -> ComputeTask:
        self.tasks.append(ComputeTask(function, on_done, on_error, lambda _: None))
        return self.tasks[-1]

    def run(self) -> None:
        """Runs the newest task to its end."""
        queue = EventQueue()
        self.tasks[-1].run(queue, lambda: False)
        queue.drain(lambda events: None)


@pytest.fixture
def session() -> FakeSession:
    return FakeSession()


@pytest.fixture
def project() -> Project:
    project = Project(templates()["lenet-5"].network)
    project.undo_stack.clear()
    return project


@pytest.fixture
def start() -> FakeStart:
    return FakeStart()


@pytest.fixture
def dialog(
    project: Project,
    start: StartFrom,
    session: TrainingSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> Iterator[OnnxDialog]:
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path / "home"))
    dialog = OnnxDialog(project, start, session)
    qtbot.addWidget(dialog)
    dialog.show()
    yield dialog
    dialog.close()


@pytest.fixture
def net(tmp_path: Path) -> Path:
    graph = Graph()
    x = graph.add("Relu", graph.conv("image", 3, 4))
    return graph.save(tmp_path, graph.head(x, 4), graph.head(graph.conv(x, 4, 6), 6))


def read(dialog: OnnxDialog, path: Path) -> None:
    dialog.open_file(path)
    wait(dialog)


def wait(dialog: OnnxDialog) -> None:
    """Until nothing is read any more; a file of open size is read twice."""
    for _ in range(2):
        for task in dialog.findChildren(IoTask):
            task.wait(20)


def button(dialog: OnnxDialog) -> QPushButton:
    return dialog.findChild(QPushButton, "importButton")


def summary(dialog: OnnxDialog) -> str:
    return dialog.findChild(QLabel, "importSummary").text()


def press(dialog: OnnxDialog, kind: type[QWidget], name: str, qtbot: QtBot) -> None:
    qtbot.mouseClick(dialog.findChild(kind, name), Qt.MouseButton.LeftButton)


def test_the_result_is_shown_before_anything_changes(dialog: OnnxDialog, project: Project, net: Path) -> None:
    before = project.network
    assert not button(dialog).isEnabled()
    read(dialog, net)
    assert summary(dialog).startswith("ONNX: 3 layers, input 3 × 8 × 8")
    notes = dialog.findChild(QListWidget, "importNotes")
    assert notes.item(0).text().startswith("The file has 2 outputs; the first")
    assert project.network is before
    assert button(dialog).isEnabled()


def test_design_and_start_weights_are_one_step(
    dialog: OnnxDialog, project: Project, start: FakeStart, net: Path, qtbot: QtBot
) -> None:
    before, earlier = project.network, StartChoice("run-1", "Run 1")
    start.choose(earlier)
    read(dialog, net)
    press(dialog, QPushButton, "importButton", qtbot)
    wait(dialog)
    assert dialog.result() == OnnxDialog.DialogCode.Accepted
    assert layers(project.network) == ["Conv2D", "GlobalAveragePooling2D", "Dense"]
    assert start.choice is not None
    assert start.choice.title == "net.onnx"
    assert from_file(Path(start.choice.source), project.network).fresh == ()
    imported = start.choice
    assert project.undo_stack.count() == 1
    assert project.undo_stack.undoText() == "import ONNX file"
    project.undo_stack.undo()
    assert (project.network, start.choice) == (before, earlier)
    project.undo_stack.redo()
    assert start.choice == imported
    start.choose(None)
    project.undo_stack.undo()
    assert start.choice is None, "undo leaves a later choice alone"


def test_without_the_weights_only_the_design_is_imported(
    dialog: OnnxDialog, project: Project, start: FakeStart, net: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    read(dialog, net)
    dialog.findChild(QCheckBox, "importWeights").setChecked(False)
    press(dialog, QPushButton, "importButton", qtbot)
    assert layers(project.network)[0] == "Conv2D"
    assert start.choice is None
    assert not (tmp_path / "home" / "pretrained").exists()


def test_the_layers_can_be_inserted(dialog: OnnxDialog, project: Project, net: Path, qtbot: QtBot) -> None:
    count = len(project.network)
    read(dialog, net)
    dialog.findChild(QRadioButton, "importInserts").setChecked(True)
    assert not dialog.findChild(QCheckBox, "importWeights").isEnabled()
    press(dialog, QPushButton, "importButton", qtbot)
    assert len(project.network) == count + 3


def test_another_output_is_chosen(dialog: OnnxDialog, net: Path) -> None:
    read(dialog, net)
    outputs = dialog.findChild(QComboBox, "importNetwork")
    outputs.setCurrentIndex(1)
    outputs.activated.emit(1)
    wait(dialog)
    assert summary(dialog).startswith("ONNX: 4 layers")


def test_a_size_that_is_left_open_is_asked_for(dialog: OnnxDialog, tmp_path: Path) -> None:
    graph = Graph(("N", 3, "h", "w"))
    read(dialog, graph.save(tmp_path, graph.head(graph.conv("image", 3, 4), 4)))
    size = dialog.findChild(IntegerField, "importSize")
    assert size.isVisible()
    assert "input 3 × 224 × 224" in summary(dialog)
    size.set_value(64)
    size.finished.emit(64)
    wait(dialog)
    assert "input 3 × 64 × 64" in summary(dialog)


def test_a_file_that_cannot_be_read_is_said(dialog: OnnxDialog, net: Path) -> None:
    read(dialog, net)
    net.write_bytes(b"no network")
    read(dialog, net)
    assert summary(dialog) == "net.onnx: this is not an ONNX file, or it is damaged."
    assert not button(dialog).isEnabled()


def test_weights_that_cannot_be_written_change_nothing(
    dialog: OnnxDialog, project: Project, start: FakeStart, net: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    before = project.network
    (tmp_path / "home").write_text("in the way")
    read(dialog, net)
    press(dialog, QPushButton, "importButton", qtbot)
    wait(dialog)
    assert "Cannot write" in summary(dialog)
    assert project.network is before
    assert start.choice is None


def test_reading_can_be_canceled(dialog: OnnxDialog, net: Path, qtbot: QtBot) -> None:
    dialog.open_file(net)
    press(dialog, QPushButton, "cancel", qtbot)
    wait(dialog)
    assert summary(dialog) == "Reading was canceled."
    assert not button(dialog).isEnabled()


def name(dialog: OnnxDialog) -> str:
    return dialog.findChild(ElidedLabel, "onnxName").full_text


def scores(dialog: OnnxDialog) -> str:
    label = dialog.findChild(QLabel, "scoreComparison")
    return label.text() if label.isVisible() else ""


def test_a_canceled_second_reading_leaves_what_was_read_before_and_says_what_it_is(
    dialog: OnnxDialog, project: Project, net: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    read(dialog, net)
    (tmp_path / "other.onnx").write_bytes(net.read_bytes())
    dialog.open_file(tmp_path / "other.onnx")
    assert name(dialog) == "other.onnx"
    press(dialog, QPushButton, "cancel", qtbot)
    wait(dialog)
    assert name(dialog) == "net.onnx"
    outputs = dialog.findChild(QComboBox, "importNetwork")
    first = outputs.currentText()
    outputs.setCurrentIndex(1)
    outputs.activated.emit(1)
    press(dialog, QPushButton, "cancel", qtbot)
    wait(dialog)
    assert outputs.currentText() == first
    assert summary(dialog).startswith("ONNX: 3 layers")
    press(dialog, QPushButton, "importButton", qtbot)
    wait(dialog)
    assert len(project.network) == 3


def test_a_canceled_change_of_the_size_shows_the_size_that_was_read(
    dialog: OnnxDialog, tmp_path: Path, net: Path, qtbot: QtBot
) -> None:
    graph = Graph(("N", 3, "h", "w"))
    read(dialog, graph.save(tmp_path, graph.head(graph.conv("image", 3, 4), 4)))
    size = dialog.findChild(IntegerField, "importSize")
    size.set_value(64)
    size.finished.emit(64)
    press(dialog, QPushButton, "cancel", qtbot)
    wait(dialog)
    assert size.value() == 224
    dialog.open_file(tmp_path / "gone.onnx")
    assert not size.isVisible()


def test_the_scores_are_compared_with_those_of_the_file(
    dialog: OnnxDialog, session: FakeSession, net: Path
) -> None:
    pytest.importorskip("onnxruntime")
    read(dialog, net)
    assert scores(dialog).startswith("Comparing the scores")
    assert button(dialog).isEnabled(), "nobody has to wait for it"
    session.run()
    assert scores(dialog).startswith("The scores agree with the file, computed by ONNX Runtime, to ")
    read(dialog, net.with_name("gone.onnx"))
    assert scores(dialog) == ""


def test_other_scores_than_those_of_the_file_are_said(
    dialog: OnnxDialog, session: FakeSession, net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_scores, "compare_scores", lambda *_: onnx_scores.ScoreComparison(0.25))
    read(dialog, net)
    session.run()
    assert scores(dialog) == "The scores differ from those of the file by up to 0.25."


def test_without_onnx_runtime_that_is_said(
    dialog: OnnxDialog, session: FakeSession, net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_scores.importlib.util, "find_spec", lambda name: None)
    read(dialog, net)
    session.run()
    assert scores(dialog).endswith("ONNX Runtime is not installed: pip install onnxruntime.")


def test_the_comparison_can_be_canceled_and_waits_for_a_training(
    dialog: OnnxDialog, session: FakeSession, net: Path, qtbot: QtBot
) -> None:
    session.state = State.RUNNING
    read(dialog, net)
    assert scores(dialog) == ("The scores are compared with those of the file when the training has ended.")
    press(dialog, QPushButton, "skipComparison", qtbot)
    assert session.tasks[-1].is_cancelled
    assert scores(dialog) == "The scores were not compared with the file."
    read(dialog, net)
    dialog.close()
    assert session.tasks[-1].is_cancelled
