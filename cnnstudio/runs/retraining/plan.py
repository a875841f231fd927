"""What to train again after labels were corrected: the same design and recipe, with the same seed."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from cnnstudio.core.errors import UserError
from cnnstudio.core.formatting import pluralize
from cnnstudio.core.progress import CancelFunction, ProgressFunction, ignore_progress, never_cancelled
from cnnstudio.data.dataset import DataError, Dataset
from cnnstudio.data.sources import find_source
from cnnstudio.data.versions.version import compare_versions, read_version, version_of
from cnnstudio.runs.comparing.seeds import training_key
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.library.finding import list_runs
from cnnstudio.runs.run import Run


@dataclass(frozen=True)
class Retraining:
    """A run, the images as they are corrected now, and the run on these if there is one already."""

    before: Run
    dataset: Dataset
    changes: str
    """What was corrected since, as a phrase: `12 labels corrected, 3 images excluded`."""
    after: Run | None = None


def plan_retraining(
    before: Run, progress: ProgressFunction = ignore_progress, cancelled: CancelFunction = never_cancelled
) -> Retraining:
    """Loads the images as they are now, and looks for a completed run of the same training on them.

    Raises RunError if nothing was corrected since, or if the classes are others; DataError; Cancelled.
    """
    if not before.has_checkpoint:
        raise RunError(f"The run {before.id} has no saved weights that could be compared with.")
    before.require_repeatable()
    try:
        source = find_source(before.dataset_name)
    except DataError as error:
        raise RunError(f"The data set of the run was not found: {before.dataset_name}.") from error
    dataset = source.load(progress, cancelled)
    if dataset.classes != before.classes:
        raise RunError(f"{dataset.title} has other classes than when the run was trained: train a new run.")
    if dataset.fingerprint == before.dataset_fingerprint:
        raise RunError(
            f"Nothing has changed in {dataset.title} since the run was trained on it: correct labels first, "
            "on the Data page or with cnnstudio data label."
        )
    return Retraining(before, dataset, describe_changes(before, dataset), _known_run(before, dataset))


def describe_changes(before: Run, dataset: Dataset) -> str:
    """What differs between the images of the run and these, as a phrase."""
    with contextlib.suppress(UserError):
        found = compare_versions(read_version(before.data_version), read_version(version_of(dataset)))
        new = [label for _, label in found["corrections"].values()]
        counts = (
            (sum(isinstance(label, str) for label in new), "label", "corrected"),
            (sum(label is None for label in new), "image", "excluded"),
            (sum(label is False for label in new), "correction", "taken back"),
        )
        parts = [f"{pluralize(count, noun)} {done}" for count, noun, done in counts if count]
        parts += ["image files changed"] * bool(found["files"] or (found["pixels"] and not found["split"]))
        parts += ["test images chosen in another way"] * bool(found["split"])
        if parts:
            return ", ".join(parts)
    return "the images have changed"


def _known_run(before: Run, dataset: Dataset) -> Run | None:
    """A completed run of the same design, recipe and seed on these images, among all runs and beside it."""
    network, _, recipe = training_key(before)
    for run in (*list_runs(before.folder.parent), *list_runs()):
        with contextlib.suppress(RunError):
            if (
                run.dataset_fingerprint == dataset.fingerprint
                and run.status == "completed"
                and run.recipe.seed == before.recipe.seed
                and training_key(run) == (network, dataset.fingerprint, recipe)
            ):
                return run
    return None
