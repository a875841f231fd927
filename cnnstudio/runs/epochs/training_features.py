"""What a run's network makes of its training images, computed once for each epoch and kept on disk."""

from __future__ import annotations

import contextlib
import hashlib
from collections import OrderedDict
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import numpy as np

from cnnstudio.core.errors import UserError
from cnnstudio.data.dataset import Dataset, Split, Subset
from cnnstudio.data.versions.version import read_version, version_of
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.runs.epochs.kept_readings import identify, version_of_run
from cnnstudio.runs.run import Run

if TYPE_CHECKING:
    from cnnstudio.insight.confidence.reference_images import References
    from cnnstudio.insight.confidence.references import Description
    from cnnstudio.training.model import Model

_MAX_REFERENCES = 2
"""Runs whose training images are remembered; those that are mapped from files take no memory."""
_ROWS_AT_A_TIME = 4_096


class TrainingFeatures:
    """Finds the references of models, or computes them; what was begun goes on where it was left."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, References] = OrderedDict()
        self._begun: tuple[str, Description] | None = None

    def forget(self) -> None:
        """Frees the memory."""
        self._known.clear()
        self._begun = None

    def get(
        self, run: Run, epoch: int, model: Model, dataset: Dataset, training: Split | Subset
    ) -> Generator[float, None, References]:
        """The references of the model at that epoch, in slices; keeping them may take longer.

        `training` are the images of `dataset` that the run was trained on, at least one.
        """
        from cnnstudio.insight.confidence.references import (
            Description,
            choose_references,
            last_features,
            references_of,
            usual_distance,
        )
        from cnnstudio.insight.instrument import part_of, pixels_of
        from cnnstudio.training.frozen.features import find_kept_features
        from cnnstudio.training.frozen.store import find_features

        places = choose_references(training, analyze(run.network).macs)
        chosen = hashlib.sha256(places.tobytes()).hexdigest()
        rows = hashlib.sha256(training.rows.tobytes()).hexdigest() if isinstance(training, Subset) else ""
        key = repr(["references", identify(run, epoch, version_of(dataset)), chosen, rows])
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        width = last_features(model, np.ascontiguousarray(pixels_of(training, slice(1)))).shape[1]
        yield 0.0
        # The last row begins with the limit.
        kept = find_features(key, (len(places) + 1, width))
        if kept is not None:
            found = references_of(training, places, kept[:-1], float(kept[-1:][0, 0]))
        else:
            if self._begun is None or self._begun[0] != key:
                self._begun = key, Description(len(places))
            split = training.split if isinstance(training, Subset) else training
            known = find_kept_features(model, run.recipe, _fingerprints(run, dataset), len(split))
            describing = self._begun[1].describe(model, training, places, known)
            features = yield from part_of(describing, 0.0, 0.9)
            limit = yield from part_of(usual_distance(features), 0.9, 0.99)
            found = references_of(training, places, _keep(key, features, limit), limit)
            self._begun = None
        self._known[key] = found
        while len(self._known) > _MAX_REFERENCES:
            self._known.popitem(last=False)
        return found


def _fingerprints(run: Run, dataset: Dataset) -> list[str]:
    """What these images may have been known by in a training, where corrected labels change nothing.

    Those of the run only if they are its images: the files may have changed since.
    """
    version = version_of(dataset)
    found = [run.dataset_fingerprint] if version == version_of_run(run) else []
    with contextlib.suppress(UserError):
        found.append(str(read_version(version)["images"]))
    return found


def _keep(key: str, features: np.ndarray, limit: float) -> np.ndarray:
    """Keeps the features on disk, and gives them back mapped from there, if that is possible."""
    from cnnstudio.training.frozen.store import keep_features

    last = np.zeros((1, features.shape[1]), np.float32)
    last[0, 0] = limit

    def parts() -> Iterator[np.ndarray]:
        for start in range(0, len(features), _ROWS_AT_A_TIME):
            yield features[start : start + _ROWS_AT_A_TIME]
        yield last

    kept = keep_features(key, (len(features) + 1, features.shape[1]), parts())
    return features if kept is None else kept[:-1]
