"""When the network of a run says "not sure": by its calibrated confidence, and by its training images."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cache
from typing import Any

from cnnstudio.core.errors import UserError
from cnnstudio.core.progress import CancelFunction, ProgressFunction, ignore_progress, never_cancelled
from cnnstudio.data.dataset import Dataset, Pixels
from cnnstudio.data.images.resizing import resize
from cnnstudio.insight.confidence.judging import Rule, Verdict, format_threshold, judge
from cnnstudio.insight.confidence.reference_images import NO_LIMIT, References
from cnnstudio.insight.instrument import Probabilities, finish, long_slices
from cnnstudio.insight.instruments.nearest import NearestReading
from cnnstudio.insight.instruments.not_sure import NotSureReading
from cnnstudio.runs.epochs.inspection import Inspector, OwnImages, ReadingRequest, resolve_epoch
from cnnstudio.runs.epochs.kept_readings import find_reading
from cnnstudio.runs.epochs.run_images import load_run_images
from cnnstudio.runs.epochs.thresholds import chosen_threshold
from cnnstudio.runs.run import Run


def read_not_sure(
    run: Run,
    inspector: Inspector,
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
) -> NotSureReading:
    """Coverage and accuracy of the best weights; kept for the next time. Raises UserError, Cancelled."""
    request = ReadingRequest(run.folder, resolve_epoch(run), "not_sure")
    found = finish(inspector.take(request), progress, cancelled, "Calibrating")
    assert isinstance(found, NotSureReading)
    return found


def rule_of(run: Run, reading: NotSureReading) -> Rule:
    """With the threshold that the user chose, or else the proposed one."""
    chosen = chosen_threshold(run.folder, run.created)
    return Rule(reading.proposed if chosen is None else chosen, reading.temperature)


def describe_rule(rule: Rule, reading: NotSureReading) -> dict[str, Any]:
    """For JSON: the rule, and what it does to which images."""
    return {
        "threshold": rule.threshold,
        "temperature": rule.temperature,
        "accuracy": reading.accuracy(rule.threshold),
        "coverage": reading.coverage(rule.threshold),
        "images": f"{reading.total} {reading.images}",
    }


def run_images(run: Run, progress: ProgressFunction) -> Dataset:
    """The images that the run was trained on, at the network's input size.

    Raises RunError if they have changed since, DataError.
    """
    channels, height, width = run.network.input.dims
    dataset, _ = load_run_images(run, progress, never_cancelled)
    return resize(dataset, (channels, height, width), progress)


def known_rule(run: Run) -> dict[str, Any] | None:
    """The rule of the best weights and what it does, for JSON, if it is known: see `prepare_rule`."""
    try:
        epoch = resolve_epoch(run)
    except UserError:
        return None
    reading = find_reading(run, epoch, "not_sure", "validation")
    return describe_rule(rule_of(run, reading), reading) if isinstance(reading, NotSureReading) else None


@dataclass(frozen=True, eq=False)
class PreparedRule:
    """What a program that only has files of a network needs to be not sure where the run is."""

    threshold: float | None = None
    """The least confidence of an answer, 0 to 1; None if it is not known when the network is not sure."""
    references: References | None = None
    """The training images that others are compared with; None without a threshold, or with a `problem`."""
    problem: str = ""
    """Why images cannot be compared with the training images, one sentence; empty if they can."""

    def describe(self) -> str:
        """One sentence or two, on when the network is not sure; empty if that is not known."""
        if self.threshold is None:
            return ""
        below = f"“Not sure” below {format_threshold(self.threshold)} confidence"
        if self.references is not None:
            return f"{below}, or where an image is unlike any training image."
        return f"{below}; images are not compared with the training images. {self.problem}"


def prepare_rule(
    run: Run, progress: ProgressFunction, cancelled: CancelFunction, *, compares: bool = True
) -> PreparedRule:
    """Computes what `known_rule` needs, unless it is known or the images are gone; what is known then.

    With `compares`, also what images are compared with, which is kept for the next time. Raises Cancelled.
    """

    @cache
    def load(_: str) -> Dataset:
        return run_images(run, progress)

    inspector = Inspector(lambda run: load(run.id), "cpu")
    # Nothing waits meanwhile.
    with long_slices():
        if known_rule(run) is None:
            with contextlib.suppress(UserError):
                read_not_sure(run, inspector, progress, cancelled)
        rule = known_rule(run)
        if rule is None:
            return PreparedRule()
        threshold = rule["threshold"]
        if not compares:
            return PreparedRule(threshold, None, "This format does not have their features.")
        try:
            work = inspector.references(run.folder, resolve_epoch(run))
            references = finish(work, progress, cancelled, "Describing the training images")
        except UserError as error:
            return PreparedRule(threshold, None, str(error))
    if references.limit >= NO_LIMIT:
        return PreparedRule(threshold, None, "There are too few of them to tell what is usual.")
    return PreparedRule(threshold, references)


class Answering:
    """Judges predictions of a run's best weights, with the training images where they are there."""

    def __init__(self, run: Run, inspector: Inspector, rule: Rule | None) -> None:
        """Without a rule it only finds the nearest training images."""
        self._run = run
        self._inspector = inspector
        self._epoch = resolve_epoch(run)
        self.rule = rule
        self.problem = ""
        """Why images cannot be compared with the training images, one sentence; empty if they can."""

    def nearest(
        self,
        images: Pixels,
        progress: ProgressFunction = ignore_progress,
        cancelled: CancelFunction = never_cancelled,
    ) -> NearestReading | None:
        """The nearest training images of uint8 (N, C, H, W); None with a `problem`. Raises Cancelled."""
        if self.problem:
            return None
        request = ReadingRequest(self._run.folder, self._epoch, "nearest", own_images=OwnImages(images))
        try:
            found = finish(
                self._inspector.take(request), progress, cancelled, "Comparing with training images"
            )
        except UserError as error:
            self.problem = str(error)
            return None
        assert isinstance(found, NearestReading)
        return found

    def judge(self, probabilities: Probabilities, nearest: NearestReading | None) -> list[Verdict]:
        """A verdict for each image; without `nearest`, by the confidence alone."""
        assert self.rule is not None, "there is nothing to judge by"
        if nearest is None:
            return judge(probabilities, self.rule)
        return judge(probabilities, self.rule.with_limit(nearest.limit), nearest.distances)
