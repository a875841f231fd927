"""The size of the window and the places of its splitters in the settings, sound or damaged."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import shiboken6
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QByteArray, QSettings, QSize
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.gui.shell.saved_geometry import is_sound_geometry

OpenWindow = Callable[[], MainWindow]
NOTE = "The saved size of the window is damaged"


@pytest.fixture
def open_window(qtbot: QtBot) -> Iterator[OpenWindow]:
    windows: list[MainWindow] = []

    def start() -> MainWindow:
        window = create_window()
        window.session.preload = lambda: None  # type: ignore[method-assign]  # nothing computes here
        windows.append(window)
        window.show()
        qtbot.waitExposed(window)
        return window

    yield start
    for window in windows:
        close(window)


def close(window: MainWindow) -> None:
    if shiboken6.isValid(window):
        window.close()
        shiboken6.delete(window)


def stored(home: Path) -> QSettings:
    return QSettings(str(home / "window.ini"), QSettings.Format.IniFormat)


def test_the_size_of_the_window_comes_back(open_window: OpenWindow) -> None:
    first = open_window()
    first.resize(760, 690)
    close(first)
    assert open_window().size() == QSize(760, 690)


def test_a_changed_byte_is_noticed_and_the_window_opens_with_one_note(
    open_window: OpenWindow, home: Path
) -> None:
    close(open_window())
    file = stored(home)
    state = bytearray(file.value("geometry").data())
    state[30] ^= 1
    file.setValue("geometry", QByteArray(bytes(state)))
    file.sync()

    window = open_window()
    assert window.message_bar.text.startswith(NOTE)
    assert (home / "window.ini.damaged").exists()
    close(window)
    assert not open_window().message_bar.text.startswith(NOTE)


def test_a_size_without_a_checksum_is_restored_if_its_format_is_right(
    open_window: OpenWindow, home: Path
) -> None:
    first = open_window()
    first.resize(760, 690)
    close(first)
    file = stored(home)
    file.remove("geometry_checksum")
    file.sync()
    window = open_window()
    assert window.size() == QSize(760, 690)
    close(window)

    file.setValue("geometry", QByteArray(b"no geometry"))
    file.remove("geometry_checksum")
    file.sync()
    assert open_window().message_bar.text.startswith(NOTE)


@pytest.mark.parametrize("layout", [b"", b"\xff" * 500, bytes.fromhex("000000ff00000002fd")])
def test_an_arrangement_of_movable_panels_of_an_old_version_is_left_out(
    open_window: OpenWindow, home: Path, layout: bytes
) -> None:
    close(open_window())
    file = stored(home)
    file.setValue("layout", QByteArray(layout))
    file.sync()

    window = open_window()
    assert not window.message_bar.text.startswith(NOTE)
    assert window.pages.design.layers.isVisible()
    close(window)
    assert not stored(home).contains("layout")


def test_a_window_that_was_larger_than_this_screen_opens_inside_it(
    open_window: OpenWindow, home: Path
) -> None:
    first = open_window()
    free = first.screen().availableGeometry()
    first.resize(free.size() + QSize(500, 500))
    close(first)

    window = open_window()
    assert free.contains(window.geometry())


@pytest.mark.parametrize("sizes", ["", "1 2", "a b c", "-5 10 10", "9999999999 1 1", "0 0 0"])
def test_places_of_splitters_that_do_not_fit_are_left_out(
    open_window: OpenWindow, home: Path, sizes: str
) -> None:
    home.mkdir(parents=True, exist_ok=True)
    file = stored(home)
    file.setValue("pages/design_columns", sizes)
    file.sync()

    window = open_window()
    window.resize(1280, 720)
    QApplication.processEvents()
    page = window.pages.design
    assert page.layer_types.width() == 212
    assert page.layers.width() > 400


def test_settings_that_are_not_a_regular_file_are_set_aside(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    os.mkfifo(home / "window.ini")
    stored_settings = Settings()
    stored_settings.set_text("dataset", "shapes")
    stored_settings.save()
    assert Settings().text("dataset") == "shapes"


@given(st.binary(max_size=66))
@settings(max_examples=300, deadline=None)
def test_no_bytes_raise_when_a_size_is_checked(state: bytes) -> None:
    is_sound_geometry(state)
    is_sound_geometry(b"\x01\xd9\xd0\xcb" + state[:46])


@given(st.binary(min_size=1, max_size=30), st.integers(0, 5000))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_in_the_file_of_the_settings_raise(tmp_path: Path, data: bytes, place: int) -> None:
    path = tmp_path / "window.ini"
    text = b'[General]\ndataset=shapes\nlayout=@ByteArray(abc\\0)\nscheme=light\nrecent_files="/a\\n/b"\n'
    start = place % len(text)
    path.write_bytes(text[:start] + data + text[start + len(data) :])
    found = Settings(path)
    _ = (found.scheme, found.recent_files, found.text("dataset"), found.bytes("layout"))
    found.has_right_checksum("layout")
