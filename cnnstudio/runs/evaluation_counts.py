"""Counts looks at a run's test images beside its training and `evaluate`, which count by themselves.

A training counts once, with all that is recorded of it; so do the views that only show that. What looks at
test images in a new way, whose result is followed by a choice, counts once more for each run and epoch.
"""

from __future__ import annotations

from cnnstudio.data.dataset import Dataset
from cnnstudio.data.versions.evaluations import count_evaluation
from cnnstudio.data.versions.version import version_of
from cnnstudio.runs.run import Run


def count_test_look(run: Run, dataset: Dataset, what: str, epoch: int | None) -> None:
    """Counts a look at the data set's test images by the weights of an epoch, once. `what` names its kind."""
    key = f"{what} {run.metadata.get('created')} {epoch}"
    count_evaluation(version_of(dataset), run.id, epoch, key)
