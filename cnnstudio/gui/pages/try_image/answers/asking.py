"""What the network of the run on show says to the images that are tried, at the epoch that is looked at.

Which run and epoch an answer is of, the question says: an answer to another question is never used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnnstudio.gui.compute.questions import Answer
from cnnstudio.gui.dashboard.views.readings import MomentReadings
from cnnstudio.gui.pages.try_image.image_list import Answered
from cnnstudio.gui.pages.try_image.sources import TriedImage
from cnnstudio.gui.pages.try_image.tried_images import Batch
from cnnstudio.gui.runs.cursor import Moment
from cnnstudio.insight.confidence.judging import Verdict
from cnnstudio.insight.instruments.nearest import NearestReading
from cnnstudio.insight.instruments.predictions import PredictionsReading
from cnnstudio.runs.epochs.inspection import OwnImages


@dataclass(frozen=True)
class BatchAnswer:
    """The scores of some images, if they are known."""

    batch: Batch
    answer: Answer

    @property
    def reading(self) -> PredictionsReading | None:
        reading = self.answer.reading
        return reading if isinstance(reading, PredictionsReading) else None

    def answers(self, verdicts: Sequence[Verdict] | None = None) -> list[Answered | None]:
        """The answer to each image; `verdicts` say how sure the network is of it, if that is known."""
        reading = self.reading
        if reading is None:
            return [None] * len(self.batch.images)
        if verdicts is not None:
            return [
                Answered(reading.classes[each.predicted], each.confidence, each.is_sure) for each in verdicts
            ]
        rows = zip(reading.predicted, reading.probabilities, strict=True)
        return [Answered(reading.classes[label], float(scores[label])) for label, scores in rows]


def epoch_to_ask(moment: Moment) -> int:
    """The epoch that was chosen; at the end of a run the best, whose weights `predict` and exports use."""
    best = moment.record.best_epoch
    if moment.chosen is None and not moment.is_live and best is not None:
        return best
    return moment.epoch


def ask_scores(readings: MomentReadings, batches: Sequence[Batch], epoch: int) -> list[BatchAnswer]:
    """The scores of all images at an epoch."""
    return [
        BatchAnswer(batch, readings.ask_at(epoch, "predictions", own_images=batch.own_images))
        for batch in batches
    ]


def ask_alone(readings: MomentReadings, image: TriedImage, epoch: int) -> BatchAnswer:
    """The scores of one image, which is known long before those of the images that were opened with it."""
    answer = readings.ask_at(epoch, "predictions", own_images=image.own_images)
    return BatchAnswer(Batch((image,), image.own_images), answer)


def ask_not_sure(readings: MomentReadings, epoch: int) -> Answer:
    """Coverage and accuracy at each threshold at an epoch, by the images that the run validated on."""
    return readings.ask_at(epoch, "not_sure")


def ask_nearest(readings: MomentReadings, own_images: OwnImages, epoch: int) -> Answer:
    """The training images that are most similar to some images at an epoch."""
    return readings.ask_at(epoch, "nearest", own_images=own_images)


def nearest_in(answer: Answer) -> NearestReading | None:
    return answer.reading if isinstance(answer.reading, NearestReading) else None


def ask_maps(readings: MomentReadings, image: OwnImages, layer: str, epoch: int) -> Answer:
    """The feature maps of a layer for one image at an epoch."""
    return readings.ask_at(epoch, "feature_maps", own_images=image, layer=layer)


def describe_weights(moment: Moment, epoch: int) -> str:
    """Which weights answered: `weights of epoch 8, the best`."""
    if epoch == 0:
        return "weights before training"
    if epoch == moment.record.best_epoch and not moment.is_live:
        return f"weights of epoch {epoch}, the best"
    asked = epoch_to_ask(moment)
    if epoch != asked and not (moment.is_live and moment.is_at_end):
        return f"weights of epoch {epoch}, the latest kept before epoch {asked}"
    return f"weights of epoch {epoch}"
