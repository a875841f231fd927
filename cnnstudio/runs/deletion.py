"""Deletes a run from the disk."""

from __future__ import annotations

import contextlib
import os
import shutil

from cnnstudio.core.files import remove_abandoned_files
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.run import DESIGN_FILE, EVENTS_FILE, RECIPE_FILE, RUN_FILE, Run

# `run.json` goes last: if deleting fails before, what is left is still a run that can be named and deleted.
_OWN_FILES = ("checkpoints", "snapshots", EVENTS_FILE, RECIPE_FILE, DESIGN_FILE, "lock", RUN_FILE)


def delete_run(run: Run) -> None:
    """Deletes what the run wrote, and the folder if nothing else is in it.

    Raises RunError for a run in progress, and if the system refuses.
    """
    if run.status == "running":
        raise RunError(f"The run {run.id} is in progress: stop it before you delete it.")
    try:
        for name in _OWN_FILES:
            path = run.folder / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"The run in {run.folder} cannot be deleted: {error.strerror or error}.") from None
    for name in _OWN_FILES:
        remove_abandoned_files(run.folder, name)
    # A folder that contains the user's own files stays.
    with contextlib.suppress(OSError):
        os.rmdir(run.folder)
