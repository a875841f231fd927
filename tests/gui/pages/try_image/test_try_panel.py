"""Trying the network of a run on images of the user's own, with a real run and its kept weights."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shiboken6
from PIL import Image
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.cli.main import main
from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.gui.compute.instrument_requests import InstrumentRequests
from cnnstudio.gui.compute.questions import Answer, Question
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.dashboard.maps.feature_maps import FeatureMapsView
from cnnstudio.gui.dashboard.views.readings import MomentSource
from cnnstudio.gui.document.pinned_images import PinnedImages
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.pages.try_image.panel import TryPanel
from cnnstudio.gui.pages.try_image.sources import ImageSource
from cnnstudio.gui.pages.try_image.tried_images import TriedImages
from cnnstudio.gui.runs.follower import read_run
from cnnstudio.gui.runs.shown_run import ShownRun
from cnnstudio.layers.base import Shape
from cnnstudio.runs.epochs import snapshot_budget
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.recipe.recipe import Recipe
from tests.gui.fakes import TINY, image_folder


def tiny_run(folder: Path, channels: int = 3, side: int = 8, *, flip: bool = False) -> Path:
    """Three epochs of a real, tiny run."""
    rng = np.random.default_rng(0)

    def split(count: int) -> Split:
        labels = np.arange(count, dtype=np.int64) % 2
        images = rng.integers(0, 200, (count, channels, side, side)) + 55 * labels[:, None, None, None]
        return Split(images.astype(np.uint8), labels)

    dataset = Dataset("tiny", "Tiny", ("cat", "dog"), split(120), split(40))
    network = replace(TINY, input=Shape.of(channels, side, side))
    recipe = Recipe("quick", epochs=3, batch_size=8, test_time_flip=flip)
    with pytest.MonkeyPatch.context() as monkeypatch:
        # On a busy computer, not all weights of epochs as short as these would be kept.
        monkeypatch.setattr(snapshot_budget, "GRACE_SECONDS", 1e9)
        start_run(network, dataset, recipe, RunOptions(folder=folder, threads=1))
    return folder


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("try") / "run", flip=True)


def photo(path: Path, seed: int = 0, size: tuple[int, int] = (40, 30)) -> Path:
    """An image file of another size than the network's input."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


class Stage:
    """The panel, as the window puts it together."""

    def __init__(self, qtbot: QtBot, folder: Path) -> None:
        self.qtbot = qtbot
        self.session = TrainingSession()
        self.project = Project()
        self.shown = ShownRun(self.project, self.session)
        self.requests = InstrumentRequests(self.session)
        self.pinned = PinnedImages(folder / "pinned")
        cursor, selection = self.shown.cursor, self.shown.selection
        self.source = MomentSource(cursor, selection, self.requests, FeatureMapsView, self.pinned)
        self.messages: list[str] = []
        self.window = QWidget()
        self.window.resize(700, 600)
        self.panel = TryPanel(self.source)
        self.panel.setParent(self.window)
        self.panel.resize(700, 600)
        self.panel.message.connect(lambda message: self.messages.append(message.text))
        self.window.show()

    def show_run(self, folder: Path) -> None:
        self.shown.show_opened(read_run(folder))

    def button(self, name: str) -> QPushButton:
        found = self.panel.findChild(QPushButton, name)
        assert isinstance(found, QPushButton)
        return found

    def click(self, name: str) -> None:
        QTest.mouseClick(self.button(name), Qt.MouseButton.LeftButton)

    def drop(self, data: QMimeData) -> None:
        action, button = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
        event = QDropEvent(QPointF(5, 5), action, data, button, Qt.KeyboardModifier.NoModifier)
        self.panel.dropEvent(event)

    def wait(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition)

    def wait_for_answers(self, count: int) -> None:
        """Waits until all images are read and answered."""
        self.wait(
            lambda: (
                len(self.panel.images.images) == count
                and not self.panel.images.is_reading
                and all("…" not in text for text in self.rows)
                and bool(self.panel.body.bars.scores)
            )
        )

    @property
    def rows(self) -> list[str]:
        model = self.panel.body.list.model()
        return [str(model.index(row, 0).data()) for row in range(model.rowCount())]

    def close(self) -> None:
        self.panel.close_tasks()
        self.requests.close()
        self.shown.close()
        assert self.session.shutdown(60)
        shiboken6.delete(self.window)
        self.shown.deleteLater()


@pytest.fixture
def stage(qtbot: QtBot, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(qtbot, tmp_path)
    yield stage
    stage.close()


def predicted(capsys: pytest.CaptureFixture[str], run: Path, *images: Path) -> list[dict[str, float]]:
    """What the command line says."""
    capsys.readouterr()
    assert main(["predict", str(run), *map(str, images), "--json", "--device", "cpu"]) == 0
    return [each["probabilities"] for each in json.loads(capsys.readouterr().out)["predictions"]]


def test_scores_are_those_of_the_command_line(
    stage: Stage, run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = [photo(tmp_path / "first.png", 1), photo(tmp_path / "second.jpg", 2, (9, 50))]
    stage.show_run(run_folder)
    stage.panel.try_paths(images)
    stage.wait_for_answers(2)
    expected = predicted(capsys, run_folder, *images)
    assert dict(stage.panel.body.bars.scores) == pytest.approx(expected[0], abs=1e-5)
    assert stage.panel.body.answer.full_text == max(expected[0], key=lambda name: expected[0][name])
    QTest.keyClick(stage.panel.body.list, Qt.Key.Key_Down)
    assert dict(stage.panel.body.bars.scores) == pytest.approx(expected[1], abs=1e-5)
    assert "8 × 8 pixels" in stage.panel.body.caption.text()
    best = stage.shown.record.best_epoch
    assert stage.panel.head.secondary.full_text == f"weights of epoch {best}, the best"


def test_the_epoch_at_the_cursor_answers(stage: Stage, run_folder: Path, tmp_path: Path) -> None:
    stage.show_run(run_folder)
    stage.panel.try_paths([photo(tmp_path / "image.png")])
    stage.wait_for_answers(1)
    at_end = stage.panel.body.bars.scores
    stage.shown.cursor.move_to(1)
    stage.wait(lambda: stage.panel.head.secondary.full_text == "weights of epoch 1")
    stage.wait(lambda: bool(stage.panel.body.bars.scores))
    assert stage.panel.body.bars.scores != at_end
    stage.shown.cursor.move_to(0)
    stage.wait(lambda: stage.panel.head.secondary.full_text == "weights before training")


def test_another_run_never_shows_the_answer_of_the_one_before(
    stage: Stage, run_folder: Path, tmp_path: Path
) -> None:
    gray = tiny_run(tmp_path / "gray", channels=1, side=6)
    stage.show_run(run_folder)
    stage.panel.try_paths([photo(tmp_path / "image.png")])
    stage.wait_for_answers(1)
    stage.show_run(gray)
    stage.panel.refresh()
    assert stage.panel.body.bars.scores == ()
    stage.wait_for_answers(1)
    # Read again at the other network's input size.
    assert stage.panel.images.images[0].pixels.shape == (1, 6, 6)
    assert stage.panel.body.caption.text().endswith("6 × 6 pixels, gray")


def test_a_hidden_panel_asks_for_nothing(
    stage: Stage, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(stage.requests, "want", asked.append)
    stage.window.hide()
    stage.show_run(run_folder)
    stage.panel.try_paths([photo(tmp_path / "image.png")])
    stage.wait(lambda: stage.panel.images.waiting == 1)
    stage.shown.cursor.move_to(1)
    assert not any(asked)
    stage.window.show()
    stage.wait(lambda: any(asked))


def test_folders_and_unreadable_files(stage: Stage, run_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "holiday"
    (folder / "deeper").mkdir(parents=True)
    for number in range(3):
        photo(folder / f"{number}.png", number)
    photo(folder / "deeper" / "3.png", 3)
    broken, empty = tmp_path / "notes.txt", tmp_path / "empty"
    broken.write_text("no image")
    empty.mkdir()
    stage.show_run(run_folder)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(each)) for each in (folder, broken, empty)])
    stage.drop(data)
    stage.wait_for_answers(4)
    assert [row.split(":")[0] for row in stage.rows] == ["0.png", "1.png", "2.png", "3.png"]
    assert "There are no images in empty." in stage.panel.images.note
    assert "notes.txt cannot be read as an image" in stage.panel.images.note
    assert str(tmp_path) not in stage.panel.images.note
    problem = stage.panel._problem
    assert (problem.isVisible(), problem.text()) == (True, stage.panel.images.note)
    assert problem.height() >= problem.heightForWidth(problem.width())
    QTest.keyClick(stage.panel.body.list, Qt.Key.Key_Down)
    assert not problem.isVisible()
    QTest.keyClick(stage.panel.body.list, Qt.Key.Key_Up)
    QTest.keyClick(stage.panel.body.list, Qt.Key.Key_Delete)
    assert [row.split(":")[0] for row in stage.rows] == ["1.png", "2.png", "3.png"]
    stage.click("tryClear")
    assert stage.panel.empty.isVisible()


def test_an_image_is_pasted_by_its_key(stage: Stage, run_folder: Path) -> None:
    stage.show_run(run_folder)
    image = QImage(20, 10, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.red)
    QGuiApplication.clipboard().setImage(image)
    QTest.keyClick(stage.button("tryOpen"), Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    stage.wait_for_answers(1)
    np.testing.assert_array_equal(
        stage.panel.images.images[0].pixels, np.broadcast_to([[[255]], [[0]], [[0]]], (3, 8, 8))
    )
    # Transparent parts are white, as those of files are.
    clear = QImage(20, 10, QImage.Format.Format_ARGB32)
    clear.fill(Qt.GlobalColor.transparent)
    QGuiApplication.clipboard().setImage(clear)
    stage.click("tryPaste")
    stage.wait_for_answers(2)
    assert (stage.panel.images.images[1].pixels == 255).all()
    QGuiApplication.clipboard().setText("no image")
    stage.click("tryPaste")
    assert stage.messages == ["There is no image on the clipboard."]


def test_an_image_dragged_from_a_browser_is_tried(stage: Stage, run_folder: Path) -> None:
    stage.show_run(run_folder)
    image = QImage(8, 8, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.blue)
    data = QMimeData()
    data.setImageData(image)
    stage.drop(data)
    stage.wait_for_answers(1)
    assert stage.panel.images.images[0].pixels[:, 0, 0].tolist() == [0, 0, 255]


def test_the_network_answers_while_it_trains(stage: Stage, tmp_path: Path) -> None:
    images = image_folder(tmp_path / "images")
    stage.panel.try_paths([photo(tmp_path / "image.png")])
    stage.session.start(TINY, str(images), Recipe("quick", epochs=9_000, batch_size=8))
    # The weights before training may have answered first.
    stage.wait(lambda: stage.panel.head.secondary.full_text.startswith("weights of epoch"))
    assert stage.session.state is State.RUNNING
    assert {name for name, _ in stage.panel.body.bars.scores} == {"bright", "dark"}
    stage.session.stop()
    stage.wait(lambda: stage.session.state is State.IDLE)


def test_scores_are_saved_as_a_table(
    stage: Stage, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [photo(tmp_path / f"{number}.png", number) for number in range(70)]
    stage.show_run(run_folder)
    stage.panel.try_paths(images)
    stage.wait_for_answers(70)
    target = tmp_path / "scores.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    stage.click("trySaveCsv")
    stage.wait(lambda: bool(stage.messages))
    assert stage.messages == [f"Saved {target}"]
    head, *rows = csv.reader(target.read_text().splitlines())
    assert head == ["image", "predicted", "score", "epoch", "cat", "dog"]
    assert [row[0] for row in rows] == [str(each) for each in images]
    scores = dict(stage.panel.body.bars.scores)
    assert float(rows[0][4]) == pytest.approx(scores["cat"])
    assert rows[0][1] == max(scores, key=lambda name: scores[name])


def test_saving_can_be_cancelled_while_scores_are_awaited(
    stage: Stage, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.show_run(run_folder)
    stage.panel.try_paths([photo(tmp_path / "image.png")])
    stage.wait_for_answers(1)
    # From now on nothing is answered.
    monkeypatch.setattr(stage.requests, "want", lambda questions: None)
    stage.shown.cursor.move_to(1)
    stage.wait(lambda: stage.panel.body.answer.full_text == "…")
    target = tmp_path / "scores.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    stage.click("trySaveCsv")
    assert stage.panel.progress.isVisible()
    assert stage.panel.progress.text == "Classifying: 0 of 1 image"
    stage.click("cancel")
    assert not stage.panel.progress.isVisible()
    assert not target.exists()


def test_feature_maps_of_the_chosen_layer(stage: Stage, run_folder: Path, tmp_path: Path) -> None:
    stage.show_run(run_folder)
    stage.panel.try_paths([photo(tmp_path / "image.png")])
    stage.wait_for_answers(1)
    maps = stage.panel.body.maps
    stage.wait(lambda: maps.grid.maps is not None)
    assert maps.grid.maps is not None
    assert (maps.grid.maps.node_id, len(maps.grid.maps.maps)) == ("conv2d_1", 4)
    QTest.keyClick(maps.layers, Qt.Key.Key_Down)
    assert stage.shown.selection.layer == "flatten_1"
    stage.wait(lambda: maps.grid.maps is not None and maps.grid.maps.node_id == "flatten_1")


def test_a_sample_of_the_run_is_tried(stage: Stage, run_folder: Path) -> None:
    stage.show_run(run_folder)
    samples = stage.panel.empty.samples
    stage.wait(lambda: all(each.isVisible() for each in samples))
    QTest.mouseClick(samples[1], Qt.MouseButton.LeftButton)
    stage.wait_for_answers(1)
    np.testing.assert_array_equal(stage.panel.images.images[0].pixels, stage.shown.record.images[1])
    assert stage.panel.body.details.text().endswith(("correct", "actual: cat", "actual: dog"))


def test_examples_use_the_room_and_stay_inside(stage: Stage, run_folder: Path) -> None:
    stage.show_run(run_folder)
    empty = stage.panel.empty
    stage.wait(lambda: all(each.isVisible() for each in empty.samples))
    sides = []
    for width, height in ((460, 420), (700, 520), (1_200, 900)):
        stage.panel.resize(width, height)
        stage.wait(lambda: empty.rect().contains(empty.childrenRect()))
        sides.append(empty.samples[0].width())
    assert sides[0] < sides[1] < sides[2]
    assert empty.text.startswith("Drop an image here")


def test_images_wait_for_a_run(stage: Stage, run_folder: Path, tmp_path: Path) -> None:
    stage.panel.try_paths([photo(tmp_path / "image.png")])
    assert "Train a network, or open a run" in stage.panel.empty.text
    stage.show_run(run_folder)
    stage.wait_for_answers(1)


def test_without_a_run_a_button_leads_to_the_runs(stage: Stage, run_folder: Path) -> None:
    wanted: list[bool] = []
    stage.panel.empty.run_wanted.connect(lambda: wanted.append(True))
    button = stage.panel.empty.findChild(QPushButton, "openRunToTry")
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert wanted
    stage.show_run(run_folder)
    stage.wait(lambda: not button.isVisible())


def test_what_has_no_weights_is_a_sentence(stage: Stage, run_folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run_folder, copy)
    shutil.rmtree(copy / "weights")
    shutil.rmtree(copy / "checkpoints")
    stage.show_run(copy)
    stage.panel.try_paths([photo(tmp_path / "image.png")])
    stage.wait(lambda: "Nothing was kept of this epoch" in stage.panel.body.details.text())
    assert stage.panel.body.answer.full_text == ""


def test_pinned_images_are_kept_for_later_windows(stage: Stage, run_folder: Path, tmp_path: Path) -> None:
    stage.show_run(run_folder)
    stage.panel.try_paths([photo(tmp_path / "image.png")])
    stage.wait_for_answers(1)
    stage.wait(stage.button("tryPin").isEnabled)
    stage.click("tryPin")
    assert stage.button("tryPin").text() == "Unpin"
    (image,) = PinnedImages(tmp_path / "pinned").images
    assert image.whole.shape == (3, 30, 40)
    np.testing.assert_array_equal(image.fitted, stage.panel.images.images[0].pixels)
    stage.click("tryPin")
    assert PinnedImages(tmp_path / "pinned").images == ()
    assert not list((tmp_path / "pinned").glob("*.png"))


def test_no_more_than_so_many_images(
    stage: Stage, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnstudio.gui.pages.try_image.tried_images.MAX_IMAGES", 2)
    stage.show_run(run_folder)
    stage.panel.try_paths([photo(tmp_path / f"{number}.png", number) for number in range(3)])
    stage.wait_for_answers(2)
    assert stage.panel.images.note == "Only 2 of 3 images are shown."


def test_the_chosen_image_is_answered_before_the_many_that_were_opened_with_it(
    stage: Stage, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = stage.requests.answer

    def alone(question: Question) -> Answer:
        own = question.own_images
        return answer(question) if own is None or len(own.pixels) == 1 else Answer()

    monkeypatch.setattr(stage.requests, "answer", alone)
    stage.show_run(run_folder)
    stage.panel.try_paths([photo(tmp_path / f"{number}.png", number) for number in range(3)])
    stage.wait(lambda: bool(stage.panel.body.bars.scores))
    assert [row.endswith("…") for row in stage.rows] == [True, True, True]


def test_a_pin_waits_for_the_whole_image_and_is_known_at_another_input_size(
    stage: Stage, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = stage.panel.previews.get
    monkeypatch.setattr(stage.panel.previews, "get", lambda source: None)
    stage.show_run(run_folder)
    stage.panel.try_paths([photo(tmp_path / "image.png")])
    stage.wait_for_answers(1)
    assert not stage.button("tryPin").isEnabled()
    monkeypatch.setattr(stage.panel.previews, "get", loaded)
    stage.panel.refresh()
    stage.wait(stage.button("tryPin").isEnabled)
    stage.click("tryPin")

    stage.panel.images.set_shape((3, 12, 12))
    stage.wait(lambda: len(stage.panel.images.images) == 1)
    assert stage.panel.images.images[0].pixels.shape == (3, 12, 12)
    assert stage.panel._pinned is stage.pinned.images[0]
    assert stage.button("tryPin").text() == "Unpin"


def test_images_that_a_larger_network_has_no_room_for_come_back(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnstudio.gui.pages.try_image.tried_images._MAX_BYTES", 4 * 3 * 8 * 8)
    images = TriedImages()
    images.set_shape((3, 8, 8))
    for number in range(4):
        images.add(ImageSource(f"{number}", np.full((3, 20, 20), number, np.uint8)))
    qtbot.waitUntil(lambda: len(images.images) == 4)

    images.set_shape((3, 16, 8))
    qtbot.waitUntil(lambda: not images.is_reading)
    assert [each.source.name for each in images.images] == ["0", "1"]
    assert images.note == "Only 2 of 4 images fit into memory at 8 × 16 pixels."
    images.remove(0)
    qtbot.waitUntil(lambda: not images.is_reading)
    assert [each.source.name for each in images.images] == ["1", "2"]

    images.set_shape((3, 8, 8))
    qtbot.waitUntil(lambda: not images.is_reading)
    assert ([each.source.name for each in images.images], images.note) == (["1", "2", "3"], "")
