"""The data set that was used last, kept in memory for the next time."""

from __future__ import annotations

from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.data.dataset import Dataset
from cnnstudio.data.sources import find_source


class LastDataset:
    """Gets data sets by name; used on the computing thread alone."""

    def __init__(self) -> None:
        self._dataset: Dataset | None = None

    def get(self, name: str, progress: ProgressFunction, cancelled: CancelFunction) -> Dataset:
        """From memory where it is a built-in one and was the last. Raises UserError or Cancelled."""
        source = find_source(name)
        dataset = self._dataset
        if dataset is None or not source.built_in or dataset.name != source.name:
            # Two data sets need not fit into memory.
            self._dataset = dataset = None
            dataset = source.load(progress, cancelled)
            # A folder's images may change, and so may the folder that a name stands for.
            self._dataset = dataset if source.built_in else None
        return dataset
