"""Files and folders dropped on the window: recognized, announced while they are dragged, and opened."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QDragLeaveEvent
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from cnnstudio.core.progress import never_cancelled
from cnnstudio.data.sources import sources
from cnnstudio.data.sources.folder_scan import readable_suffixes
from cnnstudio.design.file import write_design
from cnnstudio.design.templates import template
from cnnstudio.gui.interchange.dialog import ImportDialog
from cnnstudio.gui.shell.drops.found import Kind, identify
from cnnstudio.gui.shell.drops.overlay import NOTHING
from cnnstudio.gui.shell.drops.plan import plan
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.gui.widgets.message_box import MessageBox
from tests.gui.canned import run_events
from tests.gui.data.test_data_dialog import image_folder
from tests.gui.user_input import drag_and_drop, drag_over, drop
from tests.runs.written import WrittenRun


@pytest.fixture
def things(tmp_path: Path) -> dict[str, Path]:
    """One of everything, by what it is."""
    write_design(tmp_path / "small.cnn.json", template("lenet-5").network)
    (tmp_path / "renamed.json").write_bytes((tmp_path / "small.cnn.json").read_bytes())
    (tmp_path / "net.py").write_text("model = Sequential([Dense(10)])")
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "net.safetensors").write_bytes(b"")
    (tmp_path / "other.json").write_text(json.dumps({"a": 1}))
    run = WrittenRun(tmp_path / "run")
    run.update_metadata(status="stopped", reason="Stopped in epoch 4.")
    run.append(*run_events(epochs=3))
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "photos/b.jpg"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    (tmp_path / "empty").mkdir()
    (tmp_path / "labels.csv").write_text("file,label\na.png,cat\nphotos/b.jpg,dog\na.png,dog\n")
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        for name in ("cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"):
            archive.write(tmp_path / "a.png", name)
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.writestr("mine/run.json", "{}")
    (tmp_path / "broken.zip").write_bytes(b"PK")
    image_folder(tmp_path / "flowers", classes=3)
    return {path.name: path for path in tmp_path.iterdir()}


KINDS = {
    "small.cnn.json": Kind.DESIGN,
    "renamed.json": Kind.DESIGN,
    "net.py": Kind.CODE,
    "run": Kind.RUN,
    "net.safetensors": Kind.WEIGHTS,
    "flowers": Kind.DATA_SET,
    "a.png": Kind.IMAGES,
    "photos": Kind.IMAGES,
    "labels.csv": Kind.DATA_SET,
    "pets.zip": Kind.DATA_SET,
    "packed.zip": Kind.RUN,
    "broken.zip": Kind.UNUSABLE,
    "empty": Kind.UNUSABLE,
    "notes.txt": Kind.UNUSABLE,
    "other.json": Kind.UNUSABLE,
}


def test_everything_is_recognized(things: dict[str, Path]) -> None:
    for name, kind in KINDS.items():
        (found,) = identify([things[name]], never_cancelled)
        assert (name, found.kind) == (name, kind)
    (found,) = identify([things["run"] / "run.json"], never_cancelled)
    assert (found.kind, found.path) == (Kind.RUN, things["run"])
    (found,) = identify([things["run"] / "gone"], never_cancelled)
    assert found.details == "there is no such file"


def test_of_what_excludes_each_other_the_first_is_opened_and_images_need_a_run(
    things: dict[str, Path],
) -> None:
    found = identify([things[name] for name in ("a.png", "net.py", "small.cnn.json")], never_cancelled)
    texts = {step.found.name: (step.text, step.is_possible) for step in plan(found, "")}
    assert texts == {
        "small.cnn.json": ("open the design", True),
        "net.py": ("left out: one network at a time", False),
        "a.png": ("trying images needs a trained network, so train one or open a run first", False),
    }
    (step,) = plan(found[-1:], "Lesson CNN, 14:02")
    assert (step.text, step.is_possible) == ("try on Lesson CNN, 14:02", True)


def test_folders_that_are_no_data_set_are_told_what_one_is(things: dict[str, Path]) -> None:
    """Such as the folders of the classes themselves, instead of the one that holds them."""
    classes = sorted(each for each in things["flowers"].iterdir() if each.is_dir())
    for paths, name in (([things["photos"]], "photos"), (classes, f"{len(classes)} folders")):
        (step,) = plan(identify(paths, never_cancelled), "")
        assert (step.found.name, step.is_possible) == (name, False)
        assert "a subfolder of images for each of its classes" in step.text
        (step,) = plan(identify(paths, never_cancelled), "Lesson CNN, 14:02")
        assert step.is_possible
    (step,) = plan(identify([things["photos"], things["a.png"]], never_cancelled), "")
    assert (step.found.name, step.text.partition(" needs")[0]) == ("2 images", "trying images")


def test_while_dragging_the_window_says_what_a_drop_does(
    window: MainWindow, things: dict[str, Path], qtbot: QtBot
) -> None:
    overlay = window.drop_target.overlay
    handle, _ = drag_over(window, things["flowers"], things["notes.txt"])
    assert overlay.isVisible()
    qtbot.waitUntil(lambda: len(overlay.texts) == 3)
    assert overlay.texts[1] == "flowers: add as a data set (3 folders of images)"
    assert overlay.geometry() == window.rect()
    QApplication.sendEvent(handle, QDragLeaveEvent())
    assert not overlay.isVisible()

    handle, data = drag_over(window, things["notes.txt"])
    qtbot.waitUntil(lambda: overlay.texts[0] == NOTHING)
    drop(window, handle, data)
    qtbot.waitUntil(lambda: bool(window.message_bar.text))
    expected = "notes.txt cannot be opened: not a design, a run, code or an image."
    assert (overlay.isVisible(), window.message_bar.text) == (False, expected)


def test_of_several_unusable_things_the_message_says_how_many_and_why(
    window: MainWindow, things: dict[str, Path], qtbot: QtBot
) -> None:
    drag_and_drop(window, things["notes.txt"], things["other.json"])
    reason = "not a design, a run, code or an image"
    qtbot.waitUntil(lambda: window.message_bar.text == f"None of these 2 items can be opened: {reason}.")
    drag_and_drop(window, things["empty"], things["notes.txt"])
    first = "The first is empty: it has no images and is not a run."
    expected = f"None of these 2 items can be opened. {first}"
    qtbot.waitUntil(lambda: window.message_bar.text == expected)


def test_the_open_dialog_offers_every_file_that_is_recognized(
    window: MainWindow, things: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[str]()
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *given: (asked.append(given[3]), ([], ""))[1])
    action = window.findChild(QAction, "actionOpen")
    assert isinstance(action, QAction)
    action.trigger()
    everything = asked[0].split(";;")[0]
    assert everything.startswith("All supported files (")
    patterns = everything.partition("(")[2].rstrip(")").split()
    suffixes = {*readable_suffixes()} | {".cnn.json", ".csv", ".tsv", ".zip", ".ipynb"}
    assert {f"*{suffix}" for suffix in suffixes} <= set(patterns)
    for name, kind in KINDS.items():
        if kind is not Kind.UNUSABLE and things[name].is_file():
            assert any(name.endswith(pattern[1:]) for pattern in patterns), name


def test_a_drag_over_a_text_field_is_one_over_the_window(
    window: MainWindow, things: dict[str, Path], qtbot: QtBot
) -> None:
    window.pages.turn_to(window.pages.USE)
    field = window.pages.use.export.findChild(type(window.pages.use.export._folder), "exportFolder")
    field.setFocus()
    before = field.text()
    drag_and_drop(window, things["small.cnn.json"])
    qtbot.waitUntil(lambda: window.project.network == template("lenet-5").network)
    assert field.text() == before


def test_a_folder_of_class_folders_is_ready_two_clicks_after_the_drop(
    window: MainWindow, things: dict[str, Path], qtbot: QtBot
) -> None:
    drag_and_drop(window, things["flowers"])
    qtbot.waitUntil(lambda: window.pages.current.title == "Data")
    page = window.pages.data.adding
    qtbot.waitUntil(page.add_and_use.isEnabled)
    assert page.summary.text() == "3 classes, 9 images: 6 for training, 3 for testing."
    qtbot.mouseClick(page.add_and_use, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.project.dataset_name == "flowers")
    assert "flowers" in [source.name for source in sources()]
    assert window.pages.data.sets.list.chosen == "flowers"


def test_a_zip_file_of_images_becomes_a_data_set(
    window: MainWindow, things: dict[str, Path], qtbot: QtBot
) -> None:
    drag_and_drop(window, things["pets.zip"])
    qtbot.waitUntil(lambda: window.pages.current.title == "Data")
    page = window.pages.data.adding
    qtbot.waitUntil(page.add.isEnabled, timeout=60_000)
    qtbot.mouseClick(page.add, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.pages.data.sets.list.chosen == "pets", timeout=60_000)


def test_a_zip_file_that_is_not_added_leaves_nothing_behind(
    window: MainWindow, things: dict[str, Path], qtbot: QtBot
) -> None:
    drag_and_drop(window, things["pets.zip"])
    page = window.pages.data
    qtbot.waitUntil(lambda: bool(page.panels) and page.adding.add.isEnabled(), timeout=60_000)
    unpacked = page.adding.found.prepared.unpacked
    assert unpacked is not None
    assert unpacked.is_dir()
    qtbot.keyClick(page.adding, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not unpacked.exists())
    assert "pets" not in [source.name for source in sources()]


def test_several_things_are_listed_before_anything_happens(
    window: MainWindow, things: dict[str, Path], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answers = list[str](), iter(("cancel", "open"))

    def ask(box: MessageBox) -> str:
        asked.append(box.accessibleDescription())
        return next(answers)

    monkeypatch.setattr(MessageBox, "ask", ask)
    chosen = [str(things[name]) for name in ("net.py", "run", "notes.txt")]
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: (chosen, ""))
    action = window.findChild(QAction, "actionOpen")
    assert isinstance(action, QAction)
    action.trigger()
    qtbot.waitUntil(lambda: len(asked) == 1)
    assert asked[0].startswith("Open 2 of 3 items?")
    assert "net.py: import the network in this code\nrun: show the run\nnotes.txt: not a design" in asked[0]
    assert window.findChild(ImportDialog) is None
    assert window.run_folder is None

    action.trigger()
    qtbot.waitUntil(lambda: window.run_folder == things["run"])
    dialog = window.findChild(ImportDialog)
    assert dialog is not None
    dialog.reject()


def test_an_image_is_tried_on_the_run_on_show(
    window: MainWindow, things: dict[str, Path], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    window.open_run(things["run"])
    tried = list[object]()
    monkeypatch.setattr(window.pages.use.try_panel, "try_paths", tried.extend)
    drag_and_drop(window, things["a.png"])
    qtbot.waitUntil(lambda: bool(tried))
    assert tried == [things["a.png"]]
    assert window.pages.current.title == "Use"
    tried.clear()
    second = things["a.png"].with_name("b.png")
    second.write_bytes(things["a.png"].read_bytes())
    drag_and_drop(window, things["a.png"], second)
    qtbot.waitUntil(lambda: bool(tried))
    assert tried == [things["a.png"], second]


def test_an_overlay_whose_drag_never_ended_goes_with_a_click(
    window: MainWindow, things: dict[str, Path], qtbot: QtBot
) -> None:
    drag_over(window, things["a.png"])
    overlay = window.drop_target.overlay
    assert overlay.isVisible()
    qtbot.mouseClick(overlay, Qt.MouseButton.LeftButton)
    assert not overlay.isVisible()


def test_dropped_weights_are_offered_to_the_next_training_and_other_formats_are_refused(
    window: MainWindow, things: dict[str, Path], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(window.tool_bar.start, "ask", asked.append)
    drag_and_drop(window, things["net.safetensors"])
    qtbot.waitUntil(lambda: asked == [things["net.safetensors"]])
    (tmp_path / "net.pt").write_bytes(b"cposix")
    drag_and_drop(window, tmp_path / "net.pt")
    reason = "such a file can contain programs, so save its weights as .safetensors"
    qtbot.waitUntil(lambda: window.message_bar.text == f"net.pt cannot be opened: {reason}.")
    assert len(asked) == 1
