"""A start that died, whatever ended it, is not repeated: the next one opens nothing of the last session."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import QSettings
from pytestqt.qtbot import QtBot

from cnnstudio.design.file import write_design
from cnnstudio.design.templates import templates
from cnnstudio.gui.designer.quick_fix.advice_service import advice_service
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.start_marker import StartMarker

ROOT = Path(__file__).resolve().parents[3]
LESSON, VGG, RESNET = (templates()[name].network for name in ("lesson-32", "vgg-11-small", "resnet-9"))

PROGRAM = """
import os, sys
from PySide6.QtCore import QTimer
from cnnstudio.gui.shell import app

create = app.create_window

def create_window(*arguments, **options):
    window = create(*arguments, **options)
    if sys.argv[1] == "abort":
        os.abort()
    if sys.argv[1] == "raise":
        raise RuntimeError
    window.session.preload = lambda: None
    print(window.project.network.name, flush=True)
    QTimer.singleShot(0, window.close)
    return window

app.create_window = create_window
sys.exit(app.main())
"""


def run_program(how: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-X", "faulthandler=0", "-c", PROGRAM, how]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def remember(home: Path, **values: str) -> None:
    """Writes settings as the last session left them."""
    home.mkdir(parents=True, exist_ok=True)
    stored = QSettings(str(home / "window.ini"), QSettings.Format.IniFormat)
    for key, value in values.items():
        stored.setValue(key, value)
    stored.sync()


@pytest.mark.parametrize("how", ["abort", "raise"])
def test_after_a_start_that_died_the_next_one_is_plain_and_the_one_after_it_as_usual(
    how: str, home: Path, tmp_path: Path
) -> None:
    write_design(tmp_path / "mine.cnn.json", VGG)
    remember(home, design=str(tmp_path / "mine.cnn.json"))
    assert run_program(how).returncode != 0
    assert run_program("close").stdout.strip() == LESSON.name
    remember(home, design=str(tmp_path / "mine.cnn.json"))
    assert run_program("close").stdout.strip() == VGG.name


def test_a_plain_start_opens_nothing_of_the_last_session_and_says_where_its_settings_are(
    qtbot: QtBot, home: Path, tmp_path: Path
) -> None:
    write_design(tmp_path / "mine.cnn.json", VGG)
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").touch()
    kept = {"scheme": "dark", "recent_files": str(tmp_path / "mine.cnn.json"), "notify_at_end": "off"}
    remember(home, design=str(tmp_path / "mine.cnn.json"), run=str(run), page="Use", recipe="lesson", **kept)
    write_design(home / "last.cnn.json", VGG)
    write_design(home / "unsaved-1.cnn.json", RESNET)

    window = create_window(is_plain=True)
    try:
        assert window.project.network == LESSON
        assert window.project.recipe.name != "lesson"
        assert window.last_session.run_to_show is None
        assert window.pages.currentIndex() == window.pages.DESIGN
        assert window.settings.scheme == "dark"
        assert not window.long_runs.notifies
        assert window.settings.recent_files == [tmp_path / "mine.cnn.json"]
        assert "while it was starting" in window.message_bar.text
        assert "There is 1 more unsaved design" in window.message_bar.text
        damaged = QSettings(str(home / "window.ini.damaged"), QSettings.Format.IniFormat)
        assert damaged.value("run") == str(run)
    finally:
        window.close()
        shiboken6.delete(window)


def test_a_plain_start_keeps_what_was_dismissed_and_the_chosen_device(
    qtbot: QtBot, home: Path, tmp_path: Path
) -> None:
    path = tmp_path / "mine.cnn.json"
    write_design(path, LESSON)
    with_tips = create_window(path)
    advice = advice_service(with_tips.project)
    qtbot.waitUntil(lambda: bool(advice.shown))
    dismissed = advice.shown[0]
    advice.dismiss(dismissed)
    with_tips.settings.save()
    with_tips.close()
    shiboken6.delete(with_tips)
    offers = {"training/classWeightsDismissed": '["shapes"]', "data/pretrainedOfferDismissed": '["one"]'}
    remember(home, device="cuda:7", comparison_align="images", **offers)

    window = create_window(is_plain=True)
    try:
        assert window.session.chosen_device == "cuda:7"
        assert {key: window.settings.text(key) for key in offers} == offers
        assert window.settings.text("comparison_align") == "images"
        window.documents.open_path(path)
        qtbot.waitUntil(lambda: dismissed in advice_service(window.project).dismissed)
    finally:
        window.close()
        shiboken6.delete(window)


@pytest.mark.parametrize("name", ["null\0character", "half\ud800character", "x" * 5_000])
def test_names_that_no_file_can_have_are_left_out_of_the_last_session(
    qtbot: QtBot, home: Path, name: str
) -> None:
    remember(
        home, design=f"/{name}", run=f"/{name}", dataset=name, recent_files=f"/{name}", folder=f"/{name}"
    )
    window = create_window()
    try:
        assert window.project.network == LESSON
        assert window.last_session.run_to_show is None
    finally:
        window.close()
        shiboken6.delete(window)


def test_two_windows_that_start_at_once_do_not_take_each_other_for_dead(qapp: object, home: Path) -> None:
    home.mkdir(parents=True)
    first, second = StartMarker(), StartMarker()
    assert not first.last_start_died
    assert not second.last_start_died
    first.remove()
    second.remove()
    assert not StartMarker().last_start_died


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything is writable")
def test_a_folder_that_cannot_be_written_is_no_dead_start(qapp: object, home: Path) -> None:
    home.mkdir(parents=True)
    home.chmod(0o500)
    assert not StartMarker().last_start_died
    home.chmod(0o700)
