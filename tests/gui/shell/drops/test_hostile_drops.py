"""Hostile and damaged networks and weights, dropped on the window: a sentence each, and nothing is run."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot

from cnnstudio.gui.interchange.onnx_dialog import OnnxDialog
from cnnstudio.gui.shell.main_window import MainWindow
from tests.gui.user_input import drag_and_drop
from tests.interchange.onnx.graphs import Graph


class Program:
    """What a pickle runs when it is opened: it makes a file."""

    def __init__(self, makes: Path) -> None:
        self._makes = makes

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self._makes),)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt", ".h5", ".keras", ".pkl", ".npz"])
def test_files_that_can_contain_programs_are_refused_unopened(
    suffix: str, window: MainWindow, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(window.tool_bar.start, "ask", asked.append)
    made = tmp_path / "made"
    path = tmp_path / f"net{suffix}"
    path.write_bytes(pickle.dumps(Program(made)))
    before = window.project.network
    drag_and_drop(window, path)
    qtbot.waitUntil(lambda: path.name in window.message_bar.text)
    assert window.message_bar.text.count("\n") == 0
    assert (made.exists(), asked, window.project.network) == (False, [], before)


def external(location: str) -> Callable[[Path], Path]:
    """A network whose first weights are in another file."""

    def write(folder: Path) -> Path:
        graph = Graph()
        model = graph.model(graph.head(graph.conv("image", 3, 4), 4))
        tensor = model.graph.initializer[0]
        length = len(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", "0"), ("length", str(length))):
            tensor.external_data.add(key=key, value=value)
        (folder / "net.onnx").write_bytes(model.SerializeToString())
        (folder.parent / "outside.bin").write_bytes(bytes(length))
        return folder / "net.onnx"

    return write


def quantized(folder: Path) -> Path:
    graph = Graph()
    return graph.save(folder, graph.add("QuantizeLinear", "image", np.float32(0.1), np.uint8(0)))


def of_opset(version: int) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        graph = Graph(opset=version)
        return graph.save(folder, graph.head(graph.conv("image", 3, 4), 4))

    return write


def truncated(folder: Path) -> Path:
    path = of_opset(17)(folder)
    path.write_bytes(path.read_bytes()[:-50])
    return path


def enlarging(folder: Path) -> Path:
    graph = Graph()
    x = graph.add("ConvTranspose", "image", graph.weights(3, 4, 2, 2), strides=[2, 2], name="up")
    return graph.save(folder, graph.head(x, 4))


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (external("../outside.bin"), "only files in the folder of the ONNX file are read"),
        (external("/dev/zero"), "only files in the folder of the ONNX file are read"),
        (external("gone.bin"), "there is no file gone.bin"),
        (quantized, "it is quantized (node “QuantizeLinear_0” (QuantizeLinear))"),
        (of_opset(6), "its operators are of version 6, and those from 7 on are read"),
        (truncated, "this is not an ONNX file, or it is damaged"),
        (enlarging, "node “up” (ConvTranspose) enlarges the image with weights, which no layer here does"),
    ],
)
def test_onnx_files_that_cannot_be_read_are_said(
    write: Callable[[Path], Path], reason: str, window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    folder = tmp_path / "dropped"
    folder.mkdir()
    before = window.project.network
    drag_and_drop(window, write(folder))
    dialog = open_dialog(window, qtbot)
    summary = dialog.findChild(QLabel, "importSummary")
    qtbot.waitUntil(lambda: summary.text().startswith("net.onnx: "))
    assert reason in summary.text()
    assert summary.text().endswith(".")
    assert not dialog.findChild(QPushButton, "importButton").isEnabled()
    dialog.close()
    assert window.project.network is before


@pytest.mark.parametrize("opset", [7, 26])
def test_the_oldest_and_the_newest_operators_are_read(
    opset: int, window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    drag_and_drop(window, of_opset(opset)(tmp_path))
    dialog = open_dialog(window, qtbot)
    summary = dialog.findChild(QLabel, "importSummary")
    qtbot.waitUntil(lambda: summary.text().startswith("ONNX: 3 layers"))
    dialog.close()


def open_dialog(window: MainWindow, qtbot: QtBot) -> OnnxDialog:
    qtbot.waitUntil(lambda: window.findChild(OnnxDialog, "onnxDialog") is not None)
    dialog = window.findChild(OnnxDialog, "onnxDialog")
    assert isinstance(dialog, OnnxDialog)
    return dialog
