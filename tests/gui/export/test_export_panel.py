"""The export panel."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel
from pytestqt.qtbot import QtBot

from cnnstudio.core.formatting import format_bytes
from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction, raise_if_cancelled
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.export import Exporter, ExportFailed, ExportResult, ResultsDiffer, exporters
from cnnstudio.export.training_features import estimate_features
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.export.card import FormatCard
from cnnstudio.gui.export.outcomes import FormatOutcome
from cnnstudio.gui.export.panel import ExportPanel
from cnnstudio.runs.run import Run
from tests.gui.export.exporting import button, field, press, shown, state, train_tiny


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trained run."""
    return train_tiny(tmp_path_factory.mktemp("run") / "tiny")


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


def result(difference: float | None = 0.0) -> ExportResult:
    return ExportResult((Path("model.onnx"),), difference, "Written.", 16)


def test_the_panel_names_the_network_and_offers_every_format(panel: ExportPanel, run: Path) -> None:
    opened = Run.open(run)
    features = estimate_features(analyze(opened.network), opened.train_images)
    assert features > 0
    assert "Export Tiny net" in shown(panel)
    for name, exporter in exporters().items():
        card = panel.findChild(FormatCard, f"format_{name}")
        assert exporter.title in [label.text() for label in card.findChildren(QLabel)]
        assert exporter.description in shown(panel)
        assert state(panel, name) == "Not exported yet"
        size = 136 + features if exporter.compares_images else 136
        assert f"about {format_bytes(size)}" in [label.text() for label in card.findChildren(QLabel)]


def test_the_files_are_written_and_the_largest_difference_is_shown(
    panel: ExportPanel, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    assert not button(panel, "open_safetensors").isVisible()
    press(qtbot, panel, "export_safetensors")
    assert not button(panel, "export_safetensors").isEnabled()
    qtbot.waitUntil(lambda: "16 of 16 images agree" in state(panel, "safetensors"), timeout=60_000)
    assert "largest difference 0\ndesign.cnn.json and model.safetensors" in shown(panel)
    assert {path.name for path in (tmp_path / "model").iterdir()} == {"design.cnn.json", "model.safetensors"}
    written = sum(path.stat().st_size for path in (tmp_path / "model").iterdir())
    assert format_bytes(written) in shown(panel)
    assert state(panel, "onnx") == "Not exported yet"
    press(qtbot, panel, "open_safetensors")
    assert opened == [str(tmp_path / "model")]


def test_the_copied_code_reads_the_files(
    panel: ExportPanel, qtbot: QtBot, capsys: pytest.CaptureFixture[str]
) -> None:
    press(qtbot, panel, "export_safetensors")
    qtbot.waitUntil(button(panel, "copy_safetensors").isVisible, timeout=60_000)
    press(qtbot, panel, "copy_safetensors")
    exec(QGuiApplication.clipboard().text(), {})
    assert "(2, 16)" in capsys.readouterr().out


def test_export_all_exports_one_format_after_the_other(
    panel: ExportPanel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported: list[str] = []

    def export(exporter: Exporter, *arguments: object) -> ExportResult:
        exported.append(exporter.name)
        return result()

    monkeypatch.setattr(Exporter, "export", export)
    with qtbot.waitActive(panel):
        panel.activateWindow()
    button(panel, "export").setFocus()
    press(qtbot, panel, "export")
    assert state(panel, "onnx") == "Waiting…"
    assert not button(panel, "export").isEnabled()
    assert button(panel, "cancel_safetensors").hasFocus()
    qtbot.waitUntil(button(panel, "export").isEnabled, timeout=60_000)
    assert exported == list(exporters())


def test_the_export_of_a_format_that_shares_a_file_leaves_the_other_one_verified(
    panel: ExportPanel, qtbot: QtBot
) -> None:
    for name in ("safetensors", "pytorch"):
        press(qtbot, panel, f"export_{name}")
        qtbot.waitUntil(lambda name=name: "✓" in state(panel, name), timeout=60_000)
    assert "✓" in state(panel, "safetensors")


def test_files_that_will_be_replaced_are_listed_beforehand(panel: ExportPanel, tmp_path: Path) -> None:
    assert "This will replace" not in shown(panel)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.onnx").write_bytes(b"old")
    field(panel).setText(str(tmp_path / "model") + "/")
    assert "This will replace model.onnx" in shown(panel)


def test_files_changed_since_the_export_are_no_longer_called_verified(
    panel: ExportPanel, qtbot: QtBot, run: Path, tmp_path: Path
) -> None:
    press(qtbot, panel, "export_safetensors")
    qtbot.waitUntil(lambda: "✓" in state(panel, "safetensors"), timeout=60_000)
    field(panel).setText(str(tmp_path / "other"))
    assert state(panel, "safetensors") == "Not exported yet"
    field(panel).setText(str(tmp_path / "model"))
    assert "✓" in state(panel, "safetensors")
    # The run was trained on, so that it has other weights now.
    trained = (run / "checkpoints").stat()
    os.utime(run / "checkpoints", ns=(trained.st_atime_ns, trained.st_mtime_ns + 1_000_000))
    panel.hide()
    panel.show()
    assert state(panel, "safetensors") == "Not exported yet"
    assert "This will replace" in shown(panel)
    os.utime(run / "checkpoints", ns=(trained.st_atime_ns, trained.st_mtime_ns))
    panel.refresh()
    assert "✓" in state(panel, "safetensors")
    (tmp_path / "model" / "model.safetensors").write_bytes(b"another")
    panel.hide()
    panel.show()
    assert state(panel, "safetensors") == "Not exported yet"
    assert "This will replace model.safetensors" in shown(panel)


def test_a_tilde_stands_for_the_users_home_everywhere(
    panel: ExportPanel, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.onnx").write_bytes(b"old")
    field(panel).setText("~/model")
    assert "This will replace model.onnx" in shown(panel)
    panel.findChild(FormatCard, "format_onnx").open_wanted.emit()
    assert opened == [str(tmp_path / "model")]


@pytest.mark.parametrize("name", ["x" * 300, "~nobody-of-this-name"])
def test_any_folder_name_can_be_typed(panel: ExportPanel, name: str) -> None:
    field(panel).setText(name)
    assert "This will replace" not in shown(panel)


def test_without_a_folder_export_is_disabled(panel: ExportPanel) -> None:
    assert button(panel, "export").isEnabled()
    assert button(panel, "export_onnx").isEnabled()
    field(panel).setText("  ")
    assert not button(panel, "export").isEnabled()
    assert not button(panel, "export_onnx").isEnabled()


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
    press(qtbot, panel, "export_onnx")
    press(qtbot, panel, "export_safetensors")
    qtbot.waitUntil(lambda: "✓" in state(panel, "safetensors"), timeout=60_000)
    assert state(panel, "onnx") == "✗ torch cannot export this network to ONNX: too new"
    assert button(panel, "export_onnx").text() == "Try again"


def test_a_difference_is_said_in_figures(
    panel: ExportPanel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def differ(*arguments: object) -> ExportResult:
        raise ResultsDiffer("", 0.3, 12, 1_000)

    monkeypatch.setattr(Exporter, "export", differ)
    press(qtbot, panel, "export_onnx")
    said = "✗ Differs by 0.3 on 12 of 1,000 images: nothing was written"
    qtbot.waitUntil(lambda: state(panel, "onnx") == said, timeout=60_000)


def test_what_cannot_be_verified_here_says_why_and_can_be_exported_unverified(
    qtbot: QtBot, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[object] = []

    def export(exporter: Exporter, run: Run, folder: Path, verify: bool, *others: object) -> ExportResult:
        verified.append((exporter.name, verify))
        folder.mkdir(exist_ok=True)
        for name in exporter.files:
            (folder / name).touch()
        return result(0.0 if verify else None)

    monkeypatch.setattr(type(exporters()["onnx"]), "verification_needs", {"no_such_module": "ONNX Runtime"})
    monkeypatch.setattr(Exporter, "export", export)
    session = TrainingSession()
    panel = ExportPanel(session)
    panel.show_run(run)
    qtbot.addWidget(panel)
    panel.show()
    field(panel).setText(str(tmp_path / "model"))
    assert state(panel, "onnx") == "Cannot be verified here: ONNX Runtime is not installed"
    press(qtbot, panel, "export")
    qtbot.waitUntil(lambda: len(verified) == 2, timeout=60_000)
    press(qtbot, panel, "export_onnx")
    qtbot.waitUntil(lambda: state(panel, "onnx") == "Exported, not verified", timeout=60_000)
    assert verified == [("safetensors", True), ("pytorch", True), ("onnx", False)]
    panel.close()
    assert session.shutdown(60)


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
    press(qtbot, panel, "export_onnx")
    qtbot.waitUntil(lambda: "There is no run in" in shown(panel), timeout=60_000)
    assert button(panel, "export_onnx").isEnabled()
    panel.close()
    assert session.shutdown(60)


def test_another_run_does_not_disturb_an_export(panel: ExportPanel, qtbot: QtBot, slow: Slow) -> None:
    press(qtbot, panel, "export_onnx")
    qtbot.waitUntil(slow.started.is_set, timeout=60_000)

    panel.show_run(None)
    assert "Export Tiny net" in shown(panel)

    press(qtbot, panel, "cancel_onnx")
    qtbot.waitUntil(lambda: state(panel, "onnx") == "Canceled")
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
    press(qtbot, panel, "export_onnx")
    qtbot.waitUntil(lambda: "Writing ONNX" in shown(panel), timeout=60_000)
    press(qtbot, panel, "cancel_onnx")
    assert state(panel, "onnx") == "Canceling…"
    assert slow.cancelled.wait(60)
    qtbot.waitUntil(lambda: state(panel, "onnx") == "Canceled")
    assert button(panel, "export_onnx").isEnabled()


def test_an_export_canceled_too_late_is_shown_as_what_it_is(
    panel: ExportPanel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, stopped = threading.Event(), threading.Event()

    def export(
        run: Run, folder: Path, verify: bool, progress: ProgressFunction, cancelled: CancelFunction
    ) -> ExportResult:
        started.set()
        while not cancelled():
            stopped.wait(0.01)
        folder.mkdir(parents=True)
        for name in exporters()["onnx"].files:
            (folder / name).write_bytes(b"whole")
        return result()

    monkeypatch.setattr(exporters()["onnx"], "export", export)
    press(qtbot, panel, "export_onnx")
    qtbot.waitUntil(started.is_set, timeout=60_000)
    press(qtbot, panel, "cancel_onnx")
    qtbot.waitUntil(lambda: "Verified" in state(panel, "onnx"))
    assert "Canceled" not in shown(panel)


def test_a_format_that_waits_for_another_can_be_canceled_alone(
    panel: ExportPanel, qtbot: QtBot, slow: Slow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporters()["pytorch"], "export", lambda *arguments: result())
    press(qtbot, panel, "export_onnx")
    press(qtbot, panel, "export_safetensors")
    qtbot.waitUntil(slow.started.is_set, timeout=60_000)
    press(qtbot, panel, "cancel_safetensors")
    assert not slow.cancelled.is_set()
    press(qtbot, panel, "cancel_onnx")
    assert slow.cancelled.wait(60)
    # What waits behind them shows that both have ended.
    press(qtbot, panel, "export_pytorch")
    qtbot.waitUntil(button(panel, "export_pytorch").isEnabled, timeout=60_000)
    assert not (tmp_path / "model" / "design.cnn.json").exists()


def test_keys_act_on_the_export_while_it_runs_and_after_it(
    panel: ExportPanel, qtbot: QtBot, slow: Slow
) -> None:
    with qtbot.waitActive(panel):
        panel.activateWindow()
    button(panel, "export_onnx").setFocus()
    qtbot.keyClick(button(panel, "export_onnx"), Qt.Key.Key_Space)
    qtbot.waitUntil(slow.started.is_set, timeout=60_000)
    assert button(panel, "cancel_onnx").hasFocus()
    qtbot.keyClick(button(panel, "cancel_onnx"), Qt.Key.Key_Space)
    assert slow.cancelled.wait(60)
    qtbot.waitUntil(button(panel, "export_onnx").hasFocus)


def test_without_a_trained_model_the_panel_says_what_to_do(panel: ExportPanel) -> None:
    panel.show_run(None)
    assert "Press Train" in shown(panel)
    assert not button(panel, "export").isEnabled()
    assert not button(panel, "export_onnx").isEnabled()


def test_in_its_first_epoch_nobody_is_told_to_press_train(panel: ExportPanel) -> None:
    panel.show_run(None)
    panel._session._set_state(State.RUNNING)
    assert "Training is in progress" in shown(panel)
    assert "Press Train" not in shown(panel)
    panel._session._set_state(State.IDLE)


def test_nothing_is_exported_while_a_training_runs(panel: ExportPanel) -> None:
    panel._session._set_state(State.RUNNING)
    assert "Training is in progress" in shown(panel)
    assert not button(panel, "export").isEnabled()
    assert not button(panel, "export_onnx").isEnabled()
    panel._session._set_state(State.IDLE)
    assert button(panel, "export").isEnabled()


def test_it_is_said_once_if_the_best_weights_were_not_saved(
    panel: ExportPanel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "The weights of the best epoch, 3, are not in the run's folder."
    monkeypatch.setattr("cnnstudio.gui.export.outcomes.describe_missing_best", lambda run: said)
    monkeypatch.setattr(Exporter, "export", lambda *arguments: result())
    press(qtbot, panel, "export")
    qtbot.waitUntil(lambda: said in shown(panel), timeout=60_000)
    qtbot.waitUntil(button(panel, "export").isEnabled, timeout=60_000)
    assert shown(panel).count(said) == 1


@pytest.mark.parametrize("width", [400, 640])
def test_no_state_changes_the_height_of_a_card(panel: ExportPanel, width: int) -> None:
    panel.resize(width, 700)
    card = panel.findChild(FormatCard, "format_safetensors")
    heights = set()
    outcomes = (FormatOutcome(result(), stamp=((1_000, 1),), code="code"), FormatOutcome(error="It differs"))
    for show in (
        card.show_waiting,
        lambda: card.show_progress(Progress(1, 3, "Writing ONNX")),
        *(partial(card.show_outcome, outcome) for outcome in outcomes),
        card.show_idle,
    ):
        show()
        QApplication.processEvents()
        heights.add(card.height())
    assert len(heights) == 1
