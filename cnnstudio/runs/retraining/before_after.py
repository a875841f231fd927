"""Two runs, before and after corrections of the labels, evaluated on the same corrected images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cnnstudio.core.formatting import format_percent, pluralize
from cnnstudio.core.progress import CancelFunction, ProgressFunction, ignore_progress, never_cancelled
from cnnstudio.data.dataset import Dataset
from cnnstudio.data.images.resizing import resize
from cnnstudio.data.versions.evaluations import count_evaluation, describe_evaluations, evaluation_count
from cnnstudio.data.versions.version import version_of
from cnnstudio.runs.comparing.significance import SeedStatistics, compare, describe_comparison
from cnnstudio.runs.epochs.inspection import SplitName, images_of
from cnnstudio.runs.run import Run
from cnnstudio.training.events import Scores


@dataclass(frozen=True)
class SplitScores:
    """The best weights of both runs on the same images, with the corrected labels."""

    split: SplitName
    images: int
    before: Scores
    after: Scores

    def describe(self) -> str:
        """`Validation accuracy: 58.0% before, 61.3% after (147 images)`."""
        values = f"{format_percent(self.before.accuracy)} before, {format_percent(self.after.accuracy)} after"
        return f"{self.split.capitalize()} accuracy: {values} ({pluralize(self.images, 'image')})"


@dataclass(frozen=True)
class BeforeAfter:
    """What the corrections brought, as far as one run each can tell."""

    changes: str
    """As a phrase: `12 labels corrected, 3 images excluded`."""
    splits: tuple[SplitScores, ...]
    """Validation images, where they are not the test images, and test images."""
    recorded: float | None
    """The test accuracy of the first run with the labels as they were when it was trained."""
    evaluations: int
    """How often the corrected test images have been evaluated by now."""
    runs: tuple[str, str]
    """The folders of both."""

    @property
    def test(self) -> SplitScores:
        return self.splits[-1]

    @property
    def verdict(self) -> str:
        """What that means, in a sentence or two."""
        first, second = (SeedStatistics((scores.accuracy,)) for scores in (self.test.before, self.test.after))
        result = compare(first, second, self.test.images)
        return describe_comparison(
            first, second, result, "several seeds", "test accuracy after the corrections"
        )

    @property
    def phrase(self) -> str:
        """What was corrected, as a sentence."""
        return f"{self.changes[:1].upper()}{self.changes[1:]}."

    def remarks(self) -> list[str]:
        """What the figures mean, as sentences."""
        found = []
        first = self.test.before.accuracy
        if self.recorded is not None and format_percent(self.recorded) != format_percent(first):
            found.append(
                f"With the test labels as they were, the first run had {format_percent(self.recorded)}; on "
                f"the corrected ones it has {format_percent(first)} without having changed."
            )
        counted = describe_evaluations(self.evaluations)
        found += [f"The corrected test images were {counted}."] if counted else []
        return [*found, self.verdict]

    def lines(self) -> list[str]:
        """Everything as sentences, each for a line."""
        return [self.phrase, *(f"{each.describe()}." for each in self.splits), *self.remarks()]

    def to_json(self) -> dict[str, Any]:
        return {
            "before": self.runs[0],
            "after": self.runs[1],
            "changes": self.changes,
            **{
                each.split: {
                    "images": each.images,
                    "before": vars(each.before),
                    "after": vars(each.after),
                }
                for each in self.splits
            },
            "recorded_test_accuracy": self.recorded,
            "evaluated": self.evaluations,
            "verdict": self.verdict,
        }


def compare_before_after(
    before: Run,
    after: Run,
    dataset: Dataset,
    changes: str,
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
    device: str = "auto",
) -> BeforeAfter:
    """Evaluates the best weights of both on the corrected images that `after` was trained on.

    The first run's look at the corrected test images counts as an evaluation, once; that of the second was
    counted by its training. Validation images are those that neither has trained on, because corrections do
    not change which ones are held out. Computes with torch. Raises UserError, Cancelled.
    """
    from cnnstudio.insight.predictions import evaluate
    from cnnstudio.training.hardware.device import choose_device

    channels, height, width = after.network.input.dims
    resized = resize(dataset, (channels, height, width), progress, cancelled)
    models = [run.model().to(choose_device(device)) for run in (before, after)]
    names: list[SplitName] = ["test"] if after.validation_source == "test" else ["validation", "test"]
    found = []
    for name in names:
        images = images_of(resized, after, name)
        scores = []
        for run, model in zip((before, after), models, strict=True):
            flip = run.recipe.test_time_flip
            result = evaluate(model, images, after.classes, progress, cancelled, flip=flip)
            scores.append(Scores(result.loss, result.accuracy))
        found.append(SplitScores(name, len(images), *scores))
    version = version_of(dataset)
    count_evaluation(version, before.id, before.best_epoch, f"before {before.metadata.get('created')}")
    return BeforeAfter(
        changes,
        tuple(found),
        None if before.test is None else before.test.accuracy,
        evaluation_count(version),
        (str(before.folder), str(after.folder)),
    )
