"""The window takes up what the one of version 0.1 left, and writes its settings under the same names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import QSettings
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QApplication, QLabel, QMainWindow, QMenu, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.gui.designer.quick_fix.advice_service import advice_service
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.gui.theme.theme import theme
from tests.compatibility.old_files import advice_key, put_old_files

OpenWindow = Callable[..., MainWindow]


@pytest.fixture
def old(tmp_path: Path, home: Path) -> Path:
    """Where what version 0.1 left lies: `home`, which is the user's, `brightness` and `designs`."""
    assert put_old_files(tmp_path) == home
    return tmp_path


@pytest.fixture
def open_window(qtbot: QtBot) -> Iterator[OpenWindow]:
    """Opens windows that never get to load torch, and closes them at the end."""
    windows: list[MainWindow] = []

    def start(path: Path | None = None) -> MainWindow:
        window = create_window(path)
        window.session.preload = lambda: None  # type: ignore[method-assign]  # nothing computes here
        windows.append(window)
        window.show()
        qtbot.waitExposed(window)
        return window

    yield start
    for window in windows:
        close(window)
    theme().set_scheme("system")


def close(window: MainWindow) -> None:
    if shiboken6.isValid(window):
        if window.isWindowModified():
            window.project.mark_saved(Path("elsewhere.cnn.json"))
        window.close()
        shiboken6.delete(window)


def described_widget(window: QMainWindow, name: str) -> QWidget:
    found = window.findChild(QWidget, name)
    assert isinstance(found, QWidget)
    return found


def described(window: QMainWindow, name: str) -> str:
    return described_widget(window, name).accessibleDescription()


def action(window: QMainWindow, name: str) -> QAction:
    found = window.findChild(QAction, name)
    assert isinstance(found, QAction)
    return found


# Settings


def test_the_recent_files_are_offered(open_window: OpenWindow, old: Path) -> None:
    window = open_window(old / "designs" / "small.cnn.json")
    names = ["linear", "every-layer", "changed"]
    offered = [entry.text() for menu in window.findChildren(QMenu) for entry in menu.actions()]
    assert [name for name in names if not any(f"{name}.cnn.json" in text for text in offered)] == []


def test_the_look_and_the_choices_are_as_they_were_left(open_window: OpenWindow, old: Path) -> None:
    window = open_window(old / "designs" / "small.cnn.json")
    assert QApplication.palette().window().color().lightness() < 128
    assert window.project.dataset_name == "brightness"
    assert window.session.chosen_device == "cpu"


def test_the_window_has_the_size_that_it_was_left_with(open_window: OpenWindow, old: Path) -> None:
    assert open_window(old / "designs" / "small.cnn.json").height() == 700


def test_the_arrangement_of_the_panels_of_that_version_is_left_out(
    open_window: OpenWindow, old: Path, home: Path
) -> None:
    window = open_window(old / "designs" / "small.cnn.json")
    assert "saved size" not in window.message_bar.text
    for name in ("palette", "layerList", "inspector"):
        assert described_widget(window, name).isVisible()
    close(window)
    assert not QSettings(str(home / "window.ini"), QSettings.Format.IniFormat).contains("layout")


def test_dismissed_advice_stays_dismissed(open_window: OpenWindow, old: Path, qtbot: QtBot) -> None:
    window = open_window(old / "designs" / "linear.cnn.json")
    service = advice_service(window.project)
    qtbot.waitUntil(lambda: bool(service.shown))
    assert [advice.key for advice in service.dismissed] == ["no-nonlinearity:conv2d_1"]
    assert [advice.key for advice in service.shown] == ["no-nonlinearity:conv2d_2"]


def test_unsaved_work_comes_back(open_window: OpenWindow, old: Path) -> None:
    window = open_window()
    assert "Not saved yet" in window.windowTitle()
    assert window.isWindowModified()
    message_bar = window.findChild(QLabel, "messageText")
    assert isinstance(message_bar, QLabel)
    assert "closed unexpectedly" in message_bar.text()


# Runs


def test_an_old_run_is_shown_with_its_curves_and_feature_maps(
    open_window: OpenWindow, old: Path, qtbot: QtBot
) -> None:
    window = open_window(old / "home" / "runs" / "finished")
    window.resize(1400, 900)
    assert window.shown_run_button.full_text.startswith("Every layer")
    for name, points in (("lossPlot", 30), ("accuracyPlot", 5)):
        plot = window.findChild(QWidget, name)
        assert isinstance(plot, QWidget)
        qtbot.waitUntil(lambda plot=plot, points=points: most_points(plot) >= points)
    qtbot.waitUntil(lambda: "4 maps" in described(window, "featureMaps"))


def most_points(plot: QWidget) -> int:
    """Of the curve that has the most."""
    curves = plot.getPlotItem().listDataItems()  # type: ignore[attr-defined]  # pyqtgraph's
    return max((len(curve.xData) for curve in curves if curve.xData is not None), default=0)


@pytest.mark.parametrize("name", ["stopped", "first", "continued", "failed"])
def test_every_old_run_can_be_opened(name: str, open_window: OpenWindow, old: Path, qtbot: QtBot) -> None:
    folder = old / "home" / "runs" / name
    window = open_window(folder)
    qtbot.waitUntil(lambda: window.run_folder == folder)
    assert not window.message_bar.text.startswith("The run in")


# What is written


def test_settings_are_written_under_their_names(
    open_window: OpenWindow, tmp_path: Path, home: Path, qtbot: QtBot
) -> None:
    root = tmp_path / "old"
    put_old_files(root)
    design = root / "designs" / "linear.cnn.json"
    window = open_window(design)
    service = advice_service(window.project)
    qtbot.waitUntil(lambda: bool(service.shown))
    service.dismiss(service.shown[0])
    window.project.set_dataset("cifar10", None)
    window.project.set_dataset("shapes", None)
    window.settings.scheme = "light"
    window.settings.set_text("cifar10_offered", "yes")
    close(window)
    stored = QSettings(str(home / "window.ini"), QSettings.Format.IniFormat)
    assert set(stored.allKeys()) == {
        *("cifar10_offered", "dataset", "folder", "geometry", "recent_files", "scheme"),
        *("geometry_checksum", "design", "recipe", "page"),
        *("pages/design_columns", "pages/design_list"),
        f"dismissed_advice/{advice_key(str(design))}",
    }
    assert stored.value("dataset") == "shapes"
    assert stored.value("scheme") == "light"
    assert stored.value("recent_files") == str(design)
    assert stored.value("folder") == str(design.parent)
    assert stored.value(f"dismissed_advice/{advice_key(str(design))}") == "no-nonlinearity:conv2d_1"


def test_the_offer_of_photographs_is_made_once(open_window: OpenWindow, home: Path) -> None:
    close(open_window())
    stored = QSettings(str(home / "window.ini"), QSettings.Format.IniFormat)
    assert stored.value("cifar10_offered") == "yes"


def test_the_chosen_device_is_written_under_its_name(open_window: OpenWindow, home: Path) -> None:
    window = open_window()
    window.session.devices = {"cpu": "The processor", "cuda": "A graphics card"}
    window.session.devices_changed.emit()
    action(window, "device_cpu").trigger()
    close(window)
    assert QSettings(str(home / "window.ini"), QSettings.Format.IniFormat).value("device") == "cpu"


def test_copied_layers_travel_under_their_type(open_window: OpenWindow) -> None:
    window = open_window()
    window.project.select([window.project.network.nodes[0].id])
    action(window, "actionCopy").trigger()
    clipboard = QGuiApplication.clipboard()
    assert "application/x-cnnstudio-layers+json" in clipboard.mimeData().formats()
    # What Python made must not be there any more when Qt ends.
    clipboard.clear()


def test_unsaved_work_is_kept_under_its_name(open_window: OpenWindow, home: Path) -> None:
    window = open_window()
    assert [path.name for path in home.glob("unsaved-*")] == ["unsaved-1.cnn.json.lock"]
    window.project.select([window.project.network.nodes[0].id])
    action(window, "actionDelete").trigger()
    window.documents.autosave.save()
    assert (home / "unsaved-1.cnn.json").is_file()
