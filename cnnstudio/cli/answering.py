"""How sure a network is of its predictions, and the training images that are most similar, for `predict`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from cnnstudio.cli.command import UsageError
from cnnstudio.cli.output import echo
from cnnstudio.core.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from cnnstudio.core.progress import ProgressFunction
    from cnnstudio.data.dataset import Dataset, Pixels
    from cnnstudio.insight.confidence.judging import Verdict
    from cnnstudio.insight.instruments.nearest import NearestReading
    from cnnstudio.runs.epochs.answering import Answering
    from cnnstudio.runs.epochs.image_names import NamedImage
    from cnnstudio.runs.epochs.run_images import Files
    from cnnstudio.runs.predicting import Judged, Prediction
    from cnnstudio.runs.run import Run


def judged_to_json(entry: Prediction) -> dict[str, object]:
    """What was judged of a prediction."""
    found: dict[str, object] = {}
    verdict = entry.judged.verdict
    if verdict is not None:
        found |= {
            "answer": entry.label if verdict.is_sure else None,
            "confidence": verdict.confidence,
            "not_sure": not verdict.is_sure,
            "reason": verdict.reason or None,
        }
    if entry.judged.nearest:
        found["nearest"] = [
            {"file": image.file, "index": image.row, "class": image.label, "similarity": similarity}
            for image, similarity in entry.judged.nearest
        ]
    return found


def similar_lines(entry: Prediction) -> Iterator[str]:
    """The similar images, one a line."""
    for image, similarity in entry.judged.nearest:
        yield f"  {similarity:.3f} similar: {image.file} ({image.label})"


class Judging:
    """Judges predictions as the options say; without them, says nothing."""

    def __init__(self, run: Run, options: argparse.Namespace, progress: ProgressFunction) -> None:
        self._run = run
        self._options = options
        self._progress = progress
        self._answering: Answering | None = None
        self._images: tuple[Dataset, Files | None] | None = None
        """The run's images as they are in files, once their names are needed."""
        self._about: dict[str, Any] = {}
        self._notes: list[str] = []

    @property
    def is_judging(self) -> bool:
        """Whether it may say “not sure”."""
        return bool(self._options.not_sure or self._options.threshold is not None)

    def prepare(self) -> None:
        """Calibrates the confidences, unless that was done before. Raises UserError."""
        if not self.is_judging and self._options.nearest is None:
            return
        from cnnstudio.insight.confidence.judging import Rule
        from cnnstudio.runs.epochs.answering import (
            Answering,
            describe_rule,
            read_not_sure,
            rule_of,
            run_images,
        )
        from cnnstudio.runs.epochs.inspection import Inspector

        @cache
        def load(_: str) -> Dataset:
            return run_images(self._run, self._progress)

        inspector = Inspector(lambda run: load(run.id), self._options.device)
        rule, threshold = None, self._options.threshold
        if self.is_judging:
            try:
                reading = read_not_sure(self._run, inspector, self._progress)
            except UserError as error:
                if threshold is None:
                    raise UsageError(f"--not-sure: {error} Set a --threshold to go without.") from error
                rule = Rule(threshold)
                self._about = {"threshold": threshold, "temperature": 1.0}
                self._notes.append(f"The confidences are not calibrated. {error}")
            else:
                rule = rule_of(self._run, reading)
                rule = rule if threshold is None else Rule(threshold, rule.temperature)
                self._about = describe_rule(rule, reading)
        self._answering = Answering(self._run, inspector, rule)

    def judge(self, images: Pixels, probabilities: np.ndarray) -> list[Judged]:
        """For uint8 (N, C, H, W) of the network's input size, and float32 (N, classes)."""
        from cnnstudio.runs.predicting import Judged

        if self._answering is None:
            return [Judged()] * len(images)
        nearest = self._answering.nearest(images, self._progress)
        problem = self._answering.problem
        if problem and self._options.nearest is not None:
            raise UsageError(f"--nearest: {problem}")
        verdicts: list[Verdict | None] = [None] * len(images)
        confidences: list[tuple[float, ...]] = [()] * len(images)
        rule = self._answering.rule
        if rule is not None:
            from cnnstudio.insight.confidence.temperature import calibrated

            verdicts = list(self._answering.judge(probabilities, nearest))
            confidences = [tuple(row) for row in calibrated(probabilities, rule.temperature).tolist()]
            if problem:
                self._notes.append(f"Images are not compared with the training images. {problem}")
            elif nearest is not None:
                self._about["distance_limit"] = nearest.limit
        found = [()] * len(images) if nearest is None else self._named(nearest)
        return [Judged(*each) for each in zip(verdicts, confidences, found, strict=True)]

    def _named(self, nearest: NearestReading) -> list[tuple[tuple[NamedImage, float], ...]]:
        from cnnstudio.core.progress import never_cancelled
        from cnnstudio.runs.epochs.image_names import name_training_rows
        from cnnstudio.runs.epochs.run_images import load_run_images

        count = self._options.nearest
        if count is None:
            return [()] * len(nearest.rows)
        rows = nearest.rows[:, :count]
        unique = sorted(set(rows.ravel().tolist()))
        if self._images is None:
            self._images = load_run_images(self._run, self._progress, never_cancelled)
        named = name_training_rows(*self._images, unique)
        by_row = dict(zip(unique, named, strict=True))
        return [
            tuple((by_row[row], similarity) for row, similarity in zip(each, similarities, strict=False))
            for each, similarities in zip(rows.tolist(), nearest.similarities.tolist(), strict=True)
        ]

    def to_json(self) -> dict[str, object]:
        """By what was judged."""
        return {"not_sure": self._about} if self.is_judging else {}

    def warn(self) -> None:
        """What is missing, on standard error."""
        for note in dict.fromkeys(self._notes):
            echo(f"Note: {note}", file=sys.stderr)
