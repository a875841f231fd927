"""Taking a run off the disk."""

from __future__ import annotations

import contextlib
import os
import shutil

from cnnstudio.runs.errors import RunError
from cnnstudio.runs.run import DESIGN_FILE, EVENTS_FILE, RECIPE_FILE, RUN_FILE, Run

# `run.json` goes last: until then, what is left of the run can still be named and deleted.
_OWN = ("checkpoints", "snapshots", EVENTS_FILE, RECIPE_FILE, DESIGN_FILE, "lock", RUN_FILE)


def delete_run(run: Run) -> None:
    """Deletes what the run wrote, and the folder if nothing else stands in it.

    Raises RunError for a run that is being written, and where the system refuses.
    """
    if run.status == "running":
        raise RunError(f"The run {run.id} is being written now: stop it before you delete it.")
    try:
        for name in _OWN:
            path = run.folder / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"The run in {run.folder} cannot be deleted: {error.strerror or error}.") from None
    # A folder that holds the user's own files stays.
    with contextlib.suppress(OSError):
        os.rmdir(run.folder)
