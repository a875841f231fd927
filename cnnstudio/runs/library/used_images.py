"""Images that runs were trained on by their path, and that are not in the user's list of data sets."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from cnnstudio.core.files import exists, is_folder
from cnnstudio.core.progress import CancelFunction, ignore_progress, never_cancelled
from cnnstudio.data.sources.folder_list import registered_sets
from cnnstudio.data.tables.label_table import is_table_name
from cnnstudio.runs.library.listing import list_summaries

_MAX_PATHS = 50


def unlisted_images(also: Iterable[str] = (), cancelled: CancelFunction = never_cancelled) -> list[Path]:
    """The folders and tables, those of the newest runs first; `also` are names or paths that come before.

    Only what is still there; the first 50. Reads files, in any thread. Raises Cancelled.
    """
    listed = {entry.path for entry in registered_sets().values()}
    runs = list_summaries(ignore_progress, cancelled).runs
    found = (
        Path(name) for name in dict.fromkeys((*also, *(run.data for run in runs))) if os.path.isabs(name)
    )
    return [path for path in found if path not in listed and _are_images(path)][:_MAX_PATHS]


def _are_images(path: Path) -> bool:
    return is_folder(path) or (exists(path) and is_table_name(path.name))
