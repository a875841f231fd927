"""Keeps the most recently used data set in memory."""

from __future__ import annotations

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.data.dataset import Dataset
from cnnstudio.data.sources import find_source


class DatasetCache:
    """Loads data sets by name and keeps the last one; used only on the compute thread."""

    def __init__(self) -> None:
        self._dataset: Dataset | None = None

    def get(self, name: str, progress: ProgressFunction, cancelled: CancelFunction) -> Dataset:
        """The data set of that name, from memory if it is built in and was the last one loaded.

        Raises UserError if it cannot be loaded, Cancelled if `cancelled` returns True meanwhile.
        """
        source = find_source(name)
        dataset = self._dataset
        if dataset is None or not source.built_in or dataset.name != source.name:
            # Two data sets may not fit into memory: release the old one first.
            self._dataset = dataset = None
            dataset = source.load(progress, cancelled)
            # A folder is never cached: its images may change, and its name may come to mean another folder.
            self._dataset = dataset if source.built_in else None
        return dataset
