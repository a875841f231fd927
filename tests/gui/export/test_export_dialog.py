"""The export dialog."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QCheckBox, QFileDialog, QLabel, QLineEdit, QPushButton
from pytestqt.qtbot import QtBot

from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction, raise_if_cancelled
from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.design.network import IdGenerator, Network
from cnnstudio.export import ExportFailed, ExportResult, exporters
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.export.dialog import ExportDialog
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.runs.run import Run
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.recipe.recipe import LESSON


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trained run."""
    ids = IdGenerator()
    network = Network(Shape.of(1, 4, 4), (ids.node(Flatten()), ids.node(Dense(2))), "Tiny net")
    images = np.random.default_rng(0).integers(0, 256, (8, 1, 4, 4), np.uint8)
    split = Split(images, np.arange(8, dtype=np.int64) % 2)
    folder = tmp_path_factory.mktemp("run") / "tiny"
    dataset = Dataset("noise", "Noise", ("a", "b"), split, split)
    start_run(network, dataset, LESSON.replace(epochs=1), RunOptions(folder=folder, device="cpu"))
    return folder


@pytest.fixture
def dialog(qtbot: QtBot, run: Path, tmp_path: Path) -> Iterator[ExportDialog]:
    session = TrainingSession()
    dialog = ExportDialog(session, run)
    qtbot.addWidget(dialog)
    dialog.show()
    field(dialog).setText(str(tmp_path / "model"))
    yield dialog
    dialog.close()
    assert session.shutdown(10)


def field(dialog: ExportDialog) -> QLineEdit:
    found = dialog.findChild(QLineEdit, "exportFolder")
    assert isinstance(found, QLineEdit)
    return found


def button(dialog: ExportDialog, name: str) -> QPushButton:
    found = dialog.findChild(QPushButton, name)
    assert isinstance(found, QPushButton)
    return found


def choose(dialog: ExportDialog, *formats: str) -> None:
    for name in exporters():
        dialog.findChild(QCheckBox, f"format_{name}").setChecked(name in formats)


def press(qtbot: QtBot, dialog: ExportDialog, name: str) -> None:
    qtbot.mouseClick(button(dialog, name), Qt.MouseButton.LeftButton)


def shown(dialog: ExportDialog) -> str:
    """All visible texts of the dialog."""
    return "\n".join(label.text() for label in dialog.findChildren(QLabel) if label.isVisible())


def test_the_dialog_names_the_network_and_offers_every_format(dialog: ExportDialog) -> None:
    assert "Export Tiny net" in shown(dialog)
    for name, exporter in exporters().items():
        assert dialog.findChild(QCheckBox, f"format_{name}").text() == exporter.title
        assert exporter.description in shown(dialog)


def test_the_files_are_written_and_the_largest_difference_is_shown(
    dialog: ExportDialog, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    choose(dialog, "safetensors")
    assert not button(dialog, "openFolder").isVisible()
    press(qtbot, dialog, "export")
    assert not button(dialog, "export").isEnabled()
    qtbot.waitUntil(lambda: "Largest difference of any logit: 0 (16 images" in shown(dialog), timeout=60_000)
    assert {path.name for path in (tmp_path / "model").iterdir()} == {"design.cnn.json", "model.safetensors"}
    assert button(dialog, "export").isEnabled()
    press(qtbot, dialog, "openFolder")
    assert opened == [str(tmp_path / "model")]


def test_files_that_will_be_replaced_are_listed_beforehand(dialog: ExportDialog, tmp_path: Path) -> None:
    choose(dialog, "safetensors", "onnx")
    assert "This will replace" not in shown(dialog)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.onnx").write_bytes(b"old")
    field(dialog).setText(str(tmp_path / "model") + "/")
    assert "This will replace model.onnx" in shown(dialog)


def test_a_tilde_stands_for_the_users_home_everywhere(
    dialog: ExportDialog, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.onnx").write_bytes(b"old")
    choose(dialog, "onnx")
    field(dialog).setText("~/model")
    assert "This will replace model.onnx" in shown(dialog)
    button(dialog, "openFolder").show()
    press(qtbot, dialog, "openFolder")
    assert opened == [str(tmp_path / "model")]


@pytest.mark.parametrize("name", ["x" * 300, "~nobody-of-this-name"])
def test_any_folder_name_can_be_typed(dialog: ExportDialog, name: str) -> None:
    field(dialog).setText(name)
    assert "This will replace" not in shown(dialog)


def test_without_a_format_or_a_folder_export_is_disabled(dialog: ExportDialog) -> None:
    choose(dialog)
    assert not button(dialog, "export").isEnabled()
    choose(dialog, "onnx")
    assert button(dialog, "export").isEnabled()
    field(dialog).setText("  ")
    assert not button(dialog, "export").isEnabled()


def test_the_folder_can_be_chosen(
    dialog: ExportDialog, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *arguments: str(tmp_path / "other"))
    press(qtbot, dialog, "chooseFolder")
    assert field(dialog).text() == str(tmp_path / "other")


def test_the_other_formats_are_exported_even_if_one_fails(
    dialog: ExportDialog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> ExportResult:
        raise ExportFailed("torch cannot export this network to ONNX: too new")

    monkeypatch.setattr(exporters()["onnx"], "export", fail)
    choose(dialog, "safetensors", "onnx")
    press(qtbot, dialog, "export")
    qtbot.waitUntil(lambda: "ONNX: torch cannot export this network to ONNX: too new" in shown(dialog))
    assert "✓ Weights: " in shown(dialog)


def test_a_missing_run_is_reported(
    qtbot: QtBot, tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = TrainingSession()
    dialog = ExportDialog(session, tmp_path / "gone")
    qtbot.addWidget(dialog)
    dialog.show()
    field(dialog).setText(str(tmp_path / "model"))
    press(qtbot, dialog, "export")
    qtbot.waitUntil(lambda: "There is no run in" in shown(dialog), timeout=60_000)
    assert button(dialog, "export").isEnabled()
    dialog.close()
    assert session.shutdown(10)


class Slow:
    """An export that lasts until it is cancelled."""

    def __init__(self) -> None:
        self.started, self.cancelled = threading.Event(), threading.Event()

    def export(
        self, run: Run, folder: Path, verify: bool, progress: ProgressFunction, cancelled: CancelFunction
    ) -> ExportResult:
        progress(Progress(1, 3, "Writing ONNX"))
        self.started.set()
        try:
            while True:
                raise_if_cancelled(cancelled)
                threading.Event().wait(0.01)
        finally:
            self.cancelled.set()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    slow = Slow()
    monkeypatch.setattr(exporters()["onnx"], "export", slow.export)
    return slow


def test_progress_is_shown_and_cancel_ends_it(dialog: ExportDialog, qtbot: QtBot, slow: Slow) -> None:
    choose(dialog, "onnx")
    press(qtbot, dialog, "export")
    qtbot.waitUntil(lambda: "Writing ONNX" in shown(dialog), timeout=60_000)
    press(qtbot, dialog, "cancel")
    assert "Export canceled" in shown(dialog)
    assert button(dialog, "export").isEnabled()
    assert slow.cancelled.wait(10)


def test_closing_the_dialog_cancels_the_export(dialog: ExportDialog, qtbot: QtBot, slow: Slow) -> None:
    choose(dialog, "onnx")
    press(qtbot, dialog, "export")
    qtbot.waitUntil(slow.started.is_set, timeout=60_000)
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert slow.cancelled.wait(10)
    assert not dialog.isVisible()
