"""The device is chosen where there is a choice, and remembered."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtGui import QAction
from pytestqt.qtbot import QtBot

from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.training.device_menu import DeviceMenu
from tests.gui.fakes import SilentSession

DEVICES = {"cpu": "cpu", "cuda:0": "cuda:0 (NVIDIA H200)"}


def action(menu: DeviceMenu, name: str) -> QAction:
    return next(action for action in menu.actions() if action.objectName() == f"device_{name}")


def find(session: SilentSession, devices: dict[str, str]) -> None:
    session.devices = devices
    session.devices_changed.emit()


def menu_of(session: SilentSession, path: Path, qtbot: QtBot) -> DeviceMenu:
    menu = DeviceMenu(session, Settings(path))
    qtbot.addWidget(menu)
    return menu


def test_without_a_choice_there_is_no_menu(tmp_path: Path, qtbot: QtBot) -> None:
    session = SilentSession()
    menu = menu_of(session, tmp_path / "window.ini", qtbot)
    assert not menu.menuAction().isVisible()
    find(session, {"cpu": "cpu"})
    assert not menu.menuAction().isVisible()


def test_the_choice_is_trained_on_and_remembered(tmp_path: Path, qtbot: QtBot) -> None:
    session = SilentSession()
    menu = menu_of(session, tmp_path / "window.ini", qtbot)
    find(session, DEVICES)
    assert menu.menuAction().isVisible()
    titles = ["Automatic: the fastest there is", "cpu", "cuda:0 (NVIDIA H200)"]
    assert [each.text() for each in menu.actions()] == titles
    assert action(menu, "auto").isChecked()
    action(menu, "cpu").trigger()
    assert session.device == "cpu"
    menu._settings.save()

    later = SilentSession()
    menu = menu_of(later, tmp_path / "window.ini", qtbot)
    assert later.device == "auto", "not before it is known that it is there"
    find(later, DEVICES)
    assert later.device == "cpu"
    assert action(menu, "cpu").isChecked()


def test_a_device_that_is_gone_is_replaced_by_the_fastest_until_it_is_back(
    tmp_path: Path, qtbot: QtBot
) -> None:
    settings = Settings(tmp_path / "window.ini")
    settings.set_text("device", "cuda:0")
    session = SilentSession()
    menu = DeviceMenu(session, settings)
    qtbot.addWidget(menu)
    find(session, {"cpu": "cpu", "mps": "mps"})
    assert session.device == "auto"
    assert action(menu, "auto").isChecked()
    find(session, DEVICES)
    assert session.device == "cuda:0"
