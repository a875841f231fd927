"""The scores of all images as a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cnnstudio.gui.dashboard.views.base import Table
from cnnstudio.gui.pages.try_image.sources import TriedImage
from cnnstudio.insight.confidence.judging import Verdict
from cnnstudio.insight.instruments.predictions import PredictionsReading

Part = tuple[Sequence[TriedImage], PredictionsReading, Sequence[Verdict] | None]
"""Images with their scores, and how sure the network is of them, if that is known."""


def scores_table(parts: Sequence[Part], epoch: int) -> Table:
    """One row per image: file, prediction with its score, epoch, and the scores of all classes.

    Then, where it is known how sure the network is: its answer, its confidence, and why it is not sure.
    """
    classes = parts[0][1].classes if parts else ()
    is_judged = any(verdicts is not None for _, _, verdicts in parts)
    more = ["answer", "confidence", "reason"] if is_judged else []
    rows: Table = [["image", "predicted", "score", "epoch", *classes, *more]]
    for images, reading, verdicts in parts:
        for row, (image, label, scores) in enumerate(
            zip(images, reading.predicted, reading.probabilities, strict=True)
        ):
            origin = image.source.origin
            name = str(origin) if isinstance(origin, Path) else image.source.name
            predicted = reading.classes[label]
            entry = [name, predicted, float(scores[label]), epoch, *(float(each) for each in scores)]
            if verdicts is not None:
                verdict = verdicts[row]
                entry += [predicted if verdict.is_sure else "not sure", verdict.confidence, verdict.reason]
            rows.append(entry)
    return rows
