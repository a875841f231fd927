"""The device menu appears if there is a choice, and the choice is stored."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtGui import QAction
from pytestqt.qtbot import QtBot

from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.training.device_menu import DeviceMenu
from tests.gui.fakes import FakeSession

DEVICES = {"cpu": "cpu", "cuda:0": "cuda:0 (NVIDIA H200)"}


def action(menu: DeviceMenu, name: str) -> QAction:
    return next(action for action in menu.actions() if action.objectName() == f"device_{name}")


def discover(session: FakeSession, devices: dict[str, str]) -> None:
    session.devices = devices
    session.devices_changed.emit()


def menu_of(session: FakeSession, path: Path, qtbot: QtBot) -> DeviceMenu:
    menu = DeviceMenu(session, Settings(path))
    qtbot.addWidget(menu)
    return menu


def test_the_menu_is_hidden_if_there_is_only_one_device(tmp_path: Path, qtbot: QtBot) -> None:
    session = FakeSession()
    menu = menu_of(session, tmp_path / "window.ini", qtbot)
    assert not menu.menuAction().isVisible()
    discover(session, {"cpu": "cpu"})
    assert not menu.menuAction().isVisible()


def test_the_chosen_device_is_used_and_stored(tmp_path: Path, qtbot: QtBot) -> None:
    session = FakeSession()
    menu = menu_of(session, tmp_path / "window.ini", qtbot)
    discover(session, DEVICES)
    assert menu.menuAction().isVisible()
    titles = ["Automatic (fastest available)", "cpu", "cuda:0 (NVIDIA H200)"]
    assert [each.text() for each in menu.actions()] == titles
    assert action(menu, "auto").isChecked()
    action(menu, "cpu").trigger()
    assert session.device == "cpu"
    menu._settings.save()

    later = FakeSession()
    menu = menu_of(later, tmp_path / "window.ini", qtbot)
    assert later.device == "auto", "the device is not known to exist yet"
    discover(later, DEVICES)
    assert later.device == "cpu"
    assert action(menu, "cpu").isChecked()


def test_a_missing_device_is_replaced_by_the_fastest_one_until_it_returns(
    tmp_path: Path, qtbot: QtBot
) -> None:
    settings = Settings(tmp_path / "window.ini")
    settings.set_text("device", "cuda:0")
    session = FakeSession()
    menu = DeviceMenu(session, settings)
    qtbot.addWidget(menu)
    discover(session, {"cpu": "cpu", "mps": "mps"})
    assert session.device == "auto"
    assert action(menu, "auto").isChecked()
    discover(session, DEVICES)
    assert session.device == "cuda:0"
