"""The scores of all images as a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cnnstudio.gui.dashboard.views.base import Table
from cnnstudio.gui.pages.try_image.sources import TriedImage
from cnnstudio.insight.instruments.predictions import PredictionsReading


def scores_table(parts: Sequence[tuple[Sequence[TriedImage], PredictionsReading]], epoch: int) -> Table:
    """One row per image: file, prediction with its score, epoch, and the scores of all classes."""
    classes = parts[0][1].classes if parts else ()
    rows: Table = [["image", "predicted", "score", "epoch", *classes]]
    for images, reading in parts:
        for image, label, scores in zip(images, reading.predicted, reading.probabilities, strict=True):
            origin = image.source.origin
            name = str(origin) if isinstance(origin, Path) else image.source.name
            rows.append(
                [name, reading.classes[label], float(scores[label]), epoch, *(float(each) for each in scores)]
            )
    return rows
