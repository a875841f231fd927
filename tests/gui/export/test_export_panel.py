"""The export panel."""

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
from cnnstudio.export import Exporter, ExportFailed, ExportResult, exporters
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.export.panel import ExportPanel
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
def panel(qtbot: QtBot, run: Path, tmp_path: Path) -> Iterator[ExportPanel]:
    session = TrainingSession()
    panel = ExportPanel(session)
    panel.resize(560, 700)
    panel.show_run(run)
    qtbot.addWidget(panel)
    panel.show()
    field(panel).setText(str(tmp_path / "model"))
    yield panel
    panel.close()
    assert session.shutdown(60)


def field(panel: ExportPanel) -> QLineEdit:
    found = panel.findChild(QLineEdit, "exportFolder")
    assert isinstance(found, QLineEdit)
    return found


def button(panel: ExportPanel, name: str) -> QPushButton:
    found = panel.findChild(QPushButton, name)
    assert isinstance(found, QPushButton)
    return found


def choose(panel: ExportPanel, *formats: str) -> None:
    for name in exporters():
        panel.findChild(QCheckBox, f"format_{name}").setChecked(name in formats)


def press(qtbot: QtBot, panel: ExportPanel, name: str) -> None:
    qtbot.mouseClick(button(panel, name), Qt.MouseButton.LeftButton)


def shown(panel: ExportPanel) -> str:
    """All visible texts of the panel."""
    return "\n".join(label.text() for label in panel.findChildren(QLabel) if label.isVisible())


def test_the_panel_names_the_network_and_offers_every_format(panel: ExportPanel) -> None:
    assert "Export Tiny net" in shown(panel)
    for name, exporter in exporters().items():
        assert panel.findChild(QCheckBox, f"format_{name}").text() == exporter.title
        assert exporter.description in shown(panel)


def test_the_files_are_written_and_the_largest_difference_is_shown(
    panel: ExportPanel, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    choose(panel, "safetensors")
    assert not button(panel, "openFolder").isVisible()
    press(qtbot, panel, "export")
    assert not button(panel, "export").isEnabled()
    qtbot.waitUntil(lambda: "Largest difference of any logit: 0 (16 images" in shown(panel), timeout=60_000)
    assert {path.name for path in (tmp_path / "model").iterdir()} == {"design.cnn.json", "model.safetensors"}
    assert button(panel, "export").isEnabled()
    press(qtbot, panel, "openFolder")
    assert opened == [str(tmp_path / "model")]


def test_files_that_will_be_replaced_are_listed_beforehand(panel: ExportPanel, tmp_path: Path) -> None:
    choose(panel, "safetensors", "onnx")
    assert "This will replace" not in shown(panel)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.onnx").write_bytes(b"old")
    field(panel).setText(str(tmp_path / "model") + "/")
    assert "This will replace model.onnx" in shown(panel)


def test_a_tilde_stands_for_the_users_home_everywhere(
    panel: ExportPanel, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.onnx").write_bytes(b"old")
    choose(panel, "onnx")
    field(panel).setText("~/model")
    assert "This will replace model.onnx" in shown(panel)
    button(panel, "openFolder").show()
    press(qtbot, panel, "openFolder")
    assert opened == [str(tmp_path / "model")]


@pytest.mark.parametrize("name", ["x" * 300, "~nobody-of-this-name"])
def test_any_folder_name_can_be_typed(panel: ExportPanel, name: str) -> None:
    field(panel).setText(name)
    assert "This will replace" not in shown(panel)


def test_without_a_format_or_a_folder_export_is_disabled(panel: ExportPanel) -> None:
    choose(panel)
    assert not button(panel, "export").isEnabled()
    choose(panel, "onnx")
    assert button(panel, "export").isEnabled()
    field(panel).setText("  ")
    assert not button(panel, "export").isEnabled()


def test_the_folder_can_be_chosen(
    panel: ExportPanel, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *arguments: str(tmp_path / "other"))
    press(qtbot, panel, "chooseFolder")
    assert field(panel).text() == str(tmp_path / "other")


def test_the_other_formats_are_exported_even_if_one_fails(
    panel: ExportPanel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> ExportResult:
        raise ExportFailed("torch cannot export this network to ONNX: too new")

    monkeypatch.setattr(exporters()["onnx"], "export", fail)
    choose(panel, "safetensors", "onnx")
    press(qtbot, panel, "export")
    qtbot.waitUntil(lambda: "ONNX: torch cannot export this network to ONNX: too new" in shown(panel))
    assert "✓ Weights: " in shown(panel)


def test_a_missing_run_is_reported(
    qtbot: QtBot, tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = TrainingSession()
    panel = ExportPanel(session)
    (tmp_path / "gone" / "checkpoints").mkdir(parents=True)
    panel.show_run(tmp_path / "gone")
    qtbot.addWidget(panel)
    panel.show()
    field(panel).setText(str(tmp_path / "model"))
    press(qtbot, panel, "export")
    qtbot.waitUntil(lambda: "There is no run in" in shown(panel), timeout=60_000)
    assert button(panel, "export").isEnabled()
    panel.close()
    assert session.shutdown(60)


def test_another_run_does_not_disturb_an_export(
    panel: ExportPanel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow()
    monkeypatch.setattr(exporters()["onnx"], "export", slow.export)
    choose(panel, "onnx")
    press(qtbot, panel, "export")
    qtbot.waitUntil(slow.started.is_set, timeout=60_000)

    panel.show_run(None)
    assert "Export Tiny net" in shown(panel)

    qtbot.mouseClick(panel.findChild(QPushButton, "cancel"), Qt.MouseButton.LeftButton)
    panel.show_run(None)
    assert "Tiny net" not in shown(panel)


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


def test_progress_is_shown_and_cancel_ends_it(panel: ExportPanel, qtbot: QtBot, slow: Slow) -> None:
    choose(panel, "onnx")
    press(qtbot, panel, "export")
    qtbot.waitUntil(lambda: "Writing ONNX" in shown(panel), timeout=60_000)
    press(qtbot, panel, "cancel")
    assert "Export canceled" in shown(panel)
    assert button(panel, "export").isEnabled()
    assert slow.cancelled.wait(60)


def test_keys_act_on_the_export_while_it_runs_and_after_it(
    panel: ExportPanel, qtbot: QtBot, slow: Slow
) -> None:
    choose(panel, "onnx")
    with qtbot.waitActive(panel):
        panel.activateWindow()
    button(panel, "export").setFocus()
    qtbot.keyClick(button(panel, "export"), Qt.Key.Key_Space)
    qtbot.waitUntil(slow.started.is_set, timeout=60_000)
    assert button(panel, "cancel").hasFocus()
    qtbot.keyClick(button(panel, "cancel"), Qt.Key.Key_Space)
    assert slow.cancelled.wait(60)
    assert button(panel, "export").hasFocus()


def test_an_export_goes_on_when_another_run_is_shown(
    panel: ExportPanel, run: Path, qtbot: QtBot, slow: Slow, tmp_path: Path
) -> None:
    choose(panel, "onnx")
    press(qtbot, panel, "export")
    qtbot.waitUntil(slow.started.is_set, timeout=60_000)
    panel.show_run(None)
    assert not slow.cancelled.is_set()
    assert not button(panel, "export").isEnabled()
    press(qtbot, panel, "cancel")
    assert slow.cancelled.wait(60)


def test_without_a_trained_model_the_panel_says_what_to_do(panel: ExportPanel) -> None:
    panel.show_run(None)
    assert "Press Train" in shown(panel)
    assert not button(panel, "export").isEnabled()


def test_nothing_is_exported_while_a_training_runs(panel: ExportPanel) -> None:
    panel._session._set_state(State.RUNNING)
    assert "Training is in progress" in shown(panel)
    assert not button(panel, "export").isEnabled()
    panel._session._set_state(State.IDLE)
    assert button(panel, "export").isEnabled()


def test_it_is_said_if_the_best_weights_were_not_saved(
    panel: ExportPanel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "The weights of the best epoch, 3, are not in the run's folder."
    monkeypatch.setattr("cnnstudio.gui.export.panel.describe_missing_best", lambda run: said)
    monkeypatch.setattr(Exporter, "export", lambda *arguments: ExportResult((), None, "Written."))
    press(qtbot, panel, "export")
    qtbot.waitUntil(lambda: said in [label.text() for label in panel.findChildren(QLabel)])
    assert [label.text() for label in panel.findChildren(QLabel)].count(said) == 1
