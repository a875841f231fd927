"""A learning curve: the same training on 10, 25, 50 and 100% of the images, to tell what would help most.

The smaller sets are parts of the larger ones, with the same share of each class, and all are evaluated on the
run's own validation images. With the same number of epochs a tenth of the images would be trained a tenth of
the steps, and look worse than it is; so smaller sets are trained for more epochs, up to four times as many,
and of each the best epoch counts. Test images play no part in it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnstudio.core.files import FileError, exists, read_json, write_json
from cnnstudio.core.formatting import format_count, format_percent
from cnnstudio.core.progress import (
    CancelFunction,
    Cancelled,
    Progress,
    ProgressFunction,
    ignore_progress,
    never_cancelled,
    raise_if_cancelled,
)
from cnnstudio.data.dataset import Dataset, Labels, Rows, Split, Subset
from cnnstudio.data.images.resizing import resize
from cnnstudio.runs.evaluation_counts import count_test_look
from cnnstudio.runs.run import Run
from cnnstudio.training.recipe.recipe import MAX_EPOCHS
from cnnstudio.tuning.errors import LearningCurveError

FRACTIONS = (0.1, 0.25, 0.5, 1.0)
MAX_EPOCH_FACTOR = 4
"""Smaller sets are trained for at most so many times the epochs."""
COST = sum(fraction * min(1 / fraction, MAX_EPOCH_FACTOR) for fraction in FRACTIONS[:-1])
"""In times of the run's own training, whose result is used for all images."""

RESULT_FILE = "learning-curve.json"
"""In the run's folder, so that what was measured is not measured again."""
_FORMAT, _VERSION = "cnnstudio.learning-curve", 1
_TRAIN_IMAGES = 1_000
"""Of the training images, so many are evaluated after each epoch."""
_SMALL_GAP = 0.05
"""A network that is so little better on its training images has not memorized them."""
_MIN_GAIN, _CLEAR_GAIN = 0.01, 0.02
_ALMOST_ALL = 0.97


@dataclass(frozen=True)
class CurvePoint:
    """The best epoch of a training on a part of the images."""

    fraction: float
    images: int
    epochs: int
    train_accuracy: float
    """On the images that it was trained on, without augmentation and dropout; of at most 1,000."""
    accuracy: float
    """On the validation images."""


@dataclass(frozen=True)
class LearningCurve:
    """The points that were measured, from few to all images."""

    points: tuple[CurvePoint, ...]
    validation_images: int
    validates_on_test: bool = False

    @property
    def is_complete(self) -> bool:
        return tuple(point.fraction for point in self.points) == FRACTIONS

    @property
    def noise(self) -> float:
        """A difference that chance gives in 1 of 20 comparisons on so many images, 0 to 1."""
        value = self.points[-1].accuracy
        return 2 * math.sqrt(2 * max(value * (1 - value), 0.01) / max(self.validation_images, 1))

    @property
    def forecast(self) -> float:
        """The gain in accuracy from twice as many images, if the error keeps falling as it does, 0 to 1.

        By a power law through the last three points (Hestness et al. 2017, Deep Learning Scaling is
        Predictable, Empirically).
        """
        last = self.points[-3:]
        errors = np.log([max(1 - point.accuracy, 1e-3) for point in last])
        slope = float(np.polyfit(np.log([point.images for point in last]), errors, 1)[0])
        return max(1 - self.points[-1].accuracy, 0.0) * (1 - 2 ** min(slope, 0.0))

    @property
    def verdict(self) -> str:
        """Whether more images or another network would help, in a few sentences."""
        if not self.is_complete:
            return "Not all sizes were measured yet."
        half, full = self.points[-2], self.points[-1]
        gain, gap = full.accuracy - half.accuracy, full.train_accuracy - full.accuracy
        change = f"from {format_count(half.images)} to {format_count(full.images)} images the accuracy"
        moved = f"rose by {100 * gain:.1f} points" if gain >= 0 else f"fell by {-100 * gain:.1f} points"
        own = f"it gets {format_percent(full.train_accuracy)} of its training images right"
        caution = (
            f" Each size was trained once, and on {format_count(self.validation_images)} validation images "
            f"differences below {100 * self.noise:.1f} points can be chance."
        )
        if full.accuracy >= _ALMOST_ALL:
            text = f"There is little left to gain: the accuracy is {format_percent(full.accuracy)} already."
        elif gain > max(self.noise, _MIN_GAIN):
            text = (
                f"More images would help: {change} {moved}. At that rate, twice as many images would bring "
                f"about {100 * self.forecast:.1f} points more."
            )
            if gap < _SMALL_GAP:
                text += f" A larger network may help as well: {own}, hardly more than of others."
        elif gain > _CLEAR_GAIN and full.accuracy - self.points[0].accuracy > self.noise:
            tenth = 100 * (full.accuracy - self.points[0].accuracy)
            text = (
                f"More images would probably help: {change} {moved}, which alone can be chance, but by "
                f"{tenth:.1f} points from a tenth of the images."
            )
        elif gain > _MIN_GAIN:
            text = f"Whether more images would help cannot be told: {change} {moved}, which can be chance."
        elif gap < _SMALL_GAP:
            text = (
                f"Another network would help more than images: {change} {moved}, and {own}, hardly more than "
                "of others. Try a larger network, or train longer."
            )
        else:
            text = (
                f"More images of this kind would hardly help: {change} {moved}, although {own}. Another "
                "network, more augmentation or cleaner labels are more promising."
            )
        return text + caution

    def to_json(self) -> dict[str, Any]:
        return {
            "points": [vars(point) for point in self.points],
            "validation_images": self.validation_images,
            "validates_on_test": self.validates_on_test,
            "verdict": self.verdict,
        }


def nested_rows(labels: Labels, fraction: float, seed: int) -> Rows:
    """Rows, ascending, of that share of each class, at least one; those of a smaller share are among them."""
    random = np.random.default_rng(seed)
    chosen = []
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        chosen.append(members[: max(math.ceil(fraction * len(members) - 1e-9), 1)])
    return np.sort(np.concatenate(chosen))


def epochs_for(epochs: int, fraction: float) -> int:
    """The epochs to train a part of the images for, where all are trained for `epochs`."""
    return min(round(epochs * min(1 / fraction, MAX_EPOCH_FACTOR)), MAX_EPOCHS)


def measure_learning_curve(
    run: Run,
    dataset: Dataset,
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
    on_point: Callable[[LearningCurve], object] = lambda curve: None,
    *,
    device: str = "auto",
    threads: int | None = None,
) -> LearningCurve:
    """Trains what was not measured before; `on_point` gets the curve so far after each part.

    `dataset` has the images that the run was trained on. Computes with torch. What was measured stays in the
    run's folder, also after a cancel. Raises UserError, Cancelled.
    """
    if dataset.fingerprint != run.dataset_fingerprint or dataset.classes != run.classes:
        raise LearningCurveError(
            f"The images of {dataset.title} have changed since the run was trained on them: train a new run."
        )
    measuring = _Measuring(run, dataset, progress, cancelled, device, threads)
    known = {point.fraction: point for point in read_learning_curve(run).points}
    for fraction in FRACTIONS:
        if fraction not in known:
            known[fraction] = measuring.full() if fraction == 1 else measuring.part(fraction)
        curve = measuring.curve([known[each] for each in FRACTIONS if each in known and each <= fraction])
        _write(run, measuring.curve([known[each] for each in FRACTIONS if each in known]))
        on_point(curve)
    return curve


def read_learning_curve(run: Run) -> LearningCurve:
    """What was measured of the run before; without points if nothing was, or if it cannot be read."""
    with suppress(FileError, TypeError, KeyError, AttributeError, ValueError, OverflowError):
        path = run.folder / RESULT_FILE
        content: Any = read_json(path) if exists(path) else {}
        if content["run"] == _key(run) and content["version"] == _VERSION:
            points = [_point(entry) for entry in content["points"]]
            by_fraction = {point.fraction: point for point in points}
            ordered = tuple(by_fraction[each] for each in FRACTIONS if each in by_fraction)
            images = int(content["validation_images"])
            if images > 0:
                return LearningCurve(ordered, images, content["validates_on_test"] is True)
    return LearningCurve((), 0)


def _point(entry: Any) -> CurvePoint:
    point = CurvePoint(
        float(entry["fraction"]),
        int(entry["images"]),
        int(entry["epochs"]),
        float(entry["train_accuracy"]),
        float(entry["accuracy"]),
    )
    if not (point.images > 0 and 0 <= point.train_accuracy <= 1 and 0 <= point.accuracy <= 1):
        raise ValueError
    return point


def _write(run: Run, curve: LearningCurve) -> None:
    content = {"format": _FORMAT, "version": _VERSION, "run": _key(run), **curve.to_json()}
    # A run on a drive that cannot be written is measured all the same.
    with suppress(FileError, OSError):
        write_json(run.folder / RESULT_FILE, content)


def _key(run: Run) -> list[str]:
    return [str(run.metadata.get("created")), run.dataset_fingerprint]


class _Measuring:
    """Trains parts of a run's images, all with the same validation images."""

    def __init__(
        self,
        run: Run,
        dataset: Dataset,
        progress: ProgressFunction,
        cancelled: CancelFunction,
        device: str,
        threads: int | None,
    ) -> None:
        from cnnstudio.training.preflight.prepare import split_validation

        channels, height, width = run.network.input.dims
        self._run, self._progress, self._cancelled = run, progress, cancelled
        self._device, self._threads = device, threads
        self._dataset = resize(dataset, (channels, height, width), progress, cancelled)
        self._rows, self._validation, source = split_validation(self._dataset, run.recipe)
        self._validates_on_test = source == "test"

    def curve(self, points: Sequence[CurvePoint]) -> LearningCurve:
        return LearningCurve(tuple(points), len(self._validation), self._validates_on_test)

    def full(self) -> CurvePoint:
        """All images: the run itself."""
        from cnnstudio.insight.predictions import evaluate
        from cnnstudio.training.hardware.device import choose_device

        best = next((epoch for epoch in self._run.history if epoch.epoch == self._run.best_epoch), None)
        if best is None:
            raise LearningCurveError("The run has not completed an epoch.")
        model = self._run.model().to(choose_device(self._device))
        some = _some(Subset(self._dataset.train, self._rows))
        found = evaluate(
            model,
            some,
            self._run.classes,
            cancelled=self._cancelled,
            flip=self._run.recipe.test_time_flip,
        )
        epochs = self._run.history[-1].epoch
        return CurvePoint(1.0, len(self._rows), epochs, found.accuracy, best.validation.accuracy)

    def part(self, fraction: float) -> CurvePoint:
        """Trains a part of the images. Raises UserError, Cancelled."""
        from cnnstudio.insight.predictions import evaluate
        from cnnstudio.runs.start_weights import find_start_weights
        from cnnstudio.training.control import Control
        from cnnstudio.training.events import EpochEnded, Event
        from cnnstudio.training.events import Progress as StepsDone
        from cnnstudio.training.model import Model
        from cnnstudio.training.preflight.prepare import prepare
        from cnnstudio.training.trainer import train_prepared

        recipe, train = self._run.recipe, self._dataset.train
        rows = self._rows[nested_rows(train.labels[self._rows], fraction, recipe.seed)]
        epochs = epochs_for(recipe.epochs, fraction)
        # In place of the test images, which so are never looked at.
        validation = _as_split(self._validation)
        part = dataclasses.replace(
            self._dataset,
            train=train.select(rows),
            test=validation,
            validation=None,
            uncorrected=None,
            version="",
        )
        weights, network = self._run.start_weights, self._run.network
        prepared = prepare(
            network,
            part,
            recipe.replace(epochs=epochs, validation_share=0.0),
            self._device,
            start_weights=find_start_weights(weights, network) if weights else None,
            normalization=self._run.normalization if weights else None,
        )
        control = Control()
        some, trained = _some(part.train), dict[int, float]()
        scores: dict[int, float] = {}
        text = f"{100 * fraction:.0f}% of the images ({format_count(len(rows))})"

        def report(done: float) -> None:
            shown = f"{text}: epoch {min(int(done) + 1, epochs):,} of {epochs:,}"
            share = _share_before(fraction) + done / epochs * _share(fraction)
            self._progress(Progress(round(1000 * share), 1000, shown))

        def emit(event: Event) -> None:
            if self._cancelled():
                control.request_stop()
            if isinstance(event, EpochEnded):
                scores[event.epoch] = event.validation.accuracy
                report(event.epoch)
            elif isinstance(event, StepsDone):
                report(event.epoch)

        def after_epoch(epoch: int, model: Model) -> None:
            if epoch:
                trained[epoch] = evaluate(model, some, part.classes, flip=recipe.test_time_flip).accuracy

        report(0)
        finished = train_prepared(
            prepared, threads=self._threads, control=control, emit=emit, after_epoch=after_epoch
        )
        raise_if_cancelled(self._cancelled)
        if finished.outcome == "stopped":
            raise Cancelled
        if finished.outcome == "failed" or not scores:
            raise LearningCurveError(f"{text} could not be trained. {finished.reason}")
        if self._validates_on_test:
            count_test_look(self._run, self._dataset, f"learning curve {fraction}", None)
        best = finished.best_epoch or max(scores, key=lambda epoch: scores[epoch])
        return CurvePoint(fraction, len(rows), epochs, trained.get(best, 0.0), scores[best])


def _share(fraction: float) -> float:
    """Of the whole work."""
    return fraction * min(1 / fraction, MAX_EPOCH_FACTOR) / COST


def _share_before(fraction: float) -> float:
    return sum(_share(each) for each in FRACTIONS if each < fraction)


def _as_split(images: Split | Subset) -> Split:
    return images.split.select(images.rows) if isinstance(images, Subset) else images


def _some(images: Split | Subset) -> Split | Subset:
    """At most _TRAIN_IMAGES of them, at equal distances."""
    at = np.unique(np.linspace(0, len(images) - 1, min(len(images), _TRAIN_IMAGES)).astype(np.intp))
    return Subset(images.split, images.rows[at]) if isinstance(images, Subset) else Subset(images, at)
