"""“Not sure” in the Try panel, the line to drag, and the nearest training images, with a real run."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLabel
from pytestqt.qtbot import QtBot

from cnnstudio.cli.main import main
from cnnstudio.data.sources import find_source
from cnnstudio.gui.dashboard.views.base import ImagesToReview
from cnnstudio.gui.pages.try_image import panel as panel_module
from cnnstudio.gui.pages.try_image.certainty.coverage_curve import CoverageCurve
from cnnstudio.gui.pages.try_image.certainty.nearest_strip import SimilarImages
from cnnstudio.gui.pages.try_image.certainty.rule import AnswerRule
from cnnstudio.insight.confidence.reference_images import NEIGHBORS
from cnnstudio.insight.instruments.nearest import NearestReading
from cnnstudio.insight.instruments.not_sure import STEPS, NotSureReading
from cnnstudio.runs.epochs import snapshot_budget
from cnnstudio.runs.epochs.thresholds import chosen_threshold
from cnnstudio.runs.run import Run
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.recipe.recipe import Recipe
from tests.gui.fakes import TINY, image_folder
from tests.gui.pages.try_image.test_try_panel import Stage, photo, tiny_run


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose images can be found again."""
    root = tmp_path_factory.mktemp("certain")
    images = image_folder(root / "images")
    dataset = find_source(str(images)).load()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(snapshot_budget, "GRACE_SECONDS", 1e9)
        options = RunOptions(folder=root / "run", threads=1, source=str(images))
        start_run(TINY, dataset, Recipe("quick", epochs=2, batch_size=8), options)
    return root / "run"


@pytest.fixture
def stage(qtbot: QtBot, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(qtbot, tmp_path)
    yield stage
    stage.close()


def tried(stage: Stage, run: Path, *images: Path) -> None:
    """Waits until everything is known."""
    stage.show_run(run)
    stage.panel.try_paths(images)
    stage.wait_for_answers(len(images))
    body = stage.panel.body
    stage.wait(lambda: body.nearest.images.reading is not None and stage.panel.rule.reading is not None)


def text(stage: Stage, name: str) -> str:
    label = stage.panel.findChild(QLabel, name)
    assert isinstance(label, QLabel)
    return label.text()


def reading() -> NotSureReading:
    """80 images with confidences from 21% to 100%; the less confident half is wrong."""
    confidences = np.arange(21, 101) / 100
    thresholds = np.arange(STEPS + 1) / STEPS
    answered = np.array([(confidences >= each - 1e-9).sum() for each in thresholds])
    return NotSureReading(1.0, answered, np.minimum(answered, 40), 0.1, 0.1, "validation images")


def test_below_the_threshold_the_answer_is_not_sure(
    stage: Stage, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried(stage, run_folder, photo(tmp_path / "image.png"))
    body, rule = stage.panel.body, stage.panel.rule
    rule.choose(0.0)
    guess = body.answer.full_text
    assert guess in ("bright", "dark")
    assert body.bars.threshold == 0.0
    assert body.details.text().startswith("Confidence: ")
    rule.choose(1.0)
    assert body.answer.full_text == "Not sure"
    assert body.details.text().startswith(f"Best guess: {guess}, ")
    assert body.details.text().endswith(": below 100%")
    assert stage.rows[0].startswith(f"image.png: Not sure ({guess} ")
    assert body.bars.scores[0][0] == guess
    # The scores are saved with the rule of the epoch that was shown when they were asked for.
    known, orders = rule.rule, list[object]()

    def choose(*_: object) -> Path:
        rule.show_reading(None)
        return tmp_path / "scores.csv"

    monkeypatch.setattr(panel_module, "choose_file", choose)
    monkeypatch.setattr(stage.panel.saving, "begin", lambda *order: orders.append(order[-1]))
    stage.panel._on_save()
    assert orders == [known]


def test_the_chosen_threshold_is_remembered_and_the_command_line_uses_it(
    stage: Stage, run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = photo(tmp_path / "image.png")
    tried(stage, run_folder, image)
    rule = stage.panel.rule
    assert rule.reading is not None
    proposed = rule.reading.proposed
    stage.panel.body.threshold.curve.moved.emit(0.876)
    assert rule.threshold == 0.88
    assert text(stage, "thresholdValue") == "88%"
    rule.close()
    created = Run.open(run_folder).created
    assert chosen_threshold(run_folder, created) == 0.88
    capsys.readouterr()
    assert main(["predict", str(run_folder), str(image), "--not-sure", "--json", "--device", "cpu"]) == 0
    assert json.loads(capsys.readouterr().out)["not_sure"]["threshold"] == 0.88
    stage.click("resetThreshold")
    assert rule.threshold == proposed
    assert not stage.button("resetThreshold").isVisible()
    rule.close()
    assert chosen_threshold(run_folder, created) is None


def test_the_line_through_the_bars_can_be_dragged(stage: Stage, run_folder: Path, tmp_path: Path) -> None:
    tried(stage, run_folder, photo(tmp_path / "image.png"))
    bars, rule = stage.panel.body.bars, stage.panel.rule
    rule.choose(0.3)
    line = bars.line_x
    assert line is not None
    start, end = QPoint(round(line), 20), QPoint(round(line + 0.4 * bars._bar_width), 60)
    QTest.mousePress(bars, Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(bars, end)
    QTest.mouseRelease(bars, Qt.MouseButton.LeftButton, pos=end)
    assert rule.threshold == pytest.approx(0.7, abs=0.02)
    assert bars.threshold == rule.threshold
    # Beside the line nothing is dragged.
    before = rule.threshold
    QTest.mousePress(bars, Qt.MouseButton.LeftButton, pos=QPoint(bars.width() - 2, 20))
    QTest.mouseMove(bars, start)
    QTest.mouseRelease(bars, Qt.MouseButton.LeftButton, pos=start)
    assert rule.threshold == before
    rule.choose(None)


def test_both_figures_change_with_the_threshold(stage: Stage, run_folder: Path, tmp_path: Path) -> None:
    tried(stage, run_folder, photo(tmp_path / "image.png"))
    rule, box = stage.panel.rule, stage.panel.body.threshold
    rule.show_reading(reading())
    for threshold, right, answered in (
        (0.0, "50.0% right", "100.0% answered"),
        (0.5, "78.4% right", "63.7% answered"),
        (0.8, "100.0% right", "26.2% answered"),
    ):
        rule.choose(threshold)
        rule.show_reading(reading())
        box.show_rule(rule, "")
        assert (text(stage, "answeredAccuracy"), text(stage, "answeredShare")) == (right, answered)
    rule.choose(None)


def test_the_curve_is_moved_by_keys(qtbot: QtBot) -> None:
    curve = CoverageCurve()
    qtbot.addWidget(curve)
    curve.resize(200, 68)
    moved: list[object] = []
    curve.moved.connect(moved.append)
    curve.show_threshold(reading(), 0.5)
    keys = Qt.Key
    for key in (keys.Key_Left, keys.Key_Right, keys.Key_PageUp, keys.Key_Home, keys.Key_End):
        QTest.keyClick(curve, key)
    assert moved == pytest.approx([0.49, 0.51, 0.6, 0.0, 1.0])
    QTest.keyClick(curve, keys.Key_Backspace)
    assert moved[-1] is None
    assert "63.7% answered" in curve.accessibleDescription()
    QTest.mouseClick(curve, Qt.MouseButton.LeftButton, pos=curve.area.center().toPoint())
    assert moved[-1] == pytest.approx(0.5, abs=0.01)
    assert not curve.grab().isNull()


def test_similar_training_images_are_shown_and_opened(stage: Stage, run_folder: Path, tmp_path: Path) -> None:
    data = Path(Run.open(run_folder).dataset_name)
    tried(stage, run_folder, data / "train" / "dark" / "3.png")
    strip = stage.panel.body.nearest
    assert strip.details.full_text == "all dark"
    assert strip.images.describe(0) == "dark, 100% similar"
    wanted: list[ImagesToReview] = []
    stage.source.training_images_wanted.connect(wanted.append)
    QTest.mouseClick(strip.images, Qt.MouseButton.LeftButton, pos=strip.images.area(2).center().toPoint())
    QTest.keyClick(strip.images, Qt.Key.Key_Left)
    QTest.keyClick(strip.images, Qt.Key.Key_Return)
    reading = strip.images.reading
    assert reading is not None
    assert [each.are_training for each in wanted] == [True, True]
    assert [each.images[0].number for each in wanted] == reading.rows[0, [2, 1]].tolist()
    assert len(wanted[0].images) == 5


def test_the_table_has_the_answers_too(
    stage: Stage, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried(stage, run_folder, photo(tmp_path / "image.png"))
    stage.panel.rule.choose(1.0)
    target = tmp_path / "scores.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    stage.click("trySaveCsv")
    stage.wait(lambda: bool(stage.messages))
    head, row = csv.reader(target.read_text().splitlines())
    assert head[:6] == ["image", "predicted", "score", "epoch", "bright", "dark"]
    assert head[6:] == ["answer", "confidence", "reason"]
    assert row[6] == "not sure"
    assert row[8].endswith("is below 100%")
    stage.panel.rule.choose(None)


def test_without_the_images_scores_are_shown_and_the_reason_is_said(stage: Stage, tmp_path: Path) -> None:
    stage.show_run(tiny_run(tmp_path / "run"))
    stage.panel.try_paths([photo(tmp_path / "image.png")])
    stage.wait_for_answers(1)
    hint = stage.panel.body.threshold.hint
    stage.wait(lambda: hint.full_text == "The data set of the run was not found: tiny.")
    assert stage.panel.body.nearest.details.full_text == hint.full_text
    assert stage.panel.body.details.text().startswith("Score: ")
    assert stage.panel.body.bars.line_x is None


def test_beside_a_training_nothing_is_computed_for_it(stage: Stage, tmp_path: Path) -> None:
    images = image_folder(tmp_path / "images")
    stage.panel.try_paths([photo(tmp_path / "image.png")])
    stage.session.start(TINY, str(images), Recipe("quick", epochs=9_000, batch_size=8))
    stage.wait(lambda: stage.panel.head.secondary.full_text.startswith("weights of epoch"))
    assert stage.panel.body.threshold.hint.full_text == "Available after training"
    instruments = {each.instrument for each in stage.requests._wanted}
    assert not instruments & {"not_sure", "nearest"}
    stage.session.stop()


def test_a_threshold_belongs_to_its_run(qtbot: QtBot, tmp_path: Path) -> None:
    rule = AnswerRule()
    rule.show_run(tmp_path / "one", None)
    rule.show_reading(reading())
    assert rule.threshold == reading().proposed
    rule.choose(0.9)
    # The other run is shown before the threshold was written.
    rule.show_run(tmp_path / "other", None)
    rule.close()
    rule.show_reading(reading())
    assert rule.threshold == reading().proposed
    rule.show_run(tmp_path / "one", None)
    assert rule.threshold is None
    rule.show_reading(reading())
    assert (rule.threshold, rule.is_chosen) == (0.9, True)
    rule.choose(None)
    rule.close()


def test_similar_images_move_closer_together_where_there_is_less_room(qtbot: QtBot) -> None:
    images = SimilarImages()
    qtbot.addWidget(images)
    for width in (600, 286):
        images.resize(width, images.height())
        assert images.area(NEIGHBORS - 1).right() <= width
        assert images.area(0).right() < images.area(1).left()


def test_where_there_is_room_similar_images_stand_apart_for_the_names_below_them(qtbot: QtBot) -> None:
    images = SimilarImages()
    qtbot.addWidget(images)
    images.resize(380, 68)
    assert images.area(1).left() - images.area(0).left() == 76
    assert images.area(4).right() <= 380
    images.resize(2_000, 68)
    assert images.area(1).left() - images.area(0).left() == 84


def test_long_names_below_similar_images_stay_apart(qtbot: QtBot) -> None:
    images = SimilarImages()
    qtbot.addWidget(images)
    images.resize(380, images.height())
    row = (1, NEIGHBORS)
    thumbnails = np.zeros((*row, 3, 8, 8), np.uint8)
    labels, rows = np.zeros(row, np.int64), np.zeros(row, np.int64)
    images.show_images(
        NearestReading(("automobiles",), rows, labels, np.ones(row, np.float32), thumbnails, 2.0, 9, 9), 0
    )
    shown = images.grab().toImage()
    below = range(int(images.area(0).bottom()) + 4, shown.height())
    is_blank = [len({shown.pixel(x, y) for y in below}) == 1 for x in range(shown.width())]
    assert not all(is_blank)
    for place in range(1, NEIGHBORS):
        left = int(images.area(place).left())
        assert all(is_blank[left - 4 : left]), f"between {place - 1} and {place}"
