"""Data sets: where pictures come from, what they are, and (in `batches`) how they reach the network.

Nothing but `batches` imports torch, so that the window can show what there is before torch is loaded.
"""

from cnnstudio.data.dataset import DataError, Dataset, Split, split_validation, statistics
from cnnstudio.data.progress import CancelFunction, Cancelled, Progress, ProgressFunction, ignore, never
from cnnstudio.data.sources import Source, add_folder, find_source, sources

__all__ = [
    "CancelFunction",
    "Cancelled",
    "DataError",
    "Dataset",
    "Progress",
    "ProgressFunction",
    "Source",
    "Split",
    "add_folder",
    "find_source",
    "ignore",
    "never",
    "sources",
    "split_validation",
    "statistics",
]
