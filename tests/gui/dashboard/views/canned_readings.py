"""Readings and answers for views that are tested without a model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.core.paths import home
from cnnstudio.design.network import Network, Node
from cnnstudio.gui.compute.questions import Answer, Question
from cnnstudio.gui.dashboard.maps.feature_maps import FeatureMapsView
from cnnstudio.gui.dashboard.views.panel import ViewGroup, ViewPanel
from cnnstudio.gui.dashboard.views.readings import MomentSource
from cnnstudio.gui.document.pinned_images import PinnedImages
from cnnstudio.gui.runs.cursor import Cursor, Selection
from cnnstudio.gui.runs.record import RunRecord
from cnnstudio.insight.instruments.calibration import CalibrationReading
from cnnstudio.insight.instruments.confusion import ConfusionReading
from cnnstudio.insight.instruments.embedding import EmbeddingReading
from cnnstudio.insight.instruments.filters import FiltersReading
from cnnstudio.insight.instruments.histograms import HistogramsReading
from cnnstudio.insight.instruments.mistakes import MistakesReading
from cnnstudio.insight.instruments.nearest import NearestReading
from cnnstudio.insight.instruments.predictions import PredictionsReading
from cnnstudio.insight.instruments.robustness import RobustnessReading
from cnnstudio.insight.reading import Reading
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from tests.gui.canned import CLASSES, run_events

NETWORK = Network(
    nodes=(
        Node("conv2d_1", Conv2D(filters=8, activation="relu")),
        Node("conv2d_2", Conv2D(filters=12, activation="relu")),
        Node("flatten_1", Flatten()),
        Node("dense_1", Dense(units=10)),
    ),
    name="Small",
)
FOLDER = Path("run")


def names(count: int) -> tuple[str, ...]:
    """Names of classes: the canned ones, or numbered ones if there are more."""
    return CLASSES[:count] if count <= len(CLASSES) else tuple(f"class {at + 1}" for at in range(count))


def confusion(classes: tuple[str, ...] = CLASSES, seed: int = 0) -> ConfusionReading:
    """Most images are right; dogs (class 1) are often taken for cats (class 0), 34 times."""
    rng = np.random.default_rng(seed)
    count = len(classes)
    counts = rng.integers(0, 6, (count, count)) * (rng.random((count, count)) < 0.5)
    np.fill_diagonal(counts, rng.integers(60, 90, count))
    if count > 1:
        counts[1, 0] = 34
    return ConfusionReading(classes, counts.astype(np.int64))


def mistakes(
    classes: tuple[str, ...] = CLASSES,
    cell: tuple[int, int] | None = None,
    count: int = 12,
    seed: int = 0,
    rows: tuple[int, ...] | None = None,
) -> MistakesReading:
    """`count` images in each list; those of a cell if there is one, or the images of some numbers."""
    count = count if rows is None else len(rows)
    rng = np.random.default_rng(seed)

    def entries(first: int, unsure: bool) -> tuple[np.ndarray, ...]:
        truth = rng.integers(0, len(classes), count)
        predicted = (truth + 1) % len(classes)
        if cell is not None:
            truth, predicted = np.full(count, cell[0]), np.full(count, cell[1])
        scores = rng.random((count, len(classes))).astype(np.float32) * 0.01
        scores[np.arange(count), truth] += 0.02
        scores[np.arange(count), predicted] += np.float32(0.03 if unsure else 0.9)
        images = rng.integers(0, 255, (count, 3, 8, 8)).astype(np.uint8)
        index = np.arange(first, first + count, dtype=np.int64) if rows is None else np.array(rows, np.int64)
        return index, truth.astype(np.int64), predicted.astype(np.int64), scores, images

    total, listed = (count, count) if cell is not None or rows is not None else (2_000, 479)
    return MistakesReading(classes, total, listed, *entries(0, False), *entries(1_000, True))


def calibration() -> CalibrationReading:
    counts = np.array([0, 0, 3, 10, 20, 40, 60, 90, 150, 627], np.int64)
    confidence = np.array([0, 0, 0.27, 0.36, 0.45, 0.55, 0.65, 0.75, 0.86, 0.97])
    correct = np.round(counts * confidence * 0.9).astype(np.int64)
    return CalibrationReading(counts, correct, confidence)


def filters(
    layer: str = "conv2d_1", total: int = 8, channels: int = 3, *, changed: bool = False, seed: int = 0
) -> FiltersReading:
    rng = np.random.default_rng(seed)
    kernels = rng.normal(size=(total, channels, 3, 3)).astype(np.float32)
    norms = np.sqrt(np.square(kernels).sum(axis=(1, 2, 3))).astype(np.float32)
    change = rng.random(total).astype(np.float32) if changed else None
    is_color = int(layer == "conv2d_1" and channels == 3)
    return FiltersReading(layer, kernels, norms, channels, is_color, change)


def histograms(epoch: int = 3) -> HistogramsReading:
    rng = np.random.default_rng(epoch)
    layers = ("conv2d_1", "conv2d_2", "dense_1")

    def values() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        counts = np.exp(-np.square(np.linspace(-3, 3, 48)))[None] * rng.integers(50, 200, (3, 1))
        spread = np.float32(0.2 + 0.05 * epoch)
        return counts.astype(np.int64), np.full(3, -spread), np.full(3, spread)

    units, dead, saturated = (np.array(each, np.int64) for each in ([8, 12, 10], [0, 3, 0], [0, 0, 1]))
    return HistogramsReading(layers, units, dead, saturated, *values(), *values(), *values())


def predictions(epoch: int = 3, count: int = 5, classes: tuple[str, ...] = CLASSES) -> PredictionsReading:
    """The class of image i is i; its score grows with the epoch, except that image 4 is taken for class 0."""
    labels = np.arange(count, dtype=np.int64) % len(classes)
    scores = np.full((count, len(classes)), 0.02, np.float32)
    scores[np.arange(count), labels] = 0.3 + 0.1 * epoch
    if count > 4:
        scores[4, 0] = 0.8
    return PredictionsReading(classes, scores, labels)


def robustness(corruptions: tuple[str, ...] = ("blur", "noise", "jpeg", "brightness", "rotation")) -> Reading:
    """87.5% on the images as they are; 5 points less with each strength, of the last corruption 10."""
    falls = (
        np.arange(1, 6) * np.where(np.arange(len(corruptions)) == len(corruptions) - 1, 0.1, 0.05)[:, None]
    )
    return RobustnessReading(corruptions, 0.875, 0.875 - falls, 1_000, 5_000)


def embedding(
    classes: tuple[str, ...] = CLASSES, count: int = 200, seed: int = 0, images: int = 8
) -> EmbeddingReading:
    """One group of points for each class, around a circle that turns a little from epoch to epoch (`seed`).

    Every fifth image is taken for the next class, with 40% confidence; the others have 90%. The numbers are
    every third one.
    """
    rng = np.random.default_rng(count)
    truth = np.arange(count) % len(classes)
    wrong = np.arange(count) % 5 == 4
    angle = 2 * np.pi * truth / len(classes) + 0.1 * seed
    points = np.stack([np.cos(angle), np.sin(angle)], 1) + 0.15 * rng.normal(size=(count, 2))
    return EmbeddingReading(
        classes,
        3 * count,
        3 * np.arange(count, dtype=np.int64),
        truth.astype(np.int64),
        ((truth + wrong) % len(classes)).astype(np.int64),
        np.where(wrong, 0.4, 0.9).astype(np.float32),
        points.astype(np.float32),
        np.array([0.5, 0.2]),
        rng.integers(0, 255, (count, 3, images, images)).astype(np.uint8),
    )


def nearest(count: int = 12, classes: tuple[str, ...] = CLASSES) -> NearestReading:
    """Three times the same class for the first image; numbers are 100 times that of the image, and up."""
    rng = np.random.default_rng(5)
    labels = rng.integers(0, len(classes), (count, 5))
    labels[:1] = 0
    similarities = np.tile(np.linspace(0.9, 0.5, 5), (count, 1)).astype(np.float32)
    thumbnails = rng.integers(0, 255, (count, 5, 3, 8, 8)).astype(np.uint8)
    rows = 100 * np.arange(count)[:, None] + np.arange(5)
    return NearestReading(classes, rows, labels, similarities, thumbnails, 0.3, 500, 500)


def reading_for(question: Question) -> Reading:
    """What the canned run says."""
    options = dict(question.options)
    layer = str(options.get("layer", "conv2d_1"))
    cell, rows = options.get("cell"), options.get("rows")
    return {
        "confusion": lambda: confusion(seed=question.epoch),
        "mistakes": lambda: mistakes(
            cell=cell if isinstance(cell, tuple) else None,  # type: ignore[arg-type]  # a pair
            rows=rows if isinstance(rows, tuple) else None,
        ),
        "calibration": calibration,
        "robustness": robustness,
        "embedding": lambda: embedding(seed=question.epoch),
        "nearest": lambda: nearest(1 if question.own_images is None else len(question.own_images.pixels)),
        "filters": lambda: filters(
            layer, channels=3 if layer == "conv2d_1" else 8, changed=options.get("since") is not None
        ),
        "histograms": lambda: histograms(question.epoch),
        "predictions": lambda: predictions(question.epoch),
    }[question.instrument]()


class CannedAnswers(QObject):
    """Answers at once what `respond` returns, for the questions that are wanted; remembers them all."""

    changed = Signal()

    def __init__(self, respond: Callable[[Question], Answer] | None = None) -> None:
        super().__init__()
        self.respond = respond or (lambda question: Answer(self.cached(question), question.epoch))
        self.wanted: frozenset[Question] = frozenset()
        self.asked: list[Question] = []
        self._cache: dict[Question, Reading] = {}

    def cached(self, question: Question) -> Reading:
        """The same reading for the same question, as from the real instruments."""
        if question not in self._cache:
            self._cache[question] = reading_for(question)
        return self._cache[question]

    def answer(self, question: Question) -> Answer:
        self.asked.append(question)
        return self.respond(question)

    def want(self, questions: frozenset[Question]) -> None:
        self.wanted = questions


class Harness:
    """A group of panels on a run of three epochs, in a window of its own."""

    def __init__(self, qtbot: QtBot, answers: CannedAnswers | None = None, *, page: str = "explore") -> None:
        self.qtbot = qtbot
        self.answers = answers or CannedAnswers()
        self.cursor, self.selection = Cursor(), Selection()
        pinned = PinnedImages(home() / "pinned")
        self.source = MomentSource(self.cursor, self.selection, self.answers, FeatureMapsView, pinned)
        self.window = QWidget()
        qtbot.addWidget(self.window)
        self.group = ViewGroup(self.source, page, self.window)

    def show_run(self, epochs: int = 3, network: Network = NETWORK) -> None:
        """Looks at the end of a run of so many epochs."""
        self.cursor.show(record(epochs, network), is_live=False)

    def panel(self, name: str, width: int = 584, height: int = 588) -> ViewPanel:
        """A visible panel that shows the view."""
        panel = self.group.panel(name)
        panel.setParent(self.window)
        panel.resize(width, height)
        self.window.resize(width, height)
        panel.show()
        self.window.show()
        return panel

    def settle(self) -> None:
        """Draws what is due."""
        self.qtbot.wait(1)

    def close(self) -> None:
        self.window.hide()


def record(epochs: int = 3, network: Network = NETWORK, folder: Path = FOLDER) -> RunRecord:
    """A run with example images."""
    found = RunRecord(network)
    found._folder = folder
    found.feed(run_events(epochs=epochs, planned=8))
    rng = np.random.default_rng(1)
    found.images = rng.integers(0, 255, (5, 3, 32, 32)).astype(np.uint8)
    found.image_names = CLASSES[:5]
    return found
