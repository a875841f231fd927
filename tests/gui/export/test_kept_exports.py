"""What was exported and verified is still known after a restart, as long as it is true."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from cnnstudio.core.paths import home
from cnnstudio.data.sources import find_source
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.export.kept_exports import KeptExport, keep_export, read_exports
from cnnstudio.gui.export.panel import ExportPanel
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.recipe.recipe import Recipe
from tests.gui.export.exporting import field, press, shown, state, train_tiny
from tests.training.images import image_folder
from tests.training.networks import tiny

Start = Callable[[], ExportPanel]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return train_tiny(tmp_path / "tiny")


@pytest.fixture
def start(qtbot: QtBot, run: Path) -> Iterator[Start]:
    """Opens the panel of a program that was just started."""
    sessions = []

    def start() -> ExportPanel:
        session = TrainingSession()
        sessions.append(session)
        panel = ExportPanel(session)
        qtbot.addWidget(panel)
        panel.show_run(run)
        panel.show()
        return panel

    yield start
    for session in sessions:
        assert session.shutdown(60)


@pytest.fixture
def exported(start: Start, qtbot: QtBot, tmp_path: Path) -> Path:
    """The folder into which an earlier program exported the weights, and verified them."""
    panel = start()
    field(panel).setText(str(tmp_path / "model"))
    press(qtbot, panel, "export_safetensors")
    qtbot.waitUntil(lambda: "✓" in state(panel, "safetensors"), timeout=60_000)
    panel.close()
    return tmp_path / "model"


def test_a_verified_export_is_still_verified_after_a_restart(
    exported: Path, start: Start, qtbot: QtBot
) -> None:
    panel = start()
    assert field(panel).text() == str(exported)
    qtbot.waitUntil(lambda: "✓ Verified: 16 of 16 images agree" in state(panel, "safetensors"))
    assert "largest difference 0\ndesign.cnn.json and model.safetensors" in shown(panel)
    press(qtbot, panel, "copy_safetensors")
    assert str(exported / "model.safetensors") in QGuiApplication.clipboard().text()
    assert state(panel, "onnx") == "Not exported yet"
    # In another folder nothing was exported.
    field(panel).setText(str(exported.parent / "other"))
    assert state(panel, "safetensors") == "Not exported yet"
    field(panel).setText(str(exported))
    assert "✓" in state(panel, "safetensors")


def test_the_features_of_the_training_images_are_verified_too(
    run: Path, start: Start, qtbot: QtBot, tmp_path: Path
) -> None:
    shutil.rmtree(run)
    source = str(image_folder(tmp_path / "images"))
    recipe = Recipe("quick", epochs=1, batch_size=8)
    start_run(tiny(2), find_source(source).load(), recipe, RunOptions(folder=run, source=source))
    said = "or where an image is unlike any training image."
    first = start()
    assert said not in shown(first)
    field(first).setText(str(tmp_path / "model"))
    for name in ("safetensors", "pytorch"):
        press(qtbot, first, f"export_{name}")
    qtbot.waitUntil(lambda: "✓" in state(first, "pytorch"), timeout=60_000)
    assert "✓" in state(first, "safetensors")
    assert shown(first).count(said) == 1
    assert "model.py, model.safetensors and training-features.safetensors" in shown(first)
    first.close()
    panel = start()
    qtbot.waitUntil(lambda: "✓" in state(panel, "pytorch"))
    assert said in shown(panel)
    file = tmp_path / "model" / "training-features.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    panel.refresh()
    assert state(panel, "pytorch") == state(panel, "safetensors") == "Not exported yet"
    file.unlink()
    panel.close()
    assert state(start(), "pytorch") == "Not exported yet"


def flip_a_bit(exported: Path, run: Path) -> None:
    """As a failing drive does: neither the size nor the time changes."""
    file = exported / "model.safetensors"
    content, times = bytearray(file.read_bytes()), file.stat()
    content[-1] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def train_on(exported: Path, run: Path) -> None:
    times = (run / "checkpoints").stat()
    os.utime(run / "checkpoints", ns=(times.st_atime_ns, times.st_mtime_ns + 1_000_000))


def delete(exported: Path, run: Path) -> None:
    (exported / "design.cnn.json").unlink()


def damage(exported: Path, run: Path) -> None:
    (kept,) = (home() / "exports").glob("*.json")
    kept.write_text(kept.read_text().replace('"digests"', '"digest"'))


@pytest.mark.parametrize("change", [flip_a_bit, train_on, delete, damage])
def test_what_has_changed_since_is_not_called_verified(
    change: Callable[[Path, Path], None],
    exported: Path,
    run: Path,
    start: Start,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    change(exported, run)
    looked: list[object] = []
    on_restored = ExportPanel._on_restored

    def noting(panel: ExportPanel, found: object) -> None:
        looked.append(found)
        on_restored(panel, found)

    monkeypatch.setattr(ExportPanel, "_on_restored", noting)
    panel = start()
    field(panel).setText(str(exported))
    if change is flip_a_bit or change is delete:
        qtbot.waitUntil(lambda: looked == [{}], timeout=60_000)
    assert state(panel, "safetensors") == "Not exported yet"
    assert "This will replace model.safetensors" in shown(panel)


def test_what_two_windows_export_at_once_is_kept_of_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def export(name: str) -> None:
        keep_export(tmp_path, KeptExport(name, tmp_path, 1, ("0",), None, 16, "Written.", ()))

    other, replace = threading.Thread(target=export, args=("onnx",)), os.replace

    def replace_later(*paths: Any) -> None:
        if other.ident is None:
            other.start()
            # It ends meanwhile if nothing keeps it waiting.
            other.join(0.5)
        replace(*paths)

    monkeypatch.setattr(os, "replace", replace_later)
    export("safetensors")
    other.join()
    assert {each.format for each in read_exports(tmp_path)} == {"onnx", "safetensors"}


def test_a_later_export_of_a_format_replaces_the_earlier_one_and_their_number_is_bounded(
    tmp_path: Path,
) -> None:
    def export(folder: str, images: int) -> KeptExport:
        return KeptExport("onnx", tmp_path / folder, 1, ("0",), None, images, "Written.", ())

    for number in range(50):
        keep_export(tmp_path, export(f"folder {number}", 16))
    keep_export(tmp_path, export("folder 40", 17))
    found = read_exports(tmp_path)
    assert len(found) == 30
    assert found[-1] == export("folder 40", 17)
    assert [each.folder for each in found].count(tmp_path / "folder 40") == 1
    assert read_exports(tmp_path / "another run") == ()
