"""The images of the run that is looked at, for the computing thread."""

from __future__ import annotations

import threading
import weakref

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.data.dataset import Dataset
from cnnstudio.data.images.resizing import resize
from cnnstudio.runs.epochs.run_images import load_run_images
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.run import Run

_Key = tuple[str, tuple[int, ...]]
"""The fingerprint of the images, and the network's input."""


class RunDatasets:
    """Keeps the images of one run in memory. All methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: tuple[_Key, Dataset] | None = None
        self._offered: weakref.ref[Dataset] | None = None

    def offer(self, dataset: Dataset) -> None:
        """Tells of images that are in memory anyway, as those of a training; does not keep them there."""
        self._offered = weakref.ref(dataset)

    def _has(self, run: Run) -> bool:
        with self._lock:
            return self._kept is not None and self._kept[0] == _key(run)

    def get(self, run: Run) -> Dataset:
        """The images at the network's input size, if they were loaded. Raises RunError."""
        with self._lock:
            if self._kept is not None and self._kept[0] == _key(run):
                return self._kept[1]
        raise RunError(f"The images of the run {run.id} are not loaded.")

    def load(self, run: Run, progress: ProgressFunction, cancelled: CancelFunction) -> None:
        """Loads and resizes the images, which may take long. Raises UserError, Cancelled.

        They have the labels that the run was trained with. Images that are not those are refused, because
        figures that are computed on them would not be the run's.
        """
        if self._has(run):
            return
        offered = self._offered() if self._offered is not None else None
        is_same = offered is not None and offered.fingerprint == run.dataset_fingerprint
        if offered is not None and is_same and offered.classes == run.classes:
            dataset = offered
        else:
            dataset, _ = load_run_images(run, progress, cancelled)
        channels, height, width = run.network.input.dims
        resized = resize(dataset, (channels, height, width), progress, cancelled)
        with self._lock:
            self._kept = (_key(run), resized)

    def clear(self) -> None:
        """Frees the memory."""
        with self._lock:
            self._kept = None


def _key(run: Run) -> _Key:
    return run.dataset_fingerprint, run.network.input.dims
