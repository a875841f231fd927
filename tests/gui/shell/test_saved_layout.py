"""The arrangement of the panels in the settings, sound or damaged."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import shiboken6
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QByteArray, QSettings, Qt
from pytestqt.qtbot import QtBot

from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.gui.shell.saved_layout import is_sound_geometry, is_sound_layout

OpenWindow = Callable[[], MainWindow]
DOCKS = {"paletteDock", "inspectorDock", "codeDock", "fieldDock", "dashboardDock", "drawingDock"}
TOOL_BARS = {"trainingPanel"}
NOTE = "The saved arrangement of the panels is damaged"


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


def is_sound(state: bytes) -> bool:
    return is_sound_layout(state, DOCKS, TOOL_BARS, 2)


def stored(home: Path) -> QSettings:
    return QSettings(str(home / "window.ini"), QSettings.Format.IniFormat)


def hide_a_panel_and_close(window: MainWindow) -> None:
    window.docks[0].hide()
    close(window)


def test_every_arrangement_that_the_user_can_make_is_sound(open_window: OpenWindow, qtbot: QtBot) -> None:
    window = open_window()
    states = [window.saveState(2).data()]
    window.docks[0].hide()
    states.append(window.saveState(2).data())
    window.docks[1].setFloating(True)
    states.append(window.saveState(2).data())
    window.tabifyDockWidget(window.docks[4], window.docks[1])
    window.splitDockWidget(window.docks[2], window.docks[3], Qt.Orientation.Horizontal)
    states.append(window.saveState(2).data())
    window.tool_bar.hide()
    states.append(window.saveState(2).data())
    assert all(is_sound(state) for state in states)
    assert is_sound_geometry(window.saveGeometry().data())


def test_a_changed_byte_is_noticed_and_the_window_opens_with_one_note(
    open_window: OpenWindow, home: Path
) -> None:
    hide_a_panel_and_close(open_window())
    file = stored(home)
    state = bytearray(file.value("layout").data())
    state[60] ^= 1
    file.setValue("layout", QByteArray(bytes(state)))
    file.sync()

    window = open_window()
    assert window.message_bar.text.startswith(NOTE)
    assert window.docks[0].isVisible()
    assert (home / "window.ini.damaged").exists()
    close(window)
    assert not open_window().message_bar.text.startswith(NOTE)


def test_settings_without_a_checksum_are_restored_if_their_format_is_right(
    open_window: OpenWindow, home: Path
) -> None:
    hide_a_panel_and_close(open_window())
    file = stored(home)
    for key in ("layout_checksum", "geometry_checksum"):
        file.remove(key)
    file.sync()
    window = open_window()
    assert not window.docks[0].isVisible()
    close(window)

    state = bytearray(file.value("layout").data())
    # The type of the first entry: Qt would abort, or take the rest for something else.
    state[21] = 0xFE
    file.setValue("layout", QByteArray(bytes(state)))
    file.remove("layout_checksum")
    file.sync()
    window = open_window()
    assert window.message_bar.text.startswith(NOTE)
    assert window.docks[0].isVisible()


def test_after_a_start_that_died_while_restoring_the_next_one_is_plain(
    open_window: OpenWindow, home: Path
) -> None:
    hide_a_panel_and_close(open_window())
    code = (
        "import os\n"
        "from cnnstudio.gui.shell.app import create_window\n"
        "window = create_window()\n"
        "window.restoreState = lambda *_: os.abort()\n"
        "window.show()\n"
    )
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    died = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert died.returncode != 0

    window = open_window()
    assert window.message_bar.text.startswith(NOTE)
    assert window.docks[0].isVisible()
    close(window)
    assert not open_window().message_bar.text.startswith(NOTE)


def test_a_second_window_while_the_first_one_starts_is_not_taken_for_a_death(
    open_window: OpenWindow, home: Path
) -> None:
    hide_a_panel_and_close(open_window())
    first, second = open_window(), open_window()
    assert not first.docks[0].isVisible()
    assert not second.docks[0].isVisible()


def test_settings_that_are_not_a_regular_file_are_set_aside(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    os.mkfifo(home / "window.ini")
    stored_settings = Settings()
    stored_settings.set_text("dataset", "shapes")
    stored_settings.save()
    assert Settings().text("dataset") == "shapes"


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4))
@settings(max_examples=300, deadline=None)
def test_no_bytes_raise_when_a_layout_is_checked(changes: list[tuple[int, int]]) -> None:
    state = bytearray(SOUND)
    for place, value in changes:
        state[place % len(state)] = value
    is_sound(bytes(state))
    is_sound(bytes(state[: changes[0][0] % len(state)]))
    is_sound_geometry(bytes(state[:66]))


SOUND = (
    bytes.fromhex("000000ff00000002fd0000000100000000000000ec000001d7fc0200000001fb00000016")
    + "paletteDock".encode("utf-16-be")
    + bytes.fromhex(
        "010000005b000001d7000000e400ffffff000003e8000001d700000004000000040000000800000008fc00000000"
    )
)


def test_the_example_of_a_layout_is_sound() -> None:
    assert is_sound(SOUND)


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
